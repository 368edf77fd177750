"""What happened in a demo, as a person reads it."""

from __future__ import annotations

from rich.table import Table

from services.demo.run import Outcome


def table_of(outcome: Outcome) -> Table:
    """In the order of the story; figures with their units."""
    table = Table("what happened", "发生了什么", "", title="A day at the demo company 演示公司的一天")
    assigned = f"{outcome.assigned}, half of them within {outcome.assigned_after_ms_p50} ms"
    for english, chinese, value in (
        ("requests received", "收到的报修请求", f"{outcome.requests}"),
        ("assigned to an engineer", "已派单", assigned),
        ("repaired and accepted", "已完成并验收", f"{outcome.completed}"),
        ("surveys answered", "已评价", f"{outcome.feedback}"),
        ("parts used", "使用的配件", f"{outcome.parts_consumed} pieces 件"),
        ("events recorded", "记录的事件", f"{outcome.events}"),
        ("rules of the business broken", "违反业务规则", f"{outcome.invariant_violations}"),
        ("views rebuilt from the log are equal", "由日志重建的视图一致", _yes(outcome.rebuild_identical)),
        ("hash chains of the log are whole", "日志哈希链完整", _yes(outcome.chain_verified)),
        ("time taken", "用时", f"{outcome.seconds} s 秒"),
        ("most memory", "内存峰值", f"{outcome.peak_rss_mb} MB"),
    ):
        table.add_row(english, chinese, value)
    return table


def _yes(so: bool) -> str:
    return "yes 是" if so else "[red]no 否[/red]"

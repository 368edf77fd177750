"""The dispatch rules: a draft is written, tried on the past and published with its reason; an earlier one restored."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from services.gateway.pages import BUILT
from tests.browser.conftest import Open
from tests.browser.desk import at_desk

FIGURES = BUILT.parent / "src" / "desk" / "rules" / "figures.ts"


def test_every_figure_of_the_rules_can_be_set_within_its_bounds() -> None:
    from dispatcher.commands import RuleFigures

    told = {name: (int(least), int(most)) for name, least, most in _bounds()}
    asked = RuleFigures.model_json_schema()["properties"]
    numbers = {name: (one["minimum"], one["maximum"]) for name, one in asked.items() if one.get("type") == "integer"}
    assert told == numbers and set(asked) - set(numbers) == {"offered_first", "slots_calendar", "slots_outside"}


def _bounds() -> list[tuple[str, str, str]]:
    found = re.findall(r"\['(\w+)', ([\d_]+), ([\d_]+)\]", FIGURES.read_text(encoding="utf-8"))
    return [(name, least.replace("_", ""), most.replace("_", "")) for name, least, most in found]


def holds(page: Page) -> str:
    return page.get_by_role("article", name="现行规则").inner_text()


def test_a_draft_is_tried_published_and_taken_back(opened: Open) -> None:
    page = at_desk(opened, "manager", "/rules")
    page.get_by_role("link", name="新草案").click()
    page.get_by_label("草案名称").fill("近的优先")
    bookings = page.get_by_label(re.compile("^当天手上每已有一张工单"))
    bookings.fill("5")
    expect(page.get_by_role("button", name="现行 15")).to_be_visible()
    page.get_by_role("button", name="保存草案").click()
    expect(page.get_by_role("heading", name="近的优先")).to_be_visible()

    trial = page.get_by_role("article", name="用过去 90 天试算")
    trial.get_by_role("button", name="开始试算").click()
    rows = trial.get_by_role("row")
    expect(rows).to_have_count(9, timeout=60_000)
    expect(trial).to_contain_text(re.compile(r"[1-9]\d* 次派单"))

    # Once it is changed, what was tried of it is void: it is not published without a reason.
    bookings.fill("6")
    expect(page.get_by_role("button", name="生效…")).to_be_disabled()
    page.get_by_role("button", name="保存草案").click()
    expect(trial).to_contain_text("还没有试过")
    page.get_by_role("button", name="生效…").click()
    publish = page.get_by_role("article", name="让草案生效")
    publish.get_by_label("原因（必填）").fill("新城区没有历史")
    publish.get_by_role("button", name="生效", exact=True).click()
    expect(page.get_by_role("article", name="现行规则")).to_contain_text("第 1 版")
    assert re.search(r"当天手上每已有一张工单，加\s+6 分", holds(page))

    versions = page.get_by_role("article", name="历史版本").get_by_role("listitem")
    expect(versions.first).to_contain_text("新城区没有历史")
    versions.filter(has_text="出厂规则").get_by_role("button", name="恢复这一版").click()
    versions.get_by_label("原因（必填）").fill("工单太集中")
    versions.get_by_role("button", name="恢复", exact=True).click()
    expect(page.get_by_role("article", name="现行规则")).to_contain_text("第 2 版")
    assert re.search(r"当天手上每已有一张工单，加\s+15 分", holds(page))


def test_a_dispatcher_looks_and_changes_nothing(opened: Open) -> None:
    page = at_desk(opened, "dispatcher", "/rules", language="en")
    expect(page.get_by_role("article", name="Rules in force")).to_be_visible()
    expect(page.get_by_role("link", name="New draft")).to_have_count(0)
    expect(page.get_by_role("button", name="Restore")).to_have_count(0)

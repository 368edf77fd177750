"""Operations: what is stuck is tried again or given up, journals are verified and replayed, a proof is taken along."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from services.proof.kept import EVERY_S
from tests.browser.conftest import Demo, Open, running_demo
from tests.browser.desk import Others, at_desk
from tests.browser.staged import POLICY


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that can be broken from here."""
    folder = tmp_path_factory.mktemp("staged")
    with running_demo(folder / "data", 3, ("tests.browser.staged", str(folder))) as demo:
        yield demo


@pytest.fixture
def others(demo: Demo) -> Others:
    return Others(demo.url)


@contextmanager
def bug(others: Others, demo: Demo, number: int) -> Iterator[Any]:
    """A request for which, by a bug of ours, nobody is found; the key stays parked when the bug is mended."""
    broken = demo.folder.parent / "broken"
    broken.touch()
    request = others.request(number=number)
    others.until("operator", "/v1/deadletters/dispatcher", lambda page: page["items"])
    yield request
    broken.unlink()


def the_one(page: Page) -> Locator:
    item = page.get_by_role("listitem").filter(has_text=POLICY)
    expect(item).to_contain_text("no road leads to 4711")
    expect(item).to_contain_text("已搁置")
    item.get_by_role("button", name="处理").click()
    return item


def test_what_is_parked_is_tried_again_and_is_done(opened: Open, others: Others, demo: Demo) -> None:
    with bug(others, demo, 1) as request:
        page = at_desk(opened, "operator", "/operations")
        item = the_one(page)
    item.get_by_label("原因").fill("地图已修好")
    item.get_by_role("button", name="重新处理").click()
    expect(page.get_by_text("没有卡住的事件。")).to_be_visible()
    assert others.order_of(request, "assigned")


def test_what_is_parked_is_given_up_and_a_person_goes_on(opened: Open, others: Others, demo: Demo) -> None:
    with bug(others, demo, 2) as request:
        page = at_desk(opened, "operator", "/operations")
        item = the_one(page)
    item.get_by_label("原因").fill("改由人工派单")
    item.get_by_role("button", name="放弃").click()
    expect(page.get_by_text("没有卡住的事件。")).to_be_visible()
    # Nobody was found by rule, and the dispatcher has it.
    assert others.order_of(request, "waiting")
    who_knows = at_desk(opened, "auditor", "/operations")
    expect(who_knows.get_by_text("没有卡住的事件。")).to_be_visible()


def test_an_auditor_has_the_journals_verified(opened: Open) -> None:
    page = at_desk(opened, "auditor", "/operations")
    page.get_by_role("button", name="核验全部日志").click()
    expect(page.get_by_text("日志完好，没有发现问题。")).to_be_visible(timeout=60_000)
    expect(page.get_by_text(re.compile(r"读取 \d+ 个事件"))).to_be_visible()


def test_a_replay_is_told_as_it_goes_and_compared(opened: Open) -> None:
    page = at_desk(opened, "auditor", "/operations", language="en")
    page.get_by_role("combobox", name="Service").select_option("dispatcher")
    page.get_by_role("button", name="Replay and compare its views").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_text("the replay gives the same views")).to_be_visible(timeout=60_000)


def test_a_look_that_is_stopped_changes_nothing_and_another_follows(opened: Open) -> None:
    page = at_desk(opened, "auditor", "/operations")
    page.get_by_role("button", name="核验全部日志").click()
    page.get_by_role("button", name="停止").click()
    expect(page.get_by_text("已停止。没有改动任何数据。")).to_be_visible()


def test_the_proof_of_a_request_is_a_file(opened: Open, others: Others) -> None:
    closed = others.get("agent", "/v1/requests?state=closed")["items"][-1]["request_id"]
    page = at_desk(opened, "auditor", f"/audit/{closed}")
    files = page.get_by_role("article", name="证明文件")
    early = not others.can_get("auditor", f"/v1/operations/dispatcher/proof/{closed}")
    # Before the first checkpoint that covers it, it is said when that comes, and the file follows by itself.
    with page.expect_download(timeout=(EVERY_S + 30) * 1_000) as download:
        files.get_by_role("button", name=re.compile("调度")).click()
        if early:
            expect(files.get_by_role("status")).to_contain_text(re.compile(r"自动下载。 最多还要 \d+ 秒"))
    proof = json.loads(download.value.path().read_text())
    assert (proof["fieldloop_proof"], proof["subject"]) == (1, f"request {closed}")
    assert proof["journals"].keys() == {"dispatcher"}

"""The engineer's app on a phone: a day of visits by large buttons, also without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, Demo, Open
from tests.browser.people import Desk, come_in
from tests.browser.test_portal import signed

PHOTO = Path(__file__).parent / "photo.jpg"


@pytest.fixture(scope="module")
def desk(demo: Demo) -> Iterator[Desk]:
    desk = Desk(demo)
    yield desk
    desk.close()


def on_the_phone(opened: Open, demo: Demo, engineer: str, path: str = "/field") -> Page:
    page = opened("/", size=PHONE)
    come_in(page, demo, engineer)
    page.set_default_timeout(10_000)
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready")
    return page


def card(page: Page, visit_id: str) -> Locator:
    return page.locator(f"[data-visit='{visit_id}']")


def go_in(page: Page, visit_id: str) -> None:
    card(page, visit_id).click()
    expect(page.get_by_test_id("state")).to_be_visible()


def next_step(page: Page, words: str, state: str) -> None:
    page.get_by_role("button", name=words, exact=True).click()
    expect(page.get_by_test_id("state")).to_have_text(state)


def finish(page: Page, record: str) -> None:
    page.get_by_role("radio", name="磨损").check()
    page.get_by_role("radio", name="更换备件").check()
    page.get_by_label("做了什么").fill(record)
    page.get_by_test_id("finish").click()
    expect(page.get_by_test_id("state")).to_have_text("待验收")


def accept(page: Page, stars: int = 5) -> None:
    page.locator("label", has=page.get_by_role("radio", name=f"{stars} 星")).click()
    signed(page)
    page.get_by_test_id("accept").click()
    expect(page.get_by_test_id("state")).to_have_text("已完成")


def all_sent(page: Page) -> None:
    """What is held for its ten seconds is sent after them."""
    expect(page.get_by_test_id("outbox")).to_have_text(re.compile("实时|每 5 秒更新"), timeout=30_000)


def test_a_visit_from_leaving_to_the_signature_by_one_big_button_a_step(opened: Open, demo: Demo, desk: Desk) -> None:
    visit = desk.new_visit()
    page = on_the_phone(opened, demo, visit["engineer_id"])
    go_in(page, visit["visit_id"])
    expect(page.get_by_text("演示路").first).to_be_visible()
    next_step(page, "出发", "在路上")
    next_step(page, "到达", "已到达")
    next_step(page, "开始维修", "维修中")
    page.get_by_test_id("photo-before").set_input_files(PHOTO)
    expect(page.get_by_role("heading", name="照片（1）")).to_be_visible()
    page.locator("[data-part]").first.click()
    expect(page.get_by_text("✓")).to_be_visible()
    finish(page, "更换电容，试机正常")
    accept(page)
    all_sent(page)
    done = desk.call("GET", f"/v1/visits/{visit['visit_id']}")
    assert (done["state"], done["rating"], done["photos"], len(done["parts"])) == ("completed", 5, 1, 1)
    assert done["record"] == "更换电容，试机正常"


def test_a_tap_is_taken_back_within_ten_seconds_and_never_reaches_the_server(
    opened: Open, demo: Demo, desk: Desk
) -> None:
    visit = desk.new_visit()
    page = on_the_phone(opened, demo, visit["engineer_id"])
    go_in(page, visit["visit_id"])
    next_step(page, "出发", "在路上")
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_test_id("state")).to_have_text("待出发")
    next_step(page, "出发", "在路上")
    all_sent(page)
    steps = desk.call("GET", f"/v1/visits/{visit['visit_id']}/steps")
    assert [one["step"] for one in steps] == ["depart"]

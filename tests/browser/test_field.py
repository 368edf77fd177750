"""The engineer's app on a phone: a day of visits by large buttons, also without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from services.gateway.users import DEMO_PASSWORD
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


def reopened(page: Page) -> Page:
    """Her browser ends the tab, and she opens the app again."""
    fresh = page.context.new_page()
    page.close(run_before_unload=False)
    fresh.set_default_timeout(10_000)
    fresh.goto("/field")
    expect(fresh.get_by_role("heading", level=1)).to_be_visible()
    return fresh


def test_without_a_network_the_app_opens_and_what_she_does_is_kept(opened: Open, demo: Demo, desk: Desk) -> None:
    visit = desk.new_visit()
    page = on_the_phone(opened, demo, visit["engineer_id"])
    go_in(page, visit["visit_id"])
    expect(page.get_by_text("声音很大").first).to_be_visible()
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_text("声音很大").first).to_be_visible()
    next_step(page, "出发", "在路上")
    page = reopened(page)
    expect(page.get_by_text("没有网络")).to_be_visible()
    expect(card(page, visit["visit_id"])).to_contain_text("在路上")
    page.get_by_test_id("outbox").click()
    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_role("alert")).to_contain_text("还有 1 项没有发送")
    with page.expect_download() as saved:
        page.get_by_role("button", name="导出为文件").click()
    assert '"what": "depart"' in Path(saved.value.path()).read_text()
    page.context.set_offline(False)
    expect(page.get_by_text("全部已发送")).to_be_visible(timeout=30_000)
    assert desk.call("GET", f"/v1/visits/{visit['visit_id']}")["state"] == "departed"


def test_when_her_session_has_ended_she_works_on_and_signs_in_only_to_send(
    opened: Open, demo: Demo, desk: Desk
) -> None:
    page = opened("/", size=PHONE)
    page.get_by_role("button", name="工程师").click()
    page.wait_for_url("**/field**")
    page.set_default_timeout(10_000)
    person = page.evaluate("JSON.parse(localStorage['fieldloop.field.session']).personId")
    visit = desk.new_visit(person)
    expect(card(page, visit["visit_id"])).to_be_visible()
    expect(page.get_by_test_id("ready")).to_contain_text("没有网络也能用")
    page.context.set_offline(True)
    ended = "{...JSON.parse(localStorage['fieldloop.field.session']), endsAt: 0, token: 'ended'}"
    page.evaluate(f"localStorage['fieldloop.field.session'] = JSON.stringify({ended})")
    page.reload()
    go_in(page, visit["visit_id"])
    next_step(page, "出发", "在路上")
    # Nothing is asked of her while it could not be sent anyway.
    expect(page.get_by_label("密码")).to_have_count(0)
    page.context.set_offline(False)
    expect(page.get_by_label("密码")).to_be_visible(timeout=30_000)
    next_step(page, "到达", "已到达")
    page.get_by_label("密码").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()
    all_sent(page)
    steps = desk.call("GET", f"/v1/visits/{visit['visit_id']}/steps")
    assert [one["step"] for one in steps] == ["depart", "arrive"]


def test_what_the_server_refuses_is_told_with_both_facts(opened: Open, demo: Demo, desk: Desk) -> None:
    visit = desk.new_visit()
    page = on_the_phone(opened, demo, visit["engineer_id"])
    go_in(page, visit["visit_id"])
    page.context.set_offline(True)
    next_step(page, "出发", "在路上")
    desk.call("POST", f"/v1/orders/{visit['order_id']}/cancel", json={"note": "客户来电取消"})
    desk.until(f"/v1/visits/{visit['visit_id']}", lambda one: one["state"] == "cancelled")
    page.context.set_offline(False)
    told = page.get_by_role("alert")
    expect(told).to_contain_text("出发", timeout=30_000)
    page.get_by_test_id("outbox").click()
    expect(page.get_by_role("alert")).to_contain_text("双方的情况都已记录在案")
    page.get_by_role("button", name="知道了").click()
    expect(page.get_by_role("alert")).to_have_count(0)


PARTS, PHOTOS, TIMES_REFUSED = 4, 7, 4


def day_of(page: Page, visit_id: str) -> list[str]:
    """All that may happen at one visit, by taps; the steps in their order."""
    go_in(page, visit_id)
    next_step(page, "出发", "在路上")
    next_step(page, "到达", "已到达")
    next_step(page, "开始维修", "维修中")
    for n in range(PHOTOS):
        page.get_by_test_id("photo-after").set_input_files(PHOTO)
        expect(page.get_by_role("heading", name=f"照片（{n + 1}）")).to_be_visible()
    for n in range(PARTS):
        page.locator("[data-part]").first.click()
        expect(page.get_by_text("✓")).to_have_count(n + 1)
    for n in range(TIMES_REFUSED):
        finish(page, f"第 {n + 1} 次")
        page.get_by_role("button", name="客户说还有问题").click()
        page.get_by_label("哪里还有问题").fill("还有异响")
        page.get_by_role("button", name="继续维修").click()
        expect(page.get_by_test_id("state")).to_have_text("维修中")
    finish(page, "完成")
    accept(page)
    again = ["finish", "refuse"] * TIMES_REFUSED
    return ["depart", "arrive", "start", *["use-part"] * PARTS, *again, "finish", "accept"]


def test_a_day_offline_with_the_tab_killed_and_all_sent_twice_is_there_once_and_in_order(
    opened: Open, demo: Demo, desk: Desk
) -> None:
    """51 steps and 21 photos of three visits; the server's answers are lost now and then, so that all is sent again."""
    first = desk.new_visit()
    engineer = first["engineer_id"]
    visits = [first, desk.new_visit(engineer, "C003"), desk.new_visit(engineer, "C004")]
    page = on_the_phone(opened, demo, engineer)
    for visit in visits:
        expect(card(page, visit["visit_id"])).to_contain_text("演示路")
    page.context.set_offline(True)
    done = {}
    for place, visit in enumerate(visits):
        done[visit["visit_id"]] = day_of(page, visit["visit_id"])
        if place < 2:
            page = reopened(page)
        else:
            page.goto("/field/outbox")
    waiting = sum(map(len, done.values())) + PHOTOS * len(visits)
    expect(page.get_by_test_id("waits")).to_have_count(waiting)
    print(f"{sum(map(len, done.values()))} steps and {PHOTOS * len(visits)} photos wait")
    lost = LostAnswers()
    page.context.route("**/v1/visits/**", lost.handle)
    second = page.context.new_page()
    page.context.set_offline(False)
    second.goto("/field/outbox")
    expect(second.get_by_text("全部已发送")).to_be_visible(timeout=120_000)
    assert lost.count >= 5
    for visit_id, steps in done.items():
        there = desk.call("GET", f"/v1/visits/{visit_id}/steps")
        assert [one["step"] for one in there] == steps
        assert {one["outcome"] for one in there} == {"taken"}
        seen = desk.call("GET", f"/v1/visits/{visit_id}")
        assert seen["state"] == "completed"
        assert sum(part["quantity"] for part in seen["parts"]) == PARTS
        assert len(desk.call("GET", f"/v1/visits/{visit_id}/photos")) == PHOTOS


class LostAnswers:
    """Every third command reaches the server, and its answer does not come back."""

    def __init__(self) -> None:
        self._asked = self.count = 0

    def handle(self, route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        self._asked += 1
        if self._asked % 3 == 1:
            self.count += 1
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

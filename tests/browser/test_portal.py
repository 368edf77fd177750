"""The customer's portal: a request in three screens without an account, and what becomes of it, live."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Demo, Open
from tests.browser.desk import at_desk
from tests.browser.people import Desk

ADDRESS = "北京市朝阳区建国路88号3单元501"
RATED = ("服务态度", "解决效果", "上门时效")


@pytest.fixture(scope="module")
def desk(demo: Demo) -> Iterator[Desk]:
    desk = Desk(demo)
    yield desk
    desk.close()


def submitted(page: Page, kind: str = "空调维修", address: str = ADDRESS) -> tuple[str, int]:
    """A request is made on `/portal/new`; its id, and the taps that it took beside text."""
    taps = 0

    def tap(role: str, name: str) -> None:
        nonlocal taps
        taps += 1
        page.get_by_role(role, name=name, exact=False).click()  # type: ignore[arg-type]

    def text(label: str, words: str) -> None:
        nonlocal taps
        taps += 1  # into the field; a phone's keyboard leads to the next one, which is not counted upon
        page.get_by_label(label).fill(words)

    tap("button", kind)
    text("哪里不对", "不制冷，压缩机一直响")
    text("称呼", "林小雨")
    text("联系电话", "13900001234")
    text("上门地址", address)
    tap("button", "提交")
    page.wait_for_url(re.compile(r"/portal/r/"))
    return page.url.partition("/portal/r/")[2].partition("?")[0], taps


def signed(page: Page) -> None:
    pad = page.get_by_role("img", name="请在此签名")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box
    page.mouse.move(box["x"] + 30, box["y"] + 60)
    page.mouse.down()
    for n in range(1, 9):
        page.mouse.move(box["x"] + 30 + 20 * n, box["y"] + 60 + (25 if n % 2 else -20))
    page.mouse.up()


def test_a_stranger_has_a_number_after_three_screens_and_eight_taps(opened: Open) -> None:
    begun = time.monotonic()
    page = opened("/portal/new", size=PHONE)
    _, taps = submitted(page)
    expect(page.get_by_test_id("number")).to_have_text(re.compile(r"R-\d{6}-\d{4}"))
    seconds = time.monotonic() - begun
    print(f"screens 3, taps {taps}, {seconds:.1f} s")
    assert taps <= 8
    assert seconds <= 60


def test_the_page_follows_what_happens_and_takes_her_signature(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    visit = desk.visit_of(request_id)
    step = page.get_by_test_id("step")
    expect(step).to_have_text("已派工程师")
    expect(page.get_by_test_id("engineer")).to_have_text(visit["engineer_name"])
    expect(page.get_by_test_id("band")).to_contain_text(re.compile(r"\d\d:\d\d(–\d\d:\d\d| 前)"))
    for name, shown in (("depart", "工程师在路上"), ("arrive", "工程师已到达"), ("start", "正在维修")):
        desk.step(visit["visit_id"], name)
        expect(step).to_have_text(shown)
    desk.step(visit["visit_id"], "finish", cause="wear", action="replaced", record="更换电容，试机正常", labour_s=1800)
    expect(page.get_by_text("更换电容，试机正常")).to_be_visible()
    accept = page.get_by_role("button", name="验收并签字")
    expect(accept).to_be_disabled()
    page.locator("label", has=page.get_by_role("radio", name="5 星")).first.click()
    signed(page)
    accept.click()
    for question in RATED:
        group = page.get_by_role("group", name=question)
        group.locator("label", has=page.get_by_role("radio", name="4 星")).click()
    page.get_by_role("button", name="提交评价").click()
    expect(page.get_by_text("感谢您的评价")).to_be_visible()
    expect(step).to_have_text("已完成")
    done = desk.call("GET", f"/v1/visits/{visit['visit_id']}")
    assert done["state"] == "completed" and done["rating"] == 5 and done["signature"].startswith("M")


def test_the_link_opens_the_request_on_another_phone_and_nobody_elses(opened: Open) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    number = page.get_by_test_id("number").inner_text()
    link = page.evaluate("JSON.parse(localStorage.getItem('fieldloop.portal.session')).link")
    other = opened(f"/portal/r/{request_id}#link={link}", size=PHONE)
    expect(other.get_by_test_id("number")).to_have_text(number)
    assert "link=" not in other.url
    stranger = opened(f"/portal/r/{request_id}", size=PHONE)
    expect(stranger.get_by_role("alert")).to_be_visible()
    expect(stranger.get_by_text(number)).to_have_count(0)


def test_an_open_request_like_it_is_shown_before_it_is_sent(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    submitted(page)
    first = page.get_by_test_id("number").inner_text()
    page.goto("/portal/new")
    page.get_by_role("button", name="空调维修").click()
    page.get_by_label("哪里不对").fill("还是不制冷")
    page.get_by_label("上门地址").fill(ADDRESS)
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_role("link", name=first)).to_be_visible()
    page.get_by_role("link", name=first).click()
    expect(page.get_by_test_id("number")).to_have_text(first)


def test_an_address_that_may_be_two_is_asked_on_the_same_screen(opened: Open) -> None:
    page = opened("/portal/new", size=PHONE)
    page.get_by_role("button", name="空调维修").click()
    page.get_by_label("哪里不对").fill("不制冷")
    page.get_by_label("称呼").fill("林小雨")
    page.get_by_label("联系电话").fill("13900001234")
    page.get_by_label("上门地址").fill("朝阳区建国路88号")
    page.get_by_role("button", name="提交").click()
    page.get_by_role("button", name="北京市朝阳区").click()
    expect(page.get_by_label("上门地址")).to_have_value("北京市朝阳区建国路88号")
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_test_id("number")).to_be_visible()


def test_she_calls_it_off_with_a_reason(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    page.get_by_role("button", name="取消报修").click()
    page.get_by_label("取消原因").fill("自己好了")
    page.get_by_role("button", name="确认取消").click()
    expect(page.get_by_test_id("step")).to_have_text("已取消")
    assert desk.call("GET", f"/v1/requests/{request_id}", "agent")["state"] == "withdrawn"


def test_a_customer_who_is_signed_in_sees_her_requests(opened: Open) -> None:
    page = opened("/", size=PHONE)
    page.get_by_role("button", name="客户").click()
    page.wait_for_url("**/portal")
    page.get_by_role("link", name="我要报修").click()
    page.get_by_role("button", name="设备报修").click()
    expect(page.get_by_label("称呼")).to_have_attribute("readonly", "")


def taps_of_time(page: Page, day: int = -1, band: int = 0) -> str:
    """Chooses a band of a day among those that are offered; what the held time is called."""
    time_of = page.get_by_role("region", name="改约时间")
    time_of.locator("label.pill").nth(day).click()
    time_of.locator("button.band").nth(band).click()
    return time_of.get_by_role("status").locator("strong").inner_text()


def test_a_time_is_chosen_when_it_is_sent_and_another_one_later(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    expect(page.get_by_role("heading", name="选择上门时间")).to_be_visible()
    before = desk.visit_of(request_id)["starts_at"]
    chosen = taps_of_time(page)
    page.get_by_role("button", name="就定这个时间").click()
    expect(page.get_by_text("时间已改好")).to_be_visible()
    path = f"/v1/visits?request_id={request_id}&state=planned"
    moved = desk.until(path, lambda found: found["items"] and found["items"][-1]["starts_at"] != before)
    expect(page.get_by_test_id("band")).to_contain_text(chosen.rpartition(" ")[0])
    page.get_by_role("button", name="改约时间").click()
    taps_of_time(page, day=-2)
    # Given back, and the time is the one from before.
    page.get_by_role("button", name="换一个时段").click()
    page.get_by_role("button", name="不改了").click()
    assert desk.visit_of(request_id)["starts_at"] == moved["items"][-1]["starts_at"]
    desk.step(moved["items"][-1]["visit_id"], "depart")
    expect(page.get_by_test_id("step")).to_have_text("工程师在路上")
    expect(page.get_by_role("button", name="改约时间")).to_have_count(0)


def test_hours_that_were_sold_meanwhile_are_told(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    order_id = desk.visit_of(request_id)["order_id"]
    region = page.get_by_role("region", name="改约时间")
    expect(region.locator("button.band").first).to_be_visible()
    slots = desk.call("GET", f"/v1/orders/{order_id}/slots?days=7")
    last = slots[-1]
    # Everybody who could come in the last band is taken by others.
    kind = desk.call("GET", f"/v1/requests/{request_id}", "agent")["request_type"]
    offered = f"/v1/orders/{order_id}/slots?days=7"
    while last["opens_at"] in [one["opens_at"] for one in desk.call("GET", offered)]:
        asked = {"request_type": kind, "customer_id": "C002", "description": "不制冷", "address": ADDRESS}
        other = desk.visit_of(desk.call("POST", "/v1/requests", "agent", json=asked)["id"])["order_id"]
        held = desk.call("POST", f"/v1/orders/{other}/slots", json={"opens_at": last["opens_at"]})
        desk.call("POST", f"/v1/slots/{held['id']}/book")
    region.locator("label.pill").last.click()
    region.locator("button.band").last.click()
    expect(page.get_by_role("alert")).to_contain_text("刚刚被别人约走了")


def test_a_message_waits_in_the_queue_and_the_answer_is_on_her_page(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    number = page.get_by_test_id("number").inner_text()
    page.get_by_label("写给客服").fill("到之前请打电话")
    page.get_by_role("button", name="发送").click()
    expect(page.get_by_role("list").get_by_text("到之前请打电话")).to_be_visible()
    agent = at_desk(opened, "agent", "/queue")
    agent.get_by_label("只看待回复").check()
    row = agent.get_by_role("row").filter(has_text=number)
    expect(row).to_contain_text("待回复")
    row.get_by_role("link", name=number).click()
    expect(agent.get_by_text("到之前请打电话").first).to_be_visible()
    agent.get_by_label("回复客户").fill("好的，出发前联系您")
    agent.get_by_role("button", name="发送").click()
    expect(page.get_by_text("好的，出发前联系您")).to_be_visible()
    assert not desk.call("GET", f"/v1/requests/{request_id}", "agent")["unanswered"]

"""What the customer sees while she waits: if the page is live, when somebody arrives, where she is; a complaint."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PHONE, Demo, Open
from tests.browser.people import Desk
from tests.browser.test_field import go_in, next_step, on_the_phone
from tests.browser.test_portal import submitted

ENGINEER = {"latitude": 39.9301234, "longitude": 116.4505678}


@pytest.fixture(scope="module")
def desk(demo: Demo) -> Iterator[Desk]:
    desk = Desk(demo)
    yield desk
    desk.close()


def dot(page: Page) -> str:
    """What is said of the line, and in which colour."""
    words, colour = page.locator(".live").evaluate("one => [one.textContent, getComputedStyle(one).color]")
    return f"{words} {colour}"


RED = "rgb(179, 38, 30)"


def test_a_page_that_only_connects_is_not_called_cut_off(opened: Open) -> None:
    page = opened("/portal/new", size=PHONE)
    held: list[Route] = []
    page.route("**/v1/live**", lambda route: held.append(route))
    submitted(page)
    expect(page.get_by_test_id("number")).to_be_visible()
    line = page.locator(".live")
    expect(line).to_have_text("连接中…")
    assert RED not in dot(page)
    # It was tried and failed: that is said. The next try is held back too.
    held[0].abort()
    expect(line).to_have_text("已断线")
    assert RED in dot(page)
    page.unroute("**/v1/live**")
    for one in held[1:]:
        one.abort()
    expect(line).to_have_text("实时")


def test_the_time_is_a_band_in_which_somebody_arrives(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    visit = desk.visit_of(request_id)
    arrival = desk.call("GET", f"/v1/orders/{visit['order_id']}/arrival")
    clock = page.evaluate(
        "time => new Date(time).toLocaleTimeString('en-GB', {hour: '2-digit', minute: '2-digit'})",
        arrival["arrives_until"],
    )
    # From when on is not said where that is over already.
    expect(page.get_by_test_id("band")).to_contain_text(re.compile(rf"\d\d:\d\d–{clock}|{clock} 前"))


def positions(page: Page) -> list[int]:
    """The answers to each position that the phone says from now on."""
    said: list[int] = []
    page.on("response", lambda one: said.append(one.status) if _says(one.url, one.request.method) else None)
    return said


def _says(url: str, method: str) -> bool:
    return method == "POST" and url.endswith("/position")


def test_she_is_on_the_map_from_leaving_to_arriving_and_only_if_she_lets_it(
    opened: Open, demo: Demo, desk: Desk
) -> None:
    customer = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(customer)
    visit = desk.visit_of(request_id)
    phone = on_the_phone(opened, demo, visit["engineer_id"])
    phone.context.grant_permissions(["geolocation"], origin=demo.url)
    phone.context.set_geolocation(ENGINEER)  # type: ignore[arg-type]
    said = positions(phone)
    go_in(phone, visit["visit_id"])
    expect(phone.get_by_test_id("position")).to_have_count(0)
    next_step(phone, "出发", "在路上")
    phone.get_by_role("button", name="立即发送").click()
    expect(customer.get_by_test_id("step")).to_have_text("工程师在路上")
    # She has not said yet whether it may be seen.
    assert said == []
    way = customer.get_by_test_id("way")
    expect(way).to_have_count(0)
    with phone.expect_response(lambda one: _says(one.url, one.request.method)) as told:
        phone.get_by_role("button", name="让客户看到").click()
    assert told.value.status == 200
    body = told.value.request.post_data_json
    assert body == {"lat_udeg": 39_930_000, "lon_udeg": 116_451_000}
    expect(way).to_contain_text(re.compile(r"距您约 [\d.]+ k?m"), timeout=20_000)
    expect(way.locator(".leaflet-container")).to_be_visible()
    phone.get_by_role("button", name="停止").click()
    phone.get_by_role("button", name="让客户看到").click()
    next_step(phone, "到达", "已到达")
    expect(phone.get_by_test_id("position")).to_have_count(0)
    before = len(said)
    phone.get_by_role("button", name="立即发送").click()
    expect(customer.get_by_test_id("step")).to_have_text("工程师已到达")
    expect(way).to_have_count(0)
    token = customer.evaluate("JSON.parse(localStorage.getItem('fieldloop.portal.session')).token")
    path = f"/v1/visits/{visit['visit_id']}/position"
    answer = customer.request.get(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 404
    assert len(said) == before


def test_a_position_is_never_kept_for_later(opened: Open, demo: Demo, desk: Desk) -> None:
    visit = desk.new_visit()
    phone = on_the_phone(opened, demo, visit["engineer_id"])
    phone.context.grant_permissions(["geolocation"], origin=demo.url)
    phone.context.set_geolocation(ENGINEER)  # type: ignore[arg-type]
    phone.evaluate("localStorage.setItem('fieldloop.field.position', 'yes')")
    phone.reload()
    said = positions(phone)
    go_in(phone, visit["visit_id"])
    phone.context.set_offline(True)
    next_step(phone, "出发", "在路上")
    next_step(phone, "到达", "已到达")
    expect(phone.get_by_test_id("outbox")).to_have_text("待发送 2")
    phone.context.set_offline(False)
    phone.get_by_role("button", name="立即发送").click()
    expect(phone.get_by_test_id("outbox")).to_have_text(re.compile("实时|每 5 秒更新"), timeout=30_000)
    assert said == []


def test_she_complains_reads_that_it_is_open_and_takes_it_back(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    region = page.get_by_role("region", name="投诉")
    region.get_by_role("button", name="我要投诉").click()
    region.get_by_label("哪里让您不满意").fill("等了三天没有人来")
    region.get_by_role("button", name="提交投诉").click()
    one = page.get_by_test_id("complaint")
    expect(one).to_contain_text("处理中")
    expect(one).to_contain_text("等了三天没有人来")
    one.get_by_role("button", name="撤回投诉").click()
    one.get_by_label("取消原因").fill("师傅已经来过了")
    one.get_by_role("button", name="确认撤回").click()
    expect(one).to_contain_text("已撤回")
    found = desk.call("GET", f"/v1/complaints?request_id={request_id}", "agent")["items"]
    assert [complaint["state"] for complaint in found] == ["withdrawn"]


def test_she_reads_the_answer_to_her_complaint_as_soon_as_it_is_given(opened: Open, desk: Desk) -> None:
    page = opened("/portal/new", size=PHONE)
    request_id, _ = submitted(page)
    expect(page.get_by_test_id("engineer")).to_be_visible()
    raised = desk.call("POST", "/v1/complaints", "agent", json={"words": "来晚了", "request_id": request_id})
    one = page.get_by_test_id("complaint")
    expect(one).to_contain_text("来晚了")
    path = f"/v1/complaints/{raised['id']}"
    desk.call("POST", f"{path}/assign", "manager", json={"owner_id": "manager@demo"})
    desk.call("POST", f"{path}/close", "manager", json={"root_cause": "late", "answer": "非常抱歉，已免上门费"})
    expect(one).to_contain_text("非常抱歉，已免上门费")
    expect(one.get_by_role("button")).to_have_count(0)

"""The agent's desk: who calls, a request in four fields, and what can be done with it later."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Demo, Open
from tests.browser.desk import Others, at_desk


@pytest.fixture
def others(demo: Demo) -> Others:
    return Others(demo.url)


def act(page: Page, name: str, words: str = "") -> None:
    page.get_by_role("button", name=name, exact=True).first.click()
    form = page.locator("form").filter(has=page.get_by_role("button", name=name)).last
    if words:
        form.locator("textarea").fill(words)
    form.get_by_role("button", name=name).click()


def test_a_known_caller_pops_up_and_four_fields_make_a_request(opened: Open, others: Others) -> None:
    device = others.device(2)
    customer = others.get("agent", f"/v1/customers/{device['customer_id']}")
    page = at_desk(opened, "agent", "/caller")
    typed = 0
    page.get_by_label("来电号码").fill(customer["phone"])
    expect(page.get_by_role("heading", name=customer["name"])).to_be_visible()
    expect(page.get_by_text(device["serial"])).to_be_visible()
    page.get_by_label(re.compile(device["serial"])).check()
    typed += 1
    expect(page.get_by_text(re.compile(r"已上门 \d+ 次"))).to_be_visible()
    page.get_by_label("问题描述").fill("漏水")
    typed += 1
    page.get_by_label("紧急程度").select_option("high")
    typed += 1
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_role("heading", name=re.compile(r"R-\d+-\d+"))).to_be_visible()
    expect(page.get_by_text("漏水")).to_be_visible()
    assert typed <= 4


def test_who_is_unknown_is_registered_and_served(opened: Open, others: Others) -> None:
    page = at_desk(opened, "agent", "/caller?phone=13900006666")
    page.get_by_label("姓名").fill("新客户")
    page.get_by_label("地址", exact=True).fill("北京市朝阳区建国路88号")
    page.get_by_role("button", name="登记并继续").click()
    expect(page.get_by_role("heading", name="新客户")).to_be_visible()
    expect(page.get_by_text("还没有登记设备。")).to_be_visible()


def test_the_list_goes_on_by_itself_whatever_the_channel(opened: Open, others: Others) -> None:
    page = at_desk(opened, "agent", "/queue")
    expect(page.get_by_text("实时")).to_be_visible()
    request = others.request(number=9)
    line = page.get_by_role("row").filter(has_text=request["number"])
    expect(line).to_contain_text("已派单")
    page.get_by_label("状态").select_option("incomplete")
    expect(line).to_have_count(0)


def test_what_is_missing_is_completed(opened: Open, others: Others) -> None:
    request = others.request(number=11, description="")
    page = at_desk(opened, "agent", f"/requests/{request['request_id']}")
    expect(page.get_by_text("还缺：")).to_be_visible()
    act(page, "补充资料", "开机后停机")
    expect(page.get_by_text("还缺：")).to_have_count(0)
    others.until("agent", f"/v1/requests/{request['request_id']}", lambda one: one["state"] == "received")


def test_what_was_asked_for_twice_is_merged_and_un_merged(opened: Open, others: Others) -> None:
    first, second = (others.request(number=13) for _ in range(2))
    page = at_desk(opened, "agent", f"/requests/{second['request_id']}")
    page.get_by_role("button", name="合并", exact=True).click()
    page.get_by_label("合并到").select_option(first["request_id"])
    page.locator("form").get_by_role("button", name="合并").click()
    expect(page.get_by_text("已合并").first).to_be_visible()
    act(page, "取消合并")
    others.until("agent", f"/v1/requests/{second['request_id']}", lambda one: one["state"] == "received")


def test_what_is_closed_is_all_on_one_page_and_is_reopened(opened: Open, others: Others) -> None:
    closed = others.get("agent", "/v1/requests?state=closed")["items"][0]
    page = at_desk(opened, "agent", f"/requests/{closed['request_id']}")
    expect(page.get_by_role("heading", name=closed["number"])).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("修前"))).to_be_visible()
    expect(page.get_by_text(re.compile("KIT-|备件")).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"共 ¥"))).to_be_visible()
    expect(page.get_by_text("已计划上门")).to_be_visible()
    page.get_by_text("已计划上门").click()
    expect(page.get_by_text("得知于").locator("visible=true")).to_be_visible()
    act(page, "登记投诉", "师傅迟到")
    expect(page.get_by_text("师傅迟到")).to_be_visible()
    act(page, "重新打开", "又不制冷")
    others.until("agent", f"/v1/requests/{closed['request_id']}", lambda one: one["state"] == "received")


@pytest.mark.parametrize("path", ["/queue", "/caller?phone=13800000001"])
def test_on_a_phone_nothing_is_wider_than_the_screen(opened: Open, path: str) -> None:
    page = at_desk(opened, "agent", path, size=PHONE)
    expect(page.get_by_role("heading").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

"""The manager's figures and what is behind them; complaints; operations; a request as it was at any time."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Demo, Open
from tests.browser.desk import Others, at_desk


@pytest.fixture
def others(demo: Demo) -> Others:
    return Others(demo.url)


def counted(page: Page) -> int:
    """How many are behind the figure, when all have been read."""
    told = page.get_by_role("status").filter(has_text="共")
    expect(told).to_be_visible()
    found = re.search(r"共 (\d+) 条", told.inner_text())
    assert found
    return int(found[1])


def test_a_number_leads_to_as_many_things(opened: Open) -> None:
    page = at_desk(opened, "manager", "/reports/efficiency")
    tile = page.get_by_role("article").filter(has_text="已验收的需求").first
    value = tile.get_by_role("link").nth(1)
    number = int(value.inner_text())
    assert number > 0
    value.click()
    assert counted(page) == number
    expect(page.locator("ul.behind > li")).to_have_count(number)
    page.get_by_text(re.compile(r"\d+ 个事件")).first.click()
    expect(page.get_by_text("客户已验收").first).to_be_visible()


def test_a_number_of_a_group_leads_to_those_of_the_group(opened: Open) -> None:
    page = at_desk(opened, "manager", "/reports/efficiency")
    page.get_by_label("分组").select_option("region")
    cell = page.get_by_role("region", name="按区域").locator("tbody tr").first.get_by_role("link").first
    number = int(cell.inner_text())
    cell.click()
    assert counted(page) == number


def test_a_figure_says_what_it_means_and_how_it_went(opened: Open) -> None:
    page = at_desk(opened, "manager", "/reports/quality")
    expect(page.get_by_role("img", name=re.compile("的趋势"))).to_be_visible()
    page.get_by_text("以表格显示").click()
    expect(page.locator("details table tr").first).to_be_visible()
    page.get_by_role("link", name="平均评分", exact=True).click()
    expect(page.get_by_text("客户验收时评分的平均值")).to_be_visible()


@pytest.mark.parametrize(("button", "ends"), [("导出 CSV", ".csv"), ("导出 Excel", ".xlsx")])
def test_a_report_is_taken_away_as_a_file(opened: Open, button: str, ends: str) -> None:
    page = at_desk(opened, "manager", "/reports/efficiency")
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    assert download.value.suggested_filename.endswith(ends)
    assert download.value.path().stat().st_size > 500


def test_a_complaint_is_answered(opened: Open, others: Others) -> None:
    page = at_desk(opened, "manager", "/complaints")
    device = others.device(1)
    others.post("agent", "/v1/complaints", words="没有人来过", customer_id=device["customer_id"])
    item = page.get_by_role("listitem").filter(has_text="没有人来过")
    expect(item).to_be_visible()
    item.get_by_role("button", name="处理").click()
    item.get_by_label("答复").fill("已道歉并改约")
    item.get_by_role("button", name="答复并关闭").click()
    expect(item).to_have_count(0)
    page.get_by_role("button", name="已关闭").click()
    expect(page.get_by_text("已道歉并改约")).to_be_visible()


def test_no_alert_is_said(opened: Open) -> None:
    page = at_desk(opened, "manager", "/alerts")
    expect(page.get_by_text("没有未关闭的预警。")).to_be_visible()


def test_the_slider_shows_a_request_as_it_was(opened: Open, others: Others) -> None:
    closed = others.get("agent", "/v1/requests?state=closed")["items"][-1]
    page = at_desk(opened, "auditor", "/audit")
    page.get_by_label(re.compile("单号")).fill(closed["number"])
    page.get_by_role("button", name="显示").click()
    state = page.get_by_role("article", name="状态")
    slider = page.get_by_role("slider")
    expect(state.get_by_text("验收", exact=True)).to_be_visible()
    all_events = page.locator("ol.story > li").count()
    slider.fill("0")
    expect(state.get_by_text("验收", exact=True)).to_have_count(0)
    expect(page.locator("ol.story > li")).to_have_count(1)
    slider.press("End")
    expect(page.locator("ol.story > li")).to_have_count(all_events)


def test_operations_say_how_each_service_does(opened: Open) -> None:
    page = at_desk(opened, "operator", "/operations")
    rows = page.get_by_role("region").locator("tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.get_by_text("正常")).to_have_count(6)
    expect(page.get_by_text("没有卡住的事件。")).to_be_visible()

"""What engineers get for their visits: by which terms, why so much, disputed and corrected, and paid once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, Open
from tests.browser.desk import at_desk
from tests.browser.people import Desk


@pytest.fixture
def desk(demo: Demo) -> Desk:
    return Desk(demo)


def test_a_visit_is_settled_disputed_corrected_and_paid(opened: Open, desk: Desk) -> None:
    page = at_desk(opened, "manager", "/payouts")
    expect(page.get_by_text("还没有结算标准，所以没有结算款")).to_be_visible()
    page.get_by_role("button", name="新标准").click()
    page.get_by_label("每次上门（元）").fill("20.5")
    page.get_by_label("工时费的百分比").fill("50")
    page.get_by_role("button", name="设定").click()
    terms = page.get_by_role("article", name="结算标准")
    expect(terms).to_contain_text("每次 ¥20.50；工时费的 50 %")

    visit = desk.new_visit()
    for step in ("depart", "arrive", "start"):
        desk.step(visit["visit_id"], step)
    desk.step(visit["visit_id"], "finish", cause="wear", action="replaced", record="更换电容", labour_s=3_600)
    desk.step(visit["visit_id"], "accept", rating=5, signature="M10 40 C 20 10")
    # It appears by itself.
    page.get_by_role("region", name="结算单").get_by_role("link").first.click()
    sheet = page.get_by_role("article", name=re.compile("的结算单"))
    line = sheet.get_by_role("listitem").first
    expect(line).to_contain_text("上门费 ¥20.50 + 工时费 的 50 % ¥60.00")
    expect(line).to_contain_text("按统一标准第 1 版")

    line.get_by_role("button", name="提出异议").click()
    line.get_by_label("应为多少元").fill("100")
    line.get_by_label("为什么").fill("两个人去的")
    line.get_by_role("button", name="提出异议").last.click()
    expect(line).to_contain_text("认为应为 ¥100.00: 两个人去的")
    expect(sheet.get_by_text("没有待付的")).to_be_visible()

    line.get_by_role("button", name="处理异议").click()
    line.get_by_label("答复").fill("属实")
    line.get_by_role("button", name="更正", exact=True).click()
    expect(line).to_contain_text("更正 ¥19.50")
    sheet.get_by_label("转账凭证号").fill("T-1201")
    sheet.get_by_role("button", name="付 ¥100.00（1 次上门）").click()
    expect(line).to_contain_text("已付 ¥100.00，凭证 T-1201")
    expect(sheet.get_by_text("没有待付的")).to_be_visible()


def test_an_auditor_sees_the_sheets_and_pays_nothing(opened: Open) -> None:
    page = at_desk(opened, "auditor", "/payouts", language="en")
    expect(page.get_by_role("article", name="Payout terms")).to_be_visible()
    expect(page.get_by_role("button", name="New terms")).to_have_count(0)

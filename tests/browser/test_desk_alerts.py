"""A figure went over its line last week: the alert is owned, something is done about it, and its effect closes it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, Open, running_demo
from tests.browser.desk import Others, at_desk
from tests.browser.people import Desk

RULES = {"bad_percent": 1, "bad_weeks": 1, "min_ratings": 1}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo in which a visit was rated badly a week ago, by the clock that it had then."""
    folder = tmp_path_factory.mktemp("last-week")
    (folder / "days").write_text("7")
    with running_demo(folder / "data", 1, ("tests.browser.staged", str(folder))) as demo:
        desk = Desk(demo)
        desk.call("POST", "/v1/alerts/rules", "manager", json=RULES)
        made = desk.new_visit()
        visit = made["visit_id"]
        for step in ("depart", "arrive", "start"):
            desk.step(visit, step)
        desk.step(visit, "finish", cause="wear", action="replaced", record="更换电容", labour_s=900)
        desk.step(visit, "accept", rating=1, signature="M10 40 C 20 10")
        # The days that it is judged after are those after it was heard of.
        desk.until(f"/v1/surveys?request_id={made['request_id']}", lambda page: page["items"], "manager")
        desk.close()
        (folder / "days").unlink()
        yield demo


def test_an_alert_is_followed_and_closed_with_its_effect(opened: Open, demo: Demo) -> None:
    Others(demo.url).until("manager", "/v1/alerts?open=true", lambda page: page["items"])
    page = at_desk(opened, "manager", "/alerts")
    alert = page.get_by_role("listitem").first
    expect(alert).to_contain_text("1 次中有 1 次")
    # What its kind means, by the rules as they are.
    expect(alert).to_contain_text(re.compile("含义：.*连续 1 周每周都高于 1 %"))
    # Whose figure it is, by name.
    expect(alert).not_to_contain_text(re.compile(r"\bE\d\d\b"))
    alert.get_by_role("button", name="跟进").click()
    alert.get_by_label("措施").fill("安排复训")
    alert.get_by_role("button", name="保存").click()
    expect(alert).to_contain_text("安排复训")
    alert.get_by_role("button", name="跟进").click()
    alert.get_by_label("效果").fill("本周没有差评")
    alert.get_by_role("button", name="关闭").click()
    page.get_by_role("button", name="全部").click()
    expect(page.get_by_text("本周没有差评")).to_be_visible()

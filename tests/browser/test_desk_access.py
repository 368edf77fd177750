"""Every page of the desk is for everybody: axe finds nothing, in either language."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from services.gateway.pages import BUILT
from tests.browser.conftest import Demo, Open
from tests.browser.desk import Others, at_desk

AXE = BUILT.parent / "node_modules" / "axe-core" / "axe.min.js"

PAGES = [
    ("dispatcher", "/board", ".vis-label"),
    ("dispatcher", "/board/{order}", "[role=option][id^=candidate]"),
    ("agent", "/queue", "tbody tr"),
    ("agent", "/caller?phone=13800000001", "article"),
    ("agent", "/requests/{closed}", "ol.story li"),
    ("manager", "/reports", "a.card"),
    ("manager", "/reports/efficiency?by=region", ".chart svg"),
    ("manager", "/reports/efficiency/behind?figure=requests_received", "ul.behind li"),
    ("manager", "/figures", "dt"),
    ("manager", "/alerts", "p.card"),
    ("manager", "/rules", "article dl"),
    ("manager", "/rules/new", "fieldset"),
    ("manager", "/payouts", "article p"),
    ("manager", "/complaints", "h1"),
    ("auditor", "/audit/{closed}", "ol.story li"),
    ("operator", "/operations", "tbody .tag"),
]


def found(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    told: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {node['html'][:160]}" for one in told["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("role", ["dispatcher", "agent", "manager", "auditor", "operator"])
def test_axe_finds_nothing(opened: Open, demo: Demo, role: str, language: str) -> None:
    others = Others(demo.url)
    closed = others.get("agent", "/v1/requests?state=closed")["items"][-1]["request_id"]
    order = others.order_of(others.request(number=17), "assigned")["order_id"] if role == "dispatcher" else ""
    page = at_desk(opened, role, "/", language=language)
    wrong = {}
    for who, path, sign in PAGES:
        if who == role:
            page.goto(f"/desk{path.format(closed=closed, order=order)}")
            expect(page.locator(sign).first).to_be_visible()
            wrong[path] = found(page)
    assert {path: told for path, told in wrong.items() if told} == {}

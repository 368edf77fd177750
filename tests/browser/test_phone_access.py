"""Portal and field app are for everybody: axe finds nothing in either language; in the field, all is large enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from services.gateway.pages import BUILT
from tests.browser.conftest import DESK, PHONE, Demo, Open
from tests.browser.people import Desk, come_in

AXE = BUILT.parent / "node_modules" / "axe-core" / "axe.min.js"

SMALL = """() => {
  const shown = (one) => one.getClientRects().length && getComputedStyle(one).visibility !== 'hidden'
  const wrong = []
  for (const one of document.querySelectorAll('a, button, input:not(.visually-hidden), textarea, select')) {
    const box = (one.closest('.pill') ?? one).getBoundingClientRect()
    if (shown(one) && box.height < 55.5) wrong.push(`${Math.round(box.height)} px high: ${one.outerHTML.slice(0, 90)}`)
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim() || !shown(one) || one.closest('noscript, script, style')) continue
    const size = parseFloat(getComputedStyle(one).fontSize)
    if (size < 18) wrong.push(`${size} px: ${walker.currentNode.data.trim().slice(0, 40)}`)
  }
  return wrong
}"""


@pytest.fixture(scope="module")
def desk(demo: Demo) -> Iterator[Desk]:
    desk = Desk(demo)
    yield desk
    desk.close()


def looked_at(page: Page, wrong: dict[str, list[str]], *, field: bool = False) -> None:
    """Adds what is wrong with the page as it is now."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    told: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    found = [f"{one['id']}: {node['html'][:160]}" for one in told["violations"] for node in one["nodes"]]
    found += page.evaluate(SMALL) if field else []
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        found.append("wider than the screen")
    if found:
        wrong[f"{page.url} {len(wrong)}"] = found


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_axe_finds_nothing_in_the_portal(opened: Open, desk: Desk, language: str, size: Any) -> None:
    wrong: dict[str, list[str]] = {}
    page = opened("/portal", language=language, size=size)
    page.set_default_timeout(10_000)
    looked_at(page, wrong)
    page.goto("/portal/new")
    page.locator("button.choice").first.click()
    looked_at(page, wrong)
    for name, words in (
        ("description", "不制冷"),
        ("name", "林小雨"),
        ("phone", "13900001234"),
        ("address", "北京市朝阳区建国路88号"),
    ):
        page.locator(f"[name={name}]").fill(words)
    page.locator("form button.first").click()
    expect(page.get_by_test_id("engineer")).to_be_visible()
    looked_at(page, wrong)
    request_id = page.url.partition("/portal/r/")[2].partition("?")[0]
    visit = desk.visit_of(request_id)["visit_id"]
    for step in ("depart", "arrive", "start"):
        desk.step(visit, step)
    desk.step(visit, "finish", cause="wear", action="replaced", record="更换电容", labour_s=60)
    expect(page.locator("canvas")).to_be_visible()
    looked_at(page, wrong)
    page.goto("/portal")
    expect(page.locator("a.choice")).to_be_visible()
    looked_at(page, wrong)
    assert wrong == {}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_in_the_field_axe_finds_nothing_and_all_is_large(opened: Open, demo: Demo, desk: Desk, language: str) -> None:
    wrong: dict[str, list[str]] = {}
    visit = desk.new_visit()
    page = opened("/field", language=language, size=PHONE)
    page.set_default_timeout(10_000)
    expect(page.locator("[name=password]")).to_be_visible()
    looked_at(page, wrong, field=True)
    come_in(page, demo, visit["engineer_id"])
    page.goto("/field")
    card = page.locator(f"[data-visit='{visit['visit_id']}']")
    expect(card).to_contain_text("演示路")
    looked_at(page, wrong, field=True)
    card.click()
    for _ in range(3):
        page.get_by_test_id("next").click()
    expect(page.locator("[data-part]").first).to_be_visible()
    looked_at(page, wrong, field=True)
    page.locator("[name=cause]").first.check()
    page.locator("[name=action]").first.check()
    page.locator("[name=record]").fill("ok")
    page.get_by_test_id("finish").click()
    expect(page.locator("canvas")).to_be_visible()
    looked_at(page, wrong, field=True)
    page.get_by_test_id("outbox").click()
    expect(page.get_by_test_id("waits").first).to_be_visible()
    looked_at(page, wrong, field=True)
    assert wrong == {}

"""
Pictures of the main pages, in both languages, for docs/reference/screens.md.

    python -m tests.browser.shots

They are of a demo with twelve requests behind it and eight on their way, and lie in docs/reference/screens/.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.browser.conftest import DESK, PHONE, SWITCHES, Demo, running_demo
from tests.browser.desk import BUTTONS, Others
from tests.browser.people import Desk, come_in

PICTURES: Final = Path(__file__).parents[2] / "docs" / "reference" / "screens"
MOST_BYTES: Final = 60_000
LANGUAGES: Final = ("zh", "en")
UNDER_WAY: Final = 8

OF_THE_DESK: Final = (
    ("board", "dispatcher", "/desk/board/{order}", ".vis-item.bar"),
    ("request", "agent", "/desk/requests/{closed}", "ol.story li"),
    ("report", "manager", "/desk/reports/efficiency?by=region", ".chart svg"),
    ("operations", "operator", "/desk/operations", "tbody .tag"),
)
"""Name, role, path, and what must be there before it is taken."""


def main() -> None:
    program = shutil.which("chromium")
    if not program:
        sys.exit("no Chromium here (Debian: chromium)")
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_demo(Path(folder), requests=12) as demo,
        sync_playwright() as playwright,
    ):
        others, desk = Others(demo.url), Desk(demo)
        made = [others.request(number=number) for number in range(UNDER_WAY)]
        order = others.order_of(made[-1], "assigned")["order_id"]
        closed = others.get("agent", "/v1/requests?state=closed")["items"][-1]["request_id"]
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        for language in LANGUAGES:
            for name, role, path, sign in OF_THE_DESK:
                page = _opened(browser, demo, language, DESK)
                page.get_by_role("button", name=BUTTONS[role] if language == "zh" else role.capitalize()).first.click()
                page.wait_for_url("**/desk**")
                page.goto(path.format(order=order, closed=closed))
                expect(page.locator(sign).first).to_be_visible(timeout=20_000)
                _take(page, f"{name}.{language}")
            start = _opened(browser, demo, language, DESK)
            expect(start.locator(".role").first).to_be_visible()
            _take(start, f"start.{language}")
            _phones(browser, demo, desk, language)
        browser.close()
        desk.close()


def _phones(browser: Browser, demo: Demo, desk: Desk, language: str) -> None:
    """The customer's page of a request whose engineer is on her way, and the page of that visit in the field app."""
    customer = _opened(browser, demo, language, PHONE, "/portal/new")
    customer.get_by_role("button", name="空调维修" if language == "zh" else "Air").first.click()
    labels = {
        "zh": ("哪里不对", "称呼", "联系电话", "上门地址", "提交"),
        "en": ("What is wrong?", "Your name", "Phone number", "Where shall we come?", "Send"),
    }[language]
    told = ("不制冷" if language == "zh" else "It does not cool", "林小雨", "13900001234", "北京市朝阳区建国路88号")
    for label, words in zip(labels[:-1], told, strict=True):
        customer.get_by_label(label).first.fill(words)
    customer.get_by_role("button", name=labels[-1]).click()
    customer.wait_for_url("**/portal/r/**")
    visit = desk.visit_of(customer.url.partition("/portal/r/")[2].partition("?")[0])
    desk.step(visit["visit_id"], "depart")
    expect(customer.locator(".now.departed")).to_be_visible(timeout=20_000)
    _take(customer, f"portal.{language}")
    engineer = _opened(browser, demo, language, PHONE)
    come_in(engineer, demo, visit["engineer_id"])
    engineer.goto(f"/field/v/{visit['visit_id']}")
    expect(engineer.locator("button.big").first).to_be_visible(timeout=20_000)
    _take(engineer, f"field.{language}")


def _opened(browser: Browser, demo: Demo, language: str, size: ViewportSize, path: str = "/") -> Page:
    locale = "zh-CN" if language == "zh" else "en-GB"
    context = browser.new_context(base_url=demo.url, viewport=size, locale=locale, timezone_id="Asia/Shanghai")
    page = context.new_page()
    page.goto(path)
    return page


def _take(page: Page, name: str) -> None:
    """As WebP, at the best quality that is small enough."""
    page.wait_for_timeout(500)  # what slides in has come to rest
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in range(85, 20, -5):
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=quality, method=6)
        if out.tell() < MOST_BYTES:
            break
    (PICTURES / f"{name}.webp").write_bytes(out.getvalue())
    print(f"{name}.webp {out.tell() / 1_000:.0f} kB")
    page.context.close()


if __name__ == "__main__":
    main()

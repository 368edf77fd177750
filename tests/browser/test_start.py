"""The first screen of the demo: who wants to look, and one click brings them there."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, PHONE, Open


@pytest.mark.parametrize(("role", "page_"), [("调度员", "/desk"), ("工程师", "/field"), ("客户", "/portal")])
def test_one_click_brings_each_role_to_its_page(opened: Open, role: str, page_: str) -> None:
    page = opened("/")
    page.get_by_role("button", name=role).click()
    page.wait_for_url(f"**{page_}*")


def test_a_wrong_password_is_said_in_the_readers_language(opened: Open) -> None:
    page = opened("/", language="en")
    page.get_by_label("User").fill("agent@demo")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("password")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_wider_than_the_screen(opened: Open, size: dict[str, int]) -> None:
    page = opened("/", size=size)
    expect(page.get_by_role("button", name="调度员")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

"""The first screen of the demo: who wants to look, and one click brings them there."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from services.demo.starting_over import MARK, StartOver
from services.settings import Settings
from tests.browser.conftest import DESK, PHONE, Open, running_demo


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


def test_the_demo_begins_anew_at_the_press_of_a_button(chromium: Browser, tmp_path: Path) -> None:
    with running_demo(tmp_path, requests=2) as demo:
        page = chromium.new_page(base_url=demo.url, locale="en-GB")
        page.goto("/")
        kept = tmp_path / "intake" / "kept"
        kept.touch()
        page.get_by_role("button", name="Start the demo over").click()
        page.get_by_role("button", name="Empty it and begin again").click()
        expect(page.get_by_text("The demo has begun anew.")).to_be_visible(timeout=60_000)
        assert (tmp_path / "intake").is_dir()
        assert not kept.exists()
        page.close()


def test_a_folder_that_was_not_empty_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    button = StartOver(Settings(data=tmp_path))
    assert not (tmp_path / MARK).exists()
    button.empty()
    assert (tmp_path / "mine").exists()

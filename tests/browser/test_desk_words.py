"""What the desk says: every text in both languages, and every figure has a name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from contracts.event import REGISTRY
from reporting.projections.request_story import REQUEST_STORY
from reporting.reports import REPORTS
from services.gateway.pages import BUILT

DESK = BUILT.parent / "src" / "desk"
SHARED = BUILT.parent / "src" / "shared"
PAGES = sorted(DESK.rglob("*.vue"))


def flat(words: dict[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in words.items():
        found |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return found


def said(language: str) -> dict[str, str]:
    return flat(json.loads((DESK / f"{language}.json").read_text(encoding="utf-8")))


def test_both_languages_say_the_same_things_with_the_same_figures() -> None:
    zh, en = said("zh"), said("en")
    assert zh.keys() == en.keys()
    holes = {key: (re.findall(r"\{\w+\}", zh[key]), re.findall(r"\{\w+\}", en[key])) for key in zh}
    assert {key: both for key, both in holes.items() if sorted(both[0]) != sorted(both[1])} == {}
    assert [key for key in en if re.search(r"[\u4e00-\u9fff]", en[key])] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_nothing_of_its_own(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = said("zh") | flat(json.loads((SHARED / "zh.json").read_text(encoding="utf-8")))
    asked = set(re.findall(r"\bt\('([\w.-]+)'", text))
    assert asked - known.keys() == set()
    template = text[text.index("<template>") :].split("<style")[0]
    shown = re.sub(r'\{\{.*?\}\}|<(?:"[^"]*"|[^>"])*>', " ", template, flags=re.DOTALL)
    assert re.findall(r"[A-Za-z\u4e00-\u9fff]{2,}", shown) == []


def test_every_event_that_a_story_may_hold_has_a_name() -> None:
    known = said("zh").keys()
    told = {name for name, event in REGISTRY.items() if event.KEY == "request_id" or "request_id" in event.OF}
    assert {f"event.{name}" for name in told} - known == set()


def test_every_report_figure_and_shown_field_has_a_name() -> None:
    known = said("zh").keys()
    figures = {f"figure.{figure.name}" for report in REPORTS.values() for figure in report.figures}
    reports = {f"report.name.{name}" for name in REPORTS}
    groups = {f"by.{by}" for report in REPORTS.values() for by in report.by}
    shown = {f"shown.{column.name}" for column in REQUEST_STORY.table.columns}
    assert (figures | reports | groups | shown) - known == set()

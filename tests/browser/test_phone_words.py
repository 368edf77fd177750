"""What the portal and the field app say: every text in both languages, and nothing in a template."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.gateway.pages import BUILT

SOURCES = BUILT.parent / "src"
ENTRIES = ("portal", "field")
SHARED = {
    "portal": ("AskedForm", "SignaturePad", "StarRating", "ProblemNote", "LiveDot", "LanguageSwitch"),
    "field": ("SignaturePad", "StarRating", "ProblemNote", "LiveDot", "LanguageSwitch"),
}
PAGES = [
    (entry, page)
    for entry in ENTRIES
    for page in (*sorted((SOURCES / entry).glob("*.vue")), *(SOURCES / "shared" / f"{n}.vue" for n in SHARED[entry]))
]


def flat(words: dict[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in words.items():
        found |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return found


def said(folder: str, language: str) -> dict[str, str]:
    return flat(json.loads((SOURCES / folder / f"{language}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("entry", ENTRIES)
def test_both_languages_say_the_same_things_with_the_same_figures(entry: str) -> None:
    zh, en = said(entry, "zh"), said(entry, "en")
    assert zh.keys() == en.keys()
    holes = {key: [sorted(re.findall(r"\{\w+\}", one[key])) for one in (zh, en)] for key in zh}
    assert {key: both for key, both in holes.items() if both[0] != both[1]} == {}
    assert [key for key in en if re.search(r"[\u4e00-\u9fff]", en[key]) and key != "new.addressExample"] == []


@pytest.mark.parametrize(("entry", "page"), PAGES, ids=lambda one: one.stem if isinstance(one, Path) else one)
def test_a_page_says_nothing_of_its_own(entry: str, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = said(entry, "zh") | said("shared", "zh")
    assert set(re.findall(r"\bt\('([\w.-]+)'", text)) - known.keys() == set()
    for group in re.findall(r"\bt\(`([\w.]+)\.\$", text):
        assert any(key.startswith(f"{group}.") for key in known), group
    template = text[text.index("<template>") :].split("<style")[0]
    shown = re.sub(r'\{\{.*?\}\}|<(?:"[^"]*"|[^>"])*>', " ", template, flags=re.DOTALL)
    assert re.findall(r"[A-Za-z\u4e00-\u9fff]{2,}", shown) == []

"""The words of the screens: the same keys in both languages, each used key there, and none in a template itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "services" / "gateway" / "web" / "src"
FOLDERS = sorted(path.parent for path in SOURCES.rglob("zh.json"))
COMPONENTS = sorted(SOURCES.rglob("*.vue"))

READ_ALOUD = re.compile(r'(?<![:\w-])(?:alt|title|label|placeholder|aria-label|content)="([^"]*)"')
"""Attributes that users read or hear, where they are not bound to an expression."""

CHINESE = re.compile(r"[\u3400-\u9fff]")


def read(folder: Path, language: str) -> dict[str, str]:
    def flat(words: object, before: str = "") -> Iterator[tuple[str, str]]:
        if isinstance(words, dict):
            for name, below in words.items():
                yield from flat(below, f"{before}{name}.")
        else:
            yield before.removesuffix("."), str(words)

    return dict(flat(json.loads((folder / f"{language}.json").read_text("utf-8"))))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_what_is_said_in_one_language_is_said_in_the_other(folder: Path):
    zh, en = read(folder, "zh"), read(folder, "en")
    assert set(zh) ^ set(en) == set()
    assert [key for key, words in zh.items() if not words.strip() or not en[key].strip()] == []
    other_facts = [key for key in zh if facts(zh[key]) != facts(en[key])]
    assert other_facts == [], "both name the same facts"


def facts(words: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", words))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_english_words_have_no_chinese_in_them(folder: Path):
    """But for the name of the other language, and for examples of what is written in Chinese."""
    found = [key for key, words in read(folder, "en").items() if CHINESE.search(words)]
    assert [key for key in found if key != "language.other" and not key.endswith("Example")] == []


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.stem)
def test_a_template_has_no_words_of_its_own(component: Path):
    assert raw(component.read_text("utf-8")) == []


def raw(source: str) -> list[str]:
    """Letters that a template shows or has read aloud, and that no language file gave."""
    found = re.search(r"^<template>(.*)^</template>", source, re.MULTILINE | re.DOTALL)
    if not found:
        return []
    template = re.sub(r"<!--.*?-->", "", found[1], flags=re.DOTALL)
    read_aloud = READ_ALOUD.findall(template)
    shown = re.sub(r"\{\{.*?\}\}", " ", template, flags=re.DOTALL)
    # An attribute may have `>` in it, so the quoted parts of a tag go with it.
    shown = re.sub(r"<[^<>\"]*(?:\"[^\"]*\"[^<>\"]*)*>", "\n", shown)
    words = [one.strip() for one in [*shown.split("\n"), *read_aloud]]
    return [unescape(one) for one in words if re.search(r"[A-Za-z\u3400-\u9fff]{2,}", unescape(one))]


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ('<b v-if="a > b">{{ t("x") }} 提交</b>', ["提交"]),
        ('<i title="Sign in" :label="t(\'x\')" />', ["Sign in"]),
        ('<p :class="one">{{ t("a.b") }}: {{ n }} &nbsp;</p>', []),
    ],
)
def test_words_in_a_template_are_found(template: str, found: list[str]):
    assert raw(f"<template>\n{template}\n</template>\n") == found


@pytest.mark.parametrize("entry", [folder for folder in FOLDERS if folder.name != "shared"], ids=lambda path: path.name)
def test_each_key_that_is_used_is_there(entry: Path):
    known = {**read(entry, "zh"), **read(SOURCES / "shared", "zh")}
    missing = []
    own = [*entry.rglob("*.vue"), *entry.rglob("*.ts")]
    imported = {name for file in own for name in re.findall(r"shared/(\w+\.vue)", file.read_text("utf-8"))}
    for file in [*own, *[SOURCES / "shared" / name for name in imported]]:
        for key in re.findall(r"\bt\(\s*'([\w.-]+)'", file.read_text("utf-8")):
            missing += [f"{file.name}: {key}"] if key not in known else []
    assert missing == []

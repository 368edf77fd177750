"""What pages say exists: links lead somewhere, doors and settings are there, and nothing names this machine."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from services.settings import Settings

ROOT = Path(__file__).parents[2]
OURS = (
    "contracts",
    "services",
    "intake",
    "dispatcher",
    "fieldwork",
    "quality",
    "inventory",
    "reporting",
    "deploy",
    "docs",
)
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *[page for folder in OURS for page in (ROOT / folder).rglob("*.md")]]
    if "node_modules" not in page.parts
)

OTHER_VARIABLES = {"FIELDLOOP_CACHE", "FIELDLOOP_KAFKA_BOOTSTRAP", "FIELDLOOP_TEST_SEED", "FIELDLOOP_NAME"}
"""Of the local Kafka, of the tests, and one that stands for any; whatever else a page names is a setting."""

DOORS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

LOCAL = re.compile(
    r"(?<![\w.])/(?:work|home|root|tmp|Users)/|[\w.-]*(?:pypi|pythonhosted|npmjs|maven|docker)\.(?:org|io|com)"
)
"""Folders of a machine, and hosts of registries: whoever reads the page has others."""


def lines(page: Path) -> list[tuple[int, str]]:
    return list(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))


def prose(page: Path) -> str:
    """The page without its code, in which brackets are no links."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page: Path) -> list[str]:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    return broken


def unknown_doors(text: str) -> set[str]:
    """Doors named as `make X` in code, or at the begin of an indented line."""
    code = re.findall(r"`([^`\n]*)`|^ {4}(\S.*)$", text, re.MULTILINE)
    said = {word for one in code for word in re.findall(r"(?:^|[\s=])make ((?:[a-z][a-z-]* ?)+)", one[0] or one[1])}
    return {door for words in said for door in words.split()} - DOORS


def unknown_variables(text: str) -> set[str]:
    known = {f"FIELDLOOP_{name.upper()}" for name in Settings.__annotations__} | OTHER_VARIABLES
    return set(re.findall(r"FIELDLOOP_[A-Z_]+", text)) - known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestAPage:
    def test_its_links_lead_somewhere(self, page):
        assert broken_links(page) == []

    def test_its_doors_are_in_the_makefile(self, page):
        assert unknown_doors(page.read_text(encoding="utf-8")) == set()

    def test_its_variables_are_settings(self, page):
        unknown = unknown_variables(page.read_text(encoding="utf-8"))
        assert not unknown, f"{unknown}: no field of Settings; or name it in OTHER_VARIABLES"

    def test_it_names_nothing_of_one_machine(self, page):
        assert [f"{number}: {line}" for number, line in lines(page) if LOCAL.search(line)] == []


def test_both_readmes_show_the_same_picture_and_lead_to_the_same_pages():
    english, chinese = (
        set(re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8"))) for name in READMES
    )
    english = {page.replace(".en.webp", ".zh.webp") for page in english}
    assert english - set(READMES) == chinese - set(READMES)


READMES = ("README.md", "README.zh-CN.md")


def test_a_wrong_page_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n[a](gone.md) [b](#one) [c](#two) [d](https://example.org)\n"
        "`make nothing`, make sure\n\n    make demo  # fine\n\nFIELDLOOP_NONSENSE lies in /home/me\n"
    )
    assert broken_links(page) == ["gone.md", "#two"]
    assert unknown_doors(page.read_text()) == {"nothing"}
    assert unknown_variables(page.read_text()) == {"FIELDLOOP_NONSENSE"}
    assert [number for number, line in lines(page) if LOCAL.search(line)] == [7]

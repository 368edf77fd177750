"""Whatever is installed with us may be used, changed and sold by anybody: no GPL, AGPL, LGPL, SSPL, nothing unknown."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NPM = ROOT / "services/gateway/web/package-lock.json"

FREE = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    # Of files, not of what uses them; they are used as they are.
    "MPL-2.0",
    # Of the font in the reports, which may be embedded and sold with programs.
    "OFL-1.1",
    "PSF-2.0",
    "Zlib",
}
"""By SPDX."""

AS_SPDX = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
}
"""What the classifiers of packages say that name no SPDX expression."""

REVIEWED = {
    "httpx-aiohttp": "BSD-3-Clause",
}
"""Packages that say it in prose alone, as somebody has read it."""


def is_free(expression):
    """Whether one of the alternatives of every part of an SPDX expression is; brackets within it are not understood."""
    whole = re.fullmatch(r"\(([^()]*)\)", expression)
    expression = whole[1] if whole else expression
    parts = [part.split(" OR ") for part in expression.split(" AND ")]
    return all(any(one.strip() in FREE for one in part) for part in parts)


def licence_of(package):
    """Its SPDX expression as it says it, or what a person has read; empty where nobody knows."""
    said = metadata.metadata(package)
    if expression := said.get("License-Expression"):
        return expression
    classified = [
        line.rpartition(" :: ")[2] for line in said.get_all("Classifier", []) if line.startswith("License ::")
    ]
    if classified:
        return " AND ".join(AS_SPDX.get(one, one) for one in classified)
    plain = said.get("License") or ""
    return plain if plain in FREE or is_free(plain) else REVIEWED.get(package, "")


def locked(requirements):
    """The packages of a lock file that are installed here: some are of other systems alone."""
    names = set(re.findall(r"^([A-Za-z0-9._-]+)==", requirements.read_text(), re.MULTILINE))
    installed = {re.sub(r"[-_.]+", "-", one.name).lower() for one in metadata.distributions()}
    return sorted(names & installed)


def of_npm(lock):
    """Of each package that is sent to browsers, by its place: its licence."""
    packages = json.loads(lock.read_text())["packages"]
    return {place: one.get("license", "") for place, one in packages.items() if place and not one.get("dev")}


def test_what_is_installed_may_be_used_by_everybody():
    packages = locked(ROOT / "requirements.txt")
    assert len(packages) > 50, "the lock is read"
    assert {one: told for one in packages if not is_free(told := licence_of(one))} == {}


def test_nobody_is_reviewed_who_is_not_there():
    assert set(REVIEWED) <= set(locked(ROOT / "requirements.txt"))


@pytest.mark.skipif(not NPM.exists(), reason="there is no npm package")
def test_what_browsers_are_sent_may_be_used_by_everybody():
    assert {place: told for place, told in of_npm(NPM).items() if not is_free(told)} == {}


def test_a_package_of_npm_without_a_free_licence_is_found(tmp_path):
    lock = tmp_path / "package-lock.json"
    packages = {
        "": {"name": "web"},
        "node_modules/a": {"license": "MIT"},
        "node_modules/b": {"license": "GPL-3.0-only"},
        "node_modules/c": {},
        "node_modules/d": {"license": "AGPL-3.0", "dev": True},
    }
    lock.write_text(json.dumps({"packages": packages}))
    assert {place for place, told in of_npm(lock).items() if not is_free(told)} == {"node_modules/b", "node_modules/c"}


@pytest.mark.parametrize(
    "expression",
    ["GPL-3.0-only", "LGPL-2.1-or-later", "AGPL-3.0", "SSPL-1.0", "MIT AND GPL-2.0-only", "", "UNKNOWN", "Proprietary"],
)
def test_what_is_not_free_is_refused(expression):
    assert not is_free(expression)


def test_one_free_alternative_is_enough():
    assert is_free("GPL-2.0-only OR MIT")
    assert is_free("MIT AND BSD-3-Clause")

"""
Bugs that are planted in a copy of the source, to see that the simulation finds them.

Each `*.patch` beside this file says what it is and the seed that finds it, and then how the source is changed. A patch
that does not apply any more fails: the bug must be planted anew where its place is now.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.simulation.__main__ import REPO, days, founded

SOURCE = ("contracts", "services", "intake", "dispatcher", "fieldwork", "inventory", "quality", "reporting")
PAGE = REPO / "docs" / "reference" / "simulation.md"
BEGIN, END = "<!-- planted: begin -->", "<!-- planted: end -->"


class Bug(NamedTuple):
    name: str
    what: str
    seed: int
    """The day that finds it; 0 where none is known."""
    patch: Path


class DoesNotApply(Exception):
    """The source has changed where the bug is to be planted; the text says what git says."""


def planted() -> list[Bug]:
    bugs = []
    for patch in sorted(Path(__file__).parent.glob("*.patch")):
        head = patch.read_text().partition("diff --git")[0]
        found = re.fullmatch(r"(.+?)\nSeed: (\d+)\s*", head, re.DOTALL)
        if found is None:
            raise ValueError(f"{patch.name} does not begin with what it is and `Seed: N`")
        bugs.append(Bug(patch.stem, found[1], int(found[2]), patch))
    return bugs


@contextmanager
def copy_with(bug: Bug) -> Iterator[Path]:
    """The source with this bug in it. Raises DoesNotApply."""
    with tempfile.TemporaryDirectory(prefix=f"sim-{bug.name}-") as folder:
        copy = Path(folder)
        for name in SOURCE:
            shutil.copytree(REPO / name, copy / name, ignore=shutil.ignore_patterns("node_modules", "golden"))
        for name in ("simulation", "faults"):
            shutil.copytree(REPO / "tests" / name, copy / "tests" / name)
        applied = subprocess.run(["git", "apply", str(bug.patch)], cwd=copy, capture_output=True, text=True)
        if applied.returncode:
            raise DoesNotApply(f"{bug.name}: {applied.stderr}")
        yield copy


def first_found(bug: Bug, seeds: list[int], jobs: int) -> dict[str, Any] | None:
    """The result of the first of these days that finds it."""
    found: list[dict[str, Any]] = []
    with copy_with(bug) as copy:
        for result in days(seeds, jobs, repo=copy, until=lambda one: bool(one["violations"])):
            if result["violations"]:
                found.append(result)
    return min(found, key=lambda one: one["seed"], default=None)


def table(most: int, jobs: int, only: set[str], writes: bool) -> int:
    """Look for each bug in the day that is recorded, then from seed 1 on; record the day and tell of it."""
    rows, missed = [], []
    with founded():
        for bug in planted():
            if only and bug.name not in only:
                continue
            tried = dict.fromkeys([*filter(None, [bug.seed]), *range(1, most + 1)])
            found = first_found(bug, list(tried), jobs)
            if found is None:
                missed.append(bug.name)
                print(f"{bug.name}: not found in {most} days", flush=True)
                continue
            rules = sorted({rule for rule, _ in found["violations"]})
            print(f"{bug.name}: day {found['seed']} {rules} {found['violations'][0][1][:200]}", flush=True)
            text = bug.patch.read_text()
            bug.patch.write_text(re.sub(r"\nSeed: \d+", f"\nSeed: {found['seed']}", text, count=1))
            rows.append(f"| `{bug.name}` | {bug.what} | {found['seed']} | {', '.join(rules)} |")
    seeds = sorted(int(row.split("|")[3]) for row in rows)
    told = f"{len(rows)} of {len(rows) + len(missed)} are found, the median by day {median(seeds) if seeds else '-'}."
    print(told)
    if writes and not only:
        lines = ["| bug | what it is | the day that finds it | breaks |", "|---|---|---|---|", *rows, "", told]
        lines += [f"Not found in {most} days: {', '.join(missed)}."] if missed else []
        page = PAGE.read_text()
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)
    return 1 if missed else 0

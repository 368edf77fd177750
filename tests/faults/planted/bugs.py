"""
Bugs that are planted in a copy of the source, to see that the simulation finds them.

Each `*.patch` beside this file says what it is, the seed that finds it and the rules that it breaks then, and how the
source is changed. Where no day can show a bug it names the test that does (`Held by`), and why no day can. A patch that
does not apply any more fails: the bug must be planted anew where its place is now.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
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
    breaks: str
    """The rules that are broken then."""
    patch: Path
    held_by: str = ""
    """The test that finds it where no day does, as pytest names it."""
    why: str = ""
    """Why no day does."""


class DoesNotApply(Exception):
    """The source has changed where the bug is to be planted; the text says what git says."""


def planted() -> list[Bug]:
    bugs = []
    for patch in sorted(Path(__file__).parent.glob("*.patch")):
        head = patch.read_text().partition("diff --git")[0]
        found = re.fullmatch(
            r"(.+?)\nSeed: (\d+)\n(?:Breaks: ([^\n]+)\n)?(?:Held by: (\S+)\n(.+?)\n)?\s*", head, re.DOTALL
        )
        if found is None:
            raise ValueError(f"{patch.name} does not begin with what it is and `Seed: N`")
        held_by, why = found[4] or "", " ".join((found[5] or "").split())
        bugs.append(Bug(patch.stem, found[1], int(found[2]), found[3] or "", patch, held_by, why))
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
        shutil.copy(REPO / "tests" / "standing.py", copy / "tests")
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


def is_found_by_its_test(bug: Bug) -> bool:
    """Whether the test that holds it fails where it is planted."""
    with copy_with(bug) as copy:
        for name in ("tests", "deploy"):
            shutil.copytree(REPO / name, copy / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        shutil.copy(REPO / "pyproject.toml", copy)
        run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", bug.held_by]
        done = subprocess.run(run, cwd=copy, capture_output=True, text=True)
    return done.returncode == 1 and f"FAILED {bug.held_by}" in done.stdout


def look(most: int, jobs: int, only: set[str], writes: bool) -> int:
    """
    Look for each bug in the day that is recorded, then from seed 1 on, and record in its patch what was found.

    `writes` makes the table of the page anew, from all that is recorded.
    """
    missed = []

    def seek(bug: Bug) -> tuple[Bug, dict[str, Any] | None]:
        tried = dict.fromkeys([*filter(None, [bug.seed]), *range(1, most + 1)])
        return bug, first_found(bug, list(tried), 1)

    sought = [bug for bug in planted() if not only or bug.name in only]
    with founded(), ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(seek, bug) for bug in sought]):
            bug, found = done.result()
            if found is None:
                missed.append(bug.name)
                print(f"{bug.name}: not found in {most} days", flush=True)
            else:
                print(f"{bug.name}: day {found['seed']} {found['violations'][0]}", flush=True)
            _record(bug, found)
    if writes:
        page = PAGE.read_text()
        PAGE.write_text(page.partition(BEGIN)[0] + BEGIN + "\n" + table() + END + page.partition(END)[2])
    return 1 if missed else 0


def _record(bug: Bug, found: dict[str, Any] | None) -> None:
    rules = ", ".join(sorted({rule for rule, _ in found["violations"]})) if found else ""
    head = f"{bug.what}\nSeed: {found['seed'] if found else 0}\n" + (f"Breaks: {rules}\n" if rules else "")
    if bug.held_by and not found:
        head += f"Held by: {bug.held_by}\n{bug.why}\n"
    bug.patch.write_text(head + "\ndiff --git" + bug.patch.read_text().partition("diff --git")[2])


def table() -> str:
    """The table of what is recorded, and what was found in all."""
    bugs = planted()
    lines = ["| bug | what it is | the day that finds it | breaks |", "|---|---|---|---|"]
    lines += [f"| `{bug.name}` | {bug.what} | {bug.seed} | {bug.breaks} |" for bug in bugs if bug.seed]
    seeds = [bug.seed for bug in bugs if bug.seed]
    lines += ["", f"{len(seeds)} of {len(bugs)} are found, the median by day {median(seeds):g}."]
    lines.append("Not always the first such day: for rare bugs the days were tried first whose faults suit them.")
    if missed := [f"`{bug.name}`" for bug in bugs if not bug.seed and not bug.held_by]:
        lines.append(f"No day is known yet for {', '.join(missed)}.")
    for bug in bugs:
        if bug.held_by and not bug.seed:
            lines += ["", f"`{bug.name}`: {bug.what} No day shows it: {bug.why} It is found by `{bug.held_by}`."]
    return "\n".join(lines) + "\n"

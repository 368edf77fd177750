"""
Mutation testing: a small change is made in a copy of the source, and a test must fail.

    make mutants ARGS="--each 5 --seed 7"                 five changes of each part
    make mutants ARGS="--only writer --each 40"
    make mutants ARGS="--minutes 20"                      as far as it comes

Which changes are tried is drawn by a seed, which is printed. Of each, the tests run that come by its lines, the
quickest first, until one fails. A change that leaves all of them green is shown as a diff. One that changes nothing
that anybody could see is named in `equivalent.yaml` with the reason, and is counted apart.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import yaml

from tests.mutation.changes import REPO, Mutant, mutant_at, places_in
from tests.mutation.runs import Recorded, Runs

LEAST_S: Final = 30.0
SLOWER: Final = 4
"""What takes so many times as long as it did goes round in a circle, and counts as found."""


class Part(NamedTuple):
    """Files, and the tests that are to find what is changed in them."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


_DISPATCHER: Final = (
    *("absence", "assignment", "booking_machine", "deadlines", "engineer", "matching", "order", "parts_in_vans"),
    *("policies", "pool", "ranking", "rounds", "rules_of_matching", "sla_pack"),
)
_READERS: Final = ("projector", "reactor", "timers", "holds", "later", "poison")

PARTS: Final = {
    "intake": Part(("intake/domain/*.py",), ("tests/intake",)),
    "dispatcher": Part(
        ("dispatcher/domain/*.py",),
        (*(f"tests/dispatcher/test_{name}.py" for name in _DISPATCHER), "tests/sla"),
    ),
    "fieldwork": Part(("fieldwork/domain/*.py",), ("tests/fieldwork",)),
    "inventory": Part(("inventory/domain/*.py",), ("tests/inventory",)),
    "quality": Part(("quality/domain/*.py",), ("tests/quality",)),
    "writer": Part(
        ("services/chassis/journal/writer.py", "services/chassis/journal/attempt.py"),
        tuple(f"tests/chassis/test_{name}.py" for name in ("writer", "sweep", "later", "reactor", "holds")),
    ),
    "readers": Part(
        (
            "services/chassis/readers/projector.py",
            "services/chassis/readers/reactor.py",
            "services/chassis/readers/rows.py",
            "services/chassis/readers/timers.py",
        ),
        tuple(f"tests/chassis/test_{name}.py" for name in _READERS),
    ),
    "authorisation": Part(
        ("services/chassis/auth.py", "services/chassis/http/scope.py"),
        ("tests/chassis/test_auth.py", "tests/chassis/test_http.py"),
    ),
}

EQUIVALENT: Final = Path(__file__).with_name("equivalent.yaml")
"""Changes that nobody could see, each with the reason."""


class Tried(NamedTuple):
    """What came of the changes of one part."""

    found: int
    equivalent: int
    tried: int
    there_are: int


def tries(part: Part, runs: Runs, folder: Path, random: Random, most: int, until: float) -> Tried:
    """Change one place after the other, and tell what survives."""
    files = sorted(path.relative_to(REPO) for pattern in part.files for path in REPO.glob(pattern))
    every = [place for path in files for place in places_in(path)]
    recorded = runs.record(part.tests, files)
    same = {(one["file"], one["change"].strip()) for one in yaml.safe_load(EQUIVALENT.read_text())}
    found = equivalent = tried = 0
    for place in random.sample(every, min(most, len(every))):
        if time.monotonic() > until:
            break
        mutant = mutant_at(*place)
        tried += 1
        if killed(folder, mutant, part.tests, recorded, runs):
            found += 1
        elif (str(mutant.path), mutant.change) in same:
            equivalent += 1
        else:
            print(f"{mutant.path}:{mutant.line} survives\n{mutant.diff}\n", flush=True)
    return Tried(found, equivalent, tried, len(every))


def killed(folder: Path, mutant: Mutant, tests: tuple[str, ...], recorded: Recorded, runs: Runs) -> bool:
    """Whether a test that comes by the change fails, in a copy of the source that has it."""
    at = recorded.tests_at.get(str(mutant.path), {})
    only = sorted({test for line in mutant.lines for test in at.get(line, ())}, key=recorded.seconds.__getitem__)
    if not only:
        return False
    place = folder / mutant.path
    right = place.read_text()
    while only:
        within_s = LEAST_S + SLOWER * sum(recorded.seconds[test] for test in only)
        place.write_text(mutant.source)
        try:
            if runs.green(tests, only, within_s):
                return False
        finally:
            place.write_text(right)
        failed = runs.failed
        if not failed or runs.green(tests, [failed], within_s):
            return True
        only.remove(failed)  # it fails without the change, too: a busy machine
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--each", type=int, default=10, help="changes of each part")
    parser.add_argument("--minutes", type=float, default=60.0, help="no change is begun after that")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=PARTS, action="append", default=[])
    said = parser.parse_args()
    print(f"--seed {said.seed}", flush=True)
    until = time.monotonic() + 60 * said.minutes
    rows: dict[str, Tried] = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        kept = shutil.ignore_patterns("node_modules", "__pycache__", ".venv", ".git")
        shutil.copytree(REPO, folder, ignore=kept, dirs_exist_ok=True)
        for part in said.only or PARTS:
            if time.monotonic() > until:
                break
            runs = Runs(folder)
            rows[part] = tries(PARTS[part], runs, folder, Random(f"{said.seed} {part}"), said.each, until)
            runs.close()
            print("{}: {} of {} found, {} equivalent besides; there are {}".format(part, *told(rows[part])), flush=True)
    print("\n| part | found | of | equivalent besides | there are |\n|---|---|---|---|---|")
    for part, row in rows.items():
        print("| {} | {} | {} | {} | {} |".format(part, *told(row)))
    found, tried = sum(row.found for row in rows.values()), sum(row.tried - row.equivalent for row in rows.values())
    print(f"\n{found} of {tried}: {100 * found / max(1, tried):.0f} %")
    return 0


def told(row: Tried) -> tuple[int, int, int, int]:
    return row.found, row.tried - row.equivalent, row.equivalent, row.there_are


if __name__ == "__main__":
    raise SystemExit(main())

"""The simulation can fail: bugs that are planted in a copy of the source are found by it."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.planted.bugs import (
    PAGE,
    DoesNotApply,
    copy_with,
    first_found,
    is_found_by_its_test,
    planted,
    table,
)
from tests.simulation.__main__ import REPO, founded

BUGS = planted()
FOUND = [bug for bug in BUGS if bug.seed]
"""The others are still to be found: `python -m tests.simulation planted` looks for them."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_still_has_its_place_in_the_source(bug):
    applies = subprocess.run(["git", "apply", "--check", str(bug.patch)], cwd=REPO, capture_output=True, text=True)
    assert applies.returncode == 0, applies.stderr


def test_each_planted_bug_is_found_by_the_day_that_found_it():
    """A few seconds each."""

    def look(bug):
        return bug.name, first_found(bug, [bug.seed], 1)

    with founded(), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(pool.map(look, FOUND))
    assert [name for name, result in found.items() if result is None] == []


@pytest.mark.parametrize("bug", [bug for bug in BUGS if not bug.seed], ids=lambda bug: bug.name)
def test_a_bug_that_no_day_shows_is_found_by_the_test_that_it_names(bug):
    assert bug.held_by, "no day finds it and no test is named"
    assert is_found_by_its_test(bug)


def test_the_page_tells_what_is_recorded():
    assert table() in PAGE.read_text(), "python -m tests.simulation planted --only none --write"


def test_a_patch_that_does_not_apply_any_more_is_told(tmp_path):
    bug = BUGS[0]
    changed = bug.patch.read_text().replace("\n-", "\n-not there ", 2)
    other = tmp_path / bug.patch.name
    other.write_text(changed)
    with pytest.raises(DoesNotApply, match=bug.name), copy_with(bug._replace(patch=other)):
        pass

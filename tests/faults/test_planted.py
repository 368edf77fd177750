"""The simulation can fail: bugs that are planted in a copy of the source are found by it."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.planted.bugs import DoesNotApply, copy_with, first_found, planted
from tests.simulation.__main__ import founded

BUGS = planted()


def test_each_planted_bug_is_found_by_the_day_that_found_it():
    """A few seconds each; a patch that does not apply any more fails here too."""

    def look(bug):
        return bug.name, first_found(bug, [bug.seed], 1)

    with founded(), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(pool.map(look, BUGS))
    assert len(found) >= 24
    assert [name for name, result in found.items() if result is None] == []


def test_a_patch_that_does_not_apply_any_more_is_told(tmp_path):
    bug = BUGS[0]
    changed = bug.patch.read_text().replace("\n-", "\n-not there ", 2)
    other = tmp_path / bug.patch.name
    other.write_text(changed)
    with pytest.raises(DoesNotApply, match=bug.name), copy_with(bug._replace(patch=other)):
        pass

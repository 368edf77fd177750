"""From a day that went wrong, the smallest one that goes wrong in the same way: fewer faults, then fewer stories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.simulation.world import Plan, Result, run


class Smaller(NamedTuple):
    stories: tuple[int, ...]
    faults: tuple[int, ...]
    """Both by their places in the plan of the seed."""
    result: Result
    runs: int


def shrink(plan: Plan, result: Result, most_runs: int = 120) -> Smaller:
    """Keeps at least one of the rules broken that the whole day broke."""
    rules = {one.rule for one in result.violations}
    best, runs = result, 0

    def fails(stories: Sequence[int], faults: Sequence[int]) -> bool:
        nonlocal best, runs
        if runs >= most_runs:
            return False
        runs += 1
        again = run(plan.only(stories, faults))
        if rules & {one.rule for one in again.violations}:
            best = again
            return True
        return False

    stories, faults = list(range(len(plan.stories))), list(range(len(plan.faults)))
    faults = minimal(faults, lambda some: fails(stories, some))
    stories = minimal(stories, lambda some: fails(some, faults))
    return Smaller(tuple(stories), tuple(faults), best, runs)


def minimal(items: list[int], fails: Callable[[list[int]], bool]) -> list[int]:
    """Delta debugging (Zeller): leave out ever smaller pieces as long as it still fails."""
    pieces = 2
    if items and fails([]):
        return []
    while len(items) >= 2:
        size = -(-len(items) // pieces)
        for begin in range(0, len(items), size):
            without = items[:begin] + items[begin + size :]
            if fails(without):
                items, pieces = without, max(pieces - 1, 2)
                break
        else:
            if pieces >= len(items):
                break
            pieces = min(2 * pieces, len(items))
    return items

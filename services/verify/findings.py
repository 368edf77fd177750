"""What a check found wrong, and where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_NAMED = 100
"""So many violations of one rule in one journal are named; the others are only counted."""


class Finding(NamedTuple):
    """One violation."""

    rule: str
    """`chain`, or the invariant's number: I1 …"""
    service: str
    position: int
    """Where in the service's journal; 0 where it is no single place."""
    what: str


@dataclass
class Findings:
    """The violations in one service's journal."""

    service: str
    named: list[Finding] = field(default_factory=list)
    first_position: int | None = None
    """Of those that have a place, the first one's."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many, by rule."""

    def add(self, rule: str, position: int, what: str) -> None:
        self.counts[rule] += 1
        if self.counts[rule] <= MOST_NAMED:
            self.named.append(Finding(rule, self.service, position, what))
        if position and (self.first_position is None or position < self.first_position):
            self.first_position = position

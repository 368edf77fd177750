"""
What figures are grouped by is said of a request, and counted of what belongs to it: its orders, or its visits.

The row `request/ID` of their view holds what is said, and the keys of those that are known, so that each has it in its
own row whichever is heard of first. It has no times, and counts nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.chassis.views import Rows, Value


class RequestRow(NamedTuple):
    """How a view keeps it."""

    facts: tuple[str, ...]
    """Columns of what is said of a request, texts."""
    members: str
    """The column with the keys of what belongs to it, one a line."""

    def say(self, rows: Rows, request_id: str, **facts: Value) -> None:
        """More is known of the request: whatever belongs to it has it too."""
        row = rows.get(f"request/{request_id}") or {}
        told = self._told(row) | facts
        rows.put(f"request/{request_id}", **told)
        for member in self._members(row):
            rows.put(member, **told)

    def add(self, rows: Rows, request_id: str, member: str) -> None:
        """This belongs to the request, and has what is known of it."""
        row = rows.get(f"request/{request_id}") or {}
        if member not in (members := self._members(row)):
            rows.put(f"request/{request_id}", **{self.members: "\n".join(sorted([*members, member]))})
            rows.put(member, **self._told(row))

    def _told(self, row: Mapping[str, Value]) -> dict[str, Value]:
        return {name: row.get(name, "") for name in self.facts}

    def _members(self, row: Mapping[str, Value]) -> list[str]:
        return str(row.get(self.members, "")).splitlines()

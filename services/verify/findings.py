"""What a check found wrong, and where."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One violation."""

    rule: str
    """`chain`, or the invariant's number: I1 …"""
    service: str
    position: int
    """Where in the service's journal; 0 where it is no single place."""
    what: str

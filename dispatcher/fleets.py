"""
All engineers as the view has them, made ready to be compared: kept from one order to the next, as they change seldom.

    fleet = FLEETS.of(facts, tenant, await facts.fetch(ALL_ENGINEERS, tenant=tenant))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from dispatcher.domain.roster import Roster
from dispatcher.projections.engineers import Engineers
from services.chassis.service import Facts

if TYPE_CHECKING:
    from dispatcher.domain.glance import Glance

Rows = Sequence[Mapping[str, Any]]


class Fleet(NamedTuple):
    roster: Roster
    glance: Glance | None


class Fleets:
    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Facts, dict[str, tuple[Rows, Fleet]]] = WeakKeyDictionary()

    def of(self, facts: Facts, tenant: str, rows: Rows) -> Fleet:
        """Of rows that are the very same as at the last time, as those are that the views keep, the fleet is too."""
        kept = self._of.setdefault(facts, {})
        known = kept.get(tenant)
        if known is None or known[0] is not rows:
            roster = Roster(Engineers(rows))
            known = kept[tenant] = rows, Fleet(roster, _glance_at(roster))
        return known[1]


def _glance_at(roster: Roster) -> Glance | None:
    """None where this installation has no numpy, as it does no planning: then everybody is looked at."""
    try:
        from dispatcher.domain.glance import Glance
    except ModuleNotFoundError:
        return None
    return Glance(roster)


FLEETS: Final = Fleets()

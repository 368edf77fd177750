"""
A disturbed day, repaired: only what is affected finds other hours, and as few promised hours change as can be.

For each order that lost its hours, the most urgent first: the same hours with somebody else; else the cheapest other
hours; else the hours of one other order of lesser urgency, which is found others in its turn. What is done, under
way or pinned is locked and stays. Pure, and the same for the same input.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, get_args

from contracts.dispatcher import DispatchRulesSet
from contracts.intake import Urgency
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import Proposal, best_hours, broken, day_of, hours_at, rank_in_turns
from dispatcher.domain.roster import Roster
from dispatcher.domain.suited import Rule, Work
from dispatcher.domain.travel import BEELINE, Ways

URGENCIES: Final = get_args(Urgency)

TRIED: Final = 200
"""Other orders that are tried to give their hours to one that found none."""


class Standing(NamedTuple):
    """An order that somebody has, and where."""

    work: Work
    engineer_id: str
    day: str
    starts_at: datetime
    locked: bool = False
    declined: frozenset[str] = frozenset()


class Move(NamedTuple):
    """An order gets these hours; `before` is where it was, None where it had none."""

    order_id: str
    engineer_id: str
    proposal: Proposal
    before: Standing | None

    @property
    def keeps_hours(self) -> bool:
        return self.before is not None and self.before.starts_at == self.proposal.starts_at


@dataclass
class Repaired:
    moves: dict[str, Move] = field(default_factory=dict)
    left: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    """Orders without hours, and the rules that leave none."""

    @property
    def changed(self) -> int:
        """Promised hours that are others now."""
        return sum(1 for move in self.moves.values() if move.before is not None and not move.keeps_hours)


class Repair:
    """The days as they are, and what is moved in them."""

    def __init__(
        self,
        engineers: Mapping[str, Registered],
        booked: Mapping[str, Mapping[str, Sequence[Booking]]],
        standing: Mapping[str, Standing],
        now: datetime,
        rules: DispatchRulesSet,
        ways: Ways = BEELINE,
    ) -> None:
        self._roster = engineers if isinstance(engineers, Roster) else Roster(engineers)
        self._days = {
            engineer_id: {day: list(hours) for day, hours in days.items()} for engineer_id, days in booked.items()
        }
        self._standing, self._now, self._rules, self._ways = standing, now, rules, ways
        self._done = Repaired()

    def run(
        self,
        affected: Sequence[Work],
        not_before: Mapping[str, datetime] | None = None,
        displacing: bool = True,
        besides: Collection[str] = (),
    ) -> Repaired:
        """
        `affected` lose the hours that they have. `not_before` says of an order when it may begin at the earliest.
        `displacing`: others may give their hours. `besides` are engineers who get nothing.
        """
        self._not_before, self._besides = not_before or {}, frozenset(besides)
        for work in affected:
            if work.order_id in self._standing:
                self._take_out(self._standing[work.order_id])
        # The more urgent first, and of these who was promised the earlier hours.
        ordered = sorted(affected, key=self._turn)
        for work in ordered:
            found = self._same_hours(work) or self._other_hours(work)
            if found is None and displacing:
                found = self._displaced(work)
            if found is not None:
                self._put(work, *found)
        return self._done

    def _turn(self, work: Work) -> tuple[int, datetime, str]:
        standing = self._standing.get(work.order_id)
        return -URGENCIES.index(work.urgency), standing.starts_at if standing else self._now, work.order_id

    # The days.

    def _hers(self, engineer_id: str, day: str) -> list[Booking]:
        return self._days.setdefault(engineer_id, {}).setdefault(day, [])

    def _take_out(self, one: Standing) -> None:
        hers = self._hers(one.engineer_id, one.day)
        hers[:] = [booking for booking in hers if booking.order_id != one.work.order_id]

    def _book(self, work: Work, engineer_id: str, proposal: Proposal) -> None:
        hers = self._hers(engineer_id, proposal.day)
        hers.append(Booking(proposal.starts_at, proposal.ends_at, work.order_id, work.place))
        hers.sort()

    def _put(self, work: Work, engineer_id: str, proposal: Proposal) -> None:
        self._book(work, engineer_id, proposal)
        self._done.left.pop(work.order_id, None)
        self._done.moves[work.order_id] = Move(work.order_id, engineer_id, proposal, self._standing.get(work.order_id))

    # Three ways.

    def _who(self, work: Work) -> list[str]:
        kinds, standing = self._roster.kinds(work, self._now), self._standing.get(work.order_id)
        declined = standing.declined if standing else frozenset()
        return [
            engineer_id
            for engineer_id in self._roster.serving(work.region)
            if not kinds[self._roster.kind_of(engineer_id)].unfit
            and engineer_id not in declined
            and engineer_id not in self._besides
        ]

    def _same_hours(self, work: Work) -> tuple[str, Proposal] | None:
        standing = self._standing.get(work.order_id)
        earliest = self._not_before.get(work.order_id, self._now)
        if standing is None or standing.starts_at < earliest:
            return None
        best: tuple[int, str, Proposal] | None = None
        for engineer_id in self._who(work):
            found = self._exactly(work, engineer_id, standing.starts_at)
            if found and (best is None or (found.cost, engineer_id) < best[:2]):
                best = found.cost, engineer_id, found
        return best[1:] if best else None

    def _exactly(self, work: Work, engineer_id: str, starts_at: datetime) -> Proposal | None:
        engineer = self._roster[engineer_id]
        hers = self._hers(engineer_id, day_of(starts_at, engineer.zone))
        if any(one.starts_at < starts_at + work.duration and starts_at < one.ends_at for one in hers):
            return None
        found = hours_at(work, engineer, hers, self._now, starts_at, self._rules, self._ways)
        return None if broken(work, engineer, hers, found, self._now, False, self._ways) else found

    def _other_hours(self, work: Work) -> tuple[str, Proposal] | None:
        standing = self._standing.get(work.order_id)
        barred = {*self._besides, *(standing.declined if standing else ())}
        earliest = max(self._now, self._not_before.get(work.order_id, self._now))
        turns = rank_in_turns(work, self._roster, self._days, earliest, barred, self._rules, most=1, ways=self._ways)
        while True:
            try:
                next(turns)
            except StopIteration as done:
                ranking = done.value
                break
        if ranking.proposals:
            return ranking.proposals[0]  # type: ignore[no-any-return]
        self._done.left[work.order_id] = tuple(sorted(ranking.excluded.counts()))
        return None

    def _displaced(self, work: Work) -> tuple[str, Proposal] | None:
        """The hours of one other order, where that one finds others: its own hours with somebody else before later."""
        earliest = max(self._now, self._not_before.get(work.order_id, self._now))
        best: tuple[tuple[bool, int, str], str, Proposal, Work, str, Proposal] | None = None
        for other, engineer_id in self._may_give_way(work)[:TRIED]:
            hers = self._hers(engineer_id, other.day)
            kept = list(hers)
            self._take_out(other)
            found = self._on_day(work, engineer_id, other.day, earliest)
            if found is not None:
                self._book(work, engineer_id, found)
                if elsewhere := self._same_hours(other.work) or self._quietly(other.work):
                    changed = elsewhere[1].starts_at != other.starts_at
                    rank = changed, found.cost + elsewhere[1].cost, other.work.order_id
                    if best is None or rank < best[0]:
                        best = rank, engineer_id, found, other.work, *elsewhere
            hers[:] = kept
        if best is None:
            return None
        _, engineer_id, found, giving, to, elsewhere_there = best
        self._take_out(self._standing[giving.order_id])
        # Before it is booked itself, so that both are tried upon the same day as above.
        self._book(work, engineer_id, found)
        self._put(giving, to, elsewhere_there)
        self._take_out(Standing(work, engineer_id, found.day, found.starts_at))
        return engineer_id, found

    def _quietly(self, work: Work) -> tuple[str, Proposal] | None:
        found = self._other_hours(work)
        self._done.left.pop(work.order_id, None)
        return found

    def _may_give_way(self, work: Work) -> list[tuple[Standing, str]]:
        may = set(self._who(work))
        weight = URGENCIES.index(work.urgency)
        those = [
            one
            for one in self._standing.values()
            if one.engineer_id in may
            and not one.locked
            and one.starts_at > self._now
            and one.work.order_id not in self._done.moves
            and one.work.order_id != work.order_id
            and URGENCIES.index(one.work.urgency) < weight
        ]
        # Whose visit is as long at least, and soon, is the likeliest to leave room.
        those.sort(key=lambda one: (one.work.duration < work.duration, one.starts_at, one.work.order_id))
        return [(one, one.engineer_id) for one in those]

    def _on_day(self, work: Work, engineer_id: str, day: str, earliest: datetime) -> Proposal | None:
        engineer = self._roster[engineer_id]
        hers = {day: self._hers(engineer_id, day)}
        found = best_hours(work, engineer, hers, earliest, (day,), self._rules, self._ways)
        return found if isinstance(found, Proposal) else None

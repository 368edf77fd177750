"""
Who should go: where in her running days a visit is cheapest to insert, and what it costs to send her.

A day is a route: what is booked keeps its hours, as they are promised, and a visit goes between two that leave room for
it and both drives, which takes a few operations for each place of each day. Its distance is what it adds to the route.

Pure and the same for both who ask: a policy ranks all engineers by the views, the decision chooses among the best few
by the streams. Costs are points, as the company's dispatch rules weigh them.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from contracts.dispatcher import DispatchRulesSet, Reason, Shift
from contracts.intake import Urgency
from dispatcher.commands import PartsInVans
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.roster import Excluded, Roster
from dispatcher.domain.suited import FOR_EVER, Rule, Work, fit_until, has_skill, lacks
from dispatcher.domain.travel import BEELINE, Estimate, Place, Ways

if TYPE_CHECKING:
    from dispatcher.domain.glance import Glance

SECOND: Final = timedelta(seconds=1)
STEP: Final = timedelta(minutes=5)
"""Visits begin at full five minutes."""

NO_PARTS: Final = PartsInVans()

TURN: Final = 50
"""Engineers that are looked at in a row: less than a thousandth of a second."""

_NOTHING: Final[Mapping[str, Sequence[Booking]]] = {}

_ANY: Final = 1 << 62
"""More points than anything costs."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Hours of an engineer, and what they cost rule by rule."""

    day: str
    starts_at: datetime
    ends_at: datetime
    travel_m: int
    reasons: tuple[Reason, ...]
    cost: int
    """Of the reasons and the expense together."""
    expense_fen: int = 0
    expense_cost: int = 0


@dataclass(frozen=True, eq=False)
class Ranking:
    proposals: tuple[tuple[str, Proposal], ...]
    """Engineer and her best hours, the least cost first."""
    excluded: Excluded
    """Whoever is in neither could go, and is dearer than all that are told."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ranking):
            return NotImplemented
        return (self.proposals, dict(self.excluded)) == (other.proposals, dict(other.excluded))


def rank_in_turns(
    work: Work,
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    declined: Collection[str] = (),
    rules: DispatchRulesSet = DEFAULTS,
    parts: PartsInVans = NO_PARTS,
    most: int | None = None,
    ways: Ways = BEELINE,
    glance: Glance | None = None,
) -> Generator[None, None, Ranking]:
    """
    All engineers: her best hours, or the rules that exclude her. `booked` is by engineer and day, by start.

    The same as `propose` for each of them, sorted; whole kinds of engineers are judged at once, and only the cheapest
    are said in full: `most` of them, or all. Where `most` is given, no hours are looked for that would be dearer; with
    a `glance` at the roster that `engineers` is, only those are looked at who may be among the cheapest. It yields
    every `TURN` engineers that are looked at, so that who has other things to do can do them in between.
    """
    roster = engineers if isinstance(engineers, Roster) else Roster(engineers)
    kinds = roster.kinds(work, now)
    excluded = Excluded(roster, work, kinds)
    excluded.declined.update(one for one in declined if one in roster)
    hours = _Hours(work, now, rules, ways)
    found: list[tuple[int, str, _Slot]] = []
    dearest: list[int] = []
    """Less than nothing: of the `most` that are cheapest so far, the dearest first."""
    names = roster.fit(work, now)
    if excluded.declined:
        names = [one for one in names if one not in excluded.declined]
    persons = _points_of_persons(work, names, roster, rules, parts)
    in_turn: Iterable[tuple[int, int]] = ((n, -_ANY) for n in range(len(names)))
    if glance and most and most < len(names) and isinstance(ways, Estimate):
        assert glance.roster is roster
        least = yield from glance.least(work, names, booked, now, rules, ways)
        least += persons
        first = least.argsort()
        in_turn = zip(first.tolist(), least[first].tolist(), strict=True)
    for number, (n, points) in enumerate(in_turn, 1):
        engineer_id, more = names[n], persons[n]
        below = None
        if most and len(dearest) == most:
            if points > -dearest[0]:
                break  # So are all that follow.
            below = -dearest[0] - more + 1
        if number % TURN == 0:
            yield
        engineer = roster[engineer_id]
        until = kinds[roster.kind_of(engineer_id)].until
        slot = hours.best(engineer, booked.get(engineer_id, _NOTHING), until, below=below)
        if isinstance(slot, _Slot):
            found.append((slot.cost + more, engineer_id, slot))
            if most:
                (heapq.heappush if len(dearest) < most else heapq.heappushpop)(dearest, -slot.cost - more)
        elif slot:
            excluded.hours[engineer_id] = slot
    found.sort(key=itemgetter(0, 1))
    proposals = []
    for _, engineer_id, slot in found[:most]:
        engineer = roster[engineer_id]
        of_her = _of_person(work, engineer_id, engineer, rules, parts)
        proposals.append((engineer_id, _proposal(work, engineer, slot, now, rules, of_her)))
    return Ranking(tuple(proposals), excluded)


def ranked(
    work: Work,
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    declined: Collection[str] = (),
    rules: DispatchRulesSet = DEFAULTS,
    parts: PartsInVans = NO_PARTS,
    most: int | None = None,
    ways: Ways = BEELINE,
) -> Ranking:
    """The same at one go."""
    turns = rank_in_turns(work, engineers, booked, now, declined, rules, parts, most, ways)
    while True:
        try:
            next(turns)
        except StopIteration as done:
            ranking: Ranking = done.value
            return ranking


def propose(
    work: Work,
    engineer_id: str,
    engineer: Registered,
    booked: Mapping[str, Sequence[Booking]],
    now: datetime,
    declined: Collection[str] = (),
    rules: DispatchRulesSet = DEFAULTS,
    parts: PartsInVans = NO_PARTS,
    within: Collection[str] | None = None,
    ways: Ways = BEELINE,
) -> Proposal | tuple[Rule, ...]:
    """The cheapest hours of one engineer, or all rules that exclude her."""
    unfit = lacks(work, engineer, _today(now, engineer.zone).isoformat())
    if engineer_id in declined:
        unfit += ("declined",)
    if unfit:
        return unfit
    found = best_hours(work, engineer, booked, now, within, rules, ways)
    if isinstance(found, Proposal):
        return with_person(work, engineer_id, engineer, found, rules, parts)
    return (found,)


def with_person(
    work: Work,
    engineer_id: str,
    engineer: Registered,
    proposal: Proposal,
    rules: DispatchRulesSet,
    parts: PartsInVans,
) -> Proposal:
    """
    Cheaper for her whom the customer wishes, dearer by each part that is expected and not in her van.

    Of neither is anything said where nobody is wished, or no part is expected.
    """
    more = _of_person(work, engineer_id, engineer, rules, parts)
    if not more:
        return proposal
    cost = proposal.cost + sum(reason.cost for reason in more)
    return replace(proposal, reasons=(*proposal.reasons, *more), cost=cost)


def _points_of_persons(
    work: Work, names: Sequence[str], roster: Roster, rules: DispatchRulesSet, parts: PartsInVans
) -> list[int]:
    """What `with_person` adds for each of them."""
    if parts.expected:
        expected, held, each = parts.expected, parts.held, rules.points_a_missing_part
        points = [(expected - held.get(roster[name].van_id, 0)) * each for name in names]
    else:
        points = [0] * len(names)
    if work.wished in names:
        points[names.index(work.wished)] -= rules.points_for_wish
    return points


def _of_person(
    work: Work, engineer_id: str, engineer: Registered, rules: DispatchRulesSet, parts: PartsInVans
) -> list[Reason]:
    more = []
    if work.wished:
        hers = engineer_id == work.wished
        more.append(Reason("wish", int(hers), -rules.points_for_wish if hers else 0))
    if parts.expected:
        missing = parts.missing_in(engineer.van_id)
        more.append(Reason("van", missing, missing * rules.points_a_missing_part))
    return more


# Her hours.


def best_hours(
    work: Work,
    engineer: Registered,
    booked: Mapping[str, Sequence[Booking]],
    now: datetime,
    within: Collection[str] | None = None,
    rules: DispatchRulesSet = DEFAULTS,
    ways: Ways = BEELINE,
) -> Proposal | Rule:
    """
    The cheapest hours of one engineer, or why there are none. Whether she can do the work is judged by `lacks`; here
    only that what she can is not out of date by then.

    The hours lie in one shift, and before and after them there is time for the drive from and to her other visits of
    that day. The first drive of a day begins at her home. `within` narrows the days.
    """
    today, until = _today(now, engineer.zone).isoformat(), fit_until(work, engineer)
    until = FOR_EVER if until < today else until  # As in `Roster.kinds`.
    slot = _Hours(work, now, rules, ways, within).best(engineer, booked, until)
    assert slot is not None
    return _proposal(work, engineer, slot, now, rules) if isinstance(slot, _Slot) else slot


class _Day(NamedTuple):
    """A day of a pattern of shifts, as one order sees it."""

    day: str
    windows: Windows
    waits: int
    """What waiting until the first of the windows costs."""
    long_enough: bool


class _Hours:
    """
    Where in the days of an engineer an order is cheapest: what is the same for all of them is worked out once.

    `within` narrows the days.
    """

    def __init__(
        self, work: Work, now: datetime, rules: DispatchRulesSet, ways: Ways, within: Collection[str] | None = None
    ) -> None:
        self._work, self._now, self._rules, self._ways, self._within = work, now, rules, ways, within
        self._hour_points = points_an_hour(rules, work.urgency)
        self._patterns: dict[tuple[str, int], tuple[tuple[Shift, ...], list[_Day]]] = {}

    def _ahead(self, engineer: Registered) -> list[_Day]:
        # By which tuple it is, as its hash is dear; that it is kept keeps its number.
        key = engineer.zone, id(engineer.shifts)
        if key not in self._patterns:
            today = _today(self._now, engineer.zone)
            days = [
                _Day(
                    day,
                    windows,
                    _wait_cost(self._hour_points, windows[0][0] - self._now) if windows else 0,
                    _is_long_enough(self._work, windows, self._now),
                )
                for day, windows in _horizon(engineer.zone, engineer.shifts, today, self._rules.horizon_days)
                if self._within is None or day in self._within
            ]
            self._patterns[key] = engineer.shifts, days
        return self._patterns[key][1]

    def best(
        self,
        engineer: Registered,
        booked: Mapping[str, Sequence[Booking]],
        until: str,
        below: int | None = None,
    ) -> _Slot | Rule | None:
        """The cheapest; why there are none; None where none is cheaper than `below`, whether there are some or not."""
        why: Rule = "shift"
        best: _Slot | None = None
        limit = _ANY if below is None else below
        for day, windows, waits, long_enough in self._ahead(engineer):
            if day > until:
                continue
            if windows and waits >= limit:
                # The drive, the load and what she costs only add to it, and later days wait longer.
                return best or (why if below is None else None)
            if not long_enough:
                continue
            begins = windows[0][0]
            if engineer.absences:
                windows = _present(windows, engineer.absences)
                if not _is_long_enough(self._work, windows, self._now):
                    why = "absent" if why == "shift" else why
                    continue
            bookings = booked.get(day, ())
            if len(bookings) >= engineer.daily_limit:
                why = "limit" if why in ("shift", "absent") else why
                continue
            why = "hours"
            if slot := self._cheapest(engineer, day, begins, windows, bookings, limit):
                best, limit = slot, slot.cost
        return best or (why if below is None else None)

    def _cheapest(
        self,
        engineer: Registered,
        day: str,
        begins: datetime,
        windows: Windows,
        bookings: Sequence[Booking],
        limit: int,
    ) -> _Slot | None:
        """The cheapest hours between the bookings of a day that cost less than `limit`. She works from `begins` on."""
        work, now, rules, hour_points, ways = self._work, self._now, self._rules, self._hour_points, self._ways
        load, load_cost, duration = len(bookings), len(bookings) * rules.points_a_booking, work.duration
        best, opens = None, windows[0][0]
        free_from, place = now, engineer.home
        for after in (*bookings, None):
            if after is None or after.starts_at - free_from >= duration:
                waits = _wait_cost(hour_points, max(free_from, opens) - now)
                if load_cost + waits >= limit:
                    break  # The drive and what she costs only add to it, and the later hours of the day wait longer.
                metres, added = _ways(ways, place, work.place, after.place if after else None)
                cost = added // rules.metres_a_point + load_cost
                if cost + waits < limit:
                    until = after.starts_at - ways.time(work.place, after.place, after.starts_at) if after else None
                    ready = free_from + ways.time(place, work.place, max(free_from, begins))
                    starts_at = _first_start(windows, ready, until, duration)
                    if starts_at:
                        cost += _wait_cost(hour_points, starts_at - now)
                        cost += _expense_fen(work, engineer, added) // rules.fen_a_point
                        if cost < limit:
                            best, limit = _Slot(cost, day, starts_at, metres, added, load), cost
            if after:
                free_from, place = max(free_from, after.ends_at), after.place
        return best


def hours_at(
    work: Work,
    engineer: Registered,
    bookings: Sequence[Booking],
    now: datetime,
    starts_at: datetime,
    rules: DispatchRulesSet = DEFAULTS,
    ways: Ways = BEELINE,
) -> Proposal:
    """These very hours, as a person wants them: what they cost, whether or not she is free. `bookings` of that day."""
    day = day_of(starts_at, engineer.zone)
    before = [booking for booking in bookings if booking.starts_at < starts_at]
    after = bookings[len(before)].place if len(before) < len(bookings) else None
    metres, added = _ways(ways, before[-1].place if before else engineer.home, work.place, after)
    return _proposal(work, engineer, _Slot(0, day, starts_at, metres, added, len(bookings)), now, rules)


def broken(
    work: Work,
    engineer: Registered,
    bookings: Sequence[Booking],
    proposal: Proposal,
    now: datetime,
    has_declined: bool,
    ways: Ways = BEELINE,
) -> tuple[Rule, ...]:
    """Every rule that these hours break; a person may overrule them. `bookings` are those of that day."""
    rules: list[Rule] = [*lacks(work, engineer, proposal.day)]
    if has_declined:
        rules.append("declined")
    starts_at, ends_at = proposal.starts_at, proposal.ends_at
    [(_, windows)] = _horizon(engineer.zone, engineer.shifts, date.fromisoformat(proposal.day), 1)
    if not any(opens <= starts_at and ends_at <= closes for opens, closes in windows):
        rules.append("shift")
    if any(away.starts_at < ends_at and starts_at < away.ends_at for away in engineer.absences):
        rules.append("absent")
    if len(bookings) >= engineer.daily_limit:
        rules.append("limit")
    before = [one for one in bookings if one.starts_at < starts_at]
    after = [one for one in bookings if one.starts_at >= starts_at]
    ready, place = (max(before[-1].ends_at, now), before[-1].place) if before else (now, engineer.home)
    late = after and ends_at + ways.time(work.place, after[0].place, after[0].starts_at) > after[0].starts_at
    leaves = max(ready, windows[0][0]) if windows else ready
    if late or ready + ways.time(place, work.place, leaves) > starts_at:
        rules.append("hours")
    return tuple(rules)


def day_of(at: datetime, zone: str) -> str:
    """The ISO date of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


@lru_cache(maxsize=64)
def _today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


Windows = tuple[tuple[datetime, datetime], ...]


@lru_cache(maxsize=4_096)
def _horizon(zone: str, shifts: tuple[Shift, ...], first: date, count: int) -> tuple[tuple[str, Windows], ...]:
    """The shifts of each day of the horizon as instants. Cached: engineers share a few patterns, and a day is long."""
    days: list[tuple[str, Windows]] = []
    for n in range(count):
        day = first + timedelta(days=n)
        midnight = datetime.combine(day, time(), tzinfo=ZoneInfo(zone))
        # Adding to a time with a zone moves the clock on the wall, which is what a shift goes by.
        windows = tuple(
            sorted(
                (
                    (midnight + timedelta(minutes=shift.from_minute)).astimezone(UTC),
                    (midnight + timedelta(minutes=shift.to_minute)).astimezone(UTC),
                )
                for shift in shifts
                if shift.weekday == day.weekday()
            )
        )
        days.append((day.isoformat(), windows))
    return tuple(days)


def days_ahead(engineer: Registered, now: datetime, horizon_days: int) -> Sequence[tuple[str, Windows]]:
    """Her shifts of each day of the horizon, absences or not; a day of hers by its ISO date."""
    return _horizon(engineer.zone, engineer.shifts, _today(now, engineer.zone), horizon_days)


def open_hours(engineer: Registered, day: str) -> Windows:
    """When she works on this day, without her absences."""
    [(_, windows)] = _horizon(engineer.zone, engineer.shifts, date.fromisoformat(day), 1)
    return _present(windows, engineer.absences)


def _is_long_enough(work: Work, windows: Windows, now: datetime) -> bool:
    return any(closes - max(opens, now) >= work.duration for opens, closes in windows)


def _present(windows: Windows, absences: Sequence[Absence]) -> Windows:
    """What absences leave of the windows; both are by start."""
    for away in absences:
        windows = tuple(
            (begin, end)
            for opens, closes in windows
            for begin, end in ((opens, min(closes, away.starts_at)), (max(opens, away.ends_at), closes))
            if begin < end
        )
    return windows


class _Slot(NamedTuple):
    cost: int
    day: str
    starts_at: datetime
    metres: int
    """From where she is before."""
    added: int
    """Metres that her day is longer by."""
    load: int


def _ways(ways: Ways, before: Place, here: Place, after: Place | None) -> tuple[int, int]:
    """
    Metres from before to here, and those that this and the way on are more than the way without. The day may end
    anywhere: the way home is hers, whoever was last.
    """
    there = ways.metres(before, here)
    if after is None:
        return there, there
    return there, max(0, there + ways.metres(here, after) - ways.metres(before, after))


def _first_start(windows: Windows, ready: datetime, until: datetime | None, duration: timedelta) -> datetime | None:
    for opens, closes in windows:
        starts_at = _full_step(max(opens, ready))
        ends_at = starts_at + duration
        if ends_at <= closes:
            return starts_at if until is None or ends_at <= until else None
    return None


def _full_step(at: datetime) -> datetime:
    return at + (_EPOCH - at) % STEP


def points_an_hour(rules: DispatchRulesSet, urgency: Urgency) -> int:
    """What an hour costs in which an order of this urgency waits."""
    match urgency:
        case "low":
            return rules.points_an_hour_low
        case "normal":
            return rules.points_an_hour_normal
        case "high":
            return rules.points_an_hour_high
        case "critical":
            return rules.points_an_hour_critical


def _wait_cost(hour_points: int, wait: timedelta) -> int:
    return wait // SECOND * hour_points // 3_600


def _expense_fen(work: Work, engineer: Registered, metres: int) -> int:
    """What her time on site and the metres that it adds to her day cost us."""
    if not (engineer.hour_fen or engineer.km_fen):
        return 0
    return work.duration // SECOND * engineer.hour_fen // 3_600 + metres * engineer.km_fen // 1_000


def _proposal(
    work: Work,
    engineer: Registered,
    slot: _Slot,
    now: datetime,
    rules: DispatchRulesSet,
    of_her: Sequence[Reason] = (),
) -> Proposal:
    wait = slot.starts_at - now
    reasons = (
        Reason("skill", int(has_skill(work, engineer)), 0),
        Reason("distance", slot.added, slot.added // rules.metres_a_point),
        Reason("load", slot.load, slot.load * rules.points_a_booking),
        Reason("shift", wait // SECOND, _wait_cost(points_an_hour(rules, work.urgency), wait)),
        *of_her,
    )
    expense_fen = _expense_fen(work, engineer, slot.added)
    expense_cost = expense_fen // rules.fen_a_point
    return Proposal(
        day=slot.day,
        starts_at=slot.starts_at,
        ends_at=slot.starts_at + work.duration,
        travel_m=slot.metres,
        reasons=reasons,
        cost=sum(reason.cost for reason in reasons) + expense_cost,
        expense_fen=expense_fen,
        expense_cost=expense_cost,
    )

"""
Who should go: the rules that an engineer must keep to, and what it costs to send her.

Pure and the same for both who ask: a policy ranks all engineers by the views, the decision chooses among the best few
by the streams. Costs are points, as the company's dispatch rules weigh them.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from contracts.dispatcher import DispatchRulesSet, OrderOpened, Reason, Shift, SkillLevel
from contracts.intake import Urgency
from dispatcher.commands import PartsInVans
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.travel import Place, travel_m, travel_time

STEP: Final = timedelta(minutes=5)
"""Visits begin at full five minutes."""

Rule = Literal[
    "skill",
    "skill-expired",
    "level",
    "certificate",
    "certificate-expired",
    "territory",
    "declined",
    "shift",
    "absent",
    "limit",
    "hours",
]
"""
What excludes an engineer: she lacks skill, model and brand; what she has of them is out of date; not well enough; she
lacks a certificate; it is out of date; the place is not in her territory; she declined the order; no shift within the
horizon is long enough; she is absent in every such shift; every such day is full; in every such day the hours between
her other visits are too short, the drive before and after counted.
"""

LEAST: Final = 1
"""The level of a skill of which none was said."""

FOR_EVER: Final = "9999-12-31"

NO_PARTS: Final = PartsInVans()

TURN: Final = 50
"""Engineers that are looked at in a row: less than a thousandth of a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Work:
    """What must be known of an order to find somebody for it."""

    order_id: str
    skill: str
    device_model: str
    urgency: Urgency
    duration: timedelta
    place: Place
    more_skills: tuple[str, ...] = ()
    """What she must be able to do beside that, at any level."""
    region: str = ""
    level: int = 0
    certificates: tuple[str, ...] = ()
    wished: str = ""
    """The engineer whom the customer would like to see."""

    @cached_property
    def known_as(self) -> tuple[str, ...]:
        """The skill, the model and the brand: to know one of them is enough."""
        brand = self.device_model.partition(" ")[0]
        return tuple(dict.fromkeys([name for name in (self.skill, self.device_model, brand) if name]))

    @classmethod
    def of(cls, opened: OrderOpened) -> Work:
        return cls(
            order_id=opened.order_id,
            skill=opened.skill,
            device_model=opened.device_model,
            urgency=opened.urgency,
            duration=timedelta(seconds=opened.duration_s),
            place=Place(opened.lat_udeg, opened.lon_udeg),
            more_skills=opened.more_skills,
            region=opened.region,
            level=opened.skill_level,
            certificates=opened.certificates,
            wished=opened.wished_engineer_id,
        )


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


@dataclass(frozen=True)
class Ranking:
    proposals: tuple[tuple[str, Proposal], ...]
    """Engineer and her best hours, the least cost first."""
    excluded: Mapping[str, tuple[Rule, ...]]
    """Every rule about what she is that excludes her; of her hours, which are looked at last, the one that does."""


def rank_in_turns(
    work: Work,
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    declined: Collection[str] = (),
    rules: DispatchRulesSet = DEFAULTS,
    parts: PartsInVans = NO_PARTS,
    most: int | None = None,
) -> Generator[None, None, Ranking]:
    """
    All engineers: her best hours, or the rules that exclude her. `booked` is by engineer and day, by start.

    The same as `propose` for each of them, sorted; what many have in common is judged once, and only the cheapest are
    said in full: `most` of them, or all. It yields every `TURN` engineers, so that who has other things to do can do
    them in between.
    """
    found: list[tuple[int, str, _Slot]] = []
    excluded: dict[str, tuple[Rule, ...]] = {}
    judged: dict[tuple[object, ...], tuple[Rule, ...]] = {}
    for number, (engineer_id, engineer) in enumerate(engineers.items(), 1):
        if number % TURN == 0:
            yield
        alike = (engineer.skills, engineer.levels, engineer.certificates, engineer.territory, engineer.zone)
        unfit = judged.get(alike)
        if unfit is None:
            unfit = judged[alike] = lacks(work, engineer, _today(now, engineer.zone).isoformat())
        if engineer_id in declined:
            unfit += ("declined",)
        if unfit:
            excluded[engineer_id] = unfit
            continue
        slot = _best_slot(work, engineer, booked.get(engineer_id, {}), now, None, rules)
        if isinstance(slot, _Slot):
            more = sum(reason.cost for reason in _of_person(work, engineer_id, engineer, rules, parts))
            found.append((slot.cost + more, engineer_id, slot))
        else:
            excluded[engineer_id] = (slot,)
    found.sort(key=itemgetter(0, 1))
    proposals = []
    for _, engineer_id, slot in found[:most]:
        engineer = engineers[engineer_id]
        hours = _proposal(work, engineer, slot, now, rules)
        proposals.append((engineer_id, with_person(work, engineer_id, engineer, hours, rules, parts)))
    return Ranking(tuple(proposals), excluded)


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
) -> Proposal | tuple[Rule, ...]:
    """The cheapest hours of one engineer, or all rules that exclude her."""
    unfit = lacks(work, engineer, _today(now, engineer.zone).isoformat())
    if engineer_id in declined:
        unfit += ("declined",)
    if unfit:
        return unfit
    found = best_hours(work, engineer, booked, now, within, rules)
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


# What she can do, and where.


def lacks(work: Work, engineer: Registered, day: str) -> tuple[Rule, ...]:
    """The rules about what she can do and where she serves that sending her on this day would break."""
    rules: list[Rule] = []
    if not _has_skill(work, engineer):
        rules.append("skill")
    elif work.skill and (engineer.levels or work.level > LEAST):
        good = [one.level for one in _held(work, engineer) if day <= (one.until or FOR_EVER)]
        if not good:
            rules.append("skill-expired")
        elif max(good) < work.level:
            rules.append("level")
    for name in work.more_skills:
        if name not in engineer.skills:
            rules.append("skill")
        elif (_level(engineer, name).until or FOR_EVER) < day:
            rules.append("skill-expired")
    for name in work.certificates:
        held_paper = next((one for one in engineer.certificates if one.name == name), None)
        if held_paper is None:
            rules.append("certificate")
        elif (held_paper.until or FOR_EVER) < day:
            rules.append("certificate-expired")
    if engineer.territory and work.region not in engineer.territory:
        rules.append("territory")
    return tuple(dict.fromkeys(rules))


def _has_skill(work: Work, engineer: Registered) -> bool:
    return not work.skill or any(name in engineer.skills for name in work.known_as)


def _held(work: Work, engineer: Registered) -> list[SkillLevel]:
    return [_level(engineer, name) for name in work.known_as if name in engineer.skills]


def _level(engineer: Registered, skill: str) -> SkillLevel:
    return next((one for one in engineer.levels if one.skill == skill), SkillLevel(skill, LEAST))


def _fit_until(work: Work, engineer: Registered) -> str:
    """The last day, as an ISO date, on which nothing that the work needs of her is out of date."""
    if not (engineer.levels or engineer.certificates):
        return FOR_EVER
    good = [one.until or FOR_EVER for one in _held(work, engineer) if one.level >= work.level]
    others = [one.until or FOR_EVER for one in engineer.levels if one.skill in work.more_skills]
    papers = [one.until or FOR_EVER for one in engineer.certificates if one.name in work.certificates]
    return min(max(good, default=FOR_EVER), *others, *papers, FOR_EVER)


# Her hours.


def best_hours(
    work: Work,
    engineer: Registered,
    booked: Mapping[str, Sequence[Booking]],
    now: datetime,
    within: Collection[str] | None = None,
    rules: DispatchRulesSet = DEFAULTS,
) -> Proposal | Rule:
    """
    The cheapest hours of one engineer, or why there are none. Whether she can do the work is judged by `lacks`; here
    only that what she can is not out of date by then.

    The hours lie in one shift, and before and after them there is time for the drive from and to her other visits of
    that day. The first drive of a day begins at her home. `within` narrows the days.
    """
    slot = _best_slot(work, engineer, booked, now, within, rules)
    return _proposal(work, engineer, slot, now, rules) if isinstance(slot, _Slot) else slot


def _best_slot(
    work: Work,
    engineer: Registered,
    booked: Mapping[str, Sequence[Booking]],
    now: datetime,
    within: Collection[str] | None,
    rules: DispatchRulesSet,
) -> _Slot | Rule:
    why: Rule = "shift"
    best: _Slot | None = None
    asked = _Asked(work, engineer, now, rules, _points_an_hour(rules, work.urgency))
    today = _today(now, engineer.zone)
    until = _fit_until(work, engineer)
    if until < today.isoformat():
        until = FOR_EVER  # What is out of date today, `lacks` has judged, and a person may overrule.
    for day, windows in _horizon(engineer.zone, engineer.shifts, today, rules.horizon_days):
        if (within is not None and day not in within) or day > until:
            continue
        if best and windows and _wait_cost(asked.hour_points, windows[0][0] - now) >= best.cost:
            break  # The drive, the load and what she costs only add to it, and later days wait longer.
        if not _is_long_enough(work, windows, now):
            continue
        if engineer.absences:
            windows = _present(windows, engineer.absences)
            if not _is_long_enough(work, windows, now):
                why = "absent" if why == "shift" else why
                continue
        bookings = booked.get(day, ())
        if len(bookings) >= engineer.daily_limit:
            why = "limit" if why in ("shift", "absent") else why
            continue
        why = "hours"
        best = _cheapest(asked, day, windows, bookings, best)
    return best or why


def hours_at(
    work: Work,
    engineer: Registered,
    bookings: Sequence[Booking],
    now: datetime,
    starts_at: datetime,
    rules: DispatchRulesSet = DEFAULTS,
) -> Proposal:
    """These very hours, as a person wants them: what they cost, whether or not she is free. `bookings` of that day."""
    day = day_of(starts_at, engineer.zone)
    before = [booking for booking in bookings if booking.starts_at < starts_at]
    metres = travel_m(before[-1].place if before else engineer.home, work.place)
    return _proposal(work, engineer, _Slot(0, day, starts_at, metres, len(bookings)), now, rules)


def broken(
    work: Work,
    engineer: Registered,
    bookings: Sequence[Booking],
    proposal: Proposal,
    now: datetime,
    has_declined: bool,
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
    ready = max(before[-1].ends_at, now) if before else now
    late = after and ends_at + travel_time(travel_m(work.place, after[0].place)) > after[0].starts_at
    if late or ready + travel_time(proposal.travel_m) > starts_at:
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
    load: int


class _Asked(NamedTuple):
    """What is the same for each day of the horizon."""

    work: Work
    engineer: Registered
    now: datetime
    rules: DispatchRulesSet
    hour_points: int


def _cheapest(
    asked: _Asked, day: str, windows: Windows, bookings: Sequence[Booking], best: _Slot | None
) -> _Slot | None:
    """The cheapest hours between the bookings of a day, if they are cheaper than the best so far; else those."""
    work, engineer, now, rules, hour_points = asked
    load, load_cost = len(bookings), len(bookings) * rules.points_a_booking
    free_from, place = now, engineer.home
    for after in (*bookings, None):
        if after is None or after.starts_at - free_from >= work.duration:
            if best and load_cost + _wait_cost(hour_points, max(free_from, windows[0][0]) - now) >= best.cost:
                break  # The drive and what she costs only add to it, and the later hours of the day wait longer.
            metres = travel_m(place, work.place)
            until = after.starts_at - travel_time(travel_m(work.place, after.place)) if after else None
            starts_at = _first_start(windows, free_from + travel_time(metres), until, work.duration)
            if starts_at:
                cost = metres // rules.metres_a_point + load_cost + _wait_cost(hour_points, starts_at - now)
                cost += _expense_fen(work, engineer, metres) // rules.fen_a_point
                if best is None or cost < best.cost:
                    best = _Slot(cost, day, starts_at, metres, load)
        if after:
            free_from, place = max(free_from, after.ends_at), after.place
    return best


def _first_start(windows: Windows, ready: datetime, until: datetime | None, duration: timedelta) -> datetime | None:
    for opens, closes in windows:
        starts_at = _full_step(max(opens, ready))
        ends_at = starts_at + duration
        if ends_at <= closes:
            return starts_at if until is None or ends_at <= until else None
    return None


def _full_step(at: datetime) -> datetime:
    return at + (_EPOCH - at) % STEP


def _points_an_hour(rules: DispatchRulesSet, urgency: Urgency) -> int:
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
    return wait // timedelta(seconds=1) * hour_points // 3_600


def _expense_fen(work: Work, engineer: Registered, metres: int) -> int:
    """What her time on site and the way to it cost us."""
    if not (engineer.hour_fen or engineer.km_fen):
        return 0
    return work.duration // timedelta(seconds=1) * engineer.hour_fen // 3_600 + metres * engineer.km_fen // 1_000


def _proposal(work: Work, engineer: Registered, slot: _Slot, now: datetime, rules: DispatchRulesSet) -> Proposal:
    wait = slot.starts_at - now
    reasons = (
        Reason("skill", int(_has_skill(work, engineer)), 0),
        Reason("distance", slot.metres, slot.metres // rules.metres_a_point),
        Reason("load", slot.load, slot.load * rules.points_a_booking),
        Reason("shift", wait // timedelta(seconds=1), _wait_cost(_points_an_hour(rules, work.urgency), wait)),
    )
    expense_fen = _expense_fen(work, engineer, slot.metres)
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

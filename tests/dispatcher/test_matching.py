"""Who can go and who is best: the rules one by one, and what no proposal ever does."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from time import process_time
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.dispatcher import Certificate, Shift, SkillLevel
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import STEP, Proposal, best_hours, broken, day_of
from dispatcher.domain.suited import Rule, Work
from dispatcher.domain.travel import BEELINE, Place
from tests.dispatcher.examples import ALL_WEEK, TODAY, TOMORROW, at
from tests.dispatcher.ranking import rank
from tests.given import NOW

SHOP = Place(39_900_000, 116_400_000)
NORTH = Place(39_990_000, 116_400_000)
"""13,010 m by road from the shop, which takes 26 minutes and two seconds."""

HOUR = timedelta(hours=1)
HORIZON_DAYS = DEFAULTS.horizon_days


def engineer(**changes):
    facts = {"skills": frozenset({"cooling"}), "home": SHOP, "zone": "Asia/Shanghai", "shifts": ALL_WEEK}
    return Registered(**facts | {"van_id": "", "daily_limit": 10} | changes)


def work(**changes):
    facts = {"order_id": "o-1", "skill": "cooling", "device_model": "KFR-35", "urgency": "normal", "duration": HOUR}
    return Work(**facts | {"place": SHOP} | changes)


def visit(starts_at, ends_at, place=SHOP, order_id="o-9"):
    return Booking(starts_at, ends_at, order_id, place)


def offer(order=None, who=None, booked=None, now=NOW):
    found = best_hours(order or work(), who or engineer(), booked or {}, now)
    assert isinstance(found, Proposal), found
    return found


def costs(found):
    return {reason.rule: (reason.value, reason.cost) for reason in found.reasons}


# Travel.


def test_a_tenth_of_a_degree_is_14_km_of_road_and_half_an_hour():
    north = Place(40_000_000, 116_400_000)
    way = BEELINE.metres(SHOP, north), BEELINE.time(SHOP, north, NOW)
    assert way == (14_455, timedelta(minutes=28, seconds=55))
    assert BEELINE.metres(SHOP, Place(39_900_000, 116_500_000)) == 11_090


def test_here_is_no_way_and_the_other_side_of_the_earth_is_one():
    assert BEELINE.metres(SHOP, SHOP) == 0
    assert BEELINE.metres(Place(0, 0), Place(0, 180_000_000)) == round(6_371_000 * 3.141592653589793 * 1.3)


# Hard rules.


def test_the_skill_or_the_model_must_be_known():
    those = {
        "skill": engineer(),
        "model": engineer(skills=frozenset({"KFR-35"})),
        "neither": engineer(skills=frozenset({"heating"})),
    }
    ranking = rank(work(), those, {}, NOW)
    assert [name for name, _ in ranking.proposals] == ["model", "skill"]
    assert ranking.excluded == {"neither": ("skill",)}


def test_an_order_without_a_model_is_not_everybodys():
    assert rank(work(device_model=""), {"e": engineer(skills=frozenset())}, {}, NOW).excluded == {"e": ("skill",)}


def test_who_declined_is_excluded():
    assert rank(work(), {"e": engineer()}, {}, NOW, {"e"}).excluded == {"e": ("declined",)}


def test_a_visit_lies_within_one_shift():
    split = engineer(shifts=(Shift(1, 17 * 60, 18 * 60 - 1), Shift(1, 18 * 60, 20 * 60)))
    assert offer(who=split).starts_at == at(18)


def test_without_a_shift_that_is_long_enough_she_is_excluded():
    short = engineer(shifts=(Shift(1, 17 * 60, 18 * 60 - 1),))
    assert best_hours(work(), short, {}, NOW) == "shift"


def test_the_rest_of_a_shift_must_be_long_enough():
    assert offer(now=at(19, 0)).starts_at == at(19)
    assert offer(now=at(19, 1)).starts_at == at(8, day=25)


def test_a_full_day_gets_no_more():
    day = {TODAY: [visit(at(9), at(10))]}
    assert offer(who=engineer(daily_limit=1), booked=day).day == TOMORROW


def test_full_days_exclude_her():
    days = {(date(2026, 11, 24) + timedelta(days=n)).isoformat(): [visit(NOW, NOW)] for n in range(HORIZON_DAYS)}
    assert best_hours(work(), engineer(daily_limit=1), days, NOW) == "limit"


def test_hours_that_are_too_short_exclude_her():
    tuesdays = engineer(shifts=(Shift(1, 17 * 60, 19 * 60),))
    assert best_hours(work(), tuesdays, {TODAY: [visit(at(17, 30), at(18, 30))]}, NOW) == "hours"


def test_between_two_visits_there_is_time_for_both_drives():
    day = {TODAY: [visit(at(8), at(17), NORTH), visit(at(19), at(20), NORTH)]}
    # From the north by 17:26:02, an hour of work from the next full five minutes, back in the north by 18:56:02.
    assert offer(booked=day).starts_at == at(17, 30)
    day = {TODAY: [visit(at(8), at(17), NORTH), visit(at(18, 56), at(20), NORTH)]}
    assert offer(booked=day).day == TOMORROW


def test_she_cannot_be_there_before_she_has_driven_from_home():
    assert offer(who=engineer(home=NORTH)).starts_at == at(17, 30)


def test_the_first_drive_may_come_before_the_shift():
    early = at(6)
    assert offer(who=engineer(home=NORTH), now=early).starts_at == at(8)


def test_a_visit_outside_the_shifts_is_driven_from_too():
    day = {TODAY: [visit(at(6), at(7, 45), NORTH)]}
    assert offer(booked=day, now=at(5)).starts_at == at(8, 15)


def test_nothing_is_offered_beyond_the_horizon():
    only_monday = engineer(shifts=(Shift(0, 8 * 60, 20 * 60),))
    assert offer(who=only_monday).day == "2026-11-30"
    days = {"2026-11-30": [visit(at(8, day=30), at(20, day=30))]}
    assert best_hours(work(), only_monday, days, NOW) == "hours"


# Costs.


def test_distance_load_and_waiting_each_have_their_price():
    day = {TODAY: [visit(at(8), at(17), NORTH)]}
    assert costs(offer(booked=day)) == {
        "skill": (1, 0),
        "distance": (13_010, 130),
        "load": (1, 15),
        "shift": (1_800, 15),
    }


def test_the_nearer_the_less_loaded_and_the_earlier_is_better():
    those = {"here": engineer(), "far": engineer(home=NORTH), "loaded": engineer()}
    booked = {"loaded": {TODAY: [visit(at(8), at(9)), visit(at(9), at(10))]}}
    assert [name for name, _ in rank(work(), those, booked, NOW).proposals] == ["here", "loaded", "far"]


def test_a_tie_is_broken_by_id_so_that_the_same_facts_give_the_same_engineer():
    those = {name: engineer() for name in ("e-3", "e-1", "e-2")}
    assert [name for name, _ in rank(work(), those, {}, NOW).proposals] == ["e-1", "e-2", "e-3"]


def test_urgency_makes_an_earlier_start_worth_a_longer_way():
    soon, near = engineer(home=NORTH), engineer(shifts=(Shift(1, 19 * 60, 20 * 60),))
    those = {"soon": soon, "near": near}

    def first(urgency):
        return rank(work(urgency=urgency), those, {}, NOW).proposals[0][0]

    assert (first("normal"), first("critical")) == ("near", "soon")


def test_a_later_gap_that_adds_less_to_the_way_is_better_than_the_first_one():
    far = Place(40_300_000, 116_400_000)
    day = {TODAY: [visit(at(14), at(15), far), visit(at(17, 50), at(18), SHOP)]}
    found = offer(work(duration=timedelta(minutes=20)), engineer(home=far), day, now=at(4))
    # Before the first visit she would drive there and back; then the place lies on her way.
    assert (found.starts_at, found.travel_m, costs(found)["distance"]) == (at(17), 57_821, (0, 0))


def test_between_two_visits_it_adds_what_the_way_round_is_longer():
    day = {TODAY: [visit(at(8), at(17), NORTH), visit(at(19), at(20), NORTH)]}
    found = offer(booked=day)
    assert (found.travel_m, costs(found)["distance"]) == (13_010, (26_020, 260))


# Zones.


@pytest.mark.parametrize(
    ("zone", "now", "starts_at"),
    [
        # The clocks of Berlin go from 02:00 to 03:00 on 29 March 2026: half past two does not exist.
        ("Europe/Berlin", datetime(2026, 3, 29, 0, 0, tzinfo=UTC), datetime(2026, 3, 29, 6, 0, tzinfo=UTC)),
        # They go back on 25 October: eight in the morning is an hour later in UTC than the day before.
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 0, tzinfo=UTC), datetime(2026, 10, 25, 7, 0, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 3, 29, 0, 0, tzinfo=UTC), datetime(2026, 3, 29, 2, 15, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 3, 29, 12, 0, tzinfo=UTC), datetime(2026, 3, 29, 18, 0, tzinfo=UTC)),
    ],
)
def test_a_shift_goes_by_the_clock_on_her_wall(zone, now, starts_at):
    found = offer(who=engineer(zone=zone), now=now)
    assert found.starts_at == starts_at
    assert found.day == day_of(starts_at, zone)


def test_a_shift_in_the_hour_that_does_not_exist_is_shorter():
    night = engineer(zone="Europe/Berlin", shifts=(Shift(6, 90, 210),))  # half past one to half past three
    on_the_night = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert best_hours(work(duration=timedelta(minutes=61)), night, {}, on_the_night) == "shift"
    assert offer(who=night, now=on_the_night).ends_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


# Whatever the town looks like.

PLACES = st.builds(
    Place,
    st.integers(39_700, 40_100).map(lambda n: n * 1_000),
    st.integers(116_100, 116_700).map(lambda n: n * 1_000),
)
ZONES = st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"])
SHIFTS = st.lists(
    st.builds(
        lambda weekday, begin, length: Shift(weekday, begin, min(1_440, begin + length)),
        st.integers(0, 6),
        st.integers(0, 1_430),
        st.integers(10, 720),
    ),
    min_size=1,
    max_size=9,
).map(tuple)
NOWS = st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 10), timezones=st.just(UTC))
SKILLS = ("cooling", "heating", "KFR-35", "water")


def until(now):
    """The last day on which something holds: some days before or after, or none."""
    return st.just("") | st.integers(-2, 5).map(lambda n: (now + timedelta(days=n)).date().isoformat())


def absences(now):
    hours = st.tuples(st.integers(-5, 60), st.integers(1, 40))
    return hours.map(lambda one: Absence(now + one[0] * HOUR, now + (one[0] + one[1]) * HOUR, "a"))


@st.composite
def towns(draw):
    """Engineers with days that are already booked, as the streams would have them: no overlap, one day, one zone."""
    now = draw(NOWS)
    engineers, booked = {}, defaultdict(dict)
    for n in range(draw(st.integers(1, 5))):
        who = engineer(
            skills=frozenset(draw(st.sets(st.sampled_from(SKILLS)))),
            home=draw(PLACES),
            zone=draw(ZONES),
            shifts=draw(SHIFTS),
            daily_limit=draw(st.integers(1, 6)),
            levels=draw(
                st.lists(
                    st.builds(SkillLevel, st.sampled_from(SKILLS), st.integers(1, 5), until(now)),
                    max_size=3,
                    unique_by=lambda one: one.skill,
                ).map(tuple)
            ),
            certificates=draw(st.lists(st.builds(Certificate, st.just("paper"), until(now)), max_size=1).map(tuple)),
            territory=draw(st.sampled_from([frozenset(), frozenset({"east"}), frozenset({"west"})])),
            absences=tuple(sorted(draw(st.lists(absences(now), max_size=3)))),
        )
        engineers[f"e-{n}"] = who
        for ahead in draw(st.sets(st.integers(0, HORIZON_DAYS), max_size=4)):
            day = now.astimezone(ZoneInfo(who.zone)).date() + timedelta(days=ahead)
            free_from = datetime.combine(day, time(0), ZoneInfo(who.zone)).astimezone(UTC)
            bookings = []
            for k in range(draw(st.integers(0, 5))):
                starts_at = free_from + timedelta(minutes=draw(st.integers(0, 300)))
                free_from = starts_at + timedelta(minutes=draw(st.integers(1, 200)))
                if day_of(free_from, who.zone) == day.isoformat():
                    bookings.append(visit(starts_at, free_from, draw(PLACES), f"o-{n}-{ahead}-{k}"))
            booked[f"e-{n}"][day.isoformat()] = bookings
    order = work(
        place=draw(PLACES),
        skill=draw(st.sampled_from(SKILLS)),
        urgency=draw(st.sampled_from(["low", "normal", "high", "critical"])),
        duration=timedelta(minutes=draw(st.integers(1, 240))),
        level=draw(st.sampled_from([0, 0, 1, 3])),
        certificates=draw(st.sampled_from([(), (), ("paper",)])),
        region=draw(st.sampled_from(["east", "west"])),
    )
    return order, engineers, booked, now


@settings(max_examples=150, deadline=None)
@given(towns())
def test_no_proposal_breaks_a_hard_rule(town):
    order, engineers, booked, now = town
    ranking = rank(order, engineers, booked, now)
    assert {name for name, _ in ranking.proposals} | ranking.excluded.keys() == engineers.keys()
    for name, found in ranking.proposals:
        who, day = engineers[name], booked[name].get(found.day, [])
        assert order.skill in who.skills or order.device_model in who.skills
        assert not any(away.starts_at < found.ends_at and found.starts_at < away.ends_at for away in who.absences)
        assert broken(order, who, day, found, now, has_declined=False) == ()
        assert len(day) < who.daily_limit
        assert found.ends_at - found.starts_at == order.duration
        assert now <= found.starts_at <= now + timedelta(days=HORIZON_DAYS)
        assert (found.starts_at - datetime(1970, 1, 1, tzinfo=UTC)) % STEP == timedelta(0)
        assert day_of(found.starts_at, who.zone) == found.day
        assert _in_one_shift(who, found)
        before = [booking for booking in day if booking.starts_at < found.ends_at]
        after = [booking for booking in day if booking.starts_at >= found.ends_at]
        origin = before[-1].place if before else who.home
        begun = max(before[-1].ends_at, now) if before else now
        assert found.travel_m == BEELINE.metres(origin, order.place)
        assert begun + BEELINE.time(origin, order.place, begun) <= found.starts_at
        if after:
            assert found.ends_at + BEELINE.time(order.place, after[0].place, found.ends_at) <= after[0].starts_at
        assert found.cost == sum(reason.cost for reason in found.reasons)
    for name, rules in ranking.excluded.items():
        assert set(rules) <= set(get_args(Rule)), name
        assert rules, name
    assert [found.cost for _, found in ranking.proposals] == sorted(found.cost for _, found in ranking.proposals)


def _in_one_shift(who, found):
    local = found.starts_at.astimezone(ZoneInfo(who.zone))
    midnight = datetime.combine(local.date(), time(0), ZoneInfo(who.zone))
    return any(
        (midnight + timedelta(minutes=shift.from_minute)).astimezone(UTC) <= found.starts_at
        and found.ends_at <= (midnight + timedelta(minutes=shift.to_minute)).astimezone(UTC)
        for shift in who.shifts
        if shift.weekday == local.weekday()
    )


@settings(max_examples=30, deadline=None)
@given(towns())
def test_no_start_that_was_passed_over_would_have_been_cheaper(town):
    """Against the plain way, which tries every full five minutes of the horizon."""
    order, engineers, booked, now = town
    name, who = next(iter(engineers.items()))
    # What is out of date by then, the tables of test_rules_of_matching tell.
    who = replace(who, levels=(), certificates=())
    first = now + (datetime(1970, 1, 1, tzinfo=UTC) - now) % STEP
    last = (now.astimezone(ZoneInfo(who.zone)).date() + timedelta(days=HORIZON_DAYS - 1)).isoformat()
    tried = []
    for starts_at in (first + n * STEP for n in range(HORIZON_DAYS * 288)):
        day = day_of(starts_at, who.zone)
        cost = _tried(order, who, booked[name].get(day, []), now, starts_at) if day <= last else None
        if cost is not None:
            tried.append(cost)
    found = best_hours(order, who, booked[name], now)
    assert (found.cost if isinstance(found, Proposal) else None) == min(tried, default=None)


def _tried(order, who, day, now, starts_at):
    ends_at = starts_at + order.duration
    before = [booking for booking in day if booking.starts_at < ends_at]
    after = [booking for booking in day if booking.starts_at >= ends_at]
    metres = BEELINE.metres(before[-1].place if before else who.home, order.place)
    begun = max(before[-1].ends_at, now) if before else now
    slot = Proposal("", starts_at, ends_at, metres, (), 0)
    fits = (
        _in_one_shift(who, slot)
        and not any(away.starts_at < ends_at and starts_at < away.ends_at for away in who.absences)
        and len(day) < who.daily_limit
        and begun + BEELINE.time(before[-1].place if before else who.home, order.place, begun) <= starts_at
        and not (after and ends_at + BEELINE.time(order.place, after[0].place, ends_at) > after[0].starts_at)
    )
    per_hour = {"low": 10, "normal": 30, "high": 90, "critical": 270}[order.urgency]
    waiting = (starts_at - now) // timedelta(seconds=1) * per_hour // 3_600
    added = metres
    if after:
        came_from = before[-1].place if before else who.home
        added += BEELINE.metres(order.place, after[0].place) - BEELINE.metres(came_from, after[0].place)
    return max(0, added) // 100 + 15 * len(day) + waiting if fits else None


# Speed.


def test_a_thousand_engineers_are_ranked_within_a_tenth_of_a_second():
    rng = Random(7)

    def somewhere():
        return Place(39_900_000 + 1_000 * rng.randrange(-250, 250), 116_400_000 + 1_000 * rng.randrange(-300, 300))

    def busy_day(day):
        begin = datetime.combine(day, time(0), UTC)
        return [visit(begin + k * 1.5 * HOUR, begin + k * 1.5 * HOUR + HOUR, somewhere()) for k in range(6)]

    days = [date(2026, 11, 24) + timedelta(days=n) for n in range(3)]
    engineers = {f"e-{n}": engineer(home=somewhere()) for n in range(1_000)}
    booked = {name: {day.isoformat(): busy_day(day) for day in days} for name in engineers}
    took = []
    for _ in range(5):
        begun = process_time()
        assert len(rank(work(place=somewhere()), engineers, booked, NOW).proposals) == 1_000
        took.append(process_time() - begun)
    assert min(took) < 0.1, "matching has become slow: rank() looks at every engineer once, and at no minute"

"""All engineers compared at once are as each of them alone, whatever they have in common, and nobody waits for it."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.dispatcher import Certificate, DispatchRulesSet, Shift, SkillLevel
from dispatcher.commands import PartsInVans
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.glance import Glance
from dispatcher.domain.matching import TURN, Proposal, propose, rank_in_turns
from dispatcher.domain.roster import Roster
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Place
from dispatcher.policies import in_turns
from tests.dispatcher.ranking import rank
from tests.given import NOW

TOWN = st.builds(Place, st.integers(39_800_000, 40_000_000), st.integers(116_300_000, 116_500_000))
SHIFTS = st.sampled_from(
    [
        tuple(Shift(weekday, 480, 1_080) for weekday in range(5)),
        tuple(Shift(weekday, start, start + 240) for weekday in range(7) for start in (480, 780)),
        (Shift(2, 0, 1_440),),
        (),
    ]
)
HOURS = st.integers(-24, 24 * 8).map(lambda hours: NOW + timedelta(hours=hours))


@st.composite
def absences(draw):
    found = []
    for n in range(draw(st.integers(0, 2))):
        starts_at = draw(HOURS)
        found.append(Absence(starts_at, starts_at + timedelta(hours=draw(st.integers(1, 100))), f"a-{n}"))
    return tuple(sorted(found))


ENGINEER = st.builds(
    Registered,
    skills=st.sampled_from([frozenset({"cooling", "heating"})] * 3 + [frozenset({"heating", "KFR"})]),
    home=TOWN,
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin"]),
    shifts=SHIFTS,
    van_id=st.sampled_from(["van-1", "van-2", ""]),
    daily_limit=st.integers(1, 4),
    levels=st.sampled_from([(), (SkillLevel("cooling", 3),), (SkillLevel("cooling", 3, "2026-11-26"),)]),
    certificates=st.sampled_from([(), (Certificate("p"),), (Certificate("p", "2026-11-25"),)]),
    territory=st.sampled_from([frozenset(), frozenset(), frozenset({"b"})]),
    hour_fen=st.sampled_from([0, 8_000]),
    km_fen=st.sampled_from([0, 200]),
    absences=absences(),
)


@st.composite
def days(draw):
    """Bookings that overlap none, by ISO date, by start."""
    found = {}
    for n in range(draw(st.integers(0, 3))):
        first = (NOW + timedelta(days=n)).date()
        at, taken = datetime(first.year, first.month, first.day, tzinfo=UTC), []
        for order in range(draw(st.integers(1, 4))):
            at += timedelta(minutes=5 * draw(st.integers(0, 40)))
            ends_at = at + timedelta(minutes=5 * draw(st.integers(1, 30)))
            taken.append(Booking(at, ends_at, f"o-{n}-{order}", draw(TOWN)))
            at = ends_at
        found[first.isoformat()] = taken
    return found


WORK = st.builds(
    Work,
    order_id=st.just("o-1"),
    skill=st.sampled_from(["cooling", "heating"]),
    device_model=st.sampled_from(["", "KFR 35"]),
    urgency=st.sampled_from(["low", "low", "normal", "critical"]),
    duration=st.sampled_from([timedelta(minutes=30), timedelta(hours=3)]),
    place=TOWN,
    region=st.sampled_from(["a", "b"]),
    level=st.sampled_from([0, 0, 0, 2, 4]),
    certificates=st.sampled_from([(), (), ("p",)]),
    wished=st.sampled_from(["", "e-0", "e-3"]),
)
RULES = st.builds(
    DispatchRulesSet,
    version=st.just(1),
    effective_from=st.just(NOW),
    horizon_days=st.integers(1, 9),
    metres_a_point=st.sampled_from([1, 100, 100_000]),
    points_a_booking=st.sampled_from([0, 15, 600]),
    points_an_hour_low=st.sampled_from([0, 10]),
    points_an_hour_normal=st.sampled_from([0, 30, 3_000]),
    points_a_missing_part=st.sampled_from([0, 50]),
)
PARTS = st.sampled_from([PartsInVans(), PartsInVans(expected=2, held={"van-1": 2, "van-2": 1})])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ENGINEER, days()), max_size=8), WORK, RULES, PARTS, st.sets(st.sampled_from(["e-1", "e-2"])))
def test_everybody_is_ranked_as_she_is_proposed_alone(staff, work, rules, parts, declined):
    engineers = {f"e-{n}": engineer for n, (engineer, _) in enumerate(staff)}
    booked = {f"e-{n}": hers for n, (_, hers) in enumerate(staff)}
    alone = {
        name: _plain(work, name, engineer, booked[name], declined, rules, parts) for name, engineer in engineers.items()
    }
    found = rank(work, engineers, booked, NOW, declined, rules, parts)
    best = sorted([(name, one) for name, one in alone.items() if isinstance(one, Proposal)], key=_by_cost)
    assert found.proposals == tuple(best)
    excluded = {name: one for name, one in alone.items() if not isinstance(one, Proposal)}
    assert found.excluded == excluded
    assert found.excluded.counts() == Counter(rule for rules in excluded.values() for rule in rules)
    roster = Roster(engineers)
    few = rank(work, roster, booked, NOW, declined, rules, parts, 2)
    glanced = rank(work, roster, booked, NOW, declined, rules, parts, 2, glance=Glance(roster))
    assert glanced.proposals == few.proposals
    assert glanced.excluded.items() <= found.excluded.items()
    assert few.proposals == tuple(best[:2])
    # Of her who would be dearer at any rate it may not be known that she has no hours.
    assert few.excluded.items() <= found.excluded.items()
    unknown = found.excluded.keys() - few.excluded.keys()
    assert {found.excluded[one] for one in unknown} <= {("hours",), ("limit",), ("absent",), ("shift",)}
    assert len(few.proposals) == 2 or not unknown


def _plain(work, name, engineer, booked, declined, rules, parts):
    """Day by day, so that nothing is passed over for being dearer; the first of the cheapest days."""
    whole = propose(work, name, engineer, booked, NOW, declined, rules, parts)
    by_day = []
    for n in range(-1, rules.horizon_days + 1):
        day = (NOW + timedelta(days=n)).date().isoformat()
        by_day.append(propose(work, name, engineer, booked, NOW, declined, rules, parts, (day,)))
    hours = [one for one in by_day if isinstance(one, Proposal)]
    return min(hours, key=lambda one: one.cost) if hours else whole


def _by_cost(one):
    return one[1].cost, one[0]


def test_others_are_answered_while_a_thousand_are_compared():
    shifts = tuple(Shift(weekday, 480, 1_080) for weekday in range(7))
    engineers = {
        f"e-{n}": Registered(frozenset({"cooling"}), Place(39_900_000 + n, 116_400_000), "Asia/Shanghai", shifts, "", 9)
        for n in range(1_000)
    }
    work = Work("o-1", "cooling", "", "normal", timedelta(hours=1), Place(39_900_000, 116_400_000))
    turns = [0]

    async def other():
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    async def both():
        beside = asyncio.create_task(other())
        ranking = await in_turns(rank_in_turns(work, engineers, {}, NOW, most=8))
        beside.cancel()
        return ranking

    begun = time.process_time()
    ranking = asyncio.run(both())
    print(f"{(time.process_time() - begun) * 1_000:.1f} ms for 1,000, in {1_000 // TURN} turns")
    assert ranking == rank(work, engineers, {}, NOW, most=8)
    assert turns[0] >= 1_000 // TURN - 1

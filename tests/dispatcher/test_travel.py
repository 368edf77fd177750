"""Ways are learned from departures and arrivals, by hour and area; few drives and wrong ones move nothing."""

import asyncio
from datetime import timedelta
from random import Random
from statistics import median

import msgspec
import pytest

from contracts.dispatcher import DecisionRecorded, HoursBooked, OrderAssigned, TravelLearned
from contracts.fieldwork import EngineerArrived, EngineerDeparted
from contracts.problems import Rejected
from dispatcher.commands import HoldSlot, LearnTravel, SlotPlace, WaysOfMap
from dispatcher.domain.again import again, reads
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.learned_travel import LEAST_DRIVES, Drive, decide, learn
from dispatcher.domain.matching import Proposal, best_hours, broken
from dispatcher.domain.travel import BEELINE, Estimate, Learned, Place, beeline_m
from dispatcher.learning import drives_of, when_somebody_arrives
from dispatcher.policies import when_engineer_has_time, when_order_waits
from dispatcher.service import RULES
from services.chassis.journal.work import Ask
from tests.chassis.test_maps import serving
from tests.dispatcher import test_running
from tests.dispatcher.examples import TODAY, TOMORROW, assign, at, booked, freed, opened, registered
from tests.dispatcher.test_decisions import states_after
from tests.dispatcher.test_matching import engineer, work
from tests.dispatcher.test_policies import Views
from tests.fold import assert_same_rows_shuffled, enveloped
from tests.given import NOW, spec_for

given = spec_for(RULES)
told = test_running.told

CENTRE, SUBURB = Place(39_950_000, 116_450_000), Place(39_650_000, 116_750_000)
RUSH = {0, 1, 9, 10, 11}
"""Hours of UTC: eight and nine, five to seven in Shanghai."""


def truth(start, hour):
    """Microseconds a metre: slow in the centre, slower at rush hours."""
    return (260_000 if start.lat_udeg > 39_800_000 else 90_000) * (1.5 if hour in RUSH else 1)


def driven(chance, count):
    """Drives with a spread of a fifth, every twentieth with a forgotten button."""
    found = []
    for _ in range(count):
        middle = chance.choice([CENTRE, SUBURB])
        start, to = (Place(*[udeg + chance.randrange(-35_000, 35_000) for udeg in middle]) for _ in range(2))
        departed = at(0, day=1) + timedelta(minutes=chance.randrange(28 * 24 * 60))
        seconds = beeline_m(start, to) * truth(start, departed.hour) / 1e6 * chance.lognormvariate(0, 0.2)
        seconds *= 8 if chance.random() < 0.05 else 1
        arrived = departed + timedelta(seconds=seconds)
        found.append(Drive(start, to, departed, arrived, arrived - timedelta(minutes=chance.randrange(-30, 60))))
    return found


def learned(paces, **facts):
    names = {name: getattr(paces, name) for name in ("everywhere", "hours", "areas", "early_s", "late_s", "drives")}
    return Learned(TravelLearned(**{"version": 1, "learned_at": NOW, "since": NOW} | names | facts))


def flat(us_a_metre, **hours):
    """The same everywhere, but for some hours."""
    paces = tuple(hours.get(f"h{hour}", us_a_metre) for hour in range(24))
    return TravelLearned(version=1, learned_at=NOW, since=NOW, drives=99, everywhere=us_a_metre, hours=paces)


def error(ways, drives):
    """The median of how far an estimate is off, as a part of the drive."""
    off = []
    for one in drives:
        took = (one.arrived_at - one.departed_at).total_seconds()
        off.append(abs(ways.time(one.start, one.to, one.departed_at).total_seconds() - took) / took)
    return median(off)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_learned_tells_the_drives_to_come(seed):
    chance = Random(seed)
    past, to_come = driven(chance, 3_000), driven(chance, 600)
    ways = Estimate(learned=learned(learn(past, DEFAULTS)))
    before, after = error(BEELINE, to_come), error(ways, to_come)
    print(f"seed {seed}: the rules' speed is off by {before:.0%} of a drive, what was learned by {after:.0%}")
    # The spread of a fifth alone is off by 13 %.
    assert after < 0.2 < before


def test_of_few_drives_nothing_is_learned_and_of_some_little():
    chance = Random(1)
    drives = driven(chance, 400)
    assert learn(drives[: LEAST_DRIVES - 1], DEFAULTS) is None
    paces = learn([one for one in drives if one.start.lat_udeg > 39_800_000][:60], DEFAULTS)
    # 60 drives at 300 against the 156 of the rules, which weigh as 20.
    assert 220_000 < paces.everywhere < 320_000
    night = paces.hours[19]
    assert abs(night - paces.everywhere) < 0.25 * paces.everywhere


def test_a_lunch_on_the_way_and_a_forgotten_button_move_nothing():
    chance = Random(2)

    def lasting(us_a_metre, count):
        """Drives in one area in one hour, all at this pace."""
        for one in driven(chance, count):
            departed, to = at(12, day=1), Place(one.start.lat_udeg + 20_000, one.start.lon_udeg)
            took = timedelta(seconds=beeline_m(one.start, to) * us_a_metre / 1e6)
            yield Drive(one.start, to, departed, departed + took, departed)

    drives = [*lasting(200_000, 100)]
    wrong = [*lasting(440_000, 15), *lasting(9_000_000, 30), *lasting(0, 30)]
    right = learn(drives, DEFAULTS).everywhere
    assert abs(learn([*drives, *wrong], DEFAULTS).everywhere - right) < 0.02 * right


def test_arrivals_are_told_by_the_tenths_that_were_early_and_late():
    paces = learn(driven(Random(3), 4_000), DEFAULTS)
    assert (round(paces.early_s / 60), round(paces.late_s / 60)) == pytest.approx((21, 51), abs=3)


def test_the_rules_say_the_speed_where_nothing_is_learned():
    rules = msgspec.structs.replace(DEFAULTS, km_an_hour=60, detour_percent=200)
    ways, north = Estimate.by(rules, None), Place(40_000_000, 116_400_000)
    shop = Place(39_900_000, 116_400_000)
    assert (ways.metres(shop, north), ways.time(shop, north, NOW)) == (22_239, timedelta(minutes=22, seconds=15))


# What is decided by it.


FAR = Place(39_990_000, 116_400_000)
"""Ten kilometres of beeline to the north."""


def test_who_would_be_late_at_rush_hour_is_not_sent_then():
    slow = Estimate(learned=Learned(flat(156_000, h9=700_000)))
    before = best_hours(work(place=FAR), engineer(), {}, NOW)
    found = best_hours(work(place=FAR), engineer(), {}, NOW, ways=slow)
    assert (before.starts_at, found.starts_at) == (at(17, 30), at(19))
    assert broken(work(place=FAR), engineer(), [], before, NOW, False, slow) == ("hours",)
    assert broken(work(place=FAR), engineer(), [], found, NOW, False, slow) == ()


@pytest.mark.parametrize("seed", range(30))
def test_what_is_proposed_breaks_no_rule_by_the_same_ways(seed):
    chance = Random(seed)
    hours = {f"h{hour}": chance.randrange(50_000, 600_000) for hour in range(24)}
    ways, booking, day = Estimate(learned=Learned(flat(156_000, **hours))), [], at(8, day=25)
    for number in range(chance.randrange(5)):
        day += timedelta(minutes=5 * chance.randrange(12, 40))
        place = Place(39_900_000 + chance.randrange(-90_000, 90_000), 116_400_000)
        booking.append(Booking(day, day + timedelta(minutes=30), f"o-{number + 5}", place))
    order = work(place=FAR, duration=timedelta(minutes=30))
    found = best_hours(order, engineer(), {TOMORROW: booking}, NOW, (TOMORROW,), ways=ways)
    if isinstance(found, Proposal):
        assert broken(order, engineer(), booking, found, NOW, False, ways) == ()


HISTORY = (
    registered("e-1", home_lat_udeg=39_990_000),
    opened(),
    booked("e-1", order_id="o-7", starts_at=at(19, 45), ends_at=at(20)),
)


def test_a_decision_cites_what_was_learned_and_is_decided_the_same_again():
    past = (*HISTORY, flat(600_000))
    [record, *_] = given(*past).when(assign(("e-1", TODAY)))._events()
    assert (record.travel_version, record.travel_by) == (1, "")
    assert again(record, states_after(*past, streams=reads(record))) == record
    newer = states_after(*past, msgspec.structs.replace(flat(156_000), version=2), streams=reads(record))
    assert again(record, newer) != record


def test_what_a_map_said_is_in_what_was_asked_and_needs_no_map_again():
    told = WaysOfMap(source="osrm", ways=((39_990_000, 116_400_000, 39_900_000, 116_400_000, 14_000, 5_400),))
    [record, given_to, *_] = given(*HISTORY).when(assign(("e-1", TODAY), ways=told))._events()
    assert (record.travel_by, given_to.travel_m) == ("osrm", 14_000)
    assert record.starts_at == at(18, 30)  # ninety minutes from home
    assert again(record, states_after(*HISTORY, streams=reads(record))) == record


# From visits to what is learned.


def visit(number, start_minute, minutes, engineer_id="e-1"):
    facts = {"visit_id": f"v-{number}", "order_id": f"o-{number}", "request_id": f"r-{number}"}
    facts |= {"engineer_id": engineer_id}
    departed = NOW - timedelta(days=1) + timedelta(minutes=start_minute)
    arrived = departed + timedelta(minutes=minutes)
    yield opened(order_id=f"o-{number}", request_id=f"r-{number}", lat_udeg=FAR.lat_udeg if number % 2 else 39_900_000)
    yield EngineerDeparted(**facts, departed_at=departed)
    yield EngineerArrived(**facts, planned_at=arrived, arrived_at=arrived)


def visits(count, minutes=30):
    return [registered("e-1"), *[event for n in range(1, count + 1) for event in visit(n, 40 * n - 200, minutes)]]


def asked(*events):
    *_, (event, envelope) = enveloped(events)
    return asyncio.run(when_somebody_arrives(event, envelope, Views(*events)))


def test_when_somebody_arrives_the_last_month_is_looked_at_once_a_day():
    few, enough = visits(LEAST_DRIVES - 1), visits(LEAST_DRIVES)
    assert asked(*few) == []
    [command] = asked(*enough)
    assert (command.drives, command.everywhere) == (LEAST_DRIVES, pytest.approx(172_000, abs=3_000))
    [event] = given().when(command).then_types(TravelLearned)
    assert asked(event, *enough) == []
    assert decide({"travel": Learned(event)}, command) == []
    later = command.model_copy(update={"now": NOW + timedelta(days=1)})
    assert [one.version for one in decide({"travel": Learned(event)}, later)] == [2]


def test_she_departs_from_her_last_visit_and_after_a_night_from_home():
    def row(departed, arrived, lat=39_990_000):
        minute = 60_000_000
        facts = {"engineer_id": "e-1", "planned_at": 0, "lat_udeg": lat, "lon_udeg": 116_400_000}
        return facts | {"departed_at": departed * minute, "arrived_at": arrived * minute}

    rows = [row(1_000, 1_030), row(1_100, 1_130, 39_900_000), row(1_120, 1_140), row(2_400, 2_430)]
    home = engineer().home
    starts = [one.start for one in drives_of(rows, {"e-1": engineer()})]
    # The third departed before she had arrived at the second: nobody knows whence.
    assert starts == [home, FAR, home]


def test_drives_are_the_same_in_any_order():
    from dispatcher.projections.travel import DRIVES

    assert_same_rows_shuffled(DRIVES, visits(4)[1:], seed=5)


def test_a_command_reads_back():
    [command] = asked(*visits(LEAST_DRIVES))
    assert LearnTravel.model_validate_json(command.model_dump_json()) == command


def table(method, path, query, body):
    """The map knows of a bridge: from the shop itself it is an hour, from the other home a minute."""
    spots = path.rpartition("/")[2].split(";")
    seconds = [[0 if a == b else 60 if "39.93" in a + b else 3_600 for b in spots] for a in spots]
    return 200, {"code": "Ok", "durations": seconds, "distances": seconds}


def test_the_ways_of_the_best_candidates_are_asked_of_the_map_before_it_is_decided():
    far, near = registered("e-1"), registered("e-2", home_lat_udeg=39_930_000)
    events = [far, near, opened(lat_udeg=39_910_000)]
    *_, (event, envelope) = enveloped(events)
    with serving(table) as (url, seen):
        views = Views(*events)
        views.outside = {"map": f"osrm:{url}"}
        [asked_for] = asyncio.run(when_order_waits(event, envelope, views))
        views.outside = {"map": "osrm:http://127.0.0.1:9"}
        [alone] = asyncio.run(when_order_waits(event, envelope, views))
    assert (len(seen), asked_for.ways.source, alone.ways) == (1, "osrm", None)
    assert type(asked_for).model_validate_json(asked_for.model_dump_json(exclude_defaults=True)) == asked_for
    chosen = [given(*events).when(one)._events()[0].engineer_id for one in (asked_for, alone)]
    assert chosen == ["e-2", "e-1"]


def test_what_an_engineer_is_given_who_has_time_again_goes_by_the_map_too():
    events = [registered("e-1"), opened(lat_udeg=39_910_000), booked(order_id="o-8"), freed(order_id="o-8")]
    *_, (event, envelope) = enveloped(events)
    with serving(table) as (url, _):
        views = Views(*events)
        views.outside = {"map": f"osrm:{url}"}
        [asked_for] = asyncio.run(when_engineer_has_time(event, envelope, views))
    assert asked_for.ways.source == "osrm"
    _, assigned, _ = given(*events).when(asked_for).then_types(DecisionRecorded, OrderAssigned, HoursBooked)
    assert (assigned.travel_m, assigned.starts_at) == (3_600, NOW + timedelta(hours=1))


def test_who_is_proposed_is_compared_by_the_map_and_it_says_which(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=39_930_000)
        await desk.open(lat_udeg=39_910_000)
        await desk.quiet()
        found = await desk.get("/v1/orders/o-1/candidates")
        assert ([one["engineer_id"] for one in found["candidates"]], found["travel_by"]) == (["e-1", "e-2"], "")
        with serving(table) as (url, _):
            desk.running.outside = {"map": f"osrm:{url}"}
            found = await desk.get("/v1/orders/o-1/candidates")
        assert ([one["engineer_id"] for one in found["candidates"]], found["travel_by"]) == (["e-2", "e-1"], "osrm")
        assert [one["travel_m"] for one in found["candidates"]] == [60, 3_600]

    told(story)


def test_slots_are_offered_and_held_by_the_map(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open(lat_udeg=39_910_000)
        await desk.quiet()
        path = "/v1/orders/o-1/slots"
        early = [one["opens_at"] for one in await desk.get(path)]
        with serving(lambda *asked: (200, three_hours(asked[1]))) as (url, _):
            desk.running.outside = {"map": f"osrm:{url}"}
            by_map = [one["opens_at"] for one in await desk.get(path)]
            # It is five; she is there at eight, when her shift ends.
            gone = await desk.call("POST", path, opens_at=at(18).isoformat())
            assert (gone.status_code, gone.json()["code"]) == (409, "slot.taken")
            held = await desk.call("POST", path, opens_at=at(8, day=25).isoformat())
            assert held.status_code == 200, held.text
            # What was offered by the map is held by it, also where the estimate would allow it.
            place = SlotPlace(engineer_id="e-1", day=TODAY, starts_at=at(18))
            asked = HoldSlot(slot_id="s-9", order_id="o-1", places=(place,), now=NOW)
            known = {"source": "osrm", "ways": ((39_900_000, 116_400_000, 39_910_000, 116_400_000, 9_000, 10_800),)}
            with pytest.raises(Rejected):
                by_roads = asked.model_copy(update={"ways": WaysOfMap(**known)})
                await desk.running.ask(Ask(command=by_roads, tenant="t-1", actor="test", caller="test"))
            await desk.running.ask(Ask(command=asked, tenant="t-1", actor="test", caller="test"))
        assert {*early} - {*by_map} == {f"{at(18):%Y-%m-%dT%H:%M:%SZ}"}

    told(story, policies=())  # It waits.


def three_hours(path):
    count = len(path.split(";"))
    seconds = [[0 if a == b else 3 * 3_600 for b in range(count)] for a in range(count)]
    return {"code": "Ok", "durations": seconds, "distances": seconds}

"""A disturbed day, repaired: as few promised hours change as can be, and what a person changed meanwhile wins."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from contracts.dispatcher import (
    HoursBooked,
    HoursFreed,
    OrderAssigned,
    OrderReassigned,
    ReplanDone,
    Shift,
)
from dispatcher.commands import OrderMove, Replan
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import broken
from dispatcher.domain.repair import Repair, Standing
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Place
from dispatcher.service import RULES
from tests.dispatcher import test_running
from tests.dispatcher.examples import TODAY, assigned, at, booked, opened, registered, started
from tests.dispatcher.test_decisions import DecisionRecorded
from tests.given import NOW, spec_for

told = test_running.told
given = spec_for(RULES, besides=(DecisionRecorded,))

SHOP = Place(39_900_000, 116_400_000)
DAY_SHIFTS = tuple(Shift(weekday, 480, 1_200) for weekday in range(7))
ONE_DAY = DEFAULTS.__class__(version=0, effective_from=NOW, horizon_days=1)


def engineer(**changes):
    facts = {"skills": frozenset({"cooling"}), "home": SHOP, "zone": "Asia/Shanghai", "shifts": DAY_SHIFTS}
    return Registered(**facts | {"van_id": "", "daily_limit": 10} | changes)


def work(order_id, urgency="normal", minutes=60, **changes):
    return Work(order_id, "cooling", "", urgency, timedelta(minutes=minutes), SHOP, **changes)


def town(engineers, *placed):
    """(order, engineer, hour) → what stands and what is booked."""
    booked_hours, standing = defaultdict(lambda: defaultdict(list)), {}
    for one, name, starts_at in placed:
        booked_hours[name][TODAY].append(Booking(starts_at, starts_at + one.duration, one.order_id, one.place))
        booked_hours[name][TODAY].sort()
        standing[one.order_id] = Standing(one, name, TODAY, starts_at)
    return booked_hours, standing


def repaired(engineers, placed, affected, rules=ONE_DAY, **how):
    hours, standing = town(engineers, *placed)
    return Repair(engineers, hours, standing, NOW, rules).run(affected, **how)


# The search.


def test_the_promised_hours_are_kept_where_somebody_is_free_then():
    first = work("o-1")
    away = engineer(absences=(Absence(NOW, at(23), "a-1"),))
    far = engineer(home=Place(39_990_000, 116_400_000))
    found = repaired({"ill": away, "far": far}, [(first, "ill", at(18))], [first])
    move = found.moves["o-1"]
    # The cheapest hours of hers would be at half past five.
    assert (move.engineer_id, move.proposal.starts_at, move.keeps_hours, found.changed) == ("far", at(18), True, 0)


def test_where_nobody_is_free_then_other_hours_are_found():
    first, other = work("o-1"), work("o-2")
    staff = {"ill": engineer(absences=(Absence(NOW, at(23), "a-1"),)), "well": engineer()}
    found = repaired(staff, [(first, "ill", at(18)), (other, "well", at(18))], [first])
    assert (found.moves["o-1"].proposal.starts_at, found.changed) == (at(17), 1)
    assert list(found.moves) == ["o-1"]


FULL = [(work(f"o-{n}", "low"), "well", at(17 + n)) for n in range(3)]


def test_an_urgent_order_takes_the_hours_of_one_that_finds_others():
    urgent = work("o-9", "critical")
    staff = {"well": engineer(), "other": engineer(skills=frozenset({"cooling"}), territory=frozenset({"west"}))}
    west = [(replace(one, region="west"), name, hour) for one, name, hour in FULL]
    found = repaired(staff, west, [urgent])
    moved = {name: (one.engineer_id, one.keeps_hours) for name, one in found.moves.items()}
    # The visit of o-0 begins just now.
    assert moved == {"o-1": ("other", True), "o-9": ("well", False)}
    assert (found.changed, found.left) == (0, {})


def test_hours_are_not_taken_from_an_order_as_urgent_nor_from_one_that_is_locked():
    urgent = work("o-9", "critical")
    staff = {"well": engineer(), "other": engineer(territory=frozenset({"west"}))}
    alike = [(replace(one, region="west", urgency="critical"), name, hour) for one, name, hour in FULL]
    assert repaired(staff, alike, [urgent]).left == {"o-9": ("hours", "territory")}
    hours, standing = town(staff, *[(replace(one, region="west"), name, hour) for one, name, hour in FULL])
    locked = {name: one._replace(locked=True) for name, one in standing.items()}
    found = Repair(staff, hours, locked, NOW, ONE_DAY).run([urgent])
    assert (found.moves, found.left) == ({}, {"o-9": ("hours", "territory")})


def test_an_order_that_waits_for_a_part_goes_where_it_is_there():
    first = work("o-1")
    found = repaired({"well": engineer()}, [(first, "well", at(17))], [first], not_before={"o-1": at(18, 30)})
    assert found.moves["o-1"].proposal.starts_at == at(18, 30)


def test_whatever_is_moved_keeps_every_rule_and_what_is_not_affected_stays():
    for seed in range(15):
        chance = Random(seed)
        staff, placed, n = {}, [], 0
        for name in (f"e-{i}" for i in range(6)):
            staff[name] = engineer(daily_limit=chance.randrange(2, 5))
            hour = at(17)
            while (hour := hour + timedelta(minutes=5 * chance.randrange(20))) < at(18, 30):
                one = work(f"o-{(n := n + 1)}", chance.choice(("low", "normal", "high")), 30)
                placed.append((one, name, hour))
                hour += one.duration
        staff["e-0"] = replace(staff["e-0"], absences=(Absence(NOW, at(23), "a"),))
        affected = [one for one, name, _ in placed if name == "e-0"] + [work("new", "critical")]
        found = repaired(staff, placed, affected)
        hours, standing = town(staff, *placed)
        for name, move in found.moves.items():
            if move.before:
                hers = hours[move.before.engineer_id][TODAY]
                hers[:] = [one for one in hers if one.order_id != name]
        for name, move in found.moves.items():
            hers = hours[move.engineer_id][move.proposal.day]
            one = standing[name].work if name in standing else affected[-1]
            assert not broken(one, staff[move.engineer_id], hers, move.proposal, NOW, False), (seed, name)
            hers.append(Booking(move.proposal.starts_at, move.proposal.ends_at, name, one.place))
            hers.sort()
            assert all(a.ends_at <= b.starts_at for a, b in pairwise(hers)), seed
        urgencies = {one.order_id: one.urgency for one, _, _ in placed}
        giving = found.moves.keys() - {one.order_id for one in affected}
        assert len(giving) <= len(affected) and all(urgencies[name] != "critical" for name in giving)
        assert {one.order_id for one in affected} == {
            *(found.moves.keys() - giving),
            *found.left,
        }, seed


# The step.


def replan(*moves, **changes):
    return Replan(**{"replan_id": "p-1", "cause": "absence", "moves": moves, "now": NOW} | changes)


def move(order_id="o-1", to="e-2", starts_at=NOW, source="e-1"):
    before = {"from_engineer_id": source, "from_day": TODAY, "from_starts_at": NOW} if source else {}
    return OrderMove(order_id=order_id, engineer_id=to, day=TODAY, starts_at=starts_at, **before)


HERS = (registered(), registered("e-2"), opened(), assigned(), booked())


def test_a_move_frees_and_books_in_one_step():
    freed, moved, hours, done = (
        given(*HERS).when(replan(move())).then_types(HoursFreed, OrderReassigned, HoursBooked, ReplanDone)
    )
    assert (moved.from_engineer_id, moved.engineer_id, moved.frees, moved.chosen_by) == ("e-1", "e-2", None, "rule")
    assert (freed.engineer_id, hours.engineer_id, done.moved, done.hours_changed) == ("e-1", "e-2", ("o-1",), 0)
    given(*HERS, done).when(replan(move())).then_nothing()


def test_two_may_change_places():
    second = {"order_id": "o-2", "request_id": "r-2"}
    both = (*HERS, opened(**second), assigned("e-2", **second), booked("e-2", order_id="o-2"))
    events = (
        given(*both)
        .when(replan(move(), move("o-2", "e-1", source="e-2")))
        .then_types(HoursFreed, HoursFreed, OrderReassigned, HoursBooked, OrderReassigned, HoursBooked, ReplanDone)
    )
    assert events[-1].moved == ("o-1", "o-2")


@pytest.mark.parametrize(
    ("story", "why"),
    [
        ((*HERS[:3], assigned("e-2"), booked("e-2")), "changed-meanwhile"),
        ((*HERS[:4], booked(starts_at=at(19), ends_at=at(20))), "changed-meanwhile"),
        ((*HERS, started()), "under-way"),
        ((*HERS, booked("e-2", order_id="o-7")), "hours-taken"),
        ((*HERS[:3], assigned(though_absent=("a-1",)), booked()), "known-absence"),
    ],
    ids=["given to another", "moved", "departed", "taken", "known"],
)
def test_what_a_person_changed_meanwhile_stays_with_the_reason(story, why):
    [done] = given(*story).when(replan(move(), absence_id="a-1")).then_types(ReplanDone)
    assert (done.moved, [(one.order_id, one.why) for one in done.unmoved]) == ((), [("o-1", why)])


def test_who_needed_hours_that_are_not_given_up_stays_too():
    """o-1 was to go where o-2 is; o-2 has departed."""
    second = {"order_id": "o-2", "request_id": "r-2"}
    both = (*HERS, opened(**second), assigned("e-2", **second), booked("e-2", order_id="o-2"), started(**second))
    [done] = (
        given(*both).when(replan(move("o-2", "e-1", source="e-2", starts_at=at(19)), move())).then_types(ReplanDone)
    )
    assert {one.order_id: one.why for one in done.unmoved} == {"o-2": "under-way", "o-1": "hours-taken"}


def test_an_order_that_waits_is_given_to_somebody():
    moved, _, done = given(*HERS[:3]).when(replan(move(source=""))).then_types(OrderAssigned, HoursBooked, ReplanDone)
    assert (moved.engineer_id, done.moved, done.hours_changed) == ("e-2", ("o-1",), 0)


def test_the_record_is_decided_again_the_same():
    from dispatcher.domain.again import again, reads
    from tests.dispatcher.test_decisions import decided, states_after

    record = decided(replan(move()), *HERS)
    assert (record.command, record.engineer_id) == ("Replan", "e-2")
    assert again(record, states_after(*HERS, streams=reads(record))) == record


# As it runs.


def test_who_is_ill_is_replaced_at_the_promised_hours_and_only_her_orders_move(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=39_990_000)
        await desk.quiet()
        await desk.open("o-1")
        await desk.quiet()
        before = await desk.order("o-1")
        assert before["engineer_id"] == "e-1"
        times = {"starts_at": NOW.isoformat(), "ends_at": (NOW + timedelta(hours=9)).isoformat()}
        await desk.open("o-2")
        await desk.quiet()
        other = await desk.order("o-2")
        answer = await desk.call("POST", "/v1/engineers/e-1/absences", reason="fever", **times)
        assert answer.status_code in (200, 201), answer.text
        await desk.quiet()
        after = await desk.order("o-1")
        assert (after["engineer_id"], after["chosen_by"], after["state"]) == ("e-2", "rule", "assigned")
        assert after["note"].startswith("absence")
        second = await desk.order("o-2")
        assert second == other or second["engineer_id"] == "e-2"

    told(story)


def test_a_visit_that_runs_over_moves_what_she_cannot_reach(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.quiet()
        await desk.open("o-1")
        await desk.open("o-2")
        await desk.quiet()
        await desk.register("e-2")
        await desk.quiet()
        until = (NOW + timedelta(minutes=40)).isoformat()
        told_of = await desk.call(
            "POST", "/v1/replans", cause="overrun", engineer_id="e-1", from_at=until, note="stuck"
        )
        assert told_of.status_code == 200, told_of.text
        done = await desk.get(f"/v1/replans/{told_of.json()['id']}")
        first = {one: await desk.order(one) for one in ("o-1", "o-2")}
        early = [one for one, order in first.items() if order["starts_at"].startswith("2026-11-24T09:00")]
        assert done["moved"] == early and first[early[0]]["engineer_id"] == "e-2"
        assert (done["hours_changed"], done["unmoved"], done["left"]) == (0, [], [])
        missing = await desk.call("POST", "/v1/replans", cause="overrun", engineer_id="e-1")
        assert (missing.status_code, missing.json()["code"]) == (422, "replan.from-at-missing")

    told(story)

"""Bookable slots: each with a grade, held for some minutes, and nothing is sold twice."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from contracts.dispatcher import HoursBooked, HoursFreed, OrderAssigned, OrderReassigned, SlotBooked, SlotHeld
from dispatcher.commands import BookSlot, HoldSlot, LearnTravel, ReleaseSlot, SlotPlace
from dispatcher.domain.calendars import calendar_of
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.roster import Roster
from dispatcher.domain.slots import BAND, booked_as, offered
from dispatcher.domain.travel import Place
from dispatcher.service import RULES
from services.chassis.journal.work import Ask
from tests.dispatcher import test_running
from tests.dispatcher.examples import TODAY, assigned, at, booked, freed, opened, registered, started
from tests.dispatcher.test_matching import SHOP, engineer, work
from tests.given import NOW, spec_for
from tests.sla.desk import OFFICE
from tests.sla.examples import calendar_defined

told = test_running.told
given = spec_for(RULES)
FAR = Place(40_200_000, 116_400_000)


def slots_of(staff, hours=None, days=2):
    return offered(work(), Roster(staff), hours or {}, NOW, "Asia/Shanghai", days, DEFAULTS)


def test_there_is_a_slot_for_each_band_in_which_somebody_can_come():
    found = slots_of({"e-1": engineer()})
    assert [one.opens for one in found] == [at(18), *[at(hour, day=25) for hour in range(8, 20, 2)]]
    assert all(one.closes - one.opens == BAND for one in found)
    assert [one.places[0].proposal.starts_at for one in found[:2]] == [at(18), at(8, day=25)]


def test_a_slot_beside_what_is_booked_is_graded_better_than_a_way_of_its_own():
    far_home = engineer(home=FAR)
    beside = {"e-1": {"2026-11-25": [Booking(at(9, day=25), at(10, day=25), "o-9", SHOP)]}}
    grades = {one.opens: one.grade for one in slots_of({"e-1": far_home}, beside)}
    assert (grades[at(10, day=25)], grades[at(18)]) == ("A", "C")


def test_a_band_that_is_full_is_not_offered():
    full = {"e-1": {TODAY: [Booking(at(17), at(20), "o-9", SHOP)]}}
    assert at(18) not in [one.opens for one in slots_of({"e-1": engineer()}, full)]


def by_hours(rules=DEFAULTS):
    """Tuesday evening and Wednesday, of one who works from eight to eight."""
    found = offered(
        work(), Roster({"e-1": engineer()}), {}, NOW, "Asia/Shanghai", 2, rules, hours=calendar_of(calendar_defined())
    )
    return {one.opens: one.outside_hours for one in found}


def test_what_only_a_shift_allows_is_marked_as_outside_the_hours_of_the_company():
    marked = [opens for opens, outside in by_hours().items() if outside]
    # From eight to ten the office opens meanwhile.
    assert marked == [at(18), at(18, day=25)]
    assert not any(one.outside_hours for one in slots_of({"e-1": engineer()}))


def test_the_rules_can_leave_it_out():
    within = by_hours(msgspec.structs.replace(DEFAULTS, slots_outside=False))
    assert list(within) == [at(hour, day=25) for hour in range(8, 18, 2)]
    assert not any(within.values())


@pytest.mark.parametrize(
    ("defined", "named", "marked"),
    [((), "", False), (("office",), "", True), (("office", "shop"), "", False), (("office", "shop"), "office", True)],
)
def test_the_hours_are_those_of_the_calendar_that_the_rules_name_or_of_the_only_one(told, defined, named, marked):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        for name in defined:
            answer = await desk.call("POST", "/v1/calendars", role="operator", **OFFICE | {"calendar_id": name})
            assert answer.status_code == 201, answer.text
        if named:
            answer = await desk.call("POST", "/v1/dispatch-rules", role="manager", slots_calendar=named)
            assert answer.status_code == 200, answer.text
        await desk.quiet()
        slots = await desk.get("/v1/orders/o-1/slots?days=2")
        night = [one["outside_hours"] for one in slots if datetime.fromisoformat(one["opens_at"]) == at(18, day=25)]
        assert night == [marked]

    told(story)


def test_a_calendar_that_is_not_there_is_named(told):
    async def story(desk):
        answer = await desk.call("POST", "/v1/dispatch-rules", role="manager", slots_calendar="night")
        assert (answer.status_code, answer.json()["code"]) == (422, "dispatch-rules.calendar-unknown")
        assert answer.json()["errors"][0]["field"] == "slots_calendar", answer.text

    told(story)


# The streams decide.

PLACE = SlotPlace(engineer_id="e-1", day=TODAY, starts_at=at(18))
HOLD = HoldSlot(slot_id="s-1", order_id="o-1", places=(PLACE,), now=NOW)
BOOK = BookSlot(slot_id="s-1", order_id="o-1", engineer_id="e-1", day=TODAY, now=NOW)
HELD = SlotHeld(
    slot_id="s-1",
    order_id="o-1",
    engineer_id="e-1",
    day=TODAY,
    starts_at=at(18),
    ends_at=at(19),
    held_until=NOW + timedelta(minutes=10),
)
KEPT = booked(order_id=booked_as("s-1"), starts_at=at(18), ends_at=at(19))


def test_a_held_slot_takes_the_hours_of_the_engineer():
    given(registered(), opened()).when(HOLD).then(HELD, KEPT)
    given(registered(), opened(), HELD, KEPT).when(HOLD).then_nothing()


def test_who_comes_second_has_the_next_engineer_or_none():
    another = HOLD.model_copy(update={"slot_id": "s-2"})
    given(registered(), opened(), HELD, KEPT).when(another).then_rejected("slot.taken")
    second = PLACE.model_copy(update={"engineer_id": "e-2"})
    both = another.model_copy(update={"places": (PLACE, second)})
    story = (registered(), registered("e-2"), opened(), HELD, KEPT)
    held, _ = given(*story).when(both).then_types(SlotHeld, HoursBooked)
    assert held.engineer_id == "e-2"


def test_a_booked_slot_is_the_orders():
    _, free, given_to, hours = (
        given(registered(), opened(), HELD, KEPT)
        .when(BOOK)
        .then_types(SlotBooked, HoursFreed, OrderAssigned, HoursBooked)
    )
    assert (free.order_id, hours.order_id, hours.starts_at) == ("slot:s-1", "o-1", at(18))
    assert (given_to.engineer_id, given_to.chosen_by) == ("e-1", "person")


def test_an_order_that_somebody_has_moves_to_the_slot_and_its_hours_are_free():
    had = (registered(), opened(), assigned("e-2", starts_at=at(17)), booked("e-2"), HELD, KEPT)
    book = BOOK.model_copy(update={"from_engineer_id": "e-2", "from_day": TODAY})
    _, _, back, moved, _ = (
        given(*had).when(book).then_types(SlotBooked, HoursFreed, HoursFreed, OrderReassigned, HoursBooked)
    )
    assert (back, moved.from_engineer_id, moved.engineer_id) == (freed("e-2"), "e-2", "e-1")


@pytest.mark.parametrize(
    ("story", "code"),
    [
        ((opened(),), "slot.over"),
        ((opened(), HELD, SlotBooked(slot_id="s-1", order_id="o-1")), "slot.over"),
        ((opened(), assigned("e-2"), HELD), "order.already-assigned"),
        ((opened(), assigned(), started(), HELD), "order.under-way"),
    ],
)
def test_a_slot_that_is_over_or_an_order_that_moved_on_is_refused(story, code):
    given(registered(), *story).when(BOOK).then_rejected(code)


def test_when_its_time_is_over_the_hours_are_free_and_a_later_hold_stays():
    release = ReleaseSlot(slot_id="s-1", engineer_id="e-1", day=TODAY, due_at=HELD.held_until)
    released, free = given(HELD, KEPT).when(release)._events()
    assert (released.why, free) == ("expired", freed(order_id="slot:s-1"))
    given(HELD, KEPT, released).when(release).then_nothing()
    given(HELD).when(release.model_copy(update={"due_at": NOW})).then_nothing()


# As it runs.


def test_two_hundred_book_at_once_and_nothing_is_sold_twice(told):
    async def story(desk):
        for n in range(3):
            await desk.register(f"e-{n}")
        orders = [f"o-{n}" for n in range(200)]
        for one in orders:
            await desk.open(one, duration_s=3_600)
        await desk.quiet()
        slots = await desk.get("/v1/orders/o-0/slots?days=14", role="agent")
        band = slots[-1]

        async def one_customer(order_id):
            path = f"/v1/orders/{order_id}/slots"
            held = await desk.call("POST", path, role="agent", opens_at=band["opens_at"])
            if held.status_code != 200:
                return held.json()["code"]
            done = await desk.call("POST", f"/v1/slots/{held.json()['id']}/book", role="agent")
            return "booked" if done.status_code == 200 else done.json()["code"]

        said = Counter(await asyncio.gather(*[one_customer(one) for one in orders]))
        print(said, band)
        assert said["booked"] >= 3 and said["booked"] + said["slot.taken"] == 200
        await desk.quiet()
        hours = []
        for n in range(3):
            board = (await desk.get("/v1/orders?state=assigned&limit=200"))["items"]
            hours.append(sorted((o["starts_at"], o["ends_at"]) for o in board if o["engineer_id"] == f"e-{n}"))
        assert all(a[1] <= b[0] for hers in hours for a, b in pairwise(hers))
        assert sum(map(len, hours)) == said["booked"]

    # Without policies nobody is assigned by rule: all the orders wait.
    told(story, ())


def test_a_slot_that_nobody_books_is_free_after_its_minutes(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        await desk.quiet()
        [*_, last] = await desk.get("/v1/orders/o-1/slots?days=3", role="agent")
        held = await desk.call("POST", "/v1/orders/o-1/slots", role="agent", opens_at=last["opens_at"], minutes=5)
        path = f"/v1/slots/{held.json()['id']}"
        assert (await desk.get(path, role="agent"))["state"] == "held"
        slots = await desk.get("/v1/orders/o-1/slots?days=3", role="agent")
        assert last not in slots or slots[-1]["places"] == 1
        await desk.later(minutes=6)
        assert (await desk.get(path, role="agent"))["state"] == "expired"
        late = await desk.call("POST", f"{path}/book", role="agent")
        assert (late.status_code, late.json()["code"]) == (409, "slot.over")

    told(story)


def test_a_customer_finds_the_slots_of_her_request_and_not_of_anothers(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        await desk.quiet()
        found = await desk.get("/v1/slots/requests/r-of-o-1?days=3", role="customer", person_id="c-1")
        assert found["order_id"] == "o-1" and found["slots"]
        other = await desk.call("GET", "/v1/slots/requests/r-of-o-1", role="customer", person_id="c-2")
        assert other.status_code == 404
        await desk.call("POST", "/v1/orders/o-1/cancel", note="no")
        over = await desk.get("/v1/slots/requests/r-of-o-1", role="agent")
        assert over == {"order_id": "", "slots": []}

    told(story)


def test_a_held_slot_tells_when_she_arrives_as_visits_were_of_late(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        await desk.quiet()
        [*_, last] = await desk.get("/v1/orders/o-1/slots?days=3", role="agent")
        held = await desk.call("POST", "/v1/orders/o-1/slots", role="agent", opens_at=last["opens_at"])

        async def band():
            one = await desk.get(f"/v1/slots/{held.json()['id']}", role="agent")
            starts, *ends = [
                datetime.fromisoformat(one[name]) for name in ("starts_at", "arrives_from", "arrives_until")
            ]
            return [(end - starts).total_seconds() // 60 for end in ends]

        assert await band() == [-60, 60]
        paces = {"everywhere": 156_000, "hours": (156_000,) * 24, "drives": 900}
        learnt = LearnTravel(since=NOW, now=NOW, early_s=480, late_s=1_500, **paces)
        await desk.running.ask(Ask(command=learnt, tenant="t-1", actor="test", caller="test"))
        assert await band() == [-8, 25]

    told(story)


def test_a_customer_reads_when_she_arrives_for_her_order(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        await desk.quiet()
        path = "/v1/orders/o-1/arrival"
        starts_at = datetime.fromisoformat((await desk.get("/v1/orders/o-1", role="agent"))["starts_at"])
        band = await desk.get(path, role="customer", person_id="c-1")
        ends = [datetime.fromisoformat(band[name]) - starts_at for name in ("arrives_from", "arrives_until")]
        assert ends == [timedelta(hours=-1), timedelta(hours=1)]
        assert (await desk.call("GET", path, role="customer", person_id="c-2")).status_code == 404
        [*_, last] = await desk.get("/v1/orders/o-1/slots?days=3", role="agent")
        held = await desk.call("POST", "/v1/orders/o-1/slots", role="agent", opens_at=last["opens_at"])
        await desk.call("POST", f"/v1/slots/{held.json()['id']}/book", role="agent")
        await desk.quiet()
        # Of hours that were chosen nobody comes before them.
        band, order = await desk.get(path, role="agent"), await desk.get("/v1/orders/o-1", role="agent")
        assert band["arrives_from"] == order["starts_at"] >= last["opens_at"]
        await desk.call("POST", "/v1/orders/o-1/cancel", note="no")
        over = await desk.get(path, role="customer", person_id="c-1")
        assert (over["arrives_from"], over["arrives_until"]) == (None, None)

    told(story)


def test_the_bands_go_by_the_clock_of_those_who_serve_the_area(told):
    async def story(desk):
        await desk.register("e-1", zone="Asia/Kolkata", territory=["朝阳区"])
        await desk.register("e-2", territory=["海淀区"])
        await desk.quiet()
        await desk.open("o-1")
        await desk.quiet()
        slots = await desk.get("/v1/orders/o-1/slots", role="agent")
        # A full even hour in Kolkata is half past one in UTC.
        assert {one["opens_at"][14:16] for one in slots} == {"30"}
        held = await desk.call("POST", "/v1/orders/o-1/slots", role="agent", opens_at=slots[-1]["opens_at"])
        assert held.status_code == 200, held.text

    told(story)

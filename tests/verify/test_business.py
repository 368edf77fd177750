"""The invariants of the business over logs: a right one has no finding, and each planted violation has its own."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import msgspec
import pytest

from contracts.dispatcher import (
    AssignmentOverdue,
    BetterDaysDue,
    DispatchRulesSet,
    OfferDeclined,
    OfferLapsed,
    OrderCancelled,
    OrderFinished,
    OrderOffered,
    OrderReassigned,
    SlotHeld,
)
from contracts.intake import RequestClosed, RequestIncomplete, RequestReceived, RequestWithdrawn
from contracts.inventory import PartLine
from dispatcher import deadlines
from dispatcher.commands import CancelOrder, DeclineOrder, FinishOrder, ReturnOrder, StartOrder
from dispatcher.service import service as dispatcher
from inventory.commands import CountStock, ReleaseParts, ReserveParts, SettleVisit, Shelf, UsedPart
from inventory.service import RULES as INVENTORY
from services.chassis.clock import SetClock
from services.chassis.journal.rules import States
from services.chassis.journal.store import TimerKey
from services.chassis.journal.work import Ask
from services.host import Host
from services.settings import Settings
from services.verify import business
from services.verify.business import Orders, Requests, Stock
from services.verify.clocks import Clocks
from services.verify.findings import Findings
from services.verify.run import verify
from tests.dispatcher.examples import TODAY, assigned, at, booked, declined, freed, open_order, opened, returned
from tests.dispatcher.examples import register as register_engineer
from tests.dispatcher.test_running import alone
from tests.fold import FIRST, enveloped
from tests.given import NOW
from tests.inventory.examples import (
    REGISTERS,
    arrived,
    brought_back,
    consumed,
    counted,
    fell_short,
    issued,
    lost,
    moved,
    received,
    reserved,
    scrapped,
    sent,
    sent_back,
    set_aside,
    synchronised,
)
from tests.inventory.examples import returned as stock_returned

HALF_AN_HOUR = timedelta(minutes=30)


def judged(kind, *events):
    """The check of this kind after these events, each recorded alone; as (rule, position)."""
    check = kind(Findings("it"))
    for position, (event, envelope) in enumerate(enveloped(events), 1):
        if type(event) in kind.READS:
            check.check(position, event, envelope)
    return check


def found(check):
    return [(finding.rule, finding.position) for finding in check.findings.named]


# I1: a request ends once.


def request_received(**said):
    usual = {"number": "R-1", "request_type": "repair", "type_version": 1, "customer_id": "c-1", "skill": "cooling"}
    place = {"duration_s": 60, "region": "x", "lat_udeg": 0, "lon_udeg": 0}
    return RequestReceived(request_id="r-1", **usual | place | said)


def incomplete():
    return RequestIncomplete(
        request_id="r-1", number="R-1", request_type="repair", customer_id="c-1", missing=("device_id: which",)
    )


def withdrawn():
    return RequestWithdrawn(request_id="r-1", customer_id="c-1")


def closed(outcome="completed"):
    return RequestClosed(request_id="r-1", outcome=outcome)


@pytest.mark.parametrize(
    "story",
    [
        (request_received(), closed()),
        (incomplete(), incomplete(), request_received(), closed()),
        (incomplete(), withdrawn()),
        (request_received(), withdrawn(), closed("completed_after_withdrawal")),
        (request_received(), (request_received(), {"tenant": "t-2"}), closed(), (withdrawn(), {"tenant": "t-2"})),
    ],
)
def test_a_request_that_ends_once_is_right(story):
    assert found(judged(Requests, *story)) == []


@pytest.mark.parametrize(
    "story",
    [
        (request_received(), closed(), closed()),
        (request_received(), withdrawn(), closed()),
        (request_received(), closed(), withdrawn()),
        (request_received(), withdrawn(), withdrawn()),
        (request_received(), closed("completed_after_withdrawal")),
        (request_received(), withdrawn(), request_received()),
        (request_received(), request_received()),
        (closed(),),
        (request_received(), (closed(), {"tenant": "t-2"})),
    ],
)
def test_a_request_that_ends_twice_or_never_began_is_found_where_it_does(story):
    assert found(judged(Requests, *story)) == [("I1", len(story))]


# I1, I2 and I7: an order ends once, has one engineer, and is overdue once.


def reassigned(from_engineer_id="e-1", engineer_id="e-2"):
    return OrderReassigned(
        order_id="o-1",
        request_id="r-1",
        from_engineer_id=from_engineer_id,
        engineer_id=engineer_id,
        starts_at=at(17),
        ends_at=at(18),
        travel_m=0,
        reason="closer",
    )


def cancelled():
    return OrderCancelled(order_id="o-1", request_id="r-1", reason="dispatcher")


def finished(outcome="completed"):
    return OrderFinished(order_id="o-1", request_id="r-1", engineer_id="e-1", outcome=outcome)


def offered():
    facts = {"order_id": "o-1", "request_id": "r-1", "offer_no": 1, "offered_by": "rule"}
    return OrderOffered(**facts, engineer_ids=("e-1", "e-2"), offered_until=NOW + timedelta(minutes=10))


def said_no(left=1):
    facts = {"order_id": "o-1", "request_id": "r-1", "offer_no": 1, "engineer_id": "e-1", "reason": "far"}
    return OfferDeclined(**facts, left=left)


def lapsed(**said):
    event = OfferLapsed(order_id="o-1", request_id="r-1", offer_no=1, engineer_ids=("e-2",))
    return event, {"time": NOW + timedelta(minutes=10)} | said


TAKEN = assigned(chosen_by="pool")
DUE = NOW + timedelta(minutes=30)
LATER = {"time": DUE}


def overdue(due_at=DUE, **said):
    return AssignmentOverdue(order_id="o-1", request_id="r-1", due_at=due_at), LATER | said


@pytest.mark.parametrize(
    "story",
    [
        (opened(), assigned(), finished()),
        (opened(), assigned(), reassigned(), finished()),
        (opened(), assigned(), declined(), assigned("e-2"), returned(engineer_id="e-2"), cancelled()),
        (opened(), cancelled(), finished("completed_after_cancellation")),
        (opened(), finished()),
        (opened(), overdue(), assigned(), declined(), assigned()),
        (opened(), offered(), said_no(), lapsed(), offered(), TAKEN, finished()),
        (opened(), offered(), said_no(), said_no(left=0), assigned()),
        (opened(assign_due_at=None), assigned(), assigned(), finished(), finished()),
        ((opened(), {"origin": "live"}), (opened(), {"tenant": "t-2"})),
    ],
)
def test_an_order_that_one_engineer_has_until_it_ends_once_is_right(story):
    assert found(judged(Orders, *story)) == []


@pytest.mark.parametrize(
    ("rule", "story"),
    [
        ("I2", (opened(), assigned(), assigned("e-2"))),
        ("I2", (opened(), assigned(), reassigned("e-3"))),
        ("I2", (opened(), reassigned())),
        ("I2", (opened(), assigned(), declined(engineer_id="e-2"))),
        ("I2", (opened(), returned())),
        ("I2", (opened(), offered(), assigned())),
        ("I2", (opened(), offered(), offered())),
        ("I2", (opened(), assigned(), offered())),
        ("I2", (opened(), lapsed())),
        ("I2", (opened(), offered(), TAKEN, said_no())),
        ("I2", (opened(), offered(), lapsed(time=NOW))),
        ("I1", (assigned(),)),
        ("I1", (opened(), opened())),
        ("I1", (opened(), cancelled(), cancelled())),
        ("I1", (opened(), cancelled(), assigned())),
        ("I1", (opened(), cancelled(), finished())),
        ("I1", (opened(), finished(), finished())),
        ("I1", (opened(), finished(), cancelled())),
        ("I7", (opened(), overdue(), overdue())),
        ("I7", (opened(), overdue(time=DUE - timedelta(seconds=1)))),
        ("I7", (opened(), assigned(), overdue())),
        ("I7", (opened(), overdue(NOW + timedelta(minutes=29)))),
        ("I7", (opened(), assigned(), declined(), overdue(), overdue())),
    ],
)
def test_what_an_order_must_not_do_is_found_where_it_does_it(rule, story):
    assert found(judged(Orders, *story)) == [(rule, len(story))]


def test_an_order_that_waits_again_has_half_an_hour_anew():
    given_back = FIRST + timedelta(seconds=2)
    due = given_back + HALF_AN_HOUR
    right = overdue(due, time=due)
    assert found(judged(Orders, opened(), assigned(), declined(), right)) == []
    hasty = msgspec.structs.replace(declined(), assign_within_s=300)
    assert found(judged(Orders, opened(), assigned(), hasty, right)) == [("I7", 4)]


def test_hours_that_follow_each_other_or_are_given_back_are_right():
    back_to_back = booked(order_id="o-2", starts_at=at(18), ends_at=at(19))
    other_day = booked(day="2026-11-25", order_id="o-3")
    assert found(judged(Orders, booked(), back_to_back, other_day, booked("e-2"), freed(), booked())) == []


@pytest.mark.parametrize(
    "story",
    [
        (booked(), booked(order_id="o-2", starts_at=at(17, 30), ends_at=at(18, 30))),
        (booked(), booked(starts_at=at(19), ends_at=at(20))),
        (booked(), freed(), freed()),
        (freed(),),
    ],
)
def test_hours_that_overlap_or_that_nobody_has_are_found(story):
    assert found(judged(Orders, *story)) == [("I2", len(story))]


def timers(*names, order_id="o-1", tenant="t-1"):
    return {TimerKey(tenant, name, order_id) for name in names}


BOTH = timers(business.OVERDUE, business.AGAIN)


def test_what_waits_and_is_watched_is_not_stuck():
    for story, armed in [
        ((opened(),), BOTH),
        ((opened(), overdue()), timers(business.AGAIN)),
        ((opened(), assigned()), set()),
        ((opened(), cancelled()), set()),
        ((opened(assign_due_at=None),), set()),
        ((opened(), assigned(), declined()), BOTH),
        ((opened(), offered()), BOTH | timers(business.OFFER)),
        ((opened(), offered(), said_no(left=0)), BOTH),
    ]:
        orders = judged(Orders, *story)
        orders.stuck(armed, len(story))
        assert found(orders) == []


@pytest.mark.parametrize(
    ("story", "armed"),
    [
        ((opened(),), timers(business.AGAIN)),
        ((opened(),), timers(business.OVERDUE)),
        ((opened(), overdue()), timers(business.OVERDUE)),
        ((opened(),), timers(business.AGAIN) | timers(business.OVERDUE, tenant="t-2")),
    ],
)
def test_what_waits_without_a_deadline_is_found_where_it_began_to_wait(story, armed):
    orders = judged(Orders, *story)
    orders.stuck(armed, len(story))
    assert found(orders) == [("I1", 1)]


def test_what_is_on_offer_without_a_deadline_is_found_where_it_was_offered():
    orders = judged(Orders, opened(), offered())
    orders.stuck(BOTH, 2)
    assert found(orders) == [("I1", 2)]


def test_what_began_to_wait_after_the_timers_were_looked_at_is_not_stuck():
    orders = judged(Orders, opened(), assigned(), declined())
    orders.stuck(set(), 2)
    assert found(orders) == []


def test_the_timers_and_the_time_are_the_dispatchers():
    assert (business.OVERDUE, business.AGAIN) == (deadlines.OVERDUE, deadlines.AGAIN)
    assert business.OFFER == deadlines.OFFER
    # A try again and hours that were held for a customer end by themselves, and no order needs a better day.
    of_orders = set(deadlines.TIMERS) - {deadlines.AssignmentRetried, SlotHeld, DispatchRulesSet, BetterDaysDue}
    assert of_orders <= Orders.READS | Clocks.READS


# I3: parts are conserved.


@pytest.mark.parametrize(
    "story",
    [
        (counted(2), set_aside(2), stock_returned(2), consumed(2)),
        (counted(2), set_aside(2), counted(1), fell_short(1)),
        (counted(2), set_aside(1), set_aside(1, order_id="o-2"), consumed(1), fell_short(1, order_id="o-2")),
        (counted(1), consumed(3, drift=2)),
        (consumed(1, drift=1),),
        (counted(2), set_aside(2), reserved(("van-1", 2))),
        (counted(2), set_aside(1), set_aside(1, order_id="o-2"), counted(0), fell_short(), fell_short(order_id="o-2")),
        (received(2), set_aside(1), scrapped(1), counted(2, condition="defective"), sent_back(2, "defective")),
        (counted(2, "wh-1"), synchronised(2, 5), issued(6, drift=1), synchronised(0, 4, condition="defective")),
        (received(3, "wh-1"), sent(3, "wh-1"), arrived(1), arrived(1), lost(moved(1)), brought_back(), set_aside(2)),
    ],
)
def test_stock_that_is_conserved_is_right(story):
    stock = judged(Stock, *story)
    stock.end()
    assert found(stock) == []


@pytest.mark.parametrize(
    ("where", "story"),
    [
        (2, (counted(1), set_aside(2))),
        (2, (counted(2), stock_returned(1))),
        (3, (counted(2), set_aside(1), stock_returned(2))),
        (3, (counted(2), set_aside(2), fell_short(1))),
        (2, (counted(1), consumed(3))),
        (2, (counted(1), consumed(1, drift=1))),
        (3, (counted(2), set_aside(2), counted(1))),
        (3, (counted(2), set_aside(2), counted(1), counted(5))),
        (3, (counted(2), set_aside(2), consumed(1), set_aside(1))),
        (3, (counted(2), set_aside(1), reserved(("van-1", 2)))),
        (2, (counted(2, "wh-1"), set_aside(1))),
        (3, (counted(2, "wh-1"), set_aside(1, "wh-1"), sent(2, "wh-1"))),
        (2, (counted(2), scrapped(1, "defective"))),
        (2, (counted(1), sent_back(2))),
        (1, (arrived(1),)),
        (2, (counted(2, "wh-1"), synchronised(1, 5))),
        (2, (counted(2, "wh-1"), issued(3))),
        (3, (counted(1, "wh-1"), sent(1, "wh-1"), arrived(2))),
        (4, (counted(1, "wh-1"), sent(1, "wh-1"), arrived(1), lost(moved(1)))),
        (3, (counted(1, "wh-1"), sent(1, "wh-1"), arrived(1, condition="defective"))),
    ],
)
def test_pieces_that_come_from_nowhere_or_are_promised_twice_are_found(where, story):
    stock = judged(Stock, *story)
    stock.end()
    assert ("I3", where) in found(stock)


def test_many_violations_are_all_counted_and_the_first_hundred_named():
    check = judged(Stock, *[consumed(1)] * 1_000)
    assert check.findings.counts == {"I3": 1_000}
    assert (len(check.findings.named), check.findings.first_position) == (100, 1)


# What the services decide is right.


class Inventory:
    """The rules of inventory, run as its writer runs them."""

    def __init__(self):
        self.states, self.events = {}, []
        self.fold(REGISTERS)

    def fold(self, events):
        for event in events:
            stream = INVENTORY.stream_of[event.STREAM]
            self.states[event.stream()] = stream.evolve(self.states.get(event.stream(), stream.initial), event)
        self.events += events

    def ask(self, command):
        handler = INVENTORY.handler_of[type(command)]
        names = {name: INVENTORY.stream_of[name.partition("/")[0]].initial for name in handler.reads(command)}
        states = States({name: self.states.get(name, initial) for name, initial in names.items()}, {})
        self.fold(handler.decide(states, command))


@pytest.mark.parametrize("seed", range(10))
def test_whatever_inventory_decides_conserves_its_parts(seed):
    rng, inventory = Random(seed), Inventory()
    shelves = tuple(Shelf(part_id="fan", place_id=place, low_below=2) for place in ("van-1", "wh-1"))
    for step in range(300):
        ids = {"order_id": f"o-{rng.randrange(5)}", "request_id": "r-1"}
        match rng.randrange(5):
            case 0:
                place, quantity = rng.choice(shelves).place_id, rng.randrange(6)
                inventory.ask(CountStock(part_id="fan", place_id=place, quantity=quantity))
            case 1 | 2:
                wanted = (PartLine("fan", rng.randrange(1, 4)),)
                visit = {"visit_id": f"v-{step}", "engineer_id": "e-1"}
                candidates = tuple(rng.sample(shelves, 2))
                inventory.ask(ReserveParts(**ids, **visit, lines=wanted, candidates=candidates, held=shelves))
            case 3:
                inventory.ask(ReleaseParts(**ids, held=shelves))
            case 4:
                used = (UsedPart("fan", rng.choice(shelves).place_id, rng.randrange(1, 4)),)
                settled = {"visit_id": f"v-{rng.randrange(step + 1)}", "completed": False, "used": used}
                inventory.ask(SettleVisit(**ids, **settled, shelves=shelves, held=shelves))
    stock = judged(Stock, *inventory.events)
    stock.end()
    assert found(stock) == []
    assert len(inventory.events) > 300


class NoKeys:
    """Personal texts stay as they are."""

    async def ensure(self, persons, joined=()):
        pass

    def seal(self, tenant, person, text):
        return text

    def open(self, tenant, text):
        return text

    async def ready(self, tenant, sealed):
        pass


@asynccontextmanager
async def running_dispatcher(folder, clock):
    """Alone, so without what follows other services."""
    async with Host(Settings(data=folder), [alone()], NoKeys(), clock=clock) as host:
        async with asyncio.timeout(20):
            while not host.leads("dispatcher"):
                await asyncio.sleep(0.001)
        yield host, host.running["dispatcher"]


def test_whatever_the_running_dispatcher_records_is_right_also_while_it_runs(tmp_path):
    async def story():
        clock = SetClock(NOW)
        async with running_dispatcher(tmp_path, clock) as (host, running):

            async def ask(command):
                await running.ask(Ask(command=command, tenant="t-1", actor="test", caller="test"))

            async def right():
                report = await verify({"dispatcher": dispatcher}, {"dispatcher": running.journal})
                assert report.findings == []
                return report.events

            for n in range(8):
                await ask(register_engineer(f"e-{n}"))
            await asyncio.gather(
                *[ask(open_order(order_id=f"o-{n}", request_id=f"r-{n}", now=NOW)) for n in range(40)],
                *[right() for _ in range(5)],
            )
            await ask(open_order(order_id="o-x", request_id="r-x", skill="nobody", now=NOW))
            assert await host.idle(within=20)
            has = {
                state.case.opened.order_id: state.booked.engineer_id
                for (_, stream), live in running.writer._memory.live.items()
                if stream.startswith("order/") and (state := live.state) and hasattr(state, "booked")
            }
            assert len(has) > 10
            for n, (order_id, engineer_id) in enumerate(sorted(has.items())):
                act = {"order_id": order_id, "engineer_id": engineer_id}
                match n % 5:
                    case 0:
                        await ask(DeclineOrder(**act, reason="ill"))
                    case 1:
                        await ask(StartOrder(**act))
                        await ask(ReturnOrder(**act, reason="nobody-there"))
                    case 2:
                        await ask(CancelOrder(order_id=order_id, note=""))
                    case 3:
                        await ask(FinishOrder(**act, request_id="r"))
            await right()
            assert await host.idle(within=20)
            clock.set(NOW + HALF_AN_HOUR + timedelta(seconds=1))
            running.timers.wake()
            async with asyncio.timeout(20):
                while await running.journal.due(int(clock.now().timestamp() * 1_000_000), 1):
                    await right()
            assert await host.idle(within=20)
            assert await right() > 150

    asyncio.run(story())


def test_the_day_of_the_examples_is_the_one_that_hours_are_booked_in():
    assert booked().day == TODAY

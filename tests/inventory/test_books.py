"""Orders, vans and a warehouse in every sequence, with views that may be old: the books always close."""

from collections import Counter, defaultdict
from datetime import timedelta

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.fieldwork import UsedPart
from contracts.inventory import (
    DocumentLine,
    MovedLine,
    PartLine,
    PartsPickedUp,
    PartsReserved,
    PartsShort,
    ReservationReleased,
    StockFellShort,
)
from contracts.problems import NotYet, Rejected
from inventory.commands import (
    BookDocument,
    CountStock,
    DiagnoseRma,
    ExpireReservation,
    FillShortage,
    LoseTransfer,
    OpenRma,
    PickUpParts,
    ReceiveStock,
    ReceiveTransfer,
    ReleaseParts,
    ReserveParts,
    ReturnPart,
    ScrapPart,
    SendBackPart,
    SendTransfer,
    SettleRma,
    SettleVisit,
    Shelf,
)
from inventory.projections.drift import DRIFT
from inventory.projections.reservations import RESERVATIONS
from inventory.projections.rmas import RMAS
from inventory.projections.stock import STOCK
from inventory.projections.transfers import TRANSFERS
from inventory.service import RULES
from services.chassis.journal.rules import States
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW
from tests.inventory.examples import KEPT_UNTIL, REGISTERS, VAN, WAREHOUSE
from tests.inventory.ledger import ledger_of

PLACES = ["van-1", "van-2", "br-1", "wh-1"]
VAN_OF = {"e-1": "van-1", "e-2": "van-2"}
orders = st.sampled_from(["o-1", "o-2", "o-3"])
places = st.sampled_from(PLACES)
conditions = st.sampled_from(["good", "defective"])
few = st.integers(1, 3)
outcomes = st.sampled_from(["repaired", "scrapped", "exchanged"])
DUE = NOW + timedelta(days=30)


class Books(RuleBasedStateMachine):
    """The model counts pieces on shelves and remembers what each order was promised last."""

    @initialize(wanted=st.integers(1, 3))
    def begin(self, wanted):
        self.states, self.decided = {}, []
        self.wanted, self.visits, self.documents = wanted, Counter(), 0
        # By place and condition, and by transfer and condition.
        self.on_hand, self.in_transit = Counter(), Counter()
        self.promised, self.short = defaultdict(dict), Counter()
        self.ended, self.done, self.seen, self.ways, self.rmas = set(), set(), {}, {}, {}
        branch = msgspec.structs.replace(WAREHOUSE, place_id="br-1", kind="branch")
        self.fold([msgspec.structs.replace(WAREHOUSE, place_id="depot", kind="depot")])
        self.fold([*REGISTERS, msgspec.structs.replace(VAN, place_id="van-2"), branch])
        for place in [*PLACES, "depot"]:
            self.ask(CountStock(part_id="fan", place_id=place, quantity=0))

    # The service, as its writer runs it.

    def fold(self, events):
        for event in events:
            stream = RULES.stream_of[event.STREAM]
            self.states[event.stream()] = stream.evolve(self.states.get(event.stream(), stream.initial), event)
        self.decided.append(list(events))

    def ask(self, command, *, once=True):
        handler = RULES.handler_of[type(command)]

        def states():
            names = handler.reads(command)
            initial = {name: RULES.stream_of[name.partition("/")[0]].initial for name in names}
            return States({name: self.states.get(name, initial[name]) for name in names}, {})

        events = handler.decide(states(), command)
        self.fold(events)
        if once:
            assert handler.decide(states(), command) == [], "a repeat must do nothing"
        for event in events:
            match event:
                case ReservationReleased():
                    self.promised[event.order_id], self.short[event.order_id] = {}, 0
                case PartsReserved():
                    self.short[event.order_id] = 0
                    self.promised[event.order_id] = {line.place_id: line.quantity for line in event.lines}
                case PartsPickedUp():
                    self.promised[event.order_id] = {event.van_id: sum(self.promised[event.order_id].values())}
                case PartsShort():
                    self.short[event.order_id] = event.lines[0].quantity
        return events

    def react(self, make, order):
        """As a policy: from what the view showed last, and once more when that was old."""
        try:
            events = self.ask(make(self.held(order)))
        except NotYet:
            self.views_catch_up()
            events = self.ask(make(self.held(order)))
        for event in events:
            if isinstance(event, StockFellShort):
                self.mend(event.order_id)
        return events

    def held(self, order):
        return tuple([Shelf(part_id="fan", place_id=place) for place in self.seen.get(order, {})])

    def candidates(self, *first):
        return tuple([Shelf(part_id="fan", place_id=place) for place in dict.fromkeys([*first, "br-1", "wh-1"])])

    def mend(self, order):
        visit = f"{order}/{self.visits[order]}"
        self.views_catch_up()
        first = list(self.promised[order])
        self.ask(self.reserving(order, visit, "e-1", first)(self.held(order)))

    def reserving(self, order, visit, engineer, first):
        return lambda held: ReserveParts(
            order_id=order,
            request_id=f"r-{order}",
            visit_id=visit,
            engineer_id=engineer,
            lines=(PartLine("fan", self.wanted),),
            candidates=self.candidates(*first),
            held=held,
            van_id=VAN_OF[engineer],
            visit_ends_at=NOW,
        )

    def refused(self, command, code):
        """It is, for this reason, and nothing is recorded."""
        try:
            self.ask(command)
        except Rejected as no:
            assert no.code == code
        else:
            raise AssertionError(f"{command} was not refused")

    # What can happen.

    @rule()
    def views_catch_up(self):
        self.seen = {order: dict(places) for order, places in self.promised.items()}

    @rule(place=places, quantity=st.integers(0, 4))
    def count(self, place, quantity):
        events = self.ask(CountStock(part_id="fan", place_id=place, quantity=quantity))
        self.on_hand[place, "good"] = quantity
        for event in events:
            if isinstance(event, StockFellShort):
                self.mend(event.order_id)

    @rule(place=places, quantity=st.integers(0, 4), condition=conditions, kind=st.sampled_from(["snapshot", "receipt"]))
    def hear_of_the_warehouse_system(self, place, quantity, condition, kind):
        self.documents += 1
        taken_at = NOW + timedelta(seconds=self.documents) if kind == "snapshot" else None
        quantity = quantity if kind == "snapshot" else quantity + 1
        self.book(kind, place, quantity, condition, taken_at)
        self.on_hand[place, condition] = quantity + (0 if kind == "snapshot" else self.on_hand[place, condition])

    @rule(place=places, theirs=st.integers(0, 4), behind=st.integers(0, 3))
    def hear_of_a_warehouse_system_that_says_what_it_booked(self, place, theirs, behind):
        """What it had not booked of our uses, scrappings and returns is on top, as far as our books remember it."""
        stock = self.states[f"stock/fan/{place}"]
        booked = max(0, stock.version - behind)
        self.documents += 1
        taken_at = NOW + timedelta(seconds=self.documents)
        newer = [one.more for one in stock.told or () if one.version > booked and one.condition == "good"]
        assert len(newer) <= behind
        self.book("snapshot", place, theirs, "good", taken_at, booked)
        self.on_hand[place, "good"] = max(0, theirs + sum(newer))

    @rule(place=places, quantity=few, condition=conditions)
    def hear_of_an_issue(self, place, quantity, condition):
        self.documents += 1
        self.book("issue", place, quantity, condition, None)
        self.on_hand[place, condition] = max(0, self.on_hand[place, condition] - quantity)

    def book(self, kind, place, quantity, condition, taken_at, booked_version=None):
        facts = {"source": "wms", "document_id": f"D-{self.documents}", "kind": kind, "place_id": place}
        lines = (DocumentLine("fan", quantity, condition, booked_version=booked_version),)
        for event in self.ask(BookDocument(**facts, lines=lines, taken_at=taken_at)):
            if isinstance(event, StockFellShort):
                self.mend(event.order_id)

    @rule(place=places, quantity=st.integers(0, 4))
    def count_the_defective(self, place, quantity):
        self.ask(CountStock(part_id="fan", place_id=place, quantity=quantity, condition="defective"))
        self.on_hand[place, "defective"] = quantity

    @rule(place=places, quantity=few, condition=conditions)
    def receive_from_outside(self, place, quantity, condition):
        asked = ReceiveStock(part_id="fan", place_id=place, quantity=quantity, condition=condition, source="maker")
        self.ask(asked, once=False)
        self.on_hand[place, condition] += quantity

    @rule(order=orders, place=places, quantity=few, condition=conditions)
    def bring_back(self, order, place, quantity, condition):
        asked = ReturnPart(part_id="fan", place_id=place, quantity=quantity, condition=condition, order_id=order)
        self.ask(asked, once=False)
        self.on_hand[place, condition] += quantity

    @rule(place=places, quantity=few, condition=conditions, scrapped=st.booleans())
    def take_out(self, place, quantity, condition, scrapped):
        facts = {"part_id": "fan", "place_id": place, "quantity": quantity, "condition": condition}
        asked = ScrapPart(**facts, reason="wet") if scrapped else SendBackPart(**facts, supplier="maker")
        if quantity > self.movable(place, condition):
            self.refused(asked, "stock.not-enough")
            return
        self.ask(asked, once=False)
        self.on_hand[place, condition] -= quantity

    @rule(places=st.permutations(PLACES), good=st.integers(0, 2), defective=st.integers(0, 2))
    def send(self, places, good, defective):
        lines = [("good", good), ("defective", defective)]
        wanted = tuple([MovedLine("fan", quantity, condition) for condition, quantity in lines if quantity])
        if not wanted:
            return
        transfer_id, (from_place, to_place) = f"t-{len(self.ways)}", places[:2]
        asked = SendTransfer(transfer_id=transfer_id, from_place_id=from_place, to_place_id=to_place, lines=wanted)
        if any(line.quantity > self.movable(from_place, line.condition) for line in wanted):
            self.refused(asked, "stock.not-enough")
            return
        self.ask(asked)
        self.ways[transfer_id] = to_place
        for line in wanted:
            self.on_hand[from_place, line.condition] -= line.quantity
            self.in_transit[transfer_id, line.condition] += line.quantity

    @rule(number=st.integers(0, 5), quantity=few, condition=conditions, lost=st.booleans())
    def end_a_way(self, number, quantity, condition, lost):
        if not self.ways:
            return
        transfer_id = sorted(self.ways)[number % len(self.ways)]
        to_place = self.ways[transfer_id]
        facts = {"transfer_id": transfer_id, "to_place_id": to_place}
        lines = (MovedLine("fan", quantity, condition),)
        asked = LoseTransfer(**facts, lines=lines, reason="gone") if lost else ReceiveTransfer(**facts, lines=lines)
        if quantity > self.in_transit[transfer_id, condition]:
            left = sum(self.in_transit[transfer_id, kind] for kind in ("good", "defective"))
            self.refused(asked, "transfer.not-in-transit" if left else "transfer.ended")
            return
        self.ask(asked, once=False)
        self.in_transit[transfer_id, condition] -= quantity
        if not lost:
            self.on_hand[to_place, condition] += quantity
        if transfer_id in self.rmas:
            self.rmas[transfer_id]["lost" if lost else "came"] += quantity

    @rule(order=orders)
    def pick_up(self, order):
        before, kept = dict(self.promised[order]), self.states.get(f"reservation/{order}")
        held = kept and kept.held
        if not before or not held:
            return
        shelves = tuple([Shelf(part_id="fan", place_id=place) for place in before])
        self.ask(PickUpParts(order_id=order, request_id=f"r-{order}", van_id=held.van_id, held=shelves))
        for place, quantity in before.items():
            self.on_hand[place, "good"] -= quantity
            self.on_hand[held.van_id, "good"] += quantity
        assert self.promised[order] == {held.van_id: sum(before.values())}

    @rule(order=orders)
    def fill(self, order):
        missing, reservation = self.short[order], self.states.get(f"reservation/{order}")
        if not reservation or not reservation.held:
            return
        before, held = sum(self.promised[order].values()), reservation.held
        asked = {"order_id": order, "request_id": f"r-{order}", "visit_id": held.visit_id}
        looked = self.candidates(held.van_id)
        free = sum(self.movable(shelf.place_id, "good") for shelf in looked)
        shelves = tuple([Shelf(part_id="fan", place_id=place) for place in self.promised[order]])
        self.ask(FillShortage(**asked, candidates=looked, held=shelves))
        assert sum(self.promised[order].values()) == before + min(missing, free)
        assert self.short[order] == missing - min(missing, free)

    @rule(order=orders)
    def expire(self, order):
        for event in self.ask(ExpireReservation(order_id=order, due_at=KEPT_UNTIL)):
            asked = {"order_id": order, "request_id": f"r-{order}", "reason": "expired", "visit_id": event.visit_id}
            self.react(lambda held, asked=asked: ReleaseParts(**asked, held=held), order)
            assert not self.promised[order]

    @rule(place=places, quantity=few)
    def send_to_the_depot(self, place, quantity):
        self.documents += 1
        rma_id = f"t-{len(self.ways)}"
        facts = {"part_id": "fan", "quantity": quantity, "depot_id": "depot", "fault": "dead", "reference": ""}
        asked = OpenRma(rma_id=rma_id, place_id=place, **facts, due_at=DUE)
        if quantity > self.movable(place, "defective"):
            self.refused(asked, "stock.not-enough")
            return
        self.ask(asked)
        self.ways[rma_id], self.rmas[rma_id] = "depot", Counter(sent=quantity)
        self.on_hand[place, "defective"] -= quantity
        self.in_transit[rma_id, "defective"] += quantity

    @rule(number=st.integers(0, 3), quantity=few, outcome=outcomes, to_place=places)
    def settle_at_the_depot(self, number, quantity, outcome, to_place):
        if not self.rmas:
            return
        rma_id = sorted(self.rmas)[number % len(self.rmas)]
        rma, at_depot = self.rmas[rma_id], self.on_hand["depot", "defective"]
        back = "" if outcome == "scrapped" else f"t-{len(self.ways)}"
        facts = {"part_id": "fan", "place_id": "depot", "quantity": quantity, "outcome": outcome, "reason": "dead"}
        way = {"to_place_id": to_place, "transfer_id": back} if back else {}
        asked = SettleRma(rma_id=rma_id, **facts, **way)
        if quantity > rma["came"] - rma["settled"]:
            self.refused(asked, "rma.not-there")
            return
        self.ask(DiagnoseRma(rma_id=rma_id, verdict="repairable", finding="a relay"), once=False)
        if quantity > at_depot:
            self.refused(asked, "stock.not-enough")
            return
        settled = self.ask(asked, once=False)[-1]
        rma["settled"] += quantity
        assert settled.left == rma["sent"] - rma["lost"] - rma["settled"]
        self.on_hand["depot", "defective"] -= quantity
        if back:
            self.ways[back] = to_place
            self.in_transit[back, "good"] += quantity

    def movable(self, place, condition):
        promised = sum(places.get(place, 0) for places in self.promised.values()) if condition == "good" else 0
        return self.on_hand[place, condition] - promised

    @rule(order=orders, engineer=st.sampled_from(["e-1", "e-2"]))
    def assign(self, order, engineer):
        self.visits[order] += 1
        visit = f"{order}/{self.visits[order]}"
        self.react(self.reserving(order, visit, engineer, [VAN_OF[engineer]]), order)
        if order in self.done:
            assert not self.promised[order]
        else:
            assert sum(self.promised[order].values()) + self.short[order] == self.wanted
            if self.short[order]:
                for place in (VAN_OF[engineer], "br-1", "wh-1"):
                    assert self.states[f"stock/fan/{place}"].free == 0, "short, and yet there was a piece"

    @rule(order=orders)
    def cancel(self, order):
        self.react(lambda held: ReleaseParts(order_id=order, request_id=f"r-{order}", held=held), order)
        assert not self.promised[order]

    @rule(
        order=orders,
        completed=st.booleans(),
        former=st.integers(0, 1),
        used=st.dictionaries(places, st.integers(1, 3), max_size=2),
    )
    def end(self, order, completed, former, used):
        visit = f"{order}/{max(0, self.visits[order] - former)}"
        lines = tuple([UsedPart("fan", place, quantity) for place, quantity in used.items()])
        before = self.promised[order]
        self.react(
            lambda held: SettleVisit(
                order_id=order,
                request_id=f"r-{order}",
                visit_id=visit,
                completed=completed,
                used=lines,
                shelves=tuple([Shelf(part_id="fan", place_id=place) for place in used]),
                held=held,
            ),
            order,
        )
        if visit in self.ended:
            return
        self.ended.add(visit)
        for place, quantity in used.items():
            self.on_hand[place, "good"] = max(0, self.on_hand[place, "good"] - quantity)
        if completed:
            self.done.add(order)
            assert not self.promised[order]
        elif former and before and not used:
            assert self.promised[order] == before, "the parts of the next visit were given away"

    # What always holds.

    @invariant()
    def the_books_close(self):
        ledger = ledger_of(self.decided)
        assert +ledger.on_hand == {("fan", *shelf): pieces for shelf, pieces in self.on_hand.items() if pieces}
        for condition in ("good", "defective"):
            on_their_way = sum(pieces for way, pieces in self.in_transit.items() if way[1] == condition)
            assert ledger.in_transit["fan", condition] == on_their_way
        promised = {
            ("fan", place, order): quantity
            for order, places in self.promised.items()
            for place, quantity in places.items()
        }
        assert +ledger.set_aside == promised

    @invariant()
    def the_views_show_it(self):
        events = [event for decided in self.decided for event in decided]
        for (_, place), row in rows_after(STOCK, events).items():
            stock = self.states[f"stock/fan/{place}"]
            assert (row["on_hand"], row["set_aside"]) == (stock.on_hand, sum(stock.set_aside.values()))
            comes = sum(pieces for (way, _), pieces in self.in_transit.items() if self.ways[way] == place)
            assert (row["defective"], row["in_transit"]) == (stock.defective, comes)

    def teardown(self):
        events = [event for decided in getattr(self, "decided", []) for event in decided]
        for view in (STOCK, DRIFT, TRANSFERS, RESERVATIONS, RMAS):
            assert_same_rows_shuffled(view, events)


Books.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None, print_blob=True)
test_the_books_close_whatever_happens = Books.TestCase

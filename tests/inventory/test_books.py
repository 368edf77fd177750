"""Orders, vans and a warehouse in every sequence, with views that may be old: the books always close."""

from collections import Counter, defaultdict

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.fieldwork import UsedPart
from contracts.inventory import PartLine, PartsReserved, PartsShort, ReservationReleased, StockFellShort
from contracts.problems import NotYet
from inventory.commands import CountStock, ReleaseParts, ReserveParts, SettleVisit, Shelf
from inventory.projections.reservations import RESERVATIONS
from inventory.projections.stock import STOCK
from inventory.service import RULES
from services.chassis.journal.rules import States
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.inventory.examples import REGISTERS, VAN
from tests.inventory.ledger import on_hand_and_set_aside

PLACES = ["van-1", "van-2", "wh-1"]
VAN_OF = {"e-1": "van-1", "e-2": "van-2"}
orders = st.sampled_from(["o-1", "o-2", "o-3"])
places = st.sampled_from(PLACES)


class Books(RuleBasedStateMachine):
    """The model counts pieces on shelves and remembers what each order was promised last."""

    @initialize(wanted=st.integers(1, 3))
    def begin(self, wanted):
        self.states, self.decided = {}, []
        self.wanted, self.visits = wanted, Counter()
        self.on_hand, self.promised, self.short = Counter(), defaultdict(dict), Counter()
        self.ended, self.done, self.seen = set(), set(), {}
        self.fold([*REGISTERS, msgspec.structs.replace(VAN, place_id="van-2")])
        for place in PLACES:
            self.ask(CountStock(part_id="fan", place_id=place, quantity=0))

    # The service, as its writer runs it.

    def fold(self, events):
        for event in events:
            stream = RULES.stream_of[event.STREAM]
            self.states[event.stream()] = stream.evolve(self.states.get(event.stream(), stream.initial), event)
        self.decided.append(list(events))

    def ask(self, command):
        handler = RULES.handler_of[type(command)]

        def states():
            names = handler.reads(command)
            initial = {name: RULES.stream_of[name.partition("/")[0]].initial for name in names}
            return States({name: self.states.get(name, initial[name]) for name in names}, {})

        events = handler.decide(states(), command)
        self.fold(events)
        assert handler.decide(states(), command) == [], "a repeat must do nothing"
        for event in events:
            match event:
                case ReservationReleased():
                    self.promised[event.order_id], self.short[event.order_id] = {}, 0
                case PartsReserved():
                    self.promised[event.order_id] = {line.place_id: line.quantity for line in event.lines}
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
        return tuple([Shelf(part_id="fan", place_id=place) for place in dict.fromkeys([*first, "wh-1"])])

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
        )

    # What can happen.

    @rule()
    def views_catch_up(self):
        self.seen = {order: dict(places) for order, places in self.promised.items()}

    @rule(place=places, quantity=st.integers(0, 4))
    def count(self, place, quantity):
        events = self.ask(CountStock(part_id="fan", place_id=place, quantity=quantity))
        self.on_hand[place] = quantity
        for event in events:
            if isinstance(event, StockFellShort):
                self.mend(event.order_id)

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
                for place in (VAN_OF[engineer], "wh-1"):
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
            self.on_hand[place] = max(0, self.on_hand[place] - quantity)
        if completed:
            self.done.add(order)
            assert not self.promised[order]
        elif former and before and not used:
            assert self.promised[order] == before, "the parts of the next visit were given away"

    # What always holds.

    @invariant()
    def the_books_close(self):
        on_hand, set_aside = on_hand_and_set_aside(self.decided)
        assert on_hand == {("fan", place): self.on_hand[place] for place in PLACES}
        promised = {
            ("fan", place, order): quantity
            for order, places in self.promised.items()
            for place, quantity in places.items()
        }
        assert set_aside == promised

    @invariant()
    def the_views_show_it(self):
        events = [event for decided in self.decided for event in decided]
        for (_, place), row in rows_after(STOCK, events).items():
            stock = self.states[f"stock/fan/{place}"]
            assert (row["on_hand"], row["set_aside"]) == (stock.on_hand, sum(stock.set_aside.values()))

    def teardown(self):
        events = [event for decided in getattr(self, "decided", []) for event in decided]
        for view in (STOCK, RESERVATIONS):
            assert_same_rows_shuffled(view, events)


Books.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None, print_blob=True)
test_the_books_close_whatever_happens = Books.TestCase

"""Pieces with serial numbers in every sequence: each is at one place at a time, and is used once or disputed."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.fieldwork import UsedPart
from contracts.inventory import (
    DocumentLine,
    MovedLine,
    PartDefined,
    PartLine,
    PiecesNamed,
    PlaceDefined,
    ReservedPiecesChanged,
)
from contracts.problems import Rejected
from inventory.commands import (
    BookDocument,
    CountStock,
    DiagnoseRma,
    FetchedPieces,
    LoseTransfer,
    NamePieces,
    OpenRma,
    PickUpParts,
    ReceiveStock,
    ReceiveTransfer,
    ReleaseParts,
    ReserveParts,
    ReturnPart,
    ScrapPart,
    SendTransfer,
    SettleRma,
    SettleVisit,
    Shelf,
)
from inventory.projections.pieces import LOT_USES, LOTS, SERIAL_MOVES, SERIALS, SHELF_PIECES
from inventory.projections.reservations import RESERVATIONS, placed_lines
from inventory.service import RULES
from services.chassis.journal.rules import States
from services.verify.business import Stock
from services.verify.findings import Findings
from tests.fold import assert_same_rows_shuffled, enveloped, rows_after
from tests.given import NOW
from tests.inventory.examples import VAN, WAREHOUSE
from tests.inventory.ledger import ledger_of

FAN = PartDefined(part_id="fan", name="Fan", fits=("BCD-520",), tracked="serial")
PLACES = ["van-1", "wh-1"]
places = st.sampled_from(PLACES)
numbers = st.lists(st.sampled_from("ABCD"), min_size=1, max_size=2, unique=True)
conditions = st.sampled_from(["good", "good", "defective"])
orders = st.sampled_from(["o-0", "o-1", "o-2"])
one_of_three = st.integers(0, 2)


class PieceBooks(RuleBasedStateMachine):
    """The model knows where each piece is. A command that is refused must have meant a piece that is elsewhere."""

    @initialize()
    def begin(self):
        self.states, self.owners, self.decided = {}, {}, []
        self.where, self.used, self.number = {}, [], 0
        self.ways = {}
        self.fold([FAN, WAREHOUSE, VAN, PlaceDefined(place_id="depot", kind="depot", name="Depot")])
        self.come_in("wh-1", list("ABC"), "good", by_document=False)

    def fold(self, events):
        for event in events:
            stream = RULES.stream_of[event.STREAM]
            self.states[event.stream()] = stream.evolve(self.states.get(event.stream(), stream.initial), event)
            for claim in RULES.claims.get(type(event), lambda _: ())(event):
                assert claim.owner is None or self.owners.get(claim.key) is None, "taken from nobody"
                self.owners[claim.key] = claim.owner
        self.decided.append(list(events))
        for event in events:
            for order, place in self.may_be_named_anew(event):
                shelf = Shelf(part_id="fan", place_id=place, serials=self.pieces_for(order, place))
                self.ask(NamePieces(order_id=order, shelf=shelf))

    def may_be_named_anew(self, event):
        """As the policy: whoever has other pieces, and who had a piece that was elsewhere."""
        if isinstance(event, PiecesNamed):
            return [(event.order_id, event.place_id)]
        found = []
        for one in getattr(event, "disputed", ()):
            stock = self.states.get(f"stock/fan/{one.was.removeprefix('good@')}")
            named = stock.named.items() if stock else ()
            found += [(order, one.was.removeprefix("good@")) for order, some in named if one.number in some]
        return found

    def pieces_for(self, order, place):
        """By the view."""
        events = [event for decided in self.decided for event in decided]
        rows = [(row, key[2]) for key, row in rows_after(SHELF_PIECES, events).items() if key[1] == place]
        rows = [(row, serial) for row, serial in rows if row["order_id"] in ("", order)]
        return tuple([serial for row, serial in sorted(rows, key=lambda one: (one[0]["came"], one[0]["number"]))])

    def ask(self, command):
        """What was decided, or the code of the refusal."""
        handler = RULES.handler_of[type(command)]
        initial = {name: RULES.stream_of[name.partition("/")[0]].initial for name in handler.reads(command)}
        states = {name: self.states.get(name, begin) for name, begin in initial.items()}
        claimed = {claim: self.owners.get(claim[1]) for claim in handler.claims(command)}
        try:
            events = handler.decide(States(states, claimed), command)
        except Rejected as no:
            return no.code
        self.fold(events)
        return ""

    def lie(self, serials, where):
        return all(self.where.get(serial) == where for serial in serials)

    def free(self, place, condition):
        stock = self.states.get(f"stock/fan/{place}")
        return stock.movable(condition) if stock else 0

    def may_come(self, serials, *, used):
        out = {None, "issued", "lost", "sent-back", "missing@van-1", "missing@wh-1"}
        return all(
            self.where.get(serial) in out or (used and str(self.where[serial]).startswith("order/"))
            for serial in serials
        )

    @rule(place=places, serials=numbers, condition=conditions, by_document=st.booleans())
    def come_in(self, place, serials, condition, by_document):
        if by_document:
            self.number += 1
            lines = (DocumentLine("fan", len(serials), condition, tuple(serials)),)
            facts = {"source": "wms", "document_id": f"D-{self.number}", "place_id": place}
            asked = BookDocument(kind="receipt", lines=lines, **facts)
        else:
            facts = {"part_id": "fan", "place_id": place, "quantity": len(serials), "serials": tuple(serials)}
            asked = ReceiveStock(**facts, condition=condition, source="maker")
        refused = self.ask(asked)
        assert (refused == "") == self.may_come(serials, used=False), refused
        if not refused:
            self.where |= dict.fromkeys(serials, f"{condition}@{place}")

    @rule(place=places, serials=numbers, condition=conditions)
    def scrap(self, place, serials, condition):
        facts = {"part_id": "fan", "place_id": place, "quantity": len(serials), "serials": tuple(serials)}
        refused = self.ask(ScrapPart(**facts, condition=condition, reason="wet"))
        there = self.lie(serials, f"{condition}@{place}") and len(serials) <= self.free_before(
            place, condition, serials, refused
        )
        assert (refused == "") == there, refused
        if not refused:
            self.where |= dict.fromkeys(serials, "scrapped")

    def free_before(self, place, condition, serials, refused):
        return self.free(place, condition) + (0 if refused else len(serials))

    @rule(place=places, serials=numbers, condition=conditions)
    def send(self, place, serials, condition):
        self.number += 1
        way, to_place = f"t-{self.number}", next(one for one in PLACES if one != place)
        lines = (MovedLine("fan", len(serials), condition, tuple(serials)),)
        asked = SendTransfer(transfer_id=way, from_place_id=place, to_place_id=to_place, lines=lines)
        refused = self.ask(asked)
        there = self.lie(serials, f"{condition}@{place}") and len(serials) <= self.free_before(
            place, condition, serials, refused
        )
        assert (refused == "") == there, refused
        if not refused:
            self.where |= dict.fromkeys(serials, f"transfer/{way}")
            self.ways[way] = to_place, condition, list(serials), tuple(serials)

    @rule(choice=st.integers(0, 9), all_of_it=st.booleans(), lost=st.booleans())
    def end_a_way(self, choice, all_of_it, lost):
        if not self.ways:
            return
        way = sorted(self.ways)[choice % len(self.ways)]
        to_place, condition, sent, every = self.ways[way]
        ended = sent if all_of_it else sent[:1]
        lines = () if all_of_it else (MovedLine("fan", 1, condition, tuple(ended)),)
        facts = {"transfer_id": way, "to_place_id": to_place, "parts": ("fan",), "lines": lines}
        facts["serials"] = tuple([("fan", serial) for serial in every])
        refused = self.ask(LoseTransfer(**facts, reason="gone") if lost else ReceiveTransfer(**facts))
        assert refused == ""
        for serial in ended:
            if self.where[serial] == f"transfer/{way}":
                self.where[serial] = "lost" if lost else f"{condition}@{to_place}"
        del sent[: len(ended)]
        if not sent:
            del self.ways[way]

    @rule(place=places, serials=numbers, order=one_of_three)
    def use(self, place, serials, order):
        self.number += 1
        order_id = f"o-{order}"
        asked = SettleVisit(
            order_id=order_id,
            request_id="r-1",
            visit_id=f"v-{self.number}",
            completed=False,
            used=(UsedPart("fan", place, len(serials), tuple(serials)),),
            shelves=(Shelf(part_id="fan", place_id=place),),
        )
        before = len(self.decided)
        assert self.ask(asked) == "", "a use is a fact"
        used = self.decided[before][0]
        elsewhere = {serial for serial in serials if self.where.get(serial) != f"good@{place}"}
        assert {one.number for one in used.disputed} == elsewhere
        self.where |= dict.fromkeys(serials, f"order/{order_id}")

    @rule(place=places, serials=numbers, condition=conditions)
    def bring_back(self, place, serials, condition):
        facts = {"part_id": "fan", "place_id": place, "quantity": len(serials), "serials": tuple(serials)}
        refused = self.ask(ReturnPart(**facts, condition=condition, order_id="o-1"))
        with_us = any(str(self.where.get(one)).startswith(("good@", "defective@", "transfer/")) for one in serials)
        assert (refused == "") != with_us, refused
        if not refused:
            self.where |= dict.fromkeys(serials, f"{condition}@{place}")

    @rule(place=places, serials=st.lists(st.sampled_from("ABCD"), max_size=3, unique=True), condition=conditions)
    def count(self, place, serials, condition):
        here = f"{condition}@{place}"
        known = tuple(sorted(serial for serial, where in self.where.items() if where == here))
        facts = {"part_id": "fan", "place_id": place, "quantity": len(serials), "condition": condition}
        assert self.ask(CountStock(**facts, serials=tuple(serials), expected=known)) == "", "a count is a fact"
        self.where |= dict.fromkeys(set(known) - {*serials}, f"missing@{place}")
        self.where |= dict.fromkeys(serials, here)

    def held(self, order):
        reservation = self.states.get(f"reservation/{order}")
        return reservation.held if reservation else None

    def shelves(self, order, *more):
        held = self.held(order)
        lines = held.lines if held else ()
        named = [Shelf(part_id="fan", place_id=line.place_id, serials=line.serials) for line in lines]
        candidates = [Shelf(part_id="fan", place_id=one, serials=self.pieces_for(order, one)) for one in more]
        return tuple(named), tuple(candidates)

    @rule(order=orders, quantity=st.integers(1, 2), first=places)
    def assign(self, order, quantity, first):
        self.number += 1
        held, candidates = self.shelves(order, first, next(one for one in PLACES if one != first))
        facts = {"order_id": order, "request_id": "r-1", "engineer_id": "e-1", "van_id": "van-1"}
        lines = (PartLine("fan", quantity),)
        asked = ReserveParts(**facts, visit_id=f"w-{self.number}", lines=lines, candidates=candidates, held=held)
        assert self.ask(asked) == ""
        for line in self.held(order).lines:
            stock = self.states[f"stock/fan/{line.place_id}"]
            here = [one for one in stock.pieces if self.where.get(one) == f"good@{line.place_id}"]
            named_for_others = {one for other, some in stock.named.items() if other != order for one in some}
            able = min(line.quantity, len([one for one in here if one not in named_for_others]))
            assert len(line.serials) == able, "a piece lies there that nobody has"

    @rule(order=orders)
    def release(self, order):
        held, _ = self.shelves(order)
        assert self.ask(ReleaseParts(order_id=order, request_id="r-1", held=held)) == ""
        assert self.held(order) is None

    @rule(order=orders, others=st.booleans(), serials=numbers)
    def pick_up(self, order, others, serials):
        held, _ = self.shelves(order)
        lines = [line for line in (self.held(order).lines if held else ()) if line.place_id == "wh-1"]
        if not lines:
            return
        (line,) = lines
        wanted = tuple(serials) if others else line.serials
        pieces = (FetchedPieces(part_id="fan", place_id="wh-1", serials=wanted),) if others else ()
        facts = {"order_id": order, "request_id": "r-1", "van_id": "van-1"}
        refused = self.ask(PickUpParts(**facts, held=held, pieces=pieces))
        can = len(wanted) == line.quantity and self.lie(wanted, "good@wh-1")
        assert (refused == "") == can, refused
        if not refused:
            self.where |= dict.fromkeys(wanted, "good@van-1")

    @rule(order=orders, serial=st.sampled_from("ABCD"), place=places)
    def finish_a_visit(self, order, serial, place):
        """She uses one piece, whichever it was."""
        (held, _), known = self.shelves(order), self.held(order)
        if known is None:
            return
        used = (UsedPart("fan", place, 1, (serial,)),)
        shelves = (Shelf(part_id="fan", place_id=place),)
        facts = {"order_id": order, "request_id": "r-1", "visit_id": known.visit_id, "completed": False}
        before = len(self.decided)
        assert self.ask(SettleVisit(**facts, used=used, shelves=shelves, held=held)) == ""
        named = {one for line in known.lines for one in line.serials}
        said = [event for event in self.decided[before] if isinstance(event, ReservedPiecesChanged)]
        assert bool(said) == (bool(named) and serial not in named)
        assert self.held(order) is None
        self.where[serial] = f"order/{order}"

    @rule(serials=numbers, outcome=st.sampled_from(["repaired", "scrapped", "exchanged"]), came=numbers)
    def repair(self, serials, outcome, came):
        """To the depot, and what becomes of them, in one go; what is good then is on its way back."""
        self.number += 1
        rma_id, back = f"t-{self.number}", "" if outcome == "scrapped" else f"t-{self.number}-back"
        pieces = {"part_id": "fan", "quantity": len(serials), "serials": tuple(serials)}
        facts = {"depot_id": "depot", "fault": "dead", "reference": "", "due_at": NOW + timedelta(days=30)}
        if self.ask(OpenRma(rma_id=rma_id, place_id="wh-1", **pieces, **facts)):
            assert not self.lie(serials, "defective@wh-1") or self.free("wh-1", "defective") < len(serials)
            return
        way = {"transfer_id": rma_id, "to_place_id": "depot", "parts": ("fan",)}
        assert self.ask(ReceiveTransfer(**way, serials=tuple([("fan", serial) for serial in serials]))) == ""
        self.where |= dict.fromkeys(serials, "defective@depot")
        assert self.ask(DiagnoseRma(rma_id=rma_id, verdict="repairable", finding="a relay")) == ""
        facts = {"place_id": "depot", "outcome": outcome, "reason": "dead", "transfer_id": back}
        facts |= {"to_place_id": "van-1" if back else "", "replaced_by": came if outcome == "exchanged" else ()}
        refused = self.ask(SettleRma(rma_id=rma_id, **pieces, **facts))
        new = set(came) <= set(serials) or self.may_come([one for one in came if one not in serials], used=False)
        assert (refused == "") == (outcome != "exchanged" or (new and len(came) == len(serials))), refused
        if refused:
            return
        self.where |= dict.fromkeys(serials, "scrapped" if outcome == "scrapped" else "sent-back")
        if back:
            good = came if outcome == "exchanged" else serials
            self.where |= dict.fromkeys(good, f"transfer/{back}")
            self.ways[back] = "van-1", "good", list(good), tuple(good)

    @rule(place=places, serials=numbers)
    def hear_of_an_issue(self, place, serials):
        self.number += 1
        lines = (DocumentLine("fan", len(serials), "good", tuple(serials)),)
        facts = {"source": "wms", "document_id": f"D-{self.number}", "place_id": place}
        assert self.ask(BookDocument(kind="issue", lines=lines, **facts)) == ""
        self.where |= dict.fromkeys(serials, "issued")

    @rule(place=places, quantity=st.integers(0, 3))
    def hear_of_a_snapshot(self, place, quantity):
        """It says how many, and nothing of which."""
        self.number += 1
        facts = {"source": "wms", "document_id": f"D-{self.number}", "place_id": place}
        taken_at = NOW + timedelta(seconds=self.number)
        lines = (DocumentLine("fan", quantity, "good"),)
        assert self.ask(BookDocument(kind="snapshot", lines=lines, taken_at=taken_at, **facts)) == ""

    @invariant()
    def each_piece_is_where_the_model_says(self):
        if hasattr(self, "where"):
            events = [event for decided in self.decided for event in decided]
            shown = {key[1]: row["whereabouts"] for key, row in rows_after(SERIALS, events).items()}
            claimed = {key.partition("/")[2]: owner for key, owner in self.owners.items() if owner}
            assert shown == claimed == self.where

    @invariant()
    def each_piece_is_set_aside_for_one_order_where_it_lies(self):
        if hasattr(self, "where"):
            events = [event for decided in self.decided for event in decided]
            named = []
            for (order,), row in rows_after(RESERVATIONS, events).items():
                for line in placed_lines(row["lines"]):
                    stock = self.states[f"stock/fan/{line.place_id}"]
                    assert line.serials == stock.named.get(order, ())
                    assert len(line.serials) <= stock.of(order)
                    assert self.lie(line.serials, f"good@{line.place_id}")
                    named += line.serials
            assert len(named) == len(set(named)), "two orders have one piece"

    @invariant()
    def the_books_close_and_verify_agrees(self):
        if hasattr(self, "where"):
            ledger_of(self.decided)
            judge = Stock(Findings("inventory"))
            for event, envelope in enveloped([event for decided in self.decided for event in decided]):
                if type(event) in Stock.READS:
                    judge.check(int(envelope.position), event, envelope)
            judge.end()
            assert judge.findings.named == []

    def teardown(self):
        events = [event for decided in getattr(self, "decided", []) for event in decided]
        for view in (SHELF_PIECES, RESERVATIONS, SERIALS, SERIAL_MOVES, LOTS, LOT_USES):
            assert_same_rows_shuffled(view, events)


PieceBooks.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None, print_blob=True)
test_each_piece_is_at_one_place_whatever_happens = PieceBooks.TestCase

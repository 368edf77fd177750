"""Which pieces they were: a serial number is at one place at a time, and a lot can be called back."""

from functools import partial

import pytest

from contracts.fieldwork import UsedPart
from contracts.inventory import (
    Disputed,
    DocumentLine,
    LotPieces,
    MovedLine,
    PartConsumed,
    PartDefined,
    PartReturned,
    PartScrapped,
    StockArrived,
    StockCounted,
    StockReceived,
    StockSent,
    VisitSettled,
)
from contracts.problems import NotYet
from inventory.commands import FetchedPieces, ReceiveStock, ReturnPart, ScrapPart
from inventory.projections.pieces import LOT_USES, LOTS, SERIAL_MOVES, SERIALS
from inventory.service import RULES
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import spec_for
from tests.inventory.examples import (
    FAN_DEFINED,
    REGISTERS,
    VAN,
    WAREHOUSE,
    book,
    booked,
    count,
    lose,
    lost,
    pick_up,
    receive,
    recommended,
    reserved,
    send,
    set_aside,
    settle,
    transfer_received,
    transfer_sent,
)

given = spec_for(RULES)

SETTLED = (VisitSettled,)

BY_SERIAL = PartDefined(part_id="fan", name="Fan", fits=("BCD-520",), tracked="serial")
BY_LOT = PartDefined(part_id="fan", name="Fan", fits=("BCD-520",), tracked="lot")
SERIALS_ARE_READ = (BY_SERIAL, WAREHOUSE, VAN)
LOTS_ARE_READ = (BY_LOT, WAREHOUSE, VAN)
AT_VAN = {"part_id": "fan", "place_id": "van-1"}
AT_WAREHOUSE = {"part_id": "fan", "place_id": "wh-1"}


def came(*serials, condition="good", **where):
    return StockReceived(**AT_VAN | where, quantity=len(serials), serials=serials, condition=condition, source="maker")


def came_of(lot, quantity, **where):
    return StockReceived(**AT_VAN | where, quantity=quantity, lots=(LotPieces(lot, quantity),), source="maker")


def take_in(*serials, quantity=None, lots=(), **where):
    facts = {"quantity": quantity or len(serials), "serials": serials, "lots": lots, "source": "maker"}
    return ReceiveStock(**AT_VAN | where | facts)


def throw_away(*serials, quantity=None, lots=()):
    facts = {"quantity": quantity or len(serials), "serials": serials, "lots": lots}
    return ScrapPart(**AT_VAN, **facts, condition="good", reason="wet")


def line(*serials, quantity=None, lots=()):
    return MovedLine("fan", quantity or len(serials), "good", serials, lots)


def went(*serials, order_id="o-1", **changes):
    facts = {"request_id": "r-1", "quantity": len(serials) or 1, "serials": serials, "order_id": order_id}
    return PartConsumed(**AT_VAN | facts | changes)


def use(*serials, quantity=None, lot="", held=()):
    used = UsedPart("fan", "van-1", quantity or len(serials), serials, 0, lot)
    return settle(used, held=held)


# Serial numbers.


def test_every_piece_that_comes_in_is_named():
    given(*SERIALS_ARE_READ).when(take_in("A", "B")).then(came("A", "B"))
    given(*SERIALS_ARE_READ).when(take_in("A", quantity=2)).then_rejected(
        "part.pieces-not-named", tracked="serial", quantity=2, named=1
    )


def test_a_part_that_is_not_tracked_names_none():
    given(*REGISTERS).when(take_in("A")).then_rejected("part.not-so-tracked", tracked="none")
    given(*LOTS_ARE_READ).when(take_in("A")).then_rejected("part.not-so-tracked", tracked="lot")


@pytest.mark.parametrize("before", [came("A"), came("A", place_id="wh-1"), went("A")])
def test_a_piece_that_we_have_or_that_is_in_a_device_does_not_come_in_again(before):
    given(*SERIALS_ARE_READ, before).when(take_in("A")).then_rejected("serial.known", serial="A")


def test_the_same_number_may_be_another_part():
    pump = came("A", part_id="pump")
    given(*SERIALS_ARE_READ, pump).when(take_in("A")).then(came("A"))


def test_only_a_piece_that_is_there_leaves():
    scrapped = PartScrapped(**AT_VAN, quantity=1, serials=("A",), condition="good", reason="wet")
    given(*SERIALS_ARE_READ, came("A", "B")).when(throw_away("A")).then(scrapped)
    given(*SERIALS_ARE_READ, came("B"), came("A", place_id="wh-1")).when(throw_away("A")).then_rejected(
        "serial.elsewhere", serial="A", whereabouts="good@wh-1"
    )
    given(*SERIALS_ARE_READ, came("A", "B"), scrapped).when(throw_away("A")).then_rejected("serial.elsewhere")


SENT = transfer_sent(line("A", "B"))
ON_THE_WAY = (
    *SERIALS_ARE_READ,
    came("A", "B", "C", place_id="wh-1"),
    StockSent(**AT_WAREHOUSE, to_place_id="van-1", transfer_id="t-1", quantity=2, serials=("A", "B")),
    SENT,
)
CARRIES = {"parts": ("fan",), "serials": (("fan", "A"), ("fan", "B"))}


def arrived(*serials, quantity=None):
    way = {"from_place_id": "wh-1", "transfer_id": "t-1"}
    return StockArrived(**AT_VAN, **way, quantity=quantity or len(serials), serials=serials)


def test_a_transfer_carries_the_pieces_that_it_names():
    given(*ON_THE_WAY[:4]).when(send(line("A", "B"))).then(ON_THE_WAY[4], SENT)
    given(*ON_THE_WAY[:4]).when(send(line("A", quantity=2))).then_rejected("part.pieces-not-named")
    given(*ON_THE_WAY).when(receive(line("A"), **CARRIES)).then(arrived("A"), transfer_received(line("A")))
    given(*ON_THE_WAY).when(receive(line("C"), **CARRIES)).then_rejected("serial.elsewhere", serial="C")
    given(*ON_THE_WAY).when(receive(line(quantity=1), **CARRIES)).then_rejected("part.pieces-not-named")
    everything = receive(**CARRIES).model_copy(update={"lines": ()})
    given(*ON_THE_WAY).when(everything).then(arrived("A", "B"), transfer_received(line("A", "B")))


def test_what_the_view_has_not_seen_of_a_transfer_is_waited_for():
    with pytest.raises(NotYet):
        given(*ON_THE_WAY).when(receive().model_copy(update={"lines": ()})).then_nothing()


def test_a_piece_that_was_used_on_its_way_does_not_arrive_or_get_lost():
    used = (*ON_THE_WAY, went("A", drift=1))
    everything = receive(**CARRIES).model_copy(update={"lines": ()})
    given(*used).when(everything).then(arrived("B", quantity=2), transfer_received(line("A", "B")))
    gone = lose(line("A")).model_copy(update=CARRIES)
    given(*used).when(gone).then(lost(line(quantity=1)))


def test_a_piece_that_is_used_is_booked_out():
    given(*SERIALS_ARE_READ, came("A", "B")).when(use("A")).then_types(PartConsumed, *SETTLED)
    (used, *_) = given(*SERIALS_ARE_READ, came("A", "B")).when(use("A")).then_types(PartConsumed, *SETTLED)
    assert (used.serials, used.disputed, used.unnamed) == (("A",), (), 0)


@pytest.mark.parametrize(
    ("before", "was"),
    [
        ([came("A"), went("A", order_id="o-0")], "order/o-0"),
        ([came("A", place_id="wh-1")], "good@wh-1"),
        ([came("A", condition="defective")], "defective@van-1"),
        ([], ""),
    ],
)
def test_a_use_in_the_field_is_a_fact_and_says_where_our_books_had_the_piece(before, was):
    (used, *_) = given(*SERIALS_ARE_READ, *before).when(use("A")).then_types(PartConsumed, *SETTLED)
    assert used.disputed == (Disputed("A", was),)


def test_one_piece_cannot_be_used_twice_in_a_visit_without_being_disputed():
    twice = [UsedPart("fan", place, 1, ("A",)) for place in ("van-1", "wh-1")]
    first, second, _ = (
        given(*SERIALS_ARE_READ, came("A", "B")).when(settle(*twice)).then_types(PartConsumed, PartConsumed, *SETTLED)
    )
    assert (first.disputed, second.disputed) == ((), (Disputed("A", "order/o-1"),))


def test_a_piece_that_was_used_and_not_named_is_counted_as_such():
    (used, *_) = given(*SERIALS_ARE_READ, came("A", "B")).when(use(quantity=2)).then_types(PartConsumed, *SETTLED)
    assert (used.unnamed, used.serials) == (2, ())
    (used, *_) = given(FAN_DEFINED, came()).when(use(quantity=2)).then_types(PartConsumed, *SETTLED)
    assert used.unnamed == 0


def test_numbers_of_a_part_that_is_not_tracked_are_kept_and_disputed_only_when_they_are_used_again():
    (used, *_) = given(FAN_DEFINED).when(use("A")).then_types(PartConsumed, *SETTLED)
    assert (used.serials, used.disputed) == (("A",), ())
    (used, *_) = given(FAN_DEFINED, went("A", order_id="o-0")).when(use("A")).then_types(PartConsumed, *SETTLED)
    assert used.disputed == (Disputed("A", "order/o-0"),)


def test_the_count_is_right_and_says_what_is_missing_and_what_was_elsewhere():
    before = (*SERIALS_ARE_READ, came("A", "B"), came("C", place_id="wh-1"))
    read = count(2, serials=("A", "C"), expected=("A", "B"))
    given(*before).when(read).then(
        StockCounted(**AT_VAN, quantity=2, serials=("A", "C"), missing=("B",), disputed=(Disputed("C", "good@wh-1"),))
    )
    given(*before).when(count(2, serials=("A", "B"), expected=("A", "B"))).then_nothing()
    given(*before).when(count(0, expected=("A", "B"))).then(StockCounted(**AT_VAN, quantity=0, missing=("A", "B")))
    given(*before).when(count(2, serials=("A",))).then_rejected("part.pieces-not-named")


def test_a_count_that_read_no_numbers_leaves_them_as_they_are():
    before = (*SERIALS_ARE_READ, came("A", "B"))
    given(*before).when(count(1, expected=("A", "B"))).then(StockCounted(**AT_VAN, quantity=1))
    given(*before, StockCounted(**AT_VAN, quantity=1)).when(throw_away("B")).then_types(PartScrapped)


def test_what_a_count_missed_may_be_found_again_without_a_dispute():
    before = (*SERIALS_ARE_READ, came("A"), StockCounted(**AT_VAN, quantity=0, missing=("A",)))
    given(*before).when(count(1, "wh-1", serials=("A",))).then(StockCounted(**AT_WAREHOUSE, quantity=1, serials=("A",)))


def bring(*serials, condition="defective", quantity=None):
    facts = {"quantity": quantity or len(serials), "serials": serials, "condition": condition, "order_id": "o-1"}
    return ReturnPart(**AT_VAN, **facts)


def test_an_old_piece_is_named_where_it_can_be_read():
    brought = partial(PartReturned, **AT_VAN, condition="defective", order_id="o-1")
    given(*SERIALS_ARE_READ).when(bring("OLD", quantity=2)).then(brought(quantity=2, serials=("OLD",)))
    given(*SERIALS_ARE_READ, came("A")).when(bring("A")).then_rejected("serial.elsewhere", whereabouts="good@van-1")


def test_a_piece_that_was_not_used_after_all_comes_back_by_its_number():
    back = PartReturned(**AT_VAN, condition="good", order_id="o-1", quantity=1, serials=("A",))
    given(*SERIALS_ARE_READ, came("A"), went("A")).when(bring("A", condition="good")).then(back)
    given(*SERIALS_ARE_READ).when(bring(quantity=1, condition="good")).then_rejected("part.pieces-not-named")


def test_she_says_which_pieces_she_fetches():
    held = [recommended(), set_aside(1, "wh-1"), reserved(("wh-1", 1), van_id="van-1")]
    before = (*SERIALS_ARE_READ, came("A", "B", place_id="wh-1"), *held)
    given(*before).when(pick_up("wh-1")).then_rejected("part.pieces-not-named")
    asked = pick_up("wh-1").model_copy(
        update={"pieces": (FetchedPieces(part_id="fan", place_id="wh-1", serials=("B",)),)}
    )
    events = given(*before).when(asked)._events()
    assert [event.serials for event in events if isinstance(event, StockSent | StockArrived)] == [("B",), ("B",)]


def test_a_receipt_of_the_warehouse_system_names_them_too():
    read = DocumentLine("fan", 1, "good", ("A",))
    document = {"kind": "receipt", "taken_at": None}
    given(*SERIALS_ARE_READ).when(book(DocumentLine("fan", 1, "good"), **document)).then_rejected(
        "part.pieces-not-named"
    )
    given(*SERIALS_ARE_READ).when(book(read, **document)).then(
        StockReceived(**AT_WAREHOUSE, quantity=1, source="wms", serials=("A",)), booked(read, **document)
    )


# Lots.


def test_a_lot_leaves_only_where_so_many_of_it_are():
    lot = (LotPieces("L-1", 2),)
    before = (*LOTS_ARE_READ, came_of("L-1", 1), came_of("L-2", 3))
    given(*before).when(throw_away(quantity=2, lots=lot)).then_rejected("lot.not-enough", lot="L-1", wanted=2, there=1)
    given(*before).when(throw_away(quantity=3, lots=lot)).then_rejected("part.pieces-not-named")
    given(*before, came_of("L-1", 1)).when(throw_away(quantity=2, lots=lot)).then_types(PartScrapped)


def test_a_count_by_lots_says_which_are_gone():
    before = (*LOTS_ARE_READ, came_of("L-1", 1), came_of("L-2", 3))
    counted = StockCounted(**AT_VAN, quantity=2, lots=(LotPieces("L-2", 2), LotPieces("L-1", 0)))
    given(*before).when(count(2, lots=(LotPieces("L-2", 2),))).then(counted)
    given(*before, counted).when(throw_away(quantity=1, lots=(LotPieces("L-1", 1),))).then_rejected("lot.not-enough")


def test_the_lot_that_was_used_is_recorded_also_where_there_was_less_of_it():
    (used, *_) = (
        given(*LOTS_ARE_READ, came_of("L-1", 1)).when(use(quantity=2, lot="L-1")).then_types(PartConsumed, *SETTLED)
    )
    assert (used.lots, used.unnamed, used.drift) == ((LotPieces("L-1", 2),), 0, 1)
    assert used.disputed == (Disputed("L-1", "good@van-1"),), "somebody has to look"
    [row] = rows_after(SERIAL_MOVES, [used]).values()
    assert (row["kind"], row["is_disputed"], row["was"], row["whereabouts"]) == ("lot", True, "good@van-1", "order/o-1")


# The views.


def test_the_story_of_a_piece_is_told_in_the_order_of_the_journal():
    events = [came("A", place_id="wh-1"), ON_THE_WAY[4], SENT, arrived("A"), went("A", device_id="d-1")]
    rows = rows_after(SERIALS, events)
    assert rows["fan", "A"]["whereabouts"] == "order/o-1"
    told = [row["what"] for key, row in sorted(rows_after(SERIAL_MOVES, events).items()) if key[1] == "A"]
    assert told == ["StockReceived", "StockSent", "StockArrived", "PartConsumed"]
    for view in (SERIALS, SERIAL_MOVES):
        assert_same_rows_shuffled(view, events)


def test_a_lot_is_found_where_it_lies_on_its_way_and_in_devices():
    way = {"transfer_id": "t-1", "quantity": 3, "lots": (LotPieces("L-1", 3),)}
    moved = MovedLine("fan", 1, "good", (), (LotPieces("L-1", 1),))
    events = [
        came_of("L-1", 5, place_id="wh-1"),
        StockSent(**AT_WAREHOUSE, to_place_id="van-1", **way),
        StockArrived(**AT_VAN, from_place_id="wh-1", **way | {"quantity": 1, "lots": (LotPieces("L-1", 1),)}),
        lost(moved),
        went(lots=(LotPieces("L-1", 2),), device_id="d-1", quantity=2),
    ]
    there = {key[2]: row["quantity"] for key, row in rows_after(LOTS, events).items()}
    assert there == {"wh-1": 2, "transfer/t-1": 1}
    (use_of,) = rows_after(LOT_USES, events).items()
    assert (use_of[0], use_of[1]["device_id"], use_of[1]["quantity"]) == (("fan", "L-1", "o-1"), "d-1", 2)
    for view in (LOTS, LOT_USES):
        assert_same_rows_shuffled(view, events)

"""What the views show of parts, stock and reservations, in whatever order their events arrive."""

from contracts.inventory import PartLine
from inventory.projections.registers import PARTS, PLACES, models_of
from inventory.projections.reservations import RESERVATIONS, part_lines, placed_lines
from inventory.projections.stock import STOCK
from services.chassis.clock import micros
from tests.fold import FIRST, assert_same_rows_shuffled, rows_after
from tests.inventory.examples import (
    FAN,
    REGISTERS,
    SET_ASIDE,
    VAN,
    consumed,
    counted,
    fell_short,
    lines,
    low,
    recommended,
    released,
    reserved,
    returned,
    set_aside,
    short,
)


def only_row(view, events):
    (found,) = rows_after(view, events).values()
    return found


def test_the_newest_definition_is_shown():
    assert models_of(only_row(PARTS, REGISTERS)["fits"]) == ("BCD-520",)
    assert rows_after(PLACES, REGISTERS)[("van-1",)]["kind"] == VAN.kind


def test_the_stock_shows_what_is_there_and_what_of_it_is_promised():
    found = only_row(STOCK, [counted(5), set_aside(3), returned(1), fell_short(1), consumed(2)])
    assert (found["on_hand"], found["set_aside"], found["drift"]) == (3, 1, 0)
    assert (found["counted_at"], found["counted_by"]) == (micros(FIRST), "count")


def test_the_drift_is_what_was_used_and_was_not_there():
    found = only_row(STOCK, [counted(1), consumed(3, drift=2)])
    assert (found["on_hand"], found["drift"]) == (0, 2)


def test_a_stock_is_low_while_its_free_pieces_are_few():
    events = [counted(2, "wh-1"), set_aside(1, "wh-1"), low(1)]
    assert only_row(STOCK, events)["low"] is True
    assert only_row(STOCK, [*events, returned(1, "wh-1")])["low"] is False
    assert only_row(STOCK, [*events, returned(1, "wh-1"), set_aside(1, "wh-1")])["low"] is True


def test_a_reservation_shows_what_is_set_aside_and_what_is_missing():
    found = only_row(RESERVATIONS, [recommended(PartLine("fan", 3)), reserved(("van-1", 1)), short(2)])
    assert part_lines(found["recommended"]) == (PartLine("fan", 3),)
    assert placed_lines(found["lines"]) == lines(("van-1", 1))
    assert part_lines(found["short"]) == (PartLine("fan", 2),)
    assert (found["visit_id"], found["engineer_id"], found["released"]) == ("v-1", "e-1", "")


def test_what_was_released_is_neither_set_aside_nor_missing():
    found = only_row(RESERVATIONS, [recommended(), reserved(), short(), released("order-cancelled")])
    assert (found["lines"], found["short"], found["released"]) == ("[]", "[]", "order-cancelled")
    assert part_lines(found["recommended"]) == (FAN,)


def test_what_is_reserved_after_a_release_is_set_aside():
    found = only_row(RESERVATIONS, [*SET_ASIDE, released("order-reassigned"), reserved(("wh-1", 1), visit_id="v-2")])
    assert (found["released"], found["visit_id"]) == ("", "v-2")


def test_rows_are_the_same_in_whatever_order_events_arrive():
    events = [
        *REGISTERS,
        *SET_ASIDE,
        counted(4, "wh-1"),
        set_aside(2, "wh-1", "o-2"),
        recommended(order_id="o-2", request_id="r-2"),
        reserved(("wh-1", 2), order_id="o-2", request_id="r-2"),
        low(1),
        counted(1, "wh-1"),
        fell_short(1, "wh-1", "o-2"),
        released("stock-missing", order_id="o-2", request_id="r-2"),
        short(order_id="o-2", request_id="r-2"),
        returned(),
        consumed(3, drift=2),
        # Two requests on one shelf: their order on it is the shelf's.
        consumed(1, "wh-1", order_id="o-2", request_id="r-2"),
        counted(7, "wh-1"),
        released("consumed"),
    ]
    for view in (PARTS, PLACES, STOCK, RESERVATIONS):
        assert_same_rows_shuffled(view, events)

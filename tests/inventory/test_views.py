"""What the views show of parts, stock and reservations, in whatever order their events arrive."""

from contracts.inventory import PartLine
from inventory.projections.drift import DRIFT
from inventory.projections.registers import PARTS, PLACES, models_of
from inventory.projections.reservations import RESERVATIONS, part_lines, placed_lines
from inventory.projections.stock import STOCK
from inventory.projections.transfers import TRANSFERS, moved_lines
from services.chassis.clock import micros
from tests.fold import FIRST, assert_same_rows_shuffled, rows_after
from tests.inventory.examples import (
    FAN,
    REGISTERS,
    SET_ASIDE,
    TAKEN_AT,
    VAN,
    arrived,
    brought_back,
    consumed,
    counted,
    fell_short,
    issued,
    lines,
    lost,
    low,
    moved,
    picked_up,
    received,
    recommended,
    released,
    reserved,
    returned,
    scrapped,
    sent,
    sent_back,
    set_aside,
    short,
    synchronised,
    transfer_received,
    transfer_sent,
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


def test_good_and_defective_pieces_come_and_go_apart():
    events = [received(5), scrapped(1), sent_back(1), brought_back(3), scrapped(1, "defective")]
    found = only_row(STOCK, events)
    assert (found["on_hand"], found["defective"], found["counted_at"]) == (3, 2, None)
    found = only_row(STOCK, [*events, counted(7, condition="defective")])
    assert (found["on_hand"], found["defective"]) == (3, 7)


def test_what_is_on_its_way_is_shown_where_it_goes():
    events = [received(5, "wh-1"), sent(3), arrived(1), lost(moved(1))]
    rows = rows_after(STOCK, events)
    assert {place: (row["on_hand"], row["in_transit"]) for (_, place), row in rows.items()} == {
        "wh-1": (2, 0),
        "van-1": (1, 1),
    }


def test_a_transfer_is_in_transit_until_all_of_it_has_arrived_or_is_lost():
    events = [transfer_sent(moved(3), moved(1, "defective")), transfer_received(moved(1), moved(1, "defective"))]
    found = only_row(TRANSFERS, events)
    assert (moved_lines(found["in_transit"]), found["state"]) == ((moved(2),), "in-transit")
    found = only_row(TRANSFERS, [*events, transfer_received(moved(1)), lost(moved(1))])
    assert (found["in_transit"], moved_lines(found["lost"]), found["state"]) == ("[]", (moved(1),), "ended")


def test_a_reservation_shows_how_long_it_is_kept_and_what_was_fetched():
    kept = reserved(("van-1", 1), ("wh-1", 2), expires_at=FIRST, van_id="van-1")
    found = only_row(RESERVATIONS, [recommended(PartLine("fan", 3)), kept, picked_up(("wh-1", 2))])
    assert (found["expires_at"], placed_lines(found["lines"])) == (micros(FIRST), lines(("van-1", 3)))
    found = only_row(RESERVATIONS, [recommended(PartLine("fan", 3)), kept, released("expired")])
    assert (found["expires_at"], found["released"]) == (None, "expired")


def test_an_order_is_short_until_it_has_all_it_misses():
    events = [(recommended(PartLine("fan", 2), urgency="high"), {"time": FIRST}), reserved(), short(1)]
    found = only_row(RESERVATIONS, events)
    assert (found["is_short"], found["urgency_rank"], found["since"]) == (True, 2, micros(FIRST))
    found = only_row(RESERVATIONS, [*events, reserved(("van-1", 2))])
    assert (found["is_short"], found["short"], found["since"]) == (False, "[]", micros(FIRST))
    assert only_row(RESERVATIONS, [*events, released("expired")])["is_short"] is False


def test_what_the_warehouse_system_says_is_shown():
    found = only_row(STOCK, [counted(9, "wh-1"), synchronised(9, 7), issued(8, drift=1)])
    assert (found["on_hand"], found["drift"]) == (0, 1)
    assert (found["counted_at"], found["counted_by"]) == (micros(TAKEN_AT), "wms")
    found = only_row(STOCK, [synchronised(0, 7, condition="defective"), issued(2, condition="defective")])
    assert (found["on_hand"], found["defective"]) == (0, 5)


def test_the_drift_is_ours_and_theirs_when_they_were_last_compared_and_what_came_up_since():
    found = only_row(DRIFT, [consumed(3, "wh-1", drift=2), synchronised(9, 7)])
    assert (found["ours"], found["theirs"], found["difference"], found["not_on_our_books"]) == (9, 7, -2, 0)
    found = only_row(DRIFT, [synchronised(7, 7), consumed(3, "wh-1", drift=2), issued(1, drift=1)])
    assert (found["difference"], found["not_on_our_books"]) == (0, 3)
    rows = rows_after(DRIFT, [synchronised(7, 7), synchronised(0, 2, condition="defective")])
    assert {key[2]: row["difference"] for key, row in rows.items()} == {"good": 0, "defective": 2}


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
        sent(3),
        transfer_sent(moved(3)),
        arrived(2),
        transfer_received(moved(2)),
        lost(moved(1)),
        reserved(("wh-1", 1), visit_id="v-2", van_id="van-1"),
        picked_up(("wh-1", 1)),
        brought_back(2, "wh-1"),
        scrapped(1, "defective", "wh-1"),
        synchronised(6, 5),
        issued(6, drift=1),
    ]
    for view in (PARTS, PLACES, STOCK, DRIFT, TRANSFERS, RESERVATIONS):
        assert_same_rows_shuffled(view, events)

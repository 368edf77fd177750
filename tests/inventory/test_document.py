"""What the warehouse system says is booked whole and once by its number, and the difference is recorded beside it."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from contracts.inventory import DocumentLine, StockDocumentBooked, StockReceived, StockSynchronised
from inventory.projections.stock import STOCK
from inventory.service import RULES
from tests.fold import rows_after
from tests.given import spec_for
from tests.inventory.examples import (
    REGISTERS,
    TAKEN_AT,
    book,
    booked,
    brought_back,
    consumed,
    counted,
    fell_short,
    issued,
    low,
    said,
    set_aside,
    synchronised,
)

given = spec_for(RULES)

RECEIPT = {"kind": "receipt", "document_id": "R-1", "taken_at": None}
ISSUE = {"kind": "issue", "document_id": "I-1", "taken_at": None}


def test_what_a_snapshot_says_is_ours_from_then_on_and_the_difference_is_kept():
    given(*REGISTERS, counted(9, "wh-1")).when(book(said(7))).then(synchronised(9, 7), booked(said(7)))
    given(*REGISTERS, counted(9, "wh-1"), synchronised(9, 7), booked(said(7))).when(
        book(said(7), document_id="S-2", taken_at=TAKEN_AT + timedelta(1))
    ).then(
        synchronised(7, 7, document_id="S-2", taken_at=TAKEN_AT + timedelta(1)),
        booked(said(7), document_id="S-2", taken_at=TAKEN_AT + timedelta(1)),
    )


def test_good_and_defective_pieces_of_a_snapshot_are_booked_apart():
    lines = said(5), said(2, "defective")
    given(*REGISTERS).when(book(*lines)).then(
        synchronised(0, 5), synchronised(0, 2, condition="defective"), booked(*lines)
    )


def test_a_snapshot_of_less_than_was_set_aside_takes_it_from_those_who_came_last():
    before = [*REGISTERS, counted(2, "wh-1"), set_aside(1, "wh-1"), set_aside(1, "wh-1", "o-2")]
    given(*before).when(book(said(1))).then(synchronised(2, 1), fell_short(1, "wh-1", "o-2"), booked(said(1)))


def test_a_number_is_booked_once_and_stands_for_one_content():
    known = [*REGISTERS, synchronised(0, 7), booked(said(7))]
    given(*known).when(book(said(7))).then_nothing()
    for other in (book(said(8)), book(said(7), kind="receipt", taken_at=None), book(said(7), place_id="van-1")):
        given(*known).when(other).then_rejected("document.other-content", source="wms", document_id="S-1")
    given(*known).when(book(said(7), source="other", document_id="S-1")).then_rejected("document.not-newer")


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=-1)])
def test_a_snapshot_that_is_not_newer_than_the_last_is_refused_whole(later):
    known = [*REGISTERS, synchronised(0, 7), booked(said(7))]
    asked = book(said(9), said(3, "defective"), document_id="S-2", taken_at=TAKEN_AT + later)
    given(*known).when(asked).then_rejected("document.not-newer", document_id="S-2", part_id="fan")


def test_a_receipt_comes_in():
    received = StockReceived(part_id="fan", place_id="wh-1", quantity=4, condition="good", source="wms")
    given(*REGISTERS, counted(9, "wh-1")).when(book(said(4), **RECEIPT)).then(received, booked(said(4), **RECEIPT))


def test_an_issue_is_a_fact_also_when_our_stock_says_none():
    given(*REGISTERS, counted(9, "wh-1")).when(book(said(4), **ISSUE)).then(issued(4), booked(said(4), **ISSUE))
    given(*REGISTERS, counted(1, "wh-1"), low(1)).when(book(said(4), **ISSUE)).then(
        issued(4, drift=3), booked(said(4), **ISSUE)
    )
    old = said(2, "defective")
    given(*REGISTERS, counted(9, "wh-1")).when(book(old, **ISSUE)).then(
        issued(2, drift=2, condition="defective"), booked(old, **ISSUE)
    )


def test_what_a_document_leaves_low_is_told_once():
    given(*REGISTERS, counted(2, "wh-1")).when(book(said(1), **ISSUE)).then(issued(1), booked(said(1), **ISSUE), low(1))
    given(*REGISTERS, counted(2, "wh-1"), issued(1), low(1)).when(book(said(1), **ISSUE)).then(
        issued(1), booked(said(1), **ISSUE)
    )


def test_an_issue_of_what_was_set_aside_takes_it_from_the_order():
    before = [*REGISTERS, counted(2, "wh-1"), set_aside(2, "wh-1"), low(0)]
    given(*before).when(book(said(1), **ISSUE)).then(issued(1), fell_short(1, "wh-1"), booked(said(1), **ISSUE))


def test_what_is_not_defined_is_not_booked():
    given(*REGISTERS[1:]).when(book()).then_rejected("part.unknown", part_id="fan")
    given(*REGISTERS).when(book(place_id="wh-9")).then_rejected("place.unknown", place_id="wh-9")


def test_a_document_names_a_part_once_per_condition():
    with pytest.raises(ValidationError, match="More than one line is about fan"):
        book(said(1), said(2))


# What the warehouse system had not booked yet.


def knowing(quantity, version, number=2):
    """The snapshot of that number; it had booked our events up to that version."""
    at = TAKEN_AT + timedelta(seconds=number)
    line = DocumentLine("fan", quantity, booked_version=version)
    return book(line, document_id=f"S-{number}", taken_at=at), at


def taken(ours, theirs, number=2, **changes):
    at = TAKEN_AT + timedelta(seconds=number)
    return synchronised(ours, theirs, document_id=f"S-{number}", taken_at=at, **changes)


FIRST_KNOWN = [counted(5, "wh-1"), synchronised(5, 5, booked_version=0)]


def test_what_it_had_not_booked_is_on_top_of_what_it_says():
    used = [*REGISTERS, *FIRST_KNOWN, consumed(2, "wh-1")]
    asked, _ = knowing(5, version=2)
    (found, _) = given(*used).when(asked).then_types(StockSynchronised, StockDocumentBooked)
    assert found == taken(3, 5, booked_version=2, unbooked=-2)
    asked, _ = knowing(3, version=3)
    (found, _) = given(*used).when(asked).then_types(StockSynchronised, StockDocumentBooked)
    assert found == taken(3, 3, booked_version=3, unbooked=0)
    asked = book(said(5), document_id="S-2", taken_at=TAKEN_AT + timedelta(seconds=2))
    (found, _) = given(*used).when(asked).then_types(StockSynchronised, StockDocumentBooked)
    assert found == taken(3, 5)


def test_what_it_books_later_is_on_top_once_more_and_then_no_more():
    before = [*REGISTERS, *FIRST_KNOWN, consumed(2, "wh-1"), taken(3, 5, booked_version=2, unbooked=-2)]
    asked, _ = knowing(5, version=2, number=3)
    (found, _) = given(*before).when(asked).then_types(StockSynchronised, StockDocumentBooked)
    assert (found.ours, found.unbooked) == (3, -2)
    asked, _ = knowing(3, version=3, number=3)
    (found, _) = given(*before).when(asked).then_types(StockSynchronised, StockDocumentBooked)
    assert (found.ours, found.unbooked) == (3, 0)


def test_more_than_it_says_cannot_have_left():
    used = [*REGISTERS, *FIRST_KNOWN, consumed(4, "wh-1")]
    asked, _ = knowing(1, version=2)
    after = rows_after(STOCK, [*used, *given(*used).when(asked)._events()])
    assert after["fan", "wh-1"]["on_hand"] == 0


def test_the_other_condition_is_not_meant():
    back = [*REGISTERS, *FIRST_KNOWN, brought_back(1, "wh-1", "defective")]
    asked, _ = knowing(5, version=2)
    (found, _) = given(*back).when(asked).then_types(StockSynchronised, StockDocumentBooked)
    assert found.unbooked == 0

"""I3 for single pieces over logs: a right one has no finding, and each planted violation has its own."""

import pytest
from msgspec.structs import replace

from contracts.inventory import Disputed, MovedLine, StockCounted
from services.verify.business import Stock
from services.verify.findings import Findings
from tests.fold import enveloped
from tests.inventory.examples import (
    arrived,
    brought_back,
    consumed,
    counted,
    lost,
    received,
    scrapped,
    sent,
)


def named(event, *serials, **changes):
    return replace(event, serials=serials, **changes)


def found(*events):
    stock = Stock(Findings("inventory"))
    for event, envelope in enveloped(events):
        stock.check(int(envelope.position), event, envelope)
    stock.end()
    return [finding.what for finding in stock.findings.named]


CAME = named(received(1, "wh-1"), "A")
WENT = named(sent(1), "A")
USED = named(consumed(1), "A")
LOST = lost(MovedLine("fan", 1, "good", ("A",)))


def test_a_piece_that_goes_from_place_to_place_into_a_device_and_back_is_right():
    back = named(brought_back(condition="good"), "A")
    assert found(CAME, WENT, named(arrived(1), "A"), USED, back, named(scrapped(1), "A")) == []
    assert found(CAME, WENT, LOST, CAME) == []
    missing = StockCounted(part_id="fan", place_id="wh-1", quantity=0, missing=("A",))
    assert found(CAME, missing, named(counted(1, "van-1"), "A")) == []


def test_pieces_that_leave_without_a_name_leave_their_numbers_on_the_books():
    two = named(received(2), "A", "B")
    assert found(two, consumed(1), named(consumed(1), "A")) == []
    assert found(two, counted(1)) == []
    read = named(counted(1), "B", missing=("A",))
    assert found(two, consumed(1), read, named(received(1), "C")) == []


SOMEWHERE = (Disputed("A", "good@wh-1"),)


def test_a_fact_that_says_where_the_piece_was_is_right():
    assert found(CAME, named(consumed(1, drift=1), "A", disputed=SOMEWHERE)) == []
    assert found(CAME, named(counted(1, "van-1"), "A", disputed=SOMEWHERE)) == []


@pytest.mark.parametrize(
    ("events", "what"),
    [
        ([CAME, CAME], "A of fan comes in and was good at wh-1"),
        ([CAME, WENT, named(received(1, "van-1"), "A")], "comes in and was on its way"),
        ([CAME, named(counted(1, "van-1"), "A")], "is found good at van-1 and was good at wh-1"),
        ([CAME, named(consumed(1, drift=1), "A")], "is used or issued good at van-1 and was good at wh-1"),
        ([named(received(2), "A", "B"), USED, named(consumed(1), "A")], "is used or issued good at van-1 and was used"),
        ([named(received(2), "A", "B"), USED, named(received(1), "A")], "comes in and was used"),
        ([received(1), named(scrapped(1), "A")], "leaves good at van-1 and was nowhere"),
        ([received(1, "wh-1"), sent(1), named(arrived(1), "A")], "leaves on its way by t-1 and was nowhere"),
        ([CAME, sent(1), LOST], "leaves on its way by t-1 and was good at wh-1"),
        ([named(received(1), "A", "B")], "2 serial numbers of fan lie good at van-1 and 1 pieces are on hand"),
        ([named(counted(1), "A", "B")], "2 serial numbers of fan lie good at van-1 and 1 pieces are on hand"),
        ([named(received(2), "A", "B"), named(received(1), "C", "D")], "4 serial numbers of fan lie good at van-1"),
    ],
)
def test_a_piece_at_two_places_or_used_twice_is_found(events, what):
    (finding,) = found(*events)
    assert what in finding

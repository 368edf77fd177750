"""I3 for lots over logs: a right one has no finding, and each planted violation has its own."""

import pytest
from msgspec.structs import replace

from contracts.inventory import Disputed, LotPieces, MovedLine
from tests.inventory.examples import arrived, brought_back, consumed, counted, lost, received, scrapped, sent
from tests.verify.test_pieces import found


def of(event, quantity, **changes):
    return replace(event, quantity=quantity, lots=(LotPieces("L1", quantity),), **changes)


CAME = of(received(1, "wh-1"), 5)
WENT = of(sent(1), 3)
HERE = of(arrived(1), 2)
LOST = lost(MovedLine("fan", 1, "good", (), (LotPieces("L1", 1),)))


def test_a_lot_that_goes_from_place_to_place_and_into_devices_is_right():
    assert found(CAME, WENT, HERE, LOST, of(consumed(1), 2)) == []
    assert found(CAME, of(counted(1, "wh-1"), 9), of(scrapped(1, "good", "wh-1"), 9)) == []
    assert found(of(brought_back(), 1), of(scrapped(1, "defective"), 1)) == []


def test_what_was_used_beyond_the_books_is_right_where_the_event_says_so():
    assert found(CAME, WENT, HERE, LOST, of(consumed(1), 4, drift=2, disputed=(Disputed("L1", "good@van-1"),))) == []


@pytest.mark.parametrize(
    ("events", "what"),
    [
        (
            [CAME, WENT, HERE, LOST, of(consumed(1), 4, drift=2)],
            "4 of lot L1 of fan leave good at van-1 and 2 were there",
        ),
        ([received(9, "wh-1"), WENT], "3 of lot L1 of fan leave good at wh-1 and 0 were there"),
        ([CAME, WENT, of(arrived(1), 3), LOST], "1 of lot L1 of fan leave on its way by t-1, good and 0 were there"),
        ([received(9), of(scrapped(1), 2)], "2 of lot L1 of fan leave good at van-1 and 0 were there"),
    ],
)
def test_more_of_a_lot_than_was_there_is_found(events, what):
    assert any(what in one for one in found(*events)), found(*events)

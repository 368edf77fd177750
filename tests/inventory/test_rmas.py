"""Defective pieces go to a depot, are diagnosed, and come back good, or never; all the while they are ours."""

from datetime import timedelta

import pytest

from contracts.inventory import (
    LotPieces,
    MovedLine,
    PartRepaired,
    PartScrapped,
    PartSentBack,
    PlaceDefined,
    RmaDiagnosed,
    RmaLost,
    RmaOpened,
    RmaOverdue,
    RmaReceived,
    RmaSettled,
    StockArrived,
    StockReceived,
    StockSent,
    TransferLost,
    TransferReceived,
    TransferSent,
)
from inventory.commands import DiagnoseRma, MissRma, OpenRma, SettleRma
from inventory.projections.pieces import LOTS, SERIALS, SHELF_PIECES
from inventory.projections.rmas import RMAS
from inventory.projections.stock import STOCK
from inventory.service import RULES
from services.chassis.clock import micros
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.inventory.examples import REGISTERS, WAREHOUSE, counted, lose, receive
from tests.inventory.ledger import ledger_of
from tests.inventory.test_pieces import BY_LOT, BY_SERIAL
from tests.inventory.test_story import at, post, story

given = spec_for(RULES)

DEPOT = PlaceDefined(place_id="depot", kind="depot", name="Workshop")
PLACES = (*REGISTERS, DEPOT)
NUMBERED = (BY_SERIAL, WAREHOUSE, DEPOT)
DUE = NOW + timedelta(days=30)
RMA = {"rma_id": "t-1", "depot_id": "depot", "fault": "dead", "reference": "R-7", "due_at": DUE}
OF_FANS = {"part_id": "fan", "place_id": "depot"}


def begin(quantity=2, *serials, **changes):
    return OpenRma(**RMA | {"part_id": "fan", "place_id": "wh-1", "quantity": quantity, "serials": serials} | changes)


def opened(quantity=2, *serials):
    return RmaOpened(**RMA, part_id="fan", quantity=quantity, from_place_id="wh-1", serials=serials)


def line(quantity=2, *serials, condition="defective"):
    return MovedLine("fan", quantity, condition, serials)


def on_the_way(quantity=2, *serials):
    went = StockSent(
        part_id="fan",
        place_id="wh-1",
        to_place_id="depot",
        transfer_id="t-1",
        quantity=quantity,
        condition="defective",
        serials=serials,
    )
    way = {"from_place_id": "wh-1", "to_place_id": "depot", "reason": "repair"}
    return [went, TransferSent(transfer_id="t-1", **way, lines=(line(quantity, *serials),)), opened(quantity, *serials)]


def arrived(quantity=2, *serials):
    way = {"place_id": "depot", "from_place_id": "wh-1", "transfer_id": "t-1", "condition": "defective"}
    came = StockArrived(part_id="fan", quantity=quantity, serials=serials, **way)
    received = TransferReceived(transfer_id="t-1", lines=(line(quantity, *serials),))
    return [came, received, RmaReceived(rma_id="t-1", quantity=quantity)]


LIES = counted(2, "wh-1", condition="defective")
SENT = (*PLACES, LIES, *on_the_way())
THERE = (*SENT, *arrived())
FOUND = RmaDiagnosed(rma_id="t-1", verdict="repairable", finding="a relay")
DIAGNOSED = (*THERE, FOUND)


def settle(outcome="repaired", quantity=1, **changes):
    back = {} if outcome == "scrapped" else {"to_place_id": "wh-1", "transfer_id": "t-2"}
    return SettleRma(rma_id="t-1", **OF_FANS, quantity=quantity, outcome=outcome, reason="dead", **back | changes)


def test_they_leave_for_the_depot_by_a_transfer_of_the_same_id():
    given(*PLACES, LIES).when(begin()).then(*on_the_way())
    given(*SENT).when(begin()).then_nothing()
    given(*PLACES, LIES).when(begin(3)).then_rejected("stock.not-enough", condition="defective", free=2)
    given(*PLACES, LIES).when(begin(depot_id="van-1")).then_rejected("rma.not-a-depot", place_id="van-1")
    given(*PLACES, LIES).when(begin(depot_id="nowhere")).then_rejected("place.unknown", place_id="nowhere")


def test_whoever_receives_or_loses_the_transfer_tells_the_rma():
    whole = receive(line()).model_copy(update={"to_place_id": "depot"})
    given(*SENT).when(whole).then(*arrived())
    gone = lose(line(1)).model_copy(update={"to_place_id": "depot"})
    given(*SENT).when(gone).then_types(TransferLost, RmaLost)
    *_, said = given(*SENT).when(gone).then_types(TransferLost, RmaLost)
    assert said == RmaLost(rma_id="t-1", quantity=1, left=1)


def test_nothing_is_found_or_settled_before_it_is_there():
    asked = DiagnoseRma(rma_id="t-1", verdict="repairable", finding="a relay")
    given(*SENT).when(asked).then_rejected("rma.not-there", wanted=1, at_depot=0)
    given(*THERE).when(asked).then(FOUND)
    given(*THERE).when(settle()).then_rejected("rma.not-diagnosed")
    given(*DIAGNOSED).when(settle(quantity=3)).then_rejected("rma.not-there", wanted=3, at_depot=2)


def test_what_is_repaired_is_good_and_on_its_way_to_where_it_is_wanted():
    repaired = [PartRepaired, StockSent, TransferSent, RmaSettled]
    fixed, left, way, said = given(*DIAGNOSED).when(settle()).then_types(*repaired)
    assert fixed == PartRepaired(**OF_FANS, quantity=1, rma_id="t-1")
    assert (left.condition, way.to_place_id, way.reason) == ("good", "wh-1", "repaired")
    where = {"to_place_id": "wh-1", "transfer_id": "t-2"}
    assert said == RmaSettled(rma_id="t-1", outcome="repaired", quantity=1, left=1, **where)


def test_what_is_repaired_is_not_defective_any_more():
    fixed = PartRepaired(**OF_FANS, quantity=2, rma_id="t-9")
    given(*DIAGNOSED, fixed).when(settle("scrapped")).then_rejected("stock.not-enough", free=0)


def test_what_cannot_be_repaired_is_scrapped():
    gone, said = given(*DIAGNOSED).when(settle("scrapped", 2)).then_types(PartScrapped, RmaSettled)
    assert (gone.condition, gone.reason, said.left) == ("defective", "dead", 0)


NUMBERED_THERE = (
    *NUMBERED,
    StockReceived(part_id="fan", place_id="wh-1", quantity=2, condition="defective", source="x", serials=("A", "B")),
    *on_the_way(2, "A", "B"),
    *arrived(2, "A", "B"),
    FOUND,
)


def test_another_piece_comes_in_exchange():
    exchanged = [PartSentBack, StockReceived, StockSent, TransferSent, RmaSettled]
    asked = settle("exchanged", serials=("A",), replaced_by=("X",))
    gone, came, left, _, said = given(*NUMBERED_THERE).when(asked).then_types(*exchanged)
    assert (gone.serials, came.serials, left.serials) == (("A",), ("X",), ("X",))
    assert (said.serials, said.replaced_by) == (("A",), ("X",))
    known = settle("exchanged", serials=("A",), replaced_by=("B",))
    given(*NUMBERED_THERE).when(known).then_rejected("serial.known", serial="B")
    unnamed = settle("exchanged", serials=("A",))
    given(*NUMBERED_THERE).when(unnamed).then_rejected("part.pieces-not-named", named=0)


def test_a_repaired_piece_is_named_and_its_number_may_be_read_there_first():
    given(*NUMBERED_THERE).when(settle()).then_rejected("part.pieces-not-named")
    for serial in ("A", "NEVER-READ"):
        fixed, *_ = given(*NUMBERED_THERE).when(settle(serials=(serial,)))._events()
        assert fixed.serials == (serial,)
    elsewhere = StockReceived(part_id="fan", place_id="wh-1", quantity=1, source="x", serials=("C",))
    given(*NUMBERED_THERE, elsewhere).when(settle(serials=("C",))).then_rejected("serial.elsewhere")


def test_it_is_overdue_once_and_only_while_something_is_open():
    missed = MissRma(rma_id="t-1", due_at=DUE)
    said = RmaOverdue(rma_id="t-1", left=2, due_at=DUE)
    given(*SENT).when(missed).then(said)
    given(*SENT, said).when(missed).then_nothing()
    over = RmaSettled(rma_id="t-1", outcome="scrapped", quantity=2, left=0)
    given(*THERE, over).when(missed).then_nothing()


@pytest.mark.parametrize("outcome", ["repaired", "scrapped", "exchanged"])
def test_all_the_while_the_books_close_and_the_views_show_it(outcome):
    decided = [[LIES], on_the_way(), arrived(), [FOUND], given(*DIAGNOSED).when(settle(outcome))._events()]
    ledger = ledger_of(decided)
    assert ledger.on_hand["fan", "depot", "defective"] == 1
    events = [event for some in decided for event in some]
    (row,) = rows_after(RMAS, events).values()
    assert (row["at_depot"], row[outcome], row["is_open"]) == (1, 1, True)
    assert rows_after(STOCK, events)["fan", "depot"]["defective"] == 1
    for view in (RMAS, STOCK, SERIALS, SHELF_PIECES):
        assert_same_rows_shuffled(view, events)


def test_a_lot_that_is_repaired_is_good_there():
    lot = (LotPieces("L-1", 2),)
    came = StockReceived(part_id="fan", place_id="depot", quantity=2, condition="defective", source="x", lots=lot)
    fixed = PartRepaired(**OF_FANS, quantity=1, rma_id="t-1", lots=(LotPieces("L-1", 1),))
    rows = rows_after(LOTS, [came, fixed])
    assert {key[3]: row["quantity"] for key, row in rows.items()} == {"good": 1, "defective": 1}
    assert BY_LOT.tracked == "lot"


FANS = {"part_id": "fan", "quantity": 1}


def field_of(answer):
    return answer.json()["errors"][0]["field"]


@story
async def test_from_the_shelf_to_the_depot_and_back(it):
    await post(it, "/v1/places", place_id="depot", kind="depot", name="Workshop")
    await post(it, "/v1/stock/receive", **FANS, place_id="wh-1", condition="defective", source="x")
    body = {**FANS, "place_id": "wh-1", "depot_id": "depot", "fault": "dead", "due_at": DUE.isoformat()}
    late = await post(it, "/v1/rmas", **body | {"due_at": NOW.isoformat()})
    assert (late.status_code, late.json()["code"], field_of(late)) == (422, "rma.due-in-past", "due_at")
    wrong = await post(it, "/v1/rmas", **body | {"depot_id": "wh-1"})
    assert (wrong.status_code, field_of(wrong)) == (422, "depot_id")
    rma_id = (await post(it, "/v1/rmas", **body)).json()["id"]
    await post(it, f"/v1/transfers/{rma_id}/receive", lines=[])
    await post(it, f"/v1/rmas/{rma_id}/diagnose", verdict="repairable", finding="a relay")
    settle = f"/v1/rmas/{rma_id}/settle"
    for odd, name in (
        ({"outcome": "repaired"}, "to_place_id"),
        ({"outcome": "scrapped"}, "reason"),
        ({"outcome": "scrapped", "reason": "x", "to_place_id": "wh-1"}, "to_place_id"),
        ({"outcome": "repaired", "to_place_id": "wh-1", "replaced_by": ["A"]}, "replaced_by"),
    ):
        refused = await post(it, settle, quantity=1, **odd)
        assert (refused.status_code, field_of(refused)) == (422, name)
    assert (await post(it, settle, quantity=1, outcome="repaired", to_place_id="wh-1")).is_success
    (found,) = (await it.call("o-1", "operator", "GET", "/v1/rmas")).json()["items"]
    assert (found["is_open"], found["repaired"], found["verdict"]) == (False, 1, "repairable")
    ways = (await it.call("o-1", "operator", "GET", "/v1/transfers?state=in-transit")).json()["items"]
    assert (await post(it, f"/v1/transfers/{ways[0]['transfer_id']}/receive", lines=[])).is_success
    shelf = (await it.call("o-1", "operator", "GET", "/v1/stock?place_id=wh-1")).json()["items"][0]
    assert (shelf["on_hand"], shelf["defective"]) == (3, 0)
    assert await it.running.journal.due(micros(NOW + timedelta(days=99)), 10) == []


@story
async def test_an_rma_that_nobody_settles_is_overdue(it):
    await post(it, "/v1/places", place_id="depot", kind="depot", name="Workshop")
    await post(it, "/v1/stock/receive", **FANS, place_id="wh-1", condition="defective", source="x")
    body = {**FANS, "place_id": "wh-1", "depot_id": "depot", "fault": "dead", "due_at": DUE.isoformat()}
    await post(it, "/v1/rmas", **body)
    await at(it, DUE)
    (found,) = (await it.call("o-1", "operator", "GET", "/v1/rmas?overdue=true")).json()["items"]
    assert found["on_the_way"] == 1

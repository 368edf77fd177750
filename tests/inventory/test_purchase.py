"""More is bought when what will be left is at the reorder point: suggested once, with its reasons."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from contracts.dispatcher import OrderCancelled
from contracts.inventory import (
    PurchaseDismissed,
    PurchaseNotNeeded,
    PurchaseOrdered,
    PurchaseSuggested,
    ReorderPointSet,
    StockReceived,
    StockRulesSet,
)
from inventory.commands import DismissPurchase, OrderPurchase, SetReorderPoint, SuggestPurchase, WantedPieces
from inventory.projections.purchases import PURCHASES
from inventory.service import RULES
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.inventory.examples import REGISTERS, counted, set_aside, synchronised
from tests.inventory.test_story import assigned, opened, post, story

given = spec_for(RULES)

AT = {"part_id": "fan", "place_id": "wh-1"}
POINT = ReorderPointSet(**AT, reorder_at=4, reorder_to=12)
ASKED = SuggestPurchase(**AT, now=NOW)


def suggested(quantity, on_hand, **changes):
    facts = {"set_aside": 0, "expected_use": 0, "ordered": 0, "reorder_at": 4, "reorder_to": 12}
    return PurchaseSuggested(**AT | facts | {"quantity": quantity, "on_hand": on_hand} | changes)


def at_warehouse(*events):
    return given(*REGISTERS, *events)


def wanted(*pieces, until=None):
    found = tuple([WantedPieces(quantity=one, until=until) for one in pieces])
    return ASKED.model_copy(update={"wanted": found})


ORDERED = PurchaseOrdered(**AT, quantity=8, reference="PO-7")
DISMISSED = PurchaseDismissed(**AT, reason="given up")
NOT_NEEDED = PurchaseNotNeeded(**AT)


def test_at_the_reorder_point_so_many_are_suggested_that_it_comes_to_the_upper_level():
    at_warehouse(POINT, counted(4, "wh-1")).when(ASKED).then(suggested(8, 4))
    at_warehouse(POINT, counted(5, "wh-1")).when(ASKED).then_nothing()
    at_warehouse(counted(0, "wh-1")).when(ASKED).then_nothing()


def test_what_is_set_aside_expected_and_ordered_counts():
    aside = (POINT, counted(6, "wh-1"), set_aside(2, "wh-1"))
    at_warehouse(*aside).when(ASKED).then(suggested(8, 6, set_aside=2))
    at_warehouse(POINT, counted(9, "wh-1")).when(wanted(3, 2)).then(suggested(8, 9, expected_use=5))
    at_warehouse(POINT, counted(4, "wh-1"), ORDERED).when(ASKED).then_nothing()
    at_warehouse(POINT, counted(1, "wh-1"), ORDERED).when(wanted(5)).then(suggested(8, 1, expected_use=5, ordered=8))


def test_work_that_is_far_away_is_not_expected_yet():
    before = (POINT, counted(9, "wh-1"))
    near, far = NOW + timedelta(days=14), NOW + timedelta(days=14, seconds=1)
    at_warehouse(*before).when(wanted(5, until=near)).then(suggested(8, 9, expected_use=5))
    at_warehouse(*before).when(wanted(5, until=far)).then_nothing()
    at_warehouse(*before, StockRulesSet(plan_ahead_days=15)).when(wanted(5, until=far)).then(
        suggested(8, 9, expected_use=5)
    )


SUGGESTED = (POINT, counted(4, "wh-1"), suggested(8, 4))


def test_it_is_suggested_once_until_there_is_enough_again():
    at_warehouse(*SUGGESTED, counted(1, "wh-1")).when(ASKED).then_nothing()
    enough = (*SUGGESTED, counted(5, "wh-1"))
    at_warehouse(*enough).when(ASKED).then(NOT_NEEDED)
    at_warehouse(*enough, NOT_NEEDED).when(ASKED).then_nothing()
    at_warehouse(*enough, NOT_NEEDED, counted(4, "wh-1")).when(ASKED).then(suggested(8, 4))


def test_what_was_dismissed_is_not_suggested_again_before_there_was_enough():
    dismissing = DismissPurchase(**AT, reason="given up")
    at_warehouse(*SUGGESTED).when(dismissing).then(DISMISSED)
    at_warehouse(*SUGGESTED, DISMISSED, counted(0, "wh-1")).when(ASKED).then_nothing()
    again = (*SUGGESTED, DISMISSED, counted(9, "wh-1"), NOT_NEEDED, counted(4, "wh-1"))
    at_warehouse(*again).when(ASKED).then(suggested(8, 4))
    for before in ((POINT,), (*SUGGESTED, DISMISSED), (*SUGGESTED, ORDERED)):
        at_warehouse(*before).when(dismissing).then_rejected("purchase.not-suggested", **AT)


def test_what_was_ordered_is_left_to_come_until_it_came():
    ordering = OrderPurchase(**AT, quantity=8, reference="PO-7")
    at_warehouse(*SUGGESTED).when(ordering).then(ORDERED)
    came = StockReceived(**AT, quantity=8, source="maker")
    used = counted(4, "wh-1")
    at_warehouse(*SUGGESTED, ORDERED, came, used).when(ASKED).then(suggested(8, 4))
    by_snapshot = (*SUGGESTED, ORDERED, synchronised(4, 12), used)
    at_warehouse(*by_snapshot).when(ASKED).then(suggested(8, 4))
    broken = StockReceived(**AT, quantity=8, condition="defective", source="maker")
    at_warehouse(*SUGGESTED, ORDERED, broken).when(ASKED).then_nothing()


def test_without_a_reorder_point_a_suggestion_is_over():
    setting = SetReorderPoint(**AT, reorder_at=0, reorder_to=0)
    none = ReorderPointSet(**AT, reorder_at=0, reorder_to=0)
    at_warehouse(*SUGGESTED).when(setting).then(none)
    at_warehouse(*SUGGESTED, none).when(ASKED).then(NOT_NEEDED)
    at_warehouse(*SUGGESTED).when(SetReorderPoint(**AT, reorder_at=4, reorder_to=12)).then_nothing()
    with pytest.raises(ValidationError):
        SetReorderPoint(**AT, reorder_at=4, reorder_to=4)


def test_the_view_shows_what_is_to_be_bought_and_why():
    (row,) = rows_after(PURCHASES, SUGGESTED).values()
    assert (row["state"], row["quantity"], row["on_hand"]) == ("suggested", 8, 4)
    events = [*SUGGESTED, ORDERED, StockReceived(**AT, quantity=3, source="maker"), synchronised(7, 9)]
    (row,) = rows_after(PURCHASES, events).values()
    assert (row["state"], row["ordered"], row["reason"]) == ("ordered", 3, "PO-7")
    assert_same_rows_shuffled(PURCHASES, events)
    assert rows_after(PURCHASES, [StockReceived(**AT, quantity=3, source="maker")]) == {}


# Through the policy: two fans at the warehouse, one in each van.


async def purchases(it):
    rows = (await it.call("d-1", "dispatcher", "GET", "/v1/stock/purchases")).json()["items"]
    return {row["place_id"]: (row["state"], row["quantity"], row["expected_use"]) for row in rows}


@story
async def test_what_open_orders_will_want_is_bought_in_time(it):
    other = {"part_id": "fan", "reorder_at": 1, "reorder_to": 3}
    assert (await post(it, "/v1/stock/reorder-points", place_id="wh-1", **other)).status_code == 200
    assert (await post(it, "/v1/stock/reorder-points", place_id="van-1", **other)).status_code == 200
    assert await purchases(it) == {"wh-1": ("", 0, 0), "van-1": ("suggested", 2, 0)}
    await it.publishes(opened())
    assert (await purchases(it))["wh-1"] == ("suggested", 2, 1)
    answer = await post(it, "/v1/stock/purchases/dismiss", part_id="fan", place_id="wh-1", reason="enough")
    assert answer.status_code == 200
    await it.publishes(OrderCancelled(order_id="o-1", request_id="r-1", reason="dispatcher"))
    await post(it, "/v1/stock/receive", part_id="fan", place_id="wh-1", quantity=1, source="maker")
    assert (await purchases(it))["wh-1"][0] == ""
    ordered = {"part_id": "fan", "place_id": "van-1", "quantity": 2, "reference": "PO-9"}
    assert (await post(it, "/v1/stock/purchases/order", **ordered)).status_code == 200
    assert (await purchases(it))["van-1"][0] == "ordered"


@story
async def test_what_orders_are_short_of_is_bought(it):
    for place_id in ("van-1", "wh-1"):
        await post(it, "/v1/stock/count", part_id="fan", place_id=place_id, quantity=0)
    await it.publishes(opened(), assigned())
    await post(it, "/v1/stock/reorder-points", part_id="fan", place_id="wh-1", reorder_at=0, reorder_to=1)
    assert await purchases(it) == {"wh-1": ("suggested", 2, 1)}

"""Parts through the routes and the policies, on real stores: what others publish, and what inventory makes of it."""

import asyncio
import functools
from datetime import UTC, timedelta

import msgspec
import pytest

from contracts.dispatcher import OrderAssigned, OrderCancelled, OrderOpened, OrderReassigned
from contracts.fieldwork import ServiceCompleted, UsedPart, VisitAborted
from contracts.intake import UsualPart
from contracts.inventory import (
    PartConsumed,
    PartLine,
    PartsRecommended,
    PartsReserved,
    PartsShort,
    ReservationExpired,
    ReservationReleased,
    StockLow,
)
from inventory.policies import when_shortage_may_end
from inventory.projections.reservations import SHORT_OF
from inventory.projections.stock import FREE_OF
from inventory.service import service
from services.chassis.clock import micros
from services.chassis.ids import derived_id
from tests.dispatcher.examples import registered
from tests.fieldwork.live import live
from tests.fold import enveloped
from tests.given import NOW
from tests.inventory.examples import short
from tests.inventory.ledger import on_hand_and_set_aside

ORDER = {"order_id": "o-1", "request_id": "r-1"}
HOURS = {"starts_at": NOW, "ends_at": NOW, "travel_m": 0}
USED = UsedPart("fan", "van-1", 1)


def story(test):
    """Runs a coroutine that is given the live service, with one fan in each van and two at the warehouse."""

    @functools.wraps(test)
    def run(tmp_path):
        async def told():
            async with live(service, tmp_path) as it:
                await stock_up(it)
                await test(it)

        asyncio.run(told())

    del run.__wrapped__  # pytest would look for the parameters of the coroutine
    return run


async def post(it, path, role="operator", **body):
    return await it.call("o-1", role, "POST", path, json=body)


async def stock_up(it):
    await post(it, "/v1/parts", part_id="fan", name="Fan", fits=["BCD-520", "ÖKO"], low_below=2)
    await post(it, "/v1/parts", part_id="seal", name="Seal", fits=["BCD-520"], usual_quantity=0)
    for place_id, kind in (("van-1", "van"), ("van-2", "van"), ("wh-1", "warehouse")):
        await post(it, "/v1/places", place_id=place_id, kind=kind, name=place_id)
    for place_id, quantity in (("van-1", 1), ("van-2", 1), ("wh-1", 2)):
        await post(it, "/v1/stock/count", part_id="fan", place_id=place_id, quantity=quantity)


def opened(model="BCD-520", **changes):
    return OrderOpened(**ORDER | {"device_model": model} | changes)


def assigned(model="BCD-520", **changes):
    facts = {"engineer_id": "e-1", "van_id": "van-1", "chosen_by": "rule", "device_model": model}
    return OrderAssigned(**ORDER | HOURS | facts | changes)


def reassigned(**changes):
    facts = {"from_engineer_id": "e-1", "engineer_id": "e-2", "van_id": "van-2", "reason": "ill"}
    return OrderReassigned(**ORDER | HOURS | facts | {"device_model": "BCD-520"} | changes)


def completed(*parts, visit_id="v-1", **changes):
    times = dict.fromkeys(("departed_at", "arrived_at", "started_at", "finished_at"), NOW)
    who = {"engineer_id": "e-1", "customer_id": "c-1", "rating": 5, "signature": "sealed:x"}
    return ServiceCompleted(visit_id=visit_id, **ORDER | who | times | {"parts": parts} | changes)


def aborted(visit_id, *parts):
    return VisitAborted(visit_id=visit_id, **ORDER, engineer_id="e-1", reason="not-safe", parts=parts)


def visit_of(envelope):
    return derived_id("visit", "o-1", envelope.id)


async def reservation(it, order_id="o-1"):
    return (await it.call("d-1", "dispatcher", "GET", f"/v1/reservations/{order_id}")).json()


async def shelves(it):
    """On hand and set aside, by place."""
    rows = (await it.call("d-1", "dispatcher", "GET", "/v1/stock?part_id=fan")).json()["items"]
    return {row["place_id"]: (row["on_hand"], row["set_aside"]) for row in rows}


@story
async def test_an_order_is_followed_from_its_opening_to_its_end(it):
    await it.publishes(opened())
    (line,) = (await reservation(it))["recommended"]
    assert (line["part_id"], line["quantity"], line["source"]) == ("fan", 1, "device-model")
    (envelope,) = await it.publishes(assigned())
    found = await reservation(it)
    assert found["reserved"] == [{"part_id": "fan", "quantity": 1, "place_id": "van-1", "serials": []}]
    assert found["visit_id"] == visit_of(envelope)
    assert await shelves(it) == {"van-1": (1, 1), "van-2": (1, 0), "wh-1": (2, 0)}
    await it.publishes(completed(USED, visit_id=visit_of(envelope)))
    assert await shelves(it) == {"van-1": (0, 0), "van-2": (1, 0), "wh-1": (2, 0)}
    assert (await reservation(it))["released"] == "consumed"


@story
async def test_a_model_that_no_part_fits_has_no_reservation(it):
    await it.publishes(opened("bcd-520"), assigned("bcd-520"))
    await it.publishes(opened("", order_id="o-2"))
    answer = await it.call("d-1", "dispatcher", "GET", "/v1/reservations/o-1")
    assert answer.status_code == 404


@story
async def test_a_model_is_found_whatever_its_letters(it):
    await it.publishes(opened("ÖKO"))
    assert [line["part_id"] for line in (await reservation(it))["recommended"]] == ["fan"]


@story
async def test_parts_move_with_the_order_and_come_back_when_it_is_cancelled(it):
    await it.publishes(opened(), assigned())
    (envelope,) = await it.publishes(reassigned())
    assert (await reservation(it))["visit_id"] == visit_of(envelope)
    assert await shelves(it) == {"van-1": (1, 0), "van-2": (1, 1), "wh-1": (2, 0)}
    await it.publishes(OrderCancelled(**ORDER, reason="dispatcher"))
    assert await shelves(it) == {"van-1": (1, 0), "van-2": (1, 0), "wh-1": (2, 0)}


@story
async def test_all_that_arrives_together_comes_to_the_same(it):
    """The views cannot show what is decided within one page; what is not seen yet is waited for."""
    await it.publishes(opened(), assigned(), reassigned(), OrderCancelled(**ORDER, reason="dispatcher"))
    kinds = [type(event) for event in await it.own_events()]
    assert (kinds.count(PartsReserved), kinds.count(ReservationReleased)) == (2, 2)
    assert await shelves(it) == {"van-1": (1, 0), "van-2": (1, 0), "wh-1": (2, 0)}


@story
async def test_the_last_piece_goes_to_one_order_and_the_other_is_short(it):
    await post(it, "/v1/stock/count", part_id="fan", place_id="wh-1", quantity=0)
    other = {"order_id": "o-2", "request_id": "r-2"}
    await it.publishes(assigned(), assigned(**other))
    found = [await reservation(it), await reservation(it, "o-2")]
    assert sorted([len(one["reserved"]), len(one["short"])] for one in found) == [[0, 1], [1, 0]]


@story
async def test_a_count_that_takes_pieces_away_has_them_replaced(it):
    await it.publishes(assigned())
    await post(it, "/v1/stock/count", part_id="fan", place_id="van-1", quantity=0)
    found = await reservation(it)
    assert [line["place_id"] for line in found["reserved"]] == ["wh-1"]
    assert await shelves(it) == {"van-1": (0, 0), "van-2": (1, 0), "wh-1": (2, 1)}
    assert [event.free for event in await it.own_events() if isinstance(event, StockLow)] == [1]


@story
async def test_an_aborted_visit_gives_back_what_it_did_not_use(it):
    (envelope,) = await it.publishes(assigned())
    used = UsedPart("fan", "wh-1", 1)
    await it.publishes(aborted(visit_of(envelope), used))
    assert await shelves(it) == {"van-1": (1, 0), "van-2": (1, 0), "wh-1": (1, 0)}
    assert (await reservation(it))["released"] == "visit-aborted"


@story
async def test_word_of_the_abortion_after_the_next_assignment_leaves_its_parts_alone(it):
    (first,) = await it.publishes(assigned())
    await it.publishes(reassigned())
    await it.publishes(aborted(visit_of(first)))
    assert await shelves(it) == {"van-1": (1, 0), "van-2": (1, 1), "wh-1": (2, 0)}


@story
async def test_what_was_used_is_booked_although_we_know_of_no_such_part(it):
    await it.publishes(completed(UsedPart("unheard-of", "nowhere", 2)))
    (event,) = [event for event in await it.own_events() if isinstance(event, PartConsumed)]
    assert (event.quantity, event.drift, event.request_id) == (2, 2, "r-1")


@story
async def test_the_books_close(it):
    await it.publishes(opened(), assigned())
    await it.publishes(reassigned())
    await it.publishes(completed(USED, UsedPart("fan", "van-2", 3)))
    on_hand, set_aside = on_hand_and_set_aside([await it.own_events()])
    assert not set_aside
    shown = await shelves(it)
    assert {place: pieces for (_, place), pieces in on_hand.items()} == {place: row[0] for place, row in shown.items()}


@story
async def test_nothing_is_done_twice_for_one_event(it):
    await it.publishes(opened(), assigned())
    before = await it.own_events()
    await it.publishes(opened())
    assert await it.own_events() == before
    assert {type(event) for event in before} >= {PartsRecommended, PartsReserved}
    assert PartsShort not in {type(event) for event in before}


# Three levels, and what goes from one to another.


async def to_the_branch(it):
    """A branch where van-1 drives, with one fan."""
    for place_id, kind, region in (("van-1", "van", "north"), ("br-1", "branch", "north"), ("br-2", "branch", "south")):
        await post(it, "/v1/places", place_id=place_id, kind=kind, name=place_id, region=region)
    for place_id in ("br-1", "br-2"):
        await post(it, "/v1/stock/count", part_id="fan", place_id=place_id, quantity=1)
    await post(it, "/v1/stock/count", part_id="fan", place_id="van-1", quantity=0)


@story
async def test_the_branch_of_her_region_goes_before_the_warehouse(it):
    await to_the_branch(it)
    await it.publishes(assigned(), assigned(order_id="o-2", request_id="r-2"))
    places = [(await reservation(it, order_id))["reserved"][0]["place_id"] for order_id in ("o-1", "o-2")]
    assert sorted(places) == ["br-1", "wh-1"]


@story
async def test_she_fetches_what_is_set_aside_for_her_and_nobody_else_does(it):
    await to_the_branch(it)
    await it.publishes(assigned())
    path = "/v1/reservations/o-1/pick-up"
    assert (await it.call("e-2", "engineer", "POST", path)).status_code == 404
    answer = await it.call("e-1", "engineer", "POST", path)
    assert "PartsPickedUp" in answer.json()["events"]
    assert (await it.call("e-1", "engineer", "POST", path)).json()["events"] == []
    assert [line["place_id"] for line in (await reservation(it))["reserved"]] == ["van-1"]
    assert (await shelves(it))["van-1"] == (1, 1)
    assert (await shelves(it))["br-1"] == (0, 0)


@story
async def test_a_transfer_is_sent_seen_on_its_way_and_received(it):
    await it.publishes(registered())
    lines = [{"part_id": "fan", "quantity": 2}]
    sending = {"from_place_id": "wh-1", "to_place_id": "van-1", "lines": lines, "reason": "restock"}
    transfer_id = (await post(it, "/v1/transfers", **sending)).json()["id"]
    assert (await shelves(it))["wh-1"] == (0, 0)
    listed = (await it.call("e-1", "engineer", "GET", "/v1/transfers?to_place_id=van-1&state=in-transit")).json()
    assert [(one["transfer_id"], one["in_transit"]) for one in listed["items"]] == [
        (transfer_id, [{"part_id": "fan", "quantity": 2, "condition": "good", "serials": [], "lots": []}])
    ]
    rows = (await it.call("e-1", "engineer", "GET", "/v1/stock?place_id=van-1")).json()["items"]
    assert [(row["part_id"], row["on_hand"], row["in_transit"]) for row in rows] == [("fan", 1, 2)]
    one = [{"part_id": "fan", "quantity": 1}]
    await it.call("e-1", "engineer", "POST", f"/v1/transfers/{transfer_id}/receive", json={"lines": one})
    assert (await shelves(it))["van-1"] == (2, 0)
    lost = await post(it, f"/v1/transfers/{transfer_id}/lose", reason="not in the box")
    assert lost.json()["events"] == ["TransferLost"]
    found = (await it.call("e-1", "engineer", "GET", f"/v1/transfers/{transfer_id}")).json()
    assert (found["state"], found["lost"][0]["quantity"]) == ("ended", 1)
    again = await it.call("e-1", "engineer", "POST", f"/v1/transfers/{transfer_id}/receive", json={})
    assert (again.status_code, again.json()["code"]) == (409, "transfer.ended")


@story
async def test_an_engineer_moves_only_what_comes_to_her_van_or_leaves_it(it):
    await it.publishes(registered("e-1", van_id="van-1"), registered("e-2", van_id="van-2"))
    lines = [{"part_id": "fan", "quantity": 1}]
    sending = {"from_place_id": "wh-1", "to_place_id": "van-1", "lines": lines}
    answer = await it.call("e-2", "engineer", "POST", "/v1/transfers", json=sending)
    assert (answer.status_code, answer.json()["code"]) == (409, "transfer.not-her-van")
    assert (await it.call("e-3", "engineer", "POST", "/v1/transfers", json=sending)).status_code == 409
    transfer_id = (await it.call("e-1", "engineer", "POST", "/v1/transfers", json=sending)).json()["id"]
    path = f"/v1/transfers/{transfer_id}/receive"
    assert (await it.call("e-2", "engineer", "POST", path, json={})).status_code == 404
    assert (await it.call("e-1", "engineer", "POST", path, json={})).status_code == 200
    back = {"from_place_id": "van-1", "to_place_id": "wh-1", "lines": lines}
    transfer_id = (await it.call("e-1", "engineer", "POST", "/v1/transfers", json=back)).json()["id"]
    assert (await post(it, f"/v1/transfers/{transfer_id}/receive")).status_code == 200


@story
async def test_a_transfer_of_more_than_is_free_says_so_in_both_languages(it):
    sending = {"from_place_id": "wh-1", "to_place_id": "van-1", "lines": [{"part_id": "fan", "quantity": 3}]}
    for language, word in (("en", "count the place first"), ("zh", "盘点")):
        answer = await it.call(
            "o-1", "operator", "POST", "/v1/transfers", json=sending, headers={"Accept-Language": language}
        )
        assert answer.json()["code"] == "stock.not-enough"
        assert word in answer.json()["remedy"]
    sending["lines"] *= 2
    answer = await post(it, "/v1/transfers", **sending)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "lines")


@story
async def test_old_parts_come_back_are_sent_back_or_scrapped(it):
    fan = {"part_id": "fan", "place_id": "van-1"}
    old = {**fan, "quantity": 2, "order_id": "o-1"}
    answer = await it.call("e-1", "engineer", "POST", "/v1/stock/return", json=old)
    assert answer.json()["events"] == ["PartReturned"]
    await post(it, "/v1/stock/send-back", **fan, quantity=1, supplier="maker")
    await post(it, "/v1/stock/scrap", **fan, quantity=1, reason="burnt")
    await post(it, "/v1/stock/receive", **fan, quantity=5, source="maker")
    rows = (await it.call("e-1", "engineer", "GET", "/v1/stock?place_id=van-1")).json()["items"]
    assert [(row["on_hand"], row["defective"]) for row in rows] == [(6, 0)]


@story
async def test_the_nearest_free_pieces_are_shown_first(it):
    here = {"lat_udeg": 39_921_000, "lon_udeg": 116_443_000}
    for place_id, kind, lat in (("wh-1", "warehouse", 39_931_000), ("br-1", "branch", 39_921_000)):
        where = {"lat_udeg": lat, "lon_udeg": 116_443_000}
        await post(it, "/v1/places", place_id=place_id, kind=kind, name=place_id, region="north", **where)
    for place_id, quantity in (("br-1", 3), ("van-2", 0)):
        await post(it, "/v1/stock/count", part_id="fan", place_id=place_id, quantity=quantity)
    asked = {"part_id": "fan", **here}
    found = (await it.call("e-1", "engineer", "GET", "/v1/stock/near", params=asked)).json()
    assert [(one["place_id"], one["free"], one["distance_m"]) for one in found] == [
        ("br-1", 3, 0),
        ("wh-1", 2, 1112),
        ("van-1", 1, None),
    ]
    answer = await it.call("e-1", "engineer", "GET", "/v1/stock/near", params={**asked, "lat_udeg": 90_000_001})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "lat_udeg")


# Pieces that come for orders that are short.


async def all_short(it, *orders):
    """Nothing is anywhere, and these orders, by urgency and in this order, want a fan each."""
    for place_id in ("van-1", "van-2", "wh-1"):
        await post(it, "/v1/stock/count", part_id="fan", place_id=place_id, quantity=0)
    for order_id, urgency in orders:
        ids = {"order_id": order_id, "request_id": f"r-{order_id}"}
        await it.publishes(opened(**ids, urgency=urgency))
        it.clock.set(it.clock.now() + timedelta(minutes=1))
        await it.publishes(assigned(**ids))
        assert (await reservation(it, order_id))["short"]


async def served(it, *orders):
    return [order_id for order_id in orders if (await reservation(it, order_id))["reserved"]]


@story
async def test_the_most_urgent_order_gets_what_arrives_and_then_the_oldest(it):
    names = ("o-1", "o-2", "o-3")
    await all_short(it, ("o-1", "normal"), ("o-2", "normal"), ("o-3", "high"))
    fan = {"part_id": "fan", "place_id": "wh-1", "source": "maker"}
    for expected in (["o-3"], ["o-1", "o-3"], ["o-1", "o-2", "o-3"]):
        await post(it, "/v1/stock/receive", **fan, quantity=1)
        assert await served(it, *names) == expected
    recorded = [event.order_id for event in await it.own_events() if isinstance(event, PartsReserved)]
    assert recorded == ["o-3", "o-1", "o-2"]
    await post(it, "/v1/stock/receive", **fan, quantity=5)
    assert [type(event) for event in await it.own_events()].count(PartsReserved) == 3


@pytest.mark.parametrize("others", [3, 30])
def test_who_is_short_where_nothing_is_free_asks_as_little_however_many_are_short_before(others):
    """Each shortage looked at the places of all that were short before: twice the orders, four times the work."""
    asked = []

    class Asked:
        async def fetch(self, query, **values):
            asked.append(query)
            if query is FREE_OF:  # in the van of another engineer, which is no use to these
                return [{"place_id": "van-9", "kind": "van", "region": "north", "free": 2}]
            assert query is SHORT_OF
            lines = msgspec.json.encode([PartLine("fan", 1)]).decode()
            return [{"van_id": "van-1", "van_region": "north", "short": lines}] * others

    event, envelope = enveloped([short()])[0]
    assert asyncio.run(when_shortage_may_end(event, envelope, Asked())) == []
    assert len(asked) == 2


@story
async def test_it_gets_what_another_order_gives_back_and_what_is_counted_or_brought(it):
    await all_short(it, ("o-1", "normal"), ("o-2", "normal"), ("o-3", "normal"))
    await post(it, "/v1/stock/count", part_id="fan", place_id="wh-1", quantity=1)
    assert await served(it, "o-1", "o-2", "o-3") == ["o-1"]
    await it.publishes(OrderCancelled(order_id="o-1", request_id="r-o-1", reason="dispatcher"))
    assert await served(it, "o-1", "o-2", "o-3") == ["o-2"]
    old = {"part_id": "fan", "place_id": "van-1", "quantity": 1, "order_id": "o-9"}
    await post(it, "/v1/stock/return", **old)
    assert await served(it, "o-3") == []
    await post(it, "/v1/stock/return", **old, condition="good")
    assert await served(it, "o-3") == ["o-3"]


@story
async def test_a_transfer_that_arrives_serves_whoever_waits_for_that_van(it):
    await all_short(it, ("o-1", "normal"))
    await post(it, "/v1/places", place_id="br-9", kind="branch", name="far", region="south")
    await post(it, "/v1/stock/count", part_id="fan", place_id="br-9", quantity=3)
    assert await served(it, "o-1") == []
    lines = [{"part_id": "fan", "quantity": 3}]
    sending = {"from_place_id": "br-9", "to_place_id": "van-2", "lines": lines}
    transfer_id = (await post(it, "/v1/transfers", **sending)).json()["id"]
    await post(it, f"/v1/transfers/{transfer_id}/receive")
    assert await served(it, "o-1") == [], "the van of another engineer"
    sending = {"from_place_id": "van-2", "to_place_id": "van-1", "lines": lines}
    transfer_id = (await post(it, "/v1/transfers", **sending)).json()["id"]
    await post(it, f"/v1/transfers/{transfer_id}/receive")
    assert await served(it, "o-1") == ["o-1"]


# The warehouse system.


def snapshot(quantity=7, **changes):
    lines = [{"part_id": "fan", "quantity": quantity}]
    return {"document_id": "S-1", "place_id": "wh-1", "taken_at": NOW.isoformat(), "lines": lines} | changes


async def wms(it, path, **body):
    return await it.call("p-1", "partner", "POST", f"/v1/stock/{path}", json=body)


@story
async def test_a_snapshot_is_booked_once_and_its_repeat_gets_the_first_answer(it):
    first = await wms(it, "snapshots", **snapshot())
    assert (first.status_code, first.json()) == (200, {"id": "wms/S-1", "lines": 1})
    before = await it.own_events()
    again = await it.call("o-1", "operator", "POST", "/v1/stock/snapshots", json=snapshot())
    assert (again.status_code, again.json()) == (200, first.json())
    assert await it.own_events() == before
    other = await wms(it, "snapshots", **snapshot(8))
    assert (other.status_code, other.json()["code"]) == (409, "document.other-content")
    assert await it.own_events() == before


@story
async def test_a_snapshot_without_a_number_is_known_by_what_it_says_and_when_it_was_taken(it):
    lines = [{"part_id": "fan", "quantity": 7}, {"part_id": "seal", "quantity": 2}]
    first = await wms(it, "snapshots", place_id="wh-1", taken_at=NOW.isoformat(), lines=lines)
    assert first.status_code == 200, first.text
    before = await it.own_events()
    utc = NOW.astimezone(UTC).isoformat()
    again = await wms(it, "snapshots", place_id="wh-1", taken_at=utc, lines=lines[::-1])
    assert (again.status_code, again.json()) == (200, first.json())
    assert await it.own_events() == before
    other = await wms(it, "snapshots", place_id="wh-1", taken_at=utc, lines=[lines[0] | {"quantity": 8}])
    assert (other.status_code, other.json()["code"]) == (409, "document.not-newer")


@story
async def test_a_document_that_was_refused_is_booked_when_what_it_lacked_is_there(it):
    lines = [{"part_id": "fan", "quantity": 1}, {"part_id": "pump", "quantity": 2}]
    before = await it.own_events()
    refused = await wms(it, "movements", document_id="R-1", kind="receipt", place_id="wh-1", lines=lines)
    assert (refused.status_code, refused.json()["code"]) == (404, "part.unknown")
    assert await it.own_events() == before, "half of it was booked"
    await post(it, "/v1/parts", part_id="pump", name="Pump")
    taken = await wms(it, "movements", document_id="R-1", kind="receipt", place_id="wh-1", lines=lines)
    assert taken.json() == {"id": "wms/R-1", "lines": 2}
    assert (await shelves(it))["wh-1"] == (3, 0)


@story
async def test_the_drift_report_says_ours_and_theirs_per_place_and_part(it):
    await wms(it, "snapshots", **snapshot(7))
    issue = {"document_id": "I-1", "kind": "issue", "place_id": "wh-1"}
    await wms(it, "movements", **issue, lines=[{"part_id": "fan", "quantity": 9}])
    (row,) = (await it.call("m-1", "manager", "GET", "/v1/stock/drift?place_id=wh-1")).json()["items"]
    assert (row["part_id"], row["ours"], row["theirs"], row["difference"]) == ("fan", 2, 7, 5)
    assert row["not_on_our_books"] == 2
    assert (await it.call("p-1", "partner", "GET", "/v1/stock/drift")).status_code == 403
    at = (NOW + timedelta(minutes=1)).isoformat()
    it.clock.set(NOW + timedelta(minutes=2))
    await wms(it, "snapshots", **snapshot(0, document_id="S-2", taken_at=at))
    assert (await it.call("m-1", "manager", "GET", "/v1/stock/drift")).json()["items"] == []
    agreed = (await it.call("m-1", "manager", "GET", "/v1/stock/drift?agreed=true")).json()["items"]
    assert [row["document_id"] for row in agreed] == ["S-2"]


@story
async def test_a_snapshot_of_the_future_or_without_a_zone_is_refused(it):
    answer = await wms(it, "snapshots", **snapshot(taken_at=(NOW + timedelta(seconds=1)).isoformat()))
    assert (answer.status_code, answer.json()["code"]) == (422, "document.in-future")
    answer = await wms(it, "snapshots", **snapshot(taken_at="2026-11-24T09:00:00"))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "taken_at")


@story
async def test_what_the_warehouse_system_finds_serves_who_is_short(it):
    await all_short(it, ("o-1", "normal"))
    await wms(it, "snapshots", **snapshot(1))
    assert await served(it, "o-1") == ["o-1"]


# Parts that nobody comes for.


@story
async def test_parts_that_nobody_comes_for_are_free_again_once(it):
    await it.publishes(assigned())
    kept_until = NOW + timedelta(hours=72)
    assert (await reservation(it))["expires_at"] == kept_until.isoformat().replace("+00:00", "Z")
    await at(it, kept_until - timedelta(seconds=1))
    assert (await shelves(it))["van-1"] == (1, 1)
    await at(it, kept_until, until=lambda rows: rows["van-1"] == (1, 0))
    assert (await reservation(it))["released"] == "expired"
    await at(it, kept_until + timedelta(days=9))
    assert [type(event) for event in await it.own_events()].count(ReservationExpired) == 1


@story
async def test_a_visit_that_ended_in_time_lets_nothing_expire(it):
    (envelope,) = await it.publishes(assigned())
    assert await it.running.journal.due(micros(NOW + timedelta(days=9)), 10)
    await it.publishes(completed(USED, visit_id=visit_of(envelope)))
    assert await it.running.journal.due(micros(NOW + timedelta(days=9)), 10) == []
    await at(it, NOW + timedelta(days=9))
    assert ReservationExpired not in [type(event) for event in await it.own_events()]


@story
async def test_the_manager_says_how_long_parts_are_kept(it):
    assert (await post(it, "/v1/stock/rules", keep_reserved_h=24)).status_code == 403
    assert (await post(it, "/v1/stock/rules", "manager", keep_reserved_h=24)).status_code == 200
    await it.publishes(assigned())
    await at(it, NOW + timedelta(hours=24), until=lambda rows: rows["van-1"] == (1, 0))


async def at(it, now, until=lambda _: True):
    """The time has come; whatever is due then has been looked at, and the shelves are as wanted."""
    it.clock.set(now)
    async with asyncio.timeout(10):
        while True:
            it.running.timers.wake()
            await it.settled()
            due = await it.running.journal.due(micros(now), 10)
            if not due and until(await shelves(it)):
                return
            await asyncio.sleep(0.005)


# The routes.


@story
async def test_lists_show_parts_places_and_what_is_low(it):
    parts = (await it.call("e-1", "engineer", "GET", "/v1/parts")).json()["items"]
    assert [(part["part_id"], part["fits"]) for part in parts] == [("fan", ["BCD-520", "ÖKO"]), ("seal", ["BCD-520"])]
    places = (await it.call("e-1", "engineer", "GET", "/v1/places?limit=2")).json()
    assert [place["place_id"] for place in places["items"]] == ["van-1", "van-2"]
    assert places["next"]
    await post(it, "/v1/stock/count", part_id="fan", place_id="wh-1", quantity=1, source="wms")
    rows = (await it.call("e-1", "engineer", "GET", "/v1/stock?low=true")).json()["items"]
    assert [(row["place_id"], row["free"], row["counted_by"]) for row in rows] == [("wh-1", 1, "wms")]


@story
async def test_an_engineer_sees_the_parts_of_her_own_orders(it):
    await it.publishes(assigned())
    assert (await it.call("e-1", "engineer", "GET", "/v1/reservations/o-1")).status_code == 200
    assert (await it.call("e-2", "engineer", "GET", "/v1/reservations/o-1")).status_code == 404


@story
async def test_the_warehouse_system_says_what_there_is_and_is_shown_nothing(it):
    answer = await it.call(
        "p-1", "partner", "POST", "/v1/stock/count", json={"part_id": "fan", "place_id": "wh-1", "quantity": 9}
    )
    assert answer.json()["events"] == ["StockCounted"]
    assert (await it.call("p-1", "partner", "GET", "/v1/stock")).status_code == 403


@story
async def test_what_is_not_known_is_not_counted(it):
    answer = await post(it, "/v1/stock/count", part_id="none", place_id="wh-1", quantity=1)
    assert answer.json()["code"] == "part.unknown"


@pytest.mark.parametrize("part_id", ["a/b", "a b", "a\tb", ""])
def test_a_name_that_no_stream_can_have_is_refused(part_id, tmp_path):
    @story
    async def told(it):
        assert (await post(it, "/v1/parts", part_id=part_id, name="x")).status_code == 422

    told(tmp_path)


@story
async def test_a_stale_definition_is_refused(it):
    stale = {"headers": {"If-Match": '"7"'}, "json": {"part_id": "fan", "name": "Fan 2"}}
    answer = await it.call("o-1", "operator", "POST", "/v1/parts", **stale)
    assert answer.status_code == 412


# What earlier repairs took.


@story
async def test_what_five_repairs_took_is_recommended_for_the_sixth_and_set_aside(it):
    await post(it, "/v1/stock/count", part_id="seal", place_id="van-1", quantity=3)
    for number in range(5):
        ids = {"order_id": f"before-{number}", "request_id": f"r-before-{number}"}
        used = (UsedPart("seal", "wh-1", 1),) if number else (UsedPart("never-defined", "wh-1", 1),)
        await it.publishes(opened(request_type="repair", **ids))
        await it.publishes(completed(*used, visit_id=f"v-{number}", **ids))
    await it.publishes(opened(request_type="repair"))
    found = (await reservation(it))["recommended"]
    counts = [(one["part_id"], one["source"], one["used_in"], one["repairs"]) for one in found]
    assert counts == [("fan", "device-model", 0, 5), ("seal", "history", 4, 5)]
    await it.publishes(assigned())
    assert {line["part_id"] for line in (await reservation(it))["reserved"]} == {"fan", "seal"}
    path = "/v1/parts/usual?device_model=BCD-520&request_type=repair"
    usual = (await it.call("e-1", "engineer", "GET", path)).json()
    assert (usual["repairs"], usual["parts"]) == (5, [{"part_id": "seal", "used_in": 4, "pieces": 4}])
    other = (await it.call("e-1", "engineer", "GET", f"{path}&cause=wear")).json()
    assert (other["repairs"], other["parts"]) == (0, [])


@story
async def test_what_work_of_this_type_takes_is_recommended_also_where_no_part_fits_the_model(it):
    usual = (UsualPart("seal", 2), UsualPart("never-defined", 1))
    await it.publishes(opened("unheard-of", usual_parts=usual), assigned("unheard-of"))
    (line,) = (await reservation(it))["recommended"]
    assert (line["part_id"], line["quantity"], line["source"]) == ("seal", 2, "request-type")
    assert (await reservation(it))["short"] == [{"part_id": "seal", "quantity": 2, "place_id": ""}]


# Which pieces they were.


@story
async def test_the_whole_story_of_a_piece_and_of_a_lot_is_told(it):
    await post(it, "/v1/parts", part_id="pump", name="Pump", tracked="serial")
    await post(it, "/v1/parts", part_id="oil", name="Oil", tracked="lot")
    came = {"place_id": "wh-1", "quantity": 2, "source": "maker"}
    await post(it, "/v1/stock/receive", part_id="pump", serials=["A", "B"], **came)
    await post(it, "/v1/stock/receive", part_id="oil", lots=[{"lot": "L-1", "quantity": 2}], **came)
    unnamed = {"from_place_id": "wh-1", "to_place_id": "van-1", "lines": [{"part_id": "pump", "quantity": 1}]}
    answer = await post(it, "/v1/transfers", **unnamed)
    assert (answer.status_code, answer.json()["code"]) == (422, "part.pieces-not-named")
    lines = [
        {"part_id": "pump", "quantity": 1, "serials": ["A"]},
        {"part_id": "oil", "quantity": 1, "lots": [{"lot": "L-1", "quantity": 1}]},
    ]
    transfer_id = (await post(it, "/v1/transfers", **unnamed | {"lines": lines})).json()["id"]
    await post(it, f"/v1/transfers/{transfer_id}/receive")
    used = (UsedPart("pump", "van-1", 1, ("A",)), UsedPart("oil", "van-1", 1, (), 0, "L-1"))
    await it.publishes(completed(*used, device_id="d-1"))
    piece = await seen(it, "/v1/stock/serial?part_id=pump&serial=A")
    assert piece["whereabouts"] == "order/o-1"
    told = [(step["what"], step["said"], step["device_id"]) for step in piece["story"]]
    assert told == [
        ("StockReceived", "maker", ""),
        ("StockSent", "", ""),
        ("StockArrived", "", ""),
        ("PartConsumed", "", "d-1"),
    ]
    lot = await seen(it, "/v1/stock/lot?part_id=oil&lot=L-1")
    assert lot["there"] == [{"place_id": "wh-1", "condition": "good", "quantity": 1}]
    assert [(use["order_id"], use["device_id"], use["quantity"]) for use in lot["used"]] == [("o-1", "d-1", 1)]
    assert (await seen(it, "/v1/stock/disputes"))["items"] == []
    again = {"order_id": "o-2", "request_id": "r-2", "visit_id": "v-2"}
    await it.publishes(completed(used[0], **again))
    (disputed,) = (await seen(it, "/v1/stock/disputes"))["items"]
    assert (disputed["serial"], disputed["was"], disputed["whereabouts"]) == ("A", "order/o-1", "order/o-2")
    assert (await it.call("e-1", "engineer", "GET", "/v1/stock/disputes")).status_code == 403


@story
async def test_a_count_says_which_pieces_are_missing(it):
    await post(it, "/v1/parts", part_id="pump", name="Pump", tracked="serial")
    pump = {"part_id": "pump", "place_id": "wh-1"}
    await post(it, "/v1/stock/receive", **pump, quantity=2, serials=["A", "B"], source="maker")
    await post(it, "/v1/stock/count", **pump, quantity=1, serials=["B"])
    where = {one["serial"]: one["whereabouts"] for one in (await seen(it, "/v1/stock/serials"))["items"]}
    assert where == {"A": "missing@wh-1", "B": "good@wh-1"}
    answer = await post(it, "/v1/stock/scrap", **pump, quantity=1, condition="good", serials=["A"], reason="wet")
    assert answer.status_code == 409


async def seen(it, path):
    return (await it.call("d-1", "dispatcher", "GET", path)).json()

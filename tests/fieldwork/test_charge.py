"""What completed work costs, who pays, and why: every line by itself, and sums that are exact to the fen."""

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from contracts.fieldwork import ChargeLine, CoverageSet, PartPrice, PricesDefined, ServiceCharged, Term
from fieldwork.commands import ChargeService, Cover, DefinePrices, Price, SetCoverage
from fieldwork.projections.charges import CHARGES, lines_of
from fieldwork.projections.coverages import COVERAGES
from fieldwork.projections.price_lists import PRICE_LISTS
from fieldwork.service import RULES
from tests.fieldwork.examples import AT_WORK, DONE, IDS, completed, finished, minute, part, refused
from tests.fieldwork.test_api import planned, step, story, walk
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import spec_for

given = spec_for(RULES)
LONG_AGO, LATER = minute(-1_000), minute(100_000)
ARRIVED = minute(30)


def prices(version=1, *, since=LONG_AGO, labour=12_000, step_s=900, travel=5_000, parts=(("fan", 3_333),), **changes):
    listed = tuple([PartPrice(*one) for one in parts])
    return PricesDefined(
        list_id="standard",
        version=version,
        effective_from=since,
        labour_fen_per_h=labour,
        labour_step_s=step_s,
        travel_fen=travel,
        parts=listed,
        **changes,
    )


def define(**changes):
    said = {"effective_from": LONG_AGO, "labour_fen_per_h": 12_000, "travel_fen": 5_000}
    return DefinePrices(**said | {"parts": (Price(part_id="fan", unit_fen=3_333),)} | changes)


def coverage(coverage_id="w", *, labour=100, parts=50, travel=0, until=LATER, since=LONG_AGO, **changes):
    terms = {"labour": Term(labour, until), "parts": Term(parts, until), "travel": Term(travel, until)}
    said = {"device_id": "d-1", "coverage_id": coverage_id, "kind": "warranty", "starts_at": since, "version": 1}
    return CoverageSet(**said | terms | changes)


def put(**changes):
    terms = {"labour": 100, "parts": 50, "travel": 0}
    terms = {name: Cover(percent=percent, until=LATER) for name, percent in terms.items()}
    said = {"device_id": "d-1", "coverage_id": "w", "kind": "warranty", "starts_at": LONG_AGO}
    return SetCoverage(**said | terms | changes)


def charge(**changes):
    return ChargeService(**{"visit_id": "v-1", "device_id": "d-1", "at": minute(86)} | changes)


def charged(*before, parts=(), labour_s=2_700):
    """The one charge of a visit with this work."""
    done = [*AT_WORK, *parts, finished(labour_s=labour_s), completed()]
    (event,) = given(*before, *done).when(charge()).then_types(ServiceCharged)
    return event


# Prices.


def test_prices_are_defined_in_versions_and_the_same_again_is_none():
    given().when(define()).then(prices(1))
    given(prices(1)).when(define()).then_nothing()
    given(prices(1)).when(define(travel_fen=1)).then(prices(2, travel=1))


def test_a_part_has_one_price():
    twice = (Price(part_id="fan", unit_fen=1), Price(part_id="fan", unit_fen=2))
    given().when(define(parts=twice)).then_rejected("prices.twice", part_id="fan")


def test_the_prices_are_those_of_the_arrival_and_a_correction_goes_before_what_it_corrects():
    before, at, after = prices(1, travel=1), prices(2, since=ARRIVED, travel=2), prices(3, since=minute(31), travel=3)
    assert charged(before).lines[-1].unit_fen == 1
    assert (charged(before, at, after).lines[-1].unit_fen, charged(before, at, after).list_version) == (2, 2)
    assert charged(at, prices(2, since=LONG_AGO, travel=9)).lines[-1].unit_fen == 2
    assert charged(before, prices(2, travel=7)).lines[-1].unit_fen == 7


# Who pays.


def test_a_coverage_is_set_put_right_and_the_same_again_is_none():
    given().when(put()).then(coverage())
    given(coverage()).when(put()).then_nothing()
    given(coverage()).when(put(labour=Cover(percent=1, until=LATER))).then(coverage(labour=1, version=2))


def test_a_term_does_not_end_before_it_begins():
    early = Cover(percent=1, until=minute(-2_000))
    given().when(put(parts=early)).then_rejected("coverage.ends-before", field="parts")


def test_without_a_coverage_the_customer_pays_all():
    event = charged(prices(), parts=[part(quantity=2)])
    assert event.lines == (
        ChargeLine("labour", "", 2_700, 12_000, 9_000, 0, 0, "not-covered"),
        ChargeLine("part", "fan", 2, 3_333, 6_666, 0, 0, "not-covered"),
        ChargeLine("travel", "", 1, 5_000, 5_000, 0, 0, "not-covered"),
    )
    assert (event.gross_fen, event.customer_fen, event.warranty_fen, event.contract_fen) == (20_666, 20_666, 0, 0)


def test_a_warranty_pays_for_each_kind_by_its_own_term():
    event = charged(prices(), coverage(), parts=[part()])
    told = ("covered", "w", "warranty", LATER)
    assert event.lines[0] == ChargeLine("labour", "", 2_700, 12_000, 9_000, 9_000, 100, *told)
    assert event.lines[1] == ChargeLine("part", "fan", 1, 3_333, 3_333, 1_667, 50, *told)
    assert event.lines[2] == ChargeLine("travel", "", 1, 5_000, 5_000, 0, 0, "not-covered")
    assert (event.gross_fen, event.warranty_fen, event.customer_fen) == (17_333, 10_667, 6_666)


@pytest.mark.parametrize(("until", "why"), [(minute(31), "covered"), (ARRIVED, "over"), (minute(29), "over")])
def test_a_term_is_over_for_work_that_was_begun_at_its_end(until, why):
    line = charged(prices(), coverage(until=until)).lines[0]
    assert (line.why, line.coverage_id, line.until) == (why, "w", until)
    assert line.covered_fen == (9_000 if why == "covered" else 0)


def test_a_coverage_that_begins_after_the_arrival_does_not_pay():
    assert charged(prices(), coverage(since=minute(31))).lines[0].why == "not-covered"


def test_of_several_the_one_that_pays_most_pays_and_of_equals_the_warranty():
    contract = coverage("c", kind="contract", labour=100, parts=80, travel=30)
    event = charged(prices(), contract, coverage(), coverage("old", labour=100, until=ARRIVED), parts=[part()])
    assert [line.coverage_id for line in event.lines] == ["w", "c", "c"]
    assert (event.warranty_fen, event.contract_fen, event.customer_fen) == (9_000, 2_666 + 1_500, 667 + 3_500)


# The lines.


@pytest.mark.parametrize(("labour_s", "charged_s"), [(0, 0), (1, 900), (900, 900), (901, 1_800), (2_700, 2_700)])
def test_labour_is_charged_in_steps_that_were_begun(labour_s, charged_s):
    line = charged(prices(), labour_s=labour_s).lines[0]
    assert (line.quantity, line.gross_fen) == (charged_s, charged_s * 12_000 // 3_600)


def test_a_part_without_a_price_is_said_and_charged_nothing():
    event = charged(prices(), coverage(), parts=[part(part_id="seal", quantity=2), part()])
    assert event.lines[1] == ChargeLine("part", "seal", 2, 0, 0, 0, 0, "no-price")
    assert event.unpriced == 1


def test_a_part_from_two_places_is_one_line():
    event = charged(prices(), parts=[part(), part(place_id="wh-1", quantity=2)])
    assert [(line.item, line.quantity) for line in event.lines if line.kind == "part"] == [("fan", 3)]


def test_what_was_done_before_a_refusal_is_charged_once_with_the_labour_of_the_last_record():
    done = [*AT_WORK, part(), finished(), refused(), finished(at=95, labour_s=900), completed()]
    (event,) = given(prices(), *done).when(charge()).then_types(ServiceCharged)
    assert [line.quantity for line in event.lines] == [900, 1, 1]


def test_a_visit_is_charged_once_when_it_is_completed_and_only_by_a_list_in_force():
    done = [*DONE, completed()]
    given(*done).when(charge()).then_nothing()
    given(prices(since=minute(31)), *done).when(charge()).then_nothing()
    given(prices(), *DONE).when(charge()).then_nothing()
    (event,) = given(prices(), *done).when(charge()).then_types(ServiceCharged)
    given(prices(), *done, event).when(charge()).then_nothing()


def test_of_a_visit_without_a_device_the_customer_pays():
    done = [prices(), coverage(), *DONE, completed()]
    (event,) = given(*done).when(charge(device_id="")).then_types(ServiceCharged)
    assert event.customer_fen == event.gross_fen


PERCENT, FEN = st.integers(0, 100), st.integers(0, 10**9)


@settings(max_examples=200, deadline=None)
@drawn(st.lists(st.tuples(PERCENT, PERCENT, PERCENT), max_size=3), FEN, FEN, FEN, st.integers(0, 86_400), st.data())
def test_every_fen_is_paid_by_exactly_one(terms, labour, travel, price, labour_s, data):
    kinds = [data.draw(st.sampled_from(["warranty", "contract"])) for _ in terms]
    covers = [
        coverage(f"c-{n}", labour=one[0], parts=one[1], travel=one[2], kind=kind)
        for n, (one, kind) in enumerate(zip(terms, kinds, strict=True))
    ]
    listed = prices(labour=labour, travel=travel, parts=[("fan", price)], step_s=data.draw(st.integers(1, 3_600)))
    event = charged(listed, *covers, parts=[part(quantity=7)], labour_s=labour_s)
    assert event.gross_fen == sum(line.gross_fen for line in event.lines)
    assert event.gross_fen == event.warranty_fen + event.contract_fen + event.customer_fen
    for line in event.lines:
        assert 0 <= line.covered_fen <= line.gross_fen
        # Half a fen is the most that rounding may move.
        assert abs(100 * line.covered_fen - line.percent * line.gross_fen) <= 50
    for kind in ("warranty", "contract"):
        paid = sum(line.covered_fen for line in event.lines if line.coverage_kind == kind)
        assert paid == getattr(event, f"{kind}_fen")


def test_the_views_show_prices_coverages_and_charges():
    event = charged(prices(), coverage(), parts=[part()])
    events = [prices(), prices(2, travel=1), coverage(), coverage("c", kind="contract"), coverage(labour=7), event]
    charges = rows_after(CHARGES, events)["v-1",]
    assert lines_of(charges["lines"]) == event.lines and charges["customer_fen"] == event.customer_fen
    assert rows_after(COVERAGES, events)["d-1", "w"]["labour_percent"] == 7
    assert [key for key in rows_after(PRICE_LISTS, events)] == [("standard", 1), ("standard", 2)]
    for view in (CHARGES, COVERAGES, PRICE_LISTS):
        assert_same_rows_shuffled(view, events)


# Through the routes.

PRICES = {
    "effective_from": "2026-01-01T00:00:00+08:00",
    "labour_fen_per_h": 12_000,
    "travel_fen": 5_000,
    "parts": [{"part_id": "fan", "unit_fen": 3_333}],
}
UNTIL = {"percent": 100, "until": "2028-01-01T00:00:00+08:00"}
WARRANTY = {
    "device_id": "d-1",
    "coverage_id": "W-1",
    "kind": "warranty",
    "starts_at": "2026-01-01T00:00:00+08:00",
    "labour": UNTIL,
    "parts": {"percent": 50, "until": "2028-01-01T00:00:00+08:00"},
    "travel": {"percent": 100, "until": "2026-11-01T00:00:00+08:00"},
}


@story
async def test_completed_work_is_charged_and_the_customer_is_told_why(it):
    assert (await it.call("m-1", "manager", "POST", "/v1/price-lists", json=PRICES)).status_code == 200
    assert (await it.call("a-1", "agent", "POST", "/v1/coverages", json=WARRANTY)).status_code == 200
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive", "start", "parts", "finish")
    path = f"/v1/visits/{visit_id}/charge"
    assert (await it.call("c-1", "customer", "GET", path)).status_code == 404
    await walk(it, visit_id, "accept")
    found = (await it.call("c-1", "customer", "GET", path)).json()
    assert (found["gross_fen"], found["warranty_fen"], found["customer_fen"]) == (11_333, 4_667, 6_666)
    labour, fan, travel = found["lines"]
    assert (labour["explained_en"], labour["explained_zh"]) == (
        "The warranty W-1 pays 100 %, until 2028-01-01 00:00.",
        "保修 W-1 承担 100%，有效期至 2028-01-01 00:00。",
    )
    assert (fan["gross_fen"], fan["covered_fen"], fan["customer_fen"]) == (3_333, 1_667, 1_666)
    assert (travel["why"], travel["explained_zh"]) == ("over", "保修 W-1 已于 2026-11-01 00:00 到期。")
    assert (await it.call("c-2", "customer", "GET", path)).status_code == 404
    assert [type(event) for event in await it.own_events()].count(ServiceCharged) == 1


@story
async def test_prices_and_coverages_are_listed_and_who_may_not_set_them_is_told(it):
    await it.call("m-1", "manager", "POST", "/v1/price-lists", json=PRICES)
    await it.call("m-1", "manager", "POST", "/v1/coverages", json=WARRANTY)
    (listed,) = (await it.call("e-1", "engineer", "GET", "/v1/price-lists")).json()["items"]
    assert (listed["version"], listed["labour_step_s"], listed["parts"]) == (1, 900, PRICES["parts"])
    (covered,) = (await it.call("a-1", "agent", "GET", "/v1/coverages?device_id=d-1")).json()["items"]
    assert covered["labour"] == {"percent": 100, "until": "2027-12-31T16:00:00Z"}
    assert (await it.call("a-1", "agent", "GET", "/v1/coverages?device_id=d-2")).json()["items"] == []
    assert (await it.call("e-1", "engineer", "POST", "/v1/price-lists", json=PRICES)).status_code == 403
    assert (await it.call("c-1", "customer", "POST", "/v1/coverages", json=WARRANTY)).status_code == 403
    wrong = await it.call("a-1", "agent", "POST", "/v1/coverages", json=WARRANTY | {"labour": {"percent": 101}})
    assert {one["field"] for one in wrong.json()["errors"]} == {"labour.percent", "labour.until"}


@story
async def test_where_no_prices_are_defined_nothing_is_charged(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive", "start", "finish", "accept")
    assert not any(isinstance(event, ServiceCharged) for event in await it.own_events())
    assert (await step(it, visit_id, "accept", rating=5, signature="M1 2L3 4")).status_code == 200


def test_a_charge_is_about_its_visit():
    event = charged(prices())
    assert {name: getattr(event, name) for name in IDS} == IDS
    assert (event.stream(), event.partition_key(), event.occurred_at()) == ("charge/v-1", "r-1", minute(86))

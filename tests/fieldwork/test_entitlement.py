"""Who pays is decided when an order is opened, and decided anew, with what was charged, when that is corrected."""

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from contracts.dispatcher import OrderOpened
from contracts.fieldwork import (
    ChargeCorrected,
    ChargeLine,
    ContractPricesDefined,
    DeviceNoted,
    Entitled,
    EntitlementDecided,
    EntitlementRedecided,
    OrderCharged,
    OrderNoted,
    PartPrice,
    ServiceCharged,
)
from contracts.intake import DeviceRegistered
from contracts.problems import NotYet
from fieldwork.commands import (
    CorrectCharge,
    DecideEntitlement,
    DefineContractPrices,
    LineCorrection,
    NoteDevice,
    Price,
    RedecideEntitlements,
)
from fieldwork.projections.charges import CHARGES, CORRECTIONS
from fieldwork.projections.entitlements import ENTITLEMENTS, entitled_of
from fieldwork.service import RULES
from services.chassis.ids import derived_id
from tests.fieldwork.examples import (
    AT_WORK,
    IDS,
    ON_THE_WAY,
    THERE,
    aborted,
    completed,
    finished,
    minute,
    part,
)
from tests.fieldwork.test_api import assigned, step, story, walk
from tests.fieldwork.test_charge import LATER, LONG_AGO, PRICES, WARRANTY, charge, coverage, prices
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import spec_for

given = spec_for(RULES)
OPENED = minute(-60)
NONE = tuple([Entitled(kind, 0, "not-covered") for kind in ("labour", "parts", "travel")])


def opened(**changes):
    said = {"order_id": "o-1", "request_id": "r-1", "customer_id": "c-1", "device_id": "d-1", "opened_at": OPENED}
    return DecideEntitlement(**said | changes)


def decided(lines=NONE, **changes):
    said = {"order_id": "o-1", "request_id": "r-1", "customer_id": "c-1", "device_id": "d-1", "entitled_at": OPENED}
    return EntitlementDecided(**said | {"list_version": 1, "lines": lines} | changes)


def lines(labour=100, parts=50, travel=0, version=1, coverage_id="w", kind="warranty", list_id=""):
    def one(name, percent):
        if not percent:
            return Entitled(name, 0, "not-covered")
        return Entitled(name, percent, "covered", coverage_id, kind, version, LATER, list_id)

    return one("labour", labour), one("parts", parts), one("travel", travel)


NOTED = OrderNoted(device_id="d-1", order_id="o-1")
CHARGED = OrderCharged(**IDS)
KNOWN = {"known_orders": ("o-1",), "known_visits": ("v-1",)}


def redecide(**changes):
    return RedecideEntitlements(**{"device_id": "d-1", "at": minute(200), **KNOWN} | changes)


def note(**changes):
    return NoteDevice(**{"device_id": "d-1", "customer_id": "c-1", "model": "m", "at": minute(200), **KNOWN} | changes)


def noted(**changes):
    return DeviceNoted(**{"device_id": "d-1", "customer_id": "c-1", "model": "m"} | changes)


def anew(before, after, number=1, reason="coverage-set"):
    said = {"order_id": "o-1", "request_id": "r-1", "customer_id": "c-1", "device_id": "d-1"}
    return EntitlementRedecided(**said, number=number, reason=reason, before=before, lines=after)


# When the order is opened.


def test_who_pays_is_decided_when_the_order_is_opened_and_once():
    given(prices(), coverage()).when(opened()).then(decided(lines()), NOTED)
    given(prices(), coverage(), decided(lines()), NOTED).when(opened()).then_nothing()


def test_an_order_without_a_device_or_a_coverage_is_paid_by_the_customer():
    given(prices()).when(opened()).then(decided(), NOTED)
    given(prices(), coverage()).when(opened(device_id="")).then(decided(device_id=""))


def test_where_no_list_is_in_force_the_decision_says_so():
    given(prices(since=minute(0))).when(opened()).then(decided(list_version=0), NOTED)


def test_of_the_versions_of_a_list_the_one_of_the_opening_is_cited():
    given(prices(), prices(2, since=minute(-90)), prices(3, since=minute(0))).when(opened()).then(
        decided(list_version=2), NOTED
    )


def test_a_contract_pays_only_while_the_device_is_its_customers():
    contract = coverage("k", kind="contract", customer_id="c-9")
    given(prices(), contract).when(opened()).then(decided(), NOTED)
    paid = lines(coverage_id="k", kind="contract")
    given(prices(), contract, noted(customer_id="c-9")).when(opened()).then(decided(paid), NOTED)
    given(prices(), coverage("k", kind="contract", customer_id="c-1")).when(opened()).then(decided(paid), NOTED)


def test_a_coverage_that_is_over_at_the_opening_is_named():
    over = coverage(until=OPENED)
    (event, _) = given(prices(), over).when(opened()).then_types(EntitlementDecided, OrderNoted)
    assert [(line.why, line.coverage_id) for line in event.lines] == [
        ("over", "w"),
        ("over", "w"),
        ("not-covered", ""),
    ]


# The charge follows it.


def work(*before, labour_s=2_700):
    return [*before, *AT_WORK, part(), finished(labour_s=labour_s), completed()]


def by_order(**changes):
    return charge(**{"order_id": "o-1"} | changes)


def test_the_charge_goes_by_what_held_when_the_order_was_opened():
    until_arrival = coverage(until=minute(0))
    entitled = given(prices(), until_arrival).when(opened()).then_types(EntitlementDecided, OrderNoted)
    done = work(prices(), until_arrival, *entitled)
    event, then = given(*done).when(by_order()).then_types(ServiceCharged, OrderCharged)
    assert (event.entitled_at, then) == (OPENED, CHARGED)
    assert [line.why for line in event.lines] == ["covered", "covered", "not-covered"]
    given(*done, event, then).when(by_order()).then_nothing()


def test_the_prices_are_those_of_the_opening():
    done = work(prices(travel=1), prices(2, since=minute(0), travel=2), decided(), NOTED)
    event, _ = given(*done).when(by_order()).then_types(ServiceCharged, OrderCharged)
    assert (event.list_version, event.lines[-1].unit_fen) == (1, 1)


def test_of_an_order_on_which_nothing_was_decided_the_arrival_counts():
    (event,) = given(*work(prices(), coverage(until=minute(0)))).when(by_order()).then_types(ServiceCharged)
    assert (event.entitled_at, event.lines[0].why) == (None, "over")


# Prices of a contract.


def agreed(version=1, *, labour=9_000, travel=1_000, parts=(), since=LONG_AGO):
    listed = tuple([PartPrice(*one) for one in parts])
    said = {"labour_fen_per_h": labour, "labour_step_s": 900, "travel_fen": travel, "effective_from": since}
    return ContractPricesDefined(list_id="chain", version=version, parts=listed, **said)


def agree(**changes):
    said = {"list_id": "chain", "effective_from": LONG_AGO, "labour_fen_per_h": 9_000, "travel_fen": 1_000}
    return DefineContractPrices(**said | changes)


def test_a_contract_has_a_price_list_of_its_own_in_versions():
    given().when(agree()).then(agreed())
    given(agreed()).when(agree()).then_nothing()
    given(agreed()).when(agree(travel_fen=7)).then(agreed(2, travel=7))
    twice = (Price(part_id="fan", unit_fen=1), Price(part_id="fan", unit_fen=2))
    given().when(agree(parts=twice)).then_rejected("prices.twice", part_id="fan")


def test_lines_that_a_contract_pays_are_at_its_prices_and_the_others_at_the_standard_ones():
    contract = coverage("k", kind="contract", labour=0, parts=100, travel=50, list_id="chain")
    entitled = given(prices(), contract).when(opened()).then_types(EntitlementDecided, OrderNoted)
    done = work(prices(), agreed(), contract, *entitled)
    event, _ = given(*done).when(by_order(known_lists=("chain",))).then_types(ServiceCharged, OrderCharged)
    labour, fan, travel = event.lines
    # Of the labour it pays nothing, and its price is agreed all the same; it has no price for the fan.
    assert (labour.unit_fen, labour.list_id, labour.covered_fen) == (9_000, "chain", 0)
    assert (fan.unit_fen, fan.list_id, fan.covered_fen) == (3_333, "", 3_333)
    assert (travel.unit_fen, travel.list_id, travel.covered_fen) == (1_000, "chain", 500)


def test_a_contract_whose_list_is_not_in_force_yet_is_at_the_standard_prices():
    contract = coverage("k", kind="contract", list_id="chain")
    done = work(prices(), agreed(since=minute(0)), contract, decided(lines(list_id="chain")), NOTED)
    event, _ = given(*done).when(by_order(known_lists=("chain",))).then_types(ServiceCharged, OrderCharged)
    assert {(line.unit_fen, line.list_id) for line in event.lines} == {(12_000, ""), (3_333, ""), (5_000, "")}


# Nobody was there.


@pytest.mark.parametrize(
    ("reason", "fen", "charged"),
    [("nobody-there", 3_000, True), ("nobody-there", 0, False), ("not-safe", 3_000, False)],
)
def test_a_visit_in_vain_costs_what_the_list_says_and_no_coverage_pays(reason, fen, charged):
    listed = prices(in_vain_fen=fen)
    given_ = given(listed, coverage(travel=100), decided(lines(travel=100)), NOTED, *THERE, aborted(reason=reason))
    if not charged:
        return given_.when(by_order()).then_nothing()
    event, _ = given_.when(by_order()).then_types(ServiceCharged, OrderCharged)
    assert event.lines == (ChargeLine("travel", "", 1, 3_000, 3_000, 0, 0, "not-covered"),)
    assert (event.in_vain, event.customer_fen) == (True, 3_000)


def test_a_visit_that_is_under_way_is_not_charged():
    given(prices(in_vain_fen=3_000), decided(), NOTED, *ON_THE_WAY).when(by_order()).then_nothing()


# Decided anew.


def story_of(*before):
    """An order of the device, opened, worked on and charged, without a coverage; the charge."""
    done = work(prices(), *before, decided(), NOTED)
    return [*done, *given(*done).when(by_order()).then_types(ServiceCharged, OrderCharged)]


def test_a_coverage_that_held_all_along_corrects_what_was_decided_and_what_was_charged():
    past = story_of()
    again, correction = given(*past, coverage()).when(redecide()).then_types(EntitlementRedecided, ChargeCorrected)
    assert again == anew(NONE, lines())
    assert (correction.number, correction.reason, correction.corrected_at) == (1, "coverage-set", minute(200))
    assert [line.covered_fen for line in correction.lines] == [9_000, 1_667, 0]
    assert correction.before == past[-2].lines
    assert (correction.gross_diff_fen, correction.warranty_diff_fen, correction.customer_diff_fen) == (
        0,
        10_667,
        -10_667,
    )
    given(*past, coverage(), again, correction).when(redecide()).then_nothing()


def test_a_coverage_that_begins_after_the_opening_changes_nothing():
    given(*story_of(), coverage(since=minute(-59))).when(redecide()).then_nothing()


def test_an_order_that_is_not_charged_yet_is_only_decided_anew():
    given(prices(), decided(), NOTED, coverage()).when(redecide()).then(anew(NONE, lines()))


def test_a_coverage_that_is_taken_back_is_decided_anew_too():
    before = [prices(), coverage(), decided(lines()), NOTED]
    none = coverage(labour=0, parts=0, version=2)
    given(*before, none).when(redecide()).then(anew(lines(), NONE))


def test_a_device_whose_owner_is_corrected_is_under_another_contract():
    contract = coverage("k", kind="contract", customer_id="c-9")
    past = story_of(contract)
    told = given(*past).when(note(customer_id="c-9"))
    noted_, again, correction = told.then_types(DeviceNoted, EntitlementRedecided, ChargeCorrected)
    assert (noted_, again.reason, correction.reason) == (
        noted(customer_id="c-9"),
        "device-corrected",
        "device-corrected",
    )
    assert correction.contract_diff_fen == 10_667 == -correction.customer_diff_fen
    given(*past, noted_, again, correction).when(note(customer_id="c-9")).then_nothing()


def test_a_device_whose_model_is_corrected_loses_the_warranty_of_the_other_model():
    before = [prices(), coverage(device_model="m"), decided(lines()), NOTED]
    noted_, again = given(*before).when(note(model="other")).then_types(DeviceNoted, EntitlementRedecided)
    assert (noted_.model, again.reason, again.lines) == ("other", "device-corrected", NONE)
    given(*before).when(note()).then(noted())


def test_the_register_is_noted_where_nothing_follows():
    given().when(note(known_orders=(), known_visits=())).then(noted())


def test_prices_that_changed_meanwhile_are_not_mixed_in():
    past = [*story_of(), prices(2, travel=1), coverage()]
    _, correction = given(*past).when(redecide()).then_types(EntitlementRedecided, ChargeCorrected)
    assert correction.lines[-1].gross_fen == 5_000


def test_what_the_views_have_not_seen_is_waited_for():
    past = [*story_of(), coverage()]
    for missing in ({"known_orders": ()}, {"known_visits": ()}):
        with pytest.raises(NotYet):
            given(*past).when(redecide(**missing)).then_nothing()


# By hand.


def correct(*said, reason="a gesture"):
    return CorrectCharge(visit_id="v-1", lines=said, reason=reason, at=minute(300))


def test_a_manager_says_what_a_line_comes_to_and_who_pays():
    past = story_of()
    free = LineCorrection(kind="travel", gross_fen=0)
    half = LineCorrection(kind="part", item="fan", pays="warranty", covered_fen=3_000)
    (event,) = given(*past).when(correct(free, half)).then_types(ChargeCorrected)
    assert (event.reason, event.note, event.number) == ("by-hand", "a gesture", 1)
    labour, fan, travel = event.lines
    assert labour == past[-2].lines[0]
    assert (fan.covered_fen, fan.percent, fan.coverage_kind, fan.by_hand) == (3_000, 90, "warranty", True)
    assert (travel.gross_fen, travel.by_hand) == (0, True)
    assert (event.gross_diff_fen, event.warranty_diff_fen, event.customer_diff_fen) == (-5_000, 3_000, -8_000)
    given(*past, event).when(correct(free, half)).then_nothing()


def test_what_a_manager_said_stays_when_a_coverage_is_corrected():
    past = story_of()
    (event,) = given(*past).when(correct(LineCorrection(kind="labour", gross_fen=1))).then_types(ChargeCorrected)
    _, second = given(*past, event, coverage()).when(redecide()).then_types(EntitlementRedecided, ChargeCorrected)
    assert (second.number, second.lines[0], second.lines[1].covered_fen) == (2, event.lines[0], 1_667)


def test_a_part_without_a_price_gets_one_by_hand():
    done = [prices(parts=()), *AT_WORK, part(), finished(), completed()]
    done += given(*done).when(charge()).then_types(ServiceCharged)
    assert done[-1].unpriced == 1
    (event,) = (
        given(*done).when(correct(LineCorrection(kind="part", item="fan", gross_fen=70))).then_types(ChargeCorrected)
    )
    assert (event.unpriced, event.customer_diff_fen) == (0, 70)


def test_a_correction_that_cannot_be_is_refused():
    past = story_of()
    given().when(correct(LineCorrection(kind="travel"))).then_rejected("charge.none", visit_id="v-1")
    given(*past).when(correct(LineCorrection(kind="part", item="x"))).then_rejected("charge.no-such-line", item="x")
    more = LineCorrection(kind="travel", pays="contract", covered_fen=5_001)
    given(*past).when(correct(more)).then_rejected("charge.covered-more", gross_fen=5_000)


PERCENT = st.integers(0, 100)


@settings(max_examples=100, deadline=None)
@drawn(st.lists(st.tuples(PERCENT, PERCENT, PERCENT, st.sampled_from(["warranty", "contract"])), max_size=4))
def test_the_differences_of_all_corrections_come_to_the_last_charge(covers):
    past = story_of()
    first, last, paid = past[-2], past[-2], {"gross": 0, "warranty": 0, "contract": 0, "customer": 0}
    for version, (labour, parts, travel, kind) in enumerate(covers, 1):
        past.append(coverage(labour=labour, parts=parts, travel=travel, kind=kind, version=version))
        for event in given(*past).when(redecide())._events():
            past.append(event)
            if isinstance(event, ChargeCorrected):
                last = event
                paid = {name: fen + getattr(event, f"{name}_diff_fen") for name, fen in paid.items()}
    for name, fen in paid.items():
        assert getattr(first, f"{name}_fen") + fen == getattr(last, f"{name}_fen")
    assert last.gross_fen == last.warranty_fen + last.contract_fen + last.customer_fen


def test_the_views_show_what_is_and_what_was():
    past = [*story_of(), coverage()]
    past += given(*past).when(redecide()).then_types(EntitlementRedecided, ChargeCorrected)
    row = rows_after(ENTITLEMENTS, past)["o-1",]
    assert entitled_of(row["lines"]) == lines() and entitled_of(row["before"]) == NONE
    assert (row["visits"], row["decided_anew"]) == ('["v-1"]', 1)
    row = rows_after(CHARGES, past)["v-1",]
    assert (row["corrections"], row["warranty_fen"], row["list_version"]) == (1, 10_667, 1)
    assert rows_after(CORRECTIONS, past)["v-1", 1]["customer_diff_fen"] == -10_667
    for view in (ENTITLEMENTS, CHARGES, CORRECTIONS):
        assert_same_rows_shuffled(view, past)


# Through the routes.


def order_opened(**changes):
    return OrderOpened(**{"order_id": "o-1", "request_id": "r-1", "customer_id": "c-1", "device_id": "d-1"} | changes)


async def planned_order(it):
    await it.publishes(order_opened())
    (envelope,) = await it.publishes(assigned())
    return derived_id("visit", "o-1", envelope.id)


@story
async def test_who_will_pay_is_shown_before_anybody_drives_and_corrected_with_the_charge(it):
    await it.call("m-1", "manager", "POST", "/v1/price-lists", json=PRICES)
    visit_id = await planned_order(it)
    before = (await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}/entitlement")).json()
    assert {line["why"] for line in before["lines"]} == {"not-covered"}
    await walk(it, visit_id, "depart", "arrive", "start", "parts", "finish", "accept")
    path = f"/v1/visits/{visit_id}/charge"
    assert (await it.call("c-1", "customer", "GET", path)).json()["customer_fen"] == 11_333
    await it.call("a-1", "agent", "POST", "/v1/coverages", json=WARRANTY)
    found = (await it.call("a-1", "agent", "GET", "/v1/entitlements?order_id=o-1")).json()["items"][0]
    assert (found["decided_anew"], found["reason"]) == (1, "coverage-set")
    assert found["lines"][0]["explained_zh"] == "保修 W-1 承担 100%，有效期至 2028-01-01 00:00。"
    assert found["before"][0]["why"] == "not-covered"
    charged = (await it.call("c-1", "customer", "GET", path)).json()
    assert (charged["customer_fen"], charged["corrections"]) == (6_666, 1)
    assert charged["lines"][1]["paid_by"] == [{"payer": "maker", "fen": 1_667}, {"payer": "customer", "fen": 1_666}]
    said = {"lines": [{"kind": "travel", "gross_fen": 0}], "reason": "王先生投诉"}
    assert (await it.call("a-1", "agent", "POST", f"{path}/corrections", json=said)).status_code == 403
    assert (await it.call("m-1", "manager", "POST", f"{path}/corrections", json=said)).status_code == 200
    corrections = (await it.call("a-1", "agent", "GET", f"{path}/corrections")).json()
    assert [(one["reason"], one["note"], one["customer_diff_fen"]) for one in corrections] == [
        ("coverage-set", "", -4_667),
        ("by-hand", "王先生投诉", -5_000),
    ]
    assert "王先生" not in str(await it.rows(CORRECTIONS))
    assert (await it.call("c-1", "customer", "GET", path)).json()["customer_fen"] == 1_666


@story
async def test_a_device_that_is_registered_anew_decides_anew(it):
    await it.call("m-1", "manager", "POST", "/v1/price-lists", json=PRICES)
    await it.call("m-1", "manager", "POST", "/v1/coverages", json=WARRANTY | {"customer_id": "c-9"})
    visit_id = await planned_order(it)
    registered = {"device_id": "d-1", "model": "BCD-520", "serial": "s", "skill": "cooling"}
    await it.publishes(DeviceRegistered(customer_id="c-9", **registered))
    found = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}/entitlement")).json()
    assert (found["decided_anew"], found["reason"], found["lines"][0]["percent"]) == (1, "device-corrected", 100)
    assert (await it.call("e-2", "engineer", "GET", f"/v1/visits/{visit_id}/entitlement")).status_code == 404


@story
async def test_a_visit_in_vain_is_charged_through_the_loop(it):
    await it.call("m-1", "manager", "POST", "/v1/price-lists", json=PRICES | {"in_vain_fen": 3_000})
    visit_id = await planned_order(it)
    await walk(it, visit_id, "depart", "arrive")
    assert (await step(it, visit_id, "abort", reason="nobody-there")).status_code == 200
    charged = (await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}/charge")).json()
    assert (charged["in_vain"], charged["customer_fen"]) == (True, 3_000)

"""Whose van holds what an order is expected to take goes first: known by inventory's events, and shown as a reason."""

import asyncio
from random import Random

import pytest

from contracts.dispatcher import DecisionRecorded, DispatchRulesSet, HoursBooked, OrderAssigned, OrderReassigned, Reason
from contracts.intake import UsualPart
from contracts.inventory import (
    PartConsumed,
    PartDefined,
    PartLine,
    PartReturned,
    PartsPickedUp,
    PartsRecommended,
    PartsReserved,
    PlacedLine,
    ReservationReleased,
    StockArrived,
    StockCounted,
    StockSent,
    StockSynchronised,
)
from dispatcher.commands import PartsInVans
from dispatcher.projections.board import ONE_ORDER
from dispatcher.projections.parts import STOCK_AT_PLACES, parts_in_vans
from dispatcher.service import RULES
from tests.dispatcher.examples import (
    assign,
    assigned,
    at,
    booked,
    by_hand,
    freed,
    opened,
    reassign,
    registered,
    take,
)
from tests.dispatcher.test_policies import Views, reactions
from tests.fold import TENANT, assert_same_rows_shuffled
from tests.given import NOW, spec_for

given = spec_for(RULES, besides=(DecisionRecorded,))

NEAR, FAR = registered("e-1", van_id="van-1"), registered("e-2", van_id="van-2", home_lat_udeg=39_930_000)
"""Her home is at the shop; hers is some four kilometres of road away, which is 43 points."""
FAN, PUMP = UsualPart("fan"), UsualPart("pump", 2)
ORDER = opened(usual_parts=(FAN, PUMP), device_model="KFR-35")


def counted(part_id, place_id, quantity, **changes):
    return StockCounted(part_id=part_id, place_id=place_id, quantity=quantity, **changes)


def reserved(*lines, order_id="o-9"):
    placed = tuple(PlacedLine(*line) for line in lines)
    return PartsReserved(order_id=order_id, request_id="r-9", engineer_id="e-9", lines=placed)


def held(*events, order=ORDER, van_id=None):
    """What is found in vans after these events."""
    views = Views(order, *events)
    [row] = asyncio.run(views.fetch(ONE_ORDER, tenant=TENANT, order_id="o-1"))
    return asyncio.run(parts_in_vans(views, TENANT, row, van_id))


def found(expected, **of_vans):
    return PartsInVans(expected=expected, held={van.replace("_", "-"): parts for van, parts in of_vans.items()})


STOCK = (counted("fan", "van-1", 1), counted("pump", "van-1", 1), counted("pump", "van-2", 2), counted("fan", "x", 1))


def test_a_part_counts_where_all_pieces_of_it_are_there():
    assert held(*STOCK) == found(2, van_1=1, van_2=1, x=1)
    assert held(*STOCK, van_id="van-2") == found(2, van_2=1)
    assert held() == found(2)


def test_of_an_order_of_which_nothing_is_expected_nothing_is_asked():
    assert held(*STOCK, order=opened(device_model="KFR-35")) == PartsInVans()


def test_what_goes_into_the_model_is_expected_too():
    fits = PartDefined(part_id="board", name="Board", fits=("KFR-35", "KFR-50"), usual_quantity=1)
    others = PartDefined(part_id="other", name="Other", fits=("KFR-350",))
    never = PartDefined(part_id="never", name="Never", fits=("KFR-35",), usual_quantity=0)
    assert held(*STOCK, fits, others, never, counted("board", "van-2", 1)) == found(3, van_1=1, van_2=2, x=1)


def test_what_inventory_recommends_goes_in_the_stead_of_it():
    said = PartsRecommended(order_id="o-1", request_id="r-1", lines=(PartLine("fan", 1),))
    assert held(*STOCK, said) == found(1, van_1=1, x=1)


@pytest.mark.parametrize(
    ("events", "fans"),
    [
        ((reserved(("fan", "van-1", 2)),), 1),
        ((reserved(("fan", "van-1", 2)), reserved(("fan", "van-1", 1))), 2),
        ((reserved(("fan", "van-1", 2)), reserved(("fan", "shop", 1))), 3),
        ((reserved(("fan", "van-1", 3)),), 0),
        ((reserved(("fan", "van-1", 3), order_id="o-1"),), 3),
        (
            (
                reserved(("fan", "van-1", 2)),
                ReservationReleased(order_id="o-9", request_id="r-9", reason="order-cancelled"),
            ),
            3,
        ),
        ((counted("fan", "van-1", 9, condition="defective"),), 3),
        (
            (
                StockSynchronised(
                    part_id="fan",
                    place_id="van-1",
                    theirs=2,
                    ours=3,
                    source="w",
                    document_id="d",
                    taken_at=NOW,
                    unbooked=-1,
                ),
            ),
            1,
        ),
        ((PartConsumed(part_id="fan", place_id="van-1", quantity=3, order_id="o-9", request_id="r-9", drift=1),), 1),
        ((PartReturned(part_id="fan", place_id="van-1", quantity=1, condition="good", order_id="o-9"),), 4),
        ((StockSent(part_id="fan", place_id="van-1", to_place_id="x", transfer_id="t", quantity=2),), 1),
        (
            (
                reserved(("fan", "shop", 2)),
                StockArrived(part_id="fan", place_id="van-1", from_place_id="shop", transfer_id="o-9", quantity=2),
                PartsPickedUp(
                    order_id="o-9",
                    request_id="r-9",
                    engineer_id="e-9",
                    van_id="van-1",
                    lines=(PlacedLine("fan", "shop", 2),),
                ),
            ),
            3,
        ),
    ],
    ids=[
        "set aside for another",
        "for less",
        "elsewhere",
        "all of it",
        "for the order itself",
        "released",
        "defective",
        "snapshot",
        "used",
        "brought back",
        "sent away",
        "fetched for another",
    ],
)
def test_free_are_the_good_pieces_that_are_not_set_aside_for_others(events, fans):
    stock = (counted("fan", "van-1", 3), *events)
    for wanted in range(1, 6):
        there = held(*stock, order=opened(usual_parts=(UsualPart("fan", wanted),)), van_id="van-1")
        assert there.missing_in("van-1") == (0 if wanted <= fans else 1)


def test_the_rows_do_not_depend_on_the_order_in_which_keys_arrive():
    rng, events = Random(5), []
    for n in range(60):
        order_id, place = f"o-{n % 7}", rng.choice(("van-1", "van-2", "shop"))
        events += [
            counted("fan", place, n),
            reserved(("fan", place, 1 + n % 3), ("pump", "shop", 1), order_id=order_id),
            PartConsumed(part_id="fan", place_id=place, quantity=1, order_id=order_id, request_id="r-9"),
        ]
        if n % 4 == 0:
            events.append(ReservationReleased(order_id=order_id, request_id="r-9", reason="expired"))
    assert_same_rows_shuffled(STOCK_AT_PLACES, events, seed=5)


# Who goes.


def test_whose_van_holds_the_parts_is_preferred_to_one_who_is_nearer():
    full = (counted("fan", "van-2", 1), counted("pump", "van-2", 2))
    [asked] = reactions(ORDER, NEAR, FAR)["find-engineer"]
    assert [one.engineer_id for one in asked.candidates] == ["e-1", "e-2"]
    [asked] = reactions(ORDER, NEAR, FAR, *full)["find-engineer"]
    assert [one.engineer_id for one in asked.candidates] == ["e-2", "e-1"]
    assert asked.parts == found(2, van_2=2)


def test_the_decision_compares_by_the_parts_and_gives_them_as_a_reason():
    both = assign(("e-1", "2026-11-24"), ("e-2", "2026-11-24"), parts=found(2, van_2=2))
    event, _ = given(NEAR, FAR, ORDER).when(both).then_types(OrderAssigned, HoursBooked)
    assert (event.engineer_id, event.reasons[-1]) == ("e-2", Reason("van", 0, 0))
    neither = assign(("e-1", "2026-11-24"), ("e-2", "2026-11-24"), parts=found(2))
    event, _ = given(NEAR, FAR, ORDER).when(neither).then_types(OrderAssigned, HoursBooked)
    assert (event.engineer_id, event.reasons[-1]) == ("e-1", Reason("van", 2, 100))


def test_the_rules_say_how_much_a_missing_part_weighs():
    little = DispatchRulesSet(version=1, effective_from=NOW, points_a_missing_part=10)
    both = assign(("e-1", "2026-11-24"), ("e-2", "2026-11-24"), parts=found(2, van_2=2))
    event, _ = given(little, NEAR, FAR, ORDER).when(both).then_types(OrderAssigned, HoursBooked)
    assert (event.engineer_id, event.reasons[-1]) == ("e-1", Reason("van", 2, 20))


def test_where_no_part_is_expected_nothing_is_said_of_vans():
    event, _ = given(NEAR, opened()).when(assign()).then_types(OrderAssigned, HoursBooked)
    assert "van" not in {reason.rule for reason in event.reasons}


@pytest.mark.parametrize("command", [by_hand, take])
def test_it_is_a_reason_also_where_a_person_or_the_pool_chooses(command):
    said = command("e-1", parts=found(2, van_1=1))
    event, _ = given(NEAR, ORDER).when(said).then_types(OrderAssigned, HoursBooked)
    assert event.reasons[-1] == Reason("van", 1, 50)
    to_her = reassign("e-2", parts=found(2, van_1=1))
    moved, _ = given(NEAR, FAR, ORDER, assigned(), booked()).when(to_her).then_types(OrderReassigned, HoursBooked)
    assert moved.reasons[-1] == Reason("van", 2, 100)


def test_an_engineer_who_has_time_again_is_given_what_waits_with_her_parts():
    asked = reactions(freed(order_id="o-8"), NEAR, ORDER, *STOCK, booked(order_id="o-8", starts_at=at(9)))
    assert asked["offer-free-hours"][0].parts == found(2, van_1=1)

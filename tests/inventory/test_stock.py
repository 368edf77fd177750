"""The stock of a part at a place: counts and uses are facts, and what is set aside is never more than what is there."""

from math import pi

import pytest
from pydantic import ValidationError

from contracts.inventory import PartDefined, PlaceDefined
from inventory.commands import DefinePart, DefinePlace, ReceiveStock, ReturnPart, ScrapPart, SendBackPart
from inventory.domain.distance import EARTH_M, distance_m
from inventory.service import RULES
from tests.given import spec_for
from tests.inventory.examples import (
    FAN_DEFINED,
    REGISTERS,
    VAN,
    WAREHOUSE,
    brought_back,
    consumed,
    count,
    counted,
    fell_short,
    low,
    received,
    released,
    returned,
    scrapped,
    sent_back,
    set_aside,
)

given = spec_for(RULES)


def test_a_part_is_defined_and_defined_anew_but_not_twice_the_same():
    asked = DefinePart(part_id="fan", name="Fan", fits=("BCD-520",), low_below=2)
    given().when(asked).then(FAN_DEFINED)
    given(FAN_DEFINED).when(asked).then_nothing()
    other = PartDefined(part_id="fan", name="Fan 2", fits=())
    given(FAN_DEFINED).when(DefinePart(part_id="fan", name="Fan 2")).then(other)


def test_a_place_is_defined_and_defined_anew_but_not_twice_the_same():
    asked = DefinePlace(place_id="van-1", kind="van", name="Van of e-1")
    given().when(asked).then(VAN)
    given(VAN).when(asked).then_nothing()
    other = PlaceDefined(place_id="van-1", kind="van", name="Van of e-2")
    given(VAN).when(DefinePlace(place_id="van-1", kind="van", name="Van of e-2")).then(other)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a\x00"])
def test_an_id_cannot_name_another_stream(name):
    with pytest.raises(ValidationError):
        DefinePart(part_id=name, name="Fan")
    with pytest.raises(ValidationError):
        count(1, place_id=name)


def test_a_count_says_what_is_there():
    given(*REGISTERS).when(count(3)).then(counted(3))
    given(*REGISTERS, counted(3)).when(count(5, source="wms")).then(counted(5, source="wms"))


def test_a_count_that_says_what_is_known_changes_nothing():
    given(*REGISTERS, counted(3)).when(count(3)).then_nothing()


def test_that_there_is_nothing_is_worth_knowing_once():
    given(*REGISTERS).when(count(0)).then(counted(0))
    given(*REGISTERS, counted(0)).when(count(0)).then_nothing()


def test_what_is_not_defined_is_not_counted():
    given(WAREHOUSE).when(count(1, "wh-1")).then_rejected("part.unknown", part_id="fan")
    given(FAN_DEFINED).when(count(1, "wh-1")).then_rejected("place.unknown", place_id="wh-1")


def test_a_count_of_less_than_was_set_aside_takes_it_from_those_who_came_last():
    before = [counted(4), set_aside(1, order_id="o-1"), set_aside(2, order_id="o-2"), set_aside(1, order_id="o-3")]
    given(*REGISTERS, *before).when(count(2)).then(
        counted(2), fell_short(1, order_id="o-3"), fell_short(1, order_id="o-2")
    )


def test_a_count_that_covers_what_is_set_aside_takes_it_from_nobody():
    given(*REGISTERS, counted(4), set_aside(2)).when(count(2)).then(counted(2))


def test_a_use_of_what_was_not_there_is_no_debt_of_the_next_count():
    before = [counted(1), consumed(3, drift=2)]
    given(*REGISTERS, *before).when(count(0)).then_nothing()
    given(*REGISTERS, *before).when(count(4)).then(counted(4))


def test_few_free_pieces_at_a_warehouse_are_said_when_they_become_few():
    given(*REGISTERS, counted(2, "wh-1")).when(count(1, "wh-1")).then(counted(1, "wh-1"), low(1))
    given(*REGISTERS).when(count(1, "wh-1")).then(counted(1, "wh-1"), low(1))


def test_few_pieces_are_said_once_until_there_are_enough_again():
    given(*REGISTERS, counted(1, "wh-1"), low(1)).when(count(0, "wh-1")).then(counted(0, "wh-1"))
    again = [counted(1, "wh-1"), low(1), counted(2, "wh-1")]
    given(*REGISTERS, *again).when(count(0, "wh-1")).then(counted(0, "wh-1"), low(0))


def test_pieces_that_are_set_aside_are_not_free():
    before = [counted(4, "wh-1"), set_aside(1, "wh-1")]
    given(*REGISTERS, *before).when(count(2, "wh-1")).then(counted(2, "wh-1"), low(1))
    before = [*before, returned(1, "wh-1"), released("order-cancelled")]
    given(*REGISTERS, *before).when(count(2, "wh-1")).then(counted(2, "wh-1"))


def test_a_van_carries_what_it_carries():
    given(*REGISTERS, counted(2)).when(count(0)).then(counted(0))


# Good and defective pieces, and what comes in and goes out for good.

FANS = {"part_id": "fan", "place_id": "van-1", "quantity": 2}


def receiving(**changes):
    return ReceiveStock(**FANS | {"source": "maker"} | changes)


def returning(**changes):
    return ReturnPart(**FANS | {"condition": "defective", "order_id": "o-1"} | changes)


def scrapping(**changes):
    return ScrapPart(**FANS | {"condition": "good", "reason": "wet"} | changes)


def sending_back(**changes):
    return SendBackPart(**FANS | {"condition": "good", "supplier": "maker"} | changes)


def test_good_and_defective_pieces_are_counted_apart():
    old = counted(3, condition="defective")
    given(*REGISTERS, counted(3)).when(count(3, condition="defective")).then(old)
    given(*REGISTERS, counted(5), old).when(count(3, condition="defective")).then_nothing()
    given(*REGISTERS, old).when(count(0)).then(counted(0))


def test_defective_pieces_are_not_free():
    there = [*REGISTERS, counted(1), counted(9, condition="defective")]
    given(*there).when(scrapping()).then_rejected("stock.not-enough", condition="good", free=1)


def test_a_delivery_comes_in():
    given(*REGISTERS).when(receiving()).then(received(2))
    given(*REGISTERS, received(2)).when(receiving(condition="defective")).then(received(2, condition="defective"))


def test_an_old_part_comes_back_from_a_device_and_so_does_one_that_was_not_used():
    given(*REGISTERS).when(returning()).then(brought_back(2))
    given(*REGISTERS).when(returning(condition="good")).then(brought_back(2, condition="good"))


def test_pieces_are_scrapped_or_sent_back_from_those_that_are_free():
    there = [*REGISTERS, counted(2), counted(2, condition="defective")]
    given(*there).when(scrapping()).then(scrapped(2))
    given(*there).when(scrapping(condition="defective")).then(scrapped(2, "defective"))
    given(*there).when(sending_back(condition="defective")).then(sent_back(2, "defective"))
    for asked in (scrapping(), sending_back()):
        given(*there, set_aside(1)).when(asked).then_rejected("stock.not-enough", free=1, wanted=2)


def test_what_went_out_is_not_there_any_more():
    for out in (scrapped(2, "defective"), sent_back(2, "defective")):
        there = [*REGISTERS, brought_back(3), out]
        given(*there).when(scrapping(condition="defective")).then_rejected("stock.not-enough", free=1)


def test_a_scrapping_that_leaves_a_warehouse_low_says_so():
    given(*REGISTERS, received(3, "wh-1")).when(scrapping(place_id="wh-1")).then(scrapped(2, place_id="wh-1"), low(1))


def test_nothing_moves_of_what_is_not_defined():
    for asked in (receiving, returning, scrapping, sending_back):
        given(WAREHOUSE).when(asked(place_id="wh-1")).then_rejected("part.unknown", part_id="fan")
        given(FAN_DEFINED).when(asked(place_id="wh-1")).then_rejected("place.unknown", place_id="wh-1")


# Where it is.


def test_a_degree_of_latitude_is_some_111_km_and_one_of_longitude_shrinks_towards_the_pole():
    assert distance_m(0, 0, 1_000_000, 0) == 111_195
    assert distance_m(60_000_000, 0, 60_000_000, 1_000_000) == pytest.approx(111_195 / 2, rel=1e-3)
    assert distance_m(39_904_200, 116_407_400, 31_230_400, 121_473_700) == pytest.approx(1_067_000, rel=5e-3)
    assert distance_m(0, 179_900_000, 0, -179_900_000) == pytest.approx(22_239, abs=1)
    assert distance_m(0, 0, 0, 180_000_000) == pytest.approx(EARTH_M * pi, abs=1)
    assert distance_m(5, 5, 5, 5) == 0


def test_half_a_location_is_refused():
    with pytest.raises(ValidationError, match="both lat_udeg and lon_udeg"):
        DefinePlace(place_id="wh-1", kind="warehouse", name="North", lat_udeg=1)

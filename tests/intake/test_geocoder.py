"""Where on the map an address lies: found, asked for where it may be several places, and never guessed."""

import asyncio

import httpx
import pytest

from contracts.intake import CustomerRegistered, NumberGiven, RequestIncomplete, RequestReceived, RequestTypeDefined
from intake.adapters.geocoder import AsSet, Nominatim
from intake.commands import SubmitRequest
from intake.service import RULES
from tests.given import spec_for

given = spec_for(RULES)

PLACE = {"region": "朝阳区", "lat_udeg": 39_920_000, "lon_udeg": 116_443_000}
KNOWN = CustomerRegistered(customer_id="c-1", name="李", phone="13800000001", street="路", **PLACE)
TYPE = RequestTypeDefined(type_id="talk", type_version=1, name="Talk", needs_device=False, skill="s")
FULL = "北京市朝阳区建国路 1 号"


def submitted(spots, address=FULL):
    asked = {"request_type": "talk", "customer_id": "c-1", "day": "2026-11-24", "address": address}
    return given(KNOWN, TYPE).when(SubmitRequest(request_id="r-1", spots=spots, **asked))


def test_a_request_lies_where_the_map_has_its_address_to_a_hundred_metres():
    [_, told] = submitted(((39_908_123, 116_461_987),)).then_types(NumberGiven, RequestReceived)
    assert (told.lat_udeg, told.lon_udeg, told.located) == (39_908_000, 116_462_000, True)


def test_the_segments_of_one_street_are_one_place():
    [_, told] = submitted(((39_908_000, 116_461_000), (39_912_000, 116_470_000))).then_types(
        NumberGiven, RequestReceived
    )
    assert (told.lat_udeg, told.located) == (39_908_000, True)


def test_what_the_map_has_in_several_places_is_asked():
    [_, told] = submitted(((39_908_000, 116_461_000), (39_908_000, 116_490_000))).then_types(
        NumberGiven, RequestIncomplete
    )
    assert told.missing == ("address: the map has it in places far from each other: write it in full",)


def test_what_the_map_does_not_have_lies_where_the_customer_is_registered():
    [_, told] = submitted(()).then_types(NumberGiven, RequestReceived)
    assert (told.lat_udeg, told.lon_udeg, told.located) == (39_920_000, 116_443_000, False)


def test_a_district_that_lies_in_two_cities_is_asked_whatever_the_map_says():
    [_, told] = submitted(((39_908_000, 116_461_000),), "朝阳区建设路 1 号").then_types(NumberGiven, RequestIncomplete)
    assert [line.partition(":")[0] for line in told.missing] == ["address"]


# The port.


def asked(answer):
    seen = []

    def handler(request):
        seen.append(request)
        return answer(request)

    found = asyncio.run(Nominatim("http://map/search", httpx.MockTransport(handler)).locate(FULL))
    return found, seen


def test_the_search_is_asked_for_the_address_and_answers_places():
    found, [request] = asked(lambda _: httpx.Response(200, json=[{"lat": "39.908123", "lon": "116.461987"}]))
    assert found == [(39_908_123, 116_461_987)]
    assert request.url.params["q"] == FULL


def away(request):
    raise httpx.ConnectTimeout("away", request=request)


@pytest.mark.parametrize(
    "answer",
    [
        away,
        lambda _: httpx.Response(500),
        lambda _: httpx.Response(200, text="no JSON"),
        lambda _: httpx.Response(200, json=[{"lat": "north"}]),
        lambda _: httpx.Response(200, json=[]),
    ],
)
def test_a_map_that_is_away_or_speaks_otherwise_knows_nothing(answer):
    assert list(asked(answer)[0]) == []


def test_without_a_setting_nobody_is_asked_and_with_one_its_address_is():
    for outside in ({}, {"geocoder": ""}, {"geocoder": "http://127.0.0.1:9/nobody"}):
        assert list(asyncio.run(AsSet(lambda outside=outside: outside).locate(FULL))) == []

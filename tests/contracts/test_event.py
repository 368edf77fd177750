"""The rules every event type of the contracts obeys."""

from typing import Annotated

import msgspec
import pytest

from contracts.event import REGISTRY, Event, NonNegative, Personal, belongs_to


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr("contracts.event.REGISTRY", {})


def thing_moved():
    @belongs_to("thing", of="thing_id", key="request_id")
    class ThingMoved(Event):
        thing_id: str
        request_id: str
        customer_id: str
        by_m: NonNegative
        where: Annotated[str, Personal("customer_id")] = ""

    return ThingMoved


def test_an_event_knows_its_stream_its_key_and_its_sealed_fields():
    event = thing_moved()(thing_id="t-1", request_id="r-1", customer_id="c-1", by_m=3)
    assert (event.stream(), event.partition_key()) == ("thing/t-1", "r-1")
    assert event.PERSONAL == (("where", "customer_id"),)


def test_without_a_request_the_stream_is_the_key():
    @belongs_to("stock", of=("part_id", "place_id"))
    class Counted(Event):
        part_id: str
        place_id: str

    assert Counted(part_id="p", place_id="w").partition_key() == "stock/p/w"


def test_a_value_out_of_bounds_is_refused_when_it_is_read():
    with pytest.raises(msgspec.ValidationError, match="by_m"):
        msgspec.json.decode(b'{"thing_id":"t","request_id":"r","customer_id":"c","by_m":-1}', type=thing_moved())


def test_a_newer_writers_unknown_field_does_not_stop_an_older_reader():
    record = b'{"thing_id":"t","request_id":"r","customer_id":"c","by_m":1,"since_v2":true}'
    assert msgspec.json.decode(record, type=thing_moved()).by_m == 1


def test_a_contract_that_names_a_missing_field_fails_at_import():
    with pytest.raises(TypeError, match="order_id"):

        @belongs_to("order", of="order_id")
        class Nameless(Event):
            other: str


def test_a_name_stands_for_one_event():
    thing_moved()
    with pytest.raises(TypeError, match="ThingMoved"):
        thing_moved()
    assert "ThingMoved" not in REGISTRY

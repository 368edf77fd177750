"""A change of an event that would leave a reader behind is caught; a harmless one is let through."""

from copy import deepcopy

import msgspec
import pytest

from contracts.dispatcher import EngineerDay, OrderAssigned
from contracts.event import Event
from services.reference import schema_of
from tests.contracts.compatibility import breaks

RELEASED = schema_of(OrderAssigned)


def changed(change):
    schema = deepcopy(RELEASED)
    change(schema, schema["properties"])
    return schema


HARMLESS = {
    "other words": lambda schema, fields: fields["note"].update(description="Said by a person."),
    "a field with a default": lambda schema, fields: fields.update(tip_fen={"type": "integer", "default": 0}),
}

BREAKING = {
    "a field is removed": (lambda schema, fields: fields.pop("note"), "note is gone"),
    "a required field is removed": (lambda schema, fields: fields.pop("engineer_id"), "engineer_id is gone"),
    "a field is renamed": (lambda schema, fields: fields.update(remark=fields.pop("note")), "note is gone"),
    "a new field is required": (
        lambda schema, fields: (fields.update(fee_fen={"type": "integer"}), schema["required"].append("fee_fen")),
        "fee_fen is new and required",
    ),
    "a field becomes optional": (lambda schema, fields: schema["required"].remove("travel_m"), "travel_m is required"),
    "a type is changed": (lambda schema, fields: fields["travel_m"].update(type="number"), "travel_m: type was"),
    "a bound is moved": (lambda schema, fields: fields["travel_m"].update(minimum=1), "travel_m: minimum was"),
    "a choice is added": (lambda schema, fields: fields["chosen_by"]["enum"].append("robot"), "chosen_by: enum was"),
    "a default is changed": (lambda schema, fields: fields["note"].update(default="none"), "note: default was"),
    "a text is sealed": (lambda schema, fields: fields["note"].update({"x-sealed-for": "customer_id"}), "x-sealed-for"),
    "a part is changed": (
        lambda schema, fields: schema["$defs"]["Reason"]["properties"]["cost"].update(type="string"),
        "reasons[].cost: type was",
    ),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_change_is_let_through(change):
    assert breaks(RELEASED, changed(change)) == []


@pytest.mark.parametrize(("change", "said"), BREAKING.values(), ids=BREAKING)
def test_a_breaking_change_is_caught(change, said):
    assert [why for why in breaks(RELEASED, changed(change)) if said in why]


def test_what_one_release_dropped_cannot_come_back_as_another_type():
    """Each step alone would pass as an addition or a removal; against every release it does not."""
    first = schema_of(OrderAssigned)
    second = changed(lambda schema, fields: fields.pop("note"))
    third = changed(lambda schema, fields: fields.update(note={"type": "integer", "default": 0}))
    assert breaks(second, third) == []
    assert breaks(first, third)


def test_a_struct_that_may_be_absent_is_looked_into():
    class Day(msgspec.Struct):
        engineer_id: str
        day: int

    class Freed(Event, frozen=True, kw_only=True):
        frees: EngineerDay | None = None

    class FreedToday(Event, frozen=True, kw_only=True):
        frees: Day | None = None

    before, after = schema_of_local(Freed), schema_of_local(FreedToday)
    assert [why for why in breaks(before, after) if "frees.day: type was" in why]


def schema_of_local(kind):
    whole = msgspec.json.schema(kind)
    return whole["$defs"][kind.__name__] | {"$defs": whole["$defs"]}

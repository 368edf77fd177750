"""A number in a body is meant as it stands, however deep it stands in it."""

import importlib
import pkgutil

import pytest
from pydantic import ValidationError

import dispatcher
import fieldwork
import intake
import inventory
import quality
import reporting
import services.gateway
from dispatcher.commands import ShiftHours
from services.chassis import exact
from services.chassis.http import Body

PACKAGES = (intake, dispatcher, fieldwork, quality, inventory, reporting, services.gateway)


def bodies(base):
    for one in base.__subclasses__():
        yield one
        yield from bodies(one)


def guessed(schema, model):
    """The models with a number that pydantic would take for a text or a truth value."""
    if isinstance(schema, list | tuple):
        return {name for one in schema for name in guessed(one, model)}
    if not isinstance(schema, dict):
        return set()
    if schema.get("type") == "function-before" and schema["function"]["function"] is exact._no_text:
        return set()
    if schema.get("type") in ("int", "float"):
        return {model}
    model = schema["cls"].__name__ if schema.get("type") == "model" else model
    parts = [part for name, part in schema.items() if name not in ("serialization", "metadata")]
    return guessed(parts, model)


def test_no_number_within_a_body_is_guessed():
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    sent = [one for one in set(bodies(Body)) if one.EXACT and not one.__name__.endswith(("View", "Detail"))]
    assert len(sent) > 50
    found = {name for one in sent for name in guessed(one.__pydantic_core_schema__, one.__name__)}
    assert found == set(), "what stands within a body is a services.chassis.exact.Value"


@pytest.mark.parametrize("number", ["5", True, 5.5, None, [5]])
def test_what_is_no_whole_number_is_refused_within_a_body_too(number):
    class Week(Body):
        shifts: list[ShiftHours]

    def week(minute):
        return Week.model_validate({"shifts": [{"weekday": 0, "from_minute": minute, "to_minute": 60}]})

    assert week(5.0).shifts[0].from_minute == 5, "which is a whole number in JSON"
    with pytest.raises(ValidationError) as refused:
        week(number)
    assert refused.value.errors()[0]["loc"] == ("shifts", 0, "from_minute")

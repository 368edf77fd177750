"""Every event has an example, and the example is what its contract and its schema say."""

import json

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts.event import REGISTRY
from contracts.examples import EXAMPLES
from contracts.topics import PUBLISHER_OF
from services.reference import ROOT, SCHEMAS


def test_every_event_has_an_example():
    missing = PUBLISHER_OF.keys() - EXAMPLES.keys()
    assert not missing, f"give {', '.join(sorted(missing))} an example in contracts/examples.py"


@pytest.mark.parametrize("name", EXAMPLES)
class TestAnExample:
    def test_it_is_read_back_as_it_was_written(self, name):
        assert msgspec.json.decode(msgspec.json.encode(EXAMPLES[name]), type=REGISTRY[name]) == EXAMPLES[name]

    def test_it_is_valid_under_the_committed_schema(self, name):
        schema = json.loads((ROOT / SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        assert [error.message for error in validator.iter_errors(json.loads(msgspec.json.encode(EXAMPLES[name])))] == []

    def test_it_says_something_in_every_field(self, name):
        silent = [
            field for field in REGISTRY[name].__struct_fields__ if getattr(EXAMPLES[name], field) in ("", None, ())
        ]
        assert set(silent) <= SILENT.get(name, set()), f"give {', '.join(silent)} of {name} a value"


SILENT = {"RequestIncomplete": {"device_id"}}
"""What an example lacks on purpose: here it is what is missing."""


def test_a_schema_refuses_what_its_event_refuses():
    schema = json.loads((ROOT / SCHEMAS / "ServiceCompleted.json").read_text(encoding="utf-8"))
    wrong = json.loads(msgspec.json.encode(EXAMPLES["ServiceCompleted"])) | {"rating": 6}
    assert [error.json_path for error in Draft202012Validator(schema).iter_errors(wrong)] == ["$.rating"]

"""
A change that no default can cover, planted: the next release records `StockRanLow` in the place of `StockLow`, whose
`place_id` is called `at_place` there and whose two figures are one (decision 10).

The type is the version, and the upcaster is a function of the release that has both: from then on only the new shape is
folded, whichever of the two was recorded.
"""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts import envelope as envelopes
from contracts.event import Event, NonNegative, belongs_to
from contracts.inventory import StockLow
from services.chassis.bus.feed import Record
from services.chassis.bus.ingest import arrival_of
from services.chassis.views import View
from services.reference import schema_of
from tests.contracts import golden
from tests.contracts.compatibility import breaks
from tests.fold import rows_after

OLD = "0.1.0"
PIECES = some.integers(-(2**53), 2**53)


class StockRanLow(Event, frozen=True, kw_only=True):
    """The new version: so many pieces are missing there up to the limit."""

    part_id: str
    at_place: str
    missing: NonNegative


def upcast(event: StockLow | StockRanLow) -> StockRanLow:
    """Any version in the shape of the newest."""
    if isinstance(event, StockRanLow):
        return event
    short = max(0, event.low_below - event.free)
    return StockRanLow(part_id=event.part_id, at_place=event.place_id, missing=short)


def apply(rows, event, envelope):
    newest = upcast(event)
    rows.put(newest.part_id, newest.at_place, missing=newest.missing)


MISSING = View(
    name="missing_pieces",
    version=1,
    key={"part_id": str, "place_id": str},
    columns={"missing": 0},
    reads=(StockLow, StockRanLow),
    apply=apply,
)


@pytest.fixture
def later_release():
    """While it runs, the contracts know both types."""
    belongs_to("stock", of=("part_id", "at_place"))(StockRanLow)
    yield
    envelopes.REGISTRY.pop("StockRanLow")
    envelopes._payloads.pop("StockRanLow", None)


def golden_record() -> bytes:
    lines = (golden.FOLDER / f"{OLD}.jsonl").read_bytes().splitlines()
    return next(line for line in lines if envelopes.read(line).type == "StockLow")


def newer(record: bytes) -> bytes:
    """What the later release records where the earlier one recorded this."""
    newest = upcast(envelopes.payload(envelopes.read(record)))
    said = msgspec.json.decode(record)
    return msgspec.json.encode(said | {"type": "StockRanLow", "data": msgspec.to_builtins(newest)})


def test_it_is_a_change_that_may_not_be_made_under_the_old_name():
    why = breaks(schema_of(StockLow), schema_of(StockRanLow))
    assert any("place_id is gone" in one for one in why) and any("missing is new and required" in one for one in why)


def test_both_releases_read_the_golden_record_and_the_earlier_one_keeps_what_it_cannot_read(later_release):
    old, new = golden_record(), newer(golden_record())
    assert envelopes.payload(envelopes.read(new)) == upcast(envelopes.payload(envelopes.read(old)))
    envelopes.REGISTRY.pop("StockRanLow")  # the earlier release, beside it or after a roll-back
    envelopes._payloads.pop("StockRanLow")
    assert golden.expected(old) in golden_expected()
    with pytest.raises(envelopes.UnknownEvent):
        envelopes.payload(envelopes.read(new))
    # Also where it takes in nothing of the kind.
    kept = arrival_of(Record("inventory", "p", 1, new), frozenset())
    assert (kept.wanted, kept.record) == (True, new)
    envelopes.REGISTRY["StockRanLow"] = StockRanLow


def golden_expected():
    return msgspec.json.decode((golden.FOLDER / f"{OLD}.expected.json").read_bytes())


def test_a_fold_gives_the_same_rows_whichever_version_was_recorded(later_release):
    old = envelopes.payload(envelopes.read(golden_record()))
    new = envelopes.payload(envelopes.read(newer(golden_record())))
    rows = rows_after(MISSING, [old])
    assert rows == rows_after(MISSING, [new]) == rows_after(MISSING, [old, new]) == rows_after(MISSING, [new, old])
    assert rows == {(old.part_id, old.place_id): {"missing": old.low_below - old.free}}


@settings(deadline=None)
@given(some.text(), some.text(), PIECES, some.integers(0, 2**53))
def test_the_upcaster_is_total_and_pure(part, place, free, limit):
    old = StockLow(part_id=part, place_id=place, free=free, low_below=limit)
    before = msgspec.json.encode(old)
    newest = upcast(old)
    # What it gives is a valid event: it can be written and read again.
    assert msgspec.json.decode(msgspec.json.encode(newest), type=StockRanLow) == newest == upcast(old) == upcast(newest)
    assert msgspec.json.encode(old) == before

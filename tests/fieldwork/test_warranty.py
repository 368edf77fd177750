"""A model's warranty counts from the day on which a device was put into service, and follows what the register says."""

from datetime import UTC, date, datetime

import pytest

from contracts.fieldwork import (
    ChargeCorrected,
    CoverageSet,
    DeviceNoted,
    EntitlementRedecided,
    Term,
    WarrantyDefined,
    WarrantyTerm,
)
from contracts.intake import DeviceRegistered
from fieldwork.commands import DefineWarranty, MonthsCovered, NoteDevice
from fieldwork.domain.warranty import months_after
from fieldwork.projections.warranties import NOTED_DEVICES, WARRANTIES
from fieldwork.service import RULES
from tests.fieldwork.examples import minute
from tests.fieldwork.test_api import story, walk
from tests.fieldwork.test_charge import put
from tests.fieldwork.test_entitlement import PRICES, planned_order, story_of
from tests.fold import assert_same_rows_shuffled
from tests.given import spec_for

given = spec_for(RULES)
MODEL = "BCD-520"


def warranty(version=1, *, since="2026-01-01", labour=(100, 12), parts=(100, 36), travel=(0, 0), from_purchase=False):
    terms = {"labour": WarrantyTerm(*labour), "parts": WarrantyTerm(*parts), "travel": WarrantyTerm(*travel)}
    return WarrantyDefined(
        device_model=MODEL, version=version, effective_from=since, from_purchase=from_purchase, **terms
    )


def define(**changes):
    terms = {"labour": (100, 12), "parts": (100, 36), "travel": (0, 0)}
    covered = {name: MonthsCovered(percent=percent, months=months) for name, (percent, months) in terms.items()}
    return DefineWarranty(**{"device_model": MODEL, "effective_from": date(2026, 1, 1)} | covered | changes)


def note(**changes):
    known = {"known_orders": ("o-1",), "known_visits": ("v-1",)}
    said = {"device_id": "d-1", "customer_id": "c-1", "model": MODEL, "at": minute(200)}
    return NoteDevice(**said | known | changes)


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def recorded(past, command):
    return given(*past).when(command)._events()


def test_a_warranty_is_defined_in_versions_and_the_same_again_is_none():
    given().when(define()).then(warranty())
    given(warranty()).when(define()).then_nothing()
    given(warranty()).when(define(from_purchase=True)).then(warranty(2, from_purchase=True))


def test_it_counts_from_the_day_of_being_put_into_service_and_corrects_what_was_charged():
    past = [warranty(), *story_of()]
    events = recorded(past, note(purchased_on="2026-03-01", in_service_on="2026-03-08"))
    assert [type(one) for one in events] == [DeviceNoted, CoverageSet, EntitlementRedecided, ChargeCorrected]
    coverage = events[1]
    assert coverage.starts_at == datetime(2026, 3, 7, 16, tzinfo=UTC)
    assert coverage.labour == Term(100, datetime(2027, 3, 7, 16, tzinfo=UTC))
    assert coverage.parts == Term(100, datetime(2029, 3, 7, 16, tzinfo=UTC))
    assert (coverage.kind, coverage.device_model, coverage.version) == ("warranty", MODEL, 1)
    assert (events[3].warranty_fen, events[3].customer_fen) == (12_333, 5_000)
    given(*past, *events).when(note(purchased_on="2026-03-01", in_service_on="2026-03-08")).then_nothing()


def test_a_corrected_date_decides_anew_and_a_date_that_is_taken_back_covers_nothing():
    past = [warranty(), *story_of()]
    past += recorded(past, note(in_service_on="2026-03-08"))
    later = recorded(past, note(in_service_on="2024-01-08"))
    assert [type(one) for one in later] == [DeviceNoted, CoverageSet, EntitlementRedecided, ChargeCorrected]
    (again,) = of(later, CoverageSet)
    assert (again.version, again.labour.percent, later[-1].warranty_fen) == (2, 0, 0)
    gone = recorded(past, note())
    assert (of(gone, CoverageSet)[0].labour.percent, gone[-1].customer_fen) == (0, 17_333)
    given(*past, *gone).when(note()).then_nothing()


@pytest.mark.parametrize(
    ("defined", "dates", "begins"),
    [
        ((warranty(),), {"purchased_on": "2026-02-01"}, datetime(2026, 1, 31, 16, tzinfo=UTC)),
        ((warranty(),), {}, None),
        ((warranty(),), {"in_service_on": "2025-12-31"}, None),
        (
            (warranty(), warranty(2, since="2026-06-01")),
            {"in_service_on": "2026-05-31"},
            datetime(2026, 5, 30, 16, tzinfo=UTC),
        ),
        (
            (warranty(from_purchase=True),),
            {"purchased_on": "2026-02-01", "in_service_on": "2026-03-01"},
            datetime(2026, 1, 31, 16, tzinfo=UTC),
        ),
        ((warranty(from_purchase=True),), {"in_service_on": "2026-03-01"}, None),
        ((), {"in_service_on": "2026-03-01"}, None),
    ],
)
def test_when_it_begins(defined, dates, begins):
    events = recorded(list(defined), note(**dates, known_orders=(), known_visits=()))
    assert [one.starts_at for one in of(events, CoverageSet)] == ([begins] if begins else [])


def test_of_two_versions_the_one_for_the_day_of_the_device_counts():
    defined = [warranty(), warranty(2, since="2026-06-01", labour=(50, 24))]
    for day, percent in (("2026-05-31", 100), ("2026-06-01", 50)):
        events = recorded(defined, note(in_service_on=day, known_orders=(), known_visits=()))
        assert of(events, CoverageSet)[0].labour.percent == percent


@pytest.mark.parametrize(
    ("begins", "months", "ends"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 3, 8), 12, date(2027, 3, 8)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2026, 3, 8), 0, date(2026, 3, 8)),
    ],
)
def test_months_are_those_of_the_calendar(begins, months, ends):
    assert months_after(begins, months) == ends


def test_nobody_sets_by_hand_what_follows_from_the_model():
    given().when(put(coverage_id="model-warranty")).then_rejected("coverage.of-model")


def test_the_views_are_the_same_in_whatever_order_devices_and_warranties_come():
    device = DeviceRegistered(device_id="d-1", customer_id="c-1", model=MODEL, serial="s", skill="x")
    for view in (WARRANTIES, NOTED_DEVICES):
        assert_same_rows_shuffled(view, [warranty(), device, warranty(2)])


@story
async def test_a_warranty_that_is_defined_later_covers_the_devices_that_are_there(it):
    await it.call("m-1", "manager", "POST", "/v1/price-lists", json=PRICES)
    registered = {"device_id": "d-1", "model": MODEL, "serial": "s", "skill": "cooling"}
    await it.publishes(DeviceRegistered(customer_id="c-1", in_service_on="2026-03-08", **registered))
    visit_id = await planned_order(it)
    await walk(it, visit_id, "depart", "arrive", "start", "parts", "finish", "accept")
    path = f"/v1/visits/{visit_id}/charge"
    assert (await it.call("c-1", "customer", "GET", path)).json()["warranty_fen"] == 0
    body = {"device_model": MODEL, "effective_from": "2026-01-01", "labour": {"percent": 100, "months": 12}}
    body |= {"parts": {"percent": 50, "months": 36}, "travel": {"percent": 0, "months": 0}}
    assert (await it.call("a-1", "agent", "POST", "/v1/coverages/models", json=body)).status_code == 403
    assert (await it.call("m-1", "manager", "POST", "/v1/coverages/models", json=body)).status_code == 200
    charge = (await it.call("c-1", "customer", "GET", path)).json()
    assert charge["corrections"] == 1 and charge["warranty_fen"] > 0
    assert "2027-03-08 00:00" in charge["lines"][0]["explained_zh"]
    [listed] = (await it.call("m-1", "manager", "GET", f"/v1/coverages/models?device_model={MODEL}")).json()["items"]
    assert listed == {"version": 1, "from_purchase": False} | body
    await it.publishes(DeviceRegistered(customer_id="c-1", in_service_on="2024-03-08", **registered))
    assert (await it.call("c-1", "customer", "GET", path)).json()["warranty_fen"] == 0

"""The record of the work: codes of a list, labour, a checklist that asks for more, meters, parts, and its hash."""

import pytest

from contracts.fieldwork import (
    ChecklistItem,
    FollowUpAsked,
    MeterReading,
    ServiceCodesDefined,
    StepRefused,
    UsedPart,
    WorkFinished,
)
from fieldwork.commands import Checked, Reading
from fieldwork.projections.service_codes import SERVICE_CODES, codes_of
from fieldwork.projections.visits import VISITS, checklist_of, readings_of
from fieldwork.service import RULES
from tests.fieldwork.examples import (
    AT_WORK,
    FAN,
    accept,
    codes,
    completed,
    define,
    finish,
    finished,
    follow_up,
    minute,
    part,
    refused,
    report,
)
from tests.fieldwork.test_api import planned, step, story, walk
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import spec_for

given = spec_for(RULES)

# The list of codes.


def test_codes_are_defined_in_versions_and_the_same_again_is_none():
    given().when(define()).then(codes(1))
    given(codes(1)).when(define()).then_nothing()
    given(codes(1)).when(define(causes=("worn",))).then(codes(2, causes=("worn",)))


def test_a_code_is_on_a_list_once():
    given().when(define(causes=("a", "a"))).then_rejected("codes.twice", field="causes", twice="a")


def test_without_a_list_any_code_will_do():
    given(*AT_WORK).when(finish(cause="anything")).then(finished(cause="anything"))


def test_a_record_cites_the_version_that_its_codes_are_of_and_a_late_phone_may_use_an_older_one():
    lists = codes(1), codes(2, causes=("worn",))
    given(*lists, *AT_WORK).when(finish(cause="worn")).then(finished(cause="worn", codes_version=2))
    given(*lists, *AT_WORK).when(finish(codes_version=1)).then(finished(codes_version=1))


def test_a_code_that_is_not_on_the_list_is_refused_with_the_field():
    given(codes(1), *AT_WORK).when(finish(cause="x")).then_rejected("codes.not-listed", field="cause", value="x")
    given(codes(1), *AT_WORK).when(finish(action="x")).then_rejected("codes.not-listed", field="action", value="x")
    given(codes(1), *AT_WORK).when(finish(codes_version=7)).then_rejected("codes.unknown-version", newest=1)
    given(*AT_WORK).when(finish(codes_version=1)).then_rejected("codes.unknown-version", newest=0)


def test_in_a_batch_such_a_code_is_kept_as_it_was_reported():
    given(codes(1), *AT_WORK).when(report(1, finish(cause="x"))).then_types(StepRefused)


# What is in the record.


def test_labour_is_what_she_says_or_the_time_since_the_start():
    given(*AT_WORK).when(finish(at=80)).then(finished(labour_s=45 * 60))
    given(*AT_WORK).when(finish(labour_s=1_200)).then(finished(labour_s=1_200))
    given(*AT_WORK).when(finish(labour_s=0)).then(finished(labour_s=0))


def test_meters_and_parts_are_in_the_record_and_its_hash_covers_them():
    reading = Reading(meter="hours", value=4_210, unit="h")
    whole = finished(readings=(MeterReading("hours", 4_210, "h"),), parts=(FAN,))
    given(*AT_WORK, part()).when(finish(readings=(reading,))).then(whole)
    assert whole.record_sha256 != finished().record_sha256 and len(whole.record_sha256) == 64


def test_a_point_that_failed_asks_for_an_order_and_one_that_passed_does_not():
    looked = (Checked(item="earthing", passed=False, note="loose"), Checked(item="noise", passed=True))
    record = finished(checklist=(ChecklistItem("earthing", False, "loose"), ChecklistItem("noise", True)))
    given(*AT_WORK).when(finish(checklist=looked)).then(record, follow_up("earthing", note="loose"))


def test_a_follow_up_is_asked_once_for_each_point_also_when_the_work_is_finished_again():
    failed = Checked(item="earthing", passed=False)
    other = Checked(item="hose", passed=False)
    first = finished(checklist=(ChecklistItem("earthing", False),))
    before = [*AT_WORK, first, follow_up("earthing"), refused()]
    given(*before).when(finish(at=95, checklist=(failed, other, other))).then_types(WorkFinished, FollowUpAsked)
    given(*before).when(finish(at=95, checklist=(failed,))).then_types(WorkFinished)


def test_serials_and_old_parts_go_with_the_part_to_the_end():
    used = [part(serials=("SN-1",), old_returned=1), part(quantity=2, old_returned=1)]
    line = UsedPart("fan", "van-1", 3, ("SN-1",), 2)
    given(*AT_WORK, *used, finished()).when(accept()).then(completed(parts=(line,)))


def test_the_views_show_the_record_and_the_lists():
    record = finished(
        checklist=(ChecklistItem("earthing", False, "loose"),), readings=(MeterReading("hours", 4_210, "h"),)
    )
    events = [codes(1), codes(2, causes=("worn",)), *AT_WORK, record, follow_up("earthing")]
    (row,) = rows_after(VISITS, events).values()
    assert (row["labour_s"], row["follow_ups"], row["record_sha256"]) == (2_700, 1, record.record_sha256)
    assert (checklist_of(row["checklist"]), readings_of(row["readings"])) == (record.checklist, record.readings)
    lists = rows_after(SERVICE_CODES, events)
    assert [[one.code for one in codes_of(lists[number,]["causes"])] for number in (1, 2)] == [["fan-stuck"], ["worn"]]
    for view in (VISITS, SERVICE_CODES):
        assert_same_rows_shuffled(view, events)


# Through the routes.

LISTS = {
    "causes": [{"code": "fan-stuck", "en": "The fan is stuck", "zh": "风扇卡死"}],
    "remedies": [{"code": "replaced", "en": "Replaced", "zh": "更换"}],
}


@story
async def test_a_manager_defines_the_lists_and_an_engineer_writes_by_them(it):
    made = await it.call("m-1", "manager", "POST", "/v1/service-codes", json=LISTS)
    assert made.json()["events"] == ["ServiceCodesDefined"]
    assert (await it.call("e-1", "engineer", "POST", "/v1/service-codes", json=LISTS)).status_code == 403
    shown = (await it.call("e-1", "engineer", "GET", "/v1/service-codes")).json()["items"]
    assert shown == [{"version": 1, **LISTS}]
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive", "start")
    wrong = await step(it, visit_id, "finish", cause="x", action="replaced", record="r")
    assert (wrong.status_code, wrong.json()["facts"]["field"]) == (422, "cause")
    used = await step(it, visit_id, "parts", part_id="fan", quantity=2, serials=["a"])
    assert used.status_code == 422 and used.json()["errors"][0]["field"] == "serials"
    await step(it, visit_id, "parts", part_id="fan", serials=["SN-1"], old_returned=1, place_id="wh-1")
    answer = await step(
        it,
        visit_id,
        "finish",
        cause="fan-stuck",
        action="replaced",
        record="changed the fan",
        labour_s=900,
        checklist=[{"item": "earthing", "passed": False, "note": "loose"}],
        readings=[{"meter": "hours", "value": 4210, "unit": "h"}],
    )
    assert answer.json()["events"] == ["WorkFinished", "FollowUpAsked"]
    found = (await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}")).json()
    assert (found["labour_s"], found["codes_version"], found["follow_ups"]) == (900, 1, 1)
    assert found["checklist"] == [{"item": "earthing", "passed": False, "note": "loose"}]
    assert found["readings"] == [{"meter": "hours", "value": 4210, "unit": "h"}]
    assert found["parts"] == [
        {"part_id": "fan", "place_id": "wh-1", "quantity": 1, "serials": ["SN-1"], "old_returned": 1, "lot": ""}
        | {"old_serials": []}
    ]
    record = next(event for event in await it.own_events() if isinstance(event, WorkFinished))
    assert finished_like(record).record_sha256 == record.record_sha256 == found["record_sha256"]
    assert any(isinstance(event, ServiceCodesDefined) for event in await it.own_events())


def finished_like(record):
    """The same record with the hash worked out anew, of what stands in the journal: the text is sealed there."""
    assert record.record.startswith("sealed:")
    facts = {name: getattr(record, name) for name in record.__struct_fields__ if name != "record_sha256"}
    return finished(**facts)


def test_an_old_record_reads_with_what_is_true_of_it():
    old = WorkFinished(
        visit_id="v-1",
        order_id="o-1",
        request_id="r-1",
        engineer_id="e-1",
        customer_id="c-1",
        cause="x",
        action="y",
        record="z",
        finished_at=minute(80),
    )
    assert (old.codes_version, old.labour_s, old.record_sha256) == (0, 0, "")
    given(*AT_WORK, old).when(accept()).then(completed(record_sha256=""))


@pytest.mark.parametrize("reading", [{"value": -1}, {"unit": ""}, {"meter": "a b"}, {"value": 1.5}])
def test_a_reading_is_a_whole_number_with_a_unit(reading):
    with pytest.raises(ValueError):
        Reading(**{"meter": "hours", "value": 1, "unit": "h"} | reading)

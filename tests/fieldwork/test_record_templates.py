"""What a record must have, by type of request: in versions, held to as it was planned, named where it lacks."""

import pytest

from contracts.dispatcher import OrderOpened
from contracts.fieldwork import (
    OrderTyped,
    RecordTemplateDefined,
    StepTaken,
    TemplateItem,
    TemplateMeter,
    VisitAdded,
    VisitPlanned,
    WorkFinished,
)
from contracts.problems import NotYet
from fieldwork.commands import Checked, DefineRecordTemplate, Meter, Point, Reading, TypeOrder
from fieldwork.projections.record_templates import ORDER_TYPES, RECORD_TEMPLATES
from fieldwork.service import RULES
from services.chassis.ids import derived_id
from tests.fieldwork.examples import PLAN, arrived, departed, finish, minute, plan, planned, report, started
from tests.fieldwork.test_api import assigned, step, story, walk
from tests.fieldwork.test_sync import evening, sync, way
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import spec_for

given = spec_for(RULES)
EARTH = Point(item="earth", en="Earth", zh="接地")
HOURS = Meter(meter="hours", unit="h", en="Hours", zh="小时")


def define(**changes):
    said = {"request_type": "repair", "checklist": (EARTH,), "readings": (HOURS,), "labour": True}
    return DefineRecordTemplate(**said | changes)


def template(version=1, **changes):
    said = {"checklist": (TemplateItem("earth", "Earth", "接地"),), "labour": True}
    said |= {"readings": (TemplateMeter("hours", "h", "Hours", "小时"),)}
    return RecordTemplateDefined(request_type="repair", version=version, **said | changes)


def at_work(version=1):
    return [planned(request_type="repair", template_version=version), departed(), arrived(), started()]


TYPED = OrderTyped(order_id="o-1", request_id="r-1", request_type="repair")
WHOLE = {
    "checklist": (Checked(item="earth", passed=True),),
    "readings": (Reading(meter="hours", value=1, unit="h"),),
    "labour_s": 60,
    "request_type": "repair",
}


def test_a_template_is_defined_in_versions_and_the_same_again_is_none():
    given().when(define()).then(template())
    given(template()).when(define()).then_nothing()
    given(template()).when(define(labour=False)).then(template(2, labour=False))
    given().when(define(checklist=(EARTH, EARTH))).then_rejected("record-template.twice", field="checklist")


def test_a_visit_is_held_to_the_version_of_its_planning():
    asked = plan(request_type="repair")
    expected = VisitPlanned(**PLAN, request_type="repair", template_version=2)
    event, _ = given(TYPED, template(), template(2, labour=False)).when(asked).then_types(VisitPlanned, VisitAdded)
    assert event == expected
    later = template(2, checklist=(TemplateItem("gas", "Gas", "燃气"),))
    given(template(), later, *at_work()).when(finish(**WHOLE)).then_types(WorkFinished)


def test_the_type_of_an_order_is_waited_for_where_the_view_has_not_seen_it():
    with pytest.raises(NotYet):
        given(TYPED).when(plan()).then_nothing()
    given().when(TypeOrder(order_id="o-1", request_id="r-1", request_type="repair")).then(TYPED)
    given(TYPED).when(TypeOrder(order_id="o-1", request_id="r-1", request_type="repair")).then_nothing()


@pytest.mark.parametrize(
    ("without", "field"),
    [
        ({"checklist": ()}, "checklist.earth"),
        ({"readings": ()}, "readings.hours"),
        ({"readings": (Reading(meter="hours", value=1, unit="min"),)}, "readings.hours"),
        ({"labour_s": None}, "labour_s"),
    ],
)
def test_a_record_that_lacks_something_is_refused_and_the_field_is_named(without, field):
    said = finish(**WHOLE | without)
    given(template(), *at_work()).when(said).then_rejected("record.incomplete", field=field, missing=[field])


def test_where_no_template_was_defined_at_the_planning_nothing_is_wanted():
    given(template(), *at_work(0)).when(finish(request_type="repair")).then_types(WorkFinished)


def test_what_was_done_offline_is_done_and_says_what_it_lacks():
    late = finish(now=minute(600), **{"labour_s": 60})
    said = report(1, late, request_type="repair")
    event, _ = given(template(), *at_work()).when(said).then_types(WorkFinished, StepTaken)
    assert event.lacking == ("checklist.earth", "readings.hours")


def test_the_views_show_templates_and_the_types_of_orders():
    events = [template(), template(2, labour=False), TYPED]
    assert [row["labour"] for row in rows_after(RECORD_TEMPLATES, events).values()] == [True, False]
    assert rows_after(ORDER_TYPES, events) == {("o-1",): {"request_type": "repair"}}
    for view in (RECORD_TEMPLATES, ORDER_TYPES):
        assert_same_rows_shuffled(view, events)


async def typed_visit(it):
    body = {"request_type": "repair", "checklist": [EARTH.model_dump()], "labour": True}
    assert (await it.call("m-1", "manager", "POST", "/v1/record-templates", json=body)).status_code == 200
    await it.publishes(OrderOpened(order_id="o-1", request_id="r-1", customer_id="c-1", request_type="repair"))
    (envelope,) = await it.publishes(assigned())
    return derived_id("visit", "o-1", envelope.id)


@story
async def test_an_engineer_is_told_what_her_record_lacks(it):
    visit_id = await typed_visit(it)
    await walk(it, visit_id, "depart", "arrive", "start")
    record = {"cause": "fan-stuck", "action": "replaced", "record": "x", "labour_s": 60}
    no = await step(it, visit_id, "finish", **record, headers={"Accept-Language": "zh-CN"})
    assert (no.status_code, no.json()["code"]) == (422, "record.incomplete")
    assert "checklist.earth" in no.json()["remedy"]
    done = await step(it, visit_id, "finish", **record, checklist=[{"item": "earth", "passed": True}])
    assert done.status_code == 200
    (listed,) = (await it.call("e-1", "engineer", "GET", "/v1/record-templates?request_type=repair")).json()["items"]
    assert (listed["version"], listed["checklist"][0]["zh"]) == (1, "接地")


@story
async def test_a_phone_that_was_offline_is_believed_and_what_is_missing_is_shown(it):
    visit_id = await typed_visit(it)
    evening(it)
    assert {one["outcome"] for one in await sync(it, way(visit_id))} == {"taken"}
    found = (await it.call("m-1", "manager", "GET", f"/v1/visits/{visit_id}")).json()
    assert (found["state"], found["template_version"]) == ("completed", 1)
    assert found["lacking"] == ["checklist.earth", "labour_s"]

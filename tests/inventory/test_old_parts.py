"""Old parts come back within a week, or it is said that they have not: once."""

from datetime import timedelta

from contracts.fieldwork import UsedPart
from contracts.inventory import (
    OldPartsBack,
    OldPartsDue,
    OldPartsOverdue,
    PartConsumed,
    PartLine,
    PartReturned,
    StockRulesSet,
    VisitSettled,
)
from inventory.commands import MissOldParts, ReturnPart
from inventory.projections.old_parts import OLD_PARTS
from inventory.service import RULES
from services.chassis.clock import micros
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.inventory.examples import ORDER, REGISTERS, settle
from tests.inventory.test_story import USED, at, completed, post, story

given = spec_for(RULES)

IN_A_WEEK = NOW + timedelta(days=7)


def due(*lines, until=IN_A_WEEK):
    return OldPartsDue(**ORDER, engineer_id="e-1", lines=lines or (PartLine("fan", 2),), due_at=until)


def back(quantity, left):
    return OldPartsBack(**ORDER, part_id="fan", quantity=quantity, left=left)


def overdue(quantity=2):
    return OldPartsOverdue(**ORDER, engineer_id="e-1", lines=(PartLine("fan", quantity),), due_at=IN_A_WEEK)


def ended(*used):
    return settle(*used).model_copy(update={"engineer_id": "e-1", "ended_at": NOW})


def bring(quantity, condition="defective"):
    facts = {"quantity": quantity, "condition": condition, "order_id": "o-1"}
    return ReturnPart(part_id="fan", place_id="van-1", **facts)


def brought(quantity, condition="defective"):
    facts = {"quantity": quantity, "condition": condition, "order_id": "o-1"}
    return PartReturned(part_id="fan", place_id="van-1", **facts)


def test_what_came_out_of_the_device_is_due_a_week_after_the_visit():
    took_out = (UsedPart("fan", "van-1", 1, (), 2), UsedPart("fan", "wh-1", 1, (), 1))
    *_, said = given().when(ended(*took_out)).then_types(PartConsumed, PartConsumed, VisitSettled, OldPartsDue)
    assert said == due(PartLine("fan", 3))
    *_, said = (
        given(StockRulesSet(old_parts_within_days=2))
        .when(ended(*took_out[:1]))
        .then_types(PartConsumed, VisitSettled, OldPartsDue)
    )
    assert said.due_at == NOW + timedelta(days=2)
    given().when(ended(USED)).then_types(PartConsumed, VisitSettled)


def test_what_is_brought_back_is_not_due_any_more():
    given(*REGISTERS, due()).when(bring(1)).then(brought(1), back(1, left=1))
    given(*REGISTERS, due(), back(1, left=1)).when(bring(3)).then(brought(3), back(1, left=0))
    given(*REGISTERS, due()).when(bring(1, "good")).then(brought(1, "good"))
    given(*REGISTERS).when(bring(1)).then(brought(1))


def test_what_was_not_brought_back_in_time_is_overdue_once():
    missed = MissOldParts(order_id="o-1", due_at=IN_A_WEEK)
    given(due()).when(missed).then(overdue())
    given(due(), back(1, left=1)).when(missed).then(overdue(1))
    given(due(), overdue()).when(missed).then_nothing()
    given(due(), back(2, left=0)).when(missed).then_nothing()
    given(due(), due(until=IN_A_WEEK + timedelta(days=1))).when(missed).then_nothing()
    given(*REGISTERS, due(), overdue()).when(bring(2)).then(brought(2), back(2, left=0))


def test_the_view_shows_what_is_still_to_come():
    events = [due(), back(1, left=1), overdue(1)]
    (row,) = rows_after(OLD_PARTS, events).values()
    assert (row["is_due"], row["overdue"], row["due_at"]) == (True, True, micros(IN_A_WEEK))
    (row,) = rows_after(OLD_PARTS, [*events, back(1, left=0)]).values()
    assert (row["is_due"], row["left"]) == (False, "[]")
    assert_same_rows_shuffled(OLD_PARTS, events)


@story
async def test_an_engineer_sees_her_own_and_brings_them(it):
    await it.publishes(completed(UsedPart("fan", "van-1", 1, (), 1)))
    path = "/v1/stock/old-parts"
    (found,) = (await it.call("e-1", "engineer", "GET", path)).json()["items"]
    assert (found["order_id"], found["left"]) == ("o-1", [{"part_id": "fan", "quantity": 1}])
    assert (await it.call("e-2", "engineer", "GET", path)).json()["items"] == []
    await post(it, "/v1/stock/return", part_id="fan", place_id="van-1", quantity=1, order_id="o-1")
    assert (await it.call("e-1", "engineer", "GET", path)).json()["items"] == []
    assert await it.running.journal.due(micros(NOW + timedelta(days=9)), 10) == []


@story
async def test_they_are_overdue_after_a_week(it):
    await it.publishes(completed(UsedPart("fan", "van-1", 1, (), 1)))
    await at(it, IN_A_WEEK)
    (found,) = (await it.call("d-1", "dispatcher", "GET", "/v1/stock/old-parts?overdue=true")).json()["items"]
    assert found["order_id"] == "o-1"
    await at(it, IN_A_WEEK + timedelta(days=9))
    assert [type(event) for event in await it.own_events()].count(OldPartsOverdue) == 1

"""Old parts come back within a week, or it is said that they have not: once."""

from datetime import timedelta

import pytest

from contracts.fieldwork import UsedPart
from contracts.inventory import (
    OldPartsBack,
    OldPartsDue,
    OldPartsForfeited,
    OldPartsOverdue,
    OldPartsReminded,
    PartConsumed,
    PartLine,
    PartReturned,
    StockRulesSet,
    VisitSettled,
)
from inventory.commands import ForfeitOldParts, MissOldParts, RemindOfOldParts, ReturnPart, SendReplacement
from inventory.projections.old_parts import OLD_PARTS
from inventory.service import RULES
from services.chassis.clock import micros
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.inventory.examples import ORDER, REGISTERS, counted, set_aside, settle
from tests.inventory.test_story import USED, at, completed, opened, post, story

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


# Advance exchange: the replacement leaves before the defective part is back.

IN_TWO_WEEKS = NOW + timedelta(days=14)
OWED = {**ORDER, "customer_id": "c-1"}


def owes(quantity=1, sent_at=NOW, due_at=IN_TWO_WEEKS):
    remind_at, forfeit_at = due_at - timedelta(days=3), due_at + timedelta(days=14)
    facts = {"engineer_id": "", "lines": (PartLine("fan", quantity),), "due_at": due_at}
    return OldPartsDue(**OWED, **facts, remind_at=max(sent_at, remind_at), forfeit_at=forfeit_at)


def ahead(quantity=1, **changes):
    facts = {"part_id": "fan", "place_id": "wh-1", "quantity": quantity, "device_id": "d-1", "sent_at": NOW}
    return SendReplacement(**OWED | facts | changes)


def reminded(quantity=1):
    return OldPartsReminded(**OWED, lines=(PartLine("fan", quantity),), due_at=IN_TWO_WEEKS)


def forfeited(quantity=1):
    return OldPartsForfeited(**OWED, lines=(PartLine("fan", quantity),), due_at=IN_TWO_WEEKS)


TIMES = {
    RemindOfOldParts: IN_TWO_WEEKS - timedelta(days=3),
    MissOldParts: IN_TWO_WEEKS,
    ForfeitOldParts: IN_TWO_WEEKS + timedelta(days=14),
}


def timer(kind):
    return kind(order_id="o-1", due_at=TIMES[kind])


def test_a_replacement_is_off_the_books_and_the_defective_part_is_owed():
    went = PartConsumed(**ORDER, part_id="fan", place_id="wh-1", quantity=1, device_id="d-1")
    given(*REGISTERS, counted(5, "wh-1")).when(ahead()).then(went, owes())
    in_two_days = owes(due_at=NOW + timedelta(days=2))
    given(*REGISTERS, counted(5, "wh-1")).when(ahead(within_days=2)).then(went, in_two_days)
    given(*REGISTERS, counted(1, "wh-1"), set_aside(1, "wh-1")).when(ahead()).then_rejected(
        "stock.not-enough", wanted=1, free=0
    )
    given(*REGISTERS, counted(1, "wh-1")).when(ahead(serials=("A",))).then_rejected("part.not-so-tracked")


def test_the_customer_is_reminded_then_it_is_overdue_then_forfeited_each_once():
    given(owes()).when(timer(RemindOfOldParts)).then(reminded())
    given(owes(), reminded()).when(timer(RemindOfOldParts)).then_nothing()
    late = OldPartsOverdue(**ORDER, engineer_id="", lines=(PartLine("fan", 1),), due_at=IN_TWO_WEEKS)
    given(owes(), reminded()).when(timer(MissOldParts)).then(late)
    given(owes(), late).when(timer(ForfeitOldParts)).then(forfeited())
    given(owes(), forfeited()).when(timer(ForfeitOldParts)).then_nothing()


@pytest.mark.parametrize("kind", TIMES)
def test_what_has_come_back_is_asked_for_no_more(kind):
    given(owes(), back(1, left=0)).when(timer(kind)).then_nothing()


def test_a_part_of_it_came_back_and_the_rest_is_forfeited():
    given(*REGISTERS, owes(3)).when(bring(2)).then(brought(2), back(2, left=1))
    given(owes(3), back(2, left=1)).when(timer(ForfeitOldParts)).then(forfeited(1))


def test_what_an_engineer_owes_is_not_forfeited():
    given(due(), owes()).when(timer(ForfeitOldParts)).then(forfeited(1))
    given(due()).when(timer(ForfeitOldParts)).then_nothing()


def test_what_was_forfeited_is_not_forfeited_again_with_the_next():
    later = IN_TWO_WEEKS + timedelta(days=90)
    again = ForfeitOldParts(order_id="o-1", due_at=later + timedelta(days=14))
    said = OldPartsForfeited(**OWED, lines=(PartLine("fan", 2),), due_at=later)
    given(owes(), forfeited(), owes(2, due_at=later)).when(again).then(said)


def test_what_was_forfeited_and_comes_all_the_same_is_said_to_have_been():
    after = OldPartsBack(**ORDER, part_id="fan", quantity=1, left=0, forfeited=1)
    given(*REGISTERS, owes(), forfeited()).when(bring(1)).then(brought(1), after)
    given(*REGISTERS, owes(), forfeited(), after).when(bring(1)).then(brought(1))


def test_the_view_shows_what_a_customer_owes_and_what_she_kept():
    events = [owes(2), reminded(2), back(1, left=1), forfeited(1)]
    (row,) = rows_after(OLD_PARTS, events[:3]).values()
    assert (row["customer_id"], row["reminded"], row["is_due"]) == ("c-1", True, True)
    (row,) = rows_after(OLD_PARTS, events).values()
    assert (row["is_due"], row["is_forfeited"]) == (False, True)
    assert_same_rows_shuffled(OLD_PARTS, events)


OLD = "/v1/stock/old-parts"


@story
async def test_an_exchange_from_the_sending_to_the_bill(it):
    body = {"part_id": "fan", "place_id": "wh-1", "quantity": 1, "order_id": "o-1"}
    unknown = await post(it, f"{OLD}/replacements", **body)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "replacement.order-unknown")
    await it.publishes(opened(customer_id="c-1", device_id="d-1"))
    assert (await post(it, f"{OLD}/replacements", **body)).is_success
    assert (await post(it, f"{OLD}/replacements", **body | {"within_days": 0})).status_code == 422
    (found,) = (await it.call("d-1", "dispatcher", "GET", OLD)).json()["items"]
    assert (found["customer_id"], found["left"]) == ("c-1", [{"part_id": "fan", "quantity": 1}])
    for days, kind in ((11, OldPartsReminded), (14, OldPartsOverdue), (28, OldPartsForfeited)):
        await at(it, NOW + timedelta(days=days, hours=1))
        assert [type(event) for event in await it.own_events()].count(kind) == 1
    assert (await it.call("d-1", "dispatcher", "GET", OLD)).json()["items"] == []
    (found,) = (await it.call("d-1", "dispatcher", "GET", f"{OLD}?forfeited=true")).json()["items"]
    assert found["forfeited"] == [{"part_id": "fan", "quantity": 1}]


@story
async def test_an_exchange_that_comes_back_is_settled_and_no_deadline_is_left(it):
    await it.publishes(opened(customer_id="c-1"))
    body = {"part_id": "fan", "place_id": "wh-1", "quantity": 1, "order_id": "o-1"}
    await post(it, f"{OLD}/replacements", **body)
    await post(it, "/v1/stock/return", **body)
    assert (await it.call("d-1", "dispatcher", "GET", OLD)).json()["items"] == []
    assert await it.running.journal.due(micros(NOW + timedelta(days=99)), 10) == []

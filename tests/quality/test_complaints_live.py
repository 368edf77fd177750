"""Complaints through the routes: whose they are, their deadline, and the story of the order beside them."""

from datetime import timedelta

from contracts.dispatcher import OrderOpened
from contracts.fieldwork import VisitPlanned
from contracts.intake import CustomerRegistered
from contracts.quality import ComplaintOverdue
from tests.quality.examples import request_received
from tests.quality.stories import at, completed, story

WORDS = {"words": "等了三天没有人来"}


async def ask(it, method, path="", person="a-1", role="agent", status=200, **body):
    sent = {"json": body} if method == "POST" else {"params": body}
    answer = await it.call(person, role, method, f"/v1/complaints{path}", **sent)
    assert answer.status_code == status, answer.text
    return answer.json()


async def registered(it, customer_id="c-1"):
    facts = {"name": "王芳", "phone": "13800000001", "street": "人民大街", "region": "朝阳区"}
    await it.publishes(CustomerRegistered(customer_id=customer_id, lat_udeg=0, lon_udeg=0, **facts))


async def by_customer(it, **body):
    return (await ask(it, "POST", "", "c-1", "customer", 201, **WORDS, **body))["id"]


@story
async def test_a_complaint_is_shown_with_all_that_came_of_its_request(it):
    await it.publishes(request_received(), OrderOpened(order_id="o-1", request_id="r-1"))
    hours = {"starts_at": it.clock.now(), "ends_at": it.clock.now() + timedelta(hours=1)}
    plan = {"order_id": "o-1", "request_id": "r-1", "engineer_id": "e-2", **hours}
    await it.publishes(VisitPlanned(visit_id="v-0", **plan))
    survey_id = await completed(it, 1)
    complaint = await by_customer(it, request_id="r-1")
    one = await ask(it, "GET", f"/{complaint}")
    assert (one["words"], one["customer_id"], one["state"]) == (WORDS["words"], "c-1", "open")
    told = one["story"]
    assert (told["order_id"], told["request_type"], told["survey_ids"]) == ("o-1", "repair", [survey_id])
    assert [(v["visit_id"], v["engineer_id"], v["completed_at"] is None) for v in told["visits"]] == [
        ("v-0", "e-2", True),
        ("v-1", "e-1", False),
    ]
    assert told["complaint_ids"] == [complaint]
    theirs = await ask(it, "GET", f"/{complaint}", "c-1", "customer")
    assert theirs["story"] is None
    await ask(it, "GET", f"/{complaint}", "c-2", "customer", 404)


@story
async def test_it_is_assigned_answered_and_closed_and_the_customer_sees_the_answer(it):
    await registered(it)
    complaint = await by_customer(it)
    assert (await ask(it, "POST", f"/{complaint}/close", status=409, root_cause="late", answer="x"))["code"] == (
        "complaint.no-owner"
    )
    await ask(it, "POST", f"/{complaint}/assign", owner_id="m-1")
    await ask(it, "POST", f"/{complaint}/close", root_cause="late", answer="非常抱歉")
    theirs = await ask(it, "GET", f"/{complaint}", "c-1", "customer")
    assert (theirs["state"], theirs["answer"], theirs["owner_id"], theirs["root_cause"]) == (
        "closed",
        "非常抱歉",
        "",
        "",
    )
    ours = await ask(it, "GET", f"/{complaint}")
    assert (ours["owner_id"], ours["root_cause"]) == ("m-1", "late")
    await at(it, it.clock.now() + timedelta(days=4))
    assert not any(isinstance(event, ComplaintOverdue) for event in await it.own_events())


@story
async def test_a_customer_withdraws_her_own_and_no_deadline_goes_on(it):
    await registered(it)
    complaint = await by_customer(it)
    await ask(it, "POST", f"/{complaint}/withdraw", "c-2", "customer", 404)
    await ask(it, "POST", f"/{complaint}/withdraw", "c-1", "customer", reason="师傅已经来过了")
    theirs = await ask(it, "GET", f"/{complaint}", "c-1", "customer")
    assert (theirs["state"], theirs["overdue"]) == ("withdrawn", False)
    assert await ask(it, "GET", state="open") == {"items": [], "next": None}
    await at(it, it.clock.now() + timedelta(days=4))
    assert not any(isinstance(event, ComplaintOverdue) for event in await it.own_events())


@story
async def test_the_deadline_is_kept_to_the_second_and_may_be_moved(it):
    await registered(it)
    begun = it.clock.now()
    complaint = await by_customer(it)
    await at(it, begun + timedelta(days=3) - timedelta(seconds=1))
    assert (await ask(it, "GET", overdue=True))["items"] == []
    await at(it, begun + timedelta(days=3))
    assert [one["complaint_id"] for one in (await ask(it, "GET", overdue=True))["items"]] == [complaint]
    later = (begun + timedelta(days=5)).isoformat()
    await ask(it, "POST", f"/{complaint}/assign", owner_id="m-1", answer_due_at=later)
    assert (await ask(it, "GET", overdue=True, owner_id="m-1"))["items"] == []
    await at(it, begun + timedelta(days=5))
    assert (await ask(it, "GET", f"/{complaint}"))["overdue"]
    assert sum(isinstance(event, ComplaintOverdue) for event in await it.own_events()) == 2


@story
async def test_a_customer_of_whom_word_is_on_its_way_may_complain(it):
    complaint = await by_customer(it)
    assert (await ask(it, "GET", f"/{complaint}"))["customer_id"] == "c-1"


@story
async def test_staff_names_a_customer_who_exists_or_a_request_and_others_only_themselves(it):
    await registered(it)
    await it.publishes(request_received(request_id="r-2", customer_id="c-2"))
    assert (await ask(it, "POST", status=422, **WORDS))["code"] == "complaint.no-customer"
    await ask(it, "POST", status=404, customer_id="nobody", **WORDS)
    await ask(it, "POST", status=404, request_id="r-9", **WORDS)
    await ask(it, "POST", status=404, request_id="r-2", customer_id="c-1", **WORDS)
    await ask(it, "POST", "", "c-1", "customer", 404, request_id="r-2", **WORDS)
    await ask(it, "POST", "", "c-1", "customer", 404, customer_id="c-2", **WORDS)
    assert await it.own_events() == []
    by_request = (await ask(it, "POST", status=201, request_id="r-2", **WORDS))["id"]
    by_person = (await ask(it, "POST", status=201, customer_id="c-1", **WORDS))["id"]
    assert [(await ask(it, "GET", f"/{one}"))["customer_id"] for one in (by_request, by_person)] == ["c-2", "c-1"]
    mine = await ask(it, "GET", "", "c-1", "customer")
    assert [one["complaint_id"] for one in mine["items"]] == [by_person]

"""Every view gives the same rows in whatever order a real log may arrive, order kept per key and topic."""

from __future__ import annotations

import asyncio
from datetime import date
from random import Random

import httpx
import pytest

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from dispatcher.commands import LearnTravel
from quality.commands import Counted, JudgeAlert
from services.chassis.clock import SystemClock
from services.chassis.journal.work import Ask
from services.demo.company import company
from services.demo.people import TENANT, People, Story, found
from services.host import discover
from services.serving import all_in_one, tokens_of
from services.settings import Settings
from tests.fieldwork.pictures import PNG
from tests.fold import assert_same_rows_shuffled
from tests.rules.world import name_pieces, promise, restate

SERVICES = discover()
VIEWS = [(name, view) for name, service in SERVICES.items() for view in service.views]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """What each service recorded and took in while customers were served, withdrew, declined and complained."""
    return asyncio.run(asyncio.wait_for(_served(Settings(data=tmp_path_factory.mktemp("folds"))), 120))


async def _served(settings):
    firm = company(seed=5)
    async with all_in_one(settings) as (host, app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fieldloop", timeout=30) as client:
            people = People(client, tokens_of(settings, SystemClock()))
            await host.led()
            await found(people, firm, "folds-")
            standard = {"items": [{"item_id": "uniform", "en": "Uniform", "zh": "工服"}]}
            for kind in firm.request_types:
                await people.call("POST", f"/v1/standards/{kind}", "manager", "", f"folds-{kind}", json=standard)
            await promise(people)
            await asyncio.gather(*[Story(people, firm, f"folds-{n}-", Random(n)).run() for n in range(4)])
            await _upset(people, firm)
            await _judged(people, firm, host)
            await _learned(host)
            assert await host.idle()
            return {
                name: [entry async for entry in _entries(running.journal)] for name, running in host.running.items()
            }


async def _entries(journal):
    position = 0
    while entries := await journal.read(position, 1_000):
        position = entries[-1].position
        for entry in entries:
            yield envelopes.read(entry.record)


IN_VAIN = {"effective_from": "2026-01-01T00:00:00Z", "labour_fen_per_h": 1, "travel_fen": 1, "in_vain_fen": 9}


async def _upset(people, firm):
    """A site, a model, and what does not go straight: withdrawn, declined, reassigned, aborted."""

    async def submitted(number):
        device = firm.devices[number]
        who = device["customer_id"]
        body = {"request_type": "repair", "device_id": device["device_id"], "description": "漏水"}
        answer = await people.call("POST", "/v1/requests", "customer", who, f"upset-{number}", json=body)
        path = f"/v1/visits?request_id={answer['id']}&state=planned"
        page = await people.until(path, "dispatcher", lambda page: page["items"])
        return answer["id"], who, page["items"][0]

    await people.call("POST", "/v1/dispatch-rules", "manager", "", "upset-r", json={"offer_minutes": 5})
    thought = {"name": "near", "points_a_booking": 1}
    draft = await people.call("POST", "/v1/dispatch-rules/drafts", "manager", "", "upset-rd", json=thought)
    path = f"/v1/dispatch-rules/drafts/{draft['id']}"
    await people.call("PUT", path, "manager", "", "upset-rc", json={**thought, "points_a_booking": 2})
    await people.call("POST", f"{path}/publish", "manager", "", "upset-rp", json={"reason": "tried by hand"})
    model = {"model": "M", "name": "M", "faults": [{"code": "leaks", "label": "Leaks"}]}
    await people.call("POST", "/v1/device-models", "manager", "", "upset-m", json=model)
    for one in firm.engineers:
        reached = {"person_id": one["engineer_id"], "role": "engineer", "phone": "13700000001"}
        await people.call("POST", "/v1/contacts", "manager", "", f"upset-{one['engineer_id']}", json=reached)
    request_id, who, _ = await submitted(1)
    shop = {"name": "店", "region": "海淀区", "lat_udeg": 39_959_000, "lon_udeg": 116_298_000}
    await people.call("POST", f"/v1/customers/{who}/sites", "agent", "", "upset-s", json=shop)
    photos = f"/v1/requests/{request_id}/photos"
    await people.call("POST", photos, "customer", who, "upset-ph", content=PNG)
    written = {"words": "请先打电话"}
    await people.call("POST", f"/v1/requests/{request_id}/remarks", "customer", who, "upset-re-mark", json=written)
    await people.call("POST", f"/v1/requests/{request_id}/withdraw", "customer", who, "upset-w", json={})
    _, _, visit = await submitted(2)
    reason = {"reason": "not today"}
    await people.call(
        "POST", f"/v1/orders/{visit['order_id']}/decline", "engineer", visit["engineer_id"], "upset-d", json=reason
    )
    slots = f"/v1/orders/{visit['order_id']}/slots"
    bands = await people.until(slots, "agent", bool)
    await people.call("POST", slots, "agent", "", "upset-sl", json={"opens_at": bands[-1]["opens_at"]})
    late = {"cause": "overrun", "engineer_id": visit["engineer_id"], "from_at": SystemClock().now().isoformat()}
    await people.call("POST", "/v1/replans", "dispatcher", "", "upset-re", json=late)
    _, _, visit = await submitted(3)
    base, engineer = f"/v1/visits/{visit['visit_id']}", visit["engineer_id"]
    gone = {"visit_id": visit["visit_id"], "step_id": "upset", "number": 1, "step": "depart"}
    sent = {"steps": [{**gone, "happened_at": SystemClock().now().isoformat()}]}
    await people.call("POST", "/v1/visits/sync", "engineer", engineer, "upset-a1", json=sent)
    await people.call("POST", f"{base}/abort", "engineer", engineer, "upset-a2", json={"reason": "nobody-there"})
    await restate(people, visit["order_id"], "upset")
    await people.call("POST", "/v1/price-lists", "manager", "", "upset-p", json=IN_VAIN)
    _, _, visit = await submitted(4)
    base, engineer = f"/v1/visits/{visit['visit_id']}", visit["engineer_id"]
    await people.call("POST", f"{base}/depart", "engineer", engineer, "upset-v1", json={})
    await people.call("POST", f"{base}/abort", "engineer", engineer, "upset-v2", json={"reason": "nobody-there"})
    await people.until(f"{base}/charge", "manager", lambda found: found)
    payee = {"payee": "engineer", "payee_id": engineer}
    agreed = {**payee, "effective_from": "2020-01-01T00:00:00Z", "in_vain_fen": 5}
    await people.call("POST", "/v1/payouts/terms", "manager", "", "upset-w1", json=agreed)
    less = {"lines": [{"kind": "travel", "gross_fen": 1}], "reason": "sorry"}
    await people.call("POST", f"{base}/charge/corrections", "manager", "", "upset-v3", json=less)
    said = {"reason": "nobody called before", "disputed_by": "customer"}
    await people.call("POST", f"{base}/charge/disputes", "agent", "", "upset-v4", json=said)
    answer = {"lines": [{"kind": "travel", "company_fen": 1}], "answer": "sorry"}
    await people.call("POST", f"{base}/charge/disputes/resolve", "manager", "", "upset-v5", json=answer)
    share = f"/v1/payouts/{visit['visit_id']}/disputes"
    await people.until(f"/v1/payouts?visit_id={visit['visit_id']}", "manager", lambda found: found["items"])
    less = {**payee, "asked_fen": 9, "reason": "far"}
    await people.call("POST", share, "engineer", engineer, "upset-w2", json=less)
    answer = {**payee, "payout_fen": 9, "answer": "so be it"}
    await people.call("POST", f"{share}/resolve", "manager", "", "upset-w3", json=answer)
    payment = {**payee, "visit_ids": [visit["visit_id"]], "reference": "2026-11"}
    await people.call("POST", "/v1/payouts/pay", "manager", "", "upset-w4", json=payment)
    template = {"request_type": "repair", "labour": True}
    await people.call("POST", "/v1/record-templates", "manager", "", "upset-t", json=template)
    _, _, visit = await submitted(5)
    base, engineer = f"/v1/visits/{visit['visit_id']}", visit["engineer_id"]
    for step in ("depart", "arrive", "start"):
        await people.call("POST", f"{base}/{step}", "engineer", engineer, f"upset-f-{step}", json={})
    record = {
        "cause": "wear",
        "action": "replaced",
        "record": "x",
        "labour_s": 60,
        "checklist": [{"item": "earth", "passed": False}],
    }
    await people.call("POST", f"{base}/finish", "engineer", engineer, "upset-f", json=record)
    await _moved(people, firm.parts[0]["part_id"], firm.places[0]["place_id"], visit["van_id"])
    await name_pieces(people, firm.places[0]["place_id"], visit["van_id"])


async def _moved(people, part_id, warehouse, van):
    """Parts go from one place to another, and the warehouse system says what is left."""
    lines = [{"part_id": part_id, "quantity": 2}]
    sent = {"from_place_id": warehouse, "to_place_id": van, "lines": lines}
    transfer_id = (await people.call("POST", "/v1/transfers", "operator", key="moved-1", json=sent))["id"]
    one = {"lines": [{"part_id": part_id, "quantity": 1}]}
    await people.call("POST", f"/v1/transfers/{transfer_id}/receive", "operator", key="moved-2", json=one)
    lost = {"reason": "not in the box"}
    await people.call("POST", f"/v1/transfers/{transfer_id}/lose", "operator", key="moved-3", json=lost)
    snapshot = {"document_id": "S-1", "place_id": warehouse, "taken_at": "2026-01-01T00:00:00Z", "lines": lines}
    await people.call("POST", "/v1/stock/snapshots", "operator", key="moved-4", json=snapshot)


async def _learned(host):
    """What dozens of drives of a month teach; these few do not."""
    now = SystemClock().now()
    learn = LearnTravel(since=now, now=now, drives=60, everywhere=156_000, hours=(156_000,) * 24)
    await host.running["dispatcher"].ask(Ask(command=learn, tenant=TENANT, actor="policy:p", caller="policy:p"))


async def _judged(people, firm, host):
    """What a manager does about quality."""
    await people.call("POST", "/v1/surveys/rules", "manager", "", "judged-s", json={"quiet_days": 30})
    await people.call("POST", "/v1/alerts/rules", "manager", "", "judged-a", json={"bad_weeks": 1})
    week = Counted(begins_on=date(2026, 11, 9), ends_on=date(2026, 11, 16), counted=9, bad=8)
    judge = JudgeAlert(alert_id="a", kind="bad-rating", of="engineer", subject="e", windows=(week,))
    await host.running["quality"].ask(Ask(command=judge, tenant=TENANT, actor="policy:p", caller="policy:p"))
    follow = {"owner_id": "m", "measure": "training"}
    await people.call("POST", "/v1/alerts/a/follow", "manager", "", "judged-f", json=follow)
    await people.call("POST", "/v1/alerts/a/close", "manager", "", "judged-c", json={"effect": "good"})
    complain = {"customer_id": firm.customers[0]["customer_id"], "words": "nobody came"}
    complaint = await people.call("POST", "/v1/complaints", "agent", "", "judged-k", json=complain)
    base = f"/v1/complaints/{complaint['id']}"
    await people.call("POST", f"{base}/assign", "manager", "", "judged-k1", json={"owner_id": "m"})
    answer = {"root_cause": "late", "answer": "sorry"}
    await people.call("POST", f"{base}/close", "manager", "", "judged-k2", json=answer)
    other = await people.call("POST", "/v1/complaints", "agent", "", "judged-k3", json=complain)
    await people.call("POST", f"/v1/complaints/{other['id']}/withdraw", "agent", "", "judged-k4", json={})
    engineer, said = firm.engineers[0]["engineer_id"], {"content": 4, "workload": 3, "support": 5}
    await people.call("POST", "/v1/staff-surveys", "engineer", engineer, "judged-m", json=said)
    queue = await people.until("/v1/inspections", "manager", lambda page: page["items"])
    inspection = f"/v1/inspections/{queue['items'][0]['inspection_id']}"
    review = {"verdicts": [{"item_id": "uniform", "found": "broken"}]}
    await people.call("POST", f"{inspection}/review", "manager", "", "judged-r", json=review)
    await people.call("POST", f"{inspection}/correct", "manager", "", "judged-d", json={"done": "a new one"})


FIELDS = Envelope.__struct_fields__


@pytest.mark.parametrize(("service", "view"), VIEWS, ids=[f"{name}.{view.name}" for name, view in VIEWS])
def test_a_view_does_not_depend_on_the_order_of_arrival(logs, service, view):
    kept = {event.__name__ for event in view.reads}
    events = [
        (envelopes.payload(envelope), {name: getattr(envelope, name) for name in FIELDS})
        for envelope in logs[service]
        if envelope.type in kept
    ]
    assert events, f"nothing of what {view.name} reads happened: add it to `_upset`"
    assert_same_rows_shuffled(view, events, seed=3)

"""The story of a request over HTTP."""

from datetime import timedelta

from tests.given import NOW
from tests.reporting.examples import order_assigned, request_received
from tests.reporting.test_feed import OTHER, story


@story
async def test_an_auditor_reads_the_story_of_a_request_and_nobody_elses(it):
    late = {"time": NOW + timedelta(minutes=5), "recorded_at": NOW + timedelta(hours=1)}
    await it.publishes(request_received(1), (order_assigned(1), late), (request_received(2), OTHER))
    answer = await it.get("/v1/audit/r-1", role="auditor")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [(line["number"], line["service"], line["type"]) for line in found["events"]] == [
        (1, "intake", "RequestReceived"),
        (2, "dispatcher", "OrderAssigned"),
    ]
    assert found["events"][1]["known_at"] > found["events"][1]["happened_at"]
    assert found["shown"]["assigned_at"] is not None
    for hidden in ("r-2", "r-3"):
        assert (await it.get(f"/v1/audit/{hidden}", role="auditor")).status_code == 404
    for role in ("manager", "agent"):
        assert (await it.get("/v1/audit/r-1", role=role)).json() == found
    for role in ("customer", "engineer", "dispatcher", "partner"):
        assert (await it.get("/v1/audit/r-1", role=role)).status_code == 403


@story
async def test_what_was_reported_late_is_in_the_picture_only_from_when_it_was_known(it):
    late = {"time": NOW + timedelta(minutes=5), "recorded_at": NOW + timedelta(hours=1)}
    await it.publishes(request_received(1), (order_assigned(1), late))
    then = {"at": (NOW + timedelta(minutes=10)).isoformat()}
    now_known = (await it.get("/v1/audit/r-1", role="auditor", **then)).json()
    assert len(now_known["events"]) == 2
    then_known = (await it.get("/v1/audit/r-1", role="auditor", **then, known_at=then["at"])).json()
    assert [line["type"] for line in then_known["events"]] == ["RequestReceived"]
    assert then_known["shown"]["assigned_at"] is None
    before = (NOW - timedelta(days=1)).isoformat()
    assert (await it.get("/v1/audit/r-1", role="auditor", at=before)).json()["shown"] is None


@story
async def test_an_instant_without_a_zone_is_refused_by_its_name(it):
    await it.publishes(request_received(1))
    answer = await it.get("/v1/audit/r-1", role="auditor", at="2026-11-24T10:00")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "at"

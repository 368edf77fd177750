"""The reports through their routes: figures by hand, what is behind them, who may see them, how long they take."""

import asyncio
import functools
from datetime import timedelta

import pytest

from reporting.reports import REPORTS
from tests.given import NOW
from tests.reporting.examples import (
    DAY,
    acceptance_refused,
    after,
    assignment_overdue,
    engineer_arrived,
    engineer_departed,
    engineer_registered,
    feedback_received,
    finished,
    order_assigned,
    order_cancelled,
    queued,
    request_received,
    request_withdrawn,
    service_completed,
    survey_sent,
    taken,
    work_finished,
)
from tests.reporting.running import reporting

# NOW is 17:00 in Shanghai, a Tuesday. Request 1 goes through, 2 is withdrawn, 3 waits too long, 4 is of the day before.
EVENTS = [
    (engineer_registered(1), after(-3 * 24 * 60)),
    (request_received(1, "d-1"), after(0)),
    (order_assigned(1), after(6)),
    (engineer_departed(1), after(20)),
    (engineer_arrived(1, NOW + timedelta(minutes=30)), after(60)),
    (work_finished(1), after(120)),
    (acceptance_refused(1), after(121)),
    (work_finished(1), after(150)),
    (service_completed(1, rating=2), after(180)),
    (survey_sent(1), after(181)),
    (feedback_received(1, attitude=5, outcome=4, punctuality=1), after(200)),
    (request_received(2), after(1)),
    (order_assigned(2), after(13)),
    (request_withdrawn(2), after(20)),
    (order_cancelled(2), after(21)),
    (request_received(3), after(2)),
    (assignment_overdue(3), after(32)),
    (request_received(4, "d-1"), after(-24 * 60)),
    (order_assigned(4), after(-24 * 60 + 30)),
    (engineer_departed(4), after(-24 * 60 + 40)),
    (engineer_arrived(4, NOW - DAY + timedelta(minutes=60)), after(-24 * 60 + 60)),
    (work_finished(4), after(-24 * 60 + 120)),
    (service_completed(4, rating=5), after(-24 * 60 + 120)),
]
TODAY = {"from": "2026-11-24", "to": "2026-11-24"}


def story(test):
    """Runs a coroutine that is given reporting with these events, at nine in the evening of Shanghai."""

    @functools.wraps(test)
    def run(tmp_path):
        async def told():
            async with reporting(tmp_path / "reporting") as it:
                it.api.clock.set(NOW + timedelta(hours=4))
                await it.publishes(*EVENTS)
                await test(it)

        asyncio.run(told())

    del run.__wrapped__  # pytest would look for the parameters of the coroutine
    return run


@story
async def test_efficiency(it):
    assert await it.report("efficiency", **TODAY) == {
        "requests_received": 3,
        "requests_completed": 1,
        "assign_h_mean": 0.15,
        "assign_h_median": 0.15,
        "assign_h_p90": 0.19,
        "arrive_h_mean": 1.0,
        "arrive_h_median": 1.0,
        "arrive_h_p90": 1.0,
        "complete_h_mean": 3.0,
        "complete_h_median": 3.0,
        "complete_h_p90": 3.0,
        "resolve_h_mean": 3.0,
        "resolve_h_median": 3.0,
        "resolve_h_p90": 3.0,
        "arrivals_on_time_share": 0.0,
        "resolution_share": 0.5,
        "first_contact_share": 0.0,
        "complained_share": 0.0,
        "requests_open": 1,
        "requests_overdue": 1,
        "missed_share": 0.33333,
        "requests_ever_overdue": 1,
    }
    both = await it.report("efficiency")
    assert (both["requests_received"], both["arrivals_on_time_share"]) == (4, 0.5)


@story
async def test_quality(it):
    assert await it.report("quality") == {
        "requests_completed": 2,
        "rating_mean": 3.5,
        "csat_share": 0.6,
        "nps": None,
        "recommend_share": None,
        "surveys_sent": 1,
        "surveys_answered": 1,
        "survey_response_share": 1.0,
        "attitude_mean": 5.0,
        "outcome_mean": 4.0,
        "punctuality_mean": 1.0,
        "bad_review_share": 0.5,
        "acceptance_refused_share": 0.5,
        "first_time_fix_share": 1.0,
        "several_visits_share": 0.0,
        "repeat_repair_share": 0.5,
        "reopened_share": 0.0,
    }


@story
async def test_utilisation(it):
    found = await it.report("utilisation", **TODAY)
    assert found.pop("by_engineer") == [
        {
            "engineer_id": "e-1",
            "visits": 1,
            "visits_completed": 1,
            "on_site_h": 1.5,
            "travel_h": 0.667,
            "shift_h": 8.0,
            "busy_share": 0.27083,
        }
    ]
    assert found == {
        "engineers": 1,
        "visits": 1,
        "visits_completed": 1,
        "visits_completed_per_engineer": 1.0,
        "on_site_h": 1.5,
        "travel_h": 0.667,
        "shift_h": 8.0,
        "busy_share": 0.27083,
        "idle_share": 0.72917,
        "travel_share": 0.30769,
        "trips": 1,
        "empty_trips": 0,
        "empty_trips_share": 0.0,
    }
    month = await it.report("utilisation")
    assert month["shift_h"] == 24.0, "three days since she is registered, the first from five in the afternoon"


@story
async def test_hours_of_an_engineer_without_shifts_do_not_make_others_look_busy(it):
    stranger = {"engineer": 9}
    await it.publishes((engineer_arrived(7, **stranger), after(0)), (work_finished(7, **stranger), after(600)))
    found = await it.report("utilisation", **TODAY)
    assert (found["on_site_h"], found["busy_share"]) == (11.5, 0.27083)


@story
async def test_incidents_are_those_of_teams_and_of_one_import_if_asked(it):
    await it.publishes(
        (queued(7), after(0)),
        (finished(7), after(60)),
        (taken(8, team="V 2nd"), after(0) | {"origin": "import", "actor": "import:desk"}),
    )
    found = await it.report("incident-kpis")
    assert (found["cases"], found["events"], found["mttr_h_mean"]) == (2, 3, 1.0)
    assert found["push_to_front_cases_only_1st_line"] == 1
    assert found["backlog_2026-11-20"] == 0
    assert (await it.report("incident-kpis", source="import:desk"))["cases"] == 1
    assert (await it.report("incident-kpis", higher_line="V"))["push_to_front_cases_only_1st_line"] == 1
    asked = await it.report("incident-kpis", backlog_on=["2026-11-25"])
    assert [name for name in asked if name.startswith("backlog")] == ["backlog_2026-11-25"]
    assert asked["backlog_2026-11-25"] == 1
    assert await it.behind("incident-kpis", "backlog_2026-11-25") == ["o-8"]


@story
async def test_a_day_is_one_of_the_zone_that_is_asked_for(it):
    evening = {"from": "2026-11-24", "to": "2026-11-24", "zone": "Pacific/Auckland"}
    # In Auckland it is ten in the evening: what comes two hours later belongs to the next day there.
    assert (await it.report("efficiency", **evening))["requests_received"] == 3
    await it.publishes((request_received(5), after(130)))
    assert (await it.report("efficiency", **evening))["requests_received"] == 3
    assert (await it.report("efficiency", **TODAY))["requests_received"] == 4


@story
async def test_every_figure_says_what_it_means(it):
    for name, report in REPORTS.items():
        answer = (await it.get(f"/v1/reports/{name}")).json()
        assert answer["title"].keys() == {"en", "zh"}
        for figure in answer["figures"]:
            said = figure["definition"]
            assert said["en"].endswith("."), figure
            assert said["zh"].endswith("。"), figure
            assert said["formula"], figure
        if name != "incident-kpis":  # which has nothing to measure here
            assert [figure["name"] for figure in answer["figures"]] == [figure.name for figure in report.figures]


@story
async def test_as_many_things_are_behind_a_count_as_it_says(it):
    for name in ("efficiency", "quality", "utilisation"):
        figures = await it.report(name)
        for figure in REPORTS[name].figures:
            if figure.unit == "count" and figure.listed() and not figure.name.endswith("_per_engineer"):
                assert len(await it.behind(name, figure.name)) == figures[figure.name], figure.name
    assert await it.behind("efficiency", "requests_overdue") == ["r-3"]
    assert await it.behind("quality", "repeat_repair_share") == ["r-4"]


@story
async def test_what_is_behind_a_figure_comes_in_pages(it):
    first = (await it.get("/v1/reports/efficiency/events", figure="requests_received", limit=3)).json()
    path = {"figure": "requests_received", "limit": 3, "cursor": first["next"]}
    rest = (await it.get("/v1/reports/efficiency/events", **path)).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == ["r-1", "r-2", "r-3", "r-4"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("path", "params", "status", "named"),
    [
        ("absent", {}, 404, "absent"),
        ("efficiency/events", {"figure": "absent"}, 404, "absent"),
        ("utilisation/events", {"figure": "by_engineer"}, 404, "by_engineer"),
        ("incident-kpis/events", {"figure": "backlog_soon"}, 404, "backlog_soon"),
        ("efficiency", {"zone": "China"}, 422, "give one as Asia/Shanghai or UTC"),
        ("efficiency", {"zone": "../../etc/passwd"}, 422, "is no time zone"),
        ("efficiency", {"from": "2026-11-25", "to": "2026-11-24"}, 422, "after its last day"),
        ("efficiency", {"from": "9999-12-31", "to": "9999-12-31"}, 422, "between 1900 and 9000"),
        ("efficiency", {"from": "soon"}, 422, "from"),
        ("incident-kpis", {"backlog_on": "0001-01-01"}, 422, "backlog_on"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_field(tmp_path, path, params, status, named):
    @story
    async def told(it):
        answer = await it.get(f"/v1/reports/{path}", **params)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert named in answer.text

    told(tmp_path)


@story
async def test_reports_are_for_those_who_manage_and_show_their_own_tenant(it):
    for role in ("customer", "engineer", "agent", "dispatcher", "partner"):
        assert (await it.get("/v1/reports/efficiency", role=role)).status_code == 403
    for role in ("manager", "auditor", "operator"):
        assert (await it.get("/v1/reports", role=role)).status_code == 200
    assert (await it.report("efficiency", tenant="other"))["requests_received"] == 0
    assert await it.behind("quality", "repeat_repair_share", tenant="other") == []
    assert (await it.report("utilisation", tenant="other"))["engineers"] == 0


def test_both_stores_give_the_same_reports_and_lists(tmp_path, postgres):
    async def said(path, dsn=None):
        async with reporting(path, dsn) as it:
            it.api.clock.set(NOW + timedelta(hours=4))
            await it.publishes(*EVENTS, *[(queued(7), after(0)), (finished(7), after(60)), (taken(7), after(61))])
            reports = {name: await it.report(name) for name in REPORTS}
            named = [
                (name, f.name)
                for name, report in REPORTS.items()
                for f in report.figures
                if f.behind is not None or f.listed()
            ]
            return reports, {one: await it.behind(*one) for one in named}

    dsn = postgres.fresh_database()
    assert asyncio.run(said(tmp_path / "a")) == asyncio.run(said(tmp_path / "b", dsn))

"""Reports in groups: parts of the same sums, what is behind each, and what cannot be asked for."""

import asyncio
import functools
from datetime import timedelta

import pytest

from reporting.reports import REPORTS
from tests.given import NOW
from tests.reporting.examples import DAY, after, engineer_registered, request_received, service_completed
from tests.reporting.history import history
from tests.reporting.running import reporting

BEGIN = NOW - 20 * DAY


def story(test):
    """Runs a coroutine that is given reporting with a history of three weeks."""

    @functools.wraps(test)
    def run(tmp_path):
        async def told():
            async with reporting(tmp_path / "reporting") as it:
                await it.publishes(*history(11, 80, BEGIN, 20))
                await test(it)

        asyncio.run(told())

    del run.__wrapped__  # pytest would look for the parameters of the coroutine
    return run


async def groups(it, name, **asked):
    answer = await it.get(f"/v1/reports/{name}", **asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


@story
async def test_the_whole_is_the_sum_of_its_groups(it):
    for name, report in REPORTS.items():
        for by in report.by:
            said = await groups(it, name, by=by, period="week")
            alone = await groups(it, name)
            assert said["groups"], (name, by)
            for figure in said["figures"]:
                here = next(one for one in alone["figures"] if one["name"] == figure["name"])
                assert here == figure, "a grouping does not change the whole"
                told = [group["figures"][figure["name"]] for group in said["groups"]]
                people = figure["name"] in ("engineers", "visits_completed_per_engineer")
                if figure["numerator"] is not None and not people and all(one["numerator"] is not None for one in told):
                    assert sum(one["numerator"] for one in told) == figure["numerator"], (name, by, figure)


@story
async def test_as_many_things_are_behind_a_groups_count_as_it_says(it):
    for name in ("efficiency", "quality", "dispatch", "complaints"):
        for by in ("region", "engineer", "channel"):
            for group in (await groups(it, name, by=by))["groups"]:
                for figure in ("requests_received", "requests_open", "surveys_sent", "orders_completed", "complaints"):
                    if figure in group["figures"]:
                        asked = {"by": by, "group": group["value"], "limit": 100}
                        found = await it.behind(name, figure, **asked)
                        assert len(found) == group["figures"][figure]["value"], (name, by, group["value"], figure)


@story
async def test_what_a_part_cost_leads_to_the_orders_that_used_it_each_once(it):
    found = await it.behind("costs", "parts_cost_fen", limit=100)
    assert found
    assert len(found) == len(set(found))


@story
async def test_what_one_engineer_answered_is_nobodys_figure(it):
    assert (await it.get("/v1/reports/staff", by="engineer")).status_code == 422
    assert (await it.get("/v1/reports/staff/events", figure="staff_answers")).status_code == 404


@story
async def test_the_parts_of_a_range_say_their_days(it):
    said = await groups(it, "efficiency", period="week", **{"from": "2026-11-05", "to": "2026-11-10"})
    days = [(one["period"], one["first_day"], one["last_day"]) for one in said["groups"]]
    assert days == [("2026-W45", "2026-11-05", "2026-11-08"), ("2026-W46", "2026-11-09", "2026-11-10")]


@pytest.mark.parametrize(
    ("path", "params", "named"),
    [
        ("efficiency", {"by": "colour"}, "by"),
        ("efficiency", {"period": "year"}, "period"),
        ("efficiency", {"format": "pdf"}, "format"),
        ("incident-kpis", {"by": "region"}, "grouped by nothing"),
        ("incident-kpis", {"period": "day"}, "over the whole range only"),
        ("efficiency/events", {"figure": "requests_open", "by": "region"}, "give both"),
        ("efficiency/events", {"figure": "requests_open", "group": "x"}, "give both"),
    ],
)
def test_a_grouping_that_is_not_offered_is_refused_with_the_field(tmp_path, path, params, named):
    @story
    async def told(it):
        answer = await it.get(f"/v1/reports/{path}", **params)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        assert named in answer.text

    told(tmp_path)


@story
async def test_too_many_groups_are_refused_with_what_would_help(it):
    week = timedelta(days=7)
    for n in range(20):
        await it.publishes((engineer_registered(1_000 + n), {"time": BEGIN - 200 * week}))
    answer = await it.get("/v1/reports/utilisation", by="engineer", period="day", **{"from": "2025-01-01"})
    assert answer.status_code == 422
    assert "5000 are shown at most" in answer.text


def test_a_late_fact_restates_the_group_in_which_it_happened(tmp_path):
    async def told():
        async with reporting(tmp_path / "reporting") as it:
            await it.publishes((request_received(1), after(-2 * 24 * 60)))
            before = (await groups(it, "efficiency", period="day"))["groups"]
            await it.publishes((service_completed(1), after(-24 * 60)))
            [now] = (await groups(it, "efficiency", period="day"))["groups"]
            assert [one["period"] for one in before] == [now["period"]] == ["2026-11-22"]
            assert now["figures"]["requests_completed"]["value"] == 1
            assert now["figures"]["complete_h_mean"] == {"value": 24.0, "numerator": 86_400_000_000, "denominator": 1}

    asyncio.run(told())


@story
async def test_every_figure_leads_to_the_events_that_it_is_made_of(it):
    """Whatever is listed has events, and they are where their cursors say; what is confidential has no list."""
    lists = set()
    for name, report in REPORTS.items():
        for figure in report.figures:
            answer = await it.get(f"/v1/reports/{name}/events", figure=figure.name, limit=2, **{"from": "2026-11-01"})
            if answer.status_code == 404:
                assert name == "staff" or figure.unit in ("table", "time", "day") or report.compute, (name, figure.name)
                continue
            for item in answer.json()["items"]:
                told = item["events"]
                assert told, (name, figure.name, item)
                lists.add(item["kind"])
                at = await it.get("/v1/events", after=told[0]["after"], limit=1)
                assert at.json()["events"][0]["id"] == told[0]["id"], (name, figure.name, item)
    assert lists == {"request", "order", "visit", "complaint", "engineer"}

"""A calendar without the holidays that its clocks will need: told aloud, wherever an operator looks."""

import asyncio
from datetime import UTC, datetime

import pytest
import structlog

from dispatcher.projections.calendars import lacking_holidays
from services import doctor
from services.operating import checks
from services.settings import Settings
from tests.sla.desk import FIX, instant


async def looked(data):
    return [check for check in await doctor.examine(Settings(data=data)) if "calendar" in check.what]


def test_the_next_years_holidays_are_missing_in_the_api_the_log_and_the_doctor(told, tmp_path, monkeypatch):
    async def defined(desk):
        await desk.promise(FIX)
        answer = await desk.get("/v1/calendars/office", role="operator")
        assert (answer["years"], answer["missing_years"]) == ([2026], [2027])

    async def again(desk):
        async with asyncio.timeout(10):
            while not warned():
                await asyncio.sleep(0.01)
        (one,) = warned()
        assert (one["log_level"], one["what"]) == ("warning", "calendar office of t-1")
        assert "2027" in one["finding"] and "/v1/calendars/office/holidays" in one["remedy"]
        await desk.do("PUT", "/v1/calendars/office/holidays", role="operator", years=[2027], days=[], reason="out now")
        assert (await desk.get("/v1/calendars/office", role="operator"))["missing_years"] == []

    def warned():
        return [one for one in logged if one["event"] == "service.concern"]

    with structlog.testing.capture_logs() as logged:
        told(defined)
        assert warned() == [], "nothing is missing before there is a calendar"
        monkeypatch.setattr(checks, "SystemClock", lambda: Stopped(instant("2026-11-24T09:00:00+00:00")))
        (check,) = asyncio.run(looked(tmp_path))
        assert not check.well
        assert "2027" in check.finding and "holidays" in check.remedy
        told(again)
    assert asyncio.run(looked(tmp_path)) == []


class Stopped:
    def __init__(self, now):
        self._now = now

    def now(self):
        return self._now


@pytest.mark.parametrize(
    ("now", "years", "told_of"),
    [
        (datetime(2026, 10, 31, tzinfo=UTC), [2026], []),
        (datetime(2026, 11, 1, tzinfo=UTC), [2026], [2027]),
        (datetime(2026, 11, 1, tzinfo=UTC), [2026, 2027], []),
        (datetime(2026, 3, 1, tzinfo=UTC), [2025], [2026]),
        (datetime(2026, 12, 1, tzinfo=UTC), [2025], [2026, 2027]),
        # In Shanghai it is 2027 already.
        (datetime(2026, 12, 31, 20, tzinfo=UTC), [2026], [2027, 2028]),
        (datetime(2026, 12, 1, tzinfo=UTC), None, []),
    ],
)
def test_the_next_year_is_wanted_once_its_table_can_be_had_and_this_year_always(told, now, years, told_of):
    async def story(desk):
        await desk.promise(FIX, years=years)
        found = await lacking_holidays(desk.running, now)
        assert [one.finding.split(":")[0] for one in found] == [f"NO HOLIDAYS OF {year}" for year in told_of]

    told(story)

"""
Every figure of every report, in every grouping, is what pandas works out anew from the raw journal.

Whoever asks is told of the same events: the journal is the one source, and the oracle reads nothing else of reporting.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from reporting.reports import REPORTS
from tests.fold import TENANT
from tests.reporting.history import history
from tests.reporting.running import reporting

pytest.importorskip("pandas")
from tests.reporting.oracle import Oracle

BEGIN = datetime(2026, 3, 10, tzinfo=UTC)
DAYS = 45
NOW = BEGIN + timedelta(days=38, hours=7)
DIGITS = {"share": 5, "count": 5}
GROUPINGS = [
    (by, period)
    for by in ("", "region", "engineer", "model", "type", "channel")
    for period in ("", "day", "week", "month")
    if not by or period in ("", "week")
]
FEWER = [("", "day"), ("region", "week"), ("engineer", ""), ("channel", "month")]
RANGES = [
    # The clocks of Berlin go forward within it; it begins within a week and ends within a month.
    ("Europe/Berlin", "2026-03-12", "2026-04-17"),
    ("Asia/Shanghai", "2026-03-20", "2026-04-05"),
]


def said(figure, unit):
    """As an exact figure is shown."""
    return None if figure is None else float(round(Fraction(figure), DIGITS.get(unit, 3)))


async def compare(path, seed, zone, first, last, *, groupings=GROUPINGS, dsn=None):
    async with reporting(path, dsn) as it:
        await it.publishes(*history(seed, 220, BEGIN, DAYS))
        it.api.clock.set(NOW)
        records, position = [], 0
        while entries := await it.api.journal.read(position, 1_000):
            records += [entry.record for entry in entries if entry.tenant == TENANT]
            position = entries[-1].position
        begin, end = (datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)) for day in (first, last))
        oracle = Oracle(records, zone, begin.astimezone(UTC), (end + timedelta(days=1)).astimezone(UTC), NOW)
        asked = {"from": first, "to": last, "zone": zone}
        compared = 0
        for name, report in REPORTS.items():
            if report.compute is not None:
                continue  # incidents have an oracle of their own: test_incidents
            if name == "utilisation":
                compared += check_lines(oracle, report, (await it.report(name, **asked))["by_engineer"])
            for by, period in groupings:
                if by in ("", *report.by):
                    answer = await it.get(f"/v1/reports/{name}", **asked, by=by, period=period)
                    assert answer.status_code == 200, answer.text
                    compared += check(oracle, report, answer.json(), by, period)
        return compared


def check(oracle, report, view, by, period):
    """Each figure of each group, and of the whole range. Returns how many were compared."""
    compared = 0
    told = {(group["value"], group["period"]): group["figures"] for group in view["groups"]}
    whole = {figure["name"]: figure for figure in view["figures"]}
    for figure in report.figures:
        if figure.measure is None:
            continue
        where = (report.name, figure.name, by, period)
        for groups, grouping in (({("", ""): whole}, ("", "")), (told, (by, period))):
            expected = oracle.answers(report.name, figure.name, *grouping)
            some = {key for key, (value, top, _) in expected.items() if value or top}
            assert groups is not told or not (by or period) or some <= groups.keys(), where
            for key, figures in groups.items():
                found = figures[figure.name]
                value, top, below = expected.get(key, nothing(figure, expected, grouping))
                assert found["value"] == said(value, figure.unit), (where, key, found, value)
                if value is not None:
                    assert (found["numerator"], found["denominator"]) == (top, below), (where, key)
                compared += 1
    return compared


def check_lines(oracle, report, lines):
    """A line for each engineer whom there is: its figures are those that are told when the report is by engineer."""
    compared = 0
    for line in lines:
        for figure in report.figures:
            if figure.name in line:
                expected = oracle.answers(report.name, figure.name, "engineer", "")
                value, *_ = expected.get((line["engineer_id"], ""), nothing(figure, expected, ("engineer", "")))
                assert line[figure.name] == said(value, figure.unit), (line, figure.name, value)
                compared += 1
    names = {line["engineer_id"] for line in lines}
    registered = oracle.engineers.index[oracle.engineers.since < oracle.end]
    came = {key for (key, _), (_, top, _) in oracle.answers(report.name, "visits", "engineer", "").items() if top}
    assert {*registered, *came} == names and len(names) == len(lines) and compared == 6 * len(lines)
    return compared


def nothing(figure, expected, grouping):
    """Of a group in which this has nothing: no zero is measured, but a count is zero."""
    told = type(figure.measure).__name__
    attributable = expected or grouping[0] in ("", "region", "engineer")
    if told == "Count" and not figure.measure.known and attributable:
        return 0, 0, None
    if told == "Ratio" and figure.measure.whole is None and not figure.measure.known and attributable:
        return 0, 0, 1
    return None, None, None


@pytest.mark.parametrize(("zone", "first", "last"), RANGES, ids=["berlin", "shanghai"])
def test_every_figure_is_what_the_raw_journal_says(tmp_path, zone, first, last):
    seed = 20261124
    print("seed", seed)
    assert asyncio.run(compare(tmp_path, seed, zone, first, last)) > 10_000


def test_every_figure_is_the_same_on_postgres(tmp_path, postgres):
    zone, first, last = RANGES[0]
    dsn = postgres.fresh_database()
    assert asyncio.run(compare(tmp_path, 7, zone, first, last, groupings=FEWER, dsn=dsn)) > 5_000

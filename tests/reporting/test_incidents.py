"""Every figure of incidents is what pandas works out anew from the raw journal, whenever and by whom it is asked."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from contracts.dispatcher import OrderFinished, OrderPaused, OrderQueued, OrderTaken
from tests.fold import TENANT
from tests.reporting.running import reporting

pytest.importorskip("pandas")
from tests.reporting.incidents_oracle import incidents, steps_of

BEGIN = datetime(2026, 3, 10, tzinfo=UTC)
TEAMS = ("V", "W 1st", "X 2nd", "Y 3rd")
RANGES = [
    ("UTC", date(2026, 3, 1), date(2026, 4, 30), {}),
    # The clocks of Berlin go forward within it.
    ("Europe/Berlin", date(2026, 3, 12), date(2026, 4, 2), {"source": "import:desk"}),
    ("Asia/Shanghai", date(2026, 3, 15), date(2026, 3, 31), {"higher_line": "1st"}),
]


def told(rng, cases=300):
    """Steps of cases that wander between teams, some of another system, some of them reported late."""
    events = []
    for number in range(cases):
        order = {"order_id": f"o-{number}", "request_id": f"r-{number}"}
        imported = {"origin": "import", "actor": "import:desk"} if rng.random() < 0.5 else {}
        at = BEGIN + timedelta(seconds=rng.randrange(30 * 86_400))
        for _ in range(rng.randint(1, 9)):
            kind = rng.choice((OrderQueued, OrderTaken, OrderTaken, OrderPaused, OrderFinished))
            who = {"team": rng.choice(TEAMS), "person": rng.choice(("ann", "bo", ""))}
            if kind is OrderFinished and rng.random() < 0.1:
                who["team"] = ""
            impact = {"impact": rng.choice(("Low", "High", ""))}
            reason = {"reason": "vendor"} if kind is OrderPaused else {}
            events.append((kind(**order, **who, **impact, **reason), {"time": at, **imported}))
            # Two steps may be said to have happened at once.
            at += timedelta(microseconds=rng.choice((0, 1, rng.randrange(2 * 86_400 * 10**6))))
    rng.shuffle(events)
    return events


async def compare(path, seed, dsn=None):
    async with reporting(path, dsn) as it:
        await it.publishes(*told(Random(seed)))
        steps = steps_of([one.record for one in await it.api.journal.read(0, 10_000) if one.tenant == TENANT])
        for zone, first, last, more in RANGES:
            days = [first, last, date(2026, 3, 20)]
            asked = {"from": str(first), "to": str(last), "zone": zone, "backlog_on": [str(day) for day in days]}
            found = await it.report("incident-kpis", **asked, **more)
            higher = {"higher": frozenset({more["higher_line"]})} if "higher_line" in more else {}
            of = {"source": more["source"]} if "source" in more else {}
            expected = incidents(steps, zone, first, last, backlog_on=days, **higher, **of)
            assert found == expected, (zone, {name: (found.get(name), expected.get(name)) for name in expected})
            assert min(found["cases"], found["group_pingpong_events"], found["reopened_cases"]) > 10


def test_every_figure_of_incidents_is_what_the_raw_journal_says(tmp_path):
    seed = 20261130
    print("seed", seed)
    asyncio.run(compare(tmp_path, seed))


def test_every_figure_of_incidents_is_the_same_on_postgres(tmp_path, postgres):
    asyncio.run(compare(tmp_path, 7, postgres.fresh_database()))

"""What the queries of quality find is the same in both stores, as it is asked by routes and by policies."""

import asyncio
from random import Random

import msgspec

from quality.domain.alert import DEFAULTS
from quality.domain.weeks import windows
from quality.projections.served import counted
from quality.projections.standards import TYPES_WITH_ONE
from quality.projections.surveys import figures, results
from quality.service import service
from services.chassis.http.scope import within
from services.chassis.journal.store import Entry
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.projector import Folder
from services.chassis.readers.sqlite_views import SqliteViews
from tests.fold import TENANT, enveloped
from tests.quality.examples import sent, skipped, standard
from tests.quality.test_figures import KINDS, MONDAY, WATCHED, devices, history, registered, told

VISITS = history(Random(7), days=35, a_day=12)
IDS = {name: {"survey_id": f"s-{name}", "visit_id": name, "request_id": f"r-{name}"} for name in ("v-0-0", "v-0-1")}
EVENTS = [
    standard(),
    *[event for late in (False, True) for visit in VISITS for event in told(visit, late)],
    *registered(days=35),
    *devices(),
    sent(**IDS["v-0-0"]),
    skipped("sample", **IDS["v-0-1"]),
]


async def found(views):
    """What the queries find when these events are folded into the store."""
    folder = Folder(views)
    await folder.start()
    entries = [
        Entry(position, one.id, one.tenant, one.stream, one.version, "", b"", msgspec.json.encode(one))
        for position, (_, one) in enumerate(enveloped(EVENTS), 1)
    ]
    await folder.fold(service.views, entries)
    assert not folder.failed
    said = {}
    for kind in KINDS:
        for of in WATCHED:
            for week in windows(kind, DEFAULTS, MONDAY):
                query = counted(kind, of, TENANT, week, DEFAULTS)
                said[kind, of, week] = [dict(row) for row in await views.fetch(query)]
                assert [dict(row) for row in await views.fetch(within(TENANT, query))] == said[kind, of, week]
    for by in ("all", "engineer", "region", "device_model"):
        rows = await views.fetch(within(TENANT, results(by, 0, 2**62)))
        said[by] = [figures(row) for row in rows]
    said["standards"] = [dict(row) for row in await views.fetch(TYPES_WITH_ONE, tenant=TENANT)]
    await views.close()
    return said


def test_both_stores_find_the_same(tmp_path, postgres):
    async def in_both(dsn):
        in_file = await found(await SqliteViews.open(tmp_path / "views", service.views))
        return in_file, await found(await PostgresViews.open(dsn, service.name, service.views))

    in_file, in_database = asyncio.run(in_both(postgres.fresh_database()))
    assert in_database.keys() == in_file.keys()
    for question in in_file:
        of = "subject" if isinstance(question, tuple) else "of"
        # The stores sort texts that are not ASCII in their own ways; nobody relies on it.
        ours, theirs = (sorted(one[question], key=lambda row: str(row.get(of))) for one in (in_file, in_database))
        assert ours == theirs, question
    assert all(in_file.values())

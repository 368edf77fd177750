"""What the queries of inventory's policies find is the same in both stores."""

import asyncio

import msgspec

from contracts.inventory import PartDefined, PartLine, ReorderPointSet
from inventory.projections.purchases import REORDERED
from inventory.projections.registers import ONE_PART, naming
from inventory.projections.reservations import SHORT_OF, WAITING_FOR
from inventory.projections.used import PARTS_USED_IN, REPAIRS_OF, scope_of
from inventory.service import service
from services.chassis.journal.store import Entry
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.projector import Folder
from services.chassis.readers.sqlite_views import SqliteViews
from tests.benchmarks.bench_recommendation import events_of, history
from tests.fold import TENANT, enveloped
from tests.inventory.examples import REGISTERS, recommended, short
from tests.inventory.test_pieces import ON_THE_WAY, arrived, came_of, went

REPAIRS = history(seed=3, orders=200)
TAKEN = sorted({part for one in REPAIRS for part in one.took})
ONE = REPAIRS[0]
EVENTS = [
    *REGISTERS,
    *[PartDefined(part_id=part, name=part, fits=()) for part in TAKEN],
    *events_of(REPAIRS),
    ReorderPointSet(part_id="fan", place_id="wh-1", reorder_at=4, reorder_to=12),
    recommended(PartLine("fan", 2)),
    recommended(PartLine("fan", 1), order_id="o-2", request_id="r-2"),
    short(1),
    *ON_THE_WAY[3:],
    arrived("A", "B"),
    came_of("L-1", 2),
    went("A", device_id="d-1"),
]
QUESTIONS = [
    (REPAIRS_OF, {"scope": scope_of(ONE.model, ONE.kind)}),
    (PARTS_USED_IN, {"scope": scope_of(ONE.model, ONE.kind)}),
    (REORDERED, {"part_id": "fan"}),
    (SHORT_OF, {"part": naming("fan")}),
    (WAITING_FOR, {"part": naming("fan")}),
    (ONE_PART, {"part_id": "fan"}),
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
    said = [[dict(row) for row in await views.fetch(query, tenant=TENANT, **asked)] for query, asked in QUESTIONS]
    await views.close()
    return said


def test_both_stores_find_the_same(tmp_path, postgres):
    async def in_both(dsn):
        in_file = await found(await SqliteViews.open(tmp_path / "views", service.views))
        return in_file, await found(await PostgresViews.open(dsn, service.name, service.views))

    in_file, in_database = asyncio.run(in_both(postgres.fresh_database()))
    assert in_file == in_database
    assert all(in_file)

"""65,533 events of 7,554 real incidents go in, and the figures are the published ones to the last digit."""

import asyncio
import json
from pathlib import Path

import pytest

from reporting.projections.order_timeline import ORDER_TIMELINE
from reporting.report import Scope
from reporting.reports.incidents import INCIDENTS
from services.chassis.journal.work import Answer
from services.chassis.readers.projector import Folder
from services.chassis.readers.sqlite_views import SqliteViews
from services.importing.history import import_history
from services.importing.mapping import load
from tests.fold import TENANT
from tests.given import NOW
from tests.importing.imports import importing

LOGS = Path(__file__).parents[3] / "shared/data/eventlogs"
CSV, XES = LOGS / "bpic2013_incidents.csv.gz", LOGS / "bpic2013_incidents.xes.gz"
BPIC2013 = Path(__file__).parents[2] / "deploy/mappings/bpic2013.yaml"

pytestmark = pytest.mark.skipif(not CSV.exists(), reason=f"the real log is not there: {CSV}")

ALWAYS = Scope(0, 1 << 62, NOW, INCIDENTS.zone)


async def figures(journal, folder):
    """What the report says of a journal, by its views in SQLite."""
    views = await SqliteViews.open(folder / "views", [ORDER_TIMELINE])
    folder = Folder(views)
    await folder.start()
    while await folder.step(journal, 2_000):
        pass
    assert not folder.failed
    found = await INCIDENTS.compute(views.fetch, ALWAYS)
    await views.close()
    return found


def test_the_reports_of_the_imported_log_are_the_published_figures(tmp_path):
    """Some 15 s on two cores: an import, a fold and a report."""

    async def story():
        async with importing(tmp_path) as it:
            done = await it.imports(CSV, mapping=load(BPIC2013))
            assert (done.rows, done.recorded, done.rejected, done.cases) == (65_533, 65_533, 0, 7_554)
            found = await figures(it.journal, tmp_path)
            reference = json.loads((LOGS / "bpic2013_incidents.kpi.json").read_text())
            assert {name: found.get(name) for name in reference} == reference
            assert list(found) == list(reference), "the same keys, none beside them"

    asyncio.run(story())


def test_both_forms_of_the_real_log_ask_the_same(tmp_path):
    async def asked_by(file):
        asked = {}

        async def ask(work):
            assert work.key not in asked
            asked[work.key] = (work.command, work.happened_at, work.request_hash)
            return Answer(len(asked))

        options = {"make_command": lambda **said: said, "rejects": tmp_path / "rejects.csv", "tenant": TENANT}
        done = await import_history(file, load(BPIC2013), ask, **options)
        assert (done.rows, done.rejected) == (65_533, 0)
        return asked

    async def story():
        assert await asked_by(CSV) == await asked_by(XES)

    asyncio.run(story())

"""
An import through a real writer of the dispatcher on SQLite.

    async with importing(tmp_path) as it:
        done = await it.imports("case,time,…")
        it.events()       # what is in the journal
        it.rejects()      # line, reason and row of what is not
"""

from __future__ import annotations

import asyncio
import csv
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from contracts import envelope as envelopes
from contracts.dispatcher import OrderOpened
from dispatcher.commands import RecordHistory
from dispatcher.service import service as dispatcher
from services.chassis.clock import SetClock
from services.chassis.ids import new_ids
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.writer import Writer
from services.importing.history import import_history
from services.importing.mapping import Mapping
from tests.fold import TENANT
from tests.given import NOW

COLUMNS = {name: name for name in ("case", "time", "status", "sub_status", "team", "person", "impact", "product")}

MAPPING = {
    "source": "desk",
    "columns": COLUMNS,
    "attributes": {
        "case": "concept:name",
        "time": "time:timestamp",
        "status": "concept:name",
        "team": "org:group",
        "person": "org:resource",
        "impact": "impact",
    },
    "required": ["team"],
    "statuses": [
        {"status": "new", "kind": "queued"},
        {"status": "work", "sub_status": "wait*", "kind": "paused", "reason": "{sub_status}"},
        {"status": "work", "kind": "taken"},
        {"status": "done", "kind": "finished", "outcome": "solved"},
    ],
}

HEADER = ",".join(COLUMNS)


def mapping(**changes) -> Mapping:
    return Mapping.model_validate(MAPPING | changes)


def csv_of(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def row(case="c-1", at="2012-05-01T08:00:00Z", status="work", sub="", team="T1", person="ann", impact="Low") -> str:
    return f"{case},{at},{status},{sub},{team},{person},{impact},P1"


class NoPersons:
    async def ensure(self, persons, joined):
        raise AssertionError("history has no personal texts")

    def seal(self, tenant, person, text):
        raise AssertionError("history has no personal texts")


class Importing:
    def __init__(self, journal, writer, folder):
        self.journal, self.writer, self._folder = journal, writer, folder
        self.rejected_file = folder / "rejects.csv"
        self.progress = []

    async def imports(self, content, name="log.csv", *, mapping=None, ask=None):
        """Import a text, bytes or a file."""
        file = content
        if not isinstance(content, Path):
            file = self._folder / name
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return await import_history(
            file,
            mapping or Mapping.model_validate(MAPPING),
            ask or self.writer.ask,
            make_command=RecordHistory,
            rejects=self.rejected_file,
            tenant=TENANT,
            progress=self.progress.append,
        )

    async def entries(self):
        """All that is in the journal."""
        found, position = [], 0
        while page := await self.journal.read(position, 5_000):
            found += page
            position = page[-1].position
        return found

    async def rows(self):
        """The imported rows as envelope and event, by order and version; without the openings."""
        read = [envelopes.read(entry.record) for entry in await self.entries()]
        found = sorted(
            ((one, envelopes.payload(one)) for one in read), key=lambda pair: (pair[0].stream, pair[0].version)
        )
        return [pair for pair in found if not isinstance(pair[1], OrderOpened)]

    def rejects(self):
        """Line number and reason of each row that was not used."""
        with self.rejected_file.open(encoding="utf-8", newline="") as listed:
            return [(int(line), reason) for line, reason, _ in list(csv.reader(listed))[1:]]


@asynccontextmanager
async def importing(folder: Path):
    folder.mkdir(exist_ok=True)
    journal = SqliteJournal(folder / "journal.sqlite")
    writer = Writer(dispatcher.rules, journal, clock=SetClock(NOW), new_id=new_ids(lambda: 0), keys=NoPersons())
    running = asyncio.create_task(writer.run())
    try:
        yield Importing(journal, writer, folder)
    finally:
        writer.stop()
        await running
        await journal.close()


def write_mapping(folder: Path, changes) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump(MAPPING | changes))
    return path

"""What is in the log, for who asks: stories, who is behind, and the log as a file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from services.audit.story import Instant, Line, Shown, show, tell
from services.chassis.clock import SystemClock
from services.chassis.journal.store import JournalStore, StreamKey, Wanted
from services.chassis.service import Service
from services.exporting.log import Exported, Format, export
from services.host import discover, open_views
from services.offline.stores import CannotDo, only_one, readers
from services.operating.behind import Behind, behind_of
from services.settings import Settings


@dataclass(frozen=True)
class Audit:
    """What is known of a request or of one stream."""

    subject: str
    tenant: str
    story: list[Line]
    shown: dict[str, list[Shown]]
    """Per service, what its views showed at that instant."""
    seconds: float


async def audit(settings: Settings, subject: str, tenant: str | None, instant: Instant) -> Audit:
    """
    The story of a request (its id or its number), or of one stream, such as `engineer/E01`. Raises CannotDo.

    A stream is told from its own journal alone, and with what was recorded of its story.
    """
    services = discover()
    begun = time.monotonic()
    async with readers(settings, services) as journals:
        whose = tenant or only_one(sorted((await journals["intake"].head()).chains))
        found = {name: await journal.story(whose, subject) for name, journal in journals.items()}
        if not any(found.values()):
            # It may be a number, which only a view knows; an id is found also where no view was made yet.
            subject = await request_numbered(settings, whose, subject)
            found = {name: await journal.story(whose, subject) for name, journal in journals.items()}
        records = [entry.record for entries in found.values() for entry in entries]
        if "/" in subject:
            records += await _of_stream(services, journals, (whose, subject))
        if not records:
            raise CannotDo(f"nothing is recorded of {subject} in the tenant {whose}: give a request's id or number")
    shown = {name: show(services[name].views, entries, instant) for name, entries in found.items()}
    shown = {name: views for name, views in shown.items() if views}
    return Audit(subject, whose, tell(records, instant), shown, round(time.monotonic() - begun, 3))


async def _of_stream(
    services: Mapping[str, Service], journals: Mapping[str, JournalStore], key: StreamKey
) -> list[bytes]:
    kind = key[1].partition("/")[0]
    for name, service in services.items():
        if kind in service.rules.stream_of:
            return (await journals[name].load(Wanted(streams={key}))).streams.get(key, [])
    return []


async def request_numbered(settings: Settings, tenant: str, subject: str) -> str:
    """The id of the request with this number; what is no number stays as it is."""
    if not subject or "/" in subject:
        return subject
    service = discover()["intake"]
    views = await open_views(settings, service, readonly=True)
    try:
        table = next(view for view in service.views if view.name == "requests").table
        query = select(table.c.request_id).where(table.c.tenant == tenant, table.c.number == subject)
        found = await views.fetch(query)
    finally:
        await views.close()
    return str(found[0]["request_id"]) if found else subject


async def behind(settings: Settings) -> Behind:
    """Every reader of every journal, and what is held back."""
    services, now = discover(), SystemClock().now()
    found = Behind([], [])
    async with readers(settings, services):  # all of them are there
        for service in services.values():
            one = await behind_of(settings, service, now)
            found.lags.extend(one.lags)
            found.held.extend(one.held)
    return found


async def export_log(settings: Settings, tenant: str | None, form: Format, path: Path) -> Exported:
    """Write the public events of a tenant for other tools. Raises CannotDo."""
    async with readers(settings, discover()) as journals:
        whose = tenant or only_one(sorted((await journals["intake"].head()).chains))
        return await export(journals, whose, form, path)

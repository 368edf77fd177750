"""
A verification, a replay or an export that somebody asked for over HTTP, in a process of its own: whole journals are
read, and who serves must not wait for that.

    python -m services.offline.asked < one line of JSON, a `Wanted`

Tells one line of JSON after the other: `{"progress": EVENTS}`, and at last `{"report": …}` or `{"refused": "why"}`. It
ends when what it reads from is closed, for then nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from typing import Final, Literal

import msgspec

from services.exporting.log import Format
from services.host import discover
from services.offline.log import export_log
from services.offline.replaying import replay_views
from services.offline.stores import CannotDo, readers
from services.offline.verifying import verify_stores
from services.replaying.chosen import Choice
from services.settings import Settings

TELL_EVERY_S: Final = 0.5
NICE: Final = 10


class Wanted(msgspec.Struct):
    """What is asked for. The tenant is the caller's: a replay is of nobody else's events."""

    what: Literal["verification", "replay", "export"]
    settings: dict[str, str]
    service: str
    """Whose views are replayed; a verification and an export are of all journals."""
    tenant: str
    first: int | None = None
    last: int | None = None
    request: str = ""
    speed: int | None = None
    """Events a second."""
    form: Format = "jsonl"
    file: str = ""
    """Where an export is written to."""


class Told:
    """How many events were read by now, now and then."""

    def __init__(self) -> None:
        self._events, self._told_at = 0, 0.0

    def __call__(self, events: int) -> None:
        self._events += events
        if time.monotonic() > self._told_at + TELL_EVERY_S:
            self._told_at = time.monotonic()
            tell({"progress": self._events})


def tell(line: object) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


async def _done(wanted: Wanted) -> object:
    settings = Settings.from_env(wanted.settings, {})
    if wanted.what == "replay":
        choice = Choice(wanted.first, wanted.last, wanted.tenant, wanted.request)
        return (await replay_views(settings, [wanted.service], choice, speed=wanted.speed, progress=Told()))[0]
    if wanted.what == "export":
        return await export_log(settings, wanted.tenant, wanted.form, Path(wanted.file))
    report = await verify_stores(settings, Told())
    async with readers(settings, discover()) as journals:
        tenants = {tenant for journal in journals.values() for tenant in (await journal.head()).chains}
    if tenants - {wanted.tenant}:
        # What is said of a place may name what is another tenant's; where it is, and which rule, may be known.
        report.findings = [found._replace(what="") for found in report.findings]
    return report


def main() -> None:
    wanted = msgspec.json.decode(sys.stdin.readline(), type=Wanted)
    os.nice(NICE)

    def end_with_who_asked() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=end_with_who_asked, daemon=True).start()
    try:
        tell({"report": asyncio.run(_done(wanted))})
    except CannotDo as why:
        tell({"refused": str(why)})
    os._exit(0)  # Nothing is open, and the thread that reads would be waited for.


if __name__ == "__main__":
    main()

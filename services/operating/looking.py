"""What reads whole journals, for who asks over HTTP: a process of its own, and what it tells as a stream of news."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final

import msgspec

from services.chassis.http import Problem
from services.settings import Settings

EVENT_STREAM: Final = "text/event-stream"
HEARTBEAT_S: Final = 5.0
LONGEST_LINE: Final = 2**24
"""Of a report, in bytes: it names some hundred findings of each rule."""


class Looking:
    """One at a time in a process that serves: a second one would take what is left of the machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = {one.name: str(getattr(settings, one.name)) for one in fields(settings)}
        self._starts = False
        self._child: asyncio.subprocess.Process | None = None

    async def asked(self, what: str, service: str, tenant: str, **choice: Any) -> AsyncIterator[bytes]:
        """
        A stream: `event: progress` with the events that were read by now, then `event: report`, or `event: refused`.

        Raises Problem where another one runs. It ends when nobody reads the stream any more.
        """
        if self._starts or (self._child is not None and self._child.returncode is None):
            raise Problem("operation.runs")
        self._starts = True
        try:
            child = self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.offline.asked"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LONGEST_LINE,
            )
        finally:
            self._starts = False
        wanted = {"what": what, "settings": self._settings, "service": service, "tenant": tenant, **choice}
        assert child.stdin is not None
        child.stdin.write(msgspec.json.encode(wanted) + b"\n")
        return _told(child)

    async def exported(self, service: str, tenant: str, form: str) -> BinaryIO:
        """
        The tenant's log as a file that has no name any more: it is gone when it is closed.

        Raises Problem where another one runs, and where it could not be written.
        """
        with TemporaryDirectory(prefix="fieldloop-export-") as folder:
            path = Path(folder) / "log"
            async for news in await self.asked("export", service, tenant, form=form, file=str(path)):
                if news.startswith(b"event: refused"):
                    raise Problem("export.failed", reason=news.decode().partition("data: ")[2].strip().strip('"'))
            return path.open("rb")


async def _told(child: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    assert child.stdout is not None
    try:
        async for event in _events(child.stdout):
            yield event
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        # To the end of its pipes, so that nothing of it is left open in the loop; also where who asked went away.
        await asyncio.shield(child.communicate())


async def _events(lines: asyncio.StreamReader) -> AsyncIterator[bytes]:
    reading = asyncio.ensure_future(lines.readline())
    try:
        while True:
            await asyncio.wait([reading], timeout=HEARTBEAT_S)
            if not reading.done():
                yield b": still at it\n\n"
                continue
            if not (line := reading.result()):
                yield _event("refused", msgspec.json.encode("it ended without an answer: see the log of the service"))
                return
            ((name, said),) = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).items()
            yield _event(name, bytes(said))
            if name != "progress":
                return
            reading = asyncio.ensure_future(lines.readline())
    finally:
        reading.cancel()


def _event(name: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)

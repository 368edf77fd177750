"""A TCP proxy on loopback whose line can be slowed, cut, or left standing with nothing coming through."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal

from deploy import free_port

Way = Literal["up", "down"]
"""To the server, or back to the client."""

CHUNK = 65_536


class Line:
    """
    One port that leads to one server.

    What the faults stand for: `delay_s` a far or busy network; `cut` a firewall or a node that resets; `refuse` a
    server that nobody reaches; `stall` a partition: connections stay open, and what was sent arrives once it is over,
    as TCP would send it again. Stalling one way alone loses answers to what was done. `forget` is a node that is gone,
    or a firewall that dropped its table: old connections stay open and nothing is ever heard on them.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.delay_s = 0.0
        """How long each piece of data is kept, both ways."""
        self.connections = 0
        """So many were ever taken."""
        self._refusing = False
        self._forgotten = 0
        """Connections up to this one lead nowhere."""
        self._passable: dict[Way, asyncio.Event] = {}
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def serve(self) -> None:
        self._passable = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.pass_on()
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)

    def pass_on(self) -> None:
        for passable in self._passable.values():
            passable.set()

    def stall(self, *ways: Way) -> None:
        for way in ways:
            self._passable[way].clear()

    def refuse(self) -> None:
        self._refusing = True
        self.cut()

    def heal(self) -> None:
        """As it was at first."""
        self.delay_s, self._refusing = 0.0, False
        self.pass_on()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._open:
            writer.transport.abort()

    def forget(self) -> None:
        self._forgotten = self.connections

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        if self._refusing:
            writer.transport.abort()
            return
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there}
        try:
            await asyncio.gather(
                self._carry(number, reader, there, "up"), self._carry(number, there_reader, writer, "down")
            )
        except OSError:
            pass
        finally:
            self._open -= {writer, there}
            writer.transport.abort()
            there.transport.abort()

    async def _carry(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        while data := await reader.read(CHUNK):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._passable[way].wait()
            if number > self._forgotten:
                writer.write(data)
                await writer.drain()
        await self._passable[way].wait()
        with suppress(OSError, RuntimeError):
            writer.write_eof()


class Lines:
    """Lines on a loop and thread of their own, so that who tests may block. Its calls return when they are done."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lines", daemon=True)
        self._thread.start()
        self._lines: list[Line] = []

    def to(self, target: int) -> Line:
        line = Line(target)
        self._run(line.serve())
        self._lines.append(line)
        return line

    def do(self, what: Callable[[], None]) -> None:
        """Change a line: `lines.do(line.cut)`."""

        async def on_the_loop() -> None:
            what()

        self._run(on_the_loop())

    def heal(self) -> None:
        """All lines as they were at first."""
        for line in self._lines:
            self.do(line.heal)

    def close(self) -> None:
        for line in self._lines:
            self.do(line.refuse)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

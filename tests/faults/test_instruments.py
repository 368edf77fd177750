"""What the faults are made with and judged by does what it says."""

from __future__ import annotations

import asyncio
import socketserver
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from tests.faults.ledger import Told, verdict
from tests.faults.proxy import Lines


def story(**changed):
    """What was recorded of two requests, with changes: how often each event."""
    events = []
    for name, times in ({"received-1": 1, "opened-1": 1, "received-2": 1, "opened-2": 1} | changed).items():
        kind, _, request = name.partition("-")
        type = {"received": "RequestReceived", "opened": "OrderOpened"}[kind]
        stream = f"request/{request}" if kind == "received" else f"order/of-{request}"
        events += [SimpleNamespace(type=type, stream=stream, correlation_id=request)] * times
    return events


@pytest.mark.parametrize(
    ("changed", "lost", "doubled"),
    [
        ({}, [], []),
        ({"received-2": 0, "opened-2": 0}, ["b"], []),
        ({"opened-2": 0}, ["b"], []),
        ({"received-1": 2}, [], ["1"]),
        ({"opened-1": 2}, [], ["1"]),
        ({"received-3": 1}, [], ["3"]),
        ({"opened-3": 1}, [], ["3"]),
    ],
)
def test_the_book_finds_what_was_lost_and_what_was_done_twice(changed, lost, doubled):
    told = Told("t", {"a": "1", "b": "2"}, {"a", "b"})
    found = verdict(told, story(**changed))
    assert (found.lost, found.doubled, found.clean) == (lost, doubled, not lost and not doubled)


@pytest.fixture
def line():
    """A line to a server that says again what it is told."""

    class Echo(socketserver.BaseRequestHandler):
        def handle(self):
            with suppress(OSError):
                while said := self.request.recv(1_000):
                    self.request.sendall(said)

    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lines = Lines()
        line = lines.to(server.server_address[1])
        yield lines, line
        lines.close()
        server.shutdown()


async def echoed(reader, writer, text, within=5.0):
    writer.write(text)
    async with asyncio.timeout(within):
        return await reader.readexactly(len(text))


def test_a_line_passes_on_slows_cuts_and_refuses(line):
    lines, line = line

    async def tell():
        ends = await asyncio.open_connection("127.0.0.1", line.port)
        assert await echoed(*ends, b"one") == b"one"
        line.delay_s = 0.1
        begun = time.monotonic()
        assert await echoed(*ends, b"two") == b"two"
        assert time.monotonic() - begun >= 0.2, "once there, once back"
        line.delay_s = 0.0
        lines.do(line.cut)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await echoed(*ends, b"three")
        assert await echoed(*await asyncio.open_connection("127.0.0.1", line.port), b"four") == b"four"
        lines.do(line.refuse)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await echoed(*await asyncio.open_connection("127.0.0.1", line.port), b"five")

    asyncio.run(tell())


def test_what_is_stalled_arrives_later_and_what_is_forgotten_never(line):
    lines, line = line

    async def tell():
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        assert await echoed(reader, writer, b"one") == b"one"
        lines.do(lambda: line.stall("down"))
        with pytest.raises(TimeoutError):
            await echoed(reader, writer, b"two", within=0.2)
        lines.heal()
        assert await reader.readexactly(3) == b"two"
        lines.do(line.forget)
        with pytest.raises(TimeoutError):
            await echoed(reader, writer, b"three", within=0.2)
        lines.heal()
        with pytest.raises(TimeoutError):
            await echoed(reader, writer, b"four", within=0.2)
        assert await echoed(*await asyncio.open_connection("127.0.0.1", line.port), b"five") == b"five"

    asyncio.run(tell())

"""A plain HTTP/1.1 client over kept connections, so cheap that the server is what is measured."""

from __future__ import annotations

import asyncio
from types import TracebackType

HEADERS_END = b"\r\n\r\n"


class Client:
    """So many connections to one address; a call takes one that is free."""

    def __init__(self, port: int, connections: int) -> None:
        self._port, self._connections = port, connections
        self._free: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()

    async def __aenter__(self) -> Client:
        for _ in range(self._connections):
            self._free.put_nowait(await self._open())
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        while not self._free.empty():
            self._free.get_nowait()[1].close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def post(self, path: str, body: bytes, headers: str = "") -> tuple[int, bytes]:
        """Status and body of the answer."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n"
        )
        connection = await self._free.get()
        try:
            status, answer = await _asked(connection, head.encode() + body)
        except (ConnectionError, asyncio.IncompleteReadError):
            # The server ends a connection that was not used for some seconds, perhaps as this one is used again.
            connection[1].close()
            connection = await self._open()
            status, answer = await _asked(connection, head.encode() + body)
        self._free.put_nowait(connection)
        return status, answer


async def _asked(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> tuple[int, bytes]:
    reader, writer = connection
    writer.write(request)
    answer = await reader.readuntil(HEADERS_END)
    lower = answer.lower()
    begin = lower.index(b"content-length:") + 15
    found = await reader.readexactly(int(lower[begin : lower.index(b"\r\n", begin)]))
    return int(answer[9:12]), found

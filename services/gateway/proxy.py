"""
The way from the edge to the services, where each runs in processes of its own.

A read goes to any replica that answers. A command goes to the one that writes; while there is none it is held, and
after a lost answer it is sent again with the same key, so that it is done once and its caller sees no take-over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from itertools import count
from time import monotonic
from typing import Any, Final
from uuid import uuid4

import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis import telemetry
from services.chassis.http import PHOTO_BYTES
from services.chassis.http.problems import RETRY, problem

OWNERS: Final[Mapping[str, str]] = {
    "requests": "intake",
    "customers": "intake",
    "sites": "intake",
    "devices": "intake",
    "request-types": "intake",
    "channels": "intake",
    "device-models": "intake",
    "messages": "intake",
    "contacts": "intake",
    "notices": "intake",
    "orders": "dispatcher",
    "engineers": "dispatcher",
    "plans": "dispatcher",
    "calendars": "dispatcher",
    "slas": "dispatcher",
    "dispatch-rules": "dispatcher",
    "decisions": "dispatcher",
    "replans": "dispatcher",
    "slots": "dispatcher",
    "visits": "fieldwork",
    "price-lists": "fieldwork",
    "service-codes": "fieldwork",
    "coverages": "fieldwork",
    "parts": "inventory",
    "places": "inventory",
    "rmas": "inventory",
    "stock": "inventory",
    "transfers": "inventory",
    "reservations": "inventory",
    "surveys": "quality",
    "inspections": "quality",
    "alerts": "quality",
    "complaints": "quality",
    "standards": "quality",
    "staff-surveys": "quality",
    "reports": "reporting",
    "forecasts": "reporting",
    "events": "reporting",
    "live": "reporting",
    "audit": "reporting",
    "record-templates": "fieldwork",
    "entitlements": "fieldwork",
    "payouts": "fieldwork",
    "search": "reporting",
}
"""The resource under /v1 and the service whose it is; `owners_of` reads it from the services where they are at hand."""

OF_EACH: Final = ("deadletters", "operations")
"""Under these resources every service has a part of its own, which the path names next."""

HELD_S = 10.0
"""How long a command waits for a process that writes."""

CONNECTIONS = httpx.Limits(max_connections=1_000, keepalive_expiry=4)
"""Fewer seconds than a service keeps a connection that is not used."""

PAUSE_S = 0.1
SILENT_S = 1.0
"""After so long without an answer it is asked whether another writes by now."""
DOWN_S = 2.0
"""How long a replica that did not answer is asked after the others."""

_OWN_TO_A_CONNECTION: Final = frozenset(
    {
        b"connection",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

log = structlog.get_logger()


class Proxy:
    """An ASGI app: what a service owns goes to that service, all else to the gateway's own app."""

    def __init__(
        self,
        own: ASGIApp,
        replicas: Mapping[str, Sequence[str]],
        secret: str,
        *,
        owners: Mapping[str, str] = OWNERS,
        client: httpx.AsyncClient | None = None,
        held_s: float = HELD_S,
    ) -> None:
        """`replicas` are the addresses of each service's processes, `secret` the internal one that they share."""
        self._own, self._owners, self._held_s = own, owners, held_s
        self._replicas = {service: [url.rstrip("/") for url in urls] for service, urls in replicas.items()}
        self._headers = {"Authorization": f"Bearer {secret}"}
        # httpx's own transport takes a millisecond of CPU per call, this one a tenth of that.
        self._client = client or httpx.AsyncClient(transport=AiohttpTransport(limits=CONNECTIONS))
        self._holder: dict[str, str] = {}
        self._down: dict[str, float] = {}
        self._turn = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = self.owner(scope["path"]) if scope["type"] == "http" else None
        if service is None:
            await self._own(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._read(service, scope, receive, send)
        else:
            await self._command(service, scope, receive, send)

    def owner(self, path: str) -> str | None:
        """The service that owns this path, if one of ours does."""
        parts = path.split("/", 3)
        service = self._owners.get(parts[2]) if len(parts) > 2 and parts[1] == "v1" else None
        if len(parts) > 3 and parts[1] == "v1" and parts[2] in OF_EACH:
            service = parts[3].partition("/")[0]
        return service if service in self._replicas else None

    # Reads.

    async def _read(self, service: str, scope: Scope, receive: Receive, send: Send) -> None:
        refused: httpx.Response | None = None
        # Under operations whole journals are read before the first byte comes.
        live = b"text/event-stream" in dict(scope["headers"]).get(b"accept", b"") or "/v1/operations/" in scope["path"]
        for address in self._in_turn(service):
            answer = await self._unless_frozen(service, address, scope, read_s=None if live else 30)
            if answer is None:
                continue
            if answer.status_code != 503:
                await self._pass_on(answer, receive, send)
                return
            if refused is not None:
                await refused.aclose()
            refused = answer
        if refused is not None:
            await self._pass_on(refused, receive, send)
        else:
            await _away(service, scope, receive, send)

    async def _unless_frozen(
        self, service: str, address: str, scope: Scope, read_s: float | None
    ) -> httpx.Response | None:
        """The answer of this replica; None when it gives none, or does not even say who writes and there are others."""

        async def is_frozen() -> bool:
            if len(self._replicas[service]) == 1 or await self._says_anything(address):
                return False
            self._down[address] = monotonic() + DOWN_S
            log.warning("replica_is_silent", address=address)
            return True

        return await _unless(self._try(address, scope, b"", _headers(scope), read_s), is_frozen)

    def _in_turn(self, service: str) -> list[str]:
        addresses = self._replicas[service]
        first = next(self._turn) % len(addresses)
        turned = addresses[first:] + addresses[:first]
        now = monotonic()
        return sorted(turned, key=lambda address: self._down.get(address, 0.0) > now)

    # Commands.

    async def _command(self, service: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole(receive)
        if body is None:
            await problem(Request(scope), "body.too-large", {})(scope, receive, send)
            return
        headers = _headers(scope)
        if not any(name == b"idempotency-key" for name, _ in headers):
            headers.append((b"idempotency-key", str(uuid4()).encode()))
        until = monotonic() + self._held_s
        while (left := until - monotonic()) > 0:
            if address := await self._who_writes(service):
                answer = await self._unless_taken_over(service, address, scope, body, headers, read_s=left)
                if answer is not None and not (answer.status_code == 503 and RETRY in answer.headers):
                    await self._pass_on(answer, receive, send)
                    return
                if answer is not None:
                    await answer.aclose()
                self._holder.pop(service, None)
                telemetry.HELD_COMMANDS.labels(service).inc()
            await asyncio.sleep(PAUSE_S)
        await _away(service, scope, receive, send)

    async def _unless_taken_over(
        self, service: str, address: str, scope: Scope, body: bytes, headers: list[tuple[bytes, bytes]], read_s: float
    ) -> httpx.Response | None:
        """
        The answer of the process that writes; None when it gives none, or is silent while another writes already.

        One that is frozen, or cut off from its database, keeps its connections and says nothing.
        """

        async def is_taken_over() -> bool:
            if await self._said_to_write(service) in ("", address):
                return False
            log.warning("holder_is_silent", address=address)
            return True

        return await _unless(self._try(address, scope, body, headers, read_s), is_taken_over)

    async def _who_writes(self, service: str) -> str:
        if known := self._holder.get(service):
            return known
        if holder := await self._said_to_write(service):
            self._holder[service] = holder
        return holder

    async def _said_to_write(self, service: str) -> str:
        said = await asyncio.gather(*[self._ask_who_writes(address) for address in self._replicas[service]])
        # One that says it of itself knows; the others may not have heard yet.
        own = [told for told, address in zip(said, self._replicas[service], strict=True) if told == address]
        return next((told for told in [*own, *said] if told), "")

    async def _ask_who_writes(self, address: str) -> str:
        try:
            answer = await self._look_at_holder(address)
            return str(answer.raise_for_status().json()["holder"]).rstrip("/")
        except (httpx.HTTPError, ValueError, KeyError):
            return ""

    async def _says_anything(self, address: str) -> bool:
        try:
            await self._look_at_holder(address)
        except httpx.HTTPError:
            return False
        return True

    async def _look_at_holder(self, address: str) -> httpx.Response:
        return await self._client.get(f"{address}/internal/holder", headers=self._headers, timeout=1)

    # Both.

    async def _try(
        self, address: str, scope: Scope, body: bytes, headers: list[tuple[bytes, bytes]], read_s: float | None
    ) -> httpx.Response | None:
        """The answer of this replica, not read yet; None when it gives none."""
        query = scope["query_string"]
        url = address.encode() + scope["raw_path"] + (b"?" + query if query else b"")
        timeout = httpx.Timeout(connect=1, read=read_s, write=10, pool=5)
        request = self._client.build_request(
            scope["method"], httpx.URL(url.decode("ascii")), headers=headers, content=body, timeout=timeout
        )
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.TransportError as error:
            self._down[address] = monotonic() + DOWN_S
            log.warning("replica_does_not_answer", address=address, error=repr(error))
            return None
        self._down.pop(address, None)
        return answer

    async def _pass_on(self, answer: httpx.Response, receive: Receive, send: Send) -> None:
        """The answer as it comes, until it ends or the caller has gone."""
        passing = asyncio.create_task(_stream(answer, send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait([passing, gone], return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
        finally:
            for task in (passing, gone):
                task.cancel()
            await asyncio.gather(passing, gone, return_exceptions=True)
            await answer.aclose()


async def _unless(
    trying: Coroutine[Any, Any, httpx.Response | None], is_lost: Callable[[], Awaitable[bool]]
) -> httpx.Response | None:
    """What is tried; None also where after each second of silence it is asked whether it is lost, and it is."""
    task = asyncio.create_task(trying)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=SILENT_S)
            if not task.done() and await is_lost() and not task.done():
                return None
        return task.result()
    finally:
        task.cancel()


async def _stream(answer: httpx.Response, send: Send) -> None:
    headers = [(name.lower(), value) for name, value in answer.headers.raw]
    headers = [(name, value) for name, value in headers if name not in _OWN_TO_A_CONNECTION]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    async for part in answer.aiter_raw():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _whole(receive: Receive) -> bytes | None:
    """The body, kept so that it can be sent again; None when it is longer than any that a service takes."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > PHOTO_BYTES:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The caller's headers, with the address that they call from."""
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name not in _OWN_TO_A_CONNECTION and name not in (b"content-length", b"x-forwarded-for")
    ]
    client: Any = scope.get("client")
    return [*kept, (b"x-forwarded-for", str(client[0]).encode())] if client else kept


async def _away(service: str, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem(Request(scope), "service.away", {"service": service}, headers={"Retry-After": "5"})
    await answer(scope, receive, send)


def owners_of(routes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """
    The table from what each service mounts: `{"intake": ["/v1/requests", …]}` → `{"requests": "intake", …}`.

    Raises ValueError for a resource that two services claim.
    """
    owners: dict[str, str] = {}
    for service, paths in routes.items():
        for path in paths:
            parts = path.split("/")
            if len(parts) > 2 and parts[1] == "v1" and owners.setdefault(parts[2], service) != service:
                raise ValueError(f"/v1/{parts[2]} is claimed by {owners[parts[2]]} and {service}")
    return owners

"""
The processes of Fieldloop: all in one, one service by itself, or the gateway before them.

Each is the same parts: a Host with services, an app over their routes, and a server that ends in good order.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from services.chassis.auth import Tokens
from services.chassis.clock import Clock, SystemClock
from services.chassis.http.app import service_app
from services.chassis.service import Service
from services.gateway.edge import edge_app
from services.gateway.persons import KeyBook, PersonKeys, PostgresBook, RemoteBook, SqliteBook, key_routes
from services.gateway.proxy import Proxy
from services.gateway.sessions import GatewayApi, session_routes
from services.gateway.users import FILE as USERS_FILE
from services.gateway.users import Users
from services.host import Host, discover, until_told
from services.settings import BadSetting, Settings


def tokens_of(settings: Settings, clock: Clock) -> Tokens:
    """The keys that sign and verify tokens; every process of an installation has the same file."""
    settings.data.mkdir(parents=True, exist_ok=True)
    return Tokens.from_file(settings.data / "tokens.json", clock)


def internal_secret(settings: Settings) -> str:
    """What our own processes know each other by; made at the first start, readable by its owner only."""
    path = settings.data / "internal-secret"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with open(file, "w") as out:
        out.write(secrets.token_urlsafe(32))
    return path.read_text()


@asynccontextmanager
async def key_book(settings: Settings) -> AsyncIterator[KeyBook]:
    """The keys of persons: the gateway's where there is one, else in this installation's own store."""
    if settings.gateway:
        yield RemoteBook(settings.gateway, internal_secret(settings))
    elif settings.dsn:
        postgres = await PostgresBook.connect(settings.dsn)
        yield postgres
        await postgres.close()
    else:
        sqlite = SqliteBook(settings.data / "persons.db")
        yield sqlite
        sqlite.close()


@asynccontextmanager
async def host_of(
    settings: Settings, services: Collection[Service] | None = None, *, clock: Clock | None = None
) -> AsyncIterator[Host]:
    """These services, or all, running in this process without an HTTP port."""
    settings.data.mkdir(parents=True, exist_ok=True)
    async with key_book(settings) as book:
        keys = PersonKeys(book)
        chosen = discover().values() if services is None else services
        async with Host(settings, chosen, keys, clock=clock, address=_address(settings)) as host:
            yield host


def _address(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"


@asynccontextmanager
async def all_in_one(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[tuple[Host, ASGIApp]]:
    """Every service and the gateway in this process, behind one app."""
    clock = clock or SystemClock()
    async with host_of(settings, clock=clock) as host:
        app = edge_app(
            [running.service.routes(running) for running in host.running.values()],
            tokens=tokens_of(settings, clock),
            users=Users(settings.data / USERS_FILE),
            clock=clock,
            ready=host.ready(),
        )
        yield host, app


@asynccontextmanager
async def one_service(settings: Settings, name: str) -> AsyncIterator[tuple[Host, ASGIApp]]:
    """One service by itself; the gateway leads to it."""
    services = discover()
    if name not in services:
        raise BadSetting(f"there is no service {name!r}: give one of {', '.join(services)}")
    clock = SystemClock()
    async with host_of(settings, [services[name]], clock=clock) as host:
        running = host.running[name]
        app = service_app(
            [services[name].routes(running)],
            tokens=tokens_of(settings, clock),
            ready=host.ready(),
            holder=lambda: _address(settings) if host.leads(name) else "",
            internal_secret=internal_secret(settings),
            title=f"Fieldloop {name}",
        )
        yield host, app


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[ASGIApp]:
    """The gateway before services that run by themselves."""
    clock = SystemClock()
    tokens, secret = tokens_of(settings, clock), internal_secret(settings)
    async with key_book(settings) as book:
        routers = [
            session_routes(Users(settings.data / USERS_FILE), tokens, clock),
            key_routes(book, GatewayApi(clock)),
        ]
        own = service_app(routers, tokens=tokens, internal_secret=secret)
        yield Proxy(own, settings.addresses, secret)


class Server(uvicorn.Server):
    """Leaves the signals to us, so that the journals are finished before the port closes."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(settings: Settings, app: ASGIApp) -> AsyncIterator[str]:
    """The app on its port; the address is given once it answers. Raises BadSetting for a port that is in use."""
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((settings.host, settings.port))
    except OSError as error:
        door.close()
        raise BadSetting(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): set FIELDLOOP_PORT"
        ) from None
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=3)
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[door]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        yield f"http://{settings.host}:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def run(settings: Settings, what: str, told: Callable[[str], None]) -> None:
    """
    Run `all`, `gateway` or one service until SIGTERM or SIGINT; `told` the address once it answers.

    At the end, what was asked is finished and the lease given back first, then the port closes.
    """
    if what == "gateway":
        async with gateway(settings) as app, listening(settings, app) as address:
            told(address)
            await until_told()
        return
    parts = all_in_one(settings) if what == "all" else one_service(settings, what)
    async with parts as (host, app), listening(settings, app) as address:
        told(address)
        await until_told()
        await host.stop_leading()

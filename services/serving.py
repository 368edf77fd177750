"""
The processes of Fieldloop: all in one, one service by itself, or the gateway before them.

Each is the same parts: a Host with services, an app over their routes, and a server that ends in good order.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import uvicorn
from fastapi import APIRouter
from joserfc.jwk import OKPKey
from starlette.types import ASGIApp

from services.chassis.auth import Link, Tokens
from services.chassis.bus.kafka import KafkaDeadLetters
from services.chassis.clock import EPOCH, Clock, SetClock, SystemClock
from services.chassis.http.app import service_app
from services.chassis.messages.kinds import Medium
from services.chassis.messages.message import LinkTo, Provider
from services.chassis.messages.outlets import Outlets
from services.chassis.messages.smtp import Smtp
from services.chassis.messages.webhook import Webhook
from services.chassis.running import Running
from services.chassis.service import Api, Service
from services.deadletters.api import routes as deadletter_routes
from services.gateway.edge import edge_app
from services.gateway.forgetting import Ledger, forget_again
from services.gateway.oidc import Client, OpenIdProvider, rows_of
from services.gateway.pages import page_routes
from services.gateway.persons import KeyBook, OwnBook, PersonKeys, PostgresBook, RemoteBook, SqliteBook, key_routes
from services.gateway.proxy import Proxy
from services.gateway.sessions import GatewayApi, session_routes
from services.gateway.users import FILE as USERS_FILE
from services.gateway.users import Users
from services.host import Host, discover, letter_file, told_to_end
from services.operating.api import routes as operation_routes
from services.proof.notes import BadNote, Signer, Verifier
from services.settings import BadSetting, Settings

PERSONS_FILE: Final = "persons.db"
SIGNING_KEY: Final = "checkpoint-key.pem"
"""What lies in the data folder and nothing can replace: the keys of persons, and the key that signs checkpoints."""

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
NOT_OURS: Final = (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN)
"""What the system says of an address that is none of this machine's."""


def tokens_of(settings: Settings, clock: Clock) -> Tokens:
    """
    The keys that sign and verify tokens; every process of an installation has the same file.

    And the same accounts: a token of a user who is suspended meanwhile is good no more, in any process.
    """
    path = settings.folder() / "tokens.json"
    _make_once(path, lambda aside: Tokens.from_file(aside, clock))
    return Tokens.from_file(path, clock, Users(settings.data / USERS_FILE).ended)


def signer_of(settings: Settings) -> Signer:
    """What signs the checkpoints of this installation. Raises BadSetting."""
    path = settings.folder() / SIGNING_KEY
    _make_once(path, Signer.write)
    try:
        return Signer.from_file(path)
    except BadNote as error:
        raise BadSetting(f"FIELDLOOP_DATA: {error}: put the key back that was there") from None


def provider_of(settings: Settings, clock: Clock) -> OpenIdProvider | None:
    """The OpenID Connect provider that is set; None without one. Raises BadSetting."""
    if not settings.oidc_issuer:
        return None
    try:
        rows = rows_of(settings.oidc_roles)
    except ValueError as wrong:
        raise BadSetting(f"FIELDLOOP_OIDC_ROLES: {wrong}") from None
    client = Client(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        secret=settings.oidc_client_secret,
        rows=rows,
        person_claim=settings.oidc_person_claim,
        back_to=f"{settings.public_url.rstrip('/')}/",
    )
    return OpenIdProvider(client, clock)


def internal_secret(settings: Settings) -> str:
    """What our own processes know each other by; made at the first start, readable by its owner only."""
    path = settings.folder() / "internal-secret"
    _make_once(path, _write_secret)
    return path.read_text()


def _write_secret(path: Path) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(secrets.token_urlsafe(32))


def _make_once(path: Path, write: Callable[[Path], object]) -> None:
    """Have the file written aside and put in place whole: processes that start together all read the first one's."""
    if path.exists():
        return
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    write(aside)
    with suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()


def ledger_of(settings: Settings) -> Ledger:
    """Who was forgotten; it lies with the checkpoints, apart from what a backup puts back."""
    return Ledger(settings.checkpoint_folder)


@asynccontextmanager
async def key_book(settings: Settings) -> AsyncIterator[KeyBook]:
    """The keys of persons: the gateway's where there is one, else in this installation's own store."""
    if settings.gateway:
        yield RemoteBook(settings.gateway, internal_secret(settings))
    else:
        async with own_key_book(settings) as book:
            yield book


@asynccontextmanager
async def own_key_book(settings: Settings) -> AsyncIterator[OwnBook]:
    """The keys in this installation's own store; those of whoever was forgotten are gone, whatever was put back."""
    # A message that nobody could read may have come back with an older backup, too.
    await without_letters(settings, {one.person for one in ledger_of(settings).all()})
    if settings.dsn:
        postgres = await PostgresBook.connect(settings.dsn)
        await forget_again(postgres, ledger_of(settings))
        yield postgres
        await postgres.close()
    else:
        sqlite = SqliteBook(settings.data / PERSONS_FILE)
        await forget_again(sqlite, ledger_of(settings))
        yield sqlite
        sqlite.close()


async def without_letters_in_topics(settings: Settings, persons: Collection[str]) -> int:
    """The same in the topics of Kafka, where it is used. Raises KafkaError where that does not answer."""
    emptied = 0
    if settings.cluster is None:
        return emptied
    for name in discover():
        letters = KafkaDeadLetters(name, settings.cluster)
        try:
            emptied += await letters.forget(persons)
        finally:
            await letters.close()
    return emptied


async def without_letters(settings: Settings, persons: Collection[str]) -> int:
    """Empty the messages that nobody could read and that name one of these, in files; returns how many."""
    files = [letter_file(settings, name) for name in discover()]
    return sum([await asyncio.to_thread(file.forget, persons) for file in files if persons and file.path.exists()])


def outlets_of(settings: Settings, clock: Clock) -> Outlets:
    """The providers that the settings name, so that customers are told; without any, nobody is."""
    providers: dict[Medium, Provider] = {}
    if settings.mail:
        providers["mail"] = Smtp(settings.mail, settings.mail_from)
    gateways: dict[Medium, str] = {"text": settings.text, "wechat": settings.wechat}
    for medium, url in gateways.items():
        if url:
            providers[medium] = Webhook(url, settings.webhook_secret, clock)
    tokens = tokens_of(settings, clock)

    def link(tenant: str, to: LinkTo, made_at: datetime) -> str:
        return tokens.issue_link(Link(tenant, to.purpose, to.subject), to.ends_at - made_at, made_at)

    return Outlets(providers, url=settings.public_url, quiet_hours=settings.quiet_hours, link=link)


@asynccontextmanager
async def host_of(
    settings: Settings, services: Collection[Service] | None = None, *, clock: Clock | None = None
) -> AsyncIterator[Host]:
    """These services, or all, running in this process without an HTTP port."""
    settings.folder()
    async with key_book(settings) as book:
        keys = PersonKeys(book)
        chosen = discover().values() if services is None else services
        outlets, signer = outlets_of(settings, clock or SystemClock()), signer_of(settings)
        address = _address(settings)
        try:
            async with Host(
                settings, chosen, keys, clock=clock, address=address, signer=signer, outlets=outlets
            ) as host:
                yield host
        finally:
            await outlets.close()


def _address(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"


@asynccontextmanager
async def all_in_one(
    settings: Settings, *, clock: Clock | None = None, more: Sequence[APIRouter] = ()
) -> AsyncIterator[tuple[Host, ASGIApp]]:
    """Every service and the gateway in this process, behind one app, which has `more` beside their routes."""
    _judge_accounts(settings)
    clock = clock or SystemClock()
    async with host_of(settings, clock=clock) as host:
        app = edge_app(
            [
                *[running.service.routes(running) for running in host.running.values()],
                *_routes_of_each(host.running, settings, clock, signer_of(settings).verifier),
                *more,
            ],
            tokens=tokens_of(settings, clock),
            users=Users(settings.data / USERS_FILE),
            clock=clock,
            portal=settings.portal,
            provider=provider_of(settings, clock),
            ready=host.ready(),
        )
        yield host, app


@asynccontextmanager
async def one_service(settings: Settings, name: str) -> AsyncIterator[tuple[Host, ASGIApp]]:
    """One service by itself; the gateway leads to it."""
    services = discover()
    if name not in services:
        raise BadSetting(f"there is no service {name!r}: give one of {', '.join(services)}, or gateway")
    clock = SystemClock()
    async with host_of(settings, [services[name]], clock=clock) as host:
        running = host.running[name]
        app = service_app(
            [
                services[name].routes(running),
                *_routes_of_each({name: running}, settings, clock, signer_of(settings).verifier),
            ],
            tokens=tokens_of(settings, clock),
            ready=host.ready(),
            holder=lambda: _address(settings) if host.leads(name) else "",
            internal_secret=internal_secret(settings),
            title=f"Fieldloop {name}",
        )
        yield host, app


def _routes_of_each(
    running: Mapping[str, Running], settings: Settings, clock: Clock, verifier: Verifier | None = None
) -> list[APIRouter]:
    """The resources of which every service has a part."""
    return [deadletter_routes(running, clock), operation_routes(running, settings, clock, verifier)]


@asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[ASGIApp]:
    """The gateway before services that run by themselves."""
    _judge_accounts(settings)
    clock = SystemClock()
    tokens, secret = tokens_of(settings, clock), internal_secret(settings)
    users = Users(settings.data / USERS_FILE)
    async with key_book(settings) as book:
        routers = [
            session_routes(users, tokens, clock, settings.portal, provider_of(settings, clock)),
            page_routes(),
            key_routes(book, GatewayApi(clock)),
        ]
        own = service_app(routers, tokens=tokens, internal_secret=secret, document=whole_document)
        yield Proxy(own, settings.addresses, secret)


class _Nobody:
    """An Api that describes routes and answers nothing; no store is opened for a page."""

    def __init__(self, name: str) -> None:
        self.name = name


@cache
def whole_document() -> dict[str, Any]:
    """OpenAPI of the whole edge: the routes of every service and of the gateway."""
    routers = [service.routes(cast(Api, _Nobody(name))) for name, service in discover().items()]
    clock = SetClock(EPOCH + timedelta(days=1))
    routers += _routes_of_each({}, Settings(), clock)
    tokens = Tokens([OKPKey.generate_key("Ed25519", parameters={"kid": "none"})], clock)
    return edge_app(routers, tokens=tokens, users=Users(Path("no-users")), clock=clock).openapi()


class Server(uvicorn.Server):
    """Leaves the signals to us, so that the journals are finished before the port closes."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _judge_accounts(settings: Settings) -> None:
    """The demo's accounts have a password that everybody knows: they are for this machine only."""
    accounts = settings.data / USERS_FILE
    if settings.host not in LOOPBACK and accounts.exists() and '@demo"' in accounts.read_text("utf-8"):
        raise BadSetting(
            f"{accounts} has the demo's accounts, whose password is known: "
            "remove them, or set FIELDLOOP_HOST to 127.0.0.1"
        )


@asynccontextmanager
async def listening(settings: Settings, app: ASGIApp) -> AsyncIterator[str]:
    """The app on its port; the address is given once it answers. Raises BadSetting for a port that is in use."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Said to be TCP, or asyncio does not switch off the wait for more (Nagle): each answer would come 40 ms later.
    door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((settings.host, settings.port))
    except OSError as error:
        door.close()
        raise BadSetting(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): "
            f"set {'FIELDLOOP_HOST' if error.errno in NOT_OURS else 'FIELDLOOP_PORT, or say --port'}"
        ) from None
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=3,
        # Longer than clients and balancers keep a connection that rests: who ends it first must be who asks.
        timeout_keep_alive=75,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[door]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        yield f"http://{host}:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def calm_collector() -> None:
    """
    Keep the garbage collector from what lives as long as the process.

    States and rows are many and hold no cycles, so a search through all of them finds nothing; by default a quarter of
    a command's time went there. What is loaded by now is never searched, what comes later at long intervals.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def run(settings: Settings, what: str, tell: Callable[[str], None]) -> None:
    """
    Run `all`, `gateway` or one service until SIGTERM or SIGINT; `tell` is given the address once it answers.

    At the end, what was asked is finished and the lease given back first, then the port closes. Told while it starts,
    it ends as soon as it has.
    """
    with told_to_end() as told:
        if what == "gateway":
            async with gateway(settings) as app, listening(settings, app) as address:
                tell(address)
                await told.wait()
            return
        parts = all_in_one(settings) if what == "all" else one_service(settings, what)
        async with parts as (host, app), listening(settings, app) as address:
            calm_collector()
            tell(address)
            await told.wait()
            await host.stop_leading()

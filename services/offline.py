"""
What the command does upon the stores: import, report, rebuild, verify, examine.

Reading goes on beside a running system; an import needs to write, so it runs the services itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from sqlalchemy import select

from deploy.kafka import local as kafka
from deploy.postgres import local as postgres
from services.audit.lag import HeldBack, Lag, held_back, lags
from services.audit.story import Instant, Line, Shown, show, tell
from services.chassis.auth import Principal
from services.chassis.clock import SystemClock, micros
from services.chassis.http.app import service_app
from services.chassis.ids import new_ids
from services.chassis.journal.sqlite import InUse
from services.chassis.journal.store import JournalStore, StreamKey, Wanted
from services.chassis.readers import rebuild as rebuilding
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.readers.viewstore import ViewStore
from services.chassis.running import Running
from services.chassis.service import Service
from services.exporting.log import Exported, Format, export
from services.gateway.forgetting import Forgotten, forget, without_accounts
from services.gateway.persons import PersonKeys
from services.gateway.users import FILE as USERS_FILE
from services.host import Host, discover, journal_file, open_to_read
from services.importing.by_url import HistoryByUrl, Told
from services.importing.history import Imported, Progress, import_history
from services.importing.mapping import Mapping as HistoryMapping
from services.importing.mapping import load
from services.proof.inclusion import NotProvable, proof_of
from services.proof.kept import Kept
from services.proof.notes import BadNote
from services.serving import host_of, key_book, ledger_of, own_key_book, signer_of, tokens_of
from services.settings import Settings
from services.verify.run import Report, Signed, verify

SETTLED_WITHIN_S = 600.0

SIDE_BY_SIDE = 200_000
"""So many records of several services are worth a process for each: it must load all this once more, in seconds."""

DEFAULT_TENANT = "default"


class CannotDo(Exception):
    """The command cannot do its work; the text says what would help."""


@asynccontextmanager
async def readers(settings: Settings, names: Collection[str]) -> AsyncIterator[dict[str, JournalStore]]:
    """The journals of these services, to read. Raises CannotDo where there is none."""
    async with AsyncExitStack() as opened:
        journals: dict[str, JournalStore] = {}
        for name in names:
            if not settings.dsn and not journal_file(settings, name).exists():
                raise CannotDo(f"{settings.data} has no journal of {name}: run `fieldloop demo`, or say --data DIR")
            journals[name] = await open_to_read(settings, name)
            opened.push_async_callback(journals[name].close)
        yield journals


async def _open_views(settings: Settings, service: Service, *, readonly: bool) -> ViewStore:
    if settings.dsn:
        return await PostgresViews.open(settings.dsn, service.name, service.views, readonly=readonly)
    return await SqliteViews.open(settings.folder(service.name) / "views.db", service.views, readonly=readonly)


# Import.


async def import_file(
    settings: Settings,
    file: Path,
    mapping: Path,
    *,
    tenant: str,
    rejects: Path,
    progress: Callable[[Progress], None],
) -> Imported:
    """Record a file of history and wait until every view shows it. Raises BadMapping, Unusable, CannotDo."""
    what = load(mapping)
    if settings.url:
        return await _import_by_url(settings, file, what, tenant, rejects, progress)
    recorder = next((service for service in discover().values() if service.history), None)
    if recorder is None or recorder.history is None:
        raise CannotDo("no installed service records history: install this package with all its services")
    async with _host(settings) as host:
        writer = host.running[recorder.name].writer
        assert writer
        imported = await import_history(
            file,
            what,
            writer.ask,
            make_command=recorder.history,
            rejects=rejects,
            tenant=tenant,
            progress=progress,
        )
        # What was recorded is to be seen by the next command, which may be a report.
        if not await host.idle(SETTLED_WITHIN_S):
            raise CannotDo("the rows are recorded, but a view does not come on: `fieldloop doctor` says which")
    return imported


async def _import_by_url(
    settings: Settings,
    file: Path,
    what: HistoryMapping,
    tenant: str,
    rejects: Path,
    progress: Callable[[Progress], None],
) -> Imported:
    """The same through the gateway of a running system, whose key file is in our data folder."""
    tokens = tokens_of(settings, SystemClock())

    def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {tokens.issue(Principal('cli-import', tenant, 'operator', channel='api'))}"}

    async with httpx.AsyncClient(base_url=settings.url, timeout=60) as client:
        sender = HistoryByUrl(client, headers, what.source)
        sending = asyncio.create_task(sender.run())
        try:
            imported = await import_history(
                file,
                what,
                sender.ask,
                make_command=Told,
                rejects=rejects,
                tenant=tenant,
                progress=progress,
            )
        finally:
            sending.cancel()
    if not await settled(settings):
        raise CannotDo("the rows are recorded, but a service does not come on: `fieldloop doctor` says which")
    return imported


@asynccontextmanager
async def _host(settings: Settings) -> AsyncIterator[Host]:
    """The services in this process, once they may write. Raises CannotDo where another one does."""
    through = "or import through it with FIELDLOOP_URL=http://HOST:PORT"
    async with AsyncExitStack() as opened:
        try:
            host = await opened.enter_async_context(host_of(settings))
        except InUse as other:
            raise CannotDo(f"{other}, {through}") from None
        if not await host.led(within=30):
            raise CannotDo(f"another process writes to these stores: stop it first, {through}")
        yield host


# Reports.


async def report(settings: Settings, name: str, tenant: str | None, asked: dict[str, Any]) -> Any:
    """
    What the route of the report answers, read from the views as they lie there; without a tenant, of the only one.

    With it the tenant, and which there are. Raises CannotDo.
    """
    answer, whose = await _report(settings, name, tenant, asked)
    return answer.json() | whose


async def report_file(settings: Settings, name: str, tenant: str | None, asked: dict[str, Any]) -> bytes:
    """The same as a file of the `format` that is asked for."""
    answer, _ = await _report(settings, name, tenant, asked)
    return answer.content


async def _report(
    settings: Settings, name: str, tenant: str | None, asked: dict[str, Any]
) -> tuple[httpx.Response, dict[str, Any]]:
    service = discover()["reporting"]
    clock = SystemClock()
    async with AsyncExitStack() as opened:
        journals = await opened.enter_async_context(readers(settings, [service.name]))
        book = await opened.enter_async_context(key_book(settings))
        views = await _open_views(settings, service, readonly=True)
        opened.push_async_callback(views.close)
        running = Running(
            service,
            journals[service.name],
            views,
            settings.folder(service.name),
            keys=PersonKeys(book),
            clock=clock,
            new_id=new_ids(lambda: micros(clock.now()) // 1_000),
        )
        tokens = tokens_of(settings, clock)
        app = service_app([service.routes(running)], tokens=tokens)
        tenants = sorted((await journals[service.name].head()).chains)
        tenant = tenant or _only_one(tenants)
        signed = tokens.issue(Principal("cli", tenant, "manager", channel="api"))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://reporting")
        await opened.enter_async_context(client)
        headers = {"Authorization": f"Bearer {signed}"}
        answer = await client.get(f"/v1/reports/{name}", params=asked, headers=headers)
        offered = await client.get("/v1/reports", headers=headers)
    if answer.status_code == 404:
        raise CannotDo(f"there is no report {name!r}: give one of {', '.join(one['name'] for one in offered.json())}")
    if answer.is_error:
        problem = answer.json()
        wrong = [f"{one['field']}: {one['problem']}" for one in problem.get("errors", ())]
        raise CannotDo("; ".join(wrong) or f"{problem['title']}: {problem.get('detail')} {problem.get('remedy')}")
    return answer, {"tenant": tenant, "tenants": tenants}


def _only_one(tenants: Collection[str]) -> str:
    """Whose figures are meant where nobody says it. Raises CannotDo where it may be any of several."""
    if len(tenants) > 1 and DEFAULT_TENANT not in tenants:
        raise CannotDo(f"the stores hold several tenants: give --tenant, one of {', '.join(sorted(tenants))}")
    return DEFAULT_TENANT if len(tenants) != 1 else next(iter(tenants))


# Rebuild.


@dataclass(frozen=True)
class Rebuilt:
    """One view, folded anew and compared with the one that lives."""

    service: str
    view: str
    rows: int
    identical: bool
    difference: str
    put_in_place: bool
    """What was folded anew is what is read from now on."""

    @property
    def well(self) -> bool:
        """Whether what is read from now on is right."""
        return self.identical or self.put_in_place


async def rebuild(
    settings: Settings, names: Collection[str], check_only: bool, progress: Callable[[int], None]
) -> list[Rebuilt]:
    """Fold the views of these services anew; where all is well and it is wanted, put them in place."""
    services = discover()
    if unknown := set(names) - services.keys():
        raise CannotDo(f"there is no service {', '.join(sorted(unknown))}: give one of {', '.join(services)}, or all")
    results: list[Rebuilt] = []
    async with readers(settings, names) as journals:
        records = {name: (await journals[name].head()).position for name in names}
        if len(records) > 1 and sum(records.values()) >= SIDE_BY_SIDE:
            return await _side_by_side(settings, records, check_only, progress)
        for name in names:
            live = await _open_views(settings, services[name], readonly=False)
            try:
                results += await rebuild_one(name, journals[name], live, progress, swap=not check_only)
            finally:
                await live.close()
    return results


async def _side_by_side(
    settings: Settings, records: Mapping[str, int], check_only: bool, progress: Callable[[int], None]
) -> list[Rebuilt]:
    """Each service in a process of its own, as many at a time as there are cores, the longest journals first."""

    async def alone(name: str) -> list[Rebuilt]:
        found = await asyncio.get_running_loop().run_in_executor(pool, _rebuild_alone, settings, name, check_only)
        progress(records[name])
        return found

    names = sorted(records, key=lambda name: -records[name])
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        found = dict(zip(names, await asyncio.gather(*map(alone, names)), strict=True))
    return [one for name in records for one in found[name]]


def _rebuild_alone(settings: Settings, name: str, check_only: bool) -> list[Rebuilt]:
    return asyncio.run(rebuild(settings, [name], check_only, lambda read: None))


async def rebuild_one(
    name: str, journal: JournalStore, live: ViewStore, progress: Callable[[int], None], *, swap: bool
) -> list[Rebuilt]:
    """One service's views, beside those that live."""
    fresh = await live.beside()
    done = 0

    def tell(position: int, of: int) -> None:
        nonlocal done
        progress(max(0, position - done))
        done = max(done, position)

    report = await rebuilding.rebuild(journal, live, fresh, tell)
    compared = await rebuilding.check(journal, live, fresh)
    swap = swap and not report.failed
    if swap:
        await live.become(fresh)
    else:
        await fresh.close()
    return [
        Rebuilt(
            name,
            one.view,
            one.rows,
            one.difference is None and one.view not in report.failed,
            one.difference or report.failed.get(one.view, ""),
            swap,
        )
        for one in compared
    ]


# Verify.


async def verify_stores(settings: Settings, progress: Callable[[int], None] = lambda read: None) -> Report:
    services = discover()
    async with readers(settings, services) as journals:
        return await verify(services, journals, progress, signed_by(settings))


def signed_by(settings: Settings) -> Signed | None:
    """The checkpoints of this installation; None where nothing was ever signed."""
    if not settings.checkpoint_folder.exists():
        return None
    return Signed(settings.checkpoint_folder, signer_of(settings).verifier)


async def prove(settings: Settings, tenant: str | None, request_id: str) -> dict[str, Any]:
    """The proof of all that is recorded of a request. Raises CannotDo."""
    signed, services = signed_by(settings), discover()
    if signed is None:
        raise CannotDo("nothing is signed yet: checkpoints are made every minute while the services run")
    async with readers(settings, services) as journals:
        tenants = sorted((await journals["intake"].head()).chains)
        whose = tenant or _only_one(tenants)
        records = {name: await journal.story(whose, request_id) for name, journal in journals.items()}
    kept = {name: Kept(signed.folder, name) for name in records}
    try:
        return proof_of(f"request {request_id}", records, kept, signed.verifier)
    except (NotProvable, BadNote) as error:
        raise CannotDo(str(error)) from None


# Forget.


@dataclass(frozen=True)
class Erasure:
    """What was done to forget a person."""

    person: str
    tenant: str
    had_key: bool
    """Whether there was anything that only this key opens."""
    accounts: int
    """So many accounts were taken away."""


async def forget_person(settings: Settings, tenant: str, person: str, by: str) -> Erasure:
    """
    Destroy the person's key, for good. A running system reads nothing of theirs any more within a minute.

    Raises CannotDo where nobody has that name: a name that is mistyped would say that it was done.
    """
    if settings.gateway:
        raise CannotDo("the keys are the gateway's: forget persons where the gateway runs, without FIELDLOOP_GATEWAY")
    async with own_key_book(settings) as book:
        known = await book.known([(tenant, person)])
        if not known:
            raise CannotDo(f"nothing is sealed for {person} in {tenant}: give the id of a customer or an engineer")
        await forget(book, ledger_of(settings), Forgotten(tenant, person, by, SystemClock().now()))
    accounts = without_accounts(settings.data / USERS_FILE, tenant, person)
    return Erasure(person, tenant, known[0].secret is not None, accounts)


# Audit.


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
        whose = tenant or _only_one(sorted((await journals["intake"].head()).chains))
        found = {name: await journal.story(whose, subject) for name, journal in journals.items()}
        if not any(found.values()):
            # It may be a number, which only a view knows; an id is found also where no view was made yet.
            subject = await _request_numbered(settings, whose, subject)
            found = {name: await journal.story(whose, subject) for name, journal in journals.items()}
        records = [entry.record for entries in found.values() for entry in entries]
        if "/" in subject:
            records += await _of_stream(services, journals, StreamKey(whose, subject))
        if not records:
            raise CannotDo(f"nothing is recorded of {subject} in the tenant {whose}: give a request's id or number")
    shown = {name: show(services[name].views, entries, instant) for name, entries in found.items()}
    shown = {name: views for name, views in shown.items() if views}
    return Audit(subject, whose, tell(records, instant), shown, round(time.monotonic() - begun, 3))


async def _of_stream(
    services: Mapping[str, Service], journals: Mapping[str, JournalStore], key: StreamKey
) -> list[bytes]:
    kind = key.stream.partition("/")[0]
    for name, service in services.items():
        if kind in service.rules.stream_of:
            return (await journals[name].load(Wanted(streams={key}))).streams.get(key, [])
    return []


async def _request_numbered(settings: Settings, tenant: str, subject: str) -> str:
    """The id of the request with this number; what is no number stays as it is."""
    if not subject or "/" in subject:
        return subject
    service = discover()["intake"]
    views = await _open_views(settings, service, readonly=True)
    try:
        table = next(view for view in service.views if view.name == "requests").table
        query = select(table.c.request_id).where(table.c.tenant == tenant, table.c.number == subject)
        found = await views.fetch(query)
    finally:
        await views.close()
    return str(found[0]["request_id"]) if found else subject


@dataclass(frozen=True)
class Behind:
    """Who has still something to do."""

    lags: list[Lag]
    held: list[HeldBack]


async def behind(settings: Settings) -> Behind:
    """Every reader of every journal, and what is held back."""
    services, now = discover(), SystemClock().now()
    found = Behind([], [])
    async with readers(settings, services) as journals:
        for name, service in services.items():
            views = await _open_views(settings, service, readonly=True)
            try:
                positions = await views.positions()
            finally:
                await views.close()
            found.lags.extend(await lags(service, journals[name], positions, bool(settings.cluster), now))
            found.held.extend(await held_back(service, journals[name]))
    return found


async def export_log(settings: Settings, tenant: str | None, form: Format, path: Path) -> Exported:
    """Write the public events of a tenant for other tools. Raises CannotDo."""
    async with readers(settings, discover()) as journals:
        whose = tenant or _only_one(sorted((await journals["intake"].head()).chains))
        return await export(journals, whose, form, path)


async def settled(settings: Settings, within: float = SETTLED_WITHIN_S) -> bool:
    """Wait until a running system has taken in and shows all it recorded; False when that does not come in time."""
    services = discover()
    async with AsyncExitStack() as opened:
        journals = await opened.enter_async_context(readers(settings, services))
        views = {}
        for name, service in services.items():
            views[name] = await _open_views(settings, service, readonly=True)
            opened.push_async_callback(views[name].close)

        async def heads() -> dict[str, int]:
            return {name: (await journal.head()).position for name, journal in journals.items()}

        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while True:
                    before = await heads()
                    shown = {name: await views[name].positions() for name in services}
                    behind = any(min(at.values(), default=before[n]) < before[n] for n, at in shown.items())
                    checked = behind or (await verify(services, journals)).behind
                    if not checked and before == await heads():
                        return True
                    await asyncio.sleep(0.2)
    return False


# Doctor.


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    well: bool
    finding: str
    remedy: str = ""


async def examine(settings: Settings) -> list[Check]:
    """What this installation has and lacks. What only the distributed form needs is well where it is not used."""
    services = discover()
    checks = [
        Check("services", len(services) == 6, ", ".join(services), "" if len(services) == 6 else "pip install -e ."),
        _writable(settings),
        await _kafka(settings),
        await _postgres(settings),
        _docker(),
    ]
    if settings.dsn and not all(check.well for check in checks):
        return checks  # Each look into a store that is not there would wait.
    with_journal = [service for service in services.values() if await _has_journal(settings, service.name)]
    if not with_journal:
        checks.append(Check("stores", True, "nothing is recorded yet", "fieldloop demo"))
    for service in with_journal:
        checks += await _behind(settings, service)
    return checks


async def _has_journal(settings: Settings, name: str) -> bool:
    if not settings.dsn:
        return journal_file(settings, name).exists()
    try:
        await (await open_to_read(settings, name)).close()
    except (asyncpg.PostgresError, OSError):
        return False
    return True


def _writable(settings: Settings) -> Check:
    """It is made at the first start, not by looking."""
    there = next(folder for folder in (settings.data.absolute(), *settings.data.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Check("data folder", False, f"{there} cannot be written to", "choose another: --data DIR")
    free = shutil.disk_usage(there).free // 2**30
    return Check("data folder", free > 0, f"{settings.data}, {free} GiB free", "" if free else "make room on the disk")


async def _kafka(settings: Settings) -> Check:
    lacking = await asyncio.to_thread(kafka.missing)
    if settings.cluster is None:
        return Check("Kafka", True, f"not used; {lacking or 'it can be started here'}")
    for broker in settings.cluster.bootstrap:
        host, _, port = broker.rpartition(":")
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
            return Check("Kafka", True, f"{broker} answers")
    return Check("Kafka", False, f"FIELDLOOP_BUS={settings.bus} does not answer", lacking or "make up")


async def _postgres(settings: Settings) -> Check:
    lacking = await asyncio.to_thread(postgres.missing)
    if settings.dsn is None:
        return Check("PostgreSQL", True, f"not used; {lacking or 'it can be started here'}")
    try:
        await (await asyncpg.connect(settings.dsn, timeout=5)).close()
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        return Check("PostgreSQL", False, f"FIELDLOOP_STORE={settings.store}: {error}", lacking or "make up")
    return Check("PostgreSQL", True, f"{settings.store} answers")


def _docker() -> Check:
    answers = kafka.engine_answers()
    return Check("Docker", True, "an engine answers" if answers else "no engine answers; it is not needed")


async def _behind(settings: Settings, service: Service) -> list[Check]:
    async with readers(settings, [service.name]) as journals:
        journal = journals[service.name]
        head = (await journal.head()).position
        views = await _open_views(settings, service, readonly=True)
        positions = await views.positions()
        concerns = await service.concerns(views, SystemClock().now())
        await views.close()
        held = await journal.held([policy.name for policy in service.policies])
    slowest = min(positions.values(), default=head)
    parked = sum(1 for _, hold in held if hold.parked)
    return [
        Check(
            f"{service.name}: views",
            slowest == head,
            f"{head - slowest} of {head} records behind",
            "" if slowest == head else f"start it, or fieldloop rebuild {service.name}",
        ),
        Check(
            f"{service.name}: held events",
            not parked,
            f"{len(held)} held, {parked} parked",
            "" if not parked else "its log names the cause; they go on when the service starts",
        ),
        *[Check(f"{service.name}: {one.what}", False, one.finding, one.remedy) for one in concerns],
    ]

"""The demo: founds the company, drives requests through the loop, and says what happened, proved upon the stores."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import httpx
import msgspec
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contracts import envelope as envelopes
from contracts.inventory import PartConsumed
from contracts.topics import PUBLISHER_OF
from services.chassis.clock import SystemClock
from services.chassis.journal.store import JournalStore
from services.demo.company import company
from services.demo.living import go_on
from services.demo.people import TENANT, People, Story, Unexpected, found
from services.demo.starting_over import StartOver
from services.gateway.pages import BUILT
from services.gateway.users import DEMO_PASSWORD, demo_users, write_users
from services.gateway.users import FILE as USERS_FILE
from services.host import Host, discover, told_to_end, until_told
from services.offline import readers, rebuild, settled
from services.serving import LOOPBACK, all_in_one, listening, tokens_of
from services.settings import BadSetting, Settings
from services.verify.run import verify

BEGUN = time.monotonic()

log = structlog.get_logger()

AT_ONCE = 8
"""Requests under way at the same time."""


class Outcome(msgspec.Struct):
    """What happened, as `--json` prints it."""

    requests: int
    assigned: int
    completed: int
    feedback: int
    parts_consumed: int
    """Pieces."""
    events: int
    """Recorded in this run by the services themselves, what they took in of each other not counted."""
    invariant_violations: int
    """In the stores as a whole, as `rebuild_identical` and `chain_verified`."""
    rebuild_identical: bool
    chain_verified: bool
    seconds: float
    """Since the process began; with `--once` until all is closed."""
    peak_rss_mb: int
    assigned_after_ms_p50: int
    """From the customer's word until the visit is planned, as seen over HTTP."""


async def run_demo(
    settings: Settings,
    *,
    requests: int,
    seed: int,
    once: bool,
    living: bool,
    guide: bool,
    show: Callable[[Outcome], None],
    console: Console,
) -> Outcome | None:
    """
    In this process; or, with FIELDLOOP_URL, upon the system that answers there. None when it was told to end before.

    With `living`, requests go on at a walking pace while it serves. With `guide`, it says at the end where a person may
    look next; a script's last line is the outcome.

    Raises BadSetting where the demo must not run, Unexpected when the system does something else.
    """
    if settings.host not in LOOPBACK:
        raise BadSetting(f"FIELDLOOP_HOST is {settings.host}: the demo's passwords are known, so it runs on 127.0.0.1")
    with told_to_end() as told:
        while True:
            again = StartOver(settings)
            outcome, port = await _served(settings, again, told, requests, seed, once, living, show, console)
            if told.is_set() or not again.asked.is_set():
                break
            again.empty()
            settings = replace(settings, port=port)
            _tell(console, "the demo begins anew")
    if outcome and once:
        outcome.seconds, outcome.peak_rss_mb = _seconds(), _peak_rss_mb()
        show(outcome)
        if guide:
            _say_where(settings, "", console, serves=False)
    return outcome


async def _served(
    settings: Settings,
    again: StartOver,
    told: asyncio.Event,
    requests: int,
    seed: int,
    once: bool,
    living: bool,
    show: Callable[[Outcome], None],
    console: Console,
) -> tuple[Outcome | None, int]:
    """One founding of the company and what follows, until it is told to end or to start over; the port it had."""
    async with AsyncExitStack() as opened:
        address, host = settings.url, None
        if not address:
            _tell(console, f"six services and the gateway start in this process; their stores are {settings.data}")
            ours = replace(settings, portal=TENANT)
            host, app = await opened.enter_async_context(all_in_one(ours, more=[again.routes()]))
            address = await opened.enter_async_context(listening(settings, app))
        outcome = await until_told(_day(settings, address, host, requests, seed, console), told)
        if outcome is None:
            _tell(console, f"ended before all requests were through; the stores stay in {settings.data}")
        elif not once:
            show(outcome)
            _say_where(settings, address, console, serves=host is not None)
            if host:
                await until_told(_go_on(settings, address, seed, again, living), told)
        if host:
            await host.stop_leading()
    return outcome, urlsplit(address).port or settings.port


async def _go_on(settings: Settings, address: str, seed: int, again: StartOver, living: bool) -> None:
    """Serve until somebody asks to start over."""
    lives = asyncio.create_task(_live(settings, address, seed)) if living else None
    try:
        await again.asked.wait()
    finally:
        if lives:
            lives.cancel()
            await asyncio.wait([lives])


def _tell(console: Console, what: str) -> None:
    console.print(what, markup=False, highlight=False, soft_wrap=True)


def _say_where(settings: Settings, address: str, console: Console, *, serves: bool) -> None:
    """Where to look next."""
    program = f"{Path(sys.argv[0]).parent / 'fieldloop'}" if "/" in sys.argv[0] else "fieldloop"
    program = f"{os.path.relpath(program)} --data {settings.data}" if "/" in program else program
    what = (
        f"report efficiency --tenant {TENANT}",
        f"report quality --tenant {TENANT}",
        "events",
        "verify",
        "rebuild all --check",
    )
    _tell(console, "Look at it yourself 自己看看：")
    for command in what:
        _tell(console, f"  {program} {command}")
    if serves:
        if (BUILT / "index.html").exists():
            _tell(console, f"The screens 界面: {address}/  (each role is one click)")
        _tell(console, f"The API is shown at {address}/docs; a token: {program} token manager --tenant {TENANT}")
        _tell(console, f"or sign in as manager@demo, agent@demo, engineer@demo … with the password {DEMO_PASSWORD}")
        _tell(console, f"Ctrl-C ends it; the stores stay in {settings.data}")


async def _day(
    settings: Settings, address: str, host: Host | None, requests: int, seed: int, console: Console
) -> Outcome:
    if host and not await host.led():
        raise Unexpected("another process writes to these stores: stop it, or set FIELDLOOP_URL to it")
    if not (settings.data / USERS_FILE).exists():
        # Accounts that somebody made are not replaced by ours.
        users = demo_users({"customer": "C001", "engineer": "E01", "partner": "P01"})
        write_users(settings.folder() / USERS_FILE, users)
    before = await _heads(settings)
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        people = People(client, tokens_of(settings, SystemClock()))
        waits = await _drive(people, requests, seed, console)
    if not await (host.idle() if host else settled(settings)):
        raise Unexpected("something is left to take in or to show: `fieldloop doctor` says what")
    return await _prove(settings, waits, before)


async def _drive(people: People, requests: int, seed: int, console: Console) -> list[float]:
    """How long each request waited for its engineer, seconds."""
    firm = company(seed)
    # The same seed asked twice of the same stores is another day of the same company.
    day = f"{seed}-{time.time_ns()}-"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        founding = progress.add_task("the company is founded", total=1)
        try:
            await found(people, firm, f"{seed}-")
        except Unexpected as unexpected:
            if unexpected.status != 409:
                raise
            raise BadSetting("the stores hold another company: give its --seed, or another folder, --data") from None
        progress.update(founding, completed=1)
        size = f"{len(firm.engineers)} engineers, {len(firm.devices)} devices, {len(firm.parts)} parts"
        _tell(console, f"the company is founded: {size}")
        driving = progress.add_task("requests through the loop", total=requests)
        gate = asyncio.Semaphore(AT_ONCE)
        order = Random(seed)
        through = 0

        async def one(number: int) -> float:
            nonlocal through
            async with gate:
                story = Story(people, firm, f"{day}{number}", Random(order.random()))
                await story.run()
            through += 1
            progress.advance(driving)
            if not console.is_terminal and through * 4 // requests > (through - 1) * 4 // requests:
                _tell(console, f"{through} of {requests} requests are through the loop")
            return story.assigned_after_s

        try:
            async with asyncio.TaskGroup() as group:
                stories = [group.create_task(one(number)) for number in range(requests)]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
    return [story.result() for story in stories]


async def _live(settings: Settings, address: str, seed: int) -> None:
    """What goes on while somebody looks; what it cannot do is not worth an end of the demo."""
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        people = People(client, tokens_of(settings, SystemClock()))
        people.within_s, people.asks_every_s = 3_600, 1
        try:
            await go_on(people, company(seed), f"{seed}-{time.time_ns()}-", Random(seed))
        except* (Unexpected, httpx.HTTPError) as failed:
            log.warning("demo_stands_still", error=repr(failed))


async def _heads(settings: Settings) -> dict[str, int]:
    """Where each journal ends."""
    async with readers(settings, discover()) as journals:
        return {name: (await journal.head()).position for name, journal in journals.items()}


async def _prove(settings: Settings, waits: list[float], before: Mapping[str, int]) -> Outcome:
    """Count and check upon the stores, as an auditor would, not from what this process remembers."""
    services = discover()
    async with readers(settings, services) as journals:
        counts = await _counted(journals, before)
        checked = await verify(services, journals)
    rebuilt = await rebuild(settings, services, check_only=True, progress=lambda read: None)
    return Outcome(
        requests=counts["RequestReceived"],
        assigned=counts["OrderAssigned"],
        completed=counts["ServiceCompleted"],
        feedback=counts["FeedbackReceived"],
        parts_consumed=counts["pieces"],
        events=counts["events"],
        invariant_violations=checked.violations,
        rebuild_identical=all(result.identical for result in rebuilt),
        chain_verified=checked.chain,
        seconds=_seconds(),
        peak_rss_mb=_peak_rss_mb(),
        assigned_after_ms_p50=round(sorted(waits)[len(waits) // 2] * 1000),
    )


def _seconds() -> float:
    """Since this process began, its imports included where the system says when that was."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return round(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 1)
    except (OSError, AttributeError):
        return round(time.monotonic() - BEGUN, 1)


def _peak_rss_mb() -> int:
    """Of this process. Where the system tells only `ru_maxrss`, a large parent may show through."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


async def _counted(journals: Mapping[str, JournalStore], before: Mapping[str, int]) -> Counter[str]:
    """Events of this run by type, each where it was recorded; and the pieces that were consumed."""
    counts: Counter[str] = Counter()
    for name, journal in journals.items():
        position = before[name]
        while entries := await journal.read(position, 2_000):
            position = entries[-1].position
            for entry in entries:
                envelope = envelopes.read(entry.record)
                if entry.tenant == TENANT and PUBLISHER_OF.get(envelope.type) == name:
                    counts["events"] += 1
                    counts[envelope.type] += 1
                    if envelope.type == PartConsumed.__name__:
                        event = envelopes.payload(envelope)
                        assert isinstance(event, PartConsumed)
                        counts["pieces"] += event.quantity
    return counts

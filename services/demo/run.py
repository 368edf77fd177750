"""The demo: founds the company, drives requests through the loop, and says what happened, proved upon the stores."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from random import Random

import httpx
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from contracts import envelope as envelopes
from contracts.inventory import PartConsumed
from contracts.topics import PUBLISHER_OF
from services.chassis.clock import SystemClock
from services.chassis.journal.store import JournalStore
from services.demo.company import company
from services.demo.people import TENANT, People, Story, found
from services.gateway.users import DEMO_PASSWORD, demo_users, write_users
from services.gateway.users import FILE as USERS_FILE
from services.host import discover, until_told
from services.offline import readers, rebuild, settled
from services.serving import all_in_one, listening, tokens_of
from services.settings import BadSetting, Settings
from services.verify.run import verify

AT_ONCE = 8
"""Requests under way at the same time."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Outcome(msgspec.Struct):
    """What happened, as `--json` prints it."""

    requests: int
    assigned: int
    completed: int
    feedback: int
    parts_consumed: int
    """Pieces."""
    events: int
    """Recorded by the services themselves, what they took in of each other not counted."""
    invariant_violations: int
    rebuild_identical: bool
    chain_verified: bool
    seconds: float
    peak_rss_mb: int
    assigned_after_ms_p50: int
    """From the customer's word until the visit is planned, as seen over HTTP."""


async def run_demo(
    settings: Settings, *, requests: int, seed: int, once: bool, as_json: bool, console: Console
) -> Outcome:
    """
    In this process; or, with FIELDLOOP_URL, upon the system that answers there.

    Raises BadSetting where the demo must not run, Unexpected when the system does something else.
    """
    if settings.host not in LOOPBACK:
        raise BadSetting(f"the demo's passwords are known, so it listens on loopback only, not on {settings.host}")
    begun = time.monotonic()
    async with AsyncExitStack() as opened:
        address, host = settings.url, None
        if not address:
            host, app = await opened.enter_async_context(all_in_one(settings))
            address = await opened.enter_async_context(listening(settings, app))
            await host.led()
        write_users(settings.data / USERS_FILE, demo_users({"customer": "C001", "engineer": "E01", "partner": "P01"}))
        client = await opened.enter_async_context(httpx.AsyncClient(base_url=address, timeout=30))
        people = People(client, tokens_of(settings, SystemClock()))
        waits = await _drive(people, requests, seed, console)
        await (host.idle() if host else settled(settings))
        outcome = await _prove(settings, waits, begun)
        if as_json:
            sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
            sys.stdout.flush()
        else:
            _show(outcome, console)
        if host and not once:
            console.print(f"The API is shown at [bold]{address}/docs[/bold]; sign in as manager@demo, agent@demo, …")
            console.print(f"with the password {DEMO_PASSWORD}. Ctrl-C ends it; the stores stay in {settings.data}.")
            await until_told()
            await host.stop_leading()
    return outcome


async def _drive(people: People, requests: int, seed: int, console: Console) -> list[float]:
    """How long each request waited for its engineer, seconds."""
    firm = company(seed)
    # The same seed asked twice of the same stores is another day of the same company.
    day = f"{seed}-{time.time_ns()}-"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        founding = progress.add_task("the company is founded", total=1)
        await found(people, firm, f"{seed}-")
        progress.update(founding, completed=1)
        driving = progress.add_task("requests through the loop", total=requests)
        gate = asyncio.Semaphore(AT_ONCE)
        order = Random(seed)

        async def one(number: int) -> float:
            async with gate:
                story = Story(people, firm, f"{day}{number}", Random(order.random()))
                await story.run()
                progress.advance(driving)
                return story.assigned_after_s

        async with asyncio.TaskGroup() as group:
            stories = [group.create_task(one(number)) for number in range(requests)]
    return [story.result() for story in stories]


async def _prove(settings: Settings, waits: list[float], begun: float) -> Outcome:
    """Count and check upon the stores, as an auditor would, not from what this process remembers."""
    services = discover()
    async with readers(settings, services) as journals:
        counts = await _counted(journals)
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
        seconds=round(time.monotonic() - begun, 1),
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        assigned_after_ms_p50=round(sorted(waits)[len(waits) // 2] * 1000),
    )


async def _counted(journals: Mapping[str, JournalStore]) -> Counter[str]:
    """Events of the demo's tenant by type, each where it was recorded; and the pieces that were consumed."""
    counts: Counter[str] = Counter()
    for name, journal in journals.items():
        position = 0
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


def _show(outcome: Outcome, console: Console) -> None:
    table = Table("what happened", "", title="A day at the demo company")
    for name, value in msgspec.to_builtins(outcome).items():
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)

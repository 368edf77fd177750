"""
Processes are killed about the time when deadlines fall due: each is told once, and within five seconds.

The orders were opened half an hour ago by a clock that is set back; from then on it is what `fieldloop up` runs, by the
real one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median

import httpx

from contracts import envelope as envelopes
from deploy import until
from dispatcher.commands import ClockAgreed, DefineSla
from dispatcher.domain.slas import ASSIGN_WITHIN_S
from services import offline
from services.chassis.clock import SetClock, SystemClock
from services.chassis.journal.work import Ask
from services.demo.people import People
from services.host import Host
from services.serving import run, tokens_of
from services.settings import Settings
from tests.dispatcher.examples import open_order
from tests.dispatcher.test_running import NoKeys, alone
from tests.journeys.test_kills import recorded

SEED = int(os.environ.get("FIELDLOOP_TEST_SEED", "0")) or int(time.time())
TENANT = "t-1"
ORDERS = 60
DUE_IN = timedelta(seconds=8)
WITHIN = timedelta(seconds=5)
EVENTS = ("SlaWarned", "SlaBreached", "AssignmentOverdue")


async def open_orders(settings, due_at):
    """Orders that nobody has, of which everything is due at one time."""
    opened_at = due_at - timedelta(seconds=ASSIGN_WITHIN_S)
    allowed = dict.fromkeys(("low_s", "normal_s", "high_s", "critical_s"), ASSIGN_WITHIN_S)
    async with Host(settings, [alone()], NoKeys(), clock=SetClock(opened_at)) as host:
        assert await host.led(20)
        running = host.running["dispatcher"]

        async def ask(command):
            await running.ask(Ask(command=command, tenant=TENANT, actor="test", caller="test"))

        clocks = (ClockAgreed(clock="arrive", **allowed), ClockAgreed(clock="fix", **allowed))
        await ask(DefineSla(sla_id="standard", name="Standard", clocks=clocks, now=opened_at))
        await asyncio.gather(
            *[ask(open_order(order_id=f"o-{n}", request_id=f"r-{n}", now=opened_at)) for n in range(ORDERS)]
        )
        assert await host.idle(20)


class Up:
    """What `fieldloop up` runs, in a process of its own that is forked: it is there at once, and dies by kill -9."""

    def __init__(self, settings, log):
        self._settings, self._log = settings, log
        self.ready = []
        """When it answered, each time."""
        self.start()

    def start(self):
        reading, writing = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            with self._log.open("ab") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            with suppress(BaseException):
                asyncio.run(
                    run(self._settings, "all", lambda address: os.write(writing, address.encode() + b"\n") and None)
                )
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answers:
            self.url = answers.readline().strip()
        assert self.url, self._log.read_text()[-2000:]
        self.ready.append(datetime.now(UTC))

    def kill(self):
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def test_kill_9_about_the_due_time_tells_each_deadline_once_and_within_five_seconds(tmp_path):
    """The seed is printed; FIELDLOOP_TEST_SEED repeats it."""
    print(f"FIELDLOOP_TEST_SEED={SEED}")
    rng = Random(SEED)
    due_at = (datetime.now(UTC) + DUE_IN).replace(microsecond=0)
    settings = Settings(data=tmp_path / "data", port=0)
    asyncio.run(open_orders(settings, due_at))
    up = Up(settings, tmp_path / "up.log")
    try:
        for after in (rng.uniform(-1.0, -0.2), rng.uniform(0.02, 0.4), rng.uniform(0.5, 1.0)):
            # The moment is what the test is about: shortly before the due time, and amid the telling.
            time.sleep(max(0.0, (due_at - datetime.now(UTC)).total_seconds() + after))
            up.kill()
            up.start()
        assert until(lambda: len(_told(settings)) >= ORDERS * 10, 20), len(_told(settings))
        assert asyncio.run(overdue_on_the_board(settings, up.url)) == ORDERS
        assert asyncio.run(offline.settled(settings, within=30))
    finally:
        up.kill()
    _must_be_once_and_in_time(_told(settings), due_at, up.ready)
    checked = asyncio.run(offline.verify_stores(settings))
    assert (checked.findings, checked.chain) == ([], True)


def _told(settings):
    return [one for one in asyncio.run(recorded(settings, TENANT)) if one.type in EVENTS]


def _must_be_once_and_in_time(events, due_at, ready):
    times = defaultdict(list)
    for event in events:
        said = envelopes.payload(event)
        times[event.type, event.stream, getattr(said, "clock", ""), getattr(said, "percent", 0)].append(
            event.recorded_at
        )
    assert {name: len(at) for name, at in times.items() if len(at) != 1} == {}
    counts = Counter(kind for kind, *_ in times)
    assert counts == {"SlaWarned": 6 * ORDERS, "SlaBreached": 3 * ORDERS, "AssignmentOverdue": ORDERS}
    late = []
    for (kind, *name), (at,) in times.items():
        if kind != "SlaWarned":
            assert at >= due_at, (kind, name)
            # Whoever is dead tells nothing: from when somebody answered again, if that was later.
            possible = max([due_at, *[one for one in ready if one <= at]])
            late.append((at - possible).total_seconds())
            assert at - possible <= WITHIN, (kind, name, at - possible)
    print(f"told after {median(late):.2f} s, at most {max(late):.2f} s; the bar is {WITHIN.total_seconds():.0f} s")


async def overdue_on_the_board(settings, url):
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        people = People(client, tokens_of(settings, SystemClock()), TENANT)
        page = await people.call("GET", "/v1/orders?state=waiting&limit=200", "dispatcher")
        return sum(order["overdue"] for order in page["items"])

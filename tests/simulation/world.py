"""
A simulated day: six processes, a broker, two companies, and what goes wrong; then what must hold.

`Plan.of(seed)` says what happens, `run(plan)` lets it happen. Both depend on the seed and on nothing else.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import hashlib
import logging
import os
import pickle
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import structlog
from joserfc.jwk import OKPKey

from contracts.topics import public_topic
from services.chassis.auth import Tokens
from services.chassis.bus.kafka import Message as OnBus
from services.chassis.messages.message import Away, Message
from services.chassis.messages.outlets import Outlets
from services.chassis.readers import timers
from services.gateway.persons import MemoryBook, Person, PersonKey
from services.host import discover
from services.serving import calm_collector
from tests.simulation import day, faults
from tests.simulation.broker import Broker
from tests.simulation.day import Story, Town
from tests.simulation.faults import Fault, Faults
from tests.simulation.invariants import Violation, judged
from tests.simulation.loop import SimLoop, Stuck
from tests.simulation.process import Process, SimClock

DAY_S: Final = 5_400.0
"""In which the stories begin and faults happen."""

TEMPLATE: Final = "FIELDLOOP_SIM_TEMPLATE"
FOLDER: Final = "FIELDLOOP_SIM_FOLDER"
"""Where a worker keeps its days: whoever began it clears that away, also when the worker is killed."""
"""The folder of a template that `keep_template` made: founding the companies takes longer than a day."""

STALE_S: Final = 60.0
"""Longer than a process is ever down."""

QUIET_S: Final = 600.0
"""I14: so long after the last fault nothing may be left to do. A held key waits up to 300 s for its next try."""


@dataclass(frozen=True)
class Plan:
    seed: int
    stories: tuple[Story, ...]
    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, seed: int) -> Plan:
        rng = Random(f"plan {seed}")
        stories = day.planned(rng, DAY_S)
        return cls(seed, tuple(stories), tuple(faults.planned(rng, DAY_S, [story.begins for story in stories])))

    def only(self, stories: Sequence[int], some: Sequence[int]) -> Plan:
        return replace(
            self, stories=tuple([self.stories[n] for n in stories]), faults=tuple([self.faults[n] for n in some])
        )


@dataclass
class Result:
    seed: int
    violations: list[Violation] = field(default_factory=list)
    log_hash: str = ""
    """Of all that was recorded anywhere."""
    views_hash: str = ""
    """Of all that is served."""
    events: int = 0
    calls: int = 0
    callbacks: int = 0
    starts: int = 0
    virtual_s: float = 0.0
    met: list[str] = field(default_factory=list)


class _Provider:
    """Takes text messages, and keeps what it took."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.told: dict[str, list[str]] = defaultdict(list)
        self.again: set[str] = set()
        """Messages that came again when they had long been recorded as sent."""
        self._first: dict[str, float] = {}
        self.is_settled: Callable[[str], bool] = lambda key: False
        """Whether the outcome of this message is on record."""

    async def send(self, message: Message) -> str:
        await self._faults.point("intake", "message.before")
        kind = self._faults.take("intake", "provider")
        if kind == "away":
            raise Away("503")
        await asyncio.sleep(0.05)
        now = asyncio.get_running_loop().time()
        # After a crash the checkpoint may be a little behind: then it goes out again under its key, and is one message.
        if now - self._first.setdefault(message.key, now) > STALE_S and self.is_settled(message.key):
            self.again.add(message.key)
        self.told[message.key].append(f"{message.recipient} {message.subject} {message.body}")
        await self._faults.point("intake", "message.after")
        if kind == "not-answered":
            raise TimeoutError
        return f"ref-{message.key[:8]}"

    async def close(self) -> None:
        pass


_services = cache(discover)


class World:
    """The town and its six processes in a folder."""

    def __init__(self, loop: SimLoop, folder: Path, plan: Plan, broker: Broker, book: MemoryBook) -> None:
        rng = Random(f"world {plan.seed}")
        self.loop, self.plan, self.broker = loop, plan, broker
        self.faults = Faults(plan.faults, Random(f"faults {plan.seed}"))
        self.faults.crash = self.crash
        self.provider = _Provider(self.faults)
        clock = SimClock(loop)
        tokens = Tokens([OKPKey.generate_key("Ed25519", parameters={"kid": "sim"})], clock)
        outlets = Outlets(
            {"text": self.provider},
            url="https://service.example.cn",
            link=lambda tenant, to, made_at: f"{tenant}-{to.subject}",
            monotonic=loop.time,
        )
        self.processes = {
            name: Process(
                service,
                folder / name,
                loop=loop,
                broker=broker,
                faults=self.faults,
                book=book,
                outlets=outlets,
                rng=Random(rng.getrandbits(64)),
            )
            for name, service in _services().items()
        }
        self.town = Town(self.processes, tokens)
        self.provider.is_settled = self._is_settled

    def start(self) -> None:
        for process in self.processes.values():
            process.folder.mkdir(parents=True, exist_ok=True)
            process.start()

    def crash(self, service: str, down: float) -> None:
        process = self.processes[service]
        if process.alive:
            process.end()
            self._restart(process, down)

    def _restart(self, process: Process, down: float) -> None:
        # Whoever starts it is nobody's life, least of all the one that has ended.
        self.loop.call_later(down, lambda: None if process.alive else process.start(), context=Context())

    def _is_settled(self, message: str) -> bool:
        asked = "SELECT 1 FROM receipts WHERE caller = 'policy:send-messages' AND key GLOB ?"
        found = self.processes["intake"]._open[0]._reader.execute(asked, (f"{message}/*",)).fetchone()
        return found is not None

    async def misfortunes(self) -> None:
        """What goes wrong by itself, each at its time."""
        for fault in sorted(self.plan.faults, key=lambda one: one.at):
            await asyncio.sleep(max(0.0, fault.at - self.loop.time()))
            process = self.processes[fault.service]
            match fault.kind:
                case "crash":
                    self.faults.met.append(f"crash {fault.service}")
                    self.crash(fault.service, fault.down)
                case "crash-at-step" if process.alive and process.life is not None:
                    self.faults.met.append(f"crash at a step {fault.service}")
                    life = process.life
                    life.dies_at_step = life.steps + int(fault.amount)
                    life.ends.append(lambda process=process, down=fault.down: self._restart(process, down))
                case "clock":
                    self.faults.met.append(f"clock {fault.amount} {fault.service}")
                    process.set_clock(timedelta(seconds=fault.amount))
                case "poison":
                    self.faults.met.append(f"poison {fault.service}")
                    topic = public_topic(fault.service)
                    self.broker.append([OnBus(topic, fault.what.encode(), b"poison")])

    async def quiet(self, within_s: float) -> str:
        """Wait until nothing is left to do; else what is."""
        until = self.loop.time() + within_s
        while left := await self._left():
            if self.loop.time() > until:
                return left
            await asyncio.sleep(1.0)
        return ""

    async def _left(self) -> str:
        heads = {}
        for name, process in self.processes.items():
            if not process.alive or process.running is None or process.running.writer is None:
                return f"{name} does not write"
            heads[name] = process.running.writer.position
        for name, process in self.processes.items():
            running = process.running
            assert running is not None
            if running.publisher is None or running.publisher.state.position < heads[name]:
                return f"{name} has not published all"
            if running.ingest is not None:
                if running.ingest.state.stopped:
                    return f"{name} takes nothing in: {running.ingest.state.stopped}"
                for partition, log in self.broker.partitions.items():
                    of_these = any(partition.startswith(f"{public_topic(s)}/") for s in process.service.listens_to)
                    if of_these and running.ingest.state.offsets.get(partition, 0) < len(log):
                        return f"{name} has not taken in all of {partition}"
            for reader in (running.reactor, running.sender):
                if reader is None or not reader._policies:
                    continue
                if reader.parked:
                    return f"{name} has parked keys"
                if reader.waiting or reader.position < heads[name]:
                    return f"{name} has not reacted to all ({reader.waiting} held)"
            if running.projector is None or running.projector.failed():
                return f"{name} has a view that failed: {running.projector and running.projector.failed()}"
            if min(running.projector.positions().values(), default=heads[name]) < heads[name]:
                return f"{name} does not show all"
            due = process._open[0]._reader.execute("SELECT min(due) FROM timers").fetchone()[0]
            if due is not None and due <= int(process.clock.now().timestamp() * 1e6):
                return f"{name} has a timer that is due"
        if heads != {name: process.running.writer.position for name, process in self.processes.items()}:  # type: ignore[union-attr]
            return "something was recorded"
        return ""

    def close(self) -> None:
        for process in self.processes.values():
            process.end()

    def heads(self) -> dict[str, int]:
        """Where each journal ends."""
        sql = "SELECT coalesce(max(position), 0) FROM events"
        return {name: process._open[0]._reader.execute(sql).fetchone()[0] for name, process in self.processes.items()}

    def views_hash(self) -> str:
        found = hashlib.sha256()
        for process in self.processes.values():
            views = process._open[1]
            for view in process.service.views:
                for row in views._db.execute(views._tables[view.name].all):
                    found.update(repr(row).encode())
        return found.hexdigest()

    def log_hash(self) -> str:
        found = hashlib.sha256()
        for process in self.processes.values():
            for (link,) in process._open[0]._reader.execute("SELECT hash FROM events ORDER BY position"):
                found.update(link)
        return found.hexdigest()


@dataclass
class _Template:
    """The companies as they were founded: made once in a process, copied for each day."""

    folder: Path
    partitions: dict[str, list[OnBus]]
    keys: dict[Person, PersonKey]
    owners: dict[Person, str]

    def keep(self) -> None:
        (self.folder / "rest.pickle").write_bytes(pickle.dumps((self.partitions, self.keys, self.owners)))

    @classmethod
    def kept_in(cls, folder: Path) -> _Template:
        # Written a moment ago by `keep_template`, by whoever runs this.
        return cls(folder, *pickle.loads((folder / "rest.pickle").read_bytes()))


_template: _Template | None = None


def _new_book(seed: int) -> MemoryBook:
    rng = Random(f"keys {seed}")
    return MemoryBook(lambda person: PersonKey(*person, rng.randbytes(8).hex(), rng.randbytes(32)))


def _within(plan: Plan, folder: Path, broker: Broker, book: MemoryBook, tale: Callable[[World], Any]) -> Any:
    """Let a tale of this world come to its end, in a loop of its own."""
    # What looks each half second would be most of what happens: a process is woken when something is due.
    timers.LOOK_EVERY_S = timers.AT_LATEST_S = 100_000.0
    loop = SimLoop(Random(f"order {plan.seed}"))
    asyncio.set_event_loop(loop)
    loop.set_debug(False)
    world = World(loop, folder, plan, broker, book)
    try:
        return loop.run_until_complete(_started(world, tale))
    finally:
        world.close()
        asyncio.set_event_loop(None)
        loop.close()


async def _started(world: World, tale: Callable[[World], Coroutine[Any, Any, Any]]) -> Any:
    world.start()
    return await tale(world)


def _scratch() -> Path:
    """A folder in memory where there is one: what a commit waits for there is nothing."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="sim-", dir=os.environ.get(FOLDER) or (memory if memory.is_dir() else None)))


def _founded() -> _Template:
    """The template of this process: made, or taken from where `TEMPLATE` says that it was made before."""
    global _template
    if _template is None:
        made = os.environ.get(TEMPLATE, "")
        _template = _Template.kept_in(Path(made)) if made else _found(_scratch())
        if not made:
            atexit.register(shutil.rmtree, _template.folder, ignore_errors=True)
    return _template


def keep_template(folder: Path) -> None:
    """Make the template there, for processes to come."""
    _be_quiet()
    _found(folder).keep()


def _found(folder: Path) -> _Template:
    broker, book = Broker(), _new_book(0)

    async def found(world: World) -> None:
        await day.found(world.town)
        left = await world.quiet(QUIET_S)
        assert not left, left
        for process in world.processes.values():
            journal, views = process._open
            journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            views._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    _within(Plan(0, (), ()), folder, broker, book, found)
    return _Template(folder, dict(broker.partitions), book.keys, book.owners)


def run(plan: Plan) -> Result:
    """The day of this plan, judged. A world that cannot go on is a violation too."""
    _be_quiet()
    template = _founded()
    broker, book = Broker(), _new_book(plan.seed)
    broker.partitions.update({name: list(log) for name, log in template.partitions.items()})
    book.keys, book.owners = dict(template.keys), dict(template.owners)
    folder = _scratch()
    shutil.copytree(template.folder, folder, symlinks=True, dirs_exist_ok=True)
    result = Result(plan.seed)
    gc.disable()  # what tidies up after one world must not run in the middle of another

    async def tale(world: World) -> None:
        telling = [asyncio.create_task(day.told(world.town, story)) for story in plan.stories]
        failing = asyncio.create_task(world.misfortunes())
        await asyncio.gather(failing, *telling)
        await asyncio.sleep(max(0.0, DAY_S - world.loop.time()))
        world.faults.end()
        await asyncio.sleep(35.0)  # whoever is down starts again
        left = await world.quiet(QUIET_S)
        if left:
            result.violations.append(Violation("I14", left))
        poisons = sum(one.startswith("poison") for one in world.faults.met)
        result.violations += await judged(
            world.town,
            broker,
            world.provider.told,
            world.provider.again,
            poisons,
            phones_are_right=not any(one.startswith("clock") and one.endswith("fieldwork") for one in world.faults.met),
        )
        result.log_hash, result.views_hash = world.log_hash(), world.views_hash()
        result.events = sum(world.heads().values())
        result.calls, result.callbacks = world.town.calls, world.loop.callbacks
        result.starts = sum(process.starts for process in world.processes.values())
        result.virtual_s, result.met = world.loop.time(), world.faults.met

    try:
        _within(plan, folder, broker, book, tale)
    except (Stuck, Exception) as error:
        result.violations.append(Violation("I14", f"the world ended: {error!r}"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        gc.collect()
        _calm()
    return result


@cache
def _calm() -> None:
    """What the first day has left in the process, every other one needs too."""
    calm_collector()


def _be_quiet() -> None:
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.unraisablehook = lambda _: None

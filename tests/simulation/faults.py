"""What goes wrong in a simulated day, and when: a list that follows from the seed, and who carries it out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from random import Random
from typing import Any, Final, NamedTuple
from zlib import crc32

from tests.simulation.loop import LIFE

SERVICES: Final = ("intake", "dispatcher", "fieldwork", "inventory", "quality", "reporting")

DUE_S: Final = (120.0, 600.0, 900.0, 1_200.0, 1_350.0, 1_800.0, 2_700.0, 3_600.0)
"""So long after a story begins something falls due: an offer ends, a mark of a service level is reached."""

POINTS: Final = (
    "commit.before",
    "commit.after",
    "views.before",
    "views.after",
    "send.before",
    "send.after",
    "feed.page",
    "message.before",
    "message.after",
)
"""Places where the order of two effects matters: between them a process may end."""


class Fault(NamedTuple):
    """One thing that goes wrong from a time on, at one service."""

    kind: str
    """`crash`, `crash-at-point`, `crash-at-step`, or which port fails."""
    service: str
    at: float
    """Virtual seconds from the beginning of the day."""
    what: str = ""
    amount: float = 0.0
    """Seconds that it lasts, or how often it happens, or by how much a clock jumps."""
    down: float = 1.0
    """Of a crash: seconds until the process is started again."""


KINDS: Final[dict[str, Callable[[Random, str, float], Fault]]] = {
    "crash": lambda rng, service, at: Fault("crash", service, at, down=rng.choice((0.1, 2.0, 30.0))),
    "crash-at-point": lambda rng, service, at: Fault(
        "crash-at-point", service, at, rng.choice(POINTS), rng.randint(1, 4), rng.choice((0.1, 2.0, 30.0))
    ),
    "crash-at-step": lambda rng, service, at: Fault(
        "crash-at-step", service, at, "", rng.randint(1, 400), rng.choice((0.1, 2.0, 30.0))
    ),
    "commit": lambda rng, service, at: Fault(
        "commit", service, at, rng.choice(("not-committed", "not-answered")), rng.randint(1, 3)
    ),
    "disk-full": lambda rng, service, at: Fault("disk-full", service, at, "", rng.choice((1.0, 10.0, 60.0))),
    "views-full": lambda rng, service, at: Fault("views-full", service, at, "", rng.choice((1.0, 10.0, 60.0))),
    "send": lambda rng, service, at: Fault(
        "send",
        service,
        at,
        rng.choice(("not-sent", "half-sent", "sent-twice", "not-acknowledged")),
        rng.randint(1, 3),
    ),
    "slow-send": lambda rng, service, at: Fault("slow-send", service, at, "", rng.choice((5.0, 60.0))),
    "feed": lambda rng, service, at: Fault("feed", service, at, "rebalanced", rng.randint(1, 3)),
    "page": lambda rng, service, at: Fault("page", service, at, "rebalanced", rng.randint(1, 3)),
    "lag": lambda rng, service, at: Fault("lag", service, at, str(rng.randint(0, 3)), rng.choice((1.0, 20.0, 300.0))),
    "slow-disk": lambda rng, service, at: Fault("slow-disk", service, at, "", rng.choice((10.0, 120.0))),
    "clock": lambda rng, service, at: Fault("clock", service, at, "", rng.choice((-3_600.0, -120.0, 120.0, 3_600.0))),
    "provider": lambda rng, service, at: Fault(
        "provider", "intake", at, rng.choice(("away", "not-answered")), rng.randint(1, 4)
    ),
    "policy": lambda rng, service, at: Fault("policy", service, at, "fails", rng.randint(1, 6)),
    "answer": lambda rng, service, at: Fault("answer", service, at, "lost", rng.randint(1, 3)),
    "poison": lambda rng, service, at: Fault("poison", service, at, rng.choice(("{", "null", "x" * 100)), 1),
}


def planned(rng: Random, day_s: float, busy: Sequence[float]) -> list[Fault]:
    """
    The faults of a day: some kinds and not others, so that each day is bad in its own way.

    Most of them happen soon after one of the `busy` times, at which a story begins, or when something falls due; an
    idle process dies in vain. And troubles come together: one more, a moment later, at the same service.
    """
    on = rng.sample(sorted(KINDS), rng.randint(2, 7))

    def when() -> float:
        match rng.choices(("busy", "due", "any"), (50, 25, 25))[0]:
            case "busy":
                at = rng.choice(busy) + rng.expovariate(1 / 120)
            case "due":
                at = rng.choice(busy) + rng.choice(DUE_S) + rng.uniform(-2.0, 10.0)
            case _:
                at = rng.uniform(0.0, day_s)
        return round(min(at, day_s), 3)

    found: list[Fault] = []
    for _ in range(rng.randint(4, 20)):
        kind = KINDS[rng.choice(on)]
        if found and rng.random() < 0.3:
            last = found[-1]
            found.append(kind(rng, last.service, round(min(last.at + rng.expovariate(1 / 2), day_s), 3)))
        else:
            found.append(kind(rng, rng.choice(SERVICES), when()))
    return sorted(found, key=lambda fault: fault.at)


class Faults:
    """Carries out a list of faults; asked at every port, and at every named point."""

    def __init__(self, planned: Iterable[Fault], rng: Random) -> None:
        self._left: dict[tuple[str, str], list[list[Any]]] = {}
        for fault in planned:
            self._left.setdefault((fault.service, fault.kind), []).append([fault, int(fault.amount)])
        self._rng = rng
        self.over = False
        self.met: list[str] = []
        """What really happened, in order."""
        self.crash: Callable[[str, float], None] = lambda service, down: None

    def end(self) -> None:
        """From now on nothing goes wrong any more."""
        self.over = True

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def take(self, service: str, kind: str) -> str:
        """What goes wrong with this call, if something does; it is used up."""
        if self.over:
            return ""
        for left in self._left.get((service, kind), ()):
            fault, times = left
            if times > 0 and fault.at <= self._now():
                left[1] -= 1
                self.met.append(f"{kind} {fault.what} {service}")
                return str(fault.what)
        return ""

    def within(self, service: str, kind: str) -> bool:
        """Whether a fault that lasts holds now."""
        left = self._left.get((service, kind))
        if self.over or not left:
            return False
        now = self._now()
        return any(f.at <= now < f.at + f.amount for f, _ in left)

    def disk(self, service: str) -> float:
        """How long a disk lets wait."""
        return self._rng.uniform(0.01, 1.5) if self.within(service, "slow-disk") else 0.0

    def delay(self, service: str, kind: str, usual: float) -> float:
        return self._rng.uniform(0.1, 3.0) if self.within(service, f"slow-{kind}") else usual

    def lag(self, taker: str, partition: str) -> float:
        """Until when a partition shows this reader nothing."""
        left = self._left.get((taker, "lag"))
        if self.over or not left:
            return 0.0
        now = self._now()
        ends = [
            f.at + f.amount
            for f, _ in left
            if f.at <= now < f.at + f.amount and crc32(partition.encode()) % 4 != int(f.what)
        ]
        return max(ends, default=0.0)

    async def point(self, service: str, name: str) -> None:
        """A process may end here, and then does not go on."""
        for left in () if self.over else self._left.get((service, "crash-at-point"), ()):
            fault, times = left
            if fault.what == name and times > 0 and fault.at <= self._now():
                left[1] -= 1
                if left[1] == 0:
                    self.met.append(f"crash at {name} {service}")
                    self.crash(service, fault.down)
                    await asyncio.get_running_loop().create_future()

    def outside(self, loop: Any, wait: float, work: Callable[[], None]) -> asyncio.Future[None]:
        """Do this after a while, whatever becomes of the process that asked; the future tells it, if it lives."""
        done = loop.create_future()

        def now() -> None:
            work()
            if not done.done():
                done.set_result(None)

        loop.call_later(wait, now, context=Context())
        return done  # type: ignore[no-any-return]


def lives() -> bool:
    """Whether the life that runs this still is one."""
    life = LIFE.get()
    return life is None or life.alive

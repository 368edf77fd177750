"""
The reactor: turns events into commands, each policy from its own checkpoint, in order within a key.

What fails, or lacks a fact that is on its way, is *held*: its key waits with all that comes after it, other keys go on.
A held key is tried again with growing pauses; success lets the rest follow in order; after `TRIES` it is *parked* until
somebody looks. Retry, waiting and parking are this one mechanism.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.problems import NotYet
from services.chassis.clock import Clock, micros
from services.chassis.journal.rules import Rules
from services.chassis.journal.store import Entry, Held, HoldKey, JournalStore
from services.chassis.journal.work import Ask, Settle, Stopped
from services.chassis.journal.writer import Writer
from services.chassis.service import Facts, Policy, Service

PAGE = 256
TRIES = 12
"""With pauses of 1, 2, 4 … 300 s: half an hour until a key is parked."""
LONGEST_PAUSE_S = 300

_log = structlog.get_logger()


class _Due(NamedTuple):
    """An event that a policy has not settled."""

    position: int
    event: Event
    envelope: Envelope


Chains = Mapping[HoldKey, Sequence[_Due]]
Holds = dict[tuple[HoldKey, int], Held | None]


def checkpoint_of(policy: Policy) -> str:
    return f"policy:{policy.name}"


class Reactor:
    """Runs a service's policies over its journal. Only the holder of the lease has one; it never runs in a replay."""

    def __init__(
        self,
        service: Service,
        store: JournalStore,
        writer: Writer,
        facts: Facts,
        clock: Clock,
        *,
        views_have: Callable[[int], Awaitable[object]],
    ) -> None:
        self._policies = {policy.name: policy for policy in service.policies}
        self._rules: Rules = service.rules
        self._store, self._writer, self._facts, self._clock = store, writer, facts, clock
        self._views_have = views_have
        self._by_type: dict[str, list[Policy]] = defaultdict(list)
        for policy in service.policies:
            for event in policy.when:
                self._by_type[event.__name__].append(policy)
        self._done: dict[str, int] = {}
        self._held: dict[HoldKey, dict[int, Held]] = defaultdict(dict)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was recorded."""
        self._wake.set()

    @property
    def position(self) -> int:
        """Up to where every policy has settled or held what concerns it."""
        return min(self._done.values(), default=0)

    @property
    def parked(self) -> int:
        """Keys that wait for somebody to look."""
        return sum(any(held.parked for held in waiting.values()) for waiting in self._held.values())

    @property
    def waiting(self) -> int:
        """Events that are held."""
        return sum(len(waiting) for waiting in self._held.values())

    async def run(self) -> None:
        if not self._policies:
            return
        await self._resume()
        while True:
            self._wake.clear()
            if await self._go_on() or await self._retry():
                continue
            pause = self._next_retry()
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    async def _resume(self) -> None:
        kept = await self._store.checkpoints()
        head = (await self._store.head()).position
        for policy in self._policies.values():
            begin = head if policy.starts == "now" else 0
            self._done[policy.name] = kept.get(checkpoint_of(policy), begin)
        begun = {checkpoint_of(policy): self._done[policy.name] for policy in self._policies.values()}
        if new := {name: position for name, position in begun.items() if name not in kept}:
            # Where a new policy began is a fact to keep: after a restart it must not begin somewhere else.
            await self._writer.settle(Settle(checkpoints=new))
        for key, held in await self._store.held(list(self._policies)):
            self._held[key][held.position] = held

    async def _go_on(self) -> bool:
        """One page further; False when there was nothing."""
        entries = await self._store.read(self.position, PAGE)
        if not entries:
            return False
        end = entries[-1].position
        chains = self._chains(entries)
        if chains:
            await self._views_have(end)
        holds = await self._settle_all(chains)
        checkpoints = {f"policy:{name}": end for name, done in self._done.items() if done < end}
        await self._record(checkpoints, holds)
        self._done = {name: max(done, end) for name, done in self._done.items()}
        return True

    def _chains(self, entries: Iterable[Entry]) -> dict[HoldKey, list[_Due]]:
        chains: dict[HoldKey, list[_Due]] = defaultdict(list)
        for entry in entries:
            envelope = envelopes.read(entry.record)
            if envelope.origin == "import":
                continue  # History does not act.
            for policy in self._by_type.get(envelope.type, ()):
                late = policy.stale_after and self._clock.now() - envelope.recorded_at > policy.stale_after
                if entry.position > self._done[policy.name] and not late:
                    key = HoldKey(policy.name, envelope.tenant, envelope.partition_key)
                    chains[key].append(_Due(entry.position, envelopes.payload(envelope), envelope))
        return chains

    async def _settle_all(self, chains: Chains) -> Holds:
        """What is held afterwards, and what no longer is, after every chain went as far as it could."""
        parts = await asyncio.gather(*[self._settle_chain(key, dues) for key, dues in chains.items()])
        return {name: held for part in parts for name, held in part.items()}

    async def _settle_chain(self, key: HoldKey, dues: Sequence[_Due]) -> Holds:
        holds: Holds = {}
        waits = bool(self._held.get(key))
        for due in dues:
            if not waits and (why := await self._react(key.policy, due)) is not None:
                waits = True
                holds[key, due.position] = self._next_try(key, Held(due.position, 0, 0, False, ""), why)
            elif waits:
                holds[key, due.position] = Held(due.position, 0, 0, False, "waits for an earlier one of its key")
        return holds

    async def _react(self, policy: str, due: _Due) -> str | None:
        """Ask what the policy wants asked. None when that is settled, else the reason why not."""
        try:
            commands = await self._policies[policy].react(due.event, due.envelope, self._facts)
            for command in commands:
                answer = await self._writer.ask(self._ask(policy, due.envelope, command))
                if answer.rejected:
                    _log.info("reaction.rejected", policy=policy, event=due.envelope.id, code=answer.rejected)
        except Stopped:
            raise
        except NotYet as missing:
            return f"not yet: {missing}"
        except Exception as error:
            _log.exception("reaction.failed", policy=policy, event=due.envelope.id, position=due.position)
            return f"{type(error).__name__}: {error}"
        return None

    def _ask(self, policy: str, envelope: Envelope, command: object) -> Ask:
        target = self._rules.handler_of[type(command)].reads(command)[0]
        return Ask(
            command=command,
            tenant=envelope.tenant,
            actor=f"policy:{policy}",
            caller=f"policy:{policy}",
            key=f"{envelope.id}/{type(command).__name__}/{target}",
            correlation_id=envelope.correlation_id,
            causation_id=envelope.id,
            channel=envelope.channel,
            trace_parent=envelope.trace_parent,
            derived=True,
        )

    def _next_try(self, key: HoldKey, held: Held, why: str) -> Held:
        tries = held.tries + 1
        pause = min(2 ** (tries - 1), LONGEST_PAUSE_S)
        parked = tries >= TRIES
        if parked:
            _log.error("reaction.parked", policy=key.policy, key=key.key, position=held.position, reason=why)
        return Held(held.position, tries, micros(self._clock.now()) + pause * 1_000_000, parked, why)

    # Held keys.

    def _ready(self) -> list[HoldKey]:
        now = micros(self._clock.now())
        return [
            key
            for key, waiting in self._held.items()
            if waiting and not (first := waiting[min(waiting)]).parked and first.retry_at <= now
        ]

    def _next_retry(self) -> float | None:
        firsts = [waiting[min(waiting)] for waiting in self._held.values() if waiting]
        due = min((first.retry_at for first in firsts if not first.parked), default=None)
        return None if due is None else max(0.01, (due - micros(self._clock.now())) / 1_000_000)

    async def _retry(self) -> bool:
        """Try every held key whose pause is over; False when there was none."""
        ready = self._ready()
        if ready:
            parts = await asyncio.gather(*[self._retry_key(key) for key in ready])
            await self._record({}, {name: held for part in parts for name, held in part.items()})
        return bool(ready)

    async def _retry_key(self, key: HoldKey) -> Holds:
        holds: Holds = {}
        for position in sorted(self._held[key]):
            (entry,) = await self._store.read(position - 1, 1)
            envelope = envelopes.read(entry.record)
            why = await self._react(key.policy, _Due(position, envelopes.payload(envelope), envelope))
            if why is not None:
                holds[key, position] = self._next_try(key, self._held[key][position], why)
                break
            holds[key, position] = None
        return holds

    async def _record(self, checkpoints: Mapping[str, int], holds: Holds) -> None:
        if checkpoints or holds:
            await self._writer.settle(Settle(checkpoints=checkpoints, holds=holds))
        for (key, position), held in holds.items():
            if held is None:
                del self._held[key][position]
                if not self._held[key]:
                    del self._held[key]
            else:
                self._held[key][position] = held

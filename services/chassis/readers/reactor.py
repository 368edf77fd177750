"""
The reactor: turns events into commands, each policy from its own checkpoint, in order within a key.

What fails, or lacks a fact that is on its way, is *held*: its key waits with all that comes after it, other keys go on.
A held key is tried again with growing pauses; success lets the rest follow in order; after `TRIES` it is *parked* until
somebody has looked and asks for it (see `holds`), or starts the service anew. Retry, waiting and parking are this one
mechanism. A fact that is lacking is looked for at once when something of the key is recorded, and every few seconds, as
it may come under another key; a look that finds nothing is no try, and is not recorded. An event whose time has not
come (`NotBefore`) waits under a key of its own, so that it keeps no other waiting.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import structlog

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.problems import NotBefore, NotYet
from services.chassis.clock import Clock, micros
from services.chassis.journal.rules import Rules
from services.chassis.journal.store import Entry, Held, HoldKey, JournalStore
from services.chassis.journal.work import Ask, Bug, Settle, Stopped
from services.chassis.journal.writer import Writer
from services.chassis.readers.holds import Decisions
from services.chassis.service import Facts, Policy, Service

PAGE = 256
"""Events, and held keys, that are looked at together; what they ask is one commit or few."""

MOST_CARRIED = 2_000
"""So far a checkpoint may move over what concerns no policy before that is worth a commit of its own."""

TRIES = 14
"""With pauses of 1, 2, 4 … 300 s: half an hour until a key is parked."""
LONGEST_PAUSE_S = 300

LOOK_EVERY_S = 10
"""How often a fact that is lacking is looked for between two tries."""
LACKING = "not yet: "
"""So begins the reason of what waits for a fact."""

LATER = "later-release"

RELEASED = 32
"""The most events of one key that follow in a row when it is free again; then others have their turn."""

_log = structlog.get_logger()


class _Due(NamedTuple):
    """An event that a policy has not settled."""

    position: int
    envelope: Envelope
    """Its payload is read where the policy acts, so that one that cannot be read holds its key only."""


class _Waits(NamedTuple):
    """Why an event is not settled, and until when nothing would change that, in microseconds UTC, where it is known."""

    why: str
    until: int | None = None


Chains = Mapping[HoldKey, Sequence[_Due]]
Holds = dict[tuple[HoldKey, int], Held | None]


def _look_at(done: asyncio.Future[None]) -> None:
    """Whoever waits for it is told; where nobody does any more, nobody is to complain of that."""
    if not done.cancelled():
        done.exception()


def pause_s(tries: int) -> int:
    """How long after this many tries the next one is."""
    return int(min(2 ** (tries - 1), LONGEST_PAUSE_S))


def checkpoint_of(policy: Policy) -> str:
    return f"policy:{policy.name}"


class Reactor:
    """
    Runs a service's policies over its journal. Only the holder of the lease has one; it never runs in a replay.

    Make it when the writer has started and is not yet asked anything: what is recorded from then on is new to a policy
    that starts now. `begin` keeps that place before anything can be recorded; `run` does, where it was not called.
    """

    tries = TRIES
    """Of an event, until its key is parked."""
    later = LATER
    """Stands in place of a policy for what only a later release can read."""
    waits_for_facts = True
    """Whether what is not yet possible becomes so by what the service records and takes in."""
    rests_s = 0.0
    """So long it rests after a page, so that what comes meanwhile is looked at, and recorded, together."""

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
        self._store, self._writer, self._clock = store, writer, clock
        self._facts = facts
        self._views_have = views_have
        self._by_type: dict[str, list[Policy]] = defaultdict(list)
        for policy in service.policies:
            for event in policy.when:
                self._by_type[event.__name__].append(policy)
        self._now = writer.position
        self._done: dict[str, int] = {}
        self._kept: dict[str, int] = {}
        """The checkpoints as the journal has them."""
        self._held: dict[HoldKey, dict[int, Held]] = {}
        """What waits, in the order of positions."""
        self._waiting = 0
        self._retries: list[tuple[int, HoldKey]] = []
        """A heap of every held key that is not parked, by the time at which it is next tried or looked at."""
        self._looked_at = 0
        self._redriven: set[HoldKey] = set()
        self._woken: set[HoldKey] = set()
        """Keys that lack a fact, and of which something was recorded since."""
        self._trying = False
        self._settling: asyncio.Future[None] | None = None
        """The commit that records what was held last."""
        self._settled_to = 0
        """The position before that."""
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was recorded, or the clock was set."""
        self._wake.set()

    def redrive(self) -> int:
        """Try all parked keys again, each from its first event on; returns how many. A service does so as it starts."""
        parked = {key for key in self._held if self._first(key).parked}
        self._redriven |= parked
        self._wake.set()
        return len(parked)

    @property
    def position(self) -> int:
        """Up to where every policy has settled or held what concerns it, and what is held is recorded."""
        return min(self._done.values(), default=0) if self._settling is None else self._settled_to

    @property
    def parked(self) -> int:
        """Keys that wait for somebody to look."""
        return sum(self._first(key).parked for key in self._held)

    @property
    def waiting(self) -> int:
        """Events that are held."""
        return self._waiting

    def has_tried(self, position: int) -> bool:
        """Whether all that was to be tried again by what is recorded up to here was tried."""
        return not self._policies or (
            self.position >= position and not self._redriven and not self._woken and not self._trying
        )

    def held_by(self, tenant: str, key: str) -> dict[str, Held]:
        """The oldest event that each policy holds of a key."""
        found = {name: HoldKey(name, tenant, key) for name in self._policies}
        return {name: self._first(hold) for name, hold in found.items() if hold in self._held}

    async def run(self) -> None:
        """
        React until cancelled.

        Raises Stopped when the writer has ended, and what the store or the writer raised when a checkpoint could not be
        kept; then a new reactor goes on from the journal, and what was asked already is not done again.
        """
        if not self._policies:
            return
        await self.begin()
        while True:
            self._wake.clear()
            # Both each time: a journal that never rests must not keep a held key waiting.
            went_on, tried = await self._go_on(), await self._retry()
            if went_on or tried:
                if self.rests_s:
                    await asyncio.sleep(self.rests_s)
                continue
            await self._settled()
            # Not wait_for, which forgets that it was cancelled when it was woken at the same moment.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._next_retry()):
                    await self._wake.wait()

    async def begin(self) -> None:
        """Learn where every policy goes on and what is held, and keep where a new one begins. The writer must run."""
        if self._done or not self._policies:
            return
        kept = await self._store.checkpoints()
        begun = {}
        for policy in self._policies.values():
            begin = self._now if policy.starts == "now" else 0
            begun[policy.name] = kept.get(checkpoint_of(policy), begin)
        if new := {name: begun[name] for name, policy in self._policies.items() if checkpoint_of(policy) not in kept}:
            # Where a new policy began is a fact to keep: after a restart it must not begin somewhere else.
            await self._writer.settle(Settle(checkpoints={f"policy:{name}": at for name, at in new.items()}))
        await self._hand_over(kept)
        for key, held in await self._store.held(list(self._policies)):
            self._held.setdefault(key, {})[held.position] = held
            self._waiting += 1
        self._retries = [(self._next_look(first), key) for key in self._held if not (first := self._first(key)).parked]
        heapq.heapify(self._retries)
        self._kept = dict(begun)
        self._done = begun

    async def _hand_over(self, kept: Mapping[str, int]) -> None:
        """
        What a release before this one did not know, and this one does, is held for the policies that act on it.

        A policy that is new here begins where it says, and is given nothing.
        """
        holds: Holds = {}
        for key, waits in await self._store.held([self.later]):
            [entry] = await self._store.read(waits.position - 1, 1)
            envelope = envelopes.read(entry.record)
            if envelopes.is_known(envelope.type):
                holds[key, waits.position] = None
                for policy in self._by_type.get(envelope.type, ()):
                    if checkpoint_of(policy) in kept:
                        held = HoldKey(policy.name, key.tenant, key.key), waits.position
                        holds[held] = Held(waits.position, 0, 0, False, "an earlier release did not know its type")
        if holds:
            await self._writer.settle(Settle(holds=holds))

    # New events.

    async def _go_on(self) -> bool:
        """One page further; False when there was nothing. Policies that stand apart go on each at its own place."""
        went_on = False
        for place in sorted(set(self._done.values())):
            if entries := await self._store.read(place, PAGE):
                went_on = True
                await self._settle_page([name for name, done in self._done.items() if done == place], entries)
        return went_on

    async def _settle_page(self, policies: Sequence[str], entries: Sequence[Entry]) -> None:
        end = entries[-1].position
        decisions = Decisions()
        chains = self._chains(policies, entries, decisions)
        woken = self._lacking(policies, entries)
        if chains or woken:
            await self._views_have(end)
        parts = await asyncio.gather(*[self._settle_chain(key, dues) for key, dues in chains.items()])
        await self._settled()  # with what was asked just now, as a rule, so it is no wait of its own
        carried = max(end - self._kept[name] for name in policies)
        holds: Holds = {name: held for part in parts for name, held in part.items()}
        holds |= {(key, at): None for key, at in decisions.discards if at in self._held.get(key, ())}
        done = Settle({f"policy:{name}": end for name in policies}, holds | decisions.later)
        if done.holds:
            # Other keys do not wait until it is recorded: what they ask next is recorded with it.
            self._apply(holds)
            self._settled_to = self.position
            self._settling = asyncio.ensure_future(self._writer.settle(done))
            self._settling.add_done_callback(_look_at)
            self._kept.update(dict.fromkeys(policies, end))
        elif chains or carried >= MOST_CARRIED:
            # After a crash it is asked again, and each command's key says that it was done.
            self._writer.settle_soon(done)
            self._kept.update(dict.fromkeys(policies, end))
        self._done.update(dict.fromkeys(policies, end))
        self._woken |= woken
        self._redriven |= {key for key, _ in decisions.discards if key in self._held and not self._first(key).parked}
        if decisions.redrives:
            self._redriven |= decisions.meant({key: self._first(key) for key in self._held})

    def _chains(
        self, policies: Iterable[str], entries: Iterable[Entry], decisions: Decisions
    ) -> dict[HoldKey, list[_Due]]:
        chains: dict[HoldKey, list[_Due]] = defaultdict(list)
        for entry in entries:
            try:
                envelope = entry.envelope()
            except (msgspec.MsgspecError, ValueError) as error:
                # Whose event it is cannot be told, and no retry will read it. The checks of the log find it too.
                _log.error("reaction.unreadable", position=entry.position, event_id=entry.event_id, reason=str(error))
                continue
            if envelope.origin == "import":
                continue  # History does not act.
            decisions.look(envelope)
            if not envelopes.is_known(envelope.type):
                decisions.later[HoldKey(self.later, envelope.tenant, envelope.partition_key), entry.position] = Held(
                    entry.position, 0, 0, True, f"{envelope.type} is of a later release"
                )
            for policy in self._by_type.get(envelope.type, ()):
                if policy.name in policies:
                    key = HoldKey(policy.name, envelope.tenant, envelope.partition_key)
                    chains[key].append(_Due(entry.position, envelope))
        return chains

    def _lacking(self, policies: Collection[str], entries: Iterable[Entry]) -> set[HoldKey]:
        """Those that wait for a fact which may have come, as something of their key was recorded."""
        if not (self._held and self.waits_for_facts):
            return set()
        some: set[HoldKey] = set()
        for entry in entries:
            with suppress(msgspec.MsgspecError, ValueError):  # told of when the chains were made
                envelope = entry.envelope()
                some.update([HoldKey(policy, envelope.tenant, envelope.partition_key) for policy in policies])
        return {key for key in some if key in self._held and _lacks(self._first(key))}

    async def _settle_chain(self, key: HoldKey, dues: Sequence[_Due]) -> Holds:
        """What is held afterwards."""
        holds: Holds = {}
        waits = key in self._held
        for due in dues:
            if not waits and (failed := await self._react(key.policy, due)) is not None:
                if failed.until is not None:
                    holds[_own_key(key, due.envelope), due.position] = _held_until(due.position, 0, failed)
                    continue
                waits = True
                holds[key, due.position] = self._next_try(key, Held(due.position, 0, 0, False, ""), failed.why)
            elif waits:
                holds[key, due.position] = Held(due.position, 0, 0, False, "waits for an earlier one of its key")
        return holds

    # One event.

    async def _react(self, policy_name: str, due: _Due, tried: int = 0) -> _Waits | None:
        """Ask what the policy wants asked. None when that is settled, else why it waits."""
        policy, envelope = self._policies[policy_name], due.envelope
        if policy.stale_after and self._clock.now() - envelope.recorded_at > policy.stale_after:
            _log.info("reaction.stale", policy=policy.name, event_id=envelope.id)
            return None
        try:
            commands = await self._commands(policy, envelope, tried)
            for ask in self._asks(policy.name, due, commands):
                answer = await self._writer.ask(ask)
                if answer.rejected:
                    _log.info("reaction.rejected", policy=policy.name, event_id=envelope.id, code=answer.rejected)
        except Stopped:
            raise
        except Exception as error:
            # A decision that lacks a fact says so from within the writer.
            missing = error.__cause__ if isinstance(error, Bug) else error
            if isinstance(missing, NotYet):
                if isinstance(missing, NotBefore):
                    return _Waits(f"not before {missing.at:%Y-%m-%dT%H:%M:%SZ}: {missing}", micros(missing.at))
                return _Waits(f"{LACKING}{missing}")
            _log.exception("reaction.failed", policy=policy.name, event_id=envelope.id, position=due.position)
            return _Waits(f"{type(error).__name__}: {error}")
        return None

    async def _commands(self, policy: Policy, envelope: Envelope, tried: int) -> Sequence[Any]:
        """What the policy makes of an event that was tried so often before."""
        return await policy.react(envelopes.payload(envelope), envelope, self._facts)

    def _asks(self, policy: str, due: _Due, commands: Iterable[object]) -> list[Ask]:
        envelope = due.envelope
        asks: dict[str, Ask] = {}
        for command in commands:
            kind, target = type(command), self._rules.handler_of[type(command)].reads(command)[0]
            key = f"{envelope.id}/{kind.__name__}/{target}"
            if key in asks:
                raise Bug(f"{policy} asks two {kind.__name__} of {target} at once; the second would be a repeat")
            asks[key] = Ask(
                command=command,
                tenant=envelope.tenant,
                actor=f"policy:{policy}",
                caller=f"policy:{policy}",
                key=key,
                correlation_id=envelope.correlation_id,
                causation_id=envelope.id,
                channel=envelope.channel,
                trace_parent=envelope.trace_parent,
                derived=True,
                caused_at=due.position,
            )
        return list(asks.values())

    def _next_try(self, key: HoldKey, held: Held, why: str) -> Held:
        tries = held.tries + 1
        pause = pause_s(tries)
        parked = tries >= self.tries
        if parked:
            _log.error("reaction.parked", policy=key.policy, key=key.key, position=held.position, reason=why)
        return Held(held.position, tries, micros(self._clock.now()) + pause * 1_000_000, parked, why)

    # Held keys.

    def _first(self, key: HoldKey) -> Held:
        waiting = self._held[key]
        return waiting[next(iter(waiting))]

    def _ready(self) -> list[HoldKey]:
        """Held keys that are to be tried or looked at now, a page of them; they leave the heap until that is done."""
        now = micros(self._clock.now())
        if now < self._looked_at:
            # The clock was set back: when a pause is over cannot be told any more, so all are over.
            self._retries = [(now, key) for _, key in self._retries]
        self._looked_at = now
        asked = self._redriven | {key for key in self._woken if key in self._held and _lacks(self._first(key))}
        ready = [key for key in asked if key in self._held]
        if ready:
            self._retries = [(at, key) for at, key in self._retries if key not in asked]
            heapq.heapify(self._retries)
        self._woken.clear()
        while self._retries and self._retries[0][0] <= now and len(ready) < PAGE:
            key = heapq.heappop(self._retries)[1]
            if key in self._held:  # all that it held may have been discarded
                ready.append(key)
        return ready

    def _next_look(self, first: Held) -> int:
        """When a key with this oldest event is next tried, or looked at before that, in microseconds UTC."""
        if not (self.waits_for_facts and _lacks(first)):
            return first.retry_at
        return min(first.retry_at, micros(self._clock.now()) + LOOK_EVERY_S * 1_000_000)

    def _next_retry(self) -> float | None:
        """Seconds until then; None when nothing is to be tried."""
        if not self._retries:
            return None
        return max(0.01, (self._retries[0][0] - micros(self._clock.now())) / 1_000_000)

    async def _retry(self) -> bool:
        """Try every held key whose pause is over; False when there was none."""
        ready, asked_for = self._ready(), self._redriven
        self._trying, self._redriven = bool(ready), set()
        if ready:
            await self._settled()
            parts = await asyncio.gather(*[self._retry_key(key, key in asked_for) for key in ready])
            holds: Holds = {name: held for part in parts for name, held in part.items()}
            if holds:
                await self._writer.settle(Settle(holds=holds))
                self._apply(holds)
            for key in ready:
                if key in self._held and not (first := self._first(key)).parked:
                    heapq.heappush(self._retries, (self._next_look(first), key))
        self._trying = False
        return bool(ready)

    async def _retry_key(self, key: HoldKey, is_asked_for: bool) -> Holds:
        holds: Holds = {}
        first = self._first(key)
        looks = not is_asked_for and _lacks(first) and micros(self._clock.now()) < first.retry_at
        positions = list(islice(self._held[key], RELEASED))
        near: dict[int, Entry] = {}
        for number, position in enumerate(positions):
            if position not in near:
                # The first alone: as long as it fails, no other is wanted.
                near = await self._near(positions[number:] if number else [position])
            held, envelope = self._held[key][position], near[position].envelope()
            failed = await self._react(key.policy, _Due(position, envelope), held.tries)
            if failed is not None and failed.until is None:
                if looks and held is first and failed.why.startswith(LACKING):
                    break  # Still not here, and its pause is not over.
                held = held._replace(tries=0) if held.parked else held
                holds[key, position] = self._next_try(key, held, failed.why)
                break
            holds[key, position] = None
            if failed is not None:
                holds[_own_key(key, envelope), position] = _held_until(position, held.tries, failed)
        return holds

    async def _near(self, positions: Sequence[int]) -> dict[int, Entry]:
        """The first of these events, and of the others those that one read finds with it."""
        after = positions[0] - 1
        last = max(position for position in positions if position <= after + PAGE)
        return {entry.position: entry for entry in await self._store.read(after, last - after)}

    async def _settled(self) -> None:
        """Wait until what was held last is recorded. Raises what the writer raised."""
        if self._settling is not None:
            await self._settling
            self._settling = None

    def _apply(self, holds: Holds) -> None:
        for (key, position), held in holds.items():
            if held is None:
                del self._held[key][position]
                self._waiting -= 1
                if not self._held[key]:
                    del self._held[key]
            elif key in self._held:
                self._waiting += position not in self._held[key]
                self._held[key][position] = held
            else:
                self._held[key] = {position: held}
                self._waiting += 1
                heapq.heappush(self._retries, (held.retry_at, key))


def _lacks(first: Held) -> bool:
    """Whether a key with this oldest event waits for a fact, and nobody was told that it does not come."""
    return first.reason.startswith(LACKING) and not first.parked


def _own_key(key: HoldKey, envelope: Envelope) -> HoldKey:
    """Where one event waits by itself."""
    return key if key.key.endswith(f"#{envelope.id}") else key._replace(key=f"{key.key}#{envelope.id}")


def _held_until(position: int, tries: int, failed: _Waits) -> Held:
    assert failed.until is not None
    return Held(position, tries, failed.until, False, failed.why)

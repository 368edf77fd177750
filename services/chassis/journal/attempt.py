"""One try at a batch: decided and encoded in memory, so that dropping it undoes it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.problems import Rejected
from services.chassis.clock import micros
from services.chassis.ids import Ids, derived_id
from services.chassis.journal.rules import Handler, Rules, States
from services.chassis.journal.store import (
    GENESIS,
    Batch,
    ClaimKey,
    Entry,
    Known,
    Receipt,
    ReceiptKey,
    StreamKey,
    Timer,
    TimerKey,
    Wanted,
)
from services.chassis.journal.work import Answer, Arrival, Ask, Bug, Hole, Settle, TakeIn, Work

KEPT = timedelta(days=30)
"""How long the answer to an idempotency key of the edge is kept; those of reactions are kept for ever."""


class Keys(Protocol):
    """Seals what is said about a person."""

    async def ensure(self, persons: set[tuple[str, str]]) -> None:
        """Make the keys of these (tenant, person) ready, so that `seal` need not wait."""

    def seal(self, tenant: str, person: str, text: str) -> str:
        """The text under the person's key; what is sealed already stays as it is."""


@dataclass(slots=True)
class Live:
    """A stream as of its newest event."""

    state: Any
    version: int = 0
    public_version: int = 0


@dataclass(slots=True)
class Memory:
    """What a writer remembers from batch to batch: where the journal ends, and the newest states."""

    source: str = ""
    position: int = 0
    chains: dict[str, bytes] = field(default_factory=dict)
    live: dict[StreamKey, Live] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Decided:
    """An event that is not yet a record."""

    event: Event
    ask: Ask
    index: int
    version: int
    public_version: int


def handler_of(rules: Rules, ask: Ask) -> Handler[Any]:
    handler = rules.handler_of.get(type(ask.command))
    if handler is None:
        raise Bug(f"{rules.service} has no handler for {type(ask.command).__name__}")
    return handler


def wanted_by(rules: Rules, works: Sequence[Work], memory: Memory) -> Wanted:
    """What must be read from the store before these can be decided."""
    wanted = Wanted()
    for work in works:
        match work:
            case Ask():
                handler = handler_of(rules, work)
                wanted.streams.update([StreamKey(work.tenant, name) for name in handler.reads(work.command)])
                wanted.claims.update([ClaimKey(work.tenant, *claim) for claim in handler.claims(work.command)])
                if work.key:
                    wanted.receipts.add(ReceiptKey(work.tenant, work.caller, work.key))
            case TakeIn():
                wanted.seen.update([StreamKey(one.envelope.tenant, one.stream) for one in work.arrivals])
            case Settle():
                pass
    wanted.streams -= memory.live.keys()
    return wanted


class Attempt:
    """
    Decides work upon what is remembered and known, without changing either; then encodes what it decided.

    `batch`, `live`, `chains` and `position` hold what follows if the store commits it.
    """

    def __init__(self, rules: Rules, memory: Memory, known: Known, now: datetime) -> None:
        self._rules, self._memory, self._known, self._now = rules, memory, known, now
        self._rows: list[_Decided | Arrival] = []
        self.batch = Batch()
        self.live: dict[StreamKey, Live] = {}
        self.chains = dict(memory.chains)
        self.position = memory.position

    def take(self, work: Work) -> Answer | Hole | None:
        match work:
            case Ask():
                return self._answer(work)
            case TakeIn():
                return self._take_in(work)
            case Settle(checkpoints, holds):
                self.batch.checkpoints.update(checkpoints)
                self.batch.holds.update(holds)
                return None

    def _end(self) -> int:
        return self._memory.position + len(self._rows)

    # Commands.

    def _answer(self, ask: Ask) -> Answer:
        if ask.derived and not ask.key:
            raise Bug(f"{ask.caller} derives its events from a key and gave none")
        if ask.forget_timer:
            self.batch.timers[ask.forget_timer] = None
        key = ReceiptKey(ask.tenant, ask.caller, ask.key)
        if ask.key and (earlier := self.batch.receipts.get(key) or self._known.receipts.get(key)):
            if earlier.request_hash != ask.request_hash:
                return Answer(self._end(), rejected="idempotency-key.reused", facts={"key": ask.key})
            return msgspec.structs.replace(msgspec.json.decode(earlier.outcome, type=Answer), repeated=True)
        try:
            answer = self._append(ask, self._decide(ask))
        except Rejected as no:
            answer = Answer(self._end(), rejected=no.code, facts=no.facts)
        if ask.key:
            until = 0 if ask.derived else micros(self._now + KEPT)
            self.batch.receipts[key] = Receipt(ask.request_hash, msgspec.json.encode(answer), answer.position, until)
        return answer

    def _decide(self, ask: Ask) -> Sequence[Event]:
        handler = handler_of(self._rules, ask)
        live = {name: self._of(StreamKey(ask.tenant, name)) for name in handler.reads(ask.command)}
        for stream, expected in ask.expected.items():
            if (current := live[stream].version) != expected:
                raise Rejected("stream.stale", stream=stream, expected=expected, current=current)
        owners = {claim: self._owner(ClaimKey(ask.tenant, *claim)) for claim in handler.claims(ask.command)}
        return handler.decide(States({name: one.state for name, one in live.items()}, owners), ask.command)

    def _append(self, ask: Ask, events: Sequence[Event]) -> Answer:
        # All is checked before anything is kept, so that a refused command leaves no trace in the batch.
        named = handler_of(self._rules, ask).reads(ask.command)
        claims: dict[ClaimKey, str | None] = {}
        for event in events:
            if event.stream() not in named:
                raise Bug(f"{type(event).__name__} belongs to {event.stream()}, which its command did not name")
            if claims_of := self._rules.claims.get(type(event)):
                for claim in claims_of(event):
                    name = ClaimKey(ask.tenant, claim.kind, claim.key)
                    holder = claims[name] if name in claims else self._owner(name)
                    if claim.owner is not None and holder not in (None, claim.owner):
                        raise Rejected(f"{claim.kind}.taken", key=claim.key, owner=str(holder))
                    if holder != claim.owner:
                        claims[name] = claim.owner
        self.batch.claims.update(claims)
        versions: dict[str, int] = {}
        for index, event in enumerate(events):
            stream = StreamKey(ask.tenant, event.stream())
            before = self._of(stream)
            after = Live(
                self._rules.stream_of[event.STREAM].evolve(before.state, event),
                before.version + 1,
                before.public_version + event.PUBLIC,
            )
            self.live[stream] = after
            versions[stream.stream] = after.version
            self._rows.append(_Decided(event, ask, index, after.version, after.public_version if event.PUBLIC else 0))
        return Answer(self._end(), tuple([type(event).__name__ for event in events]), versions)

    def _of(self, key: StreamKey) -> Live:
        live = self.live.get(key) or self._memory.live.get(key)
        if live is None:
            stream = self._rules.stream_of[key.stream.partition("/")[0]]
            live = Live(stream.initial)
            for record in self._known.streams.get(key, ()):
                envelope = envelopes.read(record)
                live.state = stream.evolve(live.state, envelopes.payload(envelope))
                live.version = envelope.version
                live.public_version = max(live.public_version, envelope.public_version)
            self.live[key] = live
        return live

    def _owner(self, key: ClaimKey) -> str | None:
        return self.batch.claims[key] if key in self.batch.claims else self._known.claims.get(key)

    # What others published.

    def _take_in(self, work: TakeIn) -> Hole | None:
        seen: dict[StreamKey, int] = {}
        fresh: list[Arrival] = []
        for arrival in work.arrivals:
            stream = StreamKey(arrival.envelope.tenant, arrival.stream)
            version = arrival.envelope.public_version
            last = seen.get(stream) or self.batch.seen.get(stream) or self._known.seen.get(stream, 0)
            if version > last + 1:
                return Hole(f"{stream.stream} goes on with its public version {version} after {last}")
            if version == last + 1:
                seen[stream] = version
                if arrival.wanted:
                    fresh.append(arrival)
        self.batch.seen.update(seen)
        self.batch.offsets.update(work.offsets)
        self._rows += fresh
        return None

    # Bytes.

    async def encode(self, new_id: Ids, keys: Keys) -> None:
        """Seal, give positions, chain. Waits for the keys of the persons named and for nothing else."""
        persons = {
            (row.ask.tenant, str(getattr(row.event, person)))
            for row in self._rows
            if isinstance(row, _Decided)
            for _, person in row.event.PERSONAL
        }
        if persons:
            await keys.ensure(persons)
        for row in self._rows:
            self.position += 1
            if isinstance(row, Arrival):
                envelope, record, stream = row.envelope, row.record, row.stream
            else:
                envelope = self._envelope(row, new_id, keys)
                record, stream = msgspec.json.encode(envelope), envelope.stream
                self._arm(row, envelope)
            tenant = envelope.tenant
            link = self.chains[tenant] = hashlib.sha256(self.chains.get(tenant, GENESIS) + record).digest()
            story = envelope.correlation_id
            self.batch.entries.append(
                Entry(self.position, envelope.id, tenant, stream, envelope.version, story, link, record)
            )

    def _envelope(self, row: _Decided, new_id: Ids, keys: Keys) -> Envelope:
        event, ask = row.event, row.ask
        stream, key = event.stream(), event.partition_key()
        sealed, persons = _seal(event, ask.tenant, keys)
        data = msgspec.json.encode(sealed)
        # A struct checks its types when it is read: what could not be read back is never written.
        msgspec.json.decode(data, type=type(event))
        return Envelope(
            id=derived_id(ask.tenant, ask.caller, ask.key, str(row.index)) if ask.derived else new_id(),
            source=self._memory.source,
            type=type(event).__name__,
            subject=stream,
            time=ask.happened_at or self._now,
            tenant=ask.tenant,
            stream=stream,
            version=row.version,
            public_version=row.public_version,
            position=str(self.position),
            recorded_at=self._now,
            correlation_id=ask.correlation_id or key,
            causation_id=ask.causation_id,
            actor=ask.actor,
            channel=ask.channel,
            origin=ask.origin,
            partition_key=key,
            key_ids=",".join(persons),
            trace_parent=ask.trace_parent,
            data=msgspec.Raw(data),
        )

    def _arm(self, row: _Decided, envelope: Envelope) -> None:
        timers_of = self._rules.timers.get(type(row.event))
        if timers_of and envelope.origin == "live":
            for arm in timers_of(row.event, envelope):
                timer = None if arm.due is None else Timer(micros(arm.due), envelope.id)
                self.batch.timers[TimerKey(envelope.tenant, arm.name, arm.key)] = timer


def _seal(event: Event, tenant: str, keys: Keys) -> tuple[Event, list[str]]:
    if not event.PERSONAL:
        return event, []
    sealed = {
        name: keys.seal(tenant, str(getattr(event, person)), text)
        for name, person in event.PERSONAL
        if (text := getattr(event, name))
    }
    return msgspec.structs.replace(event, **sealed), sorted({str(getattr(event, p)) for _, p in event.PERSONAL})

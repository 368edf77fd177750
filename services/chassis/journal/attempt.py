"""One try at a batch: decided and encoded in memory, so that dropping it undoes it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Protocol

import msgspec
import structlog

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
from services.chassis.journal.work import Answer, Arrival, Ask, Bug, Fork, Hole, Settle, TakeIn

KEPT = timedelta(days=30)
"""How long the answer to an idempotency key of the edge is kept; those of reactions are kept for ever."""

MOST_RECEIPTS = 5_000
"""Of reactions, kept in memory; those that were written first go first."""

SEALED = "(sealed)"
"""What a fold reads in place of a personal text."""

MICROSECOND = timedelta(microseconds=1)

_log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode
_answers = msgspec.json.Decoder(Answer)


Owners = Mapping[tuple[str, str], str]
"""By tenant and person the one, of the same tenant, with whose key that person's is destroyed."""

NOBODY: Final[Owners] = MappingProxyType({})


class Keys(Protocol):
    """Seals what is said about a person."""

    async def ensure(self, persons: set[tuple[str, str]], joined: Owners = NOBODY) -> None:
        """
        Make the keys of these (tenant, person) ready, so that `seal` need not wait.

        From now on the key of each that is `joined` is destroyed with the owner's. Durable when it returns; may be said
        twice.
        """

    def seal(self, tenant: str, person: str, text: str) -> str:
        """The text under the person's key; what is sealed already stays as it is."""


class Live(msgspec.Struct):
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
    armed: dict[TimerKey, str] = field(default_factory=dict)
    """The event that set each timer that was set in this process's life and is still to come."""
    shift: int = 0
    """What records say as their position is so much above the one where they stand."""
    restored: bool = False
    """Receipts may be lacking: whether a reaction was done is told by its events as well."""

    receipts: dict[ReceiptKey, Receipt] = field(default_factory=dict)
    """Those of reactions that this writer wrote."""
    receipts_from: int = 0
    """All receipts of reactions to what was recorded after this position are among them."""

    def knows_receipt(self, ask: Ask) -> bool:
        """Whether it can be told without the store if this was asked before."""
        return ask.caused_at > self.receipts_from and not self.restored

    def follow(self, attempt: Attempt, most_streams: int) -> None:
        """Remember what an attempt recorded; of more than so many streams, those not written for longest are left."""
        for key, live in attempt.live.items():
            self.live.pop(key, None)
            self.live[key] = live
        while len(self.live) > most_streams:
            del self.live[next(iter(self.live))]
        for timer_key, timer in attempt.batch.timers.items():
            if timer is None:
                self.armed.pop(timer_key, None)
            else:
                self.armed[timer_key] = timer.event_id
        self.receipts |= attempt.reacted
        while len(self.receipts) > MOST_RECEIPTS:
            first = self.receipts.pop(next(iter(self.receipts)))
            self.receipts_from = max(self.receipts_from, first.position)
        self.position, self.chains = attempt.position, attempt.chains


class _Decided(msgspec.Struct, frozen=True):
    """An event that is not yet a record."""

    event: Event
    ask: Ask
    nth: int
    """Which of its command's events."""
    stream: str
    version: int
    public_version: int


class Asked(msgspec.Struct, frozen=True):
    """A command with its handler, and the keys of all that it names."""

    ask: Ask
    handler: Handler[Any]
    streams: dict[str, StreamKey]
    claims: dict[tuple[str, str], ClaimKey]
    receipt: ReceiptKey | None


def asked(rules: Rules, ask: Ask) -> Asked:
    """Raises Bug for a command that the service has no handler for."""
    command, tenant = ask.command, ask.tenant
    handler = rules.handler_of.get(type(command))
    if handler is None:
        raise Bug(f"{rules.service} has no handler for {type(command).__name__}")
    return Asked(
        ask,
        handler,
        {name: (tenant, name) for name in handler.reads(command)},
        {claim: (tenant, *claim) for claim in handler.claims(command)},
        (tenant, ask.caller, ask.key) if ask.key else None,
    )


def _first_id(ask: Ask) -> str:
    """Of the first event that a derived command records, if it records any."""
    return derived_id(ask.tenant, ask.caller, ask.key, "0")


def wanted_by(works: Sequence[Asked | TakeIn | Settle], memory: Memory) -> Wanted:
    """What must be read from the store before these can be decided."""
    wanted = Wanted()
    for work in works:
        match work:
            case Asked():
                wanted.streams.update([key for key in work.streams.values() if key not in memory.live])
                wanted.claims.update(work.claims.values())
                if work.receipt and not memory.knows_receipt(work.ask):
                    wanted.receipts.add(work.receipt)
                if work.ask.derived and memory.restored:
                    wanted.events.add(_first_id(work.ask))
            case TakeIn():
                wanted.seen.update([(one.envelope.tenant, one.stream) for one in work.arrivals])
            case Settle():
                wanted.receipts.update(work.expired)
    return wanted


class Attempt:
    """
    Decides work upon what is remembered and known, without changing either; then encodes what it decided.

    `batch`, `live`, `chains` and `position` hold what follows if the store commits it. `unread` are foreign streams of
    which something came again: what was recorded of them must be known to tell a repeat from a fork.
    """

    def __init__(self, rules: Rules, memory: Memory, known: Known, now: datetime) -> None:
        self._rules, self._memory, self._known, self._now = rules, memory, known, now
        self._now_micros = micros(now)
        self._rows: list[_Decided | Arrival] = []
        self.batch = Batch()
        self.unread: set[StreamKey] = set()
        self.live: dict[StreamKey, Live] = {}
        self.reacted: dict[ReceiptKey, Receipt] = {}
        """The receipts of reactions among those of the batch."""
        self.chains = dict(memory.chains)
        self.position = memory.position

    def take(self, work: Asked | TakeIn | Settle) -> Answer | Hole | Fork | Bug | None:
        """What becomes of this piece of work if the batch is committed. One that fails leaves no trace in the batch."""
        match work:
            case Asked():
                try:
                    return self._answer(work)
                except Bug as bug:
                    return bug
                except Exception as error:
                    return _bug(f"{type(work.ask.command).__name__} cannot be decided: {error!r}", error)
            case TakeIn():
                return self._take_in(work)
            case Settle(checkpoints, holds, expired):
                self.batch.checkpoints.update(checkpoints)
                self.batch.holds.update(holds)
                for key in expired:
                    if key not in self.batch.receipts and (receipt := self._known.receipts.get(key)):
                        self._has_expired(key, receipt)
                return None

    def _end(self) -> int:
        return self._memory.position + len(self._rows)

    # Commands.

    def _answer(self, asked: Asked) -> Answer:
        ask, key = asked.ask, asked.receipt
        if ask.derived and not ask.key:
            raise Bug(f"{ask.caller} derives its events from a key and gave none")
        if ask.happened_at and ask.happened_at.tzinfo is None:
            raise Bug(f"{ask.caller} says when it happened without a time zone")
        if key and (earlier := self._receipt(key)):
            if earlier.request_hash != ask.request_hash:
                answer = Answer(self._end(), rejected="idempotency-key.reused", facts={"key": ask.key})
            else:
                answer = msgspec.structs.replace(_answers.decode(earlier.outcome), repeated=True)
        else:
            try:
                answer = self._done_before(ask) or self._decide(asked)
            except Rejected as no:
                answer = Answer(self._end(), rejected=no.code, facts=no.facts)
            if key:
                until = 0 if ask.derived else self._now_micros + KEPT // MICROSECOND
                receipt = Receipt(ask.request_hash, _encode(answer), answer.position, until)
                self.batch.receipts[key] = receipt
                if ask.caused_at:
                    self.reacted[key] = receipt
        if ask.forget_timer and self._is_still(ask.forget_timer, ask.causation_id):
            self.batch.timers[ask.forget_timer] = None
        return answer

    def _done_before(self, ask: Ask) -> Answer | None:
        """The answer to a derived command whose events are there and whose receipt a restore did not bring back."""
        if not ask.derived or not self._memory.restored:
            return None
        position = self._known.events.get(_first_id(ask))
        return None if position is None else Answer(position, repeated=True)

    def _receipt(self, key: ReceiptKey) -> Receipt | None:
        if decided_in_this_batch := self.batch.receipts.get(key):
            return decided_in_this_batch
        earlier = self._memory.receipts.get(key) or self._known.receipts.get(key)
        return None if earlier is None or self._has_expired(key, earlier) else earlier

    def _has_expired(self, key: ReceiptKey, receipt: Receipt) -> bool:
        """Whether its time is over; then it goes with this batch."""
        over = 0 < receipt.kept_until <= self._now_micros
        if over:
            self.batch.expired.add(key)
        return over

    def _is_still(self, timer: TimerKey, event_id: str) -> bool:
        """Whether a timer that fired is the newest of its name: set again meanwhile, it is still to come."""
        return not event_id or self._memory.armed.get(timer, event_id) == event_id

    def _decide(self, asked: Asked) -> Answer:
        ask = asked.ask
        stands = {name: self._of(key) for name, key in asked.streams.items()}
        for stream, expected in ask.expected.items():
            if stream not in stands:
                raise Bug(f"{type(ask.command).__name__} does not read {stream}, of which a version is expected")
            if (current := stands[stream].version) != expected:
                raise Rejected("stream.stale", stream=stream, expected=expected, current=current)
        owners = {claim: self._owner(key) for claim, key in asked.claims.items()}
        states = States({name: one.state for name, one in stands.items()}, owners)
        return self._append(asked, stands, owners, asked.handler.decide(states, ask.command))

    def _append(
        self,
        asked: Asked,
        stands: Mapping[str, Live],
        owners: Mapping[tuple[str, str], str | None],
        events: Sequence[Event],
    ) -> Answer:
        ask = asked.ask
        # All is checked and folded before anything is kept, so that a refused command leaves no trace in the batch.
        claims: dict[ClaimKey, str | None] = {}
        grown: dict[str, Live] = {}
        rows: list[_Decided] = []
        for index, event in enumerate(events):
            name, kind = event.stream(), type(event)
            if (before := grown.get(name) or stands.get(name)) is None:
                raise Bug(f"{kind.__name__} belongs to {name}, which its command did not name")
            if claims_of := self._rules.claims.get(kind):
                for claim in claims_of(event):
                    if (claim.kind, claim.key) not in owners:
                        raise Bug(f"{kind.__name__} claims {claim.kind} {claim.key}, which its command did not name")
                    key = asked.claims[claim.kind, claim.key]
                    holder = claims[key] if key in claims else owners[claim.kind, claim.key]
                    if claim.owner is not None and holder not in (None, claim.owner):
                        raise Rejected(f"{claim.kind}.taken", key=claim.key, owner=str(holder))
                    if holder != claim.owner:
                        claims[key] = claim.owner
            version, public_version = before.version + 1, before.public_version + event.PUBLIC
            state = self._rules.stream_of[event.STREAM].evolve(before.state, _as_folded(event))
            grown[name] = Live(state, version, public_version)
            rows.append(_Decided(event, ask, index, name, version, public_version if event.PUBLIC else 0))
        self.batch.claims.update(claims)
        self.live.update({asked.streams[name]: one for name, one in grown.items()})
        self._rows += rows
        versions = {name: one.version for name, one in grown.items()}
        return Answer(self._end(), tuple([type(event).__name__ for event in events]), versions)

    def _of(self, key: StreamKey) -> Live:
        live = self.live.get(key) or self._memory.live.get(key)
        if live is None:
            stream = self._rules.stream_of[key[1].partition("/")[0]]
            live = Live(stream.initial)
            for record in self._known.streams.get(key, ()):
                envelope = envelopes.read(record)
                if envelopes.is_known(envelope.type):
                    live.state = stream.evolve(live.state, _as_folded(envelopes.payload(envelope)))
                else:
                    # A later release wrote here before this one was put back: it counts, and says nothing to us.
                    _log.warning("stream.unknown-event", stream=key[1], type=envelope.type, version=envelope.version)
                live.version = envelope.version
                live.public_version = max(live.public_version, envelope.public_version)
            self.live[key] = live
        return live

    def _owner(self, key: ClaimKey) -> str | None:
        return self.batch.claims[key] if key in self.batch.claims else self._known.claims.get(key)

    # What others published.

    def _take_in(self, work: TakeIn) -> Hole | Fork | None:
        seen: dict[StreamKey, int] = {}
        fresh: list[Arrival] = []
        for arrival in work.arrivals:
            stream = (arrival.envelope.tenant, arrival.stream)
            version = arrival.envelope.public_version
            last = seen.get(stream) or self.batch.seen.get(stream) or self._known.seen.get(stream, 0)
            if version > last + 1:
                return Hole(f"{arrival.stream} goes on with its public version {version} after {last}")
            if version == last + 1:
                seen[stream] = version
                if arrival.wanted:
                    fresh.append(arrival)
            elif (other := self._recorded_as(stream, version, fresh)) not in ("", arrival.envelope.id):
                ours = f"{arrival.envelope.id} of {arrival.envelope.source}"
                return Fork(f"{arrival.stream} has as its public version {version} {ours}, and {other} is recorded")
        self.batch.seen.update(seen)
        self.batch.offsets.update(work.offsets)
        self._rows += fresh
        return None

    def _recorded_as(self, stream: StreamKey, version: int, fresh: Sequence[Arrival]) -> str:
        """The event that was taken in as this version; empty where its type was passed over, or it is still unread."""
        if stream not in self._known.streams:
            self.unread.add(stream)
        recorded = [envelopes.read(record) for record in self._known.streams.get(stream, ())]
        recorded += [one.envelope for one in fresh if (one.envelope.tenant, one.stream) == stream]
        return next((envelope.id for envelope in recorded if envelope.public_version == version), "")

    # Bytes.

    async def encode(self, new_id: Ids, keys: Keys) -> None:
        """Seal, give positions, chain. Waits for the keys of the persons named and for nothing else."""
        decided = [row for row in self._rows if isinstance(row, _Decided)]
        persons = {
            (row.ask.tenant, person) for row in decided if row.event.PERSONAL for _, _, person in _personal(row.event)
        }
        joined: dict[tuple[str, str], str] = {}
        for one in decided:
            if one.event.JOINS:
                person, owner = (str(getattr(one.event, name)) for name in one.event.JOINS)
                if person != owner:
                    joined[one.ask.tenant, person] = owner
        if persons or joined:
            await keys.ensure(persons, joined)
        for row in self._rows:
            self.position += 1
            event: Event | None
            if isinstance(row, Arrival):
                envelope, record, stream, event = row.envelope, row.record, row.stream, row.event
            else:
                record, envelope, event = self._record(row, new_id, keys)
                stream = row.stream
                self._arm(row, envelope)
            tenant = envelope.tenant
            link = self.chains[tenant] = hashlib.sha256(self.chains.get(tenant, GENESIS) + record).digest()
            story = envelope.correlation_id
            entry = Entry(self.position, envelope.id, tenant, stream, envelope.version, story, link, record)
            entry.read_envelope, entry.read_event = envelope, event
            self.batch.entries.append(entry)

    def _record(self, row: _Decided, new_id: Ids, keys: Keys) -> tuple[bytes, Envelope, Event]:
        event, ask = row.event, row.ask
        stream, key = row.stream, event.partition_key() if event.KEY else row.stream
        sealed, persons = _seal(event, ask.tenant, keys) if event.PERSONAL else (event, [])
        if event.HOLDS and (holder := getattr(event, event.HOLDS)):
            persons = sorted({*persons, holder})
        envelope = Envelope(
            id=derived_id(ask.tenant, ask.caller, ask.key, str(row.nth)) if ask.derived else new_id(),
            source=self._memory.source,
            type=type(event).__name__,
            subject=stream,
            time=event.occurred_at() or ask.happened_at or self._now,
            tenant=ask.tenant,
            stream=stream,
            version=row.version,
            public_version=row.public_version,
            position=str(self.position + self._memory.shift),
            recorded_at=self._now,
            correlation_id=ask.correlation_id or key,
            causation_id=ask.causation_id,
            actor=ask.actor,
            channel=ask.channel,
            origin=ask.origin,
            partition_key=key,
            key_ids=",".join(persons),
            trace_parent=ask.trace_parent,
            data=msgspec.Raw(_encode(sealed)),
        )
        record = _encode(envelope)
        return record, *_read_back(record, sealed)

    def _arm(self, row: _Decided, envelope: Envelope) -> None:
        timers_of = self._rules.timers.get(type(row.event))
        if timers_of and envelope.origin == "live":
            for arm in timers_of(row.event, envelope):
                timer = None if arm.due is None else Timer(micros(arm.due), envelope.id)
                self.batch.timers[TimerKey(envelope.tenant, arm.name, arm.key)] = timer


def _bug(text: str, cause: Exception) -> Bug:
    bug = Bug(text)
    bug.__cause__ = cause
    return bug


def _personal(event: Event) -> list[tuple[str, str, str]]:
    """Field, text and person of all that the event says about persons."""
    said = [(name, text, getattr(event, person)) for name, person in event.PERSONAL if (text := getattr(event, name))]
    if any(not person for _, _, person in said):
        raise Bug(f"{type(event).__name__} says something about a person and does not say about whom")
    return said


def _seal(event: Event, tenant: str, keys: Keys) -> tuple[Event, list[str]]:
    said = _personal(event)
    sealed = {name: keys.seal(tenant, person, text) for name, text, person in said}
    return msgspec.structs.replace(event, **sealed), sorted({person for _, _, person in said})


def _as_folded(event: Event) -> Event:
    """
    The event as folds see it, just decided as well as read again: with every personal text covered.

    A fold that saw a text in clear would give one state in memory and another, of sealed texts, after a restart.
    """
    if not event.PERSONAL:
        return event
    return msgspec.structs.replace(event, **{name: SEALED for name, _ in event.PERSONAL if getattr(event, name)})


def _read_back(record: bytes, event: Event) -> tuple[Envelope, Event]:
    """A struct checks its types only when it is read, and a record is for ever: what reads otherwise is not written."""
    try:
        envelope = envelopes.read(record)
        again = envelopes.payload(envelope)
    except (msgspec.DecodeError, envelopes.UnknownEvent) as error:
        raise Bug(f"{type(event).__name__} could not be read back: {error}") from error
    if again != event:
        raise Bug(f"{type(event).__name__} would be read back as {again}, but it is {event}")
    return envelope, again

"""
The log as such: chain, positions, versions, causes, and nothing lost or doubled between services.

Each check reads records in order and keeps only what it must compare with: about 0.6 kB for each event.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.topics import PUBLISHER_OF
from services.chassis.clock import micros
from services.chassis.journal.store import GENESIS, Entry, Head, StreamKey
from services.verify.findings import Findings

UNREADABLE = (msgspec.MsgspecError, ValueError)
"""What reading a record raises that is none."""


class Published(NamedTuple):
    """A public event as its publisher recorded it."""

    id: str
    type: str
    at: int = 0
    """When it was recorded, microseconds UTC."""


class Taken(NamedTuple):
    """A public event as another service took it in."""

    version: int
    """Its public version."""
    id: str
    position: int
    """Where the taker recorded it."""


@dataclass
class ServiceLog:
    """What one pass over a service's journal leaves: its own public events, and what it took in of others."""

    service: str
    findings: Findings
    position: int = 0
    chains: dict[str, bytes] = field(default_factory=dict)
    """Per tenant, the hash that stands at its newest record."""
    published: dict[StreamKey, list[Published]] = field(default_factory=lambda: defaultdict(list))
    """Per own stream, its public events in order; the first has public version 1."""
    taken: dict[StreamKey, list[Taken]] = field(default_factory=lambda: defaultdict(list))
    """Per foreign stream (`intake:request/…`), what was taken in, in that order."""
    also: Callable[[Entry], None] = lambda entry: None
    """Looks at each entry too."""
    moved: bool = False
    """Its records stood among those of other tenants before: what they say as their position only grows."""
    _said: int = 0
    _ended: bool = False
    _versions: dict[StreamKey, int] = field(default_factory=dict)
    _tenant_of: dict[str, str] = field(default_factory=dict)
    """Of every event so far."""
    _names: dict[str, str] = field(default_factory=dict)
    """Tenants and types that come again and again, each kept once."""

    def check(self, entry: Entry) -> Envelope | None:
        """Judge the next entry. The envelope, or None for what is no record."""
        self.also(entry)
        envelope: Envelope | None = None
        try:
            envelope = envelopes.read(entry.record)
        except UNREADABLE as error:
            self.findings.add("chain", entry.position, f"the record cannot be read: {error}")
        if entry.position != self.position + 1:
            self.findings.add("I6", entry.position, f"position {entry.position} follows {self.position}")
        self.position = entry.position
        if hashlib.sha256(self.chains.get(entry.tenant, GENESIS) + entry.record).digest() != entry.hash:
            self.findings.add("chain", entry.position, "the record is not the one that was chained here")
        # Go on from the hash that stands there, so that what comes after is judged for itself.
        self.chains[self._name(entry.tenant)] = entry.hash
        if envelope is not None:
            self._judge(entry, envelope)
        return envelope

    def _name(self, text: str) -> str:
        return self._names.setdefault(text, text)

    def _judge(self, entry: Entry, envelope: Envelope) -> None:
        position, tenant = entry.position, self._name(entry.tenant)
        stream = (tenant, entry.stream)
        foreign = ":" in entry.stream
        service = "".join(envelope.source.split("/")[2:3])
        said = f"{service}:{envelope.stream}" if foreign else envelope.stream
        in_record = (envelope.id, envelope.tenant, said, envelope.version, envelope.correlation_id)
        in_row = (entry.event_id, entry.tenant, entry.stream, entry.version, entry.correlation_id)
        if in_record != in_row or foreign == (service == self.service):
            self.findings.add("chain", position, "the row says another event than its record")
        if envelope.id in self._tenant_of:
            self.findings.add("I5", position, f"event {envelope.id} is recorded twice")
        if foreign:
            self._judge_foreign(position, stream, envelope)
        else:
            self._judge_own(position, stream, envelope)
        self._tenant_of[envelope.id] = tenant

    def _judge_foreign(self, position: int, stream: StreamKey, envelope: Envelope) -> None:
        taken, version = self.taken[stream], envelope.public_version
        if version <= (taken[-1].version if taken else 0):
            what = f"public version {version} of {stream[1]} is taken in after {taken[-1].version if taken else 0}"
            self.findings.add("I5", position, what)
        taken.append(Taken(version, envelope.id, position))

    def _judge_own(self, position: int, stream: StreamKey, envelope: Envelope) -> None:
        expected = self._versions.get(stream, 0) + 1
        if envelope.version != expected:
            what = f"version {envelope.version} of {stream[1]} should be {expected}"
            self.findings.add("I6", position, what)
        self._versions[stream] = envelope.version
        said = envelope.position
        if said != str(position) if not self.moved else not said.isdecimal() or int(said) <= self._said:
            self.findings.add("I6", position, f"the record says position {said}")
        self._said = int(said) if said.isdecimal() else self._said
        cause = envelope.causation_id
        if cause and self._tenant_of.get(cause) != envelope.tenant:
            self.findings.add("I13", position, f"its cause {cause} is nowhere before it in its tenant")
        if envelope.public_version:
            published = self.published[stream]
            published.append(Published(envelope.id, self._name(envelope.type), micros(envelope.recorded_at)))
            if envelope.public_version != len(published):
                what = f"public version {envelope.public_version} of {stream[1]} should be {len(published)}"
                self.findings.add("I6", position, what)

    def ends_like(self, head: Head) -> bool:
        """Whether the head, which the store keeps apart from the records, says the same end."""
        return (head.position, head.chains) == (self.position, self.chains)

    def end(self, head: Head) -> None:
        """Say, once, that the head tells of another end."""
        if self._ended:
            return
        self._ended = True
        tenants = [t for t in sorted(head.chains.keys() | self.chains) if head.chains.get(t) != self.chains.get(t)]
        what = f"the records end here, the head tells of another end for {', '.join(tenants) or 'all'}"
        self.findings.add("chain", self.position, what)


def between(
    logs: Mapping[str, ServiceLog],
    takes: Callable[[str], frozenset[str]],
    upto: Mapping[str, int] | None = None,
    since: Callable[[str], Mapping[str, int]] = lambda taker: {},
) -> dict[str, int]:
    """
    I5 between services: what is taken in was published, once, with nothing left out before it.

    Of a taker, what stands after `upto` is not judged, nor what was published before `since`, when its release began to
    take in the type. Returns how many published events each service has still to take
    in; on a quiet system that is none.
    """
    behind: dict[str, int] = defaultdict(int)
    for taker in logs.values():
        end = upto[taker.service] if upto else taker.position
        wanted, began = takes(taker.service), since(taker.service)
        for publisher in {PUBLISHER_OF[name] for name in wanted} & logs.keys():
            for stream, published in logs[publisher].published.items():
                foreign = (stream[0], f"{publisher}:{stream[1]}")
                taken = [one for one in taker.taken.get(foreign, ()) if one.position <= end]
                missing = [
                    v
                    for v, event in enumerate(published, 1)
                    if event.type in wanted and not event.at <= began.get(event.type, 0)
                ]
                behind[taker.service] += _compare(taker.findings, foreign, published, taken, missing)
        for stream, taken in taker.taken.items():
            publisher, _, name = stream[1].partition(":")
            if publisher in logs and taken[0].position <= end and (stream[0], name) not in logs[publisher].published:
                what = f"{name} was taken in, and {publisher} never published it"
                taker.findings.add("I5", taken[0].position, what)
    return {name: events for name, events in behind.items() if events}


def _compare(
    findings: Findings, stream: StreamKey, published: list[Published], taken: list[Taken], wanted: list[int]
) -> int:
    """Compare one stream at both sides. Returns how many wanted events are still to come."""
    here = {one.version for one in taken}
    for one in taken:
        if one.version > len(published) or published[one.version - 1].id != one.id:
            what = f"public version {one.version} of {stream[1]} was published as another event, or not at all"
            findings.add("I5", one.position, what)
    newest = max(here, default=0)
    for version in wanted:
        if version <= newest and version not in here:
            event = published[version - 1]
            shows = next(one.position for one in taken if one.version > version)
            what = f"{event.type} {event.id}, public version {version} of {stream[1]}, was lost before this"
            findings.add("I5", shows, what)
    return sum(version > newest for version in wanted)

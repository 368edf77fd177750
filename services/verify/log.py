"""
The log as such: chain, positions, versions, causes, and nothing lost or doubled between services.

Each check reads records in order and keeps only what it must compare with.
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
from services.chassis.journal.store import GENESIS, Entry, StreamKey
from services.verify.findings import Finding


class Published(NamedTuple):
    """A public event as its publisher recorded it."""

    id: str
    type: str


@dataclass
class ServiceLog:
    """What one pass over a service's journal leaves: its own public events, and what it took in of others."""

    service: str
    position: int = 0
    chains: dict[str, bytes] = field(default_factory=dict)
    published: dict[StreamKey, list[Published]] = field(default_factory=lambda: defaultdict(list))
    """Per own stream, its public events in order; the first has public version 1."""
    taken: dict[StreamKey, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """Per foreign stream (`intake:request/…`), public version → event id."""
    findings: list[Finding] = field(default_factory=list)
    first_bad_position: int | None = None
    _versions: dict[StreamKey, int] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)

    def check(self, entry: Entry) -> Envelope | None:
        """Judge the next entry. The envelope, or None for what is no record."""
        try:
            envelope = envelopes.read(entry.record)
        except msgspec.DecodeError as error:
            self._find("chain", entry.position, f"the record cannot be read: {error}")
            envelope = None
        if entry.position != self.position + 1:
            self._find("I6", entry.position, f"position {entry.position} follows {self.position}")
        self.position = entry.position
        link = hashlib.sha256(self.chains.get(entry.tenant, GENESIS) + entry.record).digest()
        if link != entry.hash:
            self._find("chain", entry.position, "the record is not the one that was chained here")
        self.chains[entry.tenant] = link
        if envelope is not None:
            self._judge(entry, envelope)
        return envelope

    def _judge(self, entry: Entry, envelope: Envelope) -> None:
        stream = StreamKey(entry.tenant, entry.stream)
        if (envelope.id, envelope.tenant, envelope.version) != (entry.event_id, entry.tenant, entry.version):
            self._find("chain", entry.position, "the row says another event than its record")
        if envelope.id in self._ids:
            self._find("I5", entry.position, f"event {envelope.id} is recorded twice")
        self._ids.add(envelope.id)
        if ":" in entry.stream:
            self.taken[stream][envelope.public_version] = envelope.id
        else:
            self._judge_own(entry.position, stream, envelope)

    def _judge_own(self, position: int, stream: StreamKey, envelope: Envelope) -> None:
        if envelope.version != self._versions.get(stream, 0) + 1:
            self._find("I6", position, f"version {envelope.version} of {stream.stream} follows the wrong one")
        self._versions[stream] = envelope.version
        if envelope.position != str(position):
            self._find("I6", position, f"the record says position {envelope.position}")
        if envelope.causation_id and envelope.causation_id not in self._ids:
            self._find("I13", position, f"its cause {envelope.causation_id} is nowhere before it")
        if envelope.public_version:
            published = self.published[stream]
            published.append(Published(envelope.id, envelope.type))
            if envelope.public_version != len(published):
                self._find("I6", position, f"public version {envelope.public_version} should be {len(published)}")

    def ends_like(self, position: int, chains: Mapping[str, bytes]) -> None:
        """Compare with the head that the store keeps apart from the records."""
        if (position, dict(chains)) != (self.position, self.chains):
            self._find("chain", self.position, f"the journal ends here, its head says position {position}")

    def _find(self, rule: str, position: int, what: str) -> None:
        self.findings.append(Finding(rule, self.service, position, what))
        if self.first_bad_position is None:
            self.first_bad_position = position


def between(
    logs: Mapping[str, ServiceLog], takes: Callable[[str], frozenset[str]]
) -> tuple[list[Finding], dict[str, int]]:
    """
    I5 between services: what is taken in was published, once, with nothing left out before it.

    Also says how many published events each service has still to take in; on a quiet system that is none.
    """
    findings: list[Finding] = []
    behind: dict[str, int] = defaultdict(int)
    for taker in logs.values():
        wanted = takes(taker.service)
        for publisher in {PUBLISHER_OF[name] for name in wanted} & logs.keys():
            for stream, published in logs[publisher].published.items():
                taken = taker.taken.get(StreamKey(stream.tenant, f"{publisher}:{stream.stream}"), {})
                newest = max(taken, default=0)
                for version, event in enumerate(published, 1):
                    if event.type not in wanted:
                        continue
                    if version > newest:
                        behind[taker.service] += 1
                    elif taken.get(version) != event.id:
                        what = f"{event.type} {event.id} of {publisher} is not what was taken in"
                        findings.append(Finding("I5", taker.service, 0, what))
                if newest > len(published):
                    what = f"{stream.stream} has public version {newest} here, {len(published)} at {publisher}"
                    findings.append(Finding("I5", taker.service, 0, what))
    return findings, behind

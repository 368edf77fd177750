"""
What a service could not act on: keys that are held or parked, and messages that nobody could read.

One word for both here is *stuck*. They are told by their cause, so that a hundred of one bug are seen as one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from contracts import envelope as envelopes
from contracts.operations import TAKE_IN
from services.chassis.bus.ingest import Letter, arrival_of
from services.chassis.clock import at_micros
from services.chassis.journal.store import Held, HoldKey, JournalStore, Wanted
from services.chassis.journal.work import Arrival
from services.chassis.messages.sender import POLICY as SENDER
from services.chassis.readers.holds import discarded, fingerprint
from services.chassis.readers.reactor import pause_s
from services.chassis.service import Service


class Stuck(msgspec.Struct, frozen=True):
    """A key whose oldest event failed with a policy; or a message that could not be read."""

    service: str
    policy: str
    """`take-in` where the message could not even be read."""
    tenant: str
    """Empty where it cannot be told."""
    key: str
    """The request or other thing whose order is kept; of an unreadable message its partition."""
    position: int
    """Of the event in the service's journal; of an unreadable message its offset."""
    event: str
    """Its type; empty where it cannot be told."""
    event_id: str
    cause: str
    since: datetime | None
    """The last try; of an unreadable message unknown."""
    tries: int
    parked: bool
    """It waits for somebody to look."""
    waiting: int
    """Later events of the key, which wait for this one."""


class Group(msgspec.Struct, frozen=True):
    """What is stuck for one cause."""

    service: str
    policy: str
    cause: str
    """Without the numbers and ids in which the single causes differ."""
    keys: int
    parked: int
    events: int
    oldest: datetime | None
    example: str
    """One of the keys."""


def grouped(found: Iterable[Stuck]) -> list[Group]:
    """By service, policy and cause, the largest group first."""
    groups: dict[tuple[str, str, str], list[Stuck]] = {}
    for one in found:
        groups.setdefault((one.service, one.policy, fingerprint(one.cause)), []).append(one)
    told = [
        Group(
            *name,
            keys=len(some),
            parked=sum(one.parked for one in some),
            events=sum(1 + one.waiting for one in some),
            oldest=min([one.since for one in some if one.since], default=None),
            example=some[0].key,
        )
        for name, some in groups.items()
    ]
    return sorted(told, key=lambda group: (-group.keys, group.service, group.policy, group.cause))


def policies_of(service: Service) -> list[str]:
    """All that may hold an event: its policies, and its sender."""
    return [*[policy.name for policy in service.policies], *([SENDER] if service.notices else [])]


async def held(service: Service, journal: JournalStore, of: tuple[str, str] | None = None) -> list[Stuck]:
    """What is held, one for each policy and key, in the order of the keys' oldest events; `of` one tenant and key."""
    keys: dict[HoldKey, list[Held]] = {}
    for key, hold in await journal.held(policies_of(service), of):
        keys.setdefault(key, []).append(hold)
    found = [await _told(service.name, journal, key, holds) for key, holds in keys.items()]
    return sorted(found, key=lambda one: (one.position, one.policy))


class Waiting(msgspec.Struct, frozen=True):
    """One event of a stuck key."""

    position: int
    event: str
    known_at: datetime
    tries: int
    parked: bool
    cause: str
    record: bytes


async def waiting(service: Service, journal: JournalStore, policy: str, of: tuple[str, str]) -> list[Waiting]:
    """All that a policy holds of one tenant and key, in the order in which it will be tried."""
    found = []
    for key, hold in await journal.held(policies_of(service), of):
        if key.policy == policy:
            [entry] = await journal.read(hold.position - 1, 1)
            envelope = envelopes.read(entry.record)
            at = hold.position, envelope.type, envelope.recorded_at, hold.tries, bool(hold.parked), hold.reason
            found.append(Waiting(*at, entry.record))
    return found


async def _told(service: str, journal: JournalStore, key: HoldKey, holds: Sequence[Held]) -> Stuck:
    first = holds[0]
    [entry] = await journal.read(first.position - 1, 1)
    envelope = envelopes.read(entry.record)
    return Stuck(
        service=service,
        policy=key.policy,
        tenant=key.tenant,
        key=key.key,
        position=first.position,
        event=envelope.type,
        event_id=envelope.id,
        cause=first.reason,
        since=at_micros(first.retry_at - pause_s(first.tries) * 1_000_000) if first.tries else envelope.recorded_at,
        tries=first.tries,
        parked=bool(first.parked),
        waiting=len(holds) - 1,
    )


# Messages that could not be read.


async def unread(service: Service, journal: JournalStore, letters: Collection[Letter]) -> list[Stuck]:
    """The dead letters that are still open: not discarded, and not taken in since."""
    return [_of_letter(service.name, letter) for letter in await still_open(service, journal, letters)]


async def still_open(service: Service, journal: JournalStore, letters: Collection[Letter]) -> list[Letter]:
    """In their order."""
    tenants = sorted((await journal.head()).chains)
    kept = []
    for letter in letters:
        place = discarded(TAKE_IN, letter.record.partition, letter.record.offset)
        arrival = readable(service, letter)
        wanted = Wanted(streams={(tenant, place) for tenant in tenants})
        if arrival:
            wanted.seen.add((arrival.envelope.tenant, arrival.stream))
        known = await journal.load(wanted)
        taken = arrival is not None and max(known.seen.values(), default=0) >= arrival.envelope.public_version
        if not taken and not known.streams:
            kept.append(letter)
    return kept


def readable(service: Service, letter: Letter) -> Arrival | None:
    """The event in it, if this release can read it by now."""
    try:
        return arrival_of(letter.record, service.takes)
    except ValueError:
        return None


def _of_letter(service: str, letter: Letter) -> Stuck:
    tenant = event = event_id = ""
    try:
        envelope = envelopes.read(letter.record.value)
        tenant, event, event_id = envelope.tenant, envelope.type, envelope.id
    except ValueError:
        pass
    return Stuck(
        service=service,
        policy=TAKE_IN,
        tenant=tenant,
        key=letter.record.partition,
        position=letter.record.offset,
        event=event,
        event_id=event_id,
        cause=letter.reason,
        since=None,
        tries=1,
        parked=True,
        waiting=0,
    )

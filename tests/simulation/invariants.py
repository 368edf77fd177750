"""
What must hold after every day, once the faults have stopped: I1 to I14 of the promises.

I1, I2, I3, I5 to I9, I13 and the chain are judged by `services.verify`, the very code of `fieldloop verify`; here is
what that cannot see from the journals alone: what people were told, what lies in the views, what went out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.topics import journal_topic, public_topic
from services.chassis.readers.rows import CachedRows
from services.verify.run import verify
from tests.simulation.broker import Broker
from tests.simulation.day import TENANTS, Town
from tests.simulation.process import Process


class Violation(NamedTuple):
    rule: str
    what: str


class Recorded(NamedTuple):
    service: str
    envelope: Envelope
    event: Any


async def judged(
    town: Town,
    broker: Broker,
    told: Mapping[str, list[str]],
    again: Collection[str],
    poisons: int,
    *,
    phones_are_right: bool,
) -> list[Violation]:
    """
    Everything that is wrong.

    `told` are the messages that a provider took, by their keys, and `again` those that came when they had long been
    recorded as sent.

    `phones_are_right` says that the clock by which phones are judged never jumped.
    """
    processes = town.processes
    journals = {name: process.running.journal for name, process in processes.items()}  # type: ignore[union-attr]
    report = await verify({name: process.service for name, process in processes.items()}, journals)
    found = [Violation(one.rule, f"{one.service} {one.position}: {one.what}") for one in report.findings]
    found += [Violation("I14", f"{name} has still to take in {n}") for name, n in report.behind.items() if n]
    entries = {name: await journal.read(0, 1_000_000) for name, journal in journals.items()}
    envelopes_of = {name: [envelopes.read(one.record) for one in read] for name, read in entries.items()}
    for name, process in processes.items():
        found += _views_differ(process, envelopes_of[name])
        found += _not_published(name, entries[name], envelopes_of[name], broker)
        found += _overtaken(name, envelopes_of[name])
        found += _lost(town, process)
        found += _beyond(name, entries[name])
    own = [
        Recorded(name, envelope, envelopes.payload(envelope))
        for name, read in envelopes_of.items()
        for envelope in read
        if envelope.service == name
    ]
    found += list(_loose_ends(own, town))
    found += list(_done_once(own, town))
    if phones_are_right:
        found += list(_late_phones(own, town))
    found += list(_moved_when_it_happened(own))
    found += list(_messages(own, told))
    found += [Violation("I8", f"message {key} went out again, long after it was recorded as sent") for key in again]
    found += [Violation("I10", text) for text in town.failed]
    letters = sum(_lines(process.folder / "dead-letters.jsonl") for process in processes.values())
    if letters and not poisons:
        found.append(Violation("I5", f"{letters} messages were put aside, and none was bad"))
    return found


def _lines(path: Any) -> int:
    return len(path.read_bytes().splitlines()) if path.exists() else 0


# I4


def _views_differ(process: Process, read: list[Envelope]) -> Iterator[Violation]:
    """What is served is what folding the journal from the beginning gives, row by row."""
    assert process.running is not None
    by_type: dict[str, list[tuple[CachedRows, Any]]] = defaultdict(list)
    rows_of = {}
    for view in process.service.views:
        rows_of[view.name] = CachedRows(view, most=10**9)
        for kind in view.reads:
            by_type[kind.__name__].append((rows_of[view.name], view.apply))
    for envelope in read:
        if readers := by_type.get(envelope.type):
            event = envelopes.payload(envelope)
            for rows, apply in readers:
                rows.tenant = envelope.tenant
                apply(rows, event, envelope)
    views = process._open[1]
    for view in process.service.views:
        rows = rows_of[view.name]
        folded = {key: tuple(row.values()) for key, row in rows.changed.items() if row is not None}
        parts, table = 1 + len(view.key), views._tables[view.name]
        served = {row[:parts]: row[parts:] for row in table.rows(views._db.execute(table.all).fetchall())}
        if folded != served:
            key = min((k for k in {**folded, **served} if folded.get(k) != served.get(k)), key=repr)
            yield Violation("I4", f"{view.name} {key}: folded {folded.get(key)}, served {served.get(key)}")


# I5


def _not_published(name: str, entries: Any, read: list[Envelope], broker: Broker) -> Iterator[Violation]:
    """The journal topic has every record, in order; the public topic every public one."""
    first = []
    known = set()
    for message in broker.partitions.get(f"{journal_topic(name)}/0", ()):
        if message.value not in known:
            known.add(message.value)
            first.append(message.value)
    if first != [one.record for one in entries]:
        yield Violation(
            "I5", f"the journal topic of {name} has {len(first)} records of {len(entries)}, or another order"
        )
    public: set[bytes] = set()
    for partition, log in broker.partitions.items():
        if partition.startswith(f"{public_topic(name)}/"):
            public |= {message.value for message in log}
    for one, envelope in zip(entries, read, strict=True):
        if envelope.service == name and envelope.public_version and one.record not in public:
            yield Violation("I5", f"{name} {one.position} {envelope.type} is public and was not published")


# I6


def _overtaken(name: str, read: list[Envelope]) -> Iterator[Violation]:
    """What a policy makes of the events of one key is recorded in their order."""
    place = {envelope.id: n for n, envelope in enumerate(read)}
    came_to: dict[tuple[str, str, str], int] = {}
    for envelope in read:
        cause = place.get(envelope.causation_id or "")
        if cause is None or envelope.service != name or not envelope.actor.startswith("policy:"):
            continue
        key = envelope.actor, envelope.tenant, read[cause].partition_key
        if cause < came_to.get(key, 0):
            later = read[came_to[key]]
            yield Violation("I6", f"{name} {envelope.actor} acts on {read[cause].type} of {key[2]} after {later.type}")
        came_to[key] = max(cause, came_to.get(key, 0))


# I10


def _lost(town: Town, process: Process) -> Iterator[Violation]:
    """What somebody saw done has its receipt."""
    journal = process._open[0]
    head = journal._reader.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0]
    for one in town.acked:
        if one.service != process.name:
            continue
        if one.position > head:
            yield Violation("I10", f"{one.path} was answered with position {one.position}, the journal ends at {head}")
        if one.path == "/v1/visits/sync":
            continue  # its receipts are of the steps
        sql = "SELECT 1 FROM receipts WHERE tenant = ? AND caller = ? AND key = ?"
        if not journal._reader.execute(sql, (one.tenant, one.caller, one.key)).fetchone():
            yield Violation("I10", f"{one.path} of {one.caller} was acknowledged under {one.key} and is not on record")


# I11


def _beyond(name: str, entries: Any) -> Iterator[Violation]:
    """Nothing of one tenant names anything of another; ids here begin with their tenant."""
    for one in entries:
        for other in TENANTS:  # ids here begin with their tenant
            if other != one.tenant and re.search(rb'"%s-[CDEPVWs]' % other.encode(), one.record):
                yield Violation("I11", f"{name} {one.position} of {one.tenant} names something of {other}")


# What follows from what: a reaction that never came is an event or a timer that was lost.


def _loose_ends(own: list[Recorded], town: Town) -> Iterator[Violation]:
    by_type: dict[str, list[Recorded]] = defaultdict(list)
    for one in own:
        by_type[one.envelope.type].append(one)

    def ids(kind: str, name: str) -> Counter[Any]:
        return Counter(getattr(one.event, name) for one in by_type[kind])

    received = ids("RequestReceived", "request_id")
    said = received + ids("RequestIncomplete", "request_id")
    for request_id in town.submitted:
        if request_id not in said:
            yield Violation("I10", f"request {request_id} was acknowledged and is not on record")
    for request_id, times in received.items():
        if times > 1:
            yield Violation("I5", f"request {request_id} was received {times} times")
    opened = {one.event.request_id for one in by_type["OrderOpened"]}
    for request_id in received.keys() - opened:
        yield Violation("I1", f"request {request_id} was received and has no order")
    planned = Counter(one.envelope.causation_id for one in by_type["VisitPlanned"])
    for kind in ("OrderAssigned", "OrderReassigned"):
        for one in by_type[kind]:
            if planned[one.envelope.id] != 1:
                yield Violation("I5", f"{kind} {one.event.order_id} planned {planned[one.envelope.id]} visits")
    ended = {one.event.request_id for kind in ("RequestClosed",) for one in by_type[kind]}
    finished = {one.event.order_id for one in by_type["OrderFinished"]}
    asked = ids("SurveySent", "visit_id") + ids("SurveySkipped", "visit_id")
    inspected = ids("InspectionOpened", "visit_id") if by_type["StandardDefined"] else None
    charged = ids("ServiceCharged", "visit_id")
    for one in by_type["ServiceCompleted"]:
        event = one.event
        if event.request_id not in ended:
            yield Violation("I1", f"visit {event.visit_id} was completed and request {event.request_id} is not closed")
        if event.order_id not in finished:
            yield Violation("I1", f"visit {event.visit_id} was completed and order {event.order_id} is not finished")
        for what, count in (("survey", asked), ("charge", charged), ("inspection", inspected)):
            if count is not None and count[event.visit_id] != 1:
                yield Violation("I5", f"visit {event.visit_id} has {count[event.visit_id]} of {what}")
    yield from _parts(by_type)


ONCE = {
    "/v1/stock/receive": ("StockReceived",),
    "/v1/complaints": ("ComplaintRaised",),
    "/v1/requests": ("RequestReceived", "RequestIncomplete"),
    "/v1/transfers": ("StockSent",),
}
"""What a command of one key records, where it records one thing."""


def _done_once(own: list[Recorded], town: Town) -> Iterator[Violation]:
    """I5, I10: what was asked under so many keys is done so often at most, and as often as it was acknowledged."""
    subjects: dict[str, list[str]] = defaultdict(list)
    for one in own:
        if one.envelope.actor.partition(":")[0] not in ("policy", "timer"):
            subjects[one.envelope.type].append(one.envelope.subject)
    for path, kinds in ONCE.items():
        found = [subject for kind in kinds for subject in subjects[kind]]
        # A request is received once, whether it was complete at once or not.
        done = len(set(found)) if path == "/v1/requests" else len(found)
        acked = len({(one.caller, one.key) for one in town.acked if one.path == path})
        if not acked <= done <= len(town.asked[path]):
            asked = len(town.asked[path])
            yield Violation("I10", f"{path} was asked under {asked} keys, {acked} were answered, {done} are on record")


def _late_phones(own: list[Recorded], town: Town) -> Iterator[Violation]:
    """What a phone reports late is taken as if it had come at once, unless the visit was called off."""
    called_off = {one.event.visit_id for one in own if one.envelope.type == "VisitCancelled"}
    for one in own:
        if one.envelope.type == "StepRefused" and one.event.visit_id in town.late - called_off:
            yield Violation("I6", f"step {one.event.number} of visit {one.event.visit_id}: {one.event.code}")
    ended = {one.event.visit_id for one in own if one.envelope.type in ("ServiceCompleted", "VisitAborted")}
    for visit_id in town.late - called_off - ended:
        yield Violation("I6", f"visit {visit_id} was reported to its end and has none")


def _parts(by_type: Mapping[str, list[Recorded]]) -> Iterator[Violation]:
    """I3: what the visits used is what the stock lost, piece by piece."""
    used: Counter[str] = Counter()
    for kind in ("ServiceCompleted", "VisitAborted"):
        for one in by_type[kind]:
            for line in one.event.parts:
                used[one.event.order_id] += line.quantity
    for one in by_type["PartUsedAfterEnd"]:
        used[one.event.order_id] += one.event.part.quantity
    consumed: Counter[str] = Counter()
    for one in by_type["PartConsumed"]:
        consumed[one.event.order_id] += one.event.quantity
    for order_id in sorted(used.keys() | consumed.keys()):
        if used[order_id] != consumed[order_id]:
            yield Violation("I3", f"order {order_id} used {used[order_id]} pieces, {consumed[order_id]} were booked")


# I7


def _moved_when_it_happened(own: list[Recorded]) -> Iterator[Violation]:
    """A clock moves at the time that its cause tells, however late that is heard of."""
    by_id = {one.envelope.id: one for one in own}
    for one in own:
        cause = by_id.get(one.envelope.causation_id or "")
        if one.envelope.type != "ClocksMoved" or cause is None:
            continue
        said = getattr(cause.event, HAPPENED.get(cause.envelope.type, ""), None) or cause.envelope.time
        if one.envelope.actor.startswith("policy:") and one.event.happened_at != said:
            told = f"{cause.envelope.type} of {one.event.order_id} was at {said}"
            yield Violation("I7", f"{told}, its clocks moved at {one.event.happened_at}")


HAPPENED = {"EngineerArrived": "arrived_at", "ServiceCompleted": "finished_at"}
"""Where an event says itself when it happened."""


# I8


def _messages(own: list[Recorded], told: Mapping[str, list[str]]) -> Iterator[Violation]:
    for key, bodies in told.items():
        if len(set(bodies)) > 1:
            yield Violation("I8", f"message {key} went out with {len(set(bodies))} different texts")
    sent = Counter(one.event.message_id for one in own if one.envelope.type == "MessageSent")
    for key, times in sent.items():
        if times > 1:
            yield Violation("I8", f"message {key} is recorded as sent {times} times")
        if key not in told:
            yield Violation("I8", f"message {key} is recorded as sent, and no provider has it")

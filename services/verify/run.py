"""One pass over every journal, with all checks; read-only, on a live system too."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from contracts import envelope as envelopes
from services.chassis.bus.ingest import taken_since
from services.chassis.clock import at_micros
from services.chassis.journal.store import JournalStore
from services.chassis.service import Service
from services.proof.kept import Kept
from services.proof.notes import Verifier
from services.verify.business import Check, Orders, Requests, Stock
from services.verify.charges import Charges
from services.verify.checkpoints import RULE as CHECKPOINT
from services.verify.checkpoints import AgainstCheckpoints
from services.verify.clocks import Clocks
from services.verify.findings import Finding, Findings
from services.verify.log import UNREADABLE, ServiceLog, between
from services.verify.messages import Messages

PAGE = 2_000
FOR_EVER = 2**63 - 1
MOST_TIMERS = 10_000_000

TRIES = 20
"""A head that is read while the journal grows may be torn: its hashes newer than its position. Then it is read anew."""


class Signed(NamedTuple):
    """What was signed of the journals, kept outside their databases."""

    folder: Path
    verifier: Verifier


class Restored(msgspec.Struct, frozen=True):
    """A journal that was put back, as it was signed then."""

    service: str
    at: datetime
    position: int
    """Where it ended after the restore."""
    signed_before: int
    """How far it had been signed before."""


class Report(msgspec.Struct):
    """What the checks found, as `fieldloop verify --json` prints it."""

    events: int
    """Records read, over all journals."""
    violations: int
    chain: bool
    """Every record is the one that was chained, and every journal ends where its head says."""
    behind: dict[str, int]
    """Per service, published events that it has still to take in; empty on a quiet system."""
    checkpoints: bool
    """Every record that was signed is there as it was signed; also where nothing was signed yet."""
    checkpoints_checked: int
    """How many signed checkpoints the records were held against."""
    first_bad_position: dict[str, int]
    """Per service with a finding that has a place, the first such position."""
    seconds: float
    findings: list[Finding]
    """Of every rule the first hundred in each journal."""
    restored: list[Restored] = []
    """The restores that were signed. What went with them was not cut off in secret."""


async def verify(
    services: Mapping[str, Service],
    journals: Mapping[str, JournalStore],
    progress: Callable[[int], None] = lambda read: None,
    signed: Signed | None = None,
) -> Report:
    """
    Check chains, positions and versions, what went between the services, and I1, I2, I3, I5 to I9, I13.

    A journal that was rewritten from some place on, hashes and head included, is whole in itself: only what was
    `signed` shows that.
    """
    begun = time.monotonic()
    findings = {name: Findings(name) for name in journals}
    # All that a taker has by now its publishers had recorded before: they are read on to a later end.
    begin = {name: await journal.head() for name, journal in journals.items()}
    upto = {name: head.position for name, head in begin.items()}
    logs: dict[str, ServiceLog] = {}
    against: dict[str, AgainstCheckpoints] = {}
    for name, journal in journals.items():
        logs[name] = ServiceLog(name, findings[name], moved=begin[name].shift > 0)
        if signed is not None:
            against[name] = AgainstCheckpoints(findings[name], Kept(signed.folder, name), signed.verifier)
            logs[name].also = against[name].check
        await _check_business(name, logs[name], journal, progress)
    for one in against.values():
        one.end()
    since = {name: taken_since(await journal.checkpoints()) for name, journal in journals.items()}
    behind = between(logs, lambda name: services[name].takes, upto, lambda name: since[name])
    counts = [found.counts for found in findings.values()]
    return Report(
        events=sum(log.position for log in logs.values()),
        violations=sum(count.total() for count in counts),
        chain=not any(count["chain"] for count in counts),
        checkpoints=not any(count[CHECKPOINT] for count in counts),
        checkpoints_checked=sum(one.checked for one in against.values()),
        behind=behind,
        first_bad_position={n: found.first_position for n, found in findings.items() if found.first_position},
        seconds=round(time.monotonic() - begun, 3),
        findings=[finding for found in findings.values() for finding in found.named],
        restored=[
            Restored(name, note.at, note.size, note.instead.size)
            for name, one in against.items()
            for note in one.restored
            if note.instead is not None
        ],
    )


async def _check_business(name: str, log: ServiceLog, journal: JournalStore, progress: Callable[[int], None]) -> None:
    match name:
        case "intake":
            await _read(log, journal, [Requests(log.findings), Messages(log.findings)], progress)
        case "dispatcher":
            orders, clocks = Orders(log.findings), Clocks(log.findings)
            await _read(log, journal, [orders, clocks], progress)
            waiting_since = log.position
            armed = await journal.due(FOR_EVER, MOST_TIMERS)
            # What was assigned before its timers were looked at must not be taken for waiting.
            await _read(log, journal, [orders, clocks], progress)
            orders.stuck({key for key, _ in armed}, waiting_since)
            clocks.stuck({key: at_micros(timer.due) for key, timer in armed}, waiting_since)
        case "fieldwork":
            await _read(log, journal, [Charges(log.findings)], progress)
        case "inventory":
            stock = Stock(log.findings)
            await _read(log, journal, [stock], progress)
            stock.end()
        case _:
            await _read(log, journal, [], progress)


async def _read(
    log: ServiceLog, journal: JournalStore, business: Sequence[Check], progress: Callable[[int], None]
) -> None:
    """Read on to where the journal ends now."""
    readers: dict[str, list[Check]] = {}
    for check in business:
        for kind in check.READS:
            readers.setdefault(kind.__name__, []).append(check)
    for _ in range(TRIES):
        head = await journal.head()
        while log.position < head.position:
            entries = await journal.read(log.position, min(PAGE, head.position - log.position))
            if not entries:
                break
            for entry in entries:
                envelope = log.check(entry)
                if (
                    envelope is not None
                    and envelope.type in readers
                    and envelope.origin == "live"
                    and ":" not in entry.stream
                ):
                    try:
                        event = envelopes.payload(envelope)
                    except UNREADABLE as error:
                        log.findings.add("chain", entry.position, f"what the record says cannot be read: {error}")
                    else:
                        for check in readers[envelope.type]:
                            check.check(entry.position, event, envelope)
            progress(len(entries))
        if log.ends_like(head):
            return
        if await journal.head() == head:
            break
    log.end(head)

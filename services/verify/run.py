"""One pass over every journal, with all checks; read-only, on a live system too."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from contracts import envelope as envelopes
from contracts.event import REGISTRY
from services.chassis.journal.store import JournalStore
from services.chassis.service import Service
from services.verify import business
from services.verify.findings import Finding
from services.verify.log import ServiceLog, between

PAGE = 2_000
FOR_EVER = 2**63 - 1
MOST_TIMERS = 10_000_000


class Report(msgspec.Struct):
    """What the checks found, as `fieldloop verify --json` prints it."""

    events: int
    """Records read, over all journals."""
    violations: int
    chain: bool
    """Every record is the one that was chained, and every journal ends where its head says."""
    behind: dict[str, int]
    """Per service, published events that it has still to take in; empty on a quiet system."""
    first_bad_position: dict[str, int]
    """Per service with a finding, the first position of one."""
    seconds: float
    findings: list[Finding]


async def verify(
    services: Mapping[str, Service],
    journals: Mapping[str, JournalStore],
    progress: Callable[[int], None] = lambda read: None,
) -> Report:
    """Check chains, positions and versions, what went between the services, and I1, I2, I3, I5, I6, I7, I13."""
    begun = time.monotonic()
    requests, orders, stock = business.Requests(), business.Orders(), business.Stock()
    business_of: dict[str, Any] = {"intake": requests, "dispatcher": orders, "inventory": stock}
    logs: dict[str, ServiceLog] = {}
    # A taker is read before its publisher: what it has taken in by then, the publisher had recorded before.
    for name in sorted(journals, key=lambda name: -len(services[name].listens_to)):
        logs[name] = await _read(name, journals[name], business_of.get(name), progress)
    findings = [finding for log in logs.values() for finding in log.findings]
    passed_on, behind = between(logs, lambda name: services[name].takes)
    findings += passed_on + requests.findings + orders.findings + stock.findings
    if "dispatcher" in journals:
        armed = await journals["dispatcher"].due(FOR_EVER, MOST_TIMERS)
        findings += orders.stuck({(key.tenant, key.key) for key, _ in armed if key.name == business.TIMER})
    return Report(
        events=sum(log.position for log in logs.values()),
        violations=len(findings),
        chain=not any(finding.rule == "chain" for finding in findings),
        behind=behind,
        first_bad_position={n: log.first_bad_position for n, log in logs.items() if log.first_bad_position},
        seconds=round(time.monotonic() - begun, 3),
        findings=findings,
    )


async def _read(name: str, journal: JournalStore, rules: Any, progress: Callable[[int], None]) -> ServiceLog:
    log = ServiceLog(name)
    head = await journal.head()
    while entries := await journal.read(log.position, min(PAGE, head.position - log.position)):
        for entry in entries:
            envelope = log.check(entry)
            if rules is not None and envelope is not None and envelope.type in REGISTRY:
                rules.check(entry.position, envelopes.payload(envelope), envelope)
        progress(len(entries))
        if log.position >= head.position:
            break
    log.ends_like(head.position, head.chains)
    return log

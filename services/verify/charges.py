"""
I9 over fieldwork's log: the lines of a charge make its sums, and what an order is entitled to cites the price list that
was in force then. It reckons by itself, and believes no sum that is on record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from contracts.envelope import Envelope
from contracts.fieldwork import ChargeCorrected, ChargeLine, EntitlementDecided, PricesDefined, ServiceCharged
from services.verify.findings import Findings


def sums(lines: Iterable[ChargeLine]) -> dict[str, int]:
    """What a charge of these lines comes to, 1/100 CNY, and how many of them have no price."""
    found = {
        "gross_fen": 0, "warranty_fen": 0, "contract_fen": 0, "company_fen": 0, "customer_fen": 0, "unpriced": 0
    }  # fmt: skip
    for line in lines:
        found["gross_fen"] += line.gross_fen
        found["company_fen"] += line.company_fen
        found["customer_fen"] += line.gross_fen - line.covered_fen - line.company_fen
        found["unpriced"] += line.why == "no-price"
        if line.coverage_kind:
            found[f"{line.coverage_kind}_fen"] += line.covered_fen
    return found


@dataclass
class Charges:
    findings: Findings
    _lists: dict[str, list[tuple[datetime, int]]] = field(default_factory=dict)
    """By tenant: from when on each version of the standard list counts."""
    _of_visit: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """What each visit comes to by now."""

    READS: ClassVar[frozenset[type[Any]]] = frozenset(
        {PricesDefined, EntitlementDecided, ServiceCharged, ChargeCorrected}
    )

    def check(self, position: int, event: Any, envelope: Envelope) -> None:
        tenant = envelope.tenant
        match event:
            case PricesDefined():
                self._lists.setdefault(tenant, []).append((event.effective_from, event.version))
            case EntitlementDecided():
                begun = [one for one in self._lists.get(tenant, ()) if one[0] <= event.entitled_at]
                version = max(begun)[1] if begun else 0
                if event.list_version != version:
                    cited = f"order {event.order_id} cites price list {event.list_version}"
                    self.findings.add("I9", position, f"{cited}, and {version} was in force")
            case ServiceCharged():
                if (tenant, event.visit_id) in self._of_visit:
                    self.findings.add("I9", position, f"visit {event.visit_id} is charged a second time")
                self._sums(position, tenant, event)
            case ChargeCorrected():
                before = self._of_visit.get((tenant, event.visit_id))
                if before is None:
                    self.findings.add("I9", position, f"visit {event.visit_id} is corrected, and was not charged")
                elif sums(event.before) != before:
                    self.findings.add("I9", position, f"visit {event.visit_id} is corrected from what it never was")
                else:
                    now = sums(event.lines)
                    for name in ("gross", "warranty", "contract", "company", "customer"):
                        more = now[f"{name}_fen"] - before[f"{name}_fen"]
                        if getattr(event, f"{name}_diff_fen") != more:
                            what = f"visit {event.visit_id} comes to {more} fen more ({name}), and is corrected by"
                            self.findings.add("I9", position, f"{what} {getattr(event, f'{name}_diff_fen')}")
                self._sums(position, tenant, event)

    def _sums(self, position: int, tenant: str, event: ServiceCharged | ChargeCorrected) -> None:
        found = self._of_visit[tenant, event.visit_id] = sums(event.lines)
        for name, amount in found.items():
            if getattr(event, name) != amount:
                said = getattr(event, name)
                self.findings.add("I9", position, f"visit {event.visit_id}: its lines make {name} {amount}, not {said}")

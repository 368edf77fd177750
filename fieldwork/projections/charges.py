"""What is charged for each visit as it stands, line by line, and each correction of it."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.fieldwork import (
    ChargeCorrected,
    ChargeDisputed,
    ChargeDisputeResolved,
    ChargeLine,
    DisputedLine,
    ServiceCharged,
)
from services.chassis.clock import micros
from services.chassis.views import Rows, View

ChargeEvent = ServiceCharged | ChargeCorrected | ChargeDisputed | ChargeDisputeResolved


def apply(rows: Rows, event: ChargeEvent, envelope: Envelope) -> None:
    if isinstance(event, ChargeDisputed | ChargeDisputeResolved):
        rows.put(event.visit_id, version=envelope.version, disputed=isinstance(event, ChargeDisputed))
        return
    rows.put(
        event.visit_id,
        version=envelope.version,
        order_id=event.order_id,
        request_id=event.request_id,
        customer_id=event.customer_id,
        device_id=event.device_id,
        lines=msgspec.json.encode(event.lines).decode(),
        gross_fen=event.gross_fen,
        warranty_fen=event.warranty_fen,
        contract_fen=event.contract_fen,
        company_fen=event.company_fen,
        customer_fen=event.customer_fen,
        unpriced=event.unpriced,
    )
    if isinstance(event, ServiceCharged):
        charged_at = micros(event.charged_at)
        rows.put(event.visit_id, list_version=event.list_version, in_vain=event.in_vain, charged_at=charged_at)
    else:
        corrected_at = micros(event.corrected_at)
        rows.put(event.visit_id, corrections=event.number, corrected_at=corrected_at)


def lines_of(text: str) -> tuple[ChargeLine, ...]:
    """The lines of a row."""
    return msgspec.json.decode(text, type=tuple[ChargeLine, ...])


CHARGES = View(
    name="charges",
    version=3,
    key={"visit_id": str},
    columns={
        "version": 0,
        "order_id": "",
        "request_id": "",
        "customer_id": "",
        "device_id": "",
        "list_version": 0,
        "lines": "[]",
        "gross_fen": 0,
        "warranty_fen": 0,
        "contract_fen": 0,
        "company_fen": 0,
        "customer_fen": 0,
        "unpriced": 0,
        "charged_at": 0,
        "in_vain": False,
        "corrections": 0,
        "corrected_at": (int, None),
        "disputed": False,
    },
    reads=(ServiceCharged, ChargeCorrected, ChargeDisputed, ChargeDisputeResolved),
    apply=apply,
)


def apply_correction(rows: Rows, event: ChargeCorrected, envelope: Envelope) -> None:
    rows.put(
        event.visit_id,
        event.number,
        reason=event.reason,
        note=event.note,
        before=msgspec.json.encode(event.before).decode(),
        lines=msgspec.json.encode(event.lines).decode(),
        gross_diff_fen=event.gross_diff_fen,
        warranty_diff_fen=event.warranty_diff_fen,
        contract_diff_fen=event.contract_diff_fen,
        company_diff_fen=event.company_diff_fen,
        customer_diff_fen=event.customer_diff_fen,
        corrected_at=micros(event.corrected_at),
        corrected_by=envelope.actor,
    )


CORRECTIONS = View(
    name="charge_corrections",
    version=2,
    key={"visit_id": str, "number": int},
    columns={
        "reason": "",
        "note": "",
        "before": "[]",
        "lines": "[]",
        "gross_diff_fen": 0,
        "warranty_diff_fen": 0,
        "contract_diff_fen": 0,
        "company_diff_fen": 0,
        "customer_diff_fen": 0,
        "corrected_at": 0,
        "corrected_by": "",
    },
    reads=(ChargeCorrected,),
    apply=apply_correction,
)


def apply_dispute(rows: Rows, event: ChargeDisputed | ChargeDisputeResolved, envelope: Envelope) -> None:
    if isinstance(event, ChargeDisputed):
        rows.put(
            event.visit_id,
            event.number,
            disputed_by=event.disputed_by,
            lines=msgspec.json.encode(event.lines).decode(),
            reason=event.reason,
            disputed_fen=event.disputed_fen,
            disputed_at=micros(event.disputed_at),
            customer_id=event.customer_id,
        )
    else:
        rows.put(
            event.visit_id,
            event.number,
            state="corrected" if event.correction else "stands",
            correction=event.correction,
            answer=event.answer,
            resolved_at=micros(event.resolved_at),
            resolved_by=envelope.actor,
        )


def disputed_of(text: str) -> list[DisputedLine]:
    return msgspec.json.decode(text, type=list[DisputedLine])


DISPUTES = View(
    name="charge_disputes",
    version=1,
    key={"visit_id": str, "number": int},
    columns={
        "customer_id": "",
        "disputed_by": "",
        "lines": "[]",
        "reason": "",
        "disputed_fen": 0,
        "disputed_at": 0,
        "state": "open",
        "correction": 0,
        "answer": "",
        "resolved_at": (int, None),
        "resolved_by": "",
    },
    reads=(ChargeDisputed, ChargeDisputeResolved),
    apply=apply_dispute,
    indexes=(("state", "disputed_at"),),
)

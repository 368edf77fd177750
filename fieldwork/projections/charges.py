"""What is charged for each visit as it stands, line by line, and each correction of it."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.fieldwork import ChargeCorrected, ChargeLine, ServiceCharged
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: ServiceCharged | ChargeCorrected, envelope: Envelope) -> None:
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
    version=2,
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
        "customer_fen": 0,
        "unpriced": 0,
        "charged_at": 0,
        "in_vain": False,
        "corrections": 0,
        "corrected_at": (int, None),
    },
    reads=(ServiceCharged, ChargeCorrected),
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
        customer_diff_fen=event.customer_diff_fen,
        corrected_at=micros(event.corrected_at),
        corrected_by=envelope.actor,
    )


CORRECTIONS = View(
    name="charge_corrections",
    version=1,
    key={"visit_id": str, "number": int},
    columns={
        "reason": "",
        "note": "",
        "before": "[]",
        "lines": "[]",
        "gross_diff_fen": 0,
        "warranty_diff_fen": 0,
        "contract_diff_fen": 0,
        "customer_diff_fen": 0,
        "corrected_at": 0,
        "corrected_by": "",
    },
    reads=(ChargeCorrected,),
    apply=apply_correction,
)

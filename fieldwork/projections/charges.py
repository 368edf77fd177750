"""What was charged for each visit, line by line."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.fieldwork import ChargeLine, ServiceCharged
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: ServiceCharged, envelope: Envelope) -> None:
    rows.put(
        event.visit_id,
        version=envelope.version,
        order_id=event.order_id,
        request_id=event.request_id,
        customer_id=event.customer_id,
        device_id=event.device_id,
        list_version=event.list_version,
        lines=msgspec.json.encode(event.lines).decode(),
        gross_fen=event.gross_fen,
        warranty_fen=event.warranty_fen,
        contract_fen=event.contract_fen,
        customer_fen=event.customer_fen,
        unpriced=event.unpriced,
        charged_at=micros(event.charged_at),
    )


def lines_of(text: str) -> tuple[ChargeLine, ...]:
    """The lines of a row."""
    return msgspec.json.decode(text, type=tuple[ChargeLine, ...])


CHARGES = View(
    name="charges",
    version=1,
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
    },
    reads=(ServiceCharged,),
    apply=apply,
)

"""What services cost, every version."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.fieldwork import ContractPricesDefined, PartPrice, PricesDefined
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: PricesDefined | ContractPricesDefined, envelope: Envelope) -> None:
    rows.put(
        event.list_id,
        event.version,
        effective_from=micros(event.effective_from),
        labour_fen_per_h=event.labour_fen_per_h,
        labour_step_s=event.labour_step_s,
        travel_fen=event.travel_fen,
        in_vain_fen=event.in_vain_fen if isinstance(event, PricesDefined) else 0,
        parts=msgspec.json.encode(event.parts).decode(),
    )


def prices_of(text: str) -> tuple[PartPrice, ...]:
    """The prices of parts of a row."""
    return msgspec.json.decode(text, type=tuple[PartPrice, ...])


PRICE_LISTS = View(
    name="price_lists",
    version=2,
    key={"list_id": str, "version": int},
    columns={
        "effective_from": 0,
        "labour_fen_per_h": 0,
        "labour_step_s": 0,
        "travel_fen": 0,
        "in_vain_fen": 0,
        "parts": "[]",
    },
    reads=(PricesDefined, ContractPricesDefined),
    apply=apply,
)

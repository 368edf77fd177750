"""What services cost, every version."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.fieldwork import PartPrice, PricesDefined
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: PricesDefined, envelope: Envelope) -> None:
    rows.put(
        event.version,
        effective_from=micros(event.effective_from),
        labour_fen_per_h=event.labour_fen_per_h,
        labour_step_s=event.labour_step_s,
        travel_fen=event.travel_fen,
        parts=msgspec.json.encode(event.parts).decode(),
    )


def prices_of(text: str) -> tuple[PartPrice, ...]:
    """The prices of parts of a row."""
    return msgspec.json.decode(text, type=tuple[PartPrice, ...])


PRICE_LISTS = View(
    name="price_lists",
    version=1,
    key={"version": int},
    columns={"effective_from": 0, "labour_fen_per_h": 0, "labour_step_s": 0, "travel_fen": 0, "parts": "[]"},
    reads=(PricesDefined,),
    apply=apply,
)

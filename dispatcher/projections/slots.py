"""Slots that are held, and what became of them."""

from __future__ import annotations

from contracts.dispatcher import SlotBooked, SlotHeld, SlotReleased
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: SlotHeld | SlotBooked | SlotReleased, envelope: Envelope) -> None:
    match event:
        case SlotHeld():
            rows.put(
                event.slot_id,
                version=envelope.version,
                order_id=event.order_id,
                engineer_id=event.engineer_id,
                day=event.day,
                starts_at=micros(event.starts_at),
                ends_at=micros(event.ends_at),
                held_until=micros(event.held_until),
            )
        case SlotBooked():
            rows.put(event.slot_id, version=envelope.version, state="booked")
        case SlotReleased():
            rows.put(event.slot_id, version=envelope.version, state=event.why)


SLOTS = View(
    name="slots",
    version=1,
    key={"slot_id": str},
    columns={
        "version": 0,
        "order_id": "",
        "engineer_id": "",
        "day": "",
        "starts_at": 0,
        "ends_at": 0,
        "held_until": 0,
        "state": "held",
    },
    reads=(SlotHeld, SlotBooked, SlotReleased),
    apply=apply,
)

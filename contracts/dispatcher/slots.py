"""Appointments that a customer may choose from: held for some minutes, then booked or given back."""

from __future__ import annotations

from typing import Literal

from contracts.event import Event, Utc, belongs_to


@belongs_to("slot", of="slot_id", key="order_id", public=False)
class SlotHeld(Event, frozen=True, kw_only=True):
    """
    Hours of an engineer are kept for an order until then; nobody else can have them.

    Acted on by: dispatcher (given back when the time is over).
    """

    slot_id: str
    order_id: str
    engineer_id: str
    day: str
    starts_at: Utc
    ends_at: Utc
    held_until: Utc


@belongs_to("slot", of="slot_id", key="order_id", public=False)
class SlotBooked(Event, frozen=True, kw_only=True):
    """The customer wants it: the order has these hours (OrderAssigned, OrderReassigned)."""

    slot_id: str
    order_id: str


@belongs_to("slot", of="slot_id", key="order_id", public=False)
class SlotReleased(Event, frozen=True, kw_only=True):
    """The hours are free again."""

    slot_id: str
    order_id: str
    why: Literal["expired", "given-back"]

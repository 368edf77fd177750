"""The customers who are registered, so that a complaint is of one of them. Nothing that says who they are."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.intake import CustomerRegistered
from services.chassis.views import Rows, View


def apply(rows: Rows, event: CustomerRegistered, envelope: Envelope) -> None:
    rows.put(event.customer_id, kind=event.kind)


CUSTOMERS = View(
    name="customers",
    version=1,
    key={"customer_id": str},
    columns={"kind": ""},
    reads=(CustomerRegistered,),
    apply=apply,
)

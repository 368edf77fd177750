"""
What was asked for, and where: the request behind a visit, and its order.

What intake says and what the dispatcher says stand in columns of their own, so either may come first.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select

from contracts.dispatcher import OrderOpened
from contracts.envelope import Envelope
from contracts.intake import RequestCorrected, RequestReceived
from services.chassis.views import Rows, View


def apply(rows: Rows, event: RequestReceived | RequestCorrected | OrderOpened, envelope: Envelope) -> None:
    match event:
        case RequestReceived():
            facts = {"request_type": event.request_type, "region": event.region, "customer_id": event.customer_id}
            rows.put(event.request_id, **facts)
        case RequestCorrected():
            rows.put(event.request_id, region=event.work.region, customer_id=event.customer_id)
        case OrderOpened():
            rows.put(event.request_id, order_id=event.order_id)


ASKED_FOR = View(
    name="asked_for",
    version=2,
    key={"request_id": str},
    columns={"request_type": "", "region": "", "customer_id": "", "order_id": ""},
    reads=(RequestReceived, RequestCorrected, OrderOpened),
    apply=apply,
)

ONE_REQUEST: Final = select(ASKED_FOR.table.c.request_type).where(
    ASKED_FOR.table.c.tenant == bindparam("tenant"),
    ASKED_FOR.table.c.request_id == bindparam("request_id"),
    ASKED_FOR.table.c.request_type != "",
)
"""A request of which intake has told; the dispatcher may have been faster."""

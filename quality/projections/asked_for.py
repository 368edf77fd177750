"""What was asked for, and where: the request behind a visit."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.intake import RequestReceived
from services.chassis.views import Rows, View


def apply(rows: Rows, event: RequestReceived, envelope: Envelope) -> None:
    rows.put(event.request_id, request_type=event.request_type, region=event.region, customer_id=event.customer_id)


ASKED_FOR = View(
    name="asked_for",
    version=1,
    key={"request_id": str},
    columns={"request_type": "", "region": "", "customer_id": ""},
    reads=(RequestReceived,),
    apply=apply,
)

ONE_REQUEST: Final = select(ASKED_FOR.table.c.request_type).where(
    ASKED_FOR.table.c.tenant == bindparam("tenant"), ASKED_FOR.table.c.request_id == bindparam("request_id")
)

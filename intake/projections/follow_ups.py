"""Which request came of which: what was not in order at a visit, and the request that was made of it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.intake import RequestFollowsUp
from intake.projections.requests import REQUESTS
from services.chassis.views import Rows, View


def apply(rows: Rows, event: RequestFollowsUp, envelope: Envelope) -> None:
    rows.put(event.request_id, follows_id=event.follows_id, visit_id=event.visit_id, item=event.item)


FOLLOW_UPS = View(
    name="follow_ups",
    version=1,
    key={"request_id": str},
    columns={"follows_id": "", "visit_id": "", "item": ""},
    reads=(RequestFollowsUp,),
    apply=apply,
    indexes=(("follows_id",),),
)

ONE_REQUEST: Final = select(REQUESTS.table.c.request_type, REQUESTS.table.c.site_id).where(
    REQUESTS.table.c.tenant == bindparam("tenant"), REQUESTS.table.c.request_id == bindparam("request_id")
)
"""What a follow-up has in common with the request that it follows."""

"""What was written about every request, in the order in which it was written."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.intake import RequestRemarked
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: RequestRemarked, envelope: Envelope) -> None:
    rows.put(
        event.request_id,
        event.remark_id,
        number=envelope.version,
        customer_id=event.customer_id,
        by=event.by,
        words=event.words,
        at=micros(envelope.time),
    )


REQUEST_REMARKS = View(
    name="request_remarks",
    version=1,
    key={"request_id": str, "remark_id": str},
    columns={"number": 0, "customer_id": "", "by": "", "words": "", "at": 0},
    reads=(RequestRemarked,),
    apply=apply,
)

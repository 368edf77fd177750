"""What is on its way from one place to another, and what became of what was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from contracts.envelope import Envelope
from contracts.inventory import MovedLine, TransferLost, TransferReceived, TransferSent
from inventory.domain.transfer import left_after
from services.chassis.clock import micros
from services.chassis.views import Rows, View

IN_TRANSIT: Final = "in-transit"
ENDED: Final = "ended"


def apply(rows: Rows, event: TransferSent | TransferReceived | TransferLost, envelope: Envelope) -> None:
    key = event.transfer_id
    if isinstance(event, TransferSent):
        rows.put(
            key,
            version=envelope.version,
            from_place_id=event.from_place_id,
            to_place_id=event.to_place_id,
            reason=event.reason,
            state=IN_TRANSIT,
            sent_at=micros(envelope.time),
            lines=_text(event.lines),
            in_transit=_text(event.lines),
        )
        return
    row = rows.get(key) or TRANSFERS.defaults
    was = {(line.part_id, line.condition): line for line in moved_lines(str(row["in_transit"]))}
    left = left_after(was, event.lines)
    rows.put(key, version=envelope.version, in_transit=_text(left.values()), state=IN_TRANSIT if left else ENDED)
    if isinstance(event, TransferLost):
        lost = moved_lines(str(row["lost"]))
        rows.put(key, lost=_text((*lost, *event.lines)))


def _text(lines: Iterable[MovedLine]) -> str:
    return msgspec.json.encode([*lines]).decode()


def moved_lines(text: str) -> tuple[MovedLine, ...]:
    """What is in `lines` (as they were sent), in `in_transit` and in `lost`."""
    return msgspec.json.decode(text, type=tuple[MovedLine, ...])


TRANSFERS = View(
    name="transfers",
    version=2,
    key={"transfer_id": str},
    columns={
        "version": 0,
        "from_place_id": "",
        "to_place_id": "",
        "reason": "",
        "state": "",
        "sent_at": 0,
        "lines": "[]",
        "in_transit": "[]",
        "lost": "[]",
    },
    reads=(TransferSent, TransferReceived, TransferLost),
    apply=apply,
    indexes=(("state",),),
)

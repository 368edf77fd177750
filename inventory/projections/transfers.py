"""What is on its way from one place to another, and what became of what was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from contracts.envelope import Envelope
from contracts.inventory import Condition, MovedLine, TransferLost, TransferReceived, TransferSent
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
            lines=msgspec.json.encode(event.lines).decode(),
            in_transit=_text({(line.part_id, line.condition): line.quantity for line in event.lines}),
        )
        return
    row = rows.get(key) or TRANSFERS.defaults
    left = left_after(
        {(line.part_id, line.condition): line.quantity for line in moved_lines(str(row["in_transit"]))}, event.lines
    )
    rows.put(key, version=envelope.version, in_transit=_text(left), state=IN_TRANSIT if left else ENDED)
    if isinstance(event, TransferLost):
        lost = moved_lines(str(row["lost"]))
        rows.put(key, lost=msgspec.json.encode((*lost, *event.lines)).decode())


def _text(pieces: Mapping[tuple[str, Condition], int]) -> str:
    lines = [MovedLine(part_id, quantity, condition) for (part_id, condition), quantity in pieces.items()]
    return msgspec.json.encode(lines).decode()


def moved_lines(text: str) -> tuple[MovedLine, ...]:
    """What is in `lines` (as they were sent), in `in_transit` and in `lost`."""
    return msgspec.json.decode(text, type=tuple[MovedLine, ...])


TRANSFERS = View(
    name="transfers",
    version=1,
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

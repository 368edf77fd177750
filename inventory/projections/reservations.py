"""Of every order what its repair takes as a rule, what is set aside for it and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.inventory import PartLine, PartsRecommended, PartsReserved, PartsShort, PlacedLine, ReservationReleased
from services.chassis.views import Rows, View


def apply(
    rows: Rows, event: PartsRecommended | PartsReserved | PartsShort | ReservationReleased, envelope: Envelope
) -> None:
    key = event.order_id
    rows.put(key, version=envelope.version, request_id=event.request_id)
    match event:
        case PartsRecommended():
            rows.put(key, recommended=_text(event.lines))
        case PartsReserved():
            rows.put(key, engineer_id=event.engineer_id, visit_id=event.visit_id, lines=_text(event.lines), released="")
        case PartsShort():
            rows.put(key, engineer_id=event.engineer_id, visit_id=event.visit_id, short=_text(event.lines), released="")
        case ReservationReleased():
            rows.put(key, lines="[]", short="[]", released=event.reason)


def _text(lines: Sequence[PartLine | PlacedLine]) -> str:
    return msgspec.json.encode(lines).decode()


def part_lines(text: str) -> tuple[PartLine, ...]:
    """What is in `recommended` and in `short`."""
    return msgspec.json.decode(text, type=tuple[PartLine, ...])


def placed_lines(text: str) -> tuple[PlacedLine, ...]:
    """What is in `lines`."""
    return msgspec.json.decode(text, type=tuple[PlacedLine, ...])


RESERVATIONS = View(
    name="reservations",
    version=1,
    key={"order_id": str},
    columns={
        "version": 0,
        "request_id": "",
        "engineer_id": "",
        "visit_id": "",
        "recommended": "[]",
        "lines": "[]",
        "short": "[]",
        "released": "",
    },
    reads=(PartsRecommended, PartsReserved, PartsShort, ReservationReleased),
    apply=apply,
)

ONE_RESERVATION: Final = select(RESERVATIONS.table).where(
    RESERVATIONS.table.c.tenant == bindparam("tenant"), RESERVATIONS.table.c.order_id == bindparam("order_id")
)

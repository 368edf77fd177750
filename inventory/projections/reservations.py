"""Of every order what its repair takes as a rule, what is set aside for it and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.inventory import (
    PartLine,
    PartsPickedUp,
    PartsRecommended,
    PartsReserved,
    PartsShort,
    PlacedLine,
    ReservationReleased,
)
from inventory.domain.reservation import in_the_van
from services.chassis.clock import micros
from services.chassis.views import Rows, View

Shown = PartsRecommended | PartsReserved | PartsShort | PartsPickedUp | ReservationReleased


def apply(rows: Rows, event: Shown, envelope: Envelope) -> None:
    key = event.order_id
    rows.put(key, version=envelope.version, request_id=event.request_id)
    match event:
        case PartsRecommended():
            rows.put(key, recommended=_text(event.lines))
        case PartsReserved():
            _put_visit(rows, event)
            rows.put(key, lines=_text(event.lines))
        case PartsShort():
            _put_visit(rows, event)
            rows.put(key, short=_text(event.lines))
        case PartsPickedUp():
            row = rows.get(key) or RESERVATIONS.defaults
            rows.put(key, lines=_text(in_the_van(placed_lines(str(row["lines"])), event.van_id)))
        case ReservationReleased():
            rows.put(key, lines="[]", short="[]", released=event.reason, expires_at=None)


def _put_visit(rows: Rows, event: PartsReserved | PartsShort) -> None:
    rows.put(
        event.order_id,
        engineer_id=event.engineer_id,
        visit_id=event.visit_id,
        van_id=event.van_id,
        expires_at=None if event.expires_at is None else micros(event.expires_at),
        released="",
    )


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
    version=2,
    key={"order_id": str},
    columns={
        "version": 0,
        "request_id": "",
        "engineer_id": "",
        "visit_id": "",
        "van_id": "",
        "expires_at": (int, None),
        "recommended": "[]",
        "lines": "[]",
        "short": "[]",
        "released": "",
    },
    reads=(PartsRecommended, PartsReserved, PartsShort, PartsPickedUp, ReservationReleased),
    apply=apply,
)

ONE_RESERVATION: Final = select(RESERVATIONS.table).where(
    RESERVATIONS.table.c.tenant == bindparam("tenant"), RESERVATIONS.table.c.order_id == bindparam("order_id")
)

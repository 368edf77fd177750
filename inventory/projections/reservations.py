"""Of every order what its repair takes as a rule, what is set aside for it and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.intake import Urgency
from contracts.inventory import (
    Ground,
    PartLine,
    PartsPickedUp,
    PartsRecommended,
    PartsReserved,
    PartsShort,
    PlacedLine,
    ReservationReleased,
    ReservedPiecesChanged,
)
from inventory.domain.reserved_pieces import in_the_van, with_pieces
from inventory.projections.registers import PLACES
from services.chassis.clock import micros
from services.chassis.views import Rows, View

URGENCIES: Final[tuple[Urgency, ...]] = get_args(Urgency)
"""The least urgent first."""

Shown = PartsRecommended | PartsReserved | PartsShort | PartsPickedUp | ReservedPiecesChanged | ReservationReleased


def apply(rows: Rows, event: Shown, envelope: Envelope) -> None:
    key = event.order_id
    rows.put(key, version=envelope.version, request_id=event.request_id)
    match event:
        case PartsRecommended():
            rank = URGENCIES.index(event.urgency)
            rows.put(key, recommended=_text(event.lines), urgency_rank=rank, since=micros(envelope.time))
            rows.put(key, grounds=_text(event.grounds), waits=True)
        case PartsReserved():
            _put_visit(rows, event)
            rows.put(key, lines=_text(event.lines), short="[]", is_short=False, waits=False)
        case PartsShort():
            _put_visit(rows, event)
            rows.put(key, short=_text(event.lines), is_short=True, waits=False)
        case PartsPickedUp():
            row = rows.get(key) or RESERVATIONS.defaults
            rows.put(key, lines=_text(in_the_van(placed_lines(str(row["lines"])), event.lines, event.van_id)))
        case ReservedPiecesChanged():
            row = rows.get(key) or RESERVATIONS.defaults
            rows.put(key, lines=_text(with_pieces(placed_lines(str(row["lines"])), event)))
        case ReservationReleased():
            rows.put(key, lines="[]", short="[]", is_short=False, released=event.reason, expires_at=None)
            # Somebody else will want them, or she again.
            rows.put(key, waits=event.reason in ("order-declined", "visit-aborted"))


def _put_visit(rows: Rows, event: PartsReserved | PartsShort) -> None:
    rows.put(
        event.order_id,
        engineer_id=event.engineer_id,
        visit_id=event.visit_id,
        van_id=event.van_id,
        expires_at=None if event.expires_at is None else micros(event.expires_at),
        released="",
    )


def _text(lines: Sequence[PartLine | PlacedLine | Ground]) -> str:
    return msgspec.json.encode(lines).decode()


def part_lines(text: str) -> tuple[PartLine, ...]:
    """What is in `recommended` and in `short`."""
    return msgspec.json.decode(text, type=tuple[PartLine, ...])


def grounds_of(text: str) -> tuple[Ground, ...]:
    """What is in `grounds`."""
    return msgspec.json.decode(text, type=tuple[Ground, ...])


def placed_lines(text: str) -> tuple[PlacedLine, ...]:
    """What is in `lines`."""
    return msgspec.json.decode(text, type=tuple[PlacedLine, ...])


RESERVATIONS = View(
    name="reservations",
    version=4,
    key={"order_id": str},
    columns={
        "version": 0,
        "request_id": "",
        "engineer_id": "",
        "visit_id": "",
        "van_id": "",
        "expires_at": (int, None),
        "recommended": "[]",
        "grounds": "[]",
        "lines": "[]",
        "short": "[]",
        "is_short": False,
        "waits": False,
        "urgency_rank": 0,
        "since": 0,
        "released": "",
    },
    reads=get_args(Shown),
    apply=apply,
    indexes=(("is_short",), ("waits",)),
)

ONE_RESERVATION: Final = select(RESERVATIONS.table).where(
    RESERVATIONS.table.c.tenant == bindparam("tenant"), RESERVATIONS.table.c.order_id == bindparam("order_id")
)

_row = RESERVATIONS.table.c

SHORT_OF: Final = (
    select(RESERVATIONS.table, PLACES.table.c.region.label("van_region"))
    .outerjoin(PLACES.table, (PLACES.table.c.tenant == _row.tenant) & (PLACES.table.c.place_id == _row.van_id))
    .where(_row.tenant == bindparam("tenant"), _row.is_short, _row.short.like(bindparam("part"), escape="/"))
    .order_by(_row.urgency_rank.desc(), _row.since, _row.order_id)
)
"""
Orders that miss pieces of a part, the most urgent first and of these the oldest; `part` is what `naming` says of it.

A few too many may be among them, as with PARTS_FITTING. `van_region` is None where the van is not known.
"""

WAITING_FOR: Final = (
    select(_row.recommended)
    .where(_row.tenant == bindparam("tenant"), _row.waits, _row.recommended.like(bindparam("part"), escape="/"))
    .order_by(_row.order_id)
)
"""Orders that a part is recommended for and that nobody has; `part` as with SHORT_OF."""

"""Where a piece with a serial number is and how it came there; where a lot is, and into which devices it went."""

from __future__ import annotations

from typing import Final, get_args

from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.inventory import (
    LotPieces,
    PartConsumed,
    PartRepaired,
    PartReturned,
    PartScrapped,
    PartSentBack,
    PiecesNamed,
    StockArrived,
    StockCounted,
    StockIssued,
    StockReceived,
    StockSent,
    TransferLost,
)
from inventory.commands import LOOKED_AT
from inventory.domain.pieces import Move, Moving, OnShelf, moves
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply_serial(rows: Rows, event: Moving, envelope: Envelope) -> None:
    """The pieces of two places come in any order: the journal says which was last."""
    position = int(envelope.position)
    for part_id, serial, where in moves(event):
        row = rows.get(part_id, serial)
        if row is None or position > int(row["position"]):
            rows.put(part_id, serial, whereabouts=where, position=position, moved_at=micros(envelope.time))


SERIALS = View(
    name="serials",
    version=1,
    key={"part_id": str, "serial": str},
    columns={"whereabouts": "", "position": 0, "moved_at": 0},
    reads=get_args(Moving),
    apply=apply_serial,
    indexes=(("part_id", "whereabouts"),),
)


def apply_shelf(rows: Rows, event: OnShelf | PiecesNamed, envelope: Envelope) -> None:
    """As `Stock.pieces` and `Stock.named` of the same stream."""
    shelf = event.part_id, event.place_id
    if isinstance(event, PiecesNamed):
        for serial, order_id in [
            *[(one, "") for one in event.freed],
            *[(one, event.order_id) for one in event.serials],
        ]:
            if rows.get(*shelf, serial) is not None:
                rows.put(*shelf, serial, order_id=order_id)
        return
    left = event.missing if isinstance(event, StockCounted) else ()
    came = isinstance(event, StockReceived | StockArrived | PartReturned | PartRepaired | StockCounted)
    if getattr(event, "condition", "good") != "good":
        return
    for serial in left if came else event.serials:
        rows.drop(*shelf, serial)
    for number, serial in enumerate(event.serials if came else ()):
        if rows.get(*shelf, serial) is None:
            rows.put(*shelf, serial, came=int(envelope.position), number=number)


SHELF_PIECES = View(
    name="shelf_pieces",
    version=1,
    key={"part_id": str, "place_id": str, "serial": str},
    columns={"order_id": "", "came": 0, "number": 0},
    reads=(*get_args(OnShelf), PiecesNamed),
    apply=apply_shelf,
)
"""The good pieces with serial numbers that came to a place, in this order, and for which order each is set aside."""

_piece = SHELF_PIECES.table.c
_pieces_of_shelf = select(_piece.serial, _piece.order_id).where(
    _piece.tenant == bindparam("tenant"),
    _piece.part_id == bindparam("part_id"),
    _piece.place_id == bindparam("place_id"),
)

PIECES_FOR: Final = (
    _pieces_of_shelf.where(_piece.order_id.in_(("", bindparam("order_id"))))
    .order_by(_piece.order_id.desc(), _piece.came, _piece.number)
    .limit(LOOKED_AT)
)
"""Those of an order there, and then those that are set aside for nobody, the first first."""

PIECE_THERE: Final = _pieces_of_shelf.where(_piece.serial == bindparam("serial"))


def apply_move(rows: Rows, event: Moving, envelope: Envelope) -> None:
    disputed = {one.number: one.was for one in getattr(event, "disputed", ())}
    told = [("serial", *move) for move in moves(event)]
    told += [("lot", part_id, number, where) for part_id, number, where in overdrawn(event)]
    for kind, part_id, serial, where in told:
        rows.put(
            part_id,
            serial,
            int(envelope.position),
            kind=kind,
            what=envelope.type,
            whereabouts=where,
            moved_at=micros(envelope.time),
            said=_said(event),
            place_id="" if isinstance(event, TransferLost) else event.place_id,
            order_id=str(getattr(event, "order_id", "")),
            device_id=str(getattr(event, "device_id", "")),
            is_disputed=serial in disputed,
            was=disputed.get(serial, ""),
        )


def overdrawn(event: Moving) -> list[Move]:
    """The lots of which more went than our books had there, and where to; nothing else is a step of a lot's story."""
    if not isinstance(event, PartConsumed | StockIssued):
        return []
    lots, where = (
        {lot.lot for lot in event.lots},
        f"order/{event.order_id}" if isinstance(event, PartConsumed) else "issued",
    )
    return [(event.part_id, one.number, where) for one in event.disputed if one.number in lots]


def _said(event: Moving) -> str:
    """From whom it came, to whom it went, or why."""
    match event:
        case StockReceived() | StockCounted() | StockIssued():
            return event.source
        case PartSentBack():
            return event.supplier
        case PartScrapped() | TransferLost():
            return event.reason
        case _:
            return ""


SERIAL_MOVES = View(
    name="serial_moves",
    version=2,
    key={"part_id": str, "serial": str, "position": int},
    columns={
        "kind": "serial",
        "what": "",
        "whereabouts": "",
        "moved_at": 0,
        "said": "",
        "place_id": "",
        "order_id": "",
        "device_id": "",
        "is_disputed": False,
        "was": "",
    },
    reads=get_args(Moving),
    apply=apply_move,
    indexes=(("is_disputed",),),
)


def apply_lot(rows: Rows, event: Moving, envelope: Envelope) -> None:
    match event:
        case TransferLost():
            for line in event.lines:
                for lot in line.lots:
                    _add(rows, line.part_id, lot, f"transfer/{event.transfer_id}", line.condition, -1)
        case StockCounted():
            for lot in event.lots:
                _put(rows, event.part_id, lot.lot, event.place_id, event.condition, lot.quantity)
        case StockReceived() | PartReturned():
            _add_all(rows, event, 1)
        case StockArrived() | StockSent():
            sign = 1 if isinstance(event, StockArrived) else -1
            _add_all(rows, event, sign)
            for lot in event.lots:
                _add(rows, event.part_id, lot, f"transfer/{event.transfer_id}", event.condition, -sign)
        case PartConsumed():
            for lot in event.lots:
                _use(rows, event.part_id, lot, event.place_id, "good")
        case StockIssued():
            for lot in event.lots:
                _use(rows, event.part_id, lot, event.place_id, event.condition)
        case PartScrapped() | PartSentBack():
            _add_all(rows, event, -1)
        case PartRepaired():
            for lot in event.lots:
                _add(rows, event.part_id, lot, event.place_id, "defective", -1)
                _add(rows, event.part_id, lot, event.place_id, "good", 1)


def _add_all(
    rows: Rows, event: StockReceived | StockArrived | StockSent | PartReturned | PartScrapped | PartSentBack, sign: int
) -> None:
    for lot in event.lots:
        _add(rows, event.part_id, lot, event.place_id, event.condition, sign)


def _add(rows: Rows, part_id: str, lot: LotPieces, place_id: str, condition: str, sign: int) -> None:
    # On its way a lot may be heard of first where it arrives: then it is less than nothing for a while.
    _put(
        rows,
        part_id,
        lot.lot,
        place_id,
        condition,
        _there(rows, part_id, lot, place_id, condition) + sign * lot.quantity,
    )


def _use(rows: Rows, part_id: str, lot: LotPieces, place_id: str, condition: str) -> None:
    """A fact, also where our books had fewer of the lot."""
    left = max(0, _there(rows, part_id, lot, place_id, condition) - lot.quantity)
    _put(rows, part_id, lot.lot, place_id, condition, left)


def _there(rows: Rows, part_id: str, lot: LotPieces, place_id: str, condition: str) -> int:
    row = rows.get(part_id, lot.lot, place_id, condition)
    return int(row["quantity"]) if row else 0


def _put(rows: Rows, part_id: str, lot: str, place_id: str, condition: str, quantity: int) -> None:
    if quantity:
        rows.put(part_id, lot, place_id, condition, quantity=quantity)
    else:
        rows.drop(part_id, lot, place_id, condition)


LOTS = View(
    name="lots",
    version=1,
    key={"part_id": str, "lot": str, "place_id": str, "condition": str},
    columns={"quantity": 0},
    reads=get_args(Moving),
    apply=apply_lot,
)
"""Pieces by lot and place; what is on its way lies at the place `transfer/ID`."""


def apply_use(rows: Rows, event: PartConsumed, envelope: Envelope) -> None:
    for lot in event.lots:
        row = rows.get(event.part_id, lot.lot, event.order_id) or LOT_USES.defaults
        rows.put(
            event.part_id,
            lot.lot,
            event.order_id,
            quantity=int(row["quantity"] or 0) + lot.quantity,
            device_id=max(str(row["device_id"]), event.device_id),
            used_at=max(int(row["used_at"] or 0), micros(envelope.time)),
        )


LOT_USES = View(
    name="lot_uses",
    version=1,
    key={"part_id": str, "lot": str, "order_id": str},
    columns={"quantity": 0, "device_id": "", "used_at": 0},
    reads=(PartConsumed,),
    apply=apply_use,
)
"""Into which devices the pieces of a lot went: whom to call when it is called back."""

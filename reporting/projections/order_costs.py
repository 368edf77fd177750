"""
What an order cost and earned, with what it is grouped by: one row an order, so that costs are sums over one table.

A visit counts at what an hour and a kilometre of its engineer cost when she set out, a piece of a part at what it cost
when it was used. Whoever names a cost may say from when on it holds; else it holds from when it was said. From there on
it counts for all time, whatever was said before. A word that repeats the costs of the one before, as when only a name
was changed, says nothing about costs. What something cost before anybody said so is not known.

The rows beside those of orders count nowhere. `request/ID` is as `request_row` says, of the channel; `engineer/ID`
and `part/ID` what was said of their costs, and in which weeks anything was counted at them; `engineer/ID/week` and
`part/ID/week` in which orders. So a cost that is said for the past, or is heard of late, counts these orders anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from contracts.dispatcher import EngineerRegistered, OrderAssigned, OrderOpened, OrderReassigned
from contracts.envelope import Envelope
from contracts.fieldwork import (
    ChargeCorrected,
    EngineerArrived,
    EngineerDeparted,
    ServiceCharged,
    ServiceCompleted,
    VisitAborted,
    VisitCancelled,
    WorkFinished,
)
from contracts.intake import RequestReceived
from contracts.inventory import PartConsumed, PartDefined
from reporting.figures import HOUR
from reporting.projections.request_row import RequestRow
from services.chassis.clock import micros
from services.chassis.ids import derived_id
from services.chassis.views import Rows, Value, View

VisitEvent = EngineerDeparted | EngineerArrived | WorkFinished | ServiceCompleted | VisitAborted | VisitCancelled
OrderEvent = (
    OrderOpened | OrderAssigned | OrderReassigned | VisitEvent | ServiceCharged | ChargeCorrected | PartConsumed
)
CostEvent = EngineerRegistered | PartDefined

OF_REQUEST: Final = RequestRow(("channel",), "listed")

WEEK: Final = 7 * 24 * HOUR


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One word about costs, which holds from an instant on; None: nobody knows."""

    since: int
    costs: tuple[int | None, ...]


class Visit(msgspec.Struct, array_like=True):
    """What costs need of a visit. Instants are microseconds UTC."""

    engineer_id: str = ""
    departed_at: int | None = None
    arrived_at: int | None = None
    left_at: int | None = None
    travel_m: int | None = None
    labour_s: int | None = None
    in_vain: bool = False

    @property
    def began_at(self) -> int:
        return next((at for at in (self.departed_at, self.arrived_at, self.left_at) if at is not None), 0)


class Used(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Pieces of a part."""

    part_id: str
    used_at: int
    quantity: int


class Facts(msgspec.Struct):
    """What an order is counted from."""

    visits: dict[str, Visit] = {}
    parts: list[Used] = []

    def wanted(self) -> Iterator[tuple[str, int]]:
        """Whose costs, and when."""
        for visit in self.visits.values():
            if visit.engineer_id:
                yield f"engineer/{visit.engineer_id}", visit.began_at
        for used in self.parts:
            yield f"part/{used.part_id}", used.used_at


_packed = msgspec.msgpack.Encoder(order="deterministic").encode
_facts = msgspec.msgpack.Decoder(Facts).decode
_said = msgspec.msgpack.Decoder(list[Said]).decode


def apply(rows: Rows, event: OrderEvent | CostEvent | RequestReceived, envelope: Envelope) -> None:
    match event:
        case EngineerRegistered():
            _say(rows, f"engineer/{event.engineer_id}", envelope, event.rates_from, event.hour_fen, event.km_fen)
        case PartDefined():
            _say(rows, f"part/{event.part_id}", envelope, event.cost_from, event.cost_fen)
        case RequestReceived():
            OF_REQUEST.say(rows, event.request_id, channel=envelope.channel)
        case _:
            _order(rows, event, envelope)


def _order(rows: Rows, event: OrderEvent, envelope: Envelope) -> None:
    order_id, at = event.order_id, micros(envelope.time)
    OF_REQUEST.add(rows, event.request_id, order_id)
    row = dict(rows.get(order_id) or ORDER_COSTS.defaults)
    rows.put(order_id, request_id=event.request_id, **_said_of(row, event, at))
    if isinstance(event, OrderOpened | ServiceCharged | ChargeCorrected):
        return
    now = _facts(row["facts"]) if row["facts"] else Facts()
    weeks_before = _weeks(now)
    match event:
        case OrderAssigned() | OrderReassigned():
            # As fieldwork names the visit that it plans upon this event; who goes to it, the visit itself says.
            visit = now.visits.setdefault(derived_id("visit", order_id, envelope.id), Visit())
            visit.travel_m = event.travel_m
        case PartConsumed():
            now.parts = sorted([*now.parts, Used(event.part_id, at, event.quantity)])
        case _:
            _visit(now.visits.setdefault(event.visit_id, Visit()), event, at)
    weeks = _weeks(now)
    for whose, week in sorted(weeks - weeks_before):
        _enlist(rows, whose, str(week))
        _enlist(rows, f"{whose}/{week}", order_id)
    for whose, week in sorted(weeks_before - weeks):
        _strike(rows, f"{whose}/{week}", order_id)
        if rows.get(f"{whose}/{week}") is None:
            _strike(rows, whose, str(week))
    rows.put(order_id, facts=_packed(now), **_counted(rows, now))


def _weeks(facts: Facts) -> set[tuple[str, int]]:
    """Whose costs an order is counted by, and in which weeks."""
    return {(whose, when // WEEK) for whose, when in facts.wanted()}


def _said_of(row: dict[str, Any], event: OrderEvent, at: int) -> dict[str, Value]:
    """What an event says of the order itself."""
    match event:
        case OrderOpened():
            return {"region": event.region, "device_model": event.device_model, "request_type": event.request_type}
        case OrderAssigned() | OrderReassigned():
            return {"engineer_id": event.engineer_id}
        case ServiceCompleted():
            done_at = at if row["done_at"] is None else min(at, row["done_at"])
            return {"served_by": event.engineer_id, "done_at": done_at}
        case ServiceCharged():
            return _more(row, event.gross_fen, event.customer_fen)
        case ChargeCorrected():
            return _more(row, event.gross_diff_fen, event.customer_diff_fen)
        case _:
            return {}


def _more(row: dict[str, Any], gross_fen: int, customer_fen: int) -> dict[str, Value]:
    """What an order comes to with one more charge, or with the difference that a correction makes."""
    return {
        "revenue_fen": (row["revenue_fen"] or 0) + gross_fen,
        "customer_fen": (row["customer_fen"] or 0) + customer_fen,
    }


def _visit(visit: Visit, event: VisitEvent, at: int) -> None:
    visit.engineer_id = event.engineer_id
    match event:
        case EngineerDeparted():
            visit.departed_at = at
        case EngineerArrived():
            visit.arrived_at = at
        case WorkFinished():
            # After a refused acceptance the work is finished a second time.
            visit.left_at, visit.labour_s = at, event.labour_s or None
        case VisitAborted():
            visit.left_at, visit.in_vain = at, True
        case VisitCancelled():
            visit.in_vain = True


def _counted(rows: Rows, facts: Facts) -> dict[str, Value]:
    """The sums of an order. In fen times seconds, or metres, so that nothing is rounded before it is shown."""
    sums: dict[str, int] = dict.fromkeys(SUMS, 0)
    for visit in facts.visits.values():
        hour_fen, km_fen = _costs_at(rows, f"engineer/{visit.engineer_id}", visit.began_at) or (None, None)
        timed = visit.labour_s is not None and hour_fen is not None
        if visit.labour_s is not None and hour_fen is not None:
            sums["visits_timed"] += 1
            sums["labour_fen_s"] += visit.labour_s * hour_fen
        sums["visits_without_cost"] += visit.left_at is not None and not visit.in_vain and not timed
        if visit.departed_at is not None and visit.arrived_at is not None and hour_fen is not None:
            sums["trips_timed"] += 1
            sums["way_fen_s"] += (visit.arrived_at - visit.departed_at) // 1_000_000 * hour_fen
        elif visit.departed_at is not None:
            sums["trips_without_cost"] += 1
        went = visit.departed_at is not None or visit.arrived_at is not None
        if went and visit.travel_m is not None and km_fen is not None:
            sums["way_fen_m"] += visit.travel_m * km_fen
    for used in facts.parts:
        [cost_fen] = _costs_at(rows, f"part/{used.part_id}", used.used_at) or (None,)
        if cost_fen is None:
            sums["pieces_without_cost"] += used.quantity
        else:
            sums["pieces_priced"] += used.quantity
            sums["parts_fen"] += used.quantity * cost_fen
    return dict(sums)


def _costs_at(rows: Rows, whose: str, at: int) -> tuple[int | None, ...] | None:
    """What held then."""
    row = rows.get(whose)
    said = _said(row["said"]) if row and row["said"] else []
    return next((one.costs for one in reversed(said) if one.since <= at), None)


def _say(rows: Rows, whose: str, envelope: Envelope, since: datetime | None, *costs: int) -> None:
    """A word about costs; 0 is not known."""
    row = rows.get(whose)
    # All words are of one stream, and come in its order.
    said = _said(row["said"]) if row and row["said"] else []
    values = tuple([cost or None for cost in costs])
    if since is None and values == (said[-1].costs if said else tuple([None for _ in costs])):
        return
    now = Said(micros(since or envelope.time), values)
    rows.put(whose, said=_packed([*[one for one in said if one.since < now.since], now]))
    for week in _listed(rows, whose):
        if int(week) >= now.since // WEEK:
            for order_id in _listed(rows, f"{whose}/{week}"):
                if order := rows.get(order_id):
                    rows.put(order_id, **_counted(rows, _facts(order["facts"])))


def _listed(rows: Rows, key: str) -> list[str]:
    row = rows.get(key)
    return str(row["listed"]).splitlines() if row else []


def _enlist(rows: Rows, key: str, line: str) -> None:
    if line not in (lines := _listed(rows, key)):
        rows.put(key, listed="\n".join(sorted([*lines, line])))


def _strike(rows: Rows, key: str, line: str) -> None:
    """A row of which nothing is left goes too."""
    lines = [one for one in _listed(rows, key) if one != line]
    row = rows.get(key)
    if lines or (row and row["said"]):
        rows.put(key, listed="\n".join(lines))
    else:
        rows.drop(key)


SUMS: Final = (
    "visits_timed",
    "labour_fen_s",
    "visits_without_cost",
    "trips_timed",
    "way_fen_s",
    "way_fen_m",
    "trips_without_cost",
    "pieces_priced",
    "parts_fen",
    "pieces_without_cost",
)

ORDER_COSTS = View(
    name="order_costs",
    version=1,
    key={"order_id": str},
    columns={
        "request_id": "",
        "done_at": (int, None),
        "region": "",
        "device_model": "",
        "request_type": "",
        "channel": "",
        "engineer_id": "",
        "served_by": "",
        "revenue_fen": (int, None),
        "customer_fen": (int, None),
        **dict.fromkeys(SUMS, 0),
        "facts": b"",
        "said": b"",
        "listed": "",
    },
    reads=(
        RequestReceived,
        EngineerRegistered,
        PartDefined,
        OrderOpened,
        OrderAssigned,
        OrderReassigned,
        EngineerDeparted,
        EngineerArrived,
        WorkFinished,
        ServiceCompleted,
        VisitAborted,
        VisitCancelled,
        ServiceCharged,
        ChargeCorrected,
        PartConsumed,
    ),
    apply=apply,
    indexes=(("done_at",),),
)
"""`done_at` is the first acceptance, `engineer_id` who was sent last, `served_by` who did the work."""

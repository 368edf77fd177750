"""
What inventory does when work is to be done, given to somebody, called off, or ended.

The views advise on which streams a command must read; the decision sees those streams and asks again where the advice
was old (NotYet).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never, get_args

from contracts.dispatcher import OrderAssigned, OrderCancelled, OrderDeclined, OrderOpened, OrderReassigned
from contracts.envelope import Envelope
from contracts.fieldwork import PartUsedAfterEnd, ServiceCompleted, VisitAborted
from contracts.inventory import (
    PartConsumed,
    PartLine,
    PartReturned,
    PartScrapped,
    PartSentBack,
    PartsRecommended,
    PartsShort,
    PiecesNamed,
    PlacedLine,
    ReorderPointSet,
    ReservationExpired,
    StockArrived,
    StockCounted,
    StockFellShort,
    StockIssued,
    StockReceived,
    StockReturned,
    StockSent,
    StockSetAside,
    StockSynchronised,
)
from contracts.problems import NotYet
from inventory.commands import (
    FillShortage,
    NamePieces,
    PastUse,
    RecommendParts,
    ReleaseParts,
    ReleaseReason,
    ReserveParts,
    SettleVisit,
    Shelf,
    SuggestPurchase,
    WantedPieces,
)
from inventory.projections.pieces import PIECE_THERE, PIECES_FOR
from inventory.projections.purchases import REORDERED
from inventory.projections.registers import ONE_PART, ONE_PLACE, PARTS_FITTING, models_of, naming
from inventory.projections.reservations import ONE_RESERVATION, SHORT_OF, WAITING_FOR, part_lines, placed_lines
from inventory.projections.stock import AT_PLACE, AT_STORES, FREE_OF
from inventory.projections.used import PARTS_USED_IN, REPAIRS_OF, scope_of
from services.chassis.clock import at_micros
from services.chassis.ids import derived_id
from services.chassis.service import Facts, Policy, Queries

Reaction = RecommendParts | ReserveParts | ReleaseParts | SettleVisit
Placed = OrderOpened | OrderAssigned | OrderReassigned
GivenUp = OrderCancelled | OrderDeclined
OrderEvent = Placed | GivenUp | VisitAborted | ServiceCompleted


async def when_order_opened(event: OrderOpened, envelope: Envelope, facts: Facts) -> list[RecommendParts]:
    """Where nothing is known of such work, there is nothing to say."""
    tenant = envelope.tenant
    lines = await _usual(event.device_model, tenant, facts)
    of_type = [one for one in event.usual_parts if await facts.fetch(ONE_PART, tenant=tenant, part_id=one.part_id)]
    repairs, history = await past_use(scope_of(event.device_model, event.request_type), tenant, facts)
    if not (lines or of_type or history):
        return []
    return [
        RecommendParts(
            order_id=event.order_id,
            request_id=event.request_id,
            lines=lines,
            of_type=tuple(of_type),
            history=history,
            repairs=repairs,
            urgency=event.urgency,
        )
    ]


async def past_use(scope: str, tenant: str, views: Queries) -> tuple[int, tuple[PastUse, ...]]:
    """How many repairs there were, and the parts that they took, the most frequent first."""
    counted = await views.fetch(REPAIRS_OF, tenant=tenant, scope=scope)
    if not counted:
        return 0, ()
    rows = await views.fetch(PARTS_USED_IN, tenant=tenant, scope=scope)
    used = [PastUse(part_id=row["part_id"], used_in=row["repairs"], pieces=row["pieces"]) for row in rows]
    return int(counted[0]["repairs"]), tuple(used)


async def when_order_assigned(
    event: OrderAssigned | OrderReassigned, envelope: Envelope, facts: Facts
) -> list[ReserveParts]:
    """
    Her van first, then the branches of its region, then the warehouses.

    What was set aside for another engineer's visit moves.
    """
    row = await _reservation(event.order_id, envelope.tenant, facts)
    lines = part_lines(row["recommended"]) if row else ()
    lines = lines or await _usual(event.device_model, envelope.tenant, facts)
    # Also where nothing is known here: the view may not have seen what was recommended, and the decision has.
    return [
        ReserveParts(
            order_id=event.order_id,
            request_id=event.request_id,
            # As fieldwork names the visit that it plans upon this event.
            visit_id=derived_id("visit", event.order_id, envelope.id),
            engineer_id=event.engineer_id,
            lines=lines,
            candidates=await _candidates(event.order_id, lines, event.van_id, [event.van_id], envelope.tenant, facts),
            held=_held(row),
            van_id=event.van_id,
            visit_ends_at=event.ends_at,
        )
    ]


async def when_order_given_up(event: GivenUp, envelope: Envelope, facts: Facts) -> list[ReleaseParts]:
    """A declined order may wait long for its next engineer; meanwhile its pieces would lie in the van of the former."""
    held = _held(await _reservation(event.order_id, envelope.tenant, facts))
    reason: ReleaseReason = "order-cancelled" if isinstance(event, OrderCancelled) else "order-declined"
    return [ReleaseParts(order_id=event.order_id, request_id=event.request_id, reason=reason, held=held)]


async def when_visit_ended(
    event: ServiceCompleted | VisitAborted, envelope: Envelope, facts: Facts
) -> list[SettleVisit]:
    """Work done in the field is a fact, and what was used is used, whatever our stock says."""
    stocked = await _stocked([used.part_id for used in event.parts], envelope.tenant, facts)
    shelves = [(used.part_id, used.place_id) for used in event.parts]
    unknown = {where: Shelf(part_id=where[0], place_id=where[1]) for where in shelves if where not in stocked}
    return [
        SettleVisit(
            order_id=event.order_id,
            request_id=event.request_id,
            visit_id=event.visit_id,
            completed=isinstance(event, ServiceCompleted),
            used=event.parts,
            device_id=event.device_id if isinstance(event, ServiceCompleted) else "",
            engineer_id=event.engineer_id,
            ended_at=envelope.time,
            shelves=tuple([unknown.get(where) or _shelf(stocked[where]) for where in shelves]),
            held=_held(await _reservation(event.order_id, envelope.tenant, facts)),
        )
    ]


async def when_part_used_after_end(event: PartUsedAfterEnd, envelope: Envelope, facts: Facts) -> list[SettleVisit]:
    """Booked by itself, under a name of its own: the visit is settled already, or never will be."""
    used = event.part
    stocked = await _stocked([used.part_id], envelope.tenant, facts, near=[used.place_id])
    where = used.part_id, used.place_id
    shelf = _shelf(stocked[where]) if where in stocked else Shelf(part_id=where[0], place_id=where[1])
    return [
        SettleVisit(
            order_id=event.order_id,
            request_id=event.request_id,
            visit_id=f"{event.visit_id}/{event.step_id}",
            completed=False,
            used=(used,),
            shelves=(shelf,),
        )
    ]


async def when_stock_fell_short(event: StockFellShort, envelope: Envelope, facts: Facts) -> list[ReserveParts]:
    """The order keeps what is still there for it and looks for the rest as when it was assigned."""
    row = await _reservation(event.order_id, envelope.tenant, facts)
    if row is None:
        raise NotYet(f"the view has not seen the reservation of order {event.order_id}")
    if row["released"]:
        return []
    lines, held, van_id = part_lines(row["recommended"]), _held(row), row["van_id"]
    first = list(dict.fromkeys([*[shelf.place_id for shelf in held], van_id]))
    return [
        ReserveParts(
            order_id=event.order_id,
            request_id=row["request_id"],
            visit_id=row["visit_id"],
            engineer_id=row["engineer_id"],
            lines=lines,
            candidates=await _candidates(event.order_id, lines, van_id, first, envelope.tenant, facts),
            held=held,
            van_id=van_id,
        )
    ]


async def when_reservation_expired(event: ReservationExpired, envelope: Envelope, facts: Facts) -> list[ReleaseParts]:
    """Nobody has said that the visit ended; its parts are free again, and whatever it used is still booked."""
    return [
        ReleaseParts(
            order_id=event.order_id,
            request_id=event.request_id,
            reason="expired",
            held=_held(await _reservation(event.order_id, envelope.tenant, facts)),
            visit_id=event.visit_id,
        )
    ]


Misplaced = PartConsumed | StockIssued | StockCounted


async def when_names_may_change(event: PiecesNamed | Misplaced, envelope: Envelope, facts: Facts) -> list[NamePieces]:
    """
    The reservation says which pieces are set aside now. A piece that was found or used elsewhere leaves the order for
    which it was named where our books had it.
    """
    tenant, asked = envelope.tenant, []
    if isinstance(event, PiecesNamed):
        asked.append((event.order_id, event.place_id))
    else:
        for one in event.disputed:
            condition, _, place_id = one.was.partition("@")
            where = {"tenant": tenant, "part_id": event.part_id, "place_id": place_id, "serial": one.number}
            rows = await facts.fetch(PIECE_THERE, **where) if condition == "good" else ()
            asked += [(row["order_id"], place_id) for row in rows if row["order_id"]]
    found = []
    for order_id, place_id in dict.fromkeys(asked):
        serials = await _pieces_for(order_id, event.part_id, place_id, tenant, facts)
        shelf = Shelf(part_id=event.part_id, place_id=place_id, serials=serials)
        found.append(NamePieces(order_id=order_id, shelf=shelf))
    return found


Freed = StockCounted | StockSynchronised | StockReceived | StockArrived | PartReturned | StockReturned


async def when_shortage_may_end(event: Freed | PartsShort, envelope: Envelope, facts: Facts) -> list[FillShortage]:
    """
    Whoever is short of these pieces gets them: the most urgent order first, and of these the oldest.

    Looked for once more when the shortage is recorded: some may have come to a place that the decision did not look at,
    because its view was older.
    """
    parts = [line.part_id for line in event.lines] if isinstance(event, PartsShort) else [event.part_id]
    return [asked for part_id in parts for asked in await _serve(part_id, envelope.tenant, facts)]


async def _serve(part_id: str, tenant: str, facts: Facts) -> list[FillShortage]:
    """As many of the orders that are short of a part as there are pieces for, by the view."""
    asked: list[FillShortage] = []
    free = await facts.fetch(FREE_OF, tenant=tenant, part_id=part_id)
    left = {shelf["place_id"]: shelf["free"] for shelf in free}
    for row in await facts.fetch(SHORT_OF, tenant=tenant, part=naming(part_id)) if free else ():
        missing = sum(line.quantity for line in part_lines(row["short"]) if line.part_id == part_id)
        places = [shelf["place_id"] for shelf in free if left[shelf["place_id"]] and _may_serve(shelf, row)]
        if not missing or not places:
            continue
        shelves = await _near([part_id], row["van_id"], [row["van_id"]], tenant, facts)
        for place_id in [shelf["place_id"] for shelf in shelves if shelf["place_id"] in places]:
            taken = min(missing, left[place_id])
            left[place_id] -= taken
            missing -= taken
        asked.append(
            FillShortage(
                order_id=row["order_id"],
                request_id=row["request_id"],
                visit_id=row["visit_id"],
                candidates=await _with_pieces(row["order_id"], shelves, tenant, facts),
                held=_held(row),
            )
        )
    return asked


def _may_serve(shelf: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Her van, the branches of its region, the warehouses: where `_near` looks."""
    if shelf["kind"] == "van":
        return bool(shelf["place_id"] == row["van_id"])
    return shelf["kind"] == "warehouse" or bool(row["van_region"] and shelf["region"] == row["van_region"])


async def when_order_moves(event: OrderEvent, envelope: Envelope, facts: Facts) -> Sequence[Reaction]:
    match event:
        case OrderOpened():
            return await when_order_opened(event, envelope, facts)
        case OrderAssigned() | OrderReassigned():
            return await when_order_assigned(event, envelope, facts)
        case OrderCancelled() | OrderDeclined():
            return await when_order_given_up(event, envelope, facts)
        case VisitAborted() | ServiceCompleted():
            return await when_visit_ended(event, envelope, facts)
        case _:
            assert_never(event)


async def _usual(model: str, tenant: str, facts: Facts) -> tuple[PartLine, ...]:
    """What a repair of this model takes as a rule."""
    if not model:
        return ()
    rows = await facts.fetch(PARTS_FITTING, tenant=tenant, fits=naming(model))
    return tuple([PartLine(row["part_id"], row["usual_quantity"]) for row in rows if model in models_of(row["fits"])])


async def _reservation(order_id: str, tenant: str, facts: Facts) -> Mapping[str, Any] | None:
    rows = await facts.fetch(ONE_RESERVATION, tenant=tenant, order_id=order_id)
    return rows[0] if rows else None


def _held(row: Mapping[str, Any] | None) -> tuple[Shelf, ...]:
    """Where the view says that something is set aside for the order."""
    lines: Iterable[PlacedLine] = placed_lines(row["lines"]) if row else ()
    return tuple([Shelf(part_id=line.part_id, place_id=line.place_id) for line in lines])


async def _candidates(
    order_id: str, lines: Sequence[PartLine], van_id: str, first: Sequence[str], tenant: str, facts: Facts
) -> tuple[Shelf, ...]:
    """Where to look for these parts, best first."""
    if not lines:
        return ()
    rows = await _near([line.part_id for line in lines], van_id, first, tenant, facts)
    return await _with_pieces(order_id, rows, tenant, facts)


async def _with_pieces(
    order_id: str, rows: Iterable[Mapping[str, Any]], tenant: str, facts: Facts
) -> tuple[Shelf, ...]:
    """These stocks, with their pieces that may be named for the order."""
    found = []
    for row in rows:
        shelf = _shelf(row)
        if row["tracked"] == "serial":
            serials = await _pieces_for(order_id, shelf.part_id, shelf.place_id, tenant, facts)
            shelf = shelf.model_copy(update={"serials": serials})
        found.append(shelf)
    return tuple(found)


async def _pieces_for(order_id: str, part_id: str, place_id: str, tenant: str, facts: Facts) -> tuple[str, ...]:
    where = {"tenant": tenant, "part_id": part_id, "place_id": place_id}
    return tuple([row["serial"] for row in await facts.fetch(PIECES_FOR, **where, order_id=order_id)])


async def _near(
    parts: Iterable[str], van_id: str, first: Sequence[str], tenant: str, facts: Facts
) -> list[Mapping[str, Any]]:
    """The stocks of these parts: at the first places, at the branches of the van's region, at the warehouses."""
    van = await facts.fetch(ONE_PLACE, tenant=tenant, place_id=van_id)
    stocked = await _stocked(parts, tenant, facts, near=first, region=van[0]["region"] if van else "")
    rank = {place_id: number for number, place_id in enumerate(first)}
    return sorted(stocked.values(), key=lambda row: rank.get(row["place_id"], len(rank)))


async def _stocked(
    parts: Iterable[str], tenant: str, facts: Facts, near: Sequence[str] = (), region: str = ""
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """
    The stocks of these parts at the branches of the region, at the warehouses and at the places that are near.

    By part and place; the branches of a part before its warehouses.
    """
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for part_id in sorted(set(parts)):
        part = {"tenant": tenant, "part_id": part_id}
        stores = await facts.fetch(AT_STORES, **part)
        rows = [row for row in stores if row["kind"] == "warehouse" or (region and row["region"] == region)]
        for place_id in near:
            rows += await facts.fetch(AT_PLACE, **part, place_id=place_id)
        found |= {(part_id, row["place_id"]): row for row in rows}
    return found


def _shelf(row: Mapping[str, Any]) -> Shelf:
    """A van carries what it carries: only at a warehouse is a part low."""
    limit = row["low_below"] if row["kind"] == "warehouse" else 0
    return Shelf(part_id=row["part_id"], place_id=row["place_id"], low_below=limit)


Changed = Freed | StockSetAside | PartConsumed | StockIssued | StockSent | PartScrapped | PartSentBack | ReorderPointSet


async def when_purchase_may_be_due(
    event: Changed | PartsRecommended | PartsShort, envelope: Envelope, facts: Facts
) -> list[SuggestPurchase]:
    """
    Only where the part has a reorder point. What orders lack counts once: at the first warehouse, or else branch, that
    has one.
    """
    if isinstance(event, PartsRecommended | PartsShort):
        asked = [await _reordered(line.part_id, "", envelope.tenant, facts) for line in event.lines]
        return [one for some in asked for one in some]
    return await _reordered(event.part_id, event.place_id, envelope.tenant, facts)


async def _reordered(part_id: str, place_id: str, tenant: str, facts: Facts) -> list[SuggestPurchase]:
    """About this place, or without one about the place at which what orders lack counts."""
    rows = await facts.fetch(REORDERED, tenant=tenant, part_id=part_id)
    kinds = {row["place_id"]: row["kind"] for row in rows if row["reorder_to"]}
    stores = [place for kind in ("warehouse", "branch") for place in kinds if kinds[place] == kind]
    place_id = place_id or (stores[0] if stores else "")
    if place_id not in {row["place_id"] for row in rows}:
        return []
    wanted = await _wanted(part_id, tenant, facts) if stores and place_id == stores[0] else ()
    return [SuggestPurchase(part_id=part_id, place_id=place_id, wanted=wanted, now=facts.now())]


async def _wanted(part_id: str, tenant: str, facts: Facts) -> tuple[WantedPieces, ...]:
    found = []
    for row in await facts.fetch(SHORT_OF, tenant=tenant, part=naming(part_id)):
        until = None if row["expires_at"] is None else at_micros(row["expires_at"])
        found += [(line, until) for line in part_lines(row["short"])]
    for row in await facts.fetch(WAITING_FOR, tenant=tenant, part=naming(part_id)):
        found += [(line, None) for line in part_lines(row["recommended"])]
    return tuple([WantedPieces(quantity=line.quantity, until=at) for line, at in found if line.part_id == part_id])


# One policy for the whole story of an order, because order is kept within a policy only.
POLICIES = (
    Policy(
        "parts-of-order",
        (OrderOpened, OrderAssigned, OrderReassigned, OrderCancelled, OrderDeclined, VisitAborted, ServiceCompleted),
        when_order_moves,
    ),
    Policy("replace-missing-parts", (StockFellShort,), when_stock_fell_short),
    Policy(
        "serve-short-orders",
        (StockCounted, StockSynchronised, StockReceived, StockArrived, PartReturned, StockReturned, PartsShort),
        when_shortage_may_end,
    ),
    Policy("name-reserved-pieces", (PiecesNamed, *get_args(Misplaced)), when_names_may_change),
    Policy("release-expired-parts", (ReservationExpired,), when_reservation_expired),
    Policy("suggest-purchase", (*get_args(Changed), PartsRecommended, PartsShort), when_purchase_may_be_due),
    Policy("part-used-after-end", (PartUsedAfterEnd,), when_part_used_after_end),
)

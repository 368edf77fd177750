"""The registers, what lies where and moves, and what is set aside for an order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from fastapi import APIRouter
from pydantic import AwareDatetime, Field, field_validator, model_validator
from sqlalchemy import select

from contracts.inventory import Condition, LotPieces, MovedLine, PartLine, Tracked
from inventory.commands import (
    FIRST,
    LAST,
    CountStock,
    Days,
    DefinePart,
    DefinePlace,
    FetchedPieces,
    Hours,
    Latitude,
    Longitude,
    LoseTransfer,
    Move,
    Name,
    PickUpParts,
    Pieces,
    PlaceKind,
    Quantity,
    ReceiveStock,
    ReceiveTransfer,
    Region,
    ReturnPart,
    ScrapPart,
    SendBackPart,
    SendTransfer,
    Serials,
    SetStockRules,
    Shelf,
    Words,
    differ,
    each_once,
    located,
)
from inventory.domain.distance import distance_m
from inventory.domain.pieces import lies
from inventory.domain.register import RULES_STREAM, part_stream, place_stream
from inventory.domain.reservation import reservation_stream
from inventory.domain.stock import stock_stream
from inventory.domain.transfer import transfer_stream
from inventory.projections.pieces import SERIALS
from inventory.projections.registers import PARTS, PLACES, VANS, models_of
from inventory.projections.reservations import RESERVATIONS, grounds_of, part_lines, placed_lines
from inventory.projections.stock import STOCK
from inventory.projections.transfers import TRANSFERS, moved_lines
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, Problem, ServiceRouter, absent, command, query
from services.chassis.service import Api

KEEPERS = ("dispatcher", "manager", "operator")
WAREHOUSE_SYSTEM = "partner"
"""It says what there is, and is shown nothing: other partners have the same role."""
READERS = ("engineer", "agent", "auditor", *KEEPERS)
ORDERS = ("engineer", "agent", "dispatcher", "manager", "auditor")


class PartBody(Body):
    part_id: Name
    name: Words
    fits: tuple[Words, ...] = Field((), max_length=1_000, description="Device models")
    usual_quantity: Quantity = Field(1, description="How many a repair takes; with 0 only history recommends it.")
    low_below: Quantity = Field(0, description="Fewer free pieces than this at a warehouse are few.")
    tracked: Tracked = Field("none", description="`serial` or `lot`: each good piece that moves is named by it.")
    cost_fen: int = Field(0, ge=0, le=10_000_000_000, description="What a piece costs us, 1/100 CNY; 0: not known…")
    cost_from: AwareDatetime | None = Field(
        None, ge=FIRST, le=LAST, description="…from then on; without it, from now on."
    )


class PartView(Body):
    part_id: str
    version: int
    name: str
    fits: list[str]
    usual_quantity: int
    low_below: int
    tracked: Tracked
    cost_fen: int = Field(description="As it was said last; 0: not known.")
    cost_from: datetime | None


class PlaceBody(Body):
    place_id: Name
    kind: PlaceKind
    name: Words
    region: Region = ""
    lat_udeg: Latitude | None = Field(None, description="Millionths of a degree, WGS-84.")
    lon_udeg: Longitude | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        return located(self)


class PlaceView(Body):
    place_id: str
    version: int
    kind: str
    name: str
    region: str
    lat_udeg: int | None
    lon_udeg: int | None


class NearView(Body):
    place_id: str
    kind: str
    name: str
    region: str
    free: int
    distance_m: int | None = Field(
        description="As the crow flies, metres; nothing where the place says not where it is."
    )


class LotBody(Body):
    lot: Name
    quantity: Pieces

    def pieces(self) -> LotPieces:
        return LotPieces(self.lot, self.quantity)


class NamedBody(Body):
    """Which pieces they are, of a part that has serial numbers or lots."""

    serials: Serials = Field((), description="Of each piece, where the part has serial numbers.")
    lots: list[LotBody] = Field([], max_length=200, description="How many of which lot, where the part has lots.")

    @field_validator("lots")
    @classmethod
    def _each_lot_once(cls, lots: list[LotBody]) -> list[LotBody]:
        differ(tuple([lot.lot for lot in lots]))
        return lots

    def of_lots(self) -> tuple[LotPieces, ...]:
        return tuple([lot.pieces() for lot in self.lots])

    def facts(self) -> dict[str, Any]:
        """As a command takes it."""
        return self.model_dump(exclude={"lots"}) | {"lots": self.of_lots()}


class CountBody(NamedBody):
    part_id: Name
    place_id: Name
    quantity: Quantity
    source: Name = Field("count", description="`count`, or the name of the system that says so.")
    condition: Condition = "good"


class MoveBody(NamedBody):
    part_id: Name
    place_id: Name
    quantity: Pieces


class ReceiveBody(MoveBody):
    condition: Condition = "good"
    source: Words = Field(description="Who delivered them.")


class ReturnBody(MoveBody):
    condition: Condition = Field("defective", description="`defective`: an old part; `good`: one that was not used.")
    order_id: Name


class ScrapBody(MoveBody):
    condition: Condition = "defective"
    reason: Words


class SendBackBody(MoveBody):
    condition: Condition = "defective"
    supplier: Words


class MovedBody(NamedBody):
    part_id: Name
    quantity: Pieces
    condition: Condition = "good"

    def line(self) -> MovedLine:
        return MovedLine(self.part_id, self.quantity, self.condition, self.serials, self.of_lots())


class FetchedBody(NamedBody):
    part_id: Name
    place_id: Name = Field(description="Where they are set aside.")


class PickUpBody(Body):
    pieces: list[FetchedBody] = Field([], max_length=200, description="Of parts with serial numbers or lots, which.")


class LinesBody(Body):
    lines: list[MovedBody] = Field(max_length=200)

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: list[MovedBody]) -> list[MovedBody]:
        each_once(tuple([line.line() for line in lines]))
        return lines

    def moved(self) -> tuple[MovedLine, ...]:
        return tuple([line.line() for line in self.lines])


class TransferBody(LinesBody):
    lines: list[MovedBody] = Field(min_length=1, max_length=200)
    from_place_id: Name
    to_place_id: Name
    reason: str = Field("", max_length=200, description="`restock`, `unused`, `old-parts`, or your own word.")


class ArrivedBody(LinesBody):
    lines: list[MovedBody] = Field([], max_length=200, description="What has arrived; empty for all of it.")


class LostBody(LinesBody):
    lines: list[MovedBody] = Field([], max_length=200, description="What will not arrive; empty for all of it.")
    reason: Words


class TransferView(Body):
    transfer_id: str
    version: int
    from_place_id: str
    to_place_id: str
    reason: str
    state: str = Field(description="`in-transit` or `ended`")
    sent_at: datetime
    lines: list[MovedBody] = Field(description="As they were sent.")
    in_transit: list[MovedBody]
    lost: list[MovedBody]


class RulesBody(Body):
    keep_reserved_h: Hours = Field(72, description="Hours after a visit's planned end for which its parts are kept.")
    learn_after_repairs: int = Field(
        5, ge=1, le=1_000, description="Earlier repairs of a model from which on they say what the next one takes."
    )
    learn_share_percent: int = Field(
        30, ge=1, le=100, description="A part that at least this share of them took is recommended."
    )
    old_parts_within_days: Days = Field(7, description="Days after a visit in which the old parts are to be back.")
    exchange_within_days: Days = Field(
        14, description="Days after a replacement went ahead in which the customer's defective part is to be back."
    )
    remind_days_before: Days = Field(3, description="Days before that on which the customer is reminded.")
    forfeit_after_days: Days = Field(14, description="Days after that on which it is billed instead.")
    plan_ahead_days: int = Field(
        14, ge=1, le=365, description="Days for which what orders are short of counts as expected use."
    )


class StockView(Body):
    part_id: str
    place_id: str
    version: int
    on_hand: int = Field(description="Good pieces.")
    defective: int
    set_aside: int
    free: int
    in_transit: int = Field(description="Pieces on their way to here.")
    drift: int = Field(description="Pieces that were used and were not on our books.")
    low: bool
    counted_at: datetime | None
    counted_by: str


class LineView(Body):
    part_id: str
    quantity: int
    place_id: Annotated[str, Field(description="Empty where it is not about a place.")] = ""


class ReservedView(LineView):
    serials: list[str] = Field([], description="Which pieces they are, where they have serial numbers.")


class RecommendedView(LineView):
    source: str = Field("", description="`device-model`, `request-type` or `history`: why it is recommended.")
    used_in: int = Field(0, description="So many earlier repairs of this model and request type took it…")
    repairs: int = Field(0, description="…of so many.")


class ReservationView(Body):
    order_id: str
    version: int
    request_id: str
    engineer_id: str
    visit_id: str
    van_id: str
    expires_at: datetime | None = Field(description="When they are free again unless the visit has ended.")
    recommended: list[RecommendedView]
    reserved: list[ReservedView]
    short: list[LineView]
    released: str = Field(description="Why nothing is set aside any more.")


def _part(row: Mapping[str, Any]) -> PartView:
    facts = {name: row[name] for name in PartView.model_fields if name not in ("fits", "cost_from")}
    since = None if row["cost_from"] is None else at_micros(row["cost_from"])
    return PartView(**facts, fits=list(models_of(row["fits"])), cost_from=since)


def _place(row: Mapping[str, Any]) -> PlaceView:
    return PlaceView(**{name: row[name] for name in PlaceView.model_fields})


def _stock(row: Mapping[str, Any]) -> StockView:
    derived = {
        "free": row["on_hand"] - row["set_aside"],
        "counted_at": None if row["counted_at"] is None else at_micros(row["counted_at"]),
    }
    return StockView(**{name: row[name] for name in StockView.model_fields if name not in derived} | derived)


def _transfer(row: Mapping[str, Any]) -> TransferView:
    derived: dict[str, Any] = {name: _moved(row[name]) for name in ("lines", "in_transit", "lost")}
    derived["sent_at"] = at_micros(row["sent_at"])
    return TransferView(**{name: row[name] for name in TransferView.model_fields if name not in derived} | derived)


def _moved(text: str) -> list[MovedBody]:
    lines = moved_lines(text)
    return [MovedBody(**msgspec.to_builtins(line)) for line in lines]


def _reservation(row: Mapping[str, Any]) -> ReservationView:
    lists: dict[str, Any] = {
        "expires_at": None if row["expires_at"] is None else at_micros(row["expires_at"]),
        "recommended": _recommended(row),
        "reserved": [
            ReservedView(part_id=p.part_id, quantity=p.quantity, place_id=p.place_id, serials=[*p.serials])
            for p in placed_lines(row["lines"])
        ],
        "short": [LineView(part_id=p.part_id, quantity=p.quantity) for p in part_lines(row["short"])],
    }
    return ReservationView(**{name: row[name] for name in ReservationView.model_fields if name not in lists} | lists)


def _recommended(row: Mapping[str, Any]) -> list[RecommendedView]:
    why = {ground.part_id: ground for ground in grounds_of(row["grounds"])}

    def one(line: PartLine) -> RecommendedView:
        ground = why.get(line.part_id)
        return RecommendedView(
            part_id=line.part_id,
            quantity=line.quantity,
            source=ground.source if ground else "",
            used_in=ground.used_in if ground else 0,
            repairs=ground.repairs if ground else 0,
        )

    return [one(line) for line in part_lines(row["recommended"])]


def stock_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api)
    router.include_router(_parts(api))
    router.include_router(_places(api))
    router.include_router(_stocks(api))
    router.include_router(_nearness(api))
    router.include_router(_movements(api))
    router.include_router(_transfers(api))
    router.include_router(_reservations(api))
    return router


def _parts(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/parts", tags=["parts"])
    table = PARTS.table

    @router.post("", status_code=201, summary="Define a part, or say what is known of it now")
    async def define(body: PartBody, call: Call = command(WAREHOUSE_SYSTEM, *KEEPERS)) -> Accepted:
        asked = DefinePart(**body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=part_stream(body.part_id)), id=body.part_id)

    @router.get("", summary="The parts")
    async def some(call: Call = query(*READERS), cursor: str | None = None, limit: Limit = 50) -> Page[PartView]:
        page = await call.page(select(table), order_by=[table.c.part_id], cursor=cursor, limit=limit)
        return page.map(_part)

    return router


def _places(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/places", tags=["stock"])
    table = PLACES.table

    @router.post("", status_code=201, summary="Define a place of stock, or say what is known of it now")
    async def define(body: PlaceBody, call: Call = command(WAREHOUSE_SYSTEM, *KEEPERS)) -> Accepted:
        asked = DefinePlace(**body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=place_stream(body.place_id)), id=body.place_id)

    @router.get("", summary="The places of stock")
    async def some(call: Call = query(*READERS), cursor: str | None = None, limit: Limit = 50) -> Page[PlaceView]:
        page = await call.page(select(table), order_by=[table.c.place_id], cursor=cursor, limit=limit)
        return page.map(_place)

    return router


def _stocks(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/stock", tags=["stock"])
    table, serials = STOCK.table, SERIALS.table

    @router.post("/count", summary="Say how many pieces lie at a place")
    async def count(body: CountBody, call: Call = command("engineer", WAREHOUSE_SYSTEM, *KEEPERS)) -> Accepted:
        stream = stock_stream(body.part_id, body.place_id)
        here = lies(body.condition, body.place_id)
        there = select(serials.c.serial).where(serials.c.part_id == body.part_id, serials.c.whereabouts == here)
        expected = tuple([row["serial"] for row in await call.fetch(there.order_by(serials.c.serial))])
        answer = await call.ask(CountStock(**body.facts(), expected=expected), versioned=stream)
        return Accepted.of(answer, id=f"{body.part_id}/{body.place_id}")

    @router.get("", summary="What lies where")
    async def some(
        call: Call = query(*READERS),
        part_id: str | None = None,
        place_id: str | None = None,
        low: bool | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[StockView]:
        rows = select(table)
        for column, value in ((table.c.part_id, part_id), (table.c.place_id, place_id), (table.c.low, low)):
            if value is not None:
                rows = rows.where(column == value)
        page = await call.page(rows, order_by=[table.c.part_id, table.c.place_id], cursor=cursor, limit=limit)
        return page.map(_stock)

    return router


def _nearness(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/stock", tags=["stock"])
    stock, places = STOCK.table.c, PLACES.table.c

    @router.get("/near", summary="Where free pieces of a part lie, the nearest first")
    async def near(
        part_id: str, lat_udeg: Latitude, lon_udeg: Longitude, call: Call = query(*READERS), limit: Limit = 50
    ) -> list[NearView]:
        named = places.place_id, places.kind, places.name, places.region, places.lat_udeg, places.lon_udeg
        rows = await call.fetch(
            select(*named, (stock.on_hand - stock.set_aside).label("free"))
            .join(STOCK.table, (stock.tenant == places.tenant) & (stock.place_id == places.place_id))
            .where(stock.part_id == part_id, stock.on_hand > stock.set_aside, places.kind != "depot")
        )

        def far(row: Mapping[str, Any]) -> int | None:
            if row["lat_udeg"] is None:
                return None
            return distance_m(lat_udeg, lon_udeg, row["lat_udeg"], row["lon_udeg"])

        fields = NearView.model_fields.keys() - {"distance_m"}
        found = [NearView(**{name: row[name] for name in fields}, distance_m=far(row)) for row in rows]
        found.sort(key=lambda one: (one.distance_m is None, one.distance_m, one.place_id))
        return found[:limit]

    return router


def _movements(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/stock", tags=["stock"])

    async def moved(call: Call, asked: Move) -> Accepted:
        answer = await call.ask(asked, versioned=stock_stream(asked.part_id, asked.place_id))
        return Accepted.of(answer, id=f"{asked.part_id}/{asked.place_id}")

    @router.post("/receive", summary="Pieces came from outside")
    async def receive(body: ReceiveBody, call: Call = command(*KEEPERS)) -> Accepted:
        return await moved(call, ReceiveStock(**body.facts()))

    @router.post("/return", summary="Pieces came back from a device: an old part, or one that was not used")
    async def bring_back(body: ReturnBody, call: Call = command("engineer", *KEEPERS)) -> Accepted:
        return await moved(call, ReturnPart(**body.facts()))

    @router.post("/scrap", summary="Pieces were thrown away")
    async def scrap(body: ScrapBody, call: Call = command(*KEEPERS)) -> Accepted:
        return await moved(call, ScrapPart(**body.facts()))

    @router.post("/send-back", summary="Pieces went back to their supplier")
    async def send_back(body: SendBackBody, call: Call = command(*KEEPERS)) -> Accepted:
        return await moved(call, SendBackPart(**body.facts()))

    @router.post("/rules", summary="The figures by which inventory decides from now on")
    async def rules(body: RulesBody, call: Call = command("manager")) -> Accepted:
        return Accepted.of(await call.ask(SetStockRules(**body.model_dump()), versioned=RULES_STREAM), id="tenant")

    return router


def _transfers(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/transfers", tags=["stock"])
    table = TRANSFERS.table

    async def known(call: Call, transfer_id: str) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.transfer_id == transfer_id))
        if row is None:
            raise absent("transfer", transfer_id)
        return row

    async def may_move(call: Call, *places: str) -> bool:
        """An engineer moves only what comes to her van or leaves it; whoever keeps stock, all."""
        if call.role != "engineer":
            return True
        van = await call.one(select(VANS.table).where(VANS.table.c.engineer_id == call.person_id))
        return bool(van and van["van_id"] in places)

    @router.post("", status_code=201, summary="Send pieces from one place to another")
    async def send(body: TransferBody, call: Call = command("engineer", *KEEPERS)) -> Accepted:
        if not await may_move(call, body.from_place_id, body.to_place_id):
            raise Problem("transfer.not-her-van", from_place_id=body.from_place_id, to_place_id=body.to_place_id)
        facts = body.model_dump(exclude={"lines"})
        transfer_id = call.new_id()
        answer = await call.ask(SendTransfer(transfer_id=transfer_id, lines=body.moved(), **facts))
        return Accepted.of(answer, id=transfer_id)

    async def way(call: Call, transfer_id: str) -> dict[str, Any]:
        row = await known(call, transfer_id)
        if not await may_move(call, row["from_place_id"], row["to_place_id"]):
            raise absent("transfer", transfer_id)
        lines = moved_lines(row["lines"])
        return {
            "transfer_id": transfer_id,
            "to_place_id": row["to_place_id"],
            "parts": tuple(dict.fromkeys(line.part_id for line in lines)),
            "serials": tuple([(line.part_id, serial) for line in lines for serial in line.serials]),
        }

    @router.post("/{transfer_id}/receive", summary="Pieces have arrived")
    async def receive(transfer_id: str, body: ArrivedBody, call: Call = command("engineer", *KEEPERS)) -> Accepted:
        asked = ReceiveTransfer(**await way(call, transfer_id), lines=body.moved())
        return Accepted.of(await call.ask(asked, versioned=transfer_stream(transfer_id)), id=transfer_id)

    @router.post("/{transfer_id}/lose", summary="Pieces will not arrive")
    async def lose(transfer_id: str, body: LostBody, call: Call = command(*KEEPERS)) -> Accepted:
        asked = LoseTransfer(**await way(call, transfer_id), lines=body.moved(), reason=body.reason)
        return Accepted.of(await call.ask(asked, versioned=transfer_stream(transfer_id)), id=transfer_id)

    @router.get("", summary="What is on its way, or was")
    async def some(
        call: Call = query(*READERS),
        to_place_id: str | None = None,
        state: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[TransferView]:
        rows = select(table)
        for column, value in ((table.c.to_place_id, to_place_id), (table.c.state, state)):
            if value is not None:
                rows = rows.where(column == value)
        page = await call.page(rows, order_by=[table.c.transfer_id], cursor=cursor, limit=limit)
        return page.map(_transfer)

    @router.get("/{transfer_id}", summary="One transfer")
    async def one(transfer_id: str, call: Call = query(*READERS)) -> TransferView:
        row = await known(call, transfer_id)
        call.etag(row["version"])
        return _transfer(row)

    return router


def _reservations(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/reservations", tags=["parts"])
    table = RESERVATIONS.table

    @router.get("/{order_id}", summary="The parts of an order: recommended, set aside, missing")
    async def one(order_id: str, call: Call = query(*ORDERS)) -> ReservationView:
        row = await call.one(select(table).where(table.c.order_id == order_id))
        if row is None or not call.owns(row["engineer_id"]):
            raise absent("reservation", order_id)
        call.etag(row["version"])
        return _reservation(row)

    @router.post("/{order_id}/pick-up", summary="Fetch what is set aside elsewhere and put it into her van")
    async def pick_up(
        order_id: str, body: PickUpBody | None = None, call: Call = command("engineer", "dispatcher", "operator")
    ) -> Accepted:
        row = await call.one(select(table).where(table.c.order_id == order_id))
        if row is None or not call.owns(row["engineer_id"]):
            raise absent("reservation", order_id)
        held = tuple(
            [
                Shelf(part_id=line.part_id, place_id=line.place_id, serials=line.serials)
                for line in placed_lines(row["lines"])
            ]
        )
        pieces = tuple([FetchedPieces(**one.facts()) for one in body.pieces]) if body else ()
        ids = {"order_id": order_id, "request_id": row["request_id"], "van_id": row["van_id"]}
        asked = PickUpParts(**ids, held=held, pieces=pieces)
        return Accepted.of(await call.ask(asked, versioned=reservation_stream(order_id)), id=order_id)

    return router

"""The routes of inventory: parts, places, what lies where, and what is set aside for an order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from inventory.commands import CountStock, DefinePart, DefinePlace, Name, PlaceKind, Quantity, Region, Words
from inventory.domain.register import part_stream, place_stream
from inventory.domain.stock import stock_stream
from inventory.projections.registers import PARTS, PLACES, models_of
from inventory.projections.reservations import RESERVATIONS, part_lines, placed_lines
from inventory.projections.stock import STOCK
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
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
    usual_quantity: Quantity = Field(1, description="How many a repair takes; with 0 it is not recommended.")
    low_below: Quantity = Field(0, description="Fewer free pieces than this at a warehouse are few.")


class PartView(Body):
    part_id: str
    version: int
    name: str
    fits: list[str]
    usual_quantity: int
    low_below: int


class PlaceBody(Body):
    place_id: Name
    kind: PlaceKind
    name: Words
    region: Region = ""


class PlaceView(Body):
    place_id: str
    version: int
    kind: str
    name: str
    region: str


class CountBody(Body):
    part_id: Name
    place_id: Name
    quantity: Quantity
    source: Name = Field("count", description="`count`, or the name of the system that says so.")


class StockView(Body):
    part_id: str
    place_id: str
    version: int
    on_hand: int
    set_aside: int
    free: int
    drift: int = Field(description="Pieces that were used and were not on our books.")
    low: bool
    counted_at: datetime | None
    counted_by: str


class LineView(Body):
    part_id: str
    quantity: int
    place_id: Annotated[str, Field(description="Empty where it is not about a place.")] = ""


class ReservationView(Body):
    order_id: str
    version: int
    request_id: str
    engineer_id: str
    visit_id: str
    recommended: list[LineView]
    reserved: list[LineView]
    short: list[LineView]
    released: str = Field(description="Why nothing is set aside any more.")


def _part(row: Mapping[str, Any]) -> PartView:
    facts = {name: row[name] for name in PartView.model_fields if name != "fits"}
    return PartView(**facts, fits=list(models_of(row["fits"])))


def _place(row: Mapping[str, Any]) -> PlaceView:
    return PlaceView(**{name: row[name] for name in PlaceView.model_fields})


def _stock(row: Mapping[str, Any]) -> StockView:
    derived = {
        "free": row["on_hand"] - row["set_aside"],
        "counted_at": None if row["counted_at"] is None else at_micros(row["counted_at"]),
    }
    return StockView(**{name: row[name] for name in StockView.model_fields if name not in derived} | derived)


def _reservation(row: Mapping[str, Any]) -> ReservationView:
    lists = {
        "recommended": [LineView(part_id=p.part_id, quantity=p.quantity) for p in part_lines(row["recommended"])],
        "reserved": [
            LineView(part_id=p.part_id, quantity=p.quantity, place_id=p.place_id) for p in placed_lines(row["lines"])
        ],
        "short": [LineView(part_id=p.part_id, quantity=p.quantity) for p in part_lines(row["short"])],
    }
    return ReservationView(**{name: row[name] for name in ReservationView.model_fields if name not in lists} | lists)


def routes(api: Api) -> APIRouter:
    router = APIRouter()
    router.include_router(_parts(api))
    router.include_router(_places(api))
    router.include_router(_stocks(api))
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
    table = STOCK.table

    @router.post("/count", summary="Say how many pieces lie at a place")
    async def count(body: CountBody, call: Call = command("engineer", WAREHOUSE_SYSTEM, *KEEPERS)) -> Accepted:
        stream = stock_stream(body.part_id, body.place_id)
        answer = await call.ask(CountStock(**body.model_dump()), versioned=stream)
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

    return router

"""The routes of customers and their sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from intake.adapters.geocoder import Geocoder
from intake.commands import (
    RegisterSite,
)
from intake.domain.register import customer_stream, site_stream
from intake.placing import Where, told
from intake.projections.registers import CUSTOMERS, SITES
from intake.register_api import (
    ADDRESSABLE,
    STAFF,
    CustomerView,
    NewCustomer,
    customer_command,
    customer_view,
)
from intake.sheets_api import SHEET, Imported, imported
from services.chassis.http import (
    Accepted,
    Body,
    Call,
    Limit,
    Page,
    ServiceRouter,
    absent,
    command,
    query,
)
from services.chassis.service import Api


class NewSite(Where):
    site_id: str = Field("", max_length=100, pattern=ADDRESSABLE)
    name: str = Field(min_length=1, max_length=200)
    address: str = Field("", max_length=400)


class SiteView(Body):
    site_id: str
    version: int
    customer_id: str
    name: str
    address: str
    region: str
    lat_udeg: int
    lon_udeg: int
    placed_by: str
    """As of a customer."""


class SheetCustomer(NewCustomer):
    """A row of a file: it must say which customer it is, so that it can be sent again."""

    EXACT = False

    customer_id: str = Field(min_length=1, max_length=100, pattern=ADDRESSABLE)


def customer_routes(api: Api, map_: Geocoder) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/customers", tags=["customers"])
    table = CUSTOMERS.table

    @router.post("", status_code=201, summary="Register a customer, or say what is known now")
    async def register(body: NewCustomer, call: Call = command("agent", "operator", "partner")) -> Accepted:
        customer_id = body.customer_id or call.new_id()
        asked = await customer_command(body, customer_id, call, map_)
        answer = await call.ask(asked, versioned=customer_stream(customer_id))
        return Accepted.of(answer, id=customer_id)

    @router.post(
        "/import",
        summary="Register the customers of a CSV or XLSX file",
        openapi_extra=dict(SHEET),
    )
    async def bring(call: Call = command("agent", "operator")) -> Imported:
        async def one(said: SheetCustomer, key: str) -> None:
            await call.ask(await customer_command(said, said.customer_id, call, map_), item=(key, said))

        return await imported(call, SheetCustomer, one)

    @router.get("/{customer_id}", summary="One customer")
    async def one(customer_id: str, call: Call = query("customer", *STAFF)) -> CustomerView:
        row = await call.one(select(table).where(table.c.customer_id == customer_id))
        if row is None or not call.owns(customer_id):
            raise absent("customer", customer_id)
        call.etag(row["version"])
        return customer_view(row, call)

    async def own(customer_id: str, call: Call) -> None:
        row = await call.one(select(table).where(table.c.customer_id == customer_id))
        if row is None or not call.owns(customer_id):
            raise absent("customer", customer_id)

    @router.post("/{customer_id}/sites", status_code=201, summary="Register another place of a customer's")
    async def register_site(customer_id: str, body: NewSite, call: Call = command("agent", "operator")) -> Accepted:
        await own(customer_id, call)
        site_id = body.site_id or call.new_id()
        facts = body.model_dump(exclude={"datum"}) | await told(body, body.address, map_)
        asked = RegisterSite(**facts | {"site_id": site_id, "customer_id": customer_id})
        return Accepted.of(await call.ask(asked, versioned=site_stream(site_id)), id=site_id)

    @router.get("/{customer_id}/sites", summary="The other places of a customer's")
    async def sites(
        customer_id: str, call: Call = query("customer", *STAFF), cursor: str | None = None, limit: Limit = 50
    ) -> Page[SiteView]:
        await own(customer_id, call)
        rows = select(SITES.table).where(SITES.table.c.customer_id == customer_id)
        page = await call.page(rows, order_by=[SITES.table.c.site_id], cursor=cursor, limit=limit)
        return page.map(lambda row: _site_view(row, call))

    return router


def _site_view(row: Mapping[str, Any], call: Call) -> SiteView:
    opened = {name: call.open(row[name]) for name in ("name", "address")}
    return SiteView(**{name: row[name] for name in SiteView.model_fields} | opened)

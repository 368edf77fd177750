"""The registers beside single entries: who is calling, what a CRM keeps up, and what is known of models of devices."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import select

from contracts.intake import CheckDigit, CustomerKind
from contracts.problems import Rejected, Unfit
from intake.adapters.geocoder import Geocoder, Located, locate_all
from intake.channel_api import indexes
from intake.commands import DefineDeviceModel, FaultOf, QuietHours, RegisterCustomer, RegisterDevice
from intake.domain.models import model_stream
from intake.placing import Where, to_locate, told
from intake.projections.registers import CUSTOMERS, DEVICE_MODELS
from services.chassis.http import Accepted, Body, Call, Limit, Page, Problem, ServiceRouter, absent, command, query
from services.chassis.messages.kinds import Language
from services.chassis.service import Api

ADDRESSABLE = r"^[^/\x00-\x1f]*$"
"""An id with a slash in it would have no address of its own."""

ADDRESS = r"^$|^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$"
"""An e-mail address, or none."""

STAFF = ("agent", "dispatcher", "manager", "auditor")

Day = Annotated[date | None, Field(ge=date(1980, 1, 1), le=date(2099, 12, 31))]


class NewCustomer(Where):
    customer_id: str = Field(
        "", max_length=100, pattern=ADDRESSABLE, description="The number in your CRM; without one we make one."
    )
    name: str = Field(min_length=1, max_length=200)
    phone: str = Field(min_length=5, max_length=40)
    street: str = Field("", max_length=400)
    kind: CustomerKind = "person"
    email: str = Field("", max_length=254, pattern=ADDRESS)
    wechat: str = Field("", max_length=100, description="What WeChat calls the customer towards you (openid).")
    language: Language = Field("zh", description="In which messages to the customer are.")
    quiet_hours: QuietHours = Field(
        "", description="When no message disturbs her, `22:00-08:00`; empty: as the installation says."
    )


class CustomerView(Body):
    customer_id: str
    version: int
    name: str
    phone: str
    street: str
    kind: str
    region: str
    lat_udeg: int
    lon_udeg: int
    placed_by: str
    """How the place is known: `given`, by a `map`, or as the seat of its `district` or `city`."""
    email: str
    wechat: str
    language: str
    quiet_hours: str
    source: str
    """The system that it came from last, such as a CRM; empty for what was registered here."""
    source_version: int


def customer_view(row: Mapping[str, Any], call: Call) -> CustomerView:
    opened = {name: call.open(row[name]) for name in ("name", "phone", "street", "email", "wechat")}
    return CustomerView(**{name: row[name] for name in CustomerView.model_fields} | opened)


class SyncedCustomer(NewCustomer):
    """A customer as another system has it now."""

    customer_id: str = Field(min_length=1, max_length=100, pattern=ADDRESSABLE)
    source_version: int = Field(
        ge=1, le=2**53, description="That system's count of this customer's changes, or the time of the last one."
    )


class NewDevice(Body):
    device_id: str = Field("", max_length=100, pattern=ADDRESSABLE)
    customer_id: str = Field(max_length=100)
    model: str = Field(min_length=1, max_length=100)
    serial: str = Field(min_length=1, max_length=100)
    skill: str = Field(min_length=1, max_length=100)
    site_id: str = Field("", max_length=100, description="The customer's site where it stands.")
    purchased_on: Day = Field(None, description="The day of the invoice.")
    in_service_on: Day = Field(None, description="The day on which it was put into service: its warranty begins then.")
    device_supplier: str = Field("", max_length=100, description="The company that it was bought from.")

    @model_validator(mode="after")
    def _bought_before_it_serves(self) -> Self:
        if self.purchased_on and self.in_service_on and self.in_service_on < self.purchased_on:
            raise Unfit("Give a day that is not before purchased_on.", "启用日期不得早于购买日期。", "in_service_on")
        return self


class SyncedDevice(NewDevice):
    """A device as another system has it now."""

    device_id: str = Field(min_length=1, max_length=100, pattern=ADDRESSABLE)
    source_version: int = Field(ge=1, le=2**53, description="As of a customer.")


class Sync(Body):
    """
    What another system knows. It may be sent again, and in any order: the newest version stays.

    An optional field that is left out stays as it was. An empty text clears it, and so does null where a day stands.
    """

    source: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._-]+$", examples=["salesforce"])
    customers: list[SyncedCustomer] = Field([], max_length=500)
    devices: list[SyncedDevice] = Field([], max_length=500, description="They come after the customers.")


class Synced(BaseModel):
    """What became of one of them; `problem` is a whole problem document where it was refused."""

    kind: str
    """`customer` or `device`."""
    id: str
    outcome: str
    """`recorded`; `unchanged`: this version is known; `stale`: a newer one is; `refused`."""
    problem: dict[str, Any] | None = None


class ModelDefinition(Body):
    model: str = Field(min_length=1, max_length=100, pattern=ADDRESSABLE)
    name: str = Field(min_length=1, max_length=200)
    name_zh: str = Field("", max_length=200)
    serial_pattern: str = Field("", max_length=100, description="What its serial numbers must match as a whole.")
    serial_check: CheckDigit = "none"
    faults: list[FaultOf] = Field(
        [], max_length=200, description="The fault tree: a wider fault stands before what it is divided into."
    )


class ModelView(ModelDefinition):
    version: int


Model = Annotated[str, Path(max_length=100)]


def routes(api: Api, map_: Geocoder) -> APIRouter:
    router = ServiceRouter(api)
    router.include_router(_customers(api, map_))
    router.include_router(_models(api))
    return router


def _customers(api: Api, map_: Geocoder) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/customers", tags=["customers"])
    table = CUSTOMERS.table

    @router.get("", summary="Customers; who is calling, by phone number or e-mail address")
    async def some(
        call: Call = query(*STAFF),
        phone: str = "",
        email: str = "",
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[CustomerView]:
        rows = select(table)
        told = await indexes(call, phone, email)
        if phone:
            # What is no number is nobody's.
            rows = rows.where(table.c.phone_index == (told["phone_index"] or "-"))
        if email:
            rows = rows.where(table.c.email_index == told["email_index"])
        page = await call.page(rows, order_by=[table.c.customer_id], cursor=cursor, limit=limit)
        return page.map(lambda row: customer_view(row, call))

    @router.post("/sync", summary="Take over what a CRM knows; what is older than what is known stays out")
    async def sync(body: Sync, call: Call = command("operator", "partner")) -> list[Synced]:
        stays = await _stays(body, call)
        customers = [_whole(one, stays) for one in body.customers]
        known = await _located(body.source, customers, call, map_)

        async def one(kind: str, id: str, said: SyncedCustomer | SyncedDevice) -> Synced:
            name = f"sync/{kind}/{body.source}/{id}/{said.source_version}"
            whole = _whole(said, stays) if isinstance(said, SyncedCustomer) else said
            try:
                answer = await call.ask(await _as_command(whole, body.source, call, known), item=(name, said))
            except (Rejected, Problem) as no:
                outcome = "stale" if no.code.endswith(".stale") else "refused"
                return Synced(kind=kind, id=id, outcome=outcome, problem=call.said(no.code, no.facts))
            recorded = answer.events and not answer.repeated
            if recorded and isinstance(whole, SyncedCustomer):
                stays[id] = whole.model_dump(include=STAYS)
            return Synced(kind=kind, id=id, outcome="recorded" if recorded else "unchanged")

        # One after the other: two versions of one customer may be in one call, and a device follows its customer.
        told = [await one("customer", said.customer_id, said) for said in body.customers]
        return told + [await one("device", said.device_id, said) for said in body.devices]

    return router


STAYS = {"street", "email", "wechat", "language", "quiet_hours"}
"""What stays as it is known of a customer where nothing is said of it."""


async def _stays(body: Sync, call: Call) -> dict[str, dict[str, Any]]:
    """That of those customers of whom something is left out."""
    ids = [one.customer_id for one in body.customers if not one.model_fields_set >= STAYS]
    rows = await call.fetch(select(CUSTOMERS.table).where(CUSTOMERS.table.c.customer_id.in_(ids))) if ids else []
    return {row["customer_id"]: customer_view(row, call).model_dump(include=STAYS) for row in rows}


def _whole(said: SyncedCustomer, stays: Mapping[str, Mapping[str, Any]]) -> SyncedCustomer:
    known = stays.get(said.customer_id, {})
    return said.model_copy(update={name: known[name] for name in known if name not in said.model_fields_set})


async def _located(source: str, customers: Sequence[SyncedCustomer], call: Call, map_: Geocoder) -> Located:
    """Where the map has those customers of whom this says something new."""
    table = CUSTOMERS.table
    mine = select(table.c.customer_id, table.c.source_version).where(
        table.c.source == source, table.c.customer_id.in_([one.customer_id for one in customers])
    )
    known = {row["customer_id"]: row["source_version"] for row in await call.fetch(mine)}
    news = [one for one in customers if one.source_version > known.get(one.customer_id, 0)]
    return await locate_all(map_, [wanted for one in news if (wanted := to_locate(one, one.street))])


async def _as_command(
    said: SyncedCustomer | SyncedDevice, source: str, call: Call, known: Located
) -> RegisterCustomer | RegisterDevice:
    if isinstance(said, SyncedDevice):
        unsaid = frozenset(SyncedDevice.model_fields.keys() - said.model_fields_set)
        return RegisterDevice(**said.model_dump(), source=source, unsaid=unsaid)
    return await customer_command(said, said.customer_id, call, known, source=source)


async def customer_command(
    said: NewCustomer, customer_id: str, call: Call, map_: Geocoder, source: str = ""
) -> RegisterCustomer:
    facts = said.model_dump(exclude={"datum"}) | await indexes(call, said.phone, said.email)
    facts |= await told(said, said.street, map_) | {"customer_id": customer_id, "source": source}
    return RegisterCustomer(**facts)


def _models(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/device-models", tags=["devices"])
    table = DEVICE_MODELS.table

    @router.post("", summary="Define a model of devices, or its next version: serial numbers and fault tree")
    async def define(body: ModelDefinition, call: Call = command("manager", "operator")) -> Accepted:
        asked = DefineDeviceModel(**body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=model_stream(body.model)), id=body.model)

    @router.get("", summary="The models of devices")
    async def some(
        call: Call = query("customer", "engineer", "operator", *STAFF), cursor: str | None = None, limit: Limit = 50
    ) -> Page[ModelView]:
        page = await call.page(select(table), order_by=[table.c.model], cursor=cursor, limit=limit)
        return page.map(_model_view)

    @router.get("/{model}", summary="One model of devices, with its fault tree")
    async def one(model: Model, call: Call = query("customer", "engineer", "operator", *STAFF)) -> ModelView:
        row = await call.one(select(table).where(table.c.model == model))
        if row is None:
            raise absent("device model", model)
        call.etag(row["model_version"])
        return _model_view(row)

    return router


def _model_view(row: Mapping[str, Any]) -> ModelView:
    told = ("model", "name", "name_zh", "serial_pattern", "serial_check")
    plain = {name: row[name] for name in told}
    return ModelView(**plain, version=row["model_version"], faults=json.loads(row["faults"]))

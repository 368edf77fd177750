"""What the engineer who is sent to a request must know of it: where to go, whom to call, what is wrong."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from intake.channel_api import answers_of
from intake.projections.registers import CUSTOMERS, DEVICES, SITES
from intake.projections.requests import REQUESTS
from intake.register_api import STAFF
from services.chassis.http import Body, Call, ServiceRouter, absent, query
from services.chassis.service import Api


class Job(Body):
    """A request as the engineer needs it on site. Texts are empty where nobody said anything."""

    request_id: str
    number: str
    request_type: str
    urgency: str
    customer_name: str
    phone: str
    """Whom to call: the contact on site, else the customer."""
    address: str
    region: str
    lat_udeg: int | None
    lon_udeg: int | None
    placed_by: str
    """How the place is known, as of a request."""
    description: str
    answers: dict[str, Any]
    device_id: str
    device_model: str
    serial: str
    fault_class: str


def job_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/requests", tags=["requests"])
    requests, customers, sites, devices = REQUESTS.table, CUSTOMERS.table, SITES.table, DEVICES.table

    @router.get("/{request_id}/job", summary="What the engineer who is sent must know: where, whom to call, what")
    async def job(request_id: str, call: Call = query("engineer", *STAFF)) -> Job:
        row = await call.one(select(requests).where(requests.c.request_id == request_id))
        if row is None or not row["number"] or not call.owns(row["engineer_id"]):
            raise absent("request", request_id)
        customer = await call.one(select(customers).where(customers.c.customer_id == row["customer_id"])) or {}
        site = await call.one(select(sites).where(sites.c.site_id == row["site_id"])) if row["site_id"] else None
        device = await call.one(select(devices).where(devices.c.device_id == row["device_id"])) or {}
        told = {name: row[name] for name in ("request_id", "number", "request_type", "urgency", "device_id")}
        place = {name: row[name] for name in ("lat_udeg", "lon_udeg", "placed_by", "fault_class")}
        stands = call.open(site["address"]) if site else call.open(customer.get("street", ""))
        return Job(
            **told,
            **place,
            customer_name=call.open(customer.get("name", "")),
            phone=call.open(row["contact_phone"]) or call.open(customer.get("phone", "")),
            address=call.open(row["address"]) or stands,
            region=(site or customer).get("region", ""),
            description=call.open(row["description"]),
            answers=answers_of(row, call),
            device_model=device.get("model", ""),
            serial=device.get("serial", "") or row["serial"],
        )

    return router

"""The routes of devices, and of all that was ever done to one."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select

from intake.commands import (
    RegisterDevice,
)
from intake.domain.register import device_stream
from intake.projections.registers import DEVICES
from intake.projections.request_photos import REQUEST_PHOTOS
from intake.projections.requests import REQUESTS
from intake.projections.service_records import SERVICE_RECORDS
from intake.register_api import (
    ADDRESSABLE,
    STAFF,
    NewDevice,
)
from intake.sheets_api import SHEET, Imported, imported
from services.chassis.clock import at_micros
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


class SheetDevice(NewDevice):
    """A row of a file: it must say which device it is, so that it can be sent again."""

    EXACT = False

    device_id: str = Field(min_length=1, max_length=100, pattern=ADDRESSABLE)


class DeviceView(Body):
    device_id: str
    version: int
    customer_id: str
    model: str
    serial: str
    skill: str
    site_id: str
    purchased_on: date | None
    in_service_on: date | None
    device_supplier: str
    """The company that it was bought from; empty where it is not known."""


def _device_view(row: Mapping[str, Any]) -> DeviceView:
    days = {name: row[name] or None for name in ("purchased_on", "in_service_on")}
    return DeviceView(**{name: row[name] for name in DeviceView.model_fields} | days)


class PartInside(BaseModel):
    """So many pieces of a part that went into the device."""

    part_id: str
    place_id: str
    """Where it was taken from."""
    quantity: int
    serials: list[str] = []
    """Of the pieces, where they have any and were read."""
    lot: str = ""
    """Where the part has lots and it was read."""
    old_returned: int = 0
    """Old pieces that came out of the device."""
    old_serials: list[str] = []
    """Of those, as many as could be read."""


class PointSeen(BaseModel):
    """A point of the checklist, and whether it was in order."""

    item: str
    passed: bool
    note: str


class MeterShown(BaseModel):
    """What a meter of the device showed, in whole units."""

    meter: str
    value: int
    unit: str


class PhotoOfRequest(BaseModel):
    """A picture that the customer sent; `/v1/requests/<request_id>/photos/<photo_id>` has it."""

    photo_id: str
    attached_at: datetime
    taken_at: datetime | None


class PhotoOf(BaseModel):
    """A picture that the engineer took; `/v1/visits/<visit_id>/photos/<photo_id>` has it."""

    photo_id: str
    moment: str


class VisitRecord(BaseModel):
    """What was done at one visit."""

    visit_id: str
    engineer_id: str
    ended: str
    """`completed`, or why it was aborted."""
    ended_at: datetime
    cause: str
    action: str
    record: str
    """What was found and done, in the engineer's words."""
    checklist: list[PointSeen]
    readings: list[MeterShown]
    parts: list[PartInside]
    photos: list[PhotoOf]
    rating: int | None


class ServedRequest(BaseModel):
    """One request about the device, with the visits that it led to, the first one first."""

    request_id: str
    number: str
    request_type: str
    kind: str
    state: str
    outcome: str
    submitted_at: datetime
    reopenings: int
    fault_class: str
    description: str
    """What it was asked for, in the customer's words; empty for an engineer."""
    action: str
    """What an agent did who solved it from the desk; empty for an engineer."""
    photos: list[PhotoOfRequest]
    """To an engineer those of requests that she is sent to."""
    visits: list[VisitRecord]


class DeviceLife(BaseModel):
    """All that was ever done to a device: its newest 500 requests, the newest one first."""

    device: DeviceView
    requests: list[ServedRequest]
    last_engineer_id: str
    """Who came last; empty where nobody has come yet."""
    visits_completed: int
    parts: dict[str, int]
    """Pieces that went in, by part."""
    serials: dict[str, list[str]]
    """Of those, the serial numbers that were read, by part, in the order in which they went in."""


MOST_REQUESTS = 500
"""Of one device, shown on one call."""


def device_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/devices", tags=["devices"])
    table = DEVICES.table

    @router.post("", status_code=201, summary="Register a device at a customer's")
    async def register(body: NewDevice, call: Call = command("agent", "operator", "partner")) -> Accepted:
        device_id = body.device_id or call.new_id()
        asked = RegisterDevice(**body.model_dump() | {"device_id": device_id})
        answer = await call.ask(asked, versioned=device_stream(device_id))
        return Accepted.of(answer, id=device_id)

    @router.post(
        "/import",
        summary="Register the devices of a CSV or XLSX file",
        openapi_extra=dict(SHEET),
    )
    async def bring(call: Call = command("agent", "operator")) -> Imported:
        async def one(said: SheetDevice, key: str) -> None:
            await call.ask(RegisterDevice(**said.model_dump()), item=(key, said))

        return await imported(call, SheetDevice, one)

    @router.get("", summary="Devices of a customer, or all")
    async def some(
        call: Call = query("customer", *STAFF),
        customer_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[DeviceView]:
        rows = select(table)
        if call.role == "customer" or customer_id:
            rows = rows.where(table.c.customer_id == (call.person_id if call.role == "customer" else customer_id))
        page = await call.page(rows, order_by=[table.c.device_id], cursor=cursor, limit=limit)
        return page.map(lambda row: _device_view(row))

    @router.get("/{device_id}", summary="One device")
    async def one(device_id: str, call: Call = query("customer", *STAFF)) -> DeviceView:
        row = await call.one(select(table).where(table.c.device_id == device_id))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("device", device_id)
        call.etag(row["version"])
        return _device_view(row)

    @router.get(
        "/{device_id}/life", summary="All that was ever done to a device: who came, what was found, which parts"
    )
    async def life(device_id: str, call: Call = query("customer", "engineer", *STAFF)) -> DeviceLife:
        row = await call.one(select(table).where(table.c.device_id == device_id))
        if row is None:
            raise absent("device", device_id)
        asked = REQUESTS.table
        of_device = select(asked).where(asked.c.device_id == device_id, asked.c.number != "")
        requests = await call.fetch(
            of_device.order_by(asked.c.submitted_at.desc(), asked.c.request_id).limit(MOST_REQUESTS)
        )
        # An engineer sees what she was sent to.
        sent = call.role == "engineer" and any(call.owns(one["engineer_id"]) for one in requests)
        if not sent and not (call.role != "engineer" and call.owns(row["customer_id"])):
            raise absent("device", device_id)
        # What an earlier owner asked for is not the business of the present one.
        mine = [one for one in requests if call.role != "customer" or call.owns(one["customer_id"])]
        done = SERVICE_RECORDS.table
        ended = select(done).where(done.c.request_id.in_([one["request_id"] for one in mine]), done.c.ended != "")
        records = await call.fetch(ended.order_by(done.c.ended_at, done.c.visit_id))
        kept = REQUEST_PHOTOS.table
        shown = [one["request_id"] for one in mine if call.role != "engineer" or call.owns(one["engineer_id"])]
        of_requests = select(kept).where(kept.c.request_id.in_(shown))
        photos = await call.fetch(of_requests.order_by(kept.c.request_id, kept.c.number))
        call.etag(row["version"])
        return _life(row, mine, records, photos, call)

    return router


def _life(
    device: Mapping[str, Any],
    requests: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    photos: Sequence[Mapping[str, Any]],
    call: Call,
) -> DeviceLife:
    visits: dict[str, list[VisitRecord]] = defaultdict(list)
    parts: Counter[str] = Counter()
    serials: dict[str, list[str]] = defaultdict(list)
    pictures: dict[str, list[PhotoOfRequest]] = defaultdict(list)
    for one in photos:
        taken_at = at_micros(one["taken_at"]) if one["taken_at"] else None
        shown = PhotoOfRequest(photo_id=one["photo_id"], attached_at=at_micros(one["attached_at"]), taken_at=taken_at)
        pictures[one["request_id"]].append(shown)
    for one in records:
        used = [PartInside(**part) for part in json.loads(one["parts"])]
        for part in used:
            parts[part.part_id] += part.quantity
            serials[part.part_id] += part.serials
        plain = {name: one[name] for name in ("visit_id", "engineer_id", "ended", "cause", "action", "rating")}
        opened: dict[str, Any] = {
            "record": call.open(one["record"]),
            "ended_at": at_micros(one["ended_at"]),
            "parts": used,
            "checklist": [PointSeen(**point) for point in json.loads(one["checklist"])],
            "readings": [MeterShown(**reading) for reading in json.loads(one["readings"])],
            "photos": [PhotoOf(**photo) for photo in json.loads(one["photos"])],
        }
        visits[one["request_id"]].append(VisitRecord(**plain, **opened))
    names = ("request_id", "number", "request_type", "kind", "state", "outcome", "reopenings", "fault_class")
    return DeviceLife(
        device=_device_view(device),
        requests=[
            ServedRequest(
                **{name: one[name] for name in names},
                submitted_at=at_micros(one["submitted_at"]),
                description=call.open(one["description"]) if call.role != "engineer" else "",
                action=call.open(one["action"]) if call.role != "engineer" else "",
                photos=pictures[one["request_id"]],
                visits=visits[one["request_id"]],
            )
            for one in requests
        ],
        last_engineer_id=records[-1]["engineer_id"] if records else "",
        visits_completed=sum(1 for one in records if one["ended"] == "completed"),
        parts=dict(sorted(parts.items())),
        serials={part_id: read for part_id, read in sorted(serials.items()) if read},
    )

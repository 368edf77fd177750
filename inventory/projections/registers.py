"""The parts that are kept and the places where they lie, as they are defined now."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import EngineerRegistered, OrderOpened
from contracts.envelope import Envelope
from contracts.inventory import PartDefined, PlaceDefined
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply_part(rows: Rows, event: PartDefined, envelope: Envelope) -> None:
    rows.put(
        event.part_id,
        version=envelope.version,
        name=event.name,
        fits=msgspec.json.encode(event.fits).decode(),
        usual_quantity=event.usual_quantity,
        low_below=event.low_below,
        tracked=event.tracked,
        cost_fen=event.cost_fen,
        cost_from=None if event.cost_from is None else micros(event.cost_from),
    )


def models_of(fits: str) -> tuple[str, ...]:
    """The device models in the `fits` of a row."""
    return msgspec.json.decode(fits, type=tuple[str, ...])


PARTS = View(
    name="parts",
    version=3,
    key={"part_id": str},
    columns={
        "version": 0,
        "name": "",
        "fits": "[]",
        "usual_quantity": 1,
        "low_below": 0,
        "tracked": "none",
        "cost_fen": 0,
        "cost_from": (int, None),
    },
    reads=(PartDefined,),
    apply=apply_part,
)


_part = PARTS.table.c

ONE_PART: Final = select(PARTS.table).where(_part.tenant == bindparam("tenant"), _part.part_id == bindparam("part_id"))

PARTS_FITTING: Final = (
    select(_part.part_id, _part.fits, _part.usual_quantity)
    .where(_part.tenant == bindparam("tenant"), _part.usual_quantity > 0)
    .where(_part.fits.like(bindparam("fits"), escape="/"))
    .order_by(_part.part_id)
)
"""
Parts that may go into a model, by id; `fits` is what `naming` says.

A few too many, because stores differ in how they compare letters: ask `models_of` whether it is among them.
"""


def naming(model: str) -> str:
    """The pattern of a `fits` that names the model."""
    named = msgspec.json.encode(model).decode()
    for special in "/%_":
        named = named.replace(special, f"/{special}")
    return f"%{named}%"


def apply_place(rows: Rows, event: PlaceDefined, envelope: Envelope) -> None:
    rows.put(
        event.place_id,
        version=envelope.version,
        kind=event.kind,
        name=event.name,
        region=event.region,
        lat_udeg=event.lat_udeg,
        lon_udeg=event.lon_udeg,
    )


PLACES = View(
    name="places",
    version=2,
    key={"place_id": str},
    columns={
        "version": 0,
        "kind": "",
        "name": "",
        "region": "",
        "lat_udeg": (int, None),
        "lon_udeg": (int, None),
    },
    reads=(PlaceDefined,),
    apply=apply_place,
)

ONE_PLACE: Final = select(PLACES.table).where(
    PLACES.table.c.tenant == bindparam("tenant"), PLACES.table.c.place_id == bindparam("place_id")
)


def apply_van(rows: Rows, event: EngineerRegistered, envelope: Envelope) -> None:
    rows.put(event.engineer_id, van_id=event.van_id)


VANS = View(
    name="vans",
    version=1,
    key={"engineer_id": str},
    columns={"van_id": ""},
    reads=(EngineerRegistered,),
    apply=apply_van,
)
"""What each engineer drives, as the dispatcher registered it."""


def apply_order(rows: Rows, event: OrderOpened, envelope: Envelope) -> None:
    facts = {"request_id": event.request_id, "customer_id": event.customer_id, "device_id": event.device_id}
    rows.put(event.order_id, **facts)


ORDERS = View(
    name="orders",
    version=1,
    key={"order_id": str},
    columns={"request_id": "", "customer_id": "", "device_id": ""},
    reads=(OrderOpened,),
    apply=apply_order,
    waited_for=False,
)
"""For whom work is done, and on what: to whom a replacement goes, and what it goes into."""

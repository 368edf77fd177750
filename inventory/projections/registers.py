"""The parts that are kept and the places where they lie, as they are defined now."""

from __future__ import annotations

import msgspec
from sqlalchemy import Select, select

from contracts.envelope import Envelope
from contracts.inventory import PartDefined, PlaceDefined
from services.chassis.views import Rows, View


def apply_part(rows: Rows, event: PartDefined, envelope: Envelope) -> None:
    rows.put(
        event.part_id,
        version=envelope.version,
        name=event.name,
        fits=msgspec.json.encode(event.fits).decode(),
        usual_quantity=event.usual_quantity,
        low_below=event.low_below,
    )


def models_of(fits: str) -> tuple[str, ...]:
    """The device models in the `fits` of a row."""
    return msgspec.json.decode(fits, type=tuple[str, ...])


def fitting(model: str) -> Select[tuple[str, str, int]]:
    """
    Parts that may go into a model: id, `fits` and usual quantity, by id.

    A few too many, because stores differ in how they compare letters: ask `models_of` whether it is among them.
    """
    table = PARTS.table
    named = msgspec.json.encode(model).decode()
    query = select(table.c.part_id, table.c.fits, table.c.usual_quantity)
    return query.where(table.c.usual_quantity > 0, table.c.fits.contains(named, autoescape=True)).order_by(
        table.c.part_id
    )


PARTS = View(
    name="parts",
    version=1,
    key={"part_id": str},
    columns={"version": 0, "name": "", "fits": "[]", "usual_quantity": 1, "low_below": 0},
    reads=(PartDefined,),
    apply=apply_part,
)


def apply_place(rows: Rows, event: PlaceDefined, envelope: Envelope) -> None:
    rows.put(event.place_id, version=envelope.version, kind=event.kind, name=event.name, region=event.region)


PLACES = View(
    name="places",
    version=1,
    key={"place_id": str},
    columns={"version": 0, "kind": "", "name": "", "region": ""},
    reads=(PlaceDefined,),
    apply=apply_place,
)

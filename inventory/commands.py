"""What inventory can be asked to do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from contracts.fieldwork import UsedPart
from contracts.inventory import PartLine
from services.chassis.command import Command

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.:+\-]+$")]
"""An id that can be a part of a stream's name."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Region = Annotated[str, StringConstraints(max_length=100)]
Quantity = Annotated[int, Field(ge=0, le=1_000_000_000)]
PlaceKind = Literal["warehouse", "van"]
ReleaseReason = Literal["order-cancelled", "order-declined"]


class DefinePart(Command):
    """A part that is kept in stock, or what is known of it now."""

    part_id: Name
    name: Words
    fits: tuple[Words, ...] = Field((), max_length=1_000)
    """Device models."""
    usual_quantity: Quantity = 1
    low_below: Quantity = 0


class DefinePlace(Command):
    """A place of stock, or what is known of it now."""

    place_id: Name
    kind: PlaceKind
    name: Words
    region: Region = ""


class CountStock(Command):
    """So many pieces lie there, as somebody counted or the warehouse system says."""

    part_id: Name
    place_id: Name
    quantity: Quantity
    source: Name = "count"


class Shelf(Command):
    """A stock that a command reads, and the limit under which it is low there (0 for none)."""

    part_id: str
    place_id: str
    low_below: int = 0


class RecommendParts(Command):
    """Work is to be done on a device: these parts it takes as a rule."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    lines: tuple[PartLine, ...]


class ReserveParts(Command):
    """
    Set the recommended parts aside for a visit; what was set aside for another visit of the order moves.

    Asked again for the same visit, it replaces what has gone missing meanwhile.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    visit_id: str
    engineer_id: str
    lines: tuple[PartLine, ...]
    """The recommendation as the view has it, or what such a repair takes as a rule."""
    candidates: tuple[Shelf, ...]
    """Where to look, best first."""
    held: tuple[Shelf, ...] = ()
    """Where the view says that something is set aside for the order."""


class ReleaseParts(Command):
    """The order is cancelled, or declined by its engineer: what is set aside for it is free again."""

    order_id: str
    request_id: str
    reason: ReleaseReason = "order-cancelled"
    held: tuple[Shelf, ...] = ()
    """As with ReserveParts."""


class SettleVisit(Command):
    """A visit has ended: what it used is off the books, and what was set aside for it and not used is free again."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    visit_id: str
    completed: bool
    """Or else aborted."""
    used: tuple[UsedPart, ...] = ()
    shelves: tuple[Shelf, ...] = ()
    """Those of the used parts."""
    held: tuple[Shelf, ...] = ()
    """As with ReserveParts."""

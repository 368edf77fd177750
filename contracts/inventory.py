"""Events of inventory: parts, what lies where, what is set aside for an order and what went into a device."""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.event import Event, NonNegative, Positive, belongs_to


class PartLine(msgspec.Struct, frozen=True):
    """So many pieces of a part."""

    part_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


class PlacedLine(msgspec.Struct, frozen=True):
    """So many pieces of a part at a place of stock."""

    part_id: str
    place_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


@belongs_to("part", of="part_id")
class PartDefined(Event, frozen=True, kw_only=True):
    """A part that is kept in stock. Read by: reporting."""

    part_id: str
    name: str
    fits: tuple[str, ...]
    """Device models that it goes into."""
    usual_quantity: NonNegative = 1
    """How many a repair takes as a rule; with 0 the part is not recommended."""
    low_below: NonNegative = 0
    """Less than this at a warehouse is low."""


@belongs_to("place", of="place_id")
class PlaceDefined(Event, frozen=True, kw_only=True):
    """A place of stock: a warehouse or an engineer's van. Read by: reporting."""

    place_id: str
    kind: str
    """`warehouse` or `van`."""
    name: str
    region: str = ""


@belongs_to("stock", of=("part_id", "place_id"))
class StockCounted(Event, frozen=True, kw_only=True):
    """So many pieces lie there: a count, or what the warehouse system says. Read by: reporting."""

    part_id: str
    place_id: str
    quantity: NonNegative
    source: str = "count"
    """`count`, or the name of the system that said so."""


@belongs_to("stock", of=("part_id", "place_id"), public=False)
class StockSetAside(Event, frozen=True, kw_only=True):
    """Pieces of this stock belong to an order until they are consumed or released."""

    part_id: str
    place_id: str
    order_id: str
    quantity: Positive


@belongs_to("stock", of=("part_id", "place_id"), public=False)
class StockReturned(Event, frozen=True, kw_only=True):
    """Pieces that were set aside for an order are free again."""

    part_id: str
    place_id: str
    order_id: str
    quantity: Positive


@belongs_to("stock", of=("part_id", "place_id"), public=False)
class StockFellShort(Event, frozen=True, kw_only=True):
    """
    Pieces that were set aside for an order are not there after all: a count, or what others used, says so.

    Acted on by: inventory (looks for other pieces).
    """

    part_id: str
    place_id: str
    order_id: str
    quantity: Positive


@belongs_to("stock", of=("part_id", "place_id"))
class PartConsumed(Event, frozen=True, kw_only=True):
    """
    Pieces went into a device, booked when the visit has ended.

    A part that was really used is recorded even when our stock says none: `drift` pieces were not on our books.
    Read by: reporting; ERP and WMS subscribe to it.
    """

    part_id: str
    place_id: str
    quantity: Positive
    order_id: str
    request_id: str
    drift: NonNegative = 0


@belongs_to("stock", of=("part_id", "place_id"))
class StockLow(Event, frozen=True, kw_only=True):
    """Fewer pieces are free than the part's limit. Recorded when the limit is crossed. Read by: reporting."""

    part_id: str
    place_id: str
    free: int
    low_below: NonNegative


@belongs_to("reservation", of="order_id", key="request_id")
class PartsRecommended(Event, frozen=True, kw_only=True):
    """The parts that such a repair takes as a rule. Read by: fieldwork, reporting."""

    order_id: str
    request_id: str
    lines: tuple[PartLine, ...]


@belongs_to("reservation", of="order_id", key="request_id")
class PartsReserved(Event, frozen=True, kw_only=True):
    """
    Parts are set aside for the order, each at a place: these are all of them.

    Acted on by: fieldwork (shows them). Read by: reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    lines: tuple[PlacedLine, ...]
    visit_id: str = ""
    """The visit that they are for."""


@belongs_to("reservation", of="order_id", key="request_id")
class PartsShort(Event, frozen=True, kw_only=True):
    """Not enough pieces are free anywhere. Acted on by: nobody yet; shown to the dispatcher. Read by: reporting."""

    order_id: str
    request_id: str
    lines: tuple[PartLine, ...]
    """What is missing."""
    engineer_id: str = ""
    visit_id: str = ""
    """The visit that they are missing for."""


@belongs_to("reservation", of="order_id", key="request_id")
class ReservationReleased(Event, frozen=True, kw_only=True):
    """Nothing is set aside for the order any more. Read by: reporting."""

    order_id: str
    request_id: str
    reason: str
    """
    `consumed`, `order-cancelled`, `order-declined`, `order-reassigned`, `visit-aborted`, `stock-missing` (others are
    looked for).
    """


@belongs_to("reservation", of="order_id", key="request_id", public=False)
class VisitSettled(Event, frozen=True, kw_only=True):
    """What the visit used is off the books and nothing is set aside for it any more; a repeat books nothing."""

    order_id: str
    request_id: str
    visit_id: str
    completed: bool
    """The work is done: from now on nothing is set aside for the order."""

"""Events of inventory: parts, what lies where, what is set aside for an order and what went into a device."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Positive, Utc, belongs_to
from contracts.intake import Urgency

Condition = Literal["good", "defective"]
"""Whether pieces may go into a device. Only good ones are set aside and counted as free."""


class PartLine(msgspec.Struct, frozen=True):
    """So many pieces of a part."""

    part_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


class PlacedLine(msgspec.Struct, frozen=True):
    """So many pieces of a part at a place of stock."""

    part_id: str
    place_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


class DocumentLine(msgspec.Struct, frozen=True):
    """What a document of the warehouse system says of a part in this condition. Only a snapshot says 0."""

    part_id: str
    quantity: Annotated[int, msgspec.Meta(ge=0)]
    condition: Condition = "good"


class MovedLine(msgspec.Struct, frozen=True):
    """So many pieces of a part, in this condition, that go from one place to another."""

    part_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    condition: Condition = "good"


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
    cost_fen: NonNegative = 0
    """What a piece costs us, 1/100 CNY; 0 where nobody said."""


@belongs_to("place", of="place_id")
class PlaceDefined(Event, frozen=True, kw_only=True):
    """A place of stock, at one of three levels. Read by: reporting."""

    place_id: str
    kind: str
    """`warehouse` (central), `branch` (near the engineers of its region) or `van` (an engineer's)."""
    name: str
    region: str = ""
    lat_udeg: int | None = None
    """Millionths of a degree, WGS-84; none where it is not known or, as with a van, not always the same."""
    lon_udeg: int | None = None


@belongs_to("stock", of=("part_id", "place_id"))
class StockCounted(Event, frozen=True, kw_only=True):
    """So many pieces lie there: a count, or what the warehouse system says. Read by: reporting."""

    part_id: str
    place_id: str
    quantity: NonNegative
    source: str = "count"
    """`count`, or the name of the system that said so."""
    condition: Condition = "good"
    """Which of the pieces were counted."""


@belongs_to("stock", of=("part_id", "place_id"))
class StockSynchronised(Event, frozen=True, kw_only=True):
    """
    The warehouse system says how many pieces lie there, and from here on so do we.

    Recorded also where it says what we knew: then both agree.
    Acted on by: inventory (short orders). Read by: reporting.
    """

    part_id: str
    place_id: str
    condition: Condition = "good"
    theirs: NonNegative
    ours: NonNegative
    """What our books said before."""
    source: str
    document_id: str
    taken_at: Utc
    """When it counted, by its clock."""


@belongs_to("stock", of=("part_id", "place_id"))
class StockIssued(Event, frozen=True, kw_only=True):
    """
    Pieces left the house, as the warehouse system says: sold, sent back, thrown away. Not what goes to another place.

    A fact, like PartConsumed: `drift` of the pieces were not on our books. Read by: reporting.
    """

    part_id: str
    place_id: str
    quantity: Positive
    condition: Condition = "good"
    source: str
    document_id: str
    drift: NonNegative = 0


@belongs_to("stock-document", of=("source", "document_id"))
class StockDocumentBooked(Event, frozen=True, kw_only=True):
    """
    A document of the warehouse system is on our books, all of it. Its number is booked once. Read by: reporting.
    """

    source: str
    document_id: str
    kind: Literal["snapshot", "receipt", "issue"]
    place_id: str
    lines: tuple[DocumentLine, ...]
    taken_at: Utc | None = None
    """Of a snapshot."""


@belongs_to("stock", of=("part_id", "place_id"))
class StockReceived(Event, frozen=True, kw_only=True):
    """
    Pieces came from outside, as a rule from a supplier.

    Acted on by: inventory (short orders). Read by: reporting.
    """

    part_id: str
    place_id: str
    quantity: Positive
    condition: Condition = "good"
    source: str = ""
    """Who delivered them or says so."""


@belongs_to("stock", of=("part_id", "place_id"))
class StockSent(Event, frozen=True, kw_only=True):
    """
    Pieces left for another place; they are in transit until StockArrived or TransferLost. Read by: reporting.

    A pick-up sends and arrives in one commit.
    """

    part_id: str
    place_id: str
    to_place_id: str
    transfer_id: str
    """Of a pick-up, the order's id."""
    quantity: Positive
    condition: Condition = "good"


@belongs_to("stock", of=("part_id", "place_id"))
class StockArrived(Event, frozen=True, kw_only=True):
    """Pieces that were sent are here. Acted on by: inventory (short orders). Read by: reporting."""

    part_id: str
    place_id: str
    from_place_id: str
    transfer_id: str
    """As with StockSent."""
    quantity: Positive
    condition: Condition = "good"


@belongs_to("stock", of=("part_id", "place_id"))
class PartReturned(Event, frozen=True, kw_only=True):
    """
    Pieces came back from a device: an old part that was taken out of it, or one that was booked as used and was not.

    Not what an engineer takes from her van to a warehouse: that is a transfer.
    Acted on by: inventory (short orders). Read by: reporting; ERP and WMS subscribe to it.
    """

    part_id: str
    place_id: str
    """Where it lies now."""
    quantity: Positive
    condition: Condition
    """`defective` for an old part, `good` for an unused one."""
    order_id: str


@belongs_to("stock", of=("part_id", "place_id"))
class PartScrapped(Event, frozen=True, kw_only=True):
    """Pieces were thrown away. Read by: reporting; ERP and WMS subscribe to it."""

    part_id: str
    place_id: str
    quantity: Positive
    condition: Condition
    reason: str


@belongs_to("stock", of=("part_id", "place_id"))
class PartSentBack(Event, frozen=True, kw_only=True):
    """Pieces went back to their supplier. Read by: reporting; ERP and WMS subscribe to it."""

    part_id: str
    place_id: str
    quantity: Positive
    condition: Condition
    supplier: str


@belongs_to("transfer", of="transfer_id")
class TransferSent(Event, frozen=True, kw_only=True):
    """Pieces are on their way from one place to another. Read by: reporting."""

    transfer_id: str
    from_place_id: str
    to_place_id: str
    lines: tuple[MovedLine, ...]
    reason: str = ""
    """`restock`, `unused`, `old-parts`, or what the sender says."""


@belongs_to("transfer", of="transfer_id")
class TransferReceived(Event, frozen=True, kw_only=True):
    """These of its pieces have arrived; the others are still in transit. Read by: reporting."""

    transfer_id: str
    lines: tuple[MovedLine, ...]


@belongs_to("transfer", of="transfer_id")
class TransferLost(Event, frozen=True, kw_only=True):
    """These of its pieces will not arrive and are off the books, as if scrapped. Read by: reporting."""

    transfer_id: str
    to_place_id: str
    lines: tuple[MovedLine, ...]
    reason: str


@belongs_to("stock-rules", of="rules_id")
class StockRulesSet(Event, frozen=True, kw_only=True):
    """By which figures inventory decides from now on; what was decided stays as it is. Read by: reporting."""

    rules_id: str = "tenant"
    """One set for the whole tenant."""
    keep_reserved_h: Positive = 72
    """Hours after the planned end of a visit for which its parts stay set aside."""


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
    urgency: Urgency = "normal"
    """Of the order: the most urgent one that is short gets what arrives."""


@belongs_to("reservation", of="order_id", key="request_id")
class PartsReserved(Event, frozen=True, kw_only=True):
    """
    Parts are set aside for the order, each at a place: these are all of them, and what is missing is in a PartsShort
    right after this.

    Acted on by: fieldwork (shows them). Read by: reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    lines: tuple[PlacedLine, ...]
    visit_id: str = ""
    """The visit that they are for."""
    van_id: str = ""
    """The place of stock that she drives; looked at first."""
    expires_at: Utc | None = None
    """When they are free again unless the visit has ended by then; never for reservations before there was a limit."""


@belongs_to("reservation", of="order_id", key="request_id")
class PartsShort(Event, frozen=True, kw_only=True):
    """
    Not enough pieces are free anywhere.

    Acted on by: inventory (looks again when some arrive); shown to the dispatcher. Read by: reporting.
    """

    order_id: str
    request_id: str
    lines: tuple[PartLine, ...]
    """What is missing."""
    engineer_id: str = ""
    visit_id: str = ""
    """The visit that they are missing for."""
    van_id: str = ""
    """As with PartsReserved."""
    expires_at: Utc | None = None
    """As with PartsReserved: after that nobody waits for them."""


@belongs_to("reservation", of="order_id", key="request_id")
class ReservationReleased(Event, frozen=True, kw_only=True):
    """Nothing is set aside for the order any more. Read by: reporting."""

    order_id: str
    request_id: str
    reason: str
    """
    `consumed`, `order-cancelled`, `order-declined`, `order-reassigned`, `visit-aborted`, `expired`, `stock-missing`
    (others are looked for).
    """


@belongs_to("reservation", of="order_id", key="request_id", public=False)
class ReservationExpired(Event, frozen=True, kw_only=True):
    """
    The visit should have ended long ago. Recorded once for a visit, by the timer.

    Acted on by: inventory (releases what is set aside).
    """

    order_id: str
    request_id: str
    visit_id: str


@belongs_to("reservation", of="order_id", key="request_id")
class PartsPickedUp(Event, frozen=True, kw_only=True):
    """
    The engineer fetched parts that were set aside for her visit; they are set aside in her van now.

    Read by: reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    van_id: str
    lines: tuple[PlacedLine, ...]
    """What she fetched, and from where."""


@belongs_to("reservation", of="order_id", key="request_id", public=False)
class VisitSettled(Event, frozen=True, kw_only=True):
    """What the visit used is off the books and nothing is set aside for it any more; a repeat books nothing."""

    order_id: str
    request_id: str
    visit_id: str
    completed: bool
    """The work is done: from now on nothing is set aside for the order."""

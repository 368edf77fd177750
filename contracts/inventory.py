"""Events of inventory: parts, what lies where, what is set aside for an order and what went into a device."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Positive, Utc, belongs_to
from contracts.intake import Urgency

Condition = Literal["good", "defective"]
"""Whether pieces may go into a device. Only good ones are set aside and counted as free."""


Tracked = Literal["none", "serial", "lot"]
"""Whether each piece of a part has a number of its own, or each delivery, or neither."""


class LotPieces(msgspec.Struct, frozen=True):
    """So many pieces of a lot. Only a count says 0: nothing of that lot is left."""

    lot: str
    quantity: Annotated[int, msgspec.Meta(ge=0)]


class Disputed(msgspec.Struct, frozen=True):
    """A serial number or a lot that was not where our books had it: somebody has to look."""

    number: str
    was: str
    """Where our books had it, as `whereabouts` of the serial numbers' view; empty where they did not know it."""


class PartLine(msgspec.Struct, frozen=True):
    """So many pieces of a part."""

    part_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]


class PlacedLine(msgspec.Struct, frozen=True):
    """So many pieces of a part at a place of stock."""

    part_id: str
    place_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    serials: tuple[str, ...] = ()
    """Which pieces they are, where the part has serial numbers: fewer than `quantity` where not all are known."""


class DocumentLine(msgspec.Struct, frozen=True):
    """What a document of the warehouse system says of a part in this condition. Only a snapshot says 0."""

    part_id: str
    quantity: Annotated[int, msgspec.Meta(ge=0)]
    condition: Condition = "good"
    serials: tuple[str, ...] = ()
    """Of these pieces, where the part has serial numbers."""
    lots: tuple[LotPieces, ...] = ()
    """Of which lots they are, where the part has lots."""
    booked_version: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Of a snapshot, where it says so: the `version` of our newest event of this stock that it had booked."""


class MovedLine(msgspec.Struct, frozen=True):
    """So many pieces of a part, in this condition, that go from one place to another."""

    part_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    condition: Condition = "good"
    serials: tuple[str, ...] = ()
    """Of these pieces, where the part has serial numbers."""
    lots: tuple[LotPieces, ...] = ()
    """Of which lots they are, where the part has lots."""


@belongs_to("part", of="part_id")
class PartDefined(Event, frozen=True, kw_only=True):
    """A part that is kept in stock. Read by: fieldwork (parts that nobody has defined), reporting."""

    part_id: str
    name: str
    fits: tuple[str, ...]
    """Device models that it goes into."""
    usual_quantity: NonNegative = 1
    """How many a repair takes as a rule; with 0 the part is on no list, and is recommended where repairs took it."""
    low_below: NonNegative = 0
    """Less than this at a warehouse is low."""
    tracked: Tracked = "none"
    """With `serial` or `lot`, every good piece that is moved is named by its number or by that of its lot."""
    cost_fen: NonNegative = 0
    """What a piece costs us, 1/100 CNY; 0 where nobody said…"""
    cost_from: Utc | None = None
    """…from then on; none: since this was said. Reporting counts a piece at what it cost when it was used."""


@belongs_to("place", of="place_id")
class PlaceDefined(Event, frozen=True, kw_only=True):
    """A place of stock, at one of three levels. Read by: reporting."""

    place_id: str
    kind: str
    """
    `warehouse` (central), `branch` (near the engineers of its region), `van` (an engineer's) or `depot` (where
    defective pieces are repaired, ours or a supplier's: what lies there is ours, and is set aside for nobody).
    """
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
    serials: tuple[str, ...] = ()
    """Of all that were counted, where they were read; else the books of the serial numbers stay as they are."""
    lots: tuple[LotPieces, ...] = ()
    """As with `serials`; 0 for a lot of which nothing is left."""
    missing: tuple[str, ...] = ()
    """Serial numbers that our books had there and that were not found."""
    disputed: tuple[Disputed, ...] = ()
    """Serial numbers that were found there and that our books had elsewhere."""


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
    booked_version: NonNegative | None = None
    """As with DocumentLine; where it is said, what it had not booked is on top of what it says…"""
    unbooked: int = 0
    """…so many pieces, negative for what left: our books have max(0, theirs + unbooked) from here on."""


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
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()
    disputed: tuple[Disputed, ...] = ()


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
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()


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
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()


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
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()
    """Without those that were used while they were on their way."""


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
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()
    """Of an old part, as many as could be read."""


@belongs_to("stock", of=("part_id", "place_id"))
class PartScrapped(Event, frozen=True, kw_only=True):
    """Pieces were thrown away. Read by: reporting; ERP and WMS subscribe to it."""

    part_id: str
    place_id: str
    quantity: Positive
    condition: Condition
    reason: str
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()


@belongs_to("stock", of=("part_id", "place_id"))
class PartSentBack(Event, frozen=True, kw_only=True):
    """Pieces went back to their supplier. Read by: reporting; ERP and WMS subscribe to it."""

    part_id: str
    place_id: str
    quantity: Positive
    condition: Condition
    supplier: str
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()


@belongs_to("stock", of=("part_id", "place_id"))
class PartRepaired(Event, frozen=True, kw_only=True):
    """Defective pieces of a depot are good ones from now on. Read by: reporting; ERP subscribes to it."""

    part_id: str
    place_id: str
    quantity: Positive
    rma_id: str
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()


@belongs_to("transfer", of="transfer_id")
class TransferSent(Event, frozen=True, kw_only=True):
    """Pieces are on their way from one place to another. Read by: reporting."""

    transfer_id: str
    from_place_id: str
    to_place_id: str
    lines: tuple[MovedLine, ...]
    reason: str = ""
    """`restock`, `unused`, `old-parts`, `repair` and `repaired` of an RMA, or what the sender says."""


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
    learn_after_repairs: Positive = 5
    """Earlier repairs of a model with a request type from which on they say what the next one takes."""
    learn_share_percent: Positive = 30
    """A part that at least this share of them took is recommended."""
    plan_ahead_days: Positive = 14
    """What orders are short of counts as expected use if their visits come within so many days."""
    old_parts_within_days: Positive = 7
    """So many days after a visit has ended the old parts that came out of the device are to be back."""
    exchange_within_days: Positive = 14
    """So many days after a replacement went ahead the customer's defective part is to be back…"""
    remind_days_before: Positive = 3
    """…he is reminded so many days before…"""
    forfeit_after_days: Positive = 14
    """…and so many days after it was due the part is forfeited."""


@belongs_to("stock", of=("part_id", "place_id"), public=False)
class StockSetAside(Event, frozen=True, kw_only=True):
    """Pieces of this stock belong to an order until they are consumed or released."""

    part_id: str
    place_id: str
    order_id: str
    quantity: Positive


@belongs_to("stock", of=("part_id", "place_id"), public=False)
class PiecesNamed(Event, frozen=True, kw_only=True):
    """
    Which of the pieces that are set aside for an order here they are, by serial number: these, from now on.

    Acted on by: inventory (tells the reservation, and names others where some are missing).
    """

    part_id: str
    place_id: str
    order_id: str
    serials: tuple[str, ...]
    freed: tuple[str, ...]
    """Those that were named until now and are not any more."""


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
    device_id: str = ""
    """What they went into; empty where the visit was aborted, and in records that do not say."""
    serials: tuple[str, ...] = ()
    """As the engineer read them."""
    lots: tuple[LotPieces, ...] = ()
    unnamed: NonNegative = 0
    """So many pieces of a part with serial numbers or lots were used and not named."""
    disputed: tuple[Disputed, ...] = ()
    """A number that was used before, or lay elsewhere by our books: recorded all the same, it is a fact."""


@belongs_to("stock", of=("part_id", "place_id"))
class StockLow(Event, frozen=True, kw_only=True):
    """Fewer pieces are free than the part's limit. Recorded when the limit is crossed. Read by: reporting."""

    part_id: str
    place_id: str
    free: int
    low_below: NonNegative


@belongs_to("stock", of=("part_id", "place_id"))
class ReorderPointSet(Event, frozen=True, kw_only=True):
    """
    When more of a part is to be bought for a place, and how much, from now on.

    Acted on by: inventory (suggests). Read by: reporting.
    """

    part_id: str
    place_id: str
    reorder_at: NonNegative
    """With so many pieces or fewer, those that are expected to be used left out, more are suggested…"""
    reorder_to: NonNegative
    """…up to so many. With 0 nothing is suggested any more."""


@belongs_to("stock", of=("part_id", "place_id"))
class PurchaseSuggested(Event, frozen=True, kw_only=True):
    """
    More of a part should be bought for a place: on_hand - set_aside + ordered - expected_use is reorder_at or less.

    Recorded once, until it is ordered or dismissed, or there is enough again. Read by: reporting; ERP subscribes to it.
    """

    part_id: str
    place_id: str
    quantity: Positive
    """So that it comes to reorder_to."""
    on_hand: NonNegative
    """Good pieces."""
    set_aside: NonNegative
    """Of them, for orders."""
    expected_use: NonNegative
    """Pieces that open orders are short of, or will want as soon as an engineer has them."""
    ordered: NonNegative
    """Pieces on order that have not come yet."""
    reorder_at: NonNegative
    reorder_to: Positive


@belongs_to("stock", of=("part_id", "place_id"))
class PurchaseOrdered(Event, frozen=True, kw_only=True):
    """So many pieces were ordered for the place; what is received there counts against them. Read by: reporting."""

    part_id: str
    place_id: str
    quantity: Positive
    reference: str
    """The number of the order at the supplier or in the ERP."""


@belongs_to("stock", of=("part_id", "place_id"))
class PurchaseDismissed(Event, frozen=True, kw_only=True):
    """Nothing is bought upon the suggestion; the next one comes after there was enough again. Read by: reporting."""

    part_id: str
    place_id: str
    reason: str


@belongs_to("stock", of=("part_id", "place_id"))
class PurchaseNotNeeded(Event, frozen=True, kw_only=True):
    """There is enough again: a suggestion that waited, or was dismissed, is over. Read by: reporting."""

    part_id: str
    place_id: str


class Ground(msgspec.Struct, frozen=True):
    """Why a part is recommended."""

    part_id: str
    source: Literal["device-model", "request-type", "history"]
    """It fits the model and is on the maintained list; work of this type takes it; earlier repairs took it."""
    used_in: Annotated[int, msgspec.Meta(ge=0)] = 0
    """So many earlier repairs of this model with this request type took it…"""
    repairs: Annotated[int, msgspec.Meta(ge=0)] = 0
    """…of so many."""


@belongs_to("reservation", of="order_id", key="request_id")
class PartsRecommended(Event, frozen=True, kw_only=True):
    """The parts that such a repair takes as a rule. Read by: fieldwork, reporting."""

    order_id: str
    request_id: str
    lines: tuple[PartLine, ...]
    urgency: Urgency = "normal"
    """Of the order: the most urgent one that is short gets what arrives."""
    grounds: tuple[Ground, ...] = ()
    """One for each line, in the same order; none in records that do not say."""


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

    Acted on by: inventory (looks again when some arrive), dispatcher (plans the order anew). Read by: reporting.
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
class ReservedPiecesChanged(Event, frozen=True, kw_only=True):
    """Other pieces than before are those of the order at this place. Read by: reporting."""

    order_id: str
    request_id: str
    part_id: str
    place_id: str
    serials: tuple[str, ...]
    """All that are named now; of `used`, those that were used."""
    instead_of: tuple[str, ...]
    """Those that were named before and are free again, or gone."""
    reason: Literal["named-anew", "fetched", "used"]
    """A named piece left or numbers became known; she fetched another one; she used another one."""


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


@belongs_to("old-parts", of="order_id", key="request_id")
class OldPartsDue(Event, frozen=True, kw_only=True):
    """Old parts came out of a device and are to come back to a place of ours. Read by: reporting."""

    order_id: str
    request_id: str
    engineer_id: str
    """Who took them out and brings them; empty where the customer sends them."""
    lines: tuple[PartLine, ...]
    due_at: Utc
    customer_id: str = ""
    """Of an advance exchange: the replacement has left for her, and she owes the defective part…"""
    remind_at: Utc | None = None
    """…of which she is reminded then…"""
    forfeit_at: Utc | None = None
    """…and which is forfeited then, if it did not come."""


@belongs_to("old-parts", of="order_id", key="request_id")
class OldPartsBack(Event, frozen=True, kw_only=True):
    """Some of the old parts that were due are back; PartReturned says where. Read by: reporting."""

    order_id: str
    request_id: str
    part_id: str
    quantity: Positive
    left: NonNegative
    """Pieces of the order that are still to come, of all its parts."""
    forfeited: NonNegative = 0
    """Of these pieces, so many had been forfeited: what was billed for them is to be given back."""


@belongs_to("old-parts", of="order_id", key="request_id")
class OldPartsReminded(Event, frozen=True, kw_only=True):
    """
    The customer's defective parts are due soon. Recorded once, by the timer.

    Read by: reporting; whoever writes to customers subscribes to it.
    """

    order_id: str
    request_id: str
    customer_id: str
    lines: tuple[PartLine, ...]
    """What has still to come."""
    due_at: Utc


@belongs_to("old-parts", of="order_id", key="request_id")
class OldPartsForfeited(Event, frozen=True, kw_only=True):
    """
    The customer's defective parts never came: the replacements are to be billed. Recorded once, by the timer.

    Read by: reporting; ERP subscribes to it.
    """

    order_id: str
    request_id: str
    customer_id: str
    lines: tuple[PartLine, ...]
    """What to bill; nobody waits for these any more."""
    due_at: Utc
    """When they should have been back."""


@belongs_to("old-parts", of="order_id", key="request_id")
class OldPartsOverdue(Event, frozen=True, kw_only=True):
    """These old parts should be back and are not. Recorded once, by the timer. Read by: reporting."""

    order_id: str
    request_id: str
    engineer_id: str
    lines: tuple[PartLine, ...]
    due_at: Utc


@belongs_to("rma", of="rma_id")
class RmaOpened(Event, frozen=True, kw_only=True):
    """
    Defective pieces leave for a depot, ours or a supplier's, to be repaired; the transfer of the same id carries them.

    Read by: reporting.
    """

    rma_id: str
    part_id: str
    quantity: Positive
    from_place_id: str
    depot_id: str
    fault: str
    reference: str
    """The number that the depot gave; empty where it gave none."""
    due_at: Utc
    """When what becomes of them should be known."""
    serials: tuple[str, ...] = ()
    lots: tuple[LotPieces, ...] = ()


@belongs_to("rma", of="rma_id")
class RmaReceived(Event, frozen=True, kw_only=True):
    """So many of its pieces are at the depot. Read by: reporting."""

    rma_id: str
    quantity: Positive


@belongs_to("rma", of="rma_id")
class RmaLost(Event, frozen=True, kw_only=True):
    """So many of its pieces were lost on their way to the depot. Read by: reporting."""

    rma_id: str
    quantity: Positive
    left: NonNegative
    """Pieces of which it is still to be said what becomes of them."""


@belongs_to("rma", of="rma_id")
class RmaDiagnosed(Event, frozen=True, kw_only=True):
    """What the depot found. Read by: reporting."""

    rma_id: str
    verdict: Literal["repairable", "beyond-repair", "no-fault"]
    finding: str


@belongs_to("rma", of="rma_id")
class RmaSettled(Event, frozen=True, kw_only=True):
    """What became of so many of its pieces. Read by: reporting; ERP subscribes to it."""

    rma_id: str
    outcome: Literal["repaired", "scrapped", "exchanged"]
    quantity: Positive
    left: NonNegative
    """As with RmaLost."""
    serials: tuple[str, ...] = ()
    replaced_by: tuple[str, ...] = ()
    """Of exchanged ones, the serial numbers that came for them."""
    to_place_id: str = ""
    """Where they go as good pieces…"""
    transfer_id: str = ""
    """…and by which transfer; empty where they were scrapped."""


@belongs_to("rma", of="rma_id")
class RmaOverdue(Event, frozen=True, kw_only=True):
    """It should be known what became of these pieces, and is not. Recorded once, by the timer. Read by: reporting."""

    rma_id: str
    left: Positive
    due_at: Utc

"""
The reservation of an order: what its repair takes as a rule, and what is set aside for the visit that is to do it.

Each decision sees this stream and the stocks together and writes both in one commit, so two orders that want the last
piece cannot both have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

from contracts.event import Event
from contracts.inventory import (
    OldPartsDue,
    PartLine,
    PartsPickedUp,
    PartsRecommended,
    PartsReserved,
    PartsShort,
    PlacedLine,
    ReservationExpired,
    ReservationReleased,
    ReservedPiecesChanged,
    StockArrived,
    StockRulesSet,
    StockSent,
    VisitSettled,
)
from contracts.problems import NotYet, Rejected
from inventory.commands import (
    ExpireReservation,
    FetchedPieces,
    FillShortage,
    NamePieces,
    PickUpParts,
    ReleaseParts,
    ReserveParts,
    SettleVisit,
    Shelf,
)
from inventory.domain.draft import Draft
from inventory.domain.old_parts import old_parts_stream
from inventory.domain.pieces import must_be_named, named
from inventory.domain.register import RULES_STREAM, part_stream
from inventory.domain.reserved_pieces import in_the_van, named_now, pieces_claims, with_names, with_pieces, with_serials
from inventory.domain.stock import stock_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Held:
    """What is set aside for a visit; also nothing, where nothing was to be had."""

    visit_id: str
    lines: tuple[PlacedLine, ...]
    short: tuple[PartLine, ...] = ()
    engineer_id: str = ""
    van_id: str = ""
    expires_at: datetime | None = None
    """None also when that has been said."""


@dataclass(frozen=True)
class Reservation:
    request_id: str = ""
    recommended: tuple[PartLine, ...] = ()
    held: Held | None = None
    given_up: frozenset[str] = frozenset()
    """Visits that need no parts any more; word of their assignment may come late."""
    settled: frozenset[str] = frozenset()
    """Visits whose use is off the books."""
    done: bool = False
    """The work is completed."""
    called_off: bool = False


ReservationEvent = (
    PartsRecommended
    | PartsReserved
    | PartsShort
    | PartsPickedUp
    | ReservationExpired
    | ReservationReleased
    | ReservedPiecesChanged
    | VisitSettled
)

MISSING = "stock-missing"


def reservation_stream(order_id: str) -> str:
    return f"reservation/{order_id}"


def _reads(order_id: str, *shelves: Iterable[Shelf]) -> tuple[str, ...]:
    named = [stock_stream(shelf.part_id, shelf.place_id) for some in shelves for shelf in some]
    return tuple(dict.fromkeys([reservation_stream(order_id), *named]))


def reserve_reads(command: ReserveParts) -> tuple[str, ...]:
    return *_reads(command.order_id, command.candidates, command.held), RULES_STREAM


def reserve_claims(command: ReserveParts | FillShortage) -> tuple[tuple[str, str], ...]:
    return pieces_claims(command.candidates)


def reserve(states: States, command: ReserveParts) -> list[Event]:
    known: Reservation = states[reservation_stream(command.order_id)]
    wanted = known.recommended or command.lines
    if known.done or command.visit_id in known.given_up | known.settled or not wanted:
        return []
    draft = Draft(states)
    held = known.held
    if held:
        _must_be_named(draft, held.lines)
        if held.visit_id == command.visit_id and _is_intact(draft, held, command.order_id):
            return []
    if unlooked := {line.part_id for line in wanted} - {line.part_id for line in command.lines}:
        raise NotYet(f"the view had not seen that order {command.order_id} takes {', '.join(sorted(unlooked))}")
    ids = {"order_id": command.order_id, "request_id": command.request_id}
    lines, short = _allocate(draft, command, wanted, keep=True)
    if not known.recommended:
        draft.events.append(PartsRecommended(order_id=command.order_id, request_id=command.request_id, lines=wanted))
    if held:
        reason = MISSING if held.visit_id == command.visit_id else "order-reassigned"
        draft.events.append(ReservationReleased(**ids, reason=reason))
        for line in held.lines:
            if not any((line.part_id, line.place_id) == (one.part_id, one.place_id) for one in lines):
                draft.set_aside(line.part_id, line.place_id, command.order_id, 0)
    for line in lines:
        draft.set_aside(line.part_id, line.place_id, command.order_id, line.quantity)
    lines = with_names(draft, command.candidates, command.order_id, lines)
    visit = {"engineer_id": command.engineer_id, "visit_id": command.visit_id, "van_id": command.van_id}
    expires_at = _expires_at(known, command, states[RULES_STREAM])
    if lines:
        draft.events.append(PartsReserved(**ids, **visit, expires_at=expires_at, lines=lines))
    if short:
        draft.events.append(PartsShort(**ids, **visit, expires_at=expires_at, lines=short))
    for shelf in command.candidates:
        draft.warn(shelf)
    return draft.events


def _expires_at(known: Reservation, command: ReserveParts, rules: StockRulesSet) -> datetime | None:
    if known.held and known.held.visit_id == command.visit_id:
        return known.held.expires_at
    return command.visit_ends_at and command.visit_ends_at + timedelta(hours=rules.keep_reserved_h)


def fill_reads(command: FillShortage) -> tuple[str, ...]:
    return _reads(command.order_id, command.candidates, command.held)


def fill(states: States, command: FillShortage) -> list[Event]:
    known: Reservation = states[reservation_stream(command.order_id)]
    held = known.held
    if held is None or held.visit_id != command.visit_id or not held.short:
        return []
    draft = Draft(states)
    _must_be_named(draft, held.lines)
    if not _is_intact(draft, held, command.order_id):
        return []  # Pieces of it went missing: all of it is about to be looked for anew.
    more, short = _allocate(draft, command, held.short, keep=False)
    if not more:
        return []
    pieces = {(line.part_id, line.place_id): line.quantity for line in held.lines}
    for line in more:
        where = line.part_id, line.place_id
        pieces[where] = pieces.get(where, 0) + line.quantity
        draft.set_aside(*where, command.order_id, pieces[where])
    placed = [PlacedLine(*where, quantity) for where, quantity in pieces.items()]
    lines = with_names(draft, command.candidates, command.order_id, placed)
    facts = {"order_id": command.order_id, "request_id": command.request_id, "visit_id": held.visit_id}
    facts |= {"engineer_id": held.engineer_id, "van_id": held.van_id}
    draft.events.append(PartsReserved(**facts, expires_at=held.expires_at, lines=lines))
    if short:
        draft.events.append(PartsShort(**facts, expires_at=held.expires_at, lines=short))
    for shelf in command.candidates:
        draft.warn(shelf)
    return draft.events


def _is_intact(draft: Draft, held: Held, order_id: str) -> bool:
    """Whether all that is set aside is still there."""
    return all(draft.stock(line.part_id, line.place_id).of(order_id) == line.quantity for line in held.lines)


def _allocate(
    draft: Draft, command: ReserveParts | FillShortage, wanted: Sequence[PartLine], *, keep: bool
) -> tuple[tuple[PlacedLine, ...], tuple[PartLine, ...]]:
    """
    Where the pieces are to be taken from, in the order of the candidates, and what is not to be had.

    With `keep`, those that are set aside for the order already are among them.
    """
    lines: list[PlacedLine] = []
    short: list[PartLine] = []
    for line in wanted:
        missing = line.quantity
        for shelf in command.candidates:
            if shelf.part_id == line.part_id and missing:
                stock = draft.stock(shelf.part_id, shelf.place_id)
                mine = stock.of(command.order_id) if keep else 0
                if taken := min(missing, stock.free + mine):
                    lines.append(PlacedLine(shelf.part_id, shelf.place_id, taken))
                    missing -= taken
        if missing:
            short.append(PartLine(line.part_id, missing))
    return tuple(lines), tuple(short)


def name_reads(command: NamePieces) -> tuple[str, ...]:
    return _reads(command.order_id, [command.shelf])


def name_claims(command: NamePieces) -> tuple[tuple[str, str], ...]:
    return pieces_claims([command.shelf])


def name(states: States, command: NamePieces) -> list[Event]:
    known: Reservation = states[reservation_stream(command.order_id)]
    shelf, draft = command.shelf, Draft(states)
    where = shelf.part_id, shelf.place_id
    line = next((one for one in known.held.lines if (one.part_id, one.place_id) == where), None) if known.held else None
    if line is None:
        return []
    serials = named_now(draft, shelf, command.order_id)
    if serials != line.serials:
        draft.events.append(_changed(known, command.order_id, line, serials, "named-anew"))
    return draft.events


def _changed(
    known: Reservation,
    order_id: str,
    line: PlacedLine,
    serials: tuple[str, ...],
    reason: Literal["named-anew", "fetched", "used"],
) -> ReservedPiecesChanged:
    return ReservedPiecesChanged(
        order_id=order_id,
        request_id=known.request_id,
        part_id=line.part_id,
        place_id=line.place_id,
        serials=serials,
        instead_of=tuple([serial for serial in line.serials if serial not in serials]),
        reason=reason,
    )


def release_reads(command: ReleaseParts) -> tuple[str, ...]:
    return _reads(command.order_id, command.held)


def release(states: States, command: ReleaseParts) -> list[Event]:
    known: Reservation = states[reservation_stream(command.order_id)]
    released = ReservationReleased(order_id=command.order_id, request_id=command.request_id, reason=command.reason)
    if known.held is None and command.reason == "order-cancelled":
        # Nobody will want what was recommended.
        return [released] if known.recommended and not (known.done or known.called_off) else []
    if known.held is None or command.visit_id not in ("", known.held.visit_id):
        return []
    draft = Draft(states)
    _return(draft, known.held, command.order_id)
    return [*draft.events, released]


def expire(known: Reservation, command: ExpireReservation) -> list[Event]:
    if known.held is None or known.held.expires_at != command.due_at:
        return []
    return [ReservationExpired(order_id=command.order_id, request_id=known.request_id, visit_id=known.held.visit_id)]


def pick_up_reads(command: PickUpParts) -> tuple[str, ...]:
    van = [Shelf(part_id=shelf.part_id, place_id=command.van_id) for shelf in command.held]
    parts = dict.fromkeys(part_stream(shelf.part_id) for shelf in command.held)
    return *_reads(command.order_id, command.held, van), *parts


def pick_up_claims(command: PickUpParts) -> tuple[tuple[str, str], ...]:
    return pieces_claims([*command.held, *[Shelf(**one.model_dump(exclude={"lots"})) for one in command.pieces]])


def pick_up(states: States, command: PickUpParts) -> list[Event]:
    """
    Those that are named, or others of the same place. Raises Rejected where nothing is set aside, or where it is not
    known which van is meant.
    """
    known: Reservation = states[reservation_stream(command.order_id)]
    held = known.held
    if held is None or not held.lines:
        raise Rejected("reservation.empty", order_id=command.order_id)
    if not held.van_id or held.van_id != command.van_id:
        raise Rejected("reservation.no-van", order_id=command.order_id)
    draft = Draft(states)
    if not all(draft.knows(line.part_id, line.place_id) for line in held.lines):
        raise Rejected("reservation.unseen", order_id=command.order_id)
    seen = {(shelf.part_id, shelf.place_id): shelf.serials for shelf in command.held}
    pieces = {(one.part_id, one.place_id): one for one in command.pieces}
    fetched = []
    for line in [line for line in held.lines if line.place_id != held.van_id]:
        where = line.part_id, line.place_id
        if where not in pieces and not {*line.serials} <= {*seen[where]}:
            raise Rejected("reservation.unseen", order_id=command.order_id)
        one = pieces.get(where) or FetchedPieces(part_id=where[0], place_id=where[1], serials=line.serials)
        fetched.append(with_serials(line, one.serials))
        if line.serials and {*one.serials} != {*line.serials}:
            draft.events.append(_changed(known, command.order_id, line, one.serials, "fetched"))
        if (part := states[part_stream(line.part_id)]) is not None:
            must_be_named(part, "good", line.quantity, one.serials, one.lots)
        in_van = draft.stock(line.part_id, held.van_id).of(command.order_id)
        draft.set_aside(line.part_id, line.place_id, command.order_id, 0)
        sent = StockSent(
            part_id=line.part_id,
            place_id=line.place_id,
            to_place_id=held.van_id,
            transfer_id=command.order_id,
            quantity=line.quantity,
            serials=one.serials,
            lots=one.lots,
        )
        draft.take_out(sent)
        arrived = StockArrived(
            part_id=line.part_id,
            place_id=held.van_id,
            from_place_id=line.place_id,
            transfer_id=command.order_id,
            quantity=line.quantity,
            serials=one.serials,
            lots=one.lots,
        )
        draft.add(arrived)
        draft.set_aside(line.part_id, held.van_id, command.order_id, in_van + line.quantity)
        draft.name(Shelf(part_id=line.part_id, place_id=held.van_id, serials=one.serials), command.order_id)
    if fetched:
        ids = {"order_id": command.order_id, "request_id": command.request_id}
        picked = PartsPickedUp(**ids, engineer_id=held.engineer_id, van_id=held.van_id, lines=tuple(fetched))
        draft.events.append(picked)
    return draft.events


def settle_reads(command: SettleVisit) -> tuple[str, ...]:
    parts = dict.fromkeys(part_stream(used.part_id) for used in command.used)
    shelves = _reads(command.order_id, command.shelves, command.held)
    return *shelves, *parts, old_parts_stream(command.order_id), RULES_STREAM


def settle_claims(command: SettleVisit) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys([claim for used in command.used for claim in named(used.part_id, used.serials)]))


def settle(states: States, command: SettleVisit) -> list[Event]:
    """
    What was used is booked whatever became of the order: it is a fact.

    A visit that was aborted gives up what was set aside for it alone; by now the parts may be another visit's.
    """
    known: Reservation = states[reservation_stream(command.order_id)]
    if command.visit_id in known.settled:
        return []
    draft = Draft(states)
    ids = {"order_id": command.order_id, "request_id": command.request_id}
    ends = known.held is not None and (command.completed or known.held.visit_id == command.visit_id)
    if known.held and ends:
        _return(draft, known.held, command.order_id)
        draft.events += _used_instead(known, known.held, command)
    for used in command.used:
        draft.consume(used, states[part_stream(used.part_id)], command.device_id, **ids)
    if ends:
        reason = "consumed" if command.completed else "visit-aborted"
        draft.events.append(ReservationReleased(**ids, reason=reason))
    draft.events.append(VisitSettled(**ids, visit_id=command.visit_id, completed=command.completed))
    draft.events += _old_parts(command, states[RULES_STREAM])
    for shelf in command.shelves:
        draft.warn(shelf)
    return draft.events


def _used_instead(known: Reservation, held: Held, command: SettleVisit) -> list[Event]:
    """Parts of which other pieces were used than those that were named for the order."""
    found: list[Event] = []
    for used in command.used:
        named_for_it = [serial for line in held.lines if line.part_id == used.part_id for serial in line.serials]
        if named_for_it and not {*used.serials} <= {*named_for_it}:
            line = PlacedLine(used.part_id, used.place_id, used.quantity, tuple(named_for_it))
            found.append(_changed(known, command.order_id, line, used.serials, "used"))
    return found


def _old_parts(command: SettleVisit, rules: StockRulesSet) -> list[Event]:
    pieces: dict[str, int] = {}
    for used in command.used:
        pieces[used.part_id] = pieces.get(used.part_id, 0) + used.old_returned
    lines = tuple([PartLine(part_id, quantity) for part_id, quantity in pieces.items() if quantity])
    if not lines or command.ended_at is None:
        return []
    return [
        OldPartsDue(
            order_id=command.order_id,
            request_id=command.request_id,
            engineer_id=command.engineer_id,
            lines=lines,
            due_at=command.ended_at + timedelta(days=rules.old_parts_within_days),
        )
    ]


def _return(draft: Draft, held: Held, order_id: str) -> None:
    _must_be_named(draft, held.lines)
    for line in held.lines:
        draft.set_aside(line.part_id, line.place_id, order_id, 0)


def _must_be_named(draft: Draft, lines: Iterable[PlacedLine]) -> None:
    """Raises NotYet when the view that the command was made from had not seen where something is set aside."""
    if unseen := [
        f"{line.part_id} at {line.place_id}" for line in lines if not draft.knows(line.part_id, line.place_id)
    ]:
        raise NotYet(f"the view has not seen that {', '.join(unseen)} is set aside")


def evolve(reservation: Reservation, event: ReservationEvent) -> Reservation:
    reservation = replace(reservation, request_id=event.request_id)
    held = reservation.held
    match event:
        case PartsRecommended():
            return replace(reservation, recommended=event.lines)
        case PartsReserved():
            return replace(reservation, held=_held(event, event.lines), called_off=False)
        case PartsShort():
            return replace(reservation, held=replace(held or _held(event, ()), short=event.lines), called_off=False)
        case PartsPickedUp():
            return replace(
                reservation, held=held and replace(held, lines=in_the_van(held.lines, event.lines, event.van_id))
            )
        case ReservedPiecesChanged():
            return replace(reservation, held=held and replace(held, lines=with_pieces(held.lines, event)))
        case ReservationExpired():
            return replace(reservation, held=held and replace(held, expires_at=None))
        case ReservationReleased():
            over = {held.visit_id} if held and event.reason != MISSING else set()
            called_off = event.reason == "order-cancelled"
            return replace(reservation, held=None, given_up=reservation.given_up | over, called_off=called_off)
        case VisitSettled():
            settled = reservation.settled | {event.visit_id}
            return replace(reservation, settled=settled, done=reservation.done or event.completed)
        case _:
            assert_never(event)


def _held(event: PartsReserved | PartsShort, lines: tuple[PlacedLine, ...]) -> Held:
    return Held(
        visit_id=event.visit_id,
        lines=lines,
        engineer_id=event.engineer_id,
        van_id=event.van_id,
        expires_at=event.expires_at,
    )


RESERVATION: Stream[Reservation] = Stream("reservation", Reservation(), evolve)

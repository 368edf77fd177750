"""
What a visit costs and who pays, and what it comes to after all where a manager or a corrected coverage says so.

All in fen. A line is worked out by itself, rounded half a fen upwards; sums are sums of lines, so they are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from contracts.event import Event
from contracts.fieldwork import (
    ChargeCorrected,
    ChargeDisputed,
    ChargeDisputeResolved,
    ChargeLine,
    Entitled,
    ServiceCharged,
)
from contracts.problems import Rejected
from fieldwork.commands import CorrectCharge, LineCorrection
from fieldwork.domain.prices import PriceList, Prices, in_force
from fieldwork.domain.visit import Aborted, Completed
from services.chassis.journal.rules import Stream

HOUR_S: Final = 3_600


@dataclass(frozen=True)
class Charged:
    """A charge as it stands."""

    first: ServiceCharged
    lines: tuple[ChargeLine, ...]
    corrections: int = 0
    disputes: int = 0
    dispute: ChargeDisputed | None = None
    """The one that is open."""


Lists = Mapping[str, Prices]
"""Price lists by id, the standard one under the empty id."""


def charge_stream(visit_id: str) -> str:
    return f"charge/{visit_id}"


def first(
    visit: Completed | Aborted,
    lists: Lists,
    entitled: tuple[Entitled, ...],
    at: datetime,
    *,
    charged_at: datetime,
    entitled_at: datetime | None = None,
) -> list[Event]:
    """
    The charge of a visit that has ended, by the prices of `at`.

    Nothing where no list was in force: then it is no service that is sold. Of one that was aborted nothing is charged
    but that nobody was there, where the list has a price for it: the rest is not the customer's doing.
    """
    standard = in_force(lists[""], at)
    if standard is None:
        return []
    if isinstance(visit, Aborted):
        fen = getattr(standard, "in_vain_fen", 0) if visit.reason == "nobody-there" else 0
        lines: tuple[ChargeLine, ...] = (ChargeLine("travel", "", 1, fen, fen, 0, 0, "not-covered"),) if fen else ()
    else:
        lines = lines_of(visit, lists, entitled, at)
    if not lines:
        return []
    facts: dict[str, Any] = _sums(lines)
    return [
        ServiceCharged(
            visit_id=visit.plan.visit_id,
            order_id=visit.plan.order_id,
            request_id=visit.plan.request_id,
            customer_id=visit.plan.customer_id,
            device_id=visit.plan.device_id,
            list_version=standard.version,
            lines=lines,
            in_vain=isinstance(visit, Aborted),
            charged_at=charged_at,
            entitled_at=entitled_at,
            **facts,
        )
    ]


def lines_of(visit: Completed, lists: Lists, entitled: tuple[Entitled, ...], at: datetime) -> tuple[ChargeLine, ...]:
    """What the work costs, each line by the prices that are agreed for its kind. A standard list must be in force."""
    pays = {one.kind: one for one in entitled}
    labour, labour_list = _price_list(lists, pays["labour"], at)
    steps = -(-visit.labour_s // labour.labour_step_s)
    labour_s = steps * labour.labour_step_s
    labour_fen = _round(labour_s * labour.labour_fen_per_h, HOUR_S)
    lines = [_line("labour", "", labour_s, labour.labour_fen_per_h, labour_fen, pays["labour"], labour_list)]
    pieces: dict[str, int] = {}
    for part in visit.parts:
        pieces[part.part_id] = pieces.get(part.part_id, 0) + part.quantity
    for part_id, quantity in pieces.items():
        price, list_id = _part_price(lists, pays["parts"], part_id, at)
        if price is None:
            lines.append(ChargeLine("part", part_id, quantity, 0, 0, 0, 0, "no-price"))
        else:
            lines.append(_line("part", part_id, quantity, price, quantity * price, pays["parts"], list_id))
    travel, travel_list = _price_list(lists, pays["travel"], at)
    lines.append(_line("travel", "", 1, travel.travel_fen, travel.travel_fen, pays["travel"], travel_list))
    return tuple(lines)


def _price_list(lists: Lists, pays: Entitled, at: datetime) -> tuple[PriceList, str]:
    """The contract's list, while one is in force; else the standard one."""
    if pays.list_id and (agreed := in_force(lists[pays.list_id], at)):
        return agreed, pays.list_id
    standard = in_force(lists[""], at)
    assert standard is not None, "nothing is charged where no standard list is in force"
    return standard, ""


def _part_price(lists: Lists, pays: Entitled, part_id: str, at: datetime) -> tuple[int | None, str]:
    """The price of a piece and whose list it is of; a contract's list needs not name every part."""
    for list_id in dict.fromkeys([pays.list_id, ""]):
        listed = in_force(lists[list_id], at)
        price = next((one.unit_fen for one in listed.parts if one.part_id == part_id), None) if listed else None
        if price is not None:
            return price, list_id
    return None, ""


def _line(
    kind: Literal["labour", "part", "travel"],
    item: str,
    quantity: int,
    unit_fen: int,
    gross_fen: int,
    pays: Entitled,
    list_id: str,
) -> ChargeLine:
    covered_fen = _round(gross_fen * pays.percent, 100)
    cited = pays.coverage_id, pays.coverage_kind, pays.until
    return ChargeLine(kind, item, quantity, unit_fen, gross_fen, covered_fen, pays.percent, pays.why, *cited, list_id)


def _round(numerator: int, denominator: int) -> int:
    """Half upwards, in whole numbers: a float does not know every fen."""
    return (2 * numerator + denominator) // (2 * denominator)


SUMS: Final = ("gross_fen", "warranty_fen", "contract_fen", "company_fen", "customer_fen")


def _sums(lines: Iterable[ChargeLine]) -> dict[str, int]:
    gross_fen = sum(one.gross_fen for one in lines)
    covered = {
        kind: sum(one.covered_fen for one in lines if one.coverage_kind == kind) for kind in ("warranty", "contract")
    }
    company_fen = sum(one.company_fen for one in lines)
    return {
        "gross_fen": gross_fen,
        "warranty_fen": covered["warranty"],
        "contract_fen": covered["contract"],
        "company_fen": company_fen,
        "customer_fen": gross_fen - covered["warranty"] - covered["contract"] - company_fen,
        "unpriced": sum(one.why == "no-price" and not one.by_hand for one in lines),
    }


# Corrections.


def anew(
    charged: Charged, visit: Completed, lists: Lists, entitled: tuple[Entitled, ...], at: datetime
) -> tuple[ChargeLine, ...]:
    """The lines by another entitlement and the same version of the standard list; what a manager said stays."""
    of_then = {**lists, "": tuple([one for one in lists[""] if one.version <= charged.first.list_version])}
    by_hand = {(one.kind, one.item): one for one in charged.lines if one.by_hand}
    return tuple([by_hand.get((one.kind, one.item), one) for one in lines_of(visit, of_then, entitled, at)])


def corrected(
    charged: Charged,
    lines: tuple[ChargeLine, ...],
    *,
    reason: Literal["coverage-set", "device-corrected", "by-hand"],
    at: datetime,
    note: str = "",
) -> list[Event]:
    """Nothing where it comes to the very same."""
    if lines == charged.lines:
        return []
    before, after, first = _sums(charged.lines), _sums(lines), charged.first
    return [
        ChargeCorrected(
            visit_id=first.visit_id,
            order_id=first.order_id,
            request_id=first.request_id,
            customer_id=first.customer_id,
            device_id=first.device_id,
            number=charged.corrections + 1,
            reason=reason,
            note=note,
            before=charged.lines,
            lines=lines,
            **after,
            **{f"{name.removesuffix('_fen')}_diff_fen": after[name] - before[name] for name in SUMS},
            corrected_at=at,
        )
    ]


def correct(charged: Charged | None, command: CorrectCharge) -> list[Event]:
    """
    A manager says what lines come to and who pays. Raises Rejected for a line that the charge does not have, and for
    more that is covered than it costs.
    """
    known = must_be_charged(charged, command.visit_id)
    return corrected(known, by_hand(known, command.lines), reason="by-hand", at=command.at, note=command.reason)


def must_be_charged(charged: Charged | None, visit_id: str) -> Charged:
    if charged is None:
        raise Rejected("charge.none", visit_id=visit_id)
    return charged


def by_hand(charged: Charged, told: Iterable[LineCorrection]) -> tuple[ChargeLine, ...]:
    """The lines as a manager says they are. Raises Rejected as `correct` does."""
    lines = {(one.kind, one.item): one for one in charged.lines}
    for said in told:
        known = lines.get((said.kind, said.item))
        if known is None:
            raise Rejected("charge.no-such-line", visit_id=charged.first.visit_id, kind=said.kind, item=said.item)
        lines[said.kind, said.item] = _by_hand(known, said)
    return tuple(lines.values())


def _by_hand(known: ChargeLine, said: LineCorrection) -> ChargeLine:
    gross_fen = known.gross_fen if said.gross_fen is None else said.gross_fen
    covered_fen = 0 if said.pays == "customer" else said.covered_fen
    if covered_fen + said.company_fen > gross_fen:
        raise Rejected("charge.covered-more", kind=said.kind, item=said.item, gross_fen=gross_fen)
    kept = known.coverage_kind == said.pays
    return msgspec.structs.replace(
        known,
        gross_fen=gross_fen,
        covered_fen=covered_fen,
        percent=_round(covered_fen * 100, gross_fen) if gross_fen else 0,
        why="covered" if covered_fen else "not-covered",
        coverage_kind="" if said.pays == "customer" else said.pays,
        coverage_id=known.coverage_id if kept else "",
        until=known.until if kept else None,
        by_hand=True,
        company_fen=said.company_fen,
    )


ChargeEvent = ServiceCharged | ChargeCorrected | ChargeDisputed | ChargeDisputeResolved


def evolve(charged: Charged | None, event: ChargeEvent) -> Charged | None:
    match event:
        case ServiceCharged():
            return Charged(event, event.lines)
        case ChargeCorrected():
            return charged and replace(charged, lines=event.lines, corrections=event.number)
        case ChargeDisputed():
            return charged and replace(charged, disputes=event.number, dispute=event)
        case ChargeDisputeResolved():
            return charged and replace(charged, dispute=None)


CHARGE: Stream[Charged | None] = Stream("charge", None, evolve)

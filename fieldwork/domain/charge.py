"""
What completed work costs and who pays: prices in versions, warranties and contracts, and the charge itself.

All in fen. A line is worked out by itself, rounded half a fen upwards; sums are sums of lines, so they are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from contracts.event import Event
from contracts.fieldwork import ChargeLine, CoverageSet, PartPrice, PricesDefined, ServiceCharged, Term
from contracts.problems import Rejected
from fieldwork.commands import ChargeService, Cover, DefinePrices, SetCoverage
from fieldwork.domain.visit import Completed, visit_stream
from services.chassis.journal.rules import States, Stream

PRICES_STREAM: Final = "price-list/standard"
HOUR_S: Final = 3_600

Prices = tuple[PricesDefined, ...]
"""Every version, in order."""
Coverages = Mapping[str, CoverageSet]
"""What is set for a device, by id."""
Charged = bool


def coverage_stream(device_id: str) -> str:
    return f"coverage/{device_id}"


def charge_stream(visit_id: str) -> str:
    return f"charge/{visit_id}"


def define_prices(prices: Prices, command: DefinePrices) -> list[Event]:
    """Raises Rejected for a part that is there twice: it would be chance which price counts."""
    listed = [one.part_id for one in command.parts]
    if twice := next((part_id for n, part_id in enumerate(listed) if part_id in listed[:n]), ""):
        raise Rejected("prices.twice", part_id=twice)
    defined = PricesDefined(
        list_id="standard",
        version=len(prices) + 1,
        effective_from=command.effective_from,
        labour_fen_per_h=command.labour_fen_per_h,
        labour_step_s=command.labour_step_s,
        travel_fen=command.travel_fen,
        parts=tuple([PartPrice(one.part_id, one.unit_fen) for one in command.parts]),
    )
    return [] if prices and _as_version(defined, prices[-1].version) == prices[-1] else [defined]


def _as_version(defined: PricesDefined, version: int) -> PricesDefined:
    return PricesDefined(**{name: getattr(defined, name) for name in defined.__struct_fields__} | {"version": version})


def set_coverage(coverages: Coverages, command: SetCoverage) -> list[Event]:
    """Raises Rejected for a term that ends before it begins."""
    for name in ("labour", "parts", "travel"):
        if getattr(command, name).until < command.starts_at:
            raise Rejected("coverage.ends-before", field=name, starts_at=command.starts_at.isoformat())
    event = CoverageSet(
        device_id=command.device_id,
        coverage_id=command.coverage_id,
        kind=command.kind,
        starts_at=command.starts_at,
        labour=_term(command.labour),
        parts=_term(command.parts),
        travel=_term(command.travel),
    )
    return [] if coverages.get(command.coverage_id) == event else [event]


def _term(cover: Cover) -> Term:
    return Term(cover.percent, cover.until)


def charge_reads(command: ChargeService) -> tuple[str, ...]:
    device = (coverage_stream(command.device_id),) if command.device_id else ()
    return visit_stream(command.visit_id), charge_stream(command.visit_id), PRICES_STREAM, *device


def charge(states: States, command: ChargeService) -> list[Event]:
    """Nothing where it was charged, is not completed, or no list was in force: then it is no service that is sold."""
    visit = states[visit_stream(command.visit_id)]
    charged: Charged = states[charge_stream(command.visit_id)]
    prices: Prices = states[PRICES_STREAM]
    if charged or not isinstance(visit, Completed):
        return []
    began_at = visit.arrived_at
    inforce = [one for one in prices if one.effective_from <= began_at]
    if not inforce:
        return []
    # Of two that begin at the same time the later version puts the earlier one right.
    listed = max(inforce, key=lambda one: (one.effective_from, one.version))
    coverages: Coverages = states[coverage_stream(command.device_id)] if command.device_id else {}
    lines = _lines(visit, listed, coverages, began_at)
    covered = {kind: sum(one.covered_fen for one in lines if one.coverage_kind == kind) for kind in _KINDS}
    gross_fen = sum(one.gross_fen for one in lines)
    return [
        ServiceCharged(
            visit_id=visit.plan.visit_id,
            order_id=visit.plan.order_id,
            request_id=visit.plan.request_id,
            customer_id=visit.plan.customer_id,
            device_id=command.device_id,
            list_version=listed.version,
            lines=lines,
            gross_fen=gross_fen,
            warranty_fen=covered["warranty"],
            contract_fen=covered["contract"],
            customer_fen=gross_fen - covered["warranty"] - covered["contract"],
            unpriced=sum(one.why == "no-price" for one in lines),
            charged_at=command.at,
        )
    ]


_KINDS: Final = ("warranty", "contract")
Covered = Literal["labour", "parts", "travel"]


def _lines(visit: Completed, prices: PricesDefined, coverages: Coverages, began_at: datetime) -> tuple[ChargeLine, ...]:
    unit_fen = {one.part_id: one.unit_fen for one in prices.parts}
    steps = -(-visit.labour_s // prices.labour_step_s)
    labour_s = steps * prices.labour_step_s
    labour_fen = _round(labour_s * prices.labour_fen_per_h, HOUR_S)
    lines = [_line("labour", "", labour_s, prices.labour_fen_per_h, labour_fen, coverages, began_at)]
    pieces: dict[str, int] = {}
    for part in visit.parts:
        pieces[part.part_id] = pieces.get(part.part_id, 0) + part.quantity
    for part_id, quantity in pieces.items():
        if (price := unit_fen.get(part_id)) is None:
            lines.append(ChargeLine("part", part_id, quantity, 0, 0, 0, 0, "no-price"))
        else:
            lines.append(_line("part", part_id, quantity, price, quantity * price, coverages, began_at))
    lines.append(_line("travel", "", 1, prices.travel_fen, prices.travel_fen, coverages, began_at))
    return tuple(lines)


def _line(
    kind: Literal["labour", "part", "travel"],
    item: str,
    quantity: int,
    unit_fen: int,
    gross_fen: int,
    coverages: Coverages,
    began_at: datetime,
) -> ChargeLine:
    what: Covered = "parts" if kind == "part" else kind
    told = kind, item, quantity, unit_fen, gross_fen
    begun = [one for one in coverages.values() if one.starts_at <= began_at and getattr(one, what).percent]
    if not begun:
        return ChargeLine(*told, 0, 0, "not-covered")

    def worth(one: CoverageSet) -> tuple[bool, int, bool, datetime, str]:
        term: Term = getattr(one, what)
        # One that still pays goes first; then who pays more; a warranty before a contract, which the customer pays for.
        return began_at < term.until, term.percent, one.kind == "warranty", term.until, one.coverage_id

    best = max(begun, key=worth)
    term: Term = getattr(best, what)
    if began_at >= term.until:
        return ChargeLine(*told, 0, 0, "over", best.coverage_id, best.kind, term.until)
    covered_fen = _round(gross_fen * term.percent, 100)
    return ChargeLine(*told, covered_fen, term.percent, "covered", best.coverage_id, best.kind, term.until)


def _round(numerator: int, denominator: int) -> int:
    """Half upwards, in whole numbers: a float does not know every fen."""
    return (2 * numerator + denominator) // (2 * denominator)


def evolve_prices(prices: Prices, event: PricesDefined) -> Prices:
    return (*prices, event)


def evolve_coverages(coverages: Coverages, event: CoverageSet) -> Coverages:
    return {**coverages, event.coverage_id: event}


def evolve_charged(charged: Charged, event: ServiceCharged) -> Charged:
    return True


PRICES: Stream[Prices] = Stream("price-list", (), evolve_prices)
COVERAGES: Stream[Coverages] = Stream("coverage", {}, evolve_coverages)
CHARGE: Stream[Charged] = Stream("charge", False, evolve_charged)
STREAMS: Final = (PRICES, COVERAGES, CHARGE)

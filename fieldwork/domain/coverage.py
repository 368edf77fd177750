"""
Warranties and contracts of a device, and who pays for work on it at a given instant.

The device's stream also holds what intake's register says of it, and which orders were decided upon: a correction finds
them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from contracts.event import Event
from contracts.fieldwork import CoverageSet, DeviceNoted, Entitled, OrderNoted, Term
from contracts.problems import Rejected
from fieldwork.commands import Cover, SetCoverage
from services.chassis.journal.rules import Stream

Kind = Literal["labour", "parts", "travel"]
OF_MODEL: Final = "model-warranty"
"""The id of the coverage that follows from the warranty of the device's model; nobody sets it by hand."""
KINDS: Final[tuple[Kind, ...]] = ("labour", "parts", "travel")


@dataclass(frozen=True)
class Device:
    """A device as far as it matters who pays for work on it."""

    coverages: Mapping[str, CoverageSet] = field(default_factory=dict)
    """By id."""
    noted: DeviceNoted | None = None
    """What the register says; None until intake has told."""
    orders: tuple[str, ...] = ()
    """Those that were decided upon."""


def coverage_stream(device_id: str) -> str:
    return f"coverage/{device_id}"


def set_coverage(device: Device, command: SetCoverage) -> list[Event]:
    """Raises Rejected for a term that ends before it begins, and for the one that follows from the model."""
    if command.coverage_id == OF_MODEL:
        raise Rejected("coverage.of-model", coverage_id=command.coverage_id)
    for name in KINDS:
        if getattr(command, name).until < command.starts_at:
            raise Rejected("coverage.ends-before", field=name, starts_at=command.starts_at.isoformat())
    known = device.coverages.get(command.coverage_id)

    def event(version: int) -> CoverageSet:
        return CoverageSet(
            device_id=command.device_id,
            coverage_id=command.coverage_id,
            kind=command.kind,
            starts_at=command.starts_at,
            labour=_term(command.labour),
            parts=_term(command.parts),
            travel=_term(command.travel),
            version=version,
            customer_id=command.customer_id,
            device_model=command.device_model,
            list_id=command.list_id,
        )

    if known is None:
        return [event(1)]
    return [] if event(known.version) == known else [event(known.version + 1)]


def _term(cover: Cover) -> Term:
    return Term(cover.percent, cover.until)


def entitled(device: Device, customer_id: str, at: datetime) -> tuple[Entitled, ...]:
    """
    Who pays for each kind of cost of an order of this customer that was opened then.

    Of several coverages the one that pays most pays, of equals the warranty, before a contract that the customer
    pays for. A contract without a percentage may still have prices of its own.
    """
    begun = [one for one in device.coverages.values() if one.starts_at <= at and _of_this(one, device, customer_id)]
    return tuple([_of_kind(kind, begun, at) for kind in KINDS])


def _of_this(coverage: CoverageSet, device: Device, customer_id: str) -> bool:
    """Whether it is for the device as the register has it; until that has told, the order's customer owns it."""
    noted = device.noted
    owner = noted.customer_id if noted else customer_id
    model = noted.model if noted else coverage.device_model
    return coverage.customer_id in ("", owner) and coverage.device_model in ("", model)


def _of_kind(kind: Kind, begun: list[CoverageSet], at: datetime) -> Entitled:
    def term(one: CoverageSet) -> Term:
        found: Term = getattr(one, kind)
        return found

    told = [one for one in begun if term(one).percent or one.list_id]
    if not told:
        return Entitled(kind, 0, "not-covered")

    def worth(one: CoverageSet) -> tuple[bool, int, bool, datetime, str]:
        # One that still pays goes first; then who pays more; a warranty before a contract.
        return at < term(one).until, term(one).percent, one.kind == "warranty", term(one).until, one.coverage_id

    best = max(told, key=worth)
    cited = best.coverage_id, best.kind, best.version, term(best).until
    if at >= term(best).until:
        return Entitled(kind, 0, "over", *cited)
    return Entitled(kind, term(best).percent, "covered", *cited, best.list_id)


def evolve(device: Device, event: CoverageSet | DeviceNoted | OrderNoted) -> Device:
    match event:
        case CoverageSet():
            return replace(device, coverages={**device.coverages, event.coverage_id: event})
        case DeviceNoted():
            return replace(device, noted=event)
        case OrderNoted():
            return replace(device, orders=(*device.orders, event.order_id))


COVERAGES: Stream[Device] = Stream("coverage", Device(), evolve)

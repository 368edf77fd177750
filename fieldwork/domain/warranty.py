"""
The warranty of a model: from the day on which a device was put into service, a coverage for each device of it.

It is a coverage like any other from there on, set anew when the device's register or the model's warranty is corrected.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time
from typing import Final

import msgspec

from contracts.event import Event
from contracts.fieldwork import CoverageSet, DeviceNoted, Term, WarrantyDefined, WarrantyTerm
from fieldwork.commands import DefineWarranty
from fieldwork.domain.coverage import OF_MODEL, Device
from services.chassis.clock import TENANT_ZONE
from services.chassis.journal.rules import Stream

Warranty = tuple[WarrantyDefined, ...]
"""Every version of a model's warranty, in order."""


def warranty_stream(model: str) -> str:
    return f"warranty/{model}"


def define(known: Warranty, command: DefineWarranty) -> list[Event]:
    def version(number: int) -> WarrantyDefined:
        return WarrantyDefined(
            device_model=command.device_model,
            version=number,
            effective_from=command.effective_from.isoformat(),
            labour=WarrantyTerm(command.labour.percent, command.labour.months),
            parts=WarrantyTerm(command.parts.percent, command.parts.months),
            travel=WarrantyTerm(command.travel.percent, command.travel.months),
            from_purchase=command.from_purchase,
        )

    return [] if known and version(len(known)) == known[-1] else [version(len(known) + 1)]


NOTHING: Final = WarrantyTerm(0, 0)


def of_device(device: Device, noted: DeviceNoted, warranty: Warranty) -> CoverageSet | None:
    """
    The coverage that the model's warranty is for this device, where it is another than the one that it has.

    One that it had and has no right to any more covers nothing from its beginning on.
    """
    known = device.coverages.get(OF_MODEL)
    defined, begins = _in_force(noted, warranty)
    if defined is None or begins is None:
        if known is None or not (known.labour.percent or known.parts.percent or known.travel.percent):
            return None
        return msgspec.structs.replace(
            known,
            version=known.version + 1,
            **{name: Term(0, getattr(known, name).until) for name in ("labour", "parts", "travel")},
        )
    told = CoverageSet(
        device_id=noted.device_id,
        coverage_id=OF_MODEL,
        kind="warranty",
        starts_at=_begin_of(begins),
        labour=_term(defined.labour, begins),
        parts=_term(defined.parts, begins),
        travel=_term(defined.travel, begins),
        version=known.version if known else 1,
        device_model=noted.model,
    )
    if known is None or told == known:
        return None if known else told
    return msgspec.structs.replace(told, version=known.version + 1)


def _in_force(noted: DeviceNoted, warranty: Warranty) -> tuple[WarrantyDefined | None, date | None]:
    """The newest version for the day on which the warranty of this device begins, and that day."""
    found: list[tuple[str, int, WarrantyDefined, date]] = []
    for one in warranty:
        begins = noted.purchased_on if one.from_purchase else noted.in_service_on or noted.purchased_on
        if begins and one.effective_from <= begins:
            found.append((one.effective_from, one.version, one, date.fromisoformat(begins)))
    if not found:
        return None, None
    _, _, defined, begins_on = max(found, key=lambda one: one[:2])
    return defined, begins_on


def _term(term: WarrantyTerm, begins: date) -> Term:
    return Term(term.percent, _begin_of(months_after(begins, term.months)))


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last; up to then, and not with it, so many months have passed."""
    year, month = divmod(day.month - 1 + months, 12)
    year += day.year
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _begin_of(day: date) -> datetime:
    return datetime.combine(day, time(), TENANT_ZONE).astimezone(UTC)


WARRANTY: Stream[Warranty] = Stream("warranty", (), lambda known, event: (*known, event))

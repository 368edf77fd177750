"""The codes of causes and remedies, in versions: what a record of work may say, and what a late phone may still say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from contracts.event import Event
from contracts.fieldwork import ServiceCode, ServiceCodesDefined
from contracts.problems import Rejected
from fieldwork.commands import Code, DefineCodes
from services.chassis.journal.rules import Stream

CODES_STREAM: Final = "service-codes/service"


Codes = Mapping[int, ServiceCodesDefined]
"""Every version by its number; none where a firm has defined no list."""
NONE: Final[Codes] = {}


def define(codes: Codes, command: DefineCodes) -> list[Event]:
    for kind, listed in (("causes", command.causes), ("remedies", command.remedies)):
        seen = set()
        for one in listed:
            if one.code in seen:
                raise Rejected("codes.twice", field=kind, twice=one.code)
            seen.add(one.code)
    newest = codes.get(len(codes))
    defined = ServiceCodesDefined(
        list_id="service",
        version=len(codes) + 1,
        causes=_as_kept(command.causes),
        remedies=_as_kept(command.remedies),
    )
    same = newest and (newest.causes, newest.remedies) == (defined.causes, defined.remedies)
    return [] if same else [defined]


def _as_kept(codes: tuple[Code, ...]) -> tuple[ServiceCode, ...]:
    return tuple([ServiceCode(one.code, one.en, one.zh) for one in codes])


def version_for(codes: Codes, cause: str, remedy: str, version: int) -> int:
    """
    The version that the two codes are of: the one that is named, else the newest.

    Where no list is defined, any code will do and it is 0. Raises Rejected for a code that is not on the list.
    """
    if not codes and not version:
        return 0
    chosen = codes.get(version or len(codes))
    if chosen is None:
        raise Rejected("codes.unknown-version", codes_version=version, newest=len(codes))
    listed: tuple[tuple[Literal["cause", "action"], str, tuple[ServiceCode, ...]], ...]
    listed = (("cause", cause, chosen.causes), ("action", remedy, chosen.remedies))
    for name, code, known in listed:
        if code not in {one.code for one in known}:
            raise Rejected("codes.not-listed", field=name, value=code, codes_version=chosen.version)
    return chosen.version


def evolve(codes: Codes, event: ServiceCodesDefined) -> Codes:
    return {**codes, event.version: event}


SERVICE_CODES: Stream[Codes] = Stream("service-codes", NONE, evolve)

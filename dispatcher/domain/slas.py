"""What a company promises, in revisions: one stream, so that an opened order finds the one that holds for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from contracts.dispatcher import ClockTerms, SlaClock, SlaDefined
from contracts.event import Event
from contracts.intake import Urgency
from contracts.problems import Rejected
from dispatcher.commands import DefineSla, ReviseSla
from dispatcher.domain import calendars

STREAM: Final = "slas"

ASSIGN_WITHIN_S: Final = 30 * 60
"""Somebody is to be assigned so soon where a service level says nothing of it; clock seconds."""

Slas = Mapping[str, tuple[SlaDefined, ...]]
"""The revisions of each, by id, the newest last."""
SlaCommand = DefineSla | ReviseSla
INITIAL: Slas = {}


def reads(command: SlaCommand) -> tuple[str, ...]:
    return STREAM, calendars.STREAM


def decide(states: Mapping[str, Any], command: SlaCommand) -> list[Event]:
    slas: Slas = states[STREAM]
    revisions = slas.get(command.sla_id, ())
    last = revisions[-1] if revisions else None
    if last is None and isinstance(command, ReviseSla):
        raise Rejected("sla.unknown", sla_id=command.sla_id)
    defined = SlaDefined(
        sla_id=command.sla_id,
        revision=len(revisions) + 1,
        name=command.name,
        effective_from=command.effective_from or command.now,
        request_types=tuple(sorted(set(command.request_types))),
        clocks=tuple(clock.of() for clock in command.clocks),
    )
    twice = [name for name, count in Counter(clock.clock for clock in defined.clocks).items() if count > 1]
    if twice:
        raise Rejected("sla.clock-twice", clock=twice[0])
    for clock in defined.clocks:
        if clock.calendar_id not in (calendars.AROUND_THE_CLOCK, *states[calendars.STREAM]):
            raise Rejected("sla.calendar-unknown", calendar_id=clock.calendar_id, clock=clock.clock)
        _must_move(clock)
    for other, (*_, newest) in slas.items():
        if other != command.sla_id:
            _must_differ(defined, newest)
    if last is not None:
        if command.effective_from in (None, last.effective_from) and _same(last, defined):
            return []
        if isinstance(command, DefineSla):
            raise Rejected("sla.already-defined", sla_id=command.sla_id)
        if defined.effective_from < last.effective_from:
            raise Rejected("sla.effective-before-last", effective_from=last.effective_from.isoformat())
    if defined.effective_from < command.now:
        # Orders that were opened by then cite what held, and are not given another promise after the fact.
        raise Rejected("sla.effective-in-the-past", now=command.now.isoformat())
    return [defined]


def _same(last: SlaDefined, defined: SlaDefined) -> bool:
    return (last.name, last.request_types, last.clocks) == (defined.name, defined.request_types, defined.clocks)


def _must_move(clock: SlaClock) -> None:
    """What it does when something happens is said once, and makes it start, end, and go on from where it waits."""
    for happening, count in Counter(move.happening for move in clock.moves).items():
        if count > 1:
            raise Rejected("sla.move-twice", clock=clock.clock, happening=happening)
    said = {move.condition for move in clock.moves}
    wanted = {"start", "stop", "resume"} if "pause" in said else {"start", "stop"}
    if clock.moves and (lacks := wanted - said):
        raise Rejected("sla.condition-missing", clock=clock.clock, condition=min(lacks))


def _must_differ(defined: SlaDefined, other: SlaDefined) -> None:
    """For every request there is one service level, and nobody has to guess which."""
    if not defined.request_types and not other.request_types:
        raise Rejected("sla.general-taken", sla_id=other.sla_id)
    if both := {*defined.request_types} & {*other.request_types}:
        raise Rejected("sla.type-taken", request_type=min(both), sla_id=other.sla_id)


def evolve(slas: Slas, event: SlaDefined) -> Slas:
    return {**slas, event.sla_id: (*slas.get(event.sla_id, ()), event)}


def for_request(slas: Slas, request_type: str, opened_at: datetime, named: str = "") -> SlaDefined | None:
    """
    The revision that holds for a request of this type at that time.

    The service level that the request's type names goes first, then one that names the type, then the general one. A
    name that no service level has, or none yet, is passed over.
    """
    held = [found for revisions in slas.values() if (found := _held(revisions, opened_at))]
    by_name = [sla for sla in held if sla.sla_id == named]
    by_type = [sla for sla in held if request_type in sla.request_types]
    return next(iter([*by_name, *by_type, *[sla for sla in held if not sla.request_types]]), None)


def held(slas: Slas, sla_id: str, at: datetime) -> SlaDefined:
    """The revision of a service level that holds at that time. Raises Rejected."""
    if sla_id not in slas:
        raise Rejected("sla.not-there", sla_id=sla_id)
    if (found := _held(slas[sla_id], at)) is None:
        raise Rejected("sla.not-yet", sla_id=sla_id, effective_from=slas[sla_id][0].effective_from.isoformat())
    return found


def _held(revisions: tuple[SlaDefined, ...], at: datetime) -> SlaDefined | None:
    return next((revision for revision in reversed(revisions) if revision.effective_from <= at), None)


def terms_of(sla: SlaDefined, urgency: Urgency) -> tuple[ClockTerms, ...]:
    """The terms of each clock; somebody is to be assigned within 30 minutes where nothing else is agreed."""
    found = [_terms(clock, urgency) for clock in sla.clocks]
    if all(terms.clock != "assign" for terms in found):
        found.append(ClockTerms("assign", calendars.AROUND_THE_CLOCK, ASSIGN_WITHIN_S, (), False))
    return tuple(found)


def _terms(clock: SlaClock, urgency: Urgency) -> ClockTerms:
    allowed_s: int = getattr(clock, f"{urgency}_s")
    return ClockTerms(clock.clock, clock.calendar_id, allowed_s, clock.excuses, clock.restarts, clock.moves)

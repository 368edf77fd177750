"""The rules of a company for dispatch, in versions: one stream, so that a decision cites the one that holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from contracts.dispatcher import DispatchRulesSet
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import SetDispatchRules

STREAM: Final = "dispatch-rules"

DispatchRules = tuple[DispatchRulesSet, ...]
"""The versions, the newest last."""
INITIAL: DispatchRules = ()

DEFAULTS: Final = DispatchRulesSet(version=0, effective_from=datetime(1970, 1, 1, tzinfo=UTC))
"""What holds until a company sets its own."""


def decide(states: Mapping[str, Any], command: SetDispatchRules) -> list[Event]:
    known: DispatchRules = states[STREAM]
    last = known[-1] if known else DEFAULTS
    figures = command.model_dump(exclude={"now", "effective_from", "offered_first"})
    decided = DispatchRulesSet(
        version=last.version + 1,
        effective_from=(command.effective_from or command.now).astimezone(UTC),
        offered_first=tuple(one.of() for one in command.offered_first),
        **figures,
    )
    if known and command.effective_from in (None, last.effective_from) and _figures(decided) == _figures(last):
        return []
    if decided.effective_from < last.effective_from:
        raise Rejected("dispatch-rules.effective-before-last", effective_from=last.effective_from.isoformat())
    if decided.effective_from < command.now:
        # What was decided by then cites the version that held, and stays as it is.
        raise Rejected("dispatch-rules.effective-in-the-past", now=command.now.isoformat())
    return [decided]


def evolve(rules: DispatchRules, event: DispatchRulesSet) -> DispatchRules:
    return (*rules, event)


def in_force(rules: DispatchRules, at: datetime) -> DispatchRulesSet:
    return next((one for one in reversed(rules) if one.effective_from <= at), DEFAULTS)


def is_offered_first(rules: DispatchRulesSet, request_type: str, urgency: str) -> bool:
    return any(one.request_type in ("", request_type) and one.urgency in ("", urgency) for one in rules.offered_first)


def _figures(rules: DispatchRulesSet) -> tuple[Any, ...]:
    return tuple(getattr(rules, name) for name in rules.__struct_fields__ if name not in ("version", "effective_from"))

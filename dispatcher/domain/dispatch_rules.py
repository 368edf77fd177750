"""The rules of a company for dispatch, in versions: one stream, so that a decision cites the one that holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from contracts.dispatcher import DispatchRulesSet, RulesFacts
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import RestoreRules, SetDispatchRules

STREAM: Final = "dispatch-rules"

DispatchRules = tuple[DispatchRulesSet, ...]
"""The versions, the newest last."""
INITIAL: DispatchRules = ()

DEFAULTS: Final = DispatchRulesSet(version=0, effective_from=datetime(1970, 1, 1, tzinfo=UTC))
"""What holds until a company sets its own."""


def decide(states: Mapping[str, Any], command: SetDispatchRules | RestoreRules) -> Sequence[Event]:
    known: DispatchRules = states[STREAM]
    if isinstance(command, SetDispatchRules):
        return next_version(known, command.figures(), command.effective_from, command.now)
    earlier = next((one for one in (DEFAULTS, *known) if one.version == command.version), None)
    if earlier is None:
        raise Rejected("dispatch-rules.version-unknown", version=command.version)
    how = {"restores": earlier.version, "reason": command.reason}
    return next_version(known, figures_of(earlier), command.effective_from, command.now, **how)


def next_version(
    known: DispatchRules, figures: Mapping[str, Any], effective_from: datetime | None, now: datetime, **how: Any
) -> list[DispatchRulesSet]:
    """The rules with these figures from then on, or nothing where they hold already. `how` it came to them."""
    last = known[-1] if known else DEFAULTS
    decided = DispatchRulesSet(
        version=last.version + 1, effective_from=(effective_from or now).astimezone(UTC), **figures, **how
    )
    if known and effective_from in (None, last.effective_from) and figures_of(decided) == figures_of(last):
        return []
    if decided.effective_from < last.effective_from:
        raise Rejected("dispatch-rules.effective-before-last", effective_from=last.effective_from.isoformat())
    if decided.effective_from < now:
        # What was decided by then cites the version that held, and stays as it is.
        raise Rejected("dispatch-rules.effective-in-the-past", now=now.isoformat())
    return [decided]


def evolve(rules: DispatchRules, event: DispatchRulesSet) -> DispatchRules:
    return (*rules, event)


def in_force(rules: DispatchRules, at: datetime) -> DispatchRulesSet:
    return next((one for one in reversed(rules) if one.effective_from <= at), DEFAULTS)


def is_offered_first(rules: DispatchRulesSet, request_type: str, urgency: str) -> bool:
    return any(one.request_type in ("", request_type) and one.urgency in ("", urgency) for one in rules.offered_first)


def figures_of(rules: RulesFacts) -> dict[str, Any]:
    """What is the same in a draft and in a version."""
    return {name: getattr(rules, name) for name in RulesFacts.__struct_fields__}

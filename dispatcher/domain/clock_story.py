"""What happened to an order and what was promised for it, as it became known: the facts of its clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from contracts.dispatcher import ClockName, ClockTerms, FactCorrected, PauseReason
from contracts.problems import Rejected
from dispatcher.commands import CorrectFact
from dispatcher.domain.sla_clock import Condition, Fact, Terms

Recorded = Literal["paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]

MOVES: Final[Mapping[ClockName, Mapping[str, Condition]]] = {
    "assign": {
        "opened": "start",
        "paused": "pause",
        "resumed": "resume",
        "assigned": "stop",
        # As with AssignmentOverdue, there is all of the time anew to find somebody else.
        "waiting": "reset",
        "finished": "stop",
        "cancelled": "cancel",
    },
    "arrive": {
        "opened": "start",
        "paused": "pause",
        "resumed": "resume",
        "waiting": "reopen",
        "arrived": "stop",
        "finished": "stop",
        "cancelled": "cancel",
    },
    "fix": {
        "opened": "start",
        "paused": "pause",
        "resumed": "resume",
        "finished": "stop",
        "cancelled": "cancel",
    },
}
"""What moves a clock where its service level does not say it. See decision 14."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Agreed:
    """What was promised from an instant on."""

    at: datetime
    sla_id: str
    revision: int
    clocks: tuple[ClockTerms, ...]


@dataclass(frozen=True)
class Happened:
    """Something that moves clocks, at the time that holds now; None: it never happened."""

    happening: Recorded
    at: datetime | None
    reason: str
    recorded_at: datetime
    """The time that was recorded for it first."""


Story = tuple[Agreed | Happened, ...]
"""As it was known; the opening first. What is corrected is known anew, and goes to the end."""


def agreed(story: Story) -> Agreed:
    """What is promised now."""
    return next(one for one in reversed(story) if isinstance(one, Agreed))


def recorded(story: Story, fact: Happened) -> bool:
    """Whether this was recorded before, corrected meanwhile or not."""
    return any(
        isinstance(one, Happened)
        and (one.happening, one.recorded_at, one.reason) == (fact.happening, fact.recorded_at, fact.reason)
        for one in story
    )


def named(story: Story, command: CorrectFact) -> Happened:
    """The fact that is to be corrected. Raises Rejected where there is none, or more than one."""
    of_kind = [
        one for one in story if isinstance(one, Happened) and one.happening == command.happening and one.at is not None
    ]
    found = [one for one in of_kind if command.was_at in (None, one.at)]
    times = ", ".join(str(one.at and one.at.isoformat()) for one in of_kind) or "-"
    if not found:
        raise Rejected("clock.fact-absent", happening=command.happening, times=times)
    if len(found) > 1:
        raise Rejected("clock.fact-ambiguous", happening=command.happening, times=times)
    return found[0]


def corrected(story: Story, event: FactCorrected) -> Story:
    """The story with this fact at another time, known last."""
    wrong = next(
        one
        for one in story
        if isinstance(one, Happened)
        and (one.happening, one.recorded_at, one.at) == (event.happening, event.recorded_at, event.was_at)
    )
    return (*[one for one in story if one is not wrong], replace(wrong, at=event.happened_at))


def facts_of(story: Story) -> Mapping[ClockName, tuple[Fact, ...]]:
    """
    The facts of each clock that was promised at any time.

    What moves a clock is what its newest terms say, for all that happened: a promise is measured from the start.
    """
    promised: dict[ClockName, ClockTerms] = {}
    for one in story:
        if isinstance(one, Agreed):
            promised |= {terms.clock: terms for terms in one.clocks}
    return {name: tuple(_facts(story, terms)) for name, terms in promised.items()}


def waits_for(story: Story) -> set[str]:
    """The reasons that are open, whatever clock excuses them; all clocks are told of all of them."""
    reasons: set[str] = set()
    pauses = [one for one in story if isinstance(one, Happened) and one.happening in ("paused", "resumed")]
    for one in sorted(pauses, key=lambda one: micros(one.at)):
        if one.at is None:
            continue
        if one.happening == "paused":
            reasons.add(one.reason)
        else:
            reasons = reasons - {one.reason} if one.reason else set()
    return reasons


def moves_of(terms: ClockTerms) -> Mapping[str, Condition]:
    return {move.happening: move.condition for move in terms.moves} or MOVES[terms.clock]


def _facts(story: Story, newest: ClockTerms) -> Iterator[Fact]:
    moves = moves_of(newest)
    by_itself = [one for one, condition in moves.items() if condition == "pause" and one != "paused"]
    begun = False
    for one in story:
        if isinstance(one, Agreed):
            said = next((terms for terms in one.clocks if terms.clock == newest.clock), None)
            yield Fact(micros(one.at), "change", terms=_terms(said, by_itself) if said else None)
            if not begun and "opened" in moves:
                yield Fact(micros(one.at), moves["opened"])
            begun = True
        elif one.at is not None and (condition := moves.get(one.happening)):
            yield from _moved(micros(one.at), one, condition, by_itself)


def _moved(at: int, one: Happened, condition: Condition, by_itself: Sequence[str]) -> Iterator[Fact]:
    """What waits because of what happened is told apart from what waits for a reason that somebody gave."""
    if condition == "pause":
        yield Fact(at, "pause", one.reason if one.happening == "paused" else one.happening)
    elif condition == "resume" and one.happening != "resumed":
        for pausing in by_itself:
            yield Fact(at, "resume", pausing)
    elif condition == "resume" and by_itself and not one.reason:
        for reason in get_args(PauseReason):
            yield Fact(at, "resume", reason)
    else:
        yield Fact(at, condition, one.reason)


def _terms(said: ClockTerms, by_itself: Sequence[str]) -> Terms:
    excuses = frozenset({*said.excuses, *by_itself})
    return Terms(said.calendar_id, said.allowed_s, excuses, said.restarts)


def micros(at: datetime | None) -> int:
    return 0 if at is None else (at - _EPOCH) // timedelta(microseconds=1)


def instant(at: int | None) -> datetime | None:
    return None if at is None else _EPOCH + timedelta(microseconds=at)

"""
A clock that is counted minute by minute, to judge the one that is reckoned. It shares no code with the domain.

For every minute it asks what the clock on the wall of the calendar's zone shows and whether the order waits, as a
person with a stop watch would. Everything is a whole minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

MINUTE = timedelta(minutes=1)
PATIENCE = timedelta(days=120)
"""So far it counts on for a clock that still runs."""

CALENDARS: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("calendars.yaml").read_text())
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def names_weekday(name: str, weekday: str) -> bool:
    """Whether `mon-fri`, `sun-fri`, `sat` or `all` has this day in it."""
    if name == "all" or name == weekday:
        return True
    if "-" not in name:
        return False
    first, last = (WEEKDAYS.index(day) for day in name.split("-"))
    length = (last - first) % 7
    return (WEEKDAYS.index(weekday) - first) % 7 <= length


@cache
def opening(calendar: str, day: str) -> str:
    """The hours of a local day as they are written."""
    said = CALENDARS[calendar]
    for dates, hours in said.get("days", {}).items():
        first, _, last = str(dates).partition("/")
        if first <= day <= (last or first):
            return str(hours)
    since = max((date for date in said["weeks"] if date <= day), default=None)
    weekday = WEEKDAYS[datetime.fromisoformat(day).weekday()]
    week = said["weeks"][since] if since else {}
    return " ".join(hours for name, hours in week.items() if names_weekday(name, weekday))


@cache
def counts(calendar: str, minute: datetime) -> bool:
    local = minute.astimezone(ZoneInfo(CALENDARS[calendar]["zone"]))
    shown = f"{local:%H:%M}"
    hours = opening(calendar, f"{local:%Y-%m-%d}")
    return any(span[:5] <= shown < span[6:] for span in hours.split())


class Watch:
    """What a person holds in the hand: what is going on now, and the minutes ticked off."""

    def __init__(self) -> None:
        self.begun = self.ended = self.void = False
        self.terms: Mapping[str, Any] | None = None
        self.open_reasons: list[str] = []

    def tell(self, condition: str, word: str, terms: Mapping[str, Any] | None) -> bool:
        """Whether the count starts anew."""
        anew = False
        if condition == "change":
            self.terms = terms
        elif self.void:
            pass
        elif condition == "start" and not self.begun:
            self.begun = anew = True
        elif condition == "pause" and not self.ended and word not in self.open_reasons:
            self.open_reasons.append(word)
        elif condition == "resume":
            self.open_reasons = [one for one in self.open_reasons if word and one != word]
        elif condition == "stop" and self.begun:
            self.ended, self.open_reasons = True, []
        elif condition == "reset" and self.begun:
            self.ended, anew = False, True
        elif condition == "reopen" and self.ended:
            self.ended = False
            anew = bool(self.terms and self.terms.get("restarts"))
        elif condition == "cancel":
            self.void = True
        return anew

    @property
    def state(self) -> str:
        if self.void:
            return "cancelled"
        if self.terms is None:
            return "none"
        if not self.begun:
            return "idle"
        if self.ended:
            return "stopped"
        excuses = self.terms.get("excuses")
        waits = [one for one in self.open_reasons if excuses is None or one in excuses]
        return "paused" if waits else "running"


def minutes(start: datetime) -> Iterator[datetime]:
    while True:
        yield start
        start += MINUTE


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """
    What the clock shows at the case's `now`, and when so much of the time allowed is used up.

    A case has `facts`, each `instant condition [word]`, where the word of a change names one of its `terms`, and
    begins with a change.
    """
    facts = sorted(
        ((datetime.fromisoformat(at).astimezone(UTC), rest) for at, *rest in map(str.split, case["facts"])),
        key=lambda fact: fact[0],
    )
    now = datetime.fromisoformat(case["now"]).astimezone(UTC)
    watch = Watch()
    states: list[tuple[datetime, str]] = []
    waiting, final_now = list(facts), None
    stop_at = max(now, facts[-1][0]) + PATIENCE
    begun_at = facts[0][0]
    for minute in minutes(facts[0][0]):
        while waiting and waiting[0][0] <= minute:
            _, (condition, *word) = waiting.pop(0)
            word = word[0] if word else ""
            if watch.tell(condition, word, case["terms"].get(word) if condition == "change" else None):
                begun_at = minute
        if not waiting and watch.state != "running" and minute > now:
            break
        if minute >= stop_at:
            break
        states.append((minute, watch.state))
        final_now = watch
    assert final_now is not None
    return _counted(case, [(at, state) for at, state in states if at >= begun_at], watch, now)


def _counted(
    case: Mapping[str, Any], states: Sequence[tuple[datetime, str]], watch: Watch, now: datetime
) -> dict[str, Any]:
    used = elapsed = waited = 0
    marks: dict[int, datetime] = {}
    terms = watch.terms
    for minute, state in states if terms else ():
        if state == "running":
            for percent in (50, 75, 100):
                if percent not in marks and used >= terms["allowed"] * percent / 100:
                    marks[percent] = minute
            if len(marks) == 3 and minute >= now:
                break
        if counts(terms["calendar"], minute):
            used += state == "running"
            elapsed += state == "running" and minute < now
            waited += state == "paused" and minute < now
    return {
        "state": watch.state,
        "elapsed": elapsed,
        "waited": waited,
        "breached": 100 in marks and marks[100] <= now,
        "marks": {percent: f"{at:%Y-%m-%dT%H:%MZ}" for percent, at in marks.items()},
    }

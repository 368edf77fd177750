"""The histories as the domain takes them, and what it answers in the words of their files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from dispatcher.domain.business_time import Calendar, Hours, Week
from dispatcher.domain.sla_clock import Fact, Reading, Terms, read

HERE = Path(__file__).parent
MINUTE = 60_000_000
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hours(text: str) -> Hours:
    def minute(clock: str) -> int:
        return int(clock[:2]) * 60 + int(clock[3:])

    return tuple((minute(span[:5]), minute(span[6:])) for span in text.split())


def week(since: str, said: Mapping[str, str]) -> Week:
    found: dict[int, Hours] = {}
    for name, text in said.items():
        first, _, last = name.partition("-")
        if name == "all":
            first, last = "mon", "sun"
        start = _DAYS.index(first)
        for step in range((_DAYS.index(last or first) - start) % 7 + 1):
            found[(start + step) % 7] = hours(text)
    return Week(date.fromisoformat(since), tuple(found.get(day, ()) for day in range(7)))  # type: ignore[arg-type]


def calendar(said: Mapping[str, Any]) -> Calendar:
    days: dict[date, Hours] = {}
    for dates, text in said.get("days", {}).items():
        first, _, last = str(dates).partition("/")
        day = date.fromisoformat(first)
        while day <= date.fromisoformat(last or first):
            days[day] = hours(text)
            day += timedelta(days=1)
    weeks = tuple(week(since, one) for since, one in sorted(said["weeks"].items()))
    return Calendar(said["zone"], weeks, days, frozenset(said["years"]) if "years" in said else None)


CALENDARS = {name: calendar(said) for name, said in yaml.safe_load((HERE / "calendars.yaml").read_text()).items()}


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def facts(case: Mapping[str, Any]) -> tuple[Fact, ...]:
    terms = {
        name: Terms(
            calendar_id=one["calendar"],
            allowed_s=one["allowed"] * 60,
            excuses=frozenset(one["excuses"]) if "excuses" in one else None,
            restarts=one.get("restarts", False),
        )
        for name, one in case["terms"].items()
    }
    found = []
    for at, condition, *rest in map(str.split, case["facts"]):
        word = rest[0] if rest else ""
        change: Any = {"terms": terms.get(word)} if condition == "change" else {"reason": word}
        found.append(Fact(micros(at), condition, **change))  # type: ignore[arg-type]
    return tuple(found)


def shown(reading: Reading, now: int) -> dict[str, Any]:
    return {
        "state": reading.state,
        "elapsed": reading.elapsed(now) / MINUTE,
        "waited": reading.waited(now) / MINUTE,
        "breached": reading.breached(now),
        "marks": {
            percent: f"{datetime.fromtimestamp(at / 1_000_000, UTC):%Y-%m-%dT%H:%MZ}"
            for percent, at in reading.marks.items()
        },
    }


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the domain says."""
    return shown(read(facts(case), CALENDARS), micros(case["now"]))

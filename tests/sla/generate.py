"""
Makes `golden.yaml`: histories from a seeded chance, answered by counting minutes and by nothing else.

    python -m tests.sla.generate

The file is kept and not made anew by tests. What it is made from is also what Hypothesis draws.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml

from tests.sla import brute

GOLDEN: Final = Path(__file__).with_name("golden.yaml")
HISTORIES: Final = 240
SEED: Final = 20_261_124

STARTS: Final = {
    "plain of 2026": datetime(2026, 3, 2, tzinfo=UTC),
    "spring festival": datetime(2026, 2, 12, tzinfo=UTC),
    "labour day": datetime(2026, 4, 29, tzinfo=UTC),
    "summer hours": datetime(2026, 6, 29, tzinfo=UTC),
    "national day": datetime(2026, 9, 29, tzinfo=UTC),
    "clocks forward in Europe": datetime(2026, 3, 28, tzinfo=UTC),
    "clocks back in Europe": datetime(2026, 10, 24, tzinfo=UTC),
    "clocks forward in America": datetime(2026, 3, 7, tzinfo=UTC),
    "clocks back in America": datetime(2026, 10, 31, tzinfo=UTC),
    "half an hour back": datetime(2026, 4, 4, tzinfo=UTC),
    "half an hour forward": datetime(2026, 10, 3, tzinfo=UTC),
    "leap day": datetime(2028, 2, 27, tzinfo=UTC),
    "turn of the year": datetime(2026, 12, 30, tzinfo=UTC),
}
CONDITIONS: Final = ("pause", "pause", "resume", "resume", "stop", "reopen", "reset", "change", "change", "cancel")
REASONS: Final = ("customer", "parts", "weather")


def history(rng: Random, number: int) -> dict[str, Any]:
    """Up to seven things that happen to a clock within some days, in the order in which they are known."""
    named = list(STARTS)[number % len(STARTS)]
    start = STARTS[named] + timedelta(minutes=rng.randrange(2 * 1_440))
    names = ["first", "second"]
    terms = {name: _terms(rng) for name in names}
    facts = [(start, "change first"), (start + timedelta(minutes=rng.choice((0, 0, 0, 7))), "start")]
    at = start
    for _ in range(rng.randrange(8)):
        at += timedelta(minutes=rng.choice((0, 1, 13, 45, 90, 240, 700, 1_440, 3_000)))
        condition = rng.choice(CONDITIONS)
        word = {
            "pause": rng.choice(REASONS),
            "resume": rng.choice((*REASONS, "")),
            "change": rng.choice((*names, "second", "nothing")),
        }.get(condition, "")
        facts.append((at, f"{condition} {word}".strip()))
    if rng.random() < 0.3:
        # Known late: it stands at the end and belongs further up.
        facts.append(facts.pop(rng.randrange(1, len(facts))))
    now = at + timedelta(minutes=rng.choice((0, 1, 30, 200, 1_000, 4_000)))
    said = [f"{when:%Y-%m-%dT%H:%MZ} {what}" for when, what in facts]
    return {"name": f"{number:03} {named}", "terms": terms, "facts": said, "now": f"{now:%Y-%m-%dT%H:%MZ}"}


def _terms(rng: Random) -> dict[str, Any]:
    found: dict[str, Any] = {
        "calendar": rng.choice([*brute.CALENDARS]),
        "allowed": rng.choice((4, 32, 60, 120, 240, 480, 960, 2_400)),
    }
    if rng.random() < 0.4:
        found["excuses"] = sorted(rng.sample(REASONS, rng.randrange(3)))
    if rng.random() < 0.3:
        found["restarts"] = True
    return found


def main() -> None:
    rng = Random(SEED)
    found = [history(rng, number) for number in range(HISTORIES)]
    answered = [case | {"answer": brute.answer(case)} for case in found]
    head = "# Made by `python -m tests.sla.generate`: answered by counting minutes (brute.py), not by the domain.\n"
    GOLDEN.write_text(head + yaml.safe_dump(answered, sort_keys=False, allow_unicode=True, width=120))


if __name__ == "__main__":
    main()

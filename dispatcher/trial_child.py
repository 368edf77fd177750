"""
The child process in which a draft is tried: `python -m dispatcher.trial_child`.

On stdin frames: what is asked, then the log page by page, then an empty page. On stdout, at the end, one line of JSON:
the figures by the recorded rules and by the draft. Who started it kills it when it is late.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import IO, Any, NamedTuple

import msgspec

from contracts.dispatcher import DispatchRulesSet, RulesDrafted, RunFigures
from contracts.event import Event
from dispatcher.domain.dispatch_rules import figures_of
from dispatcher.domain.whatif import Again, Otherwise


class Asked(NamedTuple):
    draft: RulesDrafted
    since: datetime
    until: datetime


class Tried(msgspec.Struct, frozen=True):
    recorded: RunFigures
    tried: RunFigures


def frame(said: Asked | Sequence[Event]) -> bytes:
    told = pickle.dumps(said)
    return len(told).to_bytes(8, "big") + told


def tried(from_: IO[bytes]) -> Tried:
    """Both runs over the log that follows in frames."""
    asked: Asked = _next(from_)

    def drafted(rules: DispatchRulesSet) -> DispatchRulesSet:
        return msgspec.structs.replace(rules, **figures_of(asked.draft))

    runs = [Again(asked.since, asked.until), Again(asked.since, asked.until, Otherwise(drafted))]
    while page := _next(from_):
        for event in page:
            for run in runs:
                run.take(event)
    recorded, by_draft = [run.end().figures for run in runs]
    return Tried(recorded, by_draft)


def _next(from_: IO[bytes]) -> Any:
    # Written by the process that started us, which is of this package.
    return pickle.loads(from_.read(int.from_bytes(from_.read(8), "big")))  # noqa: S301


if __name__ == "__main__":
    found = tried(sys.stdin.buffer)
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")

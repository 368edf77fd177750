"""All engineers compared at once, where nobody else has anything to do."""

from typing import Any

from dispatcher.domain.matching import Ranking, rank_in_turns


def rank(*args: Any, **options: Any) -> Ranking:
    turns = rank_in_turns(*args, **options)
    while True:
        try:
            next(turns)
        except StopIteration as done:
            return done.value

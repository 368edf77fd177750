"""All engineers compared for an order, while the process goes on with what else it has to do."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

from dispatcher.domain.matching import Ranking


async def in_turns(turns: Generator[None, None, Ranking]) -> Ranking:
    """
    What `rank_in_turns` finds.

    A thousand engineers are some hundredths of a second of work; in between, others' calls are answered. What is
    compared was read before, so that nothing that happens meanwhile is in it.
    """
    while True:
        try:
            next(turns)
        except StopIteration as done:
            ranking: Ranking = done.value
            return ranking
        await asyncio.sleep(0)

"""
A draft of the dispatch rules, tried: what was decided by rule in a past time is decided again by it.

The log is read here, a page at a time, and decided upon in a child process with a hard stop, as the engines have one;
so a quarter of a year keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import msgspec

from contracts.dispatcher import HoursBooked, RulesDrafted, RulesTrialAsked
from contracts.envelope import Envelope
from contracts.event import Event
from dispatcher.background import BACKGROUND
from dispatcher.commands import RecordTrial
from dispatcher.domain.whatif import FOLLOWED
from dispatcher.trial_child import Asked, Tried, frame
from services.chassis.service import Facts

TRIED_WITHIN: Final = timedelta(hours=1)
"""What is not tried by then is given up: the child is killed, and whoever wants it asks again."""


class Progress:
    """How far the trials of this process are, in percent of the time that is tried: by what was booked then."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], int] = {}

    def of(self, tenant: str, draft_id: str) -> int:
        return self._of.get((tenant, draft_id), 0)

    def begins(self, tenant: str, event: RulesTrialAsked) -> None:
        self._of[tenant, event.draft_id] = 0

    def passed(self, tenant: str, event: RulesTrialAsked, at: datetime) -> None:
        """Never back, and never at the end before it is."""
        percent = 100 * (at - event.since) // (event.until - event.since)
        name = tenant, event.draft_id
        self._of[name] = min(99, max(percent, self._of[name]))

    def ends(self, tenant: str, event: RulesTrialAsked) -> None:
        self._of.pop((tenant, event.draft_id), None)


PROGRESS: Final = Progress()


async def when_trial_is_asked(event: RulesTrialAsked, envelope: Envelope, facts: Facts) -> Sequence[RecordTrial]:
    """Both runs over the log, in the background."""
    found = BACKGROUND.done(facts, envelope.id, lambda: tried(event, envelope.tenant, facts))
    return [
        RecordTrial(
            draft_id=event.draft_id,
            revision=event.revision,
            since=event.since,
            until=event.until,
            recorded=found.recorded,
            tried=found.tried,
        )
    ]


async def tried(event: RulesTrialAsked, tenant: str, facts: Facts, within: timedelta = TRIED_WITHIN) -> Tried:
    """
    The recorded rules and the draft over the whole log: what is booked on the first day of the trial was decided
    before. Raises TimeoutError where it takes longer than that.
    """
    drafts = [one async for page in _log(facts, tenant, (RulesDrafted,)) for one in page]
    # The revision that was to be tried, which may be another one by now.
    [draft] = [
        one
        for one in drafts
        if isinstance(one, RulesDrafted) and (one.draft_id, one.revision) == (event.draft_id, event.revision)
    ]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatcher.trial_child", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert child.stdin is not None
    PROGRESS.begins(tenant, event)
    try:
        async with asyncio.timeout(within.total_seconds()):
            # It reads as fast as it decides, and what it has not read yet is not read here either.
            with suppress(BrokenPipeError, ConnectionResetError):
                child.stdin.write(frame(Asked(draft, event.since, event.until)))
                async for page in _log(facts, tenant, FOLLOWED):
                    child.stdin.write(frame(page))
                    await child.stdin.drain()
                    if booked := [one.starts_at for one in page if isinstance(one, HoursBooked)]:
                        PROGRESS.passed(tenant, event, booked[-1])
                child.stdin.write(frame([]))
                await child.stdin.drain()
            told, said = await child.communicate()
    finally:
        PROGRESS.ends(tenant, event)
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise RuntimeError(f"the trial of draft {event.draft_id} ended: {said.decode(errors='replace').strip()[-500:]}")
    return msgspec.json.decode(told, type=Tried)


async def _log(facts: Facts, tenant: str, types: Collection[type[Event]]) -> AsyncIterator[Sequence[Event]]:
    """Page by page, none of them empty."""
    position = 0
    while True:
        events, end = await facts.recorded(tenant, types, position)
        if events:
            yield events
        if end == position:
            return
        position = end

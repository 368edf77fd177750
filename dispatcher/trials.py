"""A draft of the dispatch rules, tried: what was decided by rule in a past time is decided again by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import NamedTuple

import msgspec

from contracts.dispatcher import DispatchRulesSet, RulesDrafted, RulesTrialAsked, RunFigures
from contracts.envelope import Envelope
from contracts.event import Event
from dispatcher.background import BACKGROUND
from dispatcher.commands import RecordTrial
from dispatcher.domain.dispatch_rules import figures_of
from dispatcher.domain.whatif import FOLLOWED, Again, Otherwise
from services.chassis.service import Facts


class Tried(NamedTuple):
    recorded: RunFigures
    tried: RunFigures


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


async def tried(event: RulesTrialAsked, tenant: str, facts: Facts) -> Tried:
    """
    The recorded rules and the draft over the whole log, a page at a time: what is booked on the first day of the trial
    was decided before. After each decision others are answered.
    """
    draft: RulesDrafted | None = None

    def drafted(rules: DispatchRulesSet) -> DispatchRulesSet:
        assert draft is not None
        return msgspec.structs.replace(rules, **figures_of(draft))

    async for one in _log(facts, tenant, (RulesDrafted,)):
        # The revision that was to be tried, which may be another one by now.
        if isinstance(one, RulesDrafted) and (one.draft_id, one.revision) == (event.draft_id, event.revision):
            draft = one
    runs = [Again(event.since, event.until), Again(event.since, event.until, Otherwise(drafted))]
    async for one in _log(facts, tenant, FOLLOWED):
        for run in runs:
            run.take(one)
        await asyncio.sleep(0)
    recorded, by_draft = [run.end().figures for run in runs]
    return Tried(recorded, by_draft)


async def _log(facts: Facts, tenant: str, types: Collection[type[Event]]) -> AsyncIterator[Event]:
    position = 0
    while True:
        events, end = await facts.recorded(tenant, types, position)
        for one in events:
            yield one
        if end == position:
            return
        position = end

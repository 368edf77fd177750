"""
Rules that somebody thinks of: drafted, tried on what was decided in the past, published, or left.

A draft is tried in the revision that it has by then; who changes it has not tried it. What is published is a version of
the dispatch rules, which cites its draft, and the draft is closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.dispatcher import (
    RulesDrafted,
    RulesPublished,
    RulesTrialAsked,
    RulesTried,
)
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import AskTrial, DraftRules, PublishRules, RecordTrial
from dispatcher.domain import dispatch_rules
from dispatcher.domain.dispatch_rules import figures_of, next_version


@dataclass(frozen=True)
class Draft:
    """As it is now; `figures` is None where there is none yet."""

    figures: RulesDrafted | None = None
    tried: bool = False
    """In this revision."""
    published_as: int = 0


INITIAL = Draft()


def stream(draft_id: str) -> str:
    return f"rules-draft/{draft_id}"


def evolve(draft: Draft, event: Event) -> Draft:
    match event:
        case RulesDrafted():
            return Draft(event)
        case RulesTried(revision=revision) if draft.figures and revision == draft.figures.revision:
            return replace(draft, tried=True)
        case RulesPublished(version=version):
            return replace(draft, published_as=version)
        case _:
            return draft


def reads(command: DraftRules | AskTrial | RecordTrial) -> tuple[str, ...]:
    return (stream(command.draft_id),)


def reads_to_publish(command: PublishRules) -> tuple[str, ...]:
    return stream(command.draft_id), dispatch_rules.STREAM


def decide(states: Mapping[str, Any], command: DraftRules | AskTrial | RecordTrial) -> list[Event]:
    draft: Draft = states[stream(command.draft_id)]
    match command:
        case DraftRules():
            return _drafted(draft, command)
        case AskTrial():
            now = _open(draft)
            if command.since >= command.until:
                raise Rejected("rules-draft.tried-for-no-time")
            return [
                RulesTrialAsked(
                    draft_id=command.draft_id, revision=now.revision, since=command.since, until=command.until
                )
            ]
        case RecordTrial():
            return [
                RulesTried(
                    draft_id=command.draft_id,
                    revision=command.revision,
                    since=command.since,
                    until=command.until,
                    recorded=command.recorded,
                    tried=command.tried,
                )
            ]


def _drafted(draft: Draft, command: DraftRules) -> list[Event]:
    before = _open(draft) if draft.figures else None
    drafted = RulesDrafted(
        draft_id=command.draft_id,
        revision=before.revision + 1 if before else 1,
        name=command.name,
        note=command.note,
        **command.figures(),
    )
    return [] if before and _said(before) == _said(drafted) else [drafted]


def _said(draft: RulesDrafted) -> tuple[Any, ...]:
    return draft.name, draft.note, figures_of(draft)


def _open(draft: Draft) -> RulesDrafted:
    if draft.figures is None:
        raise Rejected("rules-draft.unknown")
    if draft.published_as:
        raise Rejected("rules-draft.published", version=draft.published_as)
    return draft.figures


def publish(states: Mapping[str, Any], command: PublishRules) -> list[Event]:
    """It is a version of the rules; one that was not tried needs a reason."""
    draft: Draft = states[stream(command.draft_id)]
    figures = _open(draft)
    if not draft.tried and not command.reason:
        raise Rejected("rules-draft.untried", name=figures.name)
    how = {"draft_id": command.draft_id, "reason": command.reason}
    known: dispatch_rules.DispatchRules = states[dispatch_rules.STREAM]
    set_now = next_version(known, figures_of(figures), command.effective_from, command.now, **how)
    version = set_now[0].version if set_now else known[-1].version
    published = RulesPublished(draft_id=command.draft_id, revision=figures.revision, version=version)
    return [*set_now, published]

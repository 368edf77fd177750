"""Drafts of the dispatch rules, what was tried of them, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.dispatcher import RulesDrafted, RulesPublished, RulesTrialAsked, RulesTried
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: RulesDrafted | RulesTrialAsked | RulesTried | RulesPublished, envelope: Envelope) -> None:
    key = event.draft_id
    before = rows.get(key)
    match event:
        case RulesDrafted():
            draft = msgspec.json.encode(event).decode()
            first = {} if before else {"drafted_by": envelope.actor}
            rows.put(key, draft=draft, tried="", asked_at=None, drafted_at=micros(envelope.recorded_at), **first)
        case RulesTrialAsked():
            rows.put(key, asked_at=micros(envelope.recorded_at))
        case RulesTried() if before and draft_of(before).revision == event.revision:
            rows.put(key, tried=msgspec.json.encode(event).decode(), asked_at=None)
        case RulesTried():
            pass  # It was changed meanwhile.
        case RulesPublished():
            rows.put(key, published_as=event.version, asked_at=None)
    rows.put(key, version=int(envelope.version))


RULES_DRAFTS = View(
    name="rules_drafts",
    version=1,
    key={"draft_id": str},
    columns={
        "draft": "",
        "tried": "",
        "asked_at": (int, None),
        "drafted_at": 0,
        "drafted_by": "",
        "published_as": 0,
        "version": 0,
    },
    reads=(RulesDrafted, RulesTrialAsked, RulesTried, RulesPublished),
    apply=apply,
)


def draft_of(row: Mapping[str, Any]) -> RulesDrafted:
    return msgspec.json.decode(row["draft"], type=RulesDrafted)


def trial_of(row: Mapping[str, Any]) -> RulesTried | None:
    """Of the revision that it has now."""
    return msgspec.json.decode(row["tried"], type=RulesTried) if row["tried"] else None

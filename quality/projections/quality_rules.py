"""The rules as they are set now; of a tenant who set none there is no row."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.quality import AlertRulesSet, SurveyRulesSet
from services.chassis.views import Rows, View


def apply(rows: Rows, event: SurveyRulesSet | AlertRulesSet, envelope: Envelope) -> None:
    rows.put(event.rules_id, version=envelope.version, rules=msgspec.json.encode(event).decode())


QUALITY_RULES = View(
    name="quality_rules",
    version=1,
    key={"rules_id": str},
    columns={"version": 0, "rules": ""},
    reads=(SurveyRulesSet, AlertRulesSet),
    apply=apply,
)

RULES_OF: Final = select(QUALITY_RULES.table).where(
    QUALITY_RULES.table.c.tenant == bindparam("tenant"), QUALITY_RULES.table.c.rules_id == bindparam("rules_id")
)


def alert_rules(text: str) -> AlertRulesSet:
    return msgspec.json.decode(text, type=AlertRulesSet)

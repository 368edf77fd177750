"""The dispatch rules in all their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import DispatchRulesSet
from contracts.envelope import Envelope
from dispatcher.domain.dispatch_rules import in_force
from services.chassis.service import Queries
from services.chassis.views import Rows, View


def apply(rows: Rows, event: DispatchRulesSet, envelope: Envelope) -> None:
    rows.put(event.version, rules=msgspec.json.encode(event).decode())


DISPATCH_RULES = View(
    name="dispatch_rules",
    version=1,
    key={"version": int},
    columns={"rules": ""},
    reads=(DispatchRulesSet,),
    apply=apply,
)

ALL_VERSIONS: Final = select(DISPATCH_RULES.table).order_by(DISPATCH_RULES.table.c.version)
_OF_TENANT: Final = ALL_VERSIONS.where(DISPATCH_RULES.table.c.tenant == bindparam("tenant"))


def rules_of(text: str) -> DispatchRulesSet:
    return msgspec.json.decode(text, type=DispatchRulesSet)


async def rules_now(queries: Queries, tenant: str, now: datetime) -> DispatchRulesSet:
    """The version that holds. A company has a handful of them."""
    rows = await queries.fetch(_OF_TENANT, tenant=tenant)
    return in_force(tuple([rules_of(row["rules"]) for row in rows]), now)

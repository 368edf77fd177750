"""The routes of decisions: why her and not another, and the same decided again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from sqlalchemy import select

from contracts.problems import Rejected
from dispatcher.domain.again import again, reads
from dispatcher.projections.decisions import DECISIONS, record_of
from services.chassis.clock import at_micros
from services.chassis.http import Body, Call, ServiceRouter, absent, query
from services.chassis.http.rule_names import name_of
from services.chassis.service import Api

WHO = ("dispatcher", "manager", "auditor")


class ConsideredView(Body):
    """An engineer whom the decision looked at."""

    engineer_id: str
    day: str
    cost: int | None
    """In points; null: she could not have it."""
    rules: list[str]
    """Those that said no; or that a person overruled who chose her."""
    names: list[str]
    """The same in the caller's language."""


class DecisionView(Body):
    """How it was decided who carries an order out."""

    decision_id: str
    order_id: str
    decided_at: datetime
    actor: str
    command: str
    """What was decided: AssignOrder is by rule, TakeOrder from the pool, the others by a person."""
    reason: str
    """Why a person chose so."""
    engineer_id: str
    starts_at: datetime
    ends_at: datetime
    considered: list[ConsideredView]
    rules_version: int
    travel_hash: str
    seed: int

    @classmethod
    def of(cls, row: Mapping[str, Any], language: str) -> DecisionView:
        one = record_of(row)
        return cls(
            decision_id=row["decision_id"],
            order_id=one.order_id,
            decided_at=at_micros(row["decided_at"]),
            actor=row["actor"],
            command=one.command,
            reason=msgspec.json.decode(one.asked).get("reason", ""),
            engineer_id=one.engineer_id,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            considered=[
                ConsideredView(
                    engineer_id=it.engineer_id,
                    day=it.day,
                    cost=it.cost,
                    rules=list(it.rules),
                    names=[name_of("breaks", rule, language) for rule in it.rules],
                )
                for it in one.considered
            ],
            rules_version=one.rules_version,
            travel_hash=one.travel_hash,
            seed=one.seed,
        )


class DecidedAgain(Body):
    """The decision from its record, upon the streams as they were before it."""

    decision_id: str
    same: bool
    recorded: dict[str, Any]
    again: dict[str, Any] | None
    """Null where it is refused now."""
    refused: str
    """The code of the rule that refuses it."""


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/decisions", tags=["orders"])
    table = DECISIONS.table

    async def known(decision_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.decision_id == decision_id))
        if row is None:
            raise absent("decision", decision_id)
        return row

    @router.get("", summary="Every decision about an order, the newest first")
    async def some(
        order_id: Annotated[str, Query(min_length=1, max_length=200)], call: Call = query(*WHO)
    ) -> list[DecisionView]:
        rows = await call.fetch(select(table).where(table.c.order_id == order_id).order_by(table.c.position.desc()))
        return [DecisionView.of(row, call.language) for row in rows]

    @router.get("/{decision_id}", summary="Why her: who was considered, at what cost, and who could not")
    async def one(decision_id: str, call: Call = query(*WHO)) -> DecisionView:
        return DecisionView.of(await known(decision_id, call), call.language)

    @router.get("/{decision_id}/again", summary="The same, decided again from the record")
    async def once_more(decision_id: str, call: Call = query(*WHO)) -> DecidedAgain:
        row = await known(decision_id, call)
        record = record_of(row)
        found = again(record, await api.states_before(call.tenant, reads(record), row["position"]))
        refused = found.code if isinstance(found, Rejected) else ""
        return DecidedAgain(
            decision_id=decision_id,
            same=found == record,
            recorded=msgspec.to_builtins(record),
            again=None if isinstance(found, Rejected) else msgspec.to_builtins(found),
            refused=refused,
        )

    return router

"""The routes of the dispatcher: commands in, views out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field
from sqlalchemy import or_, select

from contracts.dispatcher import PassedOver, Reason, RuleCount
from contracts.intake import Urgency
from contracts.problems import Rejected
from dispatcher import decisions_api, engineers_api, history_api, replans_api, rules_api, sla_api, slots_api
from dispatcher.adapters.map_ways import proposed_by_map
from dispatcher.commands import (
    FIRST,
    LAST,
    AssignByHand,
    CancelOrder,
    DeclineOrder,
    OfferOrder,
    ReassignOrder,
    TakeOrder,
    UnassignOrder,
)
from dispatcher.domain.hours import Person, days_in_question, overruled, wanted_hours
from dispatcher.domain.matching import Proposal, Ranking, rank_in_turns
from dispatcher.domain.suited import Rule
from dispatcher.policies import CANDIDATES, in_turns
from dispatcher.projections.board import BOARD, OPEN, declined_by, offered_before, offered_to, work_of
from dispatcher.projections.dispatch_rules import rules_now
from dispatcher.projections.engineer_days import ENGINEER_DAYS, booked_between, bookings, horizon
from dispatcher.projections.engineers import ENGINEERS, ENGINEERS_TO_MATCH, Engineers
from dispatcher.projections.parts import parts_in_vans
from dispatcher.projections.travel import ways_now
from services.chassis.clock import at_micros
from services.chassis.http import (
    Accepted,
    Body,
    Call,
    Limit,
    Page,
    Parked,
    ServiceRouter,
    absent,
    command,
    parked_of,
    query,
)
from services.chassis.http.rule_names import name_of
from services.chassis.service import Api

STAFF = ("dispatcher", "manager", "agent", "auditor")

State = Literal["waiting", "assigned", "under-way", "finished", "cancelled"]


class RuleView(Body):
    """One rule of a choice: its figure in its own unit, and what it added to the cost."""

    rule: str
    name: str
    """In the caller's language."""
    value: int
    cost: int


class PassedOverView(Body):
    """Somebody who was looked at and could not have the order, and the rules that said so."""

    engineer_id: str
    rules: list[str]
    names: list[str]
    """The same in the caller's language."""


class RuleCountView(Body):
    """How many engineers a rule excluded."""

    rule: str
    name: str
    engineers: int


class OrderView(Body):
    """An order with where it stands. Times are null until there is one."""

    order_id: str
    version: int
    state: State
    overdue: bool
    withdrawn: bool
    request_id: str
    number: str
    """What people call its request, `R-261124-0042`."""
    customer_id: str
    device_id: str
    device_model: str
    request_type: str
    skill: str
    urgency: Urgency
    duration_s: int
    region: str
    lat_udeg: int
    lon_udeg: int
    opened_at: datetime | None
    waiting_since: datetime | None
    assign_due_at: datetime | None
    engineer_id: str
    van_id: str
    day: str
    starts_at: datetime | None
    ends_at: datetime | None
    travel_m: int
    chosen_by: str
    candidates: int
    reasons: list[RuleView]
    """What the choice was made by; the last may be `expense`, in fen."""
    note: str
    """Why a person chose so, or offered it."""
    rules_version: int
    """Of the dispatch rules by which it was assigned, or offered last."""
    back_because: Literal["", "declined", "absence", "aborted", "taken-back"]
    """Why it waits again: she declined it, is absent in its hours, broke her visit off, or it was taken back…"""
    back_reason: str
    """…and what was said of it."""
    absence_noted: str
    """She is under way to it and is reported absent in its hours by this absence: somebody should ask her."""
    broke_rules: list[str]
    """What a person overruled."""
    broke_names: list[str]
    passed_over: list[PassedOverView]
    excluded: list[RuleCountView]
    nobody_can: list[RuleCountView]
    """By what they are, no engineer may ever go, by these rules; empty where somebody may, or when somebody has it."""
    more_skills: list[str]
    skill_level: int
    certificates: list[str]
    wished_engineer_id: str
    offered_until: datetime | None
    offered_to: list[str]
    """Who may take it until then; an engineer sees herself only."""
    parked: list[Parked] | None = None
    """What dispatch could not act on and waits for somebody to look; null in lists, and for an engineer."""

    @classmethod
    def of(cls, row: Mapping[str, Any], call: Call) -> OrderView:
        times = {name: _at(row[name]) for name in cls.model_fields if name.endswith(("_at", "_since", "_until"))}
        facts = {name: row[name] for name in cls.model_fields if name not in times and name in row}
        broke = msgspec.json.decode(row["broke_rules"], type=list[str])
        lists = {
            "reasons": _rules(
                msgspec.json.decode(row["reasons"], type=list[Reason]), row["expense_fen"], row["expense_cost"], call
            ),
            "broke_rules": broke,
            "broke_names": _names(broke, call),
            "passed_over": [
                PassedOverView(engineer_id=one.engineer_id, rules=list(one.rules), names=_names(one.rules, call))
                for one in msgspec.json.decode(row["passed_over"], type=list[PassedOver])
                if call.owns(one.engineer_id)
            ],
            "excluded": _counts(row["excluded"], call),
            "nobody_can": _counts(row["nobody_can"], call),
            "more_skills": msgspec.json.decode(row["more_skills"]),
            "certificates": msgspec.json.decode(row["certificates"]),
            "parked": None,
            "offered_to": [engineer_id for engineer_id in offered_to(row) if call.owns(engineer_id)],
        }
        return cls(**facts | times | lists)


def _rules(reasons: Sequence[Reason], expense_fen: int, expense_cost: int, call: Call) -> list[RuleView]:
    said = [(reason.rule, reason.value, reason.cost) for reason in reasons]
    if expense_fen:
        said.append(("expense", expense_fen, expense_cost))  # type: ignore[arg-type]
    return [
        RuleView(rule=rule, name=name_of("reasons", rule, call.language), value=value, cost=cost)
        for rule, value, cost in said
    ]


def _counts(text: str, call: Call) -> list[RuleCountView]:
    return [
        RuleCountView(rule=one.rule, name=name_of("breaks", one.rule, call.language), engineers=one.engineers)
        for one in msgspec.json.decode(text, type=list[RuleCount])
    ]


def _names(rules: Iterable[str], call: Call) -> list[str]:
    return [name_of("breaks", rule, call.language) for rule in rules]


class CandidateView(Body):
    """An engineer who can go: when, and what that costs rule by rule; the least is best."""

    engineer_id: str
    day: str
    starts_at: datetime
    ends_at: datetime
    travel_m: int
    cost: int
    rules: list[RuleView]

    @classmethod
    def of(cls, engineer_id: str, found: Proposal, call: Call) -> CandidateView:
        return cls(
            engineer_id=engineer_id,
            day=found.day,
            starts_at=found.starts_at,
            ends_at=found.ends_at,
            travel_m=found.travel_m,
            cost=found.cost,
            rules=_rules(found.reasons, found.expense_fen, found.expense_cost, call),
        )


class WhyNot(Body):
    """An engineer who cannot go, and the rules that say so."""

    engineer_id: str
    rule: Rule
    """The first of them."""
    rules: list[Rule]
    names: list[str]
    """The same in the caller's language."""


class Choice(Body):
    """What it would mean to give the order to this engineer: to be looked at before it is done by hand."""

    order_id: str
    version: int
    """Of the order; send it back as If-Match, and what is done is what was looked at."""
    engineer_id: str
    possible: bool
    """False: hours exist once, and nobody can overrule that; `why_not` says so."""
    why_not: dict[str, Any] | None
    """The problem that the assignment would be answered with."""
    hours: CandidateView | None
    broke_rules: list[Rule]
    """The rules that are overruled by it; with any of them, a reason must be given."""
    broke_names: list[str]
    rules_version: int


class Candidates(Body):
    order_id: str
    rules_version: int
    travel_by: str
    """Of which map the ways of the best are; empty: they are estimated."""
    candidates: list[CandidateView]
    excluded: list[WhyNot]


class AssignBody(Body):
    engineer_id: str = Field(min_length=1, max_length=100)
    starts_at: AwareDatetime | None = Field(
        None, ge=FIRST, lt=LAST, description="Without it, the best hours that she is free"
    )
    reason: str = Field("", max_length=1_000)


class ReassignBody(AssignBody):
    reason: str = Field(min_length=1, max_length=1_000)


class OfferBody(Body):
    engineer_ids: tuple[Annotated[str, Field(max_length=100)], ...] = Field(
        (), max_length=50, description="Without them, those who fit it best"
    )
    minutes: int | None = Field(None, ge=1, le=1_440, description="Without it, as long as the dispatch rules say")
    note: str = Field("", max_length=1_000)


class DeclineBody(Body):
    reason: str = Field(min_length=1, max_length=1_000)


class UnassignBody(Body):
    reason: str = Field("", max_length=1_000)


class CancelBody(Body):
    note: str = Field("", max_length=1_000)


def _at(value: int | None) -> datetime | None:
    return at_micros(value) if value else None


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api)
    router.include_router(history_api.routes(api))
    router.include_router(sla_api.routes(api))
    router.include_router(rules_api.routes(api))
    router.include_router(decisions_api.routes(api))
    router.include_router(replans_api.routes(api))
    router.include_router(slots_api.routes(api))
    router.include_router(_orders(api))
    router.include_router(_choice(api))
    router.include_router(engineers_api.routes(api))
    return router


def _orders(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/orders", tags=["orders"])
    table, engineers = BOARD.table, ENGINEERS.table

    async def seen(order_id: str, call: Call) -> Mapping[str, Any]:
        """The order, if the caller may see it: an engineer sees her own and those that wait for somebody."""
        row = await call.one(select(table).where(table.c.order_id == order_id))
        if row is None or not (row["state"] == "waiting" or call.owns(row["engineer_id"])):
            raise absent("order", order_id)
        return row

    async def known(order_id: str, call: Call) -> Mapping[str, Any]:
        """An order that is there. Who has it, the decision judges."""
        row = await call.one(select(table).where(table.c.order_id == order_id))
        if row is None:
            raise absent("order", order_id)
        return row

    async def looked_for(row: Mapping[str, Any], engineer_id: str, call: Call) -> Mapping[str, Any]:
        """What the asker knows of rules and parts; which hours are free, and by which rules, the streams say."""
        rules = await rules_now(api, call.tenant, call.now)
        hers = await call.one(select(engineers.c.van_id).where(engineers.c.engineer_id == engineer_id))
        parts = await parts_in_vans(api, call.tenant, row, hers["van_id"] if hers else "")
        return {"order_id": row["order_id"], "horizon_days": rules.horizon_days, "parts": parts, "now": call.now}

    @router.get("", summary="The board: orders that are open, or in one state, the oldest first")
    async def board(
        call: Call = query("engineer", *STAFF),
        state: State | None = None,
        overdue: bool | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[OrderView]:
        rows = select(table).where(table.c.state == state if state else table.c.state.in_(OPEN))
        if overdue is not None:
            rows = rows.where(table.c.overdue == overdue)
        if call.role == "engineer":
            rows = rows.where(or_(table.c.state == "waiting", table.c.engineer_id == call.person_id))
        page = await call.page(rows, order_by=[table.c.opened_at, table.c.order_id], cursor=cursor, limit=limit)
        return page.map(lambda row: OrderView.of(row, call))

    @router.get("/{order_id}", summary="One order, and why its engineer was chosen")
    async def one(order_id: str, call: Call = query("engineer", *STAFF)) -> OrderView:
        row = await seen(order_id, call)
        call.etag(row["version"])
        parked = await parked_of(call, row["request_id"])
        return OrderView.of(row, call).model_copy(update={"parked": parked})

    @router.post("/{order_id}/assign", summary="Give a waiting order to an engineer")
    async def assign(order_id: str, body: AssignBody, call: Call = command("dispatcher")) -> Accepted:
        facts = await looked_for(await known(order_id, call), body.engineer_id, call)
        asked = AssignByHand(**facts, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=f"order/{order_id}"), id=order_id)

    @router.post("/{order_id}/reassign", summary="Give an assigned order to another engineer")
    async def reassign(order_id: str, body: ReassignBody, call: Call = command("dispatcher")) -> Accepted:
        facts = await looked_for(await known(order_id, call), body.engineer_id, call)
        asked = ReassignOrder(**facts, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=f"order/{order_id}"), id=order_id)

    @router.post("/{order_id}/decline", summary="The engineer will not take the order")
    async def decline(order_id: str, body: DeclineBody, call: Call = command("engineer")) -> Accepted:
        row = await call.one(select(table).where(table.c.order_id == order_id))
        # Who has declined it may say so again, also when it is somebody else's by now.
        hers = row and (
            row["state"] == "waiting" or call.owns(row["engineer_id"]) or call.person_id in declined_by(row)
        )
        if not hers:
            raise absent("order", order_id)
        asked = DeclineOrder(order_id=order_id, engineer_id=call.person_id, reason=body.reason)
        return Accepted.of(await call.ask(asked, versioned=f"order/{order_id}"), id=order_id)

    @router.post("/{order_id}/take", summary="An engineer takes a waiting order")
    async def take(order_id: str, call: Call = command("engineer")) -> Accepted:
        facts = await looked_for(await known(order_id, call), call.person_id, call)
        asked = TakeOrder(engineer_id=call.person_id, **facts)
        return Accepted.of(await call.ask(asked, versioned=f"order/{order_id}"), id=order_id)

    @router.post("/{order_id}/unassign", summary="Take an order back from its engineer, until she departs")
    async def unassign(order_id: str, body: UnassignBody, call: Call = command("dispatcher")) -> Accepted:
        await known(order_id, call)
        asked = UnassignOrder(order_id=order_id, reason=body.reason)
        return Accepted.of(await call.ask(asked, versioned=f"order/{order_id}"), id=order_id)

    @router.post("/{order_id}/cancel", summary="The order will not be carried out")
    async def cancel(order_id: str, body: CancelBody, call: Call = command("dispatcher")) -> Accepted:
        await known(order_id, call)
        asked = CancelOrder(order_id=order_id, note=body.note)
        return Accepted.of(await call.ask(asked, versioned=f"order/{order_id}"), id=order_id)

    return router


def _choice(api: Api) -> APIRouter:
    """Who could go: to look at, and to ask them."""
    router = ServiceRouter(api, prefix="/v1/orders", tags=["orders"])
    table, engineers, days = BOARD.table, ENGINEERS.table, ENGINEER_DAYS.table

    async def known(order_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.order_id == order_id))
        if row is None:
            raise absent("order", order_id)
        return row

    async def ranked(row: Mapping[str, Any], call: Call) -> tuple[Ranking, str, int]:
        """All engineers as they are now, and the map and the version of the rules that they were compared by."""
        rules = await rules_now(api, call.tenant, call.now)
        those = Engineers(await call.fetch(ENGINEERS_TO_MATCH))
        ahead = horizon(call.now, rules.horizon_days)
        booked = bookings(await call.fetch(booked_between(**ahead)), besides=row["order_id"])
        parts = await parts_in_vans(api, call.tenant, row)
        ways = await ways_now(api, call.tenant, rules)
        work = work_of(row)
        turns = rank_in_turns(work, those, booked, call.now, declined_by(row), rules, parts, ways=ways)
        ranking = await in_turns(turns)
        asked = work, those, booked, call.now, rules, parts, ranking, ways
        return *await proposed_by_map(api.outside, *asked, most=CANDIDATES), rules.version

    @router.get("/{order_id}/candidates", summary="Who can go and at what cost, and why the others cannot")
    async def candidates(order_id: str, call: Call = query("dispatcher", "manager")) -> Candidates:
        ranking, travel_by, version = await ranked(await known(order_id, call), call)
        return Candidates(
            order_id=order_id,
            rules_version=version,
            travel_by=travel_by,
            candidates=[CandidateView.of(engineer_id, found, call) for engineer_id, found in ranking.proposals],
            excluded=[
                WhyNot(engineer_id=engineer_id, rule=rules[0], rules=list(rules), names=_names(rules, call))
                for engineer_id, rules in ranking.excluded.items()
            ],
        )

    @router.get(
        "/{order_id}/candidates/{engineer_id}", summary="What one engineer would mean: hours, points, rules broken"
    )
    async def choice(
        order_id: str,
        engineer_id: str,
        call: Call = query("dispatcher", "manager"),
        starts_at: Annotated[
            AwareDatetime | None, Query(ge=FIRST, lt=LAST, description="Without it, the best hours that she is free")
        ] = None,
    ) -> Choice:
        row = await known(order_id, call)
        one = Engineers(await call.fetch(ENGINEERS_TO_MATCH.where(engineers.c.engineer_id == engineer_id)))
        if engineer_id not in one:
            raise absent("engineer", engineer_id)
        rules = await rules_now(api, call.tenant, call.now)
        asked = days_in_question(call.now, starts_at, rules.horizon_days)
        rows = booked_between(asked[0], asked[-1]).where(days.c.engineer_id == engineer_id)
        booked = bookings(await call.fetch(rows), besides=order_id)[engineer_id]
        hers = {day: tuple(booked.get(day, ())) for day in asked}
        person = Person(engineer_id, one[engineer_id], hers, engineer_id in declined_by(row))
        work = work_of(row)
        call.etag(row["version"])
        facts: dict[str, Any] = {"order_id": order_id, "version": row["version"], "engineer_id": engineer_id}
        facts["rules_version"] = rules.version
        parts = await parts_in_vans(api, call.tenant, row, person.engineer.van_id)
        ways = await ways_now(api, call.tenant, rules)
        try:
            found = wanted_hours(work, person, call.now, starts_at, rules, parts, ways)
        except Rejected as no:
            why_not = call.said(no.code, no.facts)
            return Choice(**facts, possible=False, why_not=why_not, hours=None, broke_rules=[], broke_names=[])
        broke = list(overruled(work, person, found, call.now, ways))
        facts |= {"broke_rules": broke, "broke_names": _names(broke, call)}
        return Choice(**facts, possible=True, why_not=None, hours=CandidateView.of(engineer_id, found, call))

    @router.post("/{order_id}/offer", summary="Ask engineers whether they want a waiting order; the first has it")
    async def offer(order_id: str, body: OfferBody, call: Call = command("dispatcher")) -> Accepted:
        row = await known(order_id, call)
        asked = body.engineer_ids or await best(row, call)
        if not asked:
            raise Rejected("order.no-free-engineer", order_id=order_id)
        offered = OfferOrder(
            order_id=order_id,
            engineer_ids=asked,
            offered_by="person",
            minutes=body.minutes,
            note=body.note,
            now=call.now,
        )
        return Accepted.of(await call.ask(offered, versioned=f"order/{order_id}"), id=order_id)

    async def best(row: Mapping[str, Any], call: Call) -> tuple[str, ...]:
        """Who fits it best of those whom it was not offered to."""
        ranking, *_ = await ranked(row, call)
        before, count = offered_before(row), (await rules_now(api, call.tenant, call.now)).offer_to
        return tuple([engineer_id for engineer_id, _ in ranking.proposals if engineer_id not in before][:count])

    return router

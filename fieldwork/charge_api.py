"""The routes of money: price lists, coverages, what orders are entitled to, and what visits are charged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, cast

import msgspec
from pydantic import Field
from sqlalchemy import Select, select

from contracts.fieldwork import ChargeLine, Entitled
from fieldwork.commands import (
    Cover,
    DefineContractPrices,
    DefinePrices,
    DefineWarranty,
    LineCorrection,
    MonthsCovered,
    NamedLine,
    Price,
    Reasoned,
    SetCoverage,
)
from fieldwork.domain.coverage import coverage_stream
from fieldwork.domain.dispute import paid_by
from fieldwork.domain.prices import STANDARD, prices_stream
from fieldwork.domain.warranty import warranty_stream
from fieldwork.projections.charges import CHARGES, CORRECTIONS, DISPUTES, disputed_of, lines_of
from fieldwork.projections.coverages import COVERAGES
from fieldwork.projections.entitlements import ENTITLEMENTS, entitled_of
from fieldwork.projections.price_lists import PRICE_LISTS, prices_of
from fieldwork.projections.warranties import WARRANTIES, term_of
from services.chassis.clock import TENANT_ZONE, at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api

STAFF = ("agent", "dispatcher", "manager", "auditor")
Why = Literal["covered", "over", "not-covered", "no-price"]
CoverageKind = Literal["", "warranty", "contract"]
Payer = Literal["customer", "maker", "contract", "company"]


class PricesView(Body):
    """A version of a price list; 1/100 CNY, tax included."""

    list_id: str
    version: int
    effective_from: datetime
    labour_fen_per_h: int
    labour_step_s: int
    travel_fen: int
    in_vain_fen: int = Field(description="For a visit at which nobody was there.")
    parts: list[Price]


class CoverageView(Body):
    device_id: str
    coverage_id: str
    kind: Literal["warranty", "contract"]
    customer_id: str
    device_model: str
    list_id: str
    starts_at: datetime
    labour: Cover
    parts: Cover
    travel: Cover


class WarrantyView(Body):
    """A version of what the maker covers of the devices of a model, from the day on which each was put into service."""

    device_model: str
    version: int
    effective_from: date = Field(description="Of devices whose warranty begins on that day or later.")
    labour: MonthsCovered
    parts: MonthsCovered
    travel: MonthsCovered
    from_purchase: bool


class EntitledView(Body):
    """Who pays for one kind of cost of an order, with its words."""

    kind: Literal["labour", "parts", "travel"]
    percent: int
    why: Why
    coverage_id: str
    coverage_kind: CoverageKind
    coverage_version: int
    until: datetime | None
    list_id: str = Field(description="The contract's own price list; empty for the standard list.")
    explained_en: str
    explained_zh: str


class EntitlementView(Body):
    """What an order is entitled to, decided when it was opened; anew when a coverage or its device was corrected."""

    order_id: str
    request_id: str
    customer_id: str
    device_id: str
    entitled_at: datetime = Field(description="When the order was opened: what holds at this instant counts.")
    list_version: int = Field(description="Of the standard price list; 0 where none is in force.")
    lines: list[EntitledView]
    decided_anew: int
    reason: Literal["", "coverage-set", "device-corrected"] = Field(description="Why it was decided anew last.")
    decided_anew_at: datetime | None
    before: list[EntitledView] = Field(description="What it was before that.")


class PaidBy(Body):
    payer: Payer = Field(description="`maker` pays what a warranty covers, `company` is our own.")
    fen: int


class LineView(Body):
    """A line of a charge with its words."""

    kind: Literal["labour", "part", "travel"]
    item: str
    quantity: int = Field(description="Pieces; of labour, seconds as they are charged.")
    unit_fen: int
    gross_fen: int
    covered_fen: int
    company_fen: int = Field(description="What our own company bears.")
    customer_fen: int
    percent: int
    why: Why
    coverage_id: str
    coverage_kind: CoverageKind
    until: datetime | None
    list_id: str = Field(description="The contract's own price list; empty for the standard list.")
    by_hand: bool = Field(description="A manager said what it comes to.")
    paid_by: list[PaidBy] = Field(description="Who pays how much of it; together `gross_fen`.")
    explained_en: str
    explained_zh: str


class ChargeView(Body):
    """What is paid for a visit as it stands, 1/100 CNY, tax included. The sums are those of the lines."""

    visit_id: str
    device_id: str
    list_version: int
    charged_at: datetime
    in_vain: bool = Field(description="Nobody was there.")
    corrections: int
    corrected_at: datetime | None
    lines: list[LineView]
    gross_fen: int
    warranty_fen: int
    contract_fen: int
    company_fen: int
    customer_fen: int
    disputed: bool = Field(description="One of those who pay does not agree; it is not to be collected.")
    unpriced: int = Field(description="Lines without a price: somebody must look before it is sent.")


class CorrectionBody(Body):
    lines: tuple[LineCorrection, ...] = Field(min_length=1, max_length=200)
    reason: Reasoned


class CorrectionView(Body):
    number: int
    reason: Literal["coverage-set", "device-corrected", "by-hand"]
    note: str
    corrected_at: datetime
    corrected_by: str
    before: list[LineView]
    lines: list[LineView]
    gross_diff_fen: int
    warranty_diff_fen: int
    contract_diff_fen: int
    company_diff_fen: int
    customer_diff_fen: int


class PricesBody(Body, DefinePrices):
    """Services cost this from then on."""


class ContractPricesBody(Body, DefineContractPrices):
    """Services cost this from then on under the contracts that name this list."""


class DisputeBody(Body):
    lines: tuple[NamedLine, ...] = Field((), max_length=200, description="Which; without any, the whole charge.")
    reason: Reasoned
    disputed_by: Payer = Field("customer", description="For staff; a customer disputes what she pays herself.")


class ResolutionBody(Body):
    answer: Reasoned
    lines: tuple[LineCorrection, ...] = Field(
        (), max_length=200, description="What lines come to after all; without any, the charge stands."
    )


class DisputeView(Body):
    """A dispute of a charge, and how it was decided."""

    visit_id: str
    number: int
    disputed_by: Payer
    lines: list[NamedLine]
    reason: str
    disputed_fen: int = Field(description="What that payer was to pay of these lines.")
    disputed_at: datetime
    state: Literal["open", "corrected", "stands"]
    correction: int = Field(description="The number of the correction that followed; 0 where the charge stands.")
    answer: str
    resolved_at: datetime | None


def routers(api: Api) -> list[ServiceRouter]:
    prices = ServiceRouter(api, prefix="/v1/price-lists", tags=["price lists"])
    _prices(prices)
    coverages = ServiceRouter(api, prefix="/v1/coverages", tags=["coverages"])
    _coverages(coverages)
    _warranties(coverages)
    entitlements = ServiceRouter(api, prefix="/v1/entitlements", tags=["entitlements"])
    _entitlements(entitlements)
    return [prices, coverages, entitlements]


def _prices(router: ServiceRouter) -> None:
    table = PRICE_LISTS.table

    @router.post("", summary="Say what services cost from a time on, as a new version")
    async def define(body: PricesBody, call: Call = command("manager")) -> Accepted:
        asked = DefinePrices(**body.model_dump() | {"effective_from": body.effective_from.astimezone(UTC)})
        return Accepted.of(await call.ask(asked, versioned=prices_stream()), id=STANDARD)

    @router.post("/contracts", summary="Say what services cost under the contracts that name this list")
    async def agree(body: ContractPricesBody, call: Call = command("manager")) -> Accepted:
        asked = DefineContractPrices(**body.model_dump() | {"effective_from": body.effective_from.astimezone(UTC)})
        return Accepted.of(await call.ask(asked, versioned=prices_stream(body.list_id)), id=body.list_id)

    @router.get("", summary="The versions of a price list, the newest first")
    async def versions(
        call: Call = query("engineer", *STAFF),
        list_id: str = STANDARD,
        cursor: str | None = None,
        limit: Limit = 20,
    ) -> Page[PricesView]:
        rows = select(table).where(table.c.list_id == list_id)
        page = await call.page(rows, order_by=[table.c.version.desc()], cursor=cursor, limit=limit)
        return page.map(_prices_view)


def _prices_view(row: Mapping[str, Any]) -> PricesView:
    same = {name: row[name] for name in PricesView.model_fields if name not in ("effective_from", "parts")}
    parts = [Price(part_id=one.part_id, unit_fen=one.unit_fen) for one in prices_of(row["parts"])]
    return PricesView(**same, effective_from=at_micros(row["effective_from"]), parts=parts)


def _coverages(router: ServiceRouter) -> None:
    table = COVERAGES.table

    @router.post("", summary="A warranty or a contract pays for work on a device; the same id again puts it right")
    async def put(body: SetCoverage, call: Call = command("agent", "manager")) -> Accepted:
        terms = {
            name: Cover(percent=cover.percent, until=cover.until.astimezone(UTC))
            for name, cover in (("labour", body.labour), ("parts", body.parts), ("travel", body.travel))
        }
        asked = body.model_copy(update={**terms, "starts_at": body.starts_at.astimezone(UTC)})
        answer = await call.ask(asked, versioned=coverage_stream(body.device_id))
        return Accepted.of(answer, id=body.device_id)

    @router.get("", summary="What warranties and contracts pay, by device")
    async def some(
        call: Call = query("engineer", *STAFF),
        device_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[CoverageView]:
        rows: Select[Any] = select(table)
        if device_id is not None:
            rows = rows.where(table.c.device_id == device_id)
        order = [table.c.device_id, table.c.coverage_id]
        return (await call.page(rows, order_by=order, cursor=cursor, limit=limit)).map(_coverage_view)


def _warranties(router: ServiceRouter) -> None:
    table = WARRANTIES.table

    @router.post("/models", summary="What the maker covers of the devices of a model, as a new version")
    async def define(body: DefineWarranty, call: Call = command("manager")) -> Accepted:
        answer = await call.ask(body, versioned=warranty_stream(body.device_model))
        return Accepted.of(answer, id=body.device_model)

    @router.get("/models", summary="The warranties of models, of each the newest version first")
    async def versions(
        call: Call = query("engineer", *STAFF),
        device_model: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[WarrantyView]:
        rows: Select[Any] = select(table)
        if device_model is not None:
            rows = rows.where(table.c.device_model == device_model)
        order = [table.c.device_model, table.c.version.desc()]
        return (await call.page(rows, order_by=order, cursor=cursor, limit=limit)).map(_warranty_view)


def _warranty_view(row: Mapping[str, Any]) -> WarrantyView:
    terms = {
        name: MonthsCovered(**msgspec.structs.asdict(term_of(row[name]))) for name in ("labour", "parts", "travel")
    }
    return WarrantyView(**{name: row[name] for name in WarrantyView.model_fields} | terms)


def _coverage_view(row: Mapping[str, Any]) -> CoverageView:
    def cover(name: str) -> Cover:
        return Cover(percent=row[f"{name}_percent"], until=at_micros(row[f"{name}_until"]))

    same = {name: row[name] for name in ("device_id", "coverage_id", "kind", "customer_id", "device_model", "list_id")}
    return CoverageView(
        **same,
        starts_at=at_micros(row["starts_at"]),
        labour=cover("labour"),
        parts=cover("parts"),
        travel=cover("travel"),
    )


def _entitlements(router: ServiceRouter) -> None:
    table = ENTITLEMENTS.table

    @router.get("", summary="What orders are entitled to, the newest first")
    async def some(
        call: Call = query(*STAFF),
        order_id: str | None = None,
        device_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[EntitlementView]:
        rows: Select[Any] = select(table)
        if order_id is not None:
            rows = rows.where(table.c.order_id == order_id)
        if device_id is not None:
            rows = rows.where(table.c.device_id == device_id)
        order = [table.c.entitled_at.desc(), table.c.order_id]
        return (await call.page(rows, order_by=order, cursor=cursor, limit=limit)).map(_entitlement_view)


async def entitlement_of(order_id: str, call: Call) -> EntitlementView:
    row = await call.one(select(ENTITLEMENTS.table).where(ENTITLEMENTS.table.c.order_id == order_id))
    if row is None:
        raise absent("entitlement", order_id)
    return _entitlement_view(row)


def _entitlement_view(row: Mapping[str, Any]) -> EntitlementView:
    same = ("order_id", "request_id", "customer_id", "device_id", "list_version", "decided_anew", "reason")
    anew_at = row["decided_anew_at"]
    return EntitlementView(
        **{name: row[name] for name in same},
        entitled_at=at_micros(row["entitled_at"]),
        lines=[_entitled_view(one) for one in entitled_of(row["lines"])],
        before=[_entitled_view(one) for one in entitled_of(row["before"])],
        decided_anew_at=None if anew_at is None else at_micros(anew_at),
    )


def _entitled_view(one: Entitled) -> EntitledView:
    en, zh = _explained(one)
    return EntitledView(**msgspec.structs.asdict(one), explained_en=en, explained_zh=zh)


async def charge_of(visit_id: str, call: Call) -> ChargeView:
    row = await call.one(select(CHARGES.table).where(CHARGES.table.c.visit_id == visit_id))
    if row is None:
        raise absent("charge", visit_id)
    call.etag(row["version"])
    others = ("charged_at", "corrected_at", "lines")
    same = {name: row[name] for name in ChargeView.model_fields if name not in others}
    corrected_at = row["corrected_at"]
    return ChargeView(
        **same,
        charged_at=at_micros(row["charged_at"]),
        corrected_at=None if corrected_at is None else at_micros(corrected_at),
        lines=_line_views(row["lines"]),
    )


async def corrections_of(visit_id: str, call: Call) -> list[CorrectionView]:
    table = CORRECTIONS.table
    rows = await call.fetch(select(table).where(table.c.visit_id == visit_id).order_by(table.c.number))
    diffs = [f"{who}_diff_fen" for who in ("gross", "warranty", "contract", "company", "customer")]
    told = ("number", "reason", "corrected_by", *diffs)
    return [
        CorrectionView(
            **{name: row[name] for name in told},
            note=call.open(row["note"]),
            corrected_at=at_micros(row["corrected_at"]),
            before=_line_views(row["before"]),
            lines=_line_views(row["lines"]),
        )
        for row in rows
    ]


async def disputes_of(visit_id: str, call: Call) -> list[DisputeView]:
    table = DISPUTES.table
    rows = await call.fetch(select(table).where(table.c.visit_id == visit_id).order_by(table.c.number.desc()))
    return [_dispute_view(row, call) for row in rows]


def _dispute_view(row: Mapping[str, Any], call: Call) -> DisputeView:
    same = ("visit_id", "number", "disputed_by", "disputed_fen", "state", "correction")
    resolved_at = row["resolved_at"]
    return DisputeView(
        **{name: row[name] for name in same},
        lines=[NamedLine(kind=one.kind, item=one.item) for one in disputed_of(row["lines"])],
        reason=call.open(row["reason"]),
        answer=call.open(row["answer"]),
        disputed_at=at_micros(row["disputed_at"]),
        resolved_at=None if resolved_at is None else at_micros(resolved_at),
    )


WHY: Final = {
    "covered": ("{name} {id} pays {percent} %, until {until}.", "{name} {id} 承担 {percent}%，有效期至 {until}。"),
    "over": ("{name} {id} was over on {until}.", "{name} {id} 已于 {until} 到期。"),
    "not-covered": ("No warranty and no contract pays for this.", "不在保修或合同范围内。"),
    "no-price": (
        "The price list has no price for this part; it is not charged yet.",
        "价格表中没有该备件的价格，暂未计费。",
    ),
    "by-hand": ("A manager has corrected this line.", "该行由经理更正。"),
}
NAMES: Final = {"": ("", ""), "warranty": ("The warranty", "保修"), "contract": ("The contract", "合同")}


def _explained(one: ChargeLine | Entitled) -> tuple[str, str]:
    """Why it is what it is, in English and Chinese."""
    why = "by-hand" if isinstance(one, ChargeLine) and one.by_hand else one.why
    until = f"{one.until.astimezone(TENANT_ZONE):%Y-%m-%d %H:%M}" if one.until else ""
    facts = {"id": one.coverage_id, "percent": one.percent, "until": until}
    en, zh = (text.format(name=name, **facts) for text, name in zip(WHY[why], NAMES[one.coverage_kind], strict=True))
    return en, zh


def _line_views(text: str) -> list[LineView]:
    return [_line_view(one) for one in lines_of(text)]


def _line_view(line: ChargeLine) -> LineView:
    en, zh = _explained(line)
    pays = paid_by(line)
    customer_fen = pays["customer"]
    paid = [PaidBy(payer=cast(Payer, payer), fen=fen) for payer, fen in pays.items() if fen]
    paid = paid or [PaidBy(payer="customer", fen=0)]
    said = msgspec.structs.asdict(line)
    return LineView(**said, customer_fen=customer_fen, paid_by=paid, explained_en=en, explained_zh=zh)

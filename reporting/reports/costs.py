"""What service costs and earns: of the orders whose work was first accepted in the range."""

from __future__ import annotations

from fractions import Fraction

from sqlalchemy import ColumnElement, and_

from reporting.report import Count, Figure, Measure, Ratio, Report, Sum, Unit, ratio
from reporting.reports.rows import DONE, PARTS_OF_DONE, WORK_OF_DONE, e, o, part, used, v

CHARGED = o.revenue_fen.is_not(None)
FINISHED = v.left_at.is_not(None) & ~v.in_vain
TIMED = and_(v.labour_s.is_not(None), e.hour_fen.is_not(None))
PRICED = part.cost_fen.is_not(None)
HOUR_S = 3_600

_all, _charged = Sum(DONE), Sum(DONE, CHARGED)
_revenue = Sum(DONE, CHARGED, o.revenue_fen)
_timed, _priced = Sum(WORK_OF_DONE, TIMED), Sum(PARTS_OF_DONE, PRICED)
# In fen times seconds of an hour, so that nothing is rounded before it is shown.
_labour = Sum(WORK_OF_DONE, TIMED, v.labour_s * e.hour_fen)
_parts = Sum(PARTS_OF_DONE, PRICED, used.quantity * part.cost_fen)


def _figure(name: str, unit: Unit, en: str, zh: str, formula: str, measure: Measure) -> Figure:
    return Figure(name, unit, en, zh, formula, measure)


def _pieces(when: ColumnElement[bool]) -> Sum:
    return Sum(PARTS_OF_DONE, when, used.quantity)


COSTS = Report(
    name="costs",
    en="What service costs and earns, over the orders whose work was first accepted in the range. Money is in fen.",
    zh="服务成本与收入：统计所选日期内首次验收的工单，金额单位为分。",
    rows=DONE,
    figures=(
        _figure(
            "orders_completed",
            "count",
            "Orders whose work the customer first accepted in the range.",
            "所选日期内首次验收的工单数。",
            "count(orders with ServiceCompleted)",
            Count(_all),
        ),
        _figure(
            "orders_charged",
            "count",
            "Of these, the ones that were charged by now.",
            "其中已计费的工单数。",
            "count(orders with ServiceCharged)",
            Count(_charged),
        ),
        _figure(
            "revenue_fen",
            "fen",
            "What customers, warranties and contracts pay for them.",
            "服务收入：客户、保修与合同应付金额。",
            "sum(ServiceCharged.gross_fen + ChargeCorrected.gross_diff_fen)",
            Count(_revenue, _charged),
        ),
        _figure(
            "customer_fen",
            "fen",
            "Of this, what customers pay themselves.",
            "其中客户自付金额。",
            "sum(ServiceCharged.customer_fen + ChargeCorrected.customer_diff_fen)",
            Count(Sum(DONE, CHARGED, o.customer_fen), _charged),
        ),
        _figure(
            "revenue_fen_per_order",
            "fen",
            "Revenue for each charged order.",
            "单均服务收入。",
            "revenue_fen / orders_charged",
            ratio(_revenue, _charged),
        ),
        _figure(
            "labour_cost_fen",
            "fen",
            "Paid working time of all visits for these orders, at what an hour of the engineer costs now.",
            "人工成本：这些工单全部上门的计费工时乘以工程师现行小时成本。",
            "sum(last WorkFinished.labour_s * EngineerRegistered.hour_fen) / 3600",
            Ratio([(1, _labour)], None, Fraction(1, HOUR_S), known=_timed),
        ),
        _figure(
            "visits_without_cost",
            "count",
            "Visits with finished work of which working time or engineer's cost is not known; they are in no sum.",
            "工时或工程师成本未知的完工上门次数，未计入成本。",
            "count(WorkFinished without labour_s or hour_fen)",
            Count(Sum(WORK_OF_DONE, and_(FINISHED, ~TIMED))),
        ),
        _figure(
            "parts_cost_fen",
            "fen",
            "Parts that went into devices for these orders, at what a piece costs now.",
            "备件成本：这些工单消耗的备件按现行单位成本计算。",
            "sum(PartConsumed.quantity * PartDefined.cost_fen)",
            Count(_parts, _priced),
        ),
        _figure(
            "pieces_without_cost",
            "count",
            "Pieces of parts of which nobody said what they cost; they are in no sum.",
            "成本未知的备件件数，未计入成本。",
            "sum(PartConsumed.quantity of parts without cost_fen)",
            Count(_pieces(~PRICED)),
        ),
        _figure(
            "parts_cost_fen_per_order",
            "fen",
            "Parts cost for each completed order.",
            "单均备件成本。",
            "parts_cost_fen / orders_completed",
            Ratio([(1, _parts)], _all, known=_priced),
        ),
        _figure(
            "service_cost_fen_per_order",
            "fen",
            "Labour and parts for each completed order, as far as their cost is known; null where no labour cost is.",
            "单均服务成本：已知的人工与备件成本之和除以已完成工单数；人工成本全部未知时为空。",
            "(labour_cost_fen + parts_cost_fen) / orders_completed; the numerator is in fen times 3600",
            Ratio([(1, _labour), (HOUR_S, _parts)], _all, Fraction(1, HOUR_S), known=_timed),
        ),
    ),
)

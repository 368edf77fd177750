"""What service costs and earns: of the orders whose work was first accepted in the range."""

from __future__ import annotations

from fractions import Fraction

from sqlalchemy import ColumnElement

from reporting.report import Count, Figure, Measure, Ratio, Report, Sum, Unit, ratio
from reporting.reports.rows import DONE, k

CHARGED = k.revenue_fen.is_not(None)


def _sum(value: ColumnElement[int], when: ColumnElement[bool] | None = None) -> Sum:
    """Over the orders that have any."""
    return Sum(DONE, value > 0 if when is None else when, value)


_all, _charged = Sum(DONE), Sum(DONE, CHARGED)
_revenue = _sum(k.revenue_fen, CHARGED)
_timed, _way, _priced = _sum(k.visits_timed), _sum(k.trips_timed), _sum(k.pieces_priced)
# In fen times seconds, or metres, so that nothing is rounded before it is shown.
_labour = _sum(k.labour_fen_s, k.visits_timed > 0)
_way_hours = _sum(k.way_fen_s, k.trips_timed > 0)
_way_km = _sum(k.way_fen_m)
_parts = _sum(k.parts_fen, k.pieces_priced > 0)

PARTS_OF_A_FEN = 18_000
"""Of which 5 are a fen times a second of an hour, and 18 a fen times a metre of a kilometre."""
_LABOUR, _TRAVEL = [(5, _labour)], [(5, _way_hours), (18, _way_km)]
_COST = [*_LABOUR, *_TRAVEL, (PARTS_OF_A_FEN, _parts)]


def _figure(name: str, unit: Unit, en: str, zh: str, formula: str, measure: Measure) -> Figure:
    return Figure(name, unit, en, zh, formula, measure)


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
            Count(_sum(k.customer_fen, CHARGED), _charged),
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
            "Paid working time of all visits for these orders, at what an hour of the engineer cost that day.",
            "人工成本：这些工单全部上门的计费工时乘以工程师当日的小时成本。",
            "sum(last WorkFinished.labour_s * EngineerRegistered.hour_fen) / 3600",
            Ratio([(1, _labour)], None, Fraction(1, 3_600), known=_timed),
        ),
        _figure(
            "visits_without_cost",
            "count",
            "Visits with finished work of which working time or engineer's cost is not known; they are in no sum.",
            "工时或工程师成本未知的完工上门次数，未计入成本。",
            "count(WorkFinished without labour_s or hour_fen)",
            Count(_sum(k.visits_without_cost)),
        ),
        _figure(
            "travel_cost_fen",
            "fen",
            "The ways to all visits for these orders, also in vain: whole seconds on the way at what an hour of the "
            "engineer cost that day, and kilometres as they were planned at what one cost.",
            "差旅成本：这些工单全部上门（含空跑）的路途工时乘以工程师当日的小时成本，加上计划里程乘以当日的公里成本。",
            "sum((EngineerArrived - EngineerDeparted) * hour_fen) / 3600 + sum(OrderAssigned.travel_m * km_fen) / 1000",
            Ratio(_TRAVEL, None, Fraction(1, PARTS_OF_A_FEN), known=_way),
        ),
        _figure(
            "trips_without_cost",
            "count",
            "Departures to these orders of which the arrival or the engineer's cost is not known; their time is in no "
            "sum.",
            "到达时间或工程师成本未知的出发次数，其路途工时未计入成本。",
            "count(EngineerDeparted without EngineerArrived or hour_fen)",
            Count(_sum(k.trips_without_cost)),
        ),
        _figure(
            "travel_cost_fen_per_order",
            "fen",
            "Travel cost for each completed order.",
            "单均差旅成本。",
            "travel_cost_fen / orders_completed; the numerator is in fen / 18000",
            Ratio(_TRAVEL, _all, Fraction(1, PARTS_OF_A_FEN), known=_way),
        ),
        _figure(
            "parts_cost_fen",
            "fen",
            "Parts that went into devices for these orders, at what a piece cost when it was used.",
            "备件成本：这些工单消耗的备件按消耗当时的单位成本计算。",
            "sum(PartConsumed.quantity * PartDefined.cost_fen)",
            Count(_parts, _priced),
        ),
        _figure(
            "pieces_without_cost",
            "count",
            "Pieces of parts of which nobody said what they cost; they are in no sum.",
            "成本未知的备件件数，未计入成本。",
            "sum(PartConsumed.quantity of parts without cost_fen)",
            Count(_sum(k.pieces_without_cost)),
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
            "Labour, travel and parts for each completed order, as far as their cost is known; null where no labour "
            "cost is.",
            "单均服务成本：已知的人工、差旅与备件成本之和除以已完成工单数；人工成本全部未知时为空。",
            "(labour_cost_fen + travel_cost_fen + parts_cost_fen) / orders_completed; the numerator is in fen / 18000",
            Ratio(_COST, _all, Fraction(1, PARTS_OF_A_FEN), known=_timed),
        ),
        _figure(
            "contribution_fen_per_order",
            "fen",
            "What is left of the revenue for each completed order after these costs; null where no labour cost is.",
            "单均服务贡献：服务收入减去上述成本后的单均余额；人工成本全部未知时为空。",
            "(revenue_fen - labour, travel and parts cost) / orders_completed; the numerator is in fen / 18000",
            Ratio(
                [(PARTS_OF_A_FEN, _revenue), *[(-factor, one) for factor, one in _COST]],
                _all,
                Fraction(1, PARTS_OF_A_FEN),
                known=_timed,
            ),
        ),
    ),
)

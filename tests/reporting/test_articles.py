"""Every figure that the two articles of the field name is told by a report, or it is said who tells it instead."""

from reporting.reports import REPORTS

TOLD = {
    # What SMS brings in figures, and its three reports (article 1).
    "需求响应时间": ("efficiency", "assign_h_mean"),
    "漏单率": ("efficiency", "missed_share"),
    "派单准确率": ("dispatch", "dispatch_accuracy_share"),
    "工程师上门时间": ("efficiency", "arrive_h_mean"),
    "上门时效": ("efficiency", "arrivals_on_time_share"),
    "上门时效（问卷）": ("quality", "punctuality_mean"),
    "服务态度（问卷）": ("quality", "attitude_mean"),
    "解决效果（问卷）": ("quality", "outcome_mean"),
    "平均解决时长": ("efficiency", "resolve_h_mean"),
    "问题解决率": ("efficiency", "resolution_share"),
    "满意度": ("quality", "csat_share"),
    "打分 1-5 星": ("quality", "rating_mean"),
    "差评率": ("quality", "bad_review_share"),
    "二次维修率": ("quality", "repeat_repair_share"),
    "客户推荐率": ("quality", "recommend_share"),
    "客户投诉量": ("complaints", "complaints"),
    "工程师人均工单量": ("utilisation", "visits_completed_per_engineer"),
    "空闲率": ("utilisation", "idle_share"),
    "空跑": ("utilisation", "empty_trips_share"),
    "远距离上门": ("dispatch", "travel_km_mean"),
    "路上时间": ("utilisation", "travel_share"),
    "人工成本": ("costs", "labour_cost_fen"),
    "备件成本": ("costs", "parts_cost_fen"),
    "差旅成本": ("costs", "travel_cost_fen"),
    "服务费用": ("costs", "revenue_fen"),
    "每月服务需求": ("efficiency", "requests_received"),
    # The service profit chain (article 2).
    "CSAT": ("quality", "csat_share"),
    "NPS": ("quality", "nps"),
    "FCR": ("efficiency", "first_contact_share"),
    "MTTR": ("efficiency", "resolve_h_mean"),
    "SLA 达成率（派单）": ("dispatch", "sla_assign_share"),
    "SLA 达成率（上门）": ("dispatch", "sla_arrive_share"),
    "SLA 达成率（修复）": ("dispatch", "sla_fix_share"),
    "员工满意度": ("staff", "staff_content_share"),
    "单位服务成本": ("costs", "service_cost_fen_per_order"),
    "服务收入": ("costs", "revenue_fen_per_order"),
    "对企业利润的贡献": ("costs", "contribution_fen_per_order"),
}

ELSEWHERE = {
    "员工流失率": "who leaves the company is known to personnel; no event of ours says so",
    "续约率": "contracts are closed and prolonged in the CRM",
    "交叉销售机会": "what else a customer buys is in the CRM",
}


def test_what_the_articles_name_is_told_with_a_definition_in_both_languages():
    for name, (report, figure) in TOLD.items():
        told = REPORTS[report].figure(figure)
        assert told is not None, (name, report, figure)
        assert told.en and told.zh and told.formula, name


def test_what_is_by_month_in_the_articles_can_be_asked_by_month():
    assert all(REPORTS[report].compute is None for report, _ in TOLD.values())


def test_nothing_is_said_to_be_elsewhere_that_is_here():
    assert not TOLD.keys() & ELSEWHERE.keys()

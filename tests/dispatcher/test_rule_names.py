"""Whoever reads Chinese is told the names of rules in Chinese, others in English; programs have the codes."""

from typing import get_args, get_type_hints

import pytest

from contracts.dispatcher import Reason
from contracts.intake import UsualPart
from dispatcher.domain.suited import Rule
from services.chassis.http.problems import said
from services.chassis.http.rule_names import name_of, names
from tests.dispatcher import test_running

told = test_running.told


def test_every_rule_has_a_name_in_both_languages():
    assert {*get_args(Rule), "unknown"} == names()["breaks"].keys()
    assert {*get_args(get_type_hints(Reason)["rule"]), "expense"} == names()["reasons"].keys()
    for kind, these in names().items():
        for rule in these:
            assert name_of(kind, rule, "en").isascii() and not name_of(kind, rule, "zh").isascii()


@pytest.mark.parametrize(
    ("spoken", "detail"),
    [
        ("zh", "e-1 违反规则：不在服务区域内、缺勤。"),
        ("en", "For e-1 it breaks: the place is outside the territory, absent."),
    ],
)
def test_a_refusal_names_the_rules_and_keeps_their_codes_for_programs(spoken, detail):
    body = said("assignment.needs-reason", {"engineer_id": "e-1", "rules": "territory, absent"}, spoken)
    assert (body["detail"], body["facts"]["rules"]) == (detail, "territory, absent")


def test_a_rule_without_a_name_is_shown_by_its_code():
    assert name_of("breaks", "new-rule", "zh") == "new-rule"


def test_a_dispatcher_reads_why_somebody_goes_and_others_do_not(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", skills=("heating",))
        await desk.open(usual_parts=(UsualPart("fan"),))
        await desk.quiet()
        read = {"headers": {"Accept-Language": "zh-CN"}}
        shown = await desk.get("/v1/orders/o-1/candidates", **read)
        assert {one["rule"]: one["name"] for one in shown["candidates"][0]["rules"]}["distance"] == "距离"
        assert [one["names"] for one in shown["excluded"]] == [["不具备所需技能"]]
        order = await desk.get("/v1/orders/o-1", **read)
        assert order["reasons"][-1] == {"rule": "van", "name": "车上缺件", "value": 1, "cost": 50}
        assert order["excluded"] == [{"rule": "skill", "name": "不具备所需技能", "engineers": 1}]
        no = await desk.call("GET", "/v1/orders/o-1/candidates/e-2", **read)
        assert no.json()["broke_names"] == ["不具备所需技能"]
        english = await desk.get("/v1/orders/o-1")
        assert english["excluded"][0]["name"] == "lacks the skill"

    told(story)

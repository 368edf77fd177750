"""What excludes an engineer, rule by rule: for the rule that proposes, for who takes, and for who overrules it."""

from datetime import timedelta
from itertools import combinations

import pytest

from contracts.dispatcher import (
    Certificate,
    DecisionRecorded,
    DispatchRulesSet,
    HoursBooked,
    OrderAssigned,
    OrderReassigned,
    SkillLevel,
)
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import Proposal, best_hours
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Place
from dispatcher.service import RULES
from tests.dispatcher.examples import (
    ALL_WEEK,
    TODAY,
    TOMORROW,
    assign,
    assigned,
    at,
    booked,
    by_hand,
    declined,
    opened,
    reassign,
    registered,
    take,
)
from tests.dispatcher.ranking import rank
from tests.given import NOW, spec_for

given = spec_for(RULES, besides=(DecisionRecorded,))

SHOP = Place(39_900_000, 116_400_000)
YESTERDAY = "2026-11-23"
ELECTRICIAN = Certificate("电工证")
ALWAYS = timedelta(days=30)


def engineer(**changes):
    facts = {"skills": frozenset({"cooling"}), "home": SHOP, "zone": "Asia/Shanghai", "shifts": ALL_WEEK}
    return Registered(**facts | {"van_id": "", "daily_limit": 10} | changes)


def work(**changes):
    facts = {"order_id": "o-1", "skill": "cooling", "device_model": "KFR-35", "urgency": "normal", "region": "朝阳区"}
    return Work(**facts | {"duration": timedelta(hours=1), "place": SHOP} | changes)


def why(order=None, who=None, booked_hours=None, no_to=(), rules=DEFAULTS):
    ranking = rank(order or work(), {"e": who or engineer()}, {"e": booked_hours or {}}, NOW, no_to, rules)
    return ranking.excluded.get("e", ())


def days_full():
    return {(NOW.date() + timedelta(days=n)).isoformat(): [Booking(NOW, NOW, f"o-{n}", SHOP)] for n in range(-1, 9)}


# Of the engineer or the order: the change that alone excludes her.
ALONE = {
    "skill": ({"skills": frozenset({"heating"})}, {}),
    "skill-expired": ({"levels": (SkillLevel("cooling", 5, YESTERDAY),)}, {}),
    "level": ({"levels": (SkillLevel("cooling", 2),)}, {"level": 3}),
    "certificate": ({}, {"certificates": ("电工证",)}),
    "certificate-expired": ({"certificates": (Certificate("电工证", YESTERDAY),)}, {"certificates": ("电工证",)}),
    "territory": ({"territory": frozenset({"海淀区"})}, {}),
    "shift": ({"shifts": ()}, {}),
    "absent": ({"absences": (Absence(NOW, NOW + ALWAYS, "a-1"),)}, {}),
}


def test_without_any_of_it_she_is_proposed():
    assert why() == ()
    everything = engineer(
        levels=(SkillLevel("cooling", 3, TODAY),), certificates=(ELECTRICIAN,), territory=frozenset({"朝阳区"})
    )
    assert why(work(level=3, certificates=("电工证",)), everything) == ()


@pytest.mark.parametrize("rule", ALONE)
def test_each_rule_excludes_alone_and_is_named(rule):
    hers, its = ALONE[rule]
    assert why(work(**its), engineer(**hers)) == (rule,)


def test_who_declined_and_whose_days_are_full_or_too_short_is_excluded():
    assert why(no_to={"e"}) == ("declined",)
    assert why(who=engineer(daily_limit=1), booked_hours=days_full()) == ("limit",)
    short = {day: [Booking(at(8), at(19, 30), "o-9", SHOP)] for day in [TODAY]}
    tuesdays = engineer(shifts=tuple(shift for shift in ALL_WEEK if shift.weekday == 1))
    assert why(who=tuesdays, booked_hours=short) == ("hours",)


OF_HER = [rule for rule in ALONE if rule not in ("shift", "absent")]
EXCLUSIVE = [{"skill", "skill-expired"}, {"skill", "level"}, {"skill-expired", "level"}]
EXCLUSIVE += [{"certificate", "certificate-expired"}]


@pytest.mark.parametrize("pair", [one for one in combinations(OF_HER, 2) if {*one} not in EXCLUSIVE], ids="+".join)
def test_two_rules_about_what_she_is_are_both_named(pair):
    hers, its = {}, {}
    for rule in pair:
        hers |= ALONE[rule][0]
        its |= ALONE[rule][1]
    assert why(work(**its), engineer(**hers)) == pair


@pytest.mark.parametrize("known", ["cooling", "海尔 KFR-35", "海尔"])
def test_skill_model_and_brand_each_count_with_their_own_level(known):
    order = work(device_model="海尔 KFR-35", level=4)
    assert why(order, engineer(skills=frozenset({known}), levels=(SkillLevel(known, 4),))) == ()
    assert why(order, engineer(skills=frozenset({known}))) == ("level",)
    both = engineer(skills=frozenset({known, "cooling"}), levels=(SkillLevel(known, 5, YESTERDAY),))
    assert why(order, both) == (("skill-expired",) if known == "cooling" else ("level",))


def test_more_skills_are_each_needed():
    order = work(more_skills=("refrigerant", "ladder"))
    assert why(order, engineer(skills=frozenset({"cooling", "ladder"}))) == ("skill",)
    all_of_them = frozenset({"cooling", "ladder", "refrigerant"})
    assert why(order, engineer(skills=all_of_them)) == ()
    assert why(order, engineer(skills=all_of_them, levels=(SkillLevel("ladder", 1, YESTERDAY),))) == ("skill-expired",)


def test_what_holds_to_the_end_of_today_leads_to_hours_of_today_or_to_none():
    until_today = engineer(levels=(SkillLevel("cooling", 1, TODAY),))
    found = best_hours(work(), until_today, {}, NOW)
    assert isinstance(found, Proposal)
    assert found.day == TODAY
    full = {TODAY: [Booking(at(8), at(20), "o-9", SHOP)]}
    assert best_hours(work(), until_today, full, NOW) == "hours"
    paper = engineer(certificates=(Certificate("电工证", TODAY),))
    assert best_hours(work(certificates=("电工证",)), paper, full, NOW) == "hours"


@pytest.mark.parametrize(
    ("away", "starts_at"),
    [
        ((at(17), at(18)), at(18)),
        ((at(17, 30), at(18)), at(18)),
        ((at(18), at(19)), at(17)),
        ((at(9), at(17)), at(17)),
        ((at(17), at(9, day=25)), at(9, day=25)),
    ],
)
def test_the_hours_lie_before_or_after_an_absence(away, starts_at):
    found = best_hours(work(), engineer(absences=(Absence(*away, "a-1"),)), {}, NOW)
    assert isinstance(found, Proposal)
    assert found.starts_at == starts_at


# Points.


def test_what_she_costs_us_counts_and_is_told_in_fen():
    dear = engineer(hour_fen=6_000, km_fen=300, home=Place(39_990_000, 116_400_000))
    found = best_hours(work(), dear, {}, NOW)
    assert isinstance(found, Proposal)
    assert (found.travel_m, found.expense_fen, found.expense_cost) == (13_010, 6_000 + 3_903, 99)
    assert found.cost == sum(reason.cost for reason in found.reasons) + 99
    cheap = engineer(hour_fen=5_900)
    ranking = rank(work(), {"a-dear": engineer(hour_fen=6_000), "b-cheap": cheap}, {}, NOW)
    assert [name for name, _ in ranking.proposals] == ["b-cheap", "a-dear"]


def test_a_wish_is_worth_300_points_and_no_rule():
    those = {"e-1": engineer(), "e-2": engineer(home=Place(40_070_000, 116_400_000))}
    assert [name for name, _ in rank(work(), those, {}, NOW).proposals] == ["e-1", "e-2"]
    ranking = rank(work(wished="e-2"), those, {}, NOW)
    assert [name for name, _ in ranking.proposals] == ["e-2", "e-1"]
    assert [(one.rule, one.value, one.cost) for one in ranking.proposals[0][1].reasons if one.rule == "wish"] == [
        ("wish", 1, -300)
    ]
    lacks = {"e-1": engineer(), "e-2": engineer(skills=frozenset())}
    assert rank(work(wished="e-2"), lacks, {}, NOW).excluded == {"e-2": ("skill",)}


def test_a_companys_rules_weigh_and_look_ahead_otherwise():
    near_but_late = engineer(shifts=tuple(shift for shift in ALL_WEEK if shift.weekday == 4))
    far_but_soon = engineer(home=Place(40_300_000, 116_400_000))
    those = {"late": near_but_late, "soon": far_but_soon}

    def order(**rules):
        changed = DispatchRulesSet(version=1, effective_from=NOW, **rules)
        return [name for name, _ in rank(work(), those, {}, NOW, rules=changed).proposals]

    assert order() == ["soon", "late"]
    assert order(metres_a_point=10, points_an_hour_normal=1) == ["late", "soon"]
    assert order(horizon_days=2) == ["soon"]


# As it is recorded.


def test_an_assignment_names_who_was_passed_over_and_by_which_rules():
    full = booked("e-2", order_id="o-9", starts_at=at(17), ends_at=at(20))
    dear = registered("e-3", territory=("海淀区",))
    story = (registered(), registered("e-2"), dear, full, opened(wished_engineer_id="e-9"))
    command = assign(
        ("e-1", TODAY), ("e-2", TODAY), ("e-3", TODAY), wished=("skill",), excluded=(("skill", 4), ("territory", 1))
    )
    event, _ = given(*story).when(command).then_types(OrderAssigned, HoursBooked)
    assert event.engineer_id == "e-1"
    assert [(one.engineer_id, one.rules) for one in event.passed_over] == [
        ("e-9", ("skill",)),
        ("e-2", ("hours",)),
        ("e-3", ("territory",)),
    ]
    assert [(one.rule, one.engineers) for one in event.excluded] == [("skill", 4), ("territory", 1)]
    assert event.rules_version == 0


BROKEN = {
    "skill": ({"skills": ("heating",)}, {}),
    "skill-expired": ({"skill_levels": (SkillLevel("cooling", 5, YESTERDAY),)}, {}),
    "level": ({}, {"skill_level": 2}),
    "certificate": ({}, {"certificates": ("电工证",)}),
    "certificate-expired": ({"certificates": (Certificate("电工证", YESTERDAY),)}, {"certificates": ("电工证",)}),
    "territory": ({"territory": ("海淀区",)}, {}),
    "shift": ({"shifts": ()}, {}),
    "limit": ({"daily_limit": 1}, {}),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_person_overrules_each_rule_with_a_reason_and_it_is_recorded(rule):
    hers, its = BROKEN[rule]
    before = booked(order_id="o-9", starts_at=at(9), ends_at=at(10))
    story = (registered(**hers), before, opened(**its))
    given(*story).when(by_hand(starts_at=at(18))).then_rejected("assignment.needs-reason", rules=rule)
    event, _ = given(*story).when(by_hand(starts_at=at(18), reason="!")).then_types(OrderAssigned, HoursBooked)
    assert (event.broke_rules, event.note) == ((rule,), "!")
    moved = (*story, assigned("e-8"), registered("e-8"))
    event, _ = given(*moved).when(reassign("e-1", starts_at=at(18))).then_types(OrderReassigned, HoursBooked)
    assert event.broke_rules == (rule,)


def test_several_rules_are_all_recorded_with_the_drive_that_is_too_short():
    far = booked(order_id="o-9", starts_at=at(17), ends_at=at(18), lat_udeg=39_990_000)
    story = (registered(skills=("heating",), territory=("海淀区",)), far, opened(), assigned(), declined())
    event, _ = given(*story).when(by_hand(starts_at=at(18), reason="!")).then_types(OrderAssigned, HoursBooked)
    assert event.broke_rules == ("skill", "territory", "declined", "hours")


def test_what_breaks_no_rule_needs_no_reason():
    event, _ = given(registered(), opened()).when(by_hand()).then_types(OrderAssigned, HoursBooked)
    assert event.broke_rules == ()
    assert event.day == TODAY != TOMORROW


@pytest.mark.parametrize("rule", [rule for rule in BROKEN if rule not in ("skill", "shift", "limit")])
def test_who_is_not_suited_takes_nothing_from_the_pool(rule):
    hers, its = BROKEN[rule]
    given(registered(**hers), opened(**its)).when(take()).then_rejected("engineer.not-suited", rules=rule)

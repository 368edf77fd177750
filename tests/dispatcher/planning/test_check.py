"""The evaluator names every rule that a plan breaks, and counts what a plan costs."""

import numpy as np
import pytest

from dispatcher.planning.check import check
from dispatcher.planning.model import CALL, Engineer, Link, Plan, Problem, Travel, Unfit, Visit, Weights

LINE = np.abs(np.subtract.outer(np.arange(0, 100, 10), np.arange(0, 100, 10)))
"""Ten places on a line, ten apart."""


def engineer(id_="anna", start=0, shift=(0, 1000), **given):
    return Engineer(id_, start, start, shift, **given)


def visit(id_="one", place=1, duration=5, window=(0, 1000), **given):
    return Visit(id_, place, duration, window, **given)


def problem(*visits, engineers=None, weights=None, **given):
    return Problem(
        [engineer()] if engineers is None else engineers,
        visits,
        Travel(LINE, LINE),
        weights or Weights(duration=1),
        **given,
    )


def broken(asked, *routes):
    return {found.rule for found in check(asked, Plan(routes)).violations}


def test_a_plan_that_breaks_nothing_costs_the_working_day():
    checked = check(problem(visit(), visit("two", 2)), Plan([(0, 1)]))
    assert (checked.violations, checked.duration, checked.distance, checked.cost) == ((), 50, 40, 50)


def test_who_can_leave_later_leaves_later():
    checked = check(problem(visit(window=(100, 200))), Plan([(0,)]))
    assert (checked.routes[0].departure, checked.duration) == (90, 25)


def test_waiting_that_no_later_departure_saves_is_work():
    checked = check(problem(visit(window=(0, 20)), visit("two", 2, window=(100, 200))), Plan([(0, 1)]))
    assert (checked.routes[0].departure, checked.duration) == (10, 115)


@pytest.mark.parametrize(
    ("rule", "needs", "has"),
    [
        ("skill", {"skills": {"lifts": 3}}, {"skills": {"lifts": 2}}),
        ("certificate", {"certificates": frozenset({"height"})}, {}),
        ("region", {"region": "north"}, {"regions": frozenset({"south"})}),
        ("tool", {"tools": frozenset({"meter"})}, {}),
        ("part", {"parts": {"pump": 2}}, {"parts": {"pump": 1}}),
        ("window", {"window": (0, 9)}, {}),
        ("shift", {}, {"shift": (0, 24)}),
        ("longest", {}, {"longest": 24}),
    ],
)
def test_each_need_that_is_not_met_is_named(rule, needs, has):
    assert broken(problem(visit(**needs), engineers=[engineer(**has)]), (0,)) == {rule}


def test_overtime_reaches_beyond_the_shift_and_costs():
    late = engineer(shift=(0, 20), overtime=5)
    checked = check(problem(visit(), engineers=[late], weights=Weights(overtime=7)), Plan([(0,)]))
    assert (checked.violations, checked.cost) == ((), 35)


def test_from_the_call_on_there_are_tools_and_parts():
    needs = visit(tools=frozenset({"meter"}), parts={"pump": 1})
    assert broken(problem(needs, depot=3), (CALL, 0)) == set()
    assert broken(problem(needs, depot=3), (0, CALL)) == {"tool", "part"}
    assert broken(problem(needs, depot=3), (CALL, 0, CALL)) == {"calls"}
    assert "calls" in broken(problem(needs), (CALL, 0))


def test_a_visit_is_served_once():
    assert broken(problem(visit()), (0, 0)) == {"twice"}
    assert broken(problem(visit()), ()) == {"left out"}
    assert check(problem(visit(prize=9)), Plan([()])).cost == 9


def test_a_visit_that_nobody_can_ever_serve_says_by_which_rule():
    asked = problem(visit(skills={"lifts": 3}, parts={"pump": 1}), engineers=[engineer(skills={"lifts": 1})])
    (found,) = check(asked, Plan([()])).violations
    reasons = "one needs lifts at 3, anna has 1, anna has not enough pump for one"
    assert found.text == f"one must be served and is not; nobody may go: {reasons}"


def test_a_route_begins_with_what_is_locked():
    locked = [engineer(locked=(1,))]
    asked = problem(visit(), visit("two", 2), engineers=locked)
    assert broken(asked, (0, 1)) == {"locked"}
    assert broken(asked, (1, 0)) == set()


def test_two_at_once_begin_when_the_later_is_there():
    two = [engineer(), engineer("bo", start=9)]
    at_once = [Link(0, 1, 0, 0)]
    asked = problem(visit("one a"), visit("one b"), engineers=two, links=at_once)
    checked = check(asked, Plan([(0,), (1,)]))
    assert checked.violations == ()
    assert [timed.begins for timed in checked.routes] == [(80,), (80,)]
    assert checked.routes[0].departure == 70
    assert "link" in broken(asked, (0, 1), ())
    assert "link" in broken(asked, (0,), ())


def test_the_earlier_waits_where_the_gap_would_be_too_long():
    two = [engineer(), engineer("bo", start=9)]
    asked = problem(visit("one a"), visit("one b"), engineers=two, links=[Link(0, 1, 10, 20)])
    checked = check(asked, Plan([(0,), (1,)]))
    assert checked.violations == ()
    assert [timed.begins for timed in checked.routes] == [(60,), (80,)]


def test_visits_that_wait_for_one_another_in_a_circle_are_found():
    two = [engineer(), engineer("bo")]
    circle = [Link(0, 1, 1), Link(2, 3, 1)]
    asked = problem(*(visit(str(i), window=(0, 10**9)) for i in range(4)), engineers=two, links=circle)
    assert "link" in broken(asked, (3, 0), (1, 2))


def test_lateness_is_summed_and_the_worst_counted_again():
    asked = problem(
        visit(due=4),
        visit("two", 2, due=100),
        visit("three", 3, due=10),
        weights=Weights(lateness=1, worst_lateness=10),
    )
    checked = check(asked, Plan([(0, 1, 2)]))
    assert (checked.lateness, checked.worst_lateness, checked.cost) == (6 + 30, 30, 36 + 300)


def test_a_customer_who_knows_somebody_is_sent_her():
    asked = problem(
        visit(preferred=frozenset({"bo"})), engineers=[engineer(), engineer("bo")], weights=Weights(stranger=3)
    )
    assert [check(asked, Plan(routes)).cost for routes in ([(0,), ()], [(), (0,)])] == [3, 0]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"visits": [visit(window=(9, 3))]}, "visit one has a window that ends before it begins"),
        ({"visits": [visit(place=99)]}, "visit one lies at a place"),
        ({"visits": [visit(duration=-1)]}, "visit one lasts less than nothing"),
        ({"engineers": [engineer(shift=(9, 3))]}, "engineer anna has a shift that ends before it begins"),
        ({"engineers": ()}, "there is no engineer"),
        ({"engineers": [engineer(start=99)]}, "engineer anna starts or ends at a place"),
        ({"links": [Link(0, 0, 9, 3)]}, "the gap is at least 9 and at most 3"),
    ],
)
def test_what_cannot_be_planned_is_named(given, named):
    with pytest.raises(Unfit, match=named):
        problem(*given.pop("visits", [visit()]), **given)

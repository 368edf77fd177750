"""What a day may ask beside its order of stops, held to a reckoning that tries every departure."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.planning.check import check
from dispatcher.planning.model import FIRST_BREAK, Break, Engineer, Plan, Problem, Travel, Visit, Weights

SMALL = st.integers(0, 8)


@st.composite
def windows(draw):
    found, at = [], 0
    for _ in range(draw(st.integers(1, 3))):
        opens = at + draw(st.integers(0, 12))
        at = opens + draw(st.integers(0, 12)) + 1
        found.append((opens, at - 1))
    return found


@st.composite
def days(draw):
    """One engineer, what she is given in an order, and her breaks anywhere in it."""
    far = np.array(draw(st.lists(st.lists(SMALL, min_size=4, max_size=4), min_size=4, max_size=4)), np.int64)
    np.fill_diagonal(far, 0)
    visits = []
    for i in range(draw(st.integers(1, 3))):
        first, *also = draw(windows())
        visits.append(
            Visit(
                f"v{i}",
                draw(st.integers(0, 3)),
                draw(SMALL),
                first,
                also=tuple(also),
                due=draw(st.none() | st.integers(0, 30)),
                urgency=draw(st.integers(1, 3)),
                skills={"lifts": 1},
                told=draw(st.none() | st.tuples(st.sampled_from(("e", "f")), st.integers(0, 30))),
            )
        )
    breaks, at = [], 0
    for _ in range(draw(st.integers(0, 2))):
        opens = at + draw(st.integers(0, 12))
        at = opens + draw(SMALL)
        breaks.append(Break((opens, at), draw(SMALL)))
    begin = draw(st.integers(0, 5))
    engineer = Engineer(
        "e",
        0,
        draw(st.integers(0, 3)),
        (begin, draw(st.integers(30, 60))),
        skills={"lifts": draw(st.integers(1, 3))},
        overtime=draw(SMALL),
        longest=draw(st.none() | st.integers(10, 50)),
        most=draw(st.none() | st.integers(1, 3)),
        leave=draw(st.none() | st.just(begin)),
        breaks=tuple(breaks),
    )
    weights = Weights(*draw(st.lists(st.integers(0, 5), min_size=13, max_size=13)))
    problem = Problem([engineer], visits, Travel(far, far * 3), weights)
    stops = [*range(len(visits)), *(FIRST_BREAK - k for k in range(len(breaks)) if draw(st.integers(0, 3)))]
    return problem, tuple(draw(st.permutations(stops)))


def lived(problem, route, leaves):
    """Begins of the stops and the return of who is at home until `leaves`; None: a window is missed."""
    now, here, engineer = leaves, problem.engineers[0].start, problem.engineers[0]
    begins = []
    for stop in route:
        if stop >= 0:
            visit = problem.visits[stop]
            now += int(problem.travel.seconds[here, visit.place])
            here, lasts, open_ = visit.place, visit.duration, visit.windows
        else:
            rest = engineer.breaks[FIRST_BREAK - stop]
            lasts, open_ = rest.duration, (rest.window,)
        while not any(opens <= now <= closes for opens, closes in open_):
            now += 1
            if now > 200:
                return None
        begins.append(now)
        now += lasts
    return begins, now + int(problem.travel.seconds[here, engineer.end])


def reckoned(problem, route):
    """(departure, begins, back) of the day that returns first, and of these the one that leaves last; None."""
    engineer = problem.engineers[0]
    first = lived(problem, route, engineer.shift[0])
    if first is None:
        return None
    asleep = next(i for i, stop in enumerate(route) if stop >= 0)
    floor = engineer.shift[0]
    if asleep:
        rest = engineer.breaks[FIRST_BREAK - route[asleep - 1]]
        floor = first[0][asleep - 1] + rest.duration
    best = None
    for leaves in range(engineer.shift[0], first[1] + 1):
        if engineer.leave is not None and leaves > engineer.leave:
            break
        if leaves >= floor:
            found = lived(problem, route[asleep:], leaves)
            begins = None if found is None else first[0][:asleep] + found[0]
        else:
            # Who is under way works while she rests; nobody else leaves before she has rested.
            found = lived(problem, route, leaves) if engineer.leave is not None else None
            begins = None if found is None else found[0]
        if found is None or found[1] > first[1]:
            continue
        dues = [(problem.visits[s].due, b, e) for s, b, e in zip(route, begins, first[0], strict=True) if s >= 0]
        if any(due is not None and b > max(due, e) for due, b, e in dues):
            continue
        best = leaves, begins, found[1]
    return best


@settings(max_examples=400, deadline=None)
@given(days())
def test_the_evaluator_finds_the_day_that_trying_every_departure_finds(day):
    problem, route = day
    engineer, weights = problem.engineers[0], problem.weights
    checked = check(problem, Plan([route]))
    found = reckoned(problem, route)
    broken = {one.rule for one in checked.violations}
    if found is None:
        assert broken & {"window", "break"}
        return
    departure, begins, back = found
    timed = checked.routes[0]
    assert (timed.departure, list(timed.begins), timed.back) == found
    missing = [
        rest
        for k, rest in enumerate(engineer.breaks)
        if FIRST_BREAK - k not in route and departure < rest.window[0] + rest.duration and back > rest.window[1]
    ]
    said = {
        "break": bool(missing),
        "shift": back > engineer.shift[1] + engineer.overtime,
        "longest": engineer.longest is not None and back - departure > engineer.longest,
        "most": engineer.most is not None and len(problem.visits) > engineer.most,
    }
    assert broken == {rule for rule, is_so in said.items() if is_so}
    cost, worst, busy, here = 0, 0, 0, engineer.start
    for stop, begin in zip(route, begins, strict=True):
        if stop < 0:
            busy += engineer.breaks[FIRST_BREAK - stop].duration if begin >= departure else 0
            continue
        visit = problem.visits[stop]
        cost += weights.distance * int(problem.travel.metres[here, visit.place])
        busy += int(problem.travel.seconds[here, visit.place]) + visit.duration
        here = visit.place
        late = 0 if visit.due is None else max(0, begin - visit.due)
        squared = late * late // weights.late_doubles if weights.late_doubles else 0
        cost += weights.lateness * visit.urgency * (late + squared)
        worst = max(worst, late)
        cost += weights.overqualified * (engineer.skills["lifts"] - 1)
        if visit.told is not None:
            cost += weights.change * (visit.told[0] != "e" or abs(visit.told[1] - begin) > weights.change_within)
    busy += int(problem.travel.seconds[here, engineer.end])
    cost += weights.distance * int(problem.travel.metres[here, engineer.end])
    long = back - departure
    cost += weights.duration * long + weights.route + weights.worst_lateness * worst
    cost += weights.overtime * max(0, back - engineer.shift[1]) + weights.waiting * (long - busy)
    cost += weights.balance * (long * long // (engineer.shift[1] - engineer.shift[0]))
    assert checked.cost == cost


def test_lunch_is_where_she_is_and_an_absence_is_kept():
    far = np.abs(np.subtract.outer(np.arange(0, 100, 10), np.arange(0, 100, 10)))
    engineer = Engineer("li", 0, 0, (0, 500), breaks=(Break((30, 40), 20), Break((100, 100), 50)))
    visits = [Visit("one", 1, 5, (0, 500)), Visit("two", 2, 90, (0, 500))]
    problem = Problem([engineer], visits, Travel(far, far), Weights(duration=1))
    checked = check(problem, Plan([(0, FIRST_BREAK, FIRST_BREAK - 1, 1)]))
    assert (checked.violations, checked.routes[0].begins) == ((), (35, 40, 100, 160))
    assert {one.rule for one in check(problem, Plan([(0, 1)])).violations} == {"break"}
    assert {one.rule for one in check(problem, Plan([(0, 1, FIRST_BREAK, FIRST_BREAK - 1)])).violations} == {"break"}


def test_nobody_who_is_at_home_needs_a_break():
    far = np.zeros((1, 1), np.int64)
    for lunch, window in (((30, 40), (0, 0)), ((3, 5), (0, 0)), ((30, 40), (100, 100)), ((30, 40), (50, 50))):
        engineer = Engineer("li", 0, 0, (0, 500), breaks=(Break(lunch, 20),))
        problem = Problem([engineer], [Visit("one", 0, 5, window)], Travel(far, far), Weights(duration=1))
        assert check(problem, Plan([(0,)])).violations == ()

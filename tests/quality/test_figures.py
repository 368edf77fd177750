"""The figures that raise alerts are exact: an oracle counts them another way, also when facts come late."""

from datetime import date, timedelta
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from contracts.dispatcher import EngineerRegistered, Shift
from contracts.fieldwork import WorkFinished
from contracts.intake import DeviceRegistered
from contracts.quality import AlertRulesSet
from quality.commands import Watched
from quality.domain.alert import DEFAULTS, is_red, judged_by
from quality.domain.weeks import baseline_before, windows
from quality.projections.asked_for import ASKED_FOR
from quality.projections.device_suppliers import DEVICE_SUPPLIERS
from quality.projections.engineer_groups import ENGINEER_GROUPS
from quality.projections.served import SERVED, all_counted, by_subject, counted, counts_of
from tests.fold import TENANT, assert_same_rows_shuffled, rows_after
from tests.quality import oracle
from tests.quality.examples import answered, request_received, service_completed

KINDS = ("bad-rating", "repeat-visit")
WATCHED = get_args(Watched)

MONDAY = date(2026, 11, 23)
CHARTED = AlertRulesSet(bad_judged="control-chart", repeat_judged="control-chart", bad_weeks=1, baseline_weeks=4)


def told(visit, late=False):
    """What was published of a visit; `late` is the part that comes last: the answer of the customer."""
    request_id, of_visit = f"r-{visit.visit_id}", {"visit_id": visit.visit_id, "order_id": f"o-{visit.visit_id}"}
    who = {"request_id": request_id, "engineer_id": visit.engineer, "customer_id": "c-1"}
    if late:
        if visit.answers is None:
            return []
        ratings = dict(zip(("attitude", "outcome", "punctuality"), visit.answers, strict=True))
        return [answered(survey_id=f"s-{visit.visit_id}", **of_visit, **who, **ratings)]
    done = {"time": visit.completed_at, "recorded_at": visit.completed_at}
    asked = request_received(request_id=request_id, request_type=visit.request_type, region=visit.region)
    worked = WorkFinished(**of_visit, **who, cause=visit.cause, action="repaired", record="done")
    completed = service_completed(
        **of_visit, **who, device_id=visit.device, device_model=visit.device_model, rating=visit.stars
    )
    return [asked, worked, (completed, done)]


class Figures:
    """The views of these events in a database, and what the queries find there."""

    def __init__(self, events):
        self.connection = create_engine("sqlite://").connect()
        for view in (SERVED, ASKED_FOR, ENGINEER_GROUPS, DEVICE_SUPPLIERS):
            view.table.create(self.connection)
            rows = [
                {"tenant": TENANT, **dict(zip(view.key, key, strict=True)), **row}
                for key, row in rows_after(view, events).items()
            ]
            if rows:
                self.connection.execute(view.table.insert(), rows)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def rows(self, kind, of, week, rules=DEFAULTS, tenant=TENANT):
        return self.connection.execute(counted(kind, of, tenant, week, rules)).mappings().all()

    def of(self, kind, of, week, rules=DEFAULTS):
        return {row["subject"]: (row["counted"], row["bad"]) for row in self.rows(kind, of, week, rules)}

    def baseline(self, kind, of, weeks, rules):
        if judged_by(kind, rules) == "percent":
            return None
        before = baseline_before(rules, weeks)
        return all_counted(before, self.rows(kind, of, before, rules))

    def red(self, kind, of, day, rules=DEFAULTS):
        weeks = windows(kind, rules, day)
        found = [by_subject(self.rows(kind, of, week)) for week in weeks]
        baseline = self.baseline(kind, of, weeks, rules)
        subjects = {name for rows in found for name in rows}
        return {
            name
            for name in subjects
            if is_red(
                kind,
                rules,
                tuple([counts_of(name, week, rows) for week, rows in zip(weeks, found, strict=True)]),
                baseline,
            )
        }


def history(rng, days=90, a_day=40):
    """Ninety days of visits by engineers who are worse and better, on devices some of which come back."""
    visits = []
    for day in range(days):
        for number in range(rng.randrange(a_day // 2, a_day)):
            engineer = rng.randrange(12)
            device = f"d-{rng.randrange(400)}"
            bad = rng.random() < (0.32 if engineer < 3 else 0.08)
            answers = tuple(rng.choice((1, 2, 4, 5) if bad else (3, 4, 5)) for _ in range(3))
            device = device if rng.random() < 0.95 else ""
            visits.append(
                oracle.Visit(
                    visit_id=f"v-{day}-{number}",
                    engineer=f"e-{engineer}",
                    region=rng.choice(("东", "西", "南", "")),
                    device_model=f"m-{hash_of(device) % 5}",
                    device=device,
                    request_type=rng.choice(("repair", "repair", "install", "upkeep")),
                    cause=rng.choice(("", "worn", "leak", "power")),
                    completed_at=oracle.at(MONDAY - timedelta(days=days - day), rng.randrange(86_400)),
                    stars=rng.choice((1, 2, 3)) if bad else rng.choice((3, 4, 5, 5)),
                    answers=answers if rng.random() < 0.4 else None,
                    **groups_of(engineer, day),
                    device_supplier=supplier_of(device),
                )
            )
    return visits


MOVED_ON = 45
"""The day of `history` on which some engineers came to another team."""


def groups_of(engineer, day):
    """Engineers 0 and 1 leave the first team for the second one; those of an even number come from two suppliers."""
    team = 0 if engineer < 4 and not (day >= MOVED_ON and engineer < 2) else 1
    supplier = "s-0" if engineer < 3 else "s-1"
    return {"team": f"t-{team}", "supplier": "" if engineer % 2 else supplier}


def registered(engineers=12, days=90):
    """What was published of the engineers: once before it all, and once more as they moved; the later one first."""
    facts = {"name": "x", "skills": ("s",), "region": "r", "home_lat_udeg": 0, "home_lon_udeg": 0}
    facts["shifts"] = (Shift(0, 0, 60),)
    events = []
    for day in (MOVED_ON, 0):
        at = oracle.at(MONDAY - timedelta(days=days - day), 0)
        for engineer in range(engineers):
            event = EngineerRegistered(engineer_id=f"e-{engineer}", **facts, **groups_of(engineer, day))
            events.append((event, {"time": at, "recorded_at": at}))
    return events


def supplier_of(device):
    """Of every fifth device nobody knows who supplied it."""
    number = hash_of(device) % 5
    return f"供应商 {number}" if device and number else ""


def devices():
    """They are registered after all that happened to them."""
    facts = {"customer_id": "c-1", "model": "m", "skill": "s"}
    names = [f"d-{number}" for number in range(400)]
    wrong = [DeviceRegistered(device_id="d-1", serial="1", **facts, device_supplier="another")]
    return [
        *wrong,
        *[DeviceRegistered(device_id=one, serial=one, **facts, device_supplier=supplier_of(one)) for one in names],
    ]


def hash_of(text):
    return sum(text.encode())


def test_ninety_days_are_counted_as_the_oracle_counts_them():
    visits = history(Random(20261124))
    assert len(visits) > 2_000
    seen, differs = set(), 0
    events = [event for late in (False, True) for visit in visits for event in told(visit, late)]
    with Figures([*events, *registered(), *devices()]) as figures:
        for kind in KINDS:
            for of in WATCHED:
                for back in range(12):
                    day = MONDAY - timedelta(days=7 * back)
                    for week in windows(kind, DEFAULTS, day):
                        assert figures.of(kind, of, week) == oracle.figures(kind, of, visits, *week), (kind, of, week)
                    red = oracle.red(kind, of, visits, day)
                    assert figures.red(kind, of, day) == red, (kind, of, day)
                    seen |= {(kind, of) for _ in red}
                    charted = oracle.red(kind, of, visits, day, CHARTED.baseline_weeks)
                    assert figures.red(kind, of, day, CHARTED) == charted, (kind, of, day)
                    differs += charted != red
    # An oracle that finds nothing would agree with anything.
    assert differs > 20
    assert {kind for kind, _ in seen} == set(KINDS)
    assert {("bad-rating", "engineer"), ("bad-rating", "team"), ("bad-rating", "supplier")} <= seen


def visit_of(number, day, second, engineer, device, kind, cause, stars, answers):
    return oracle.Visit(
        visit_id=f"v-{number}",
        engineer=f"e-{engineer}",
        region="东" if engineer else "西",
        device_model=f"m-{device}",
        device=f"d-{device}",
        request_type=kind,
        cause=cause,
        completed_at=oracle.at(MONDAY - timedelta(days=day), second),
        stars=stars,
        answers=answers,
    )


STARS = st.integers(1, 5)
VISITS = st.lists(
    st.tuples(
        st.sampled_from([-1, 0, 1, 6, 7, 8, 13, 14, 15, 27, 28, 29, 30, 31, 36, 37]),
        st.sampled_from([0, 1, 43_200, 86_399]),
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from(["repair", "install"]),
        st.sampled_from(["", "worn"]),
        STARS,
        st.none() | st.tuples(STARS, STARS, STARS),
    ),
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(VISITS, st.integers(1, 40))
def test_a_few_visits_near_every_border_are_counted_as_the_oracle_counts_them(drawn, repeat_days):
    visits = [visit_of(number, *one) for number, one in enumerate(drawn)]
    rules = AlertRulesSet(repeat_days=repeat_days)
    with Figures([event for late in (False, True) for visit in visits for event in told(visit, late)]) as figures:
        for kind in KINDS:
            for of in WATCHED:
                for week in windows(kind, rules, MONDAY):
                    expected = oracle.figures(kind, of, visits, *week, days=repeat_days)
                    assert figures.of(kind, of, week, rules) == expected


def test_an_answer_that_comes_late_restates_the_week_of_its_visit():
    visits = [visit_of(n, 3, 60 * n, 0, n, "repair", "", 5, (1, 5, 5) if n < 2 else None) for n in range(5)]
    week = (MONDAY - timedelta(days=7), MONDAY)
    early = [event for visit in visits for event in told(visit)]
    with Figures(early) as figures:
        assert figures.of("bad-rating", "engineer", week) == {"e-0": (5, 0)}
    with Figures([*early, *[event for visit in visits for event in told(visit, late=True)]]) as figures:
        assert figures.of("bad-rating", "engineer", week) == {"e-0": (5, 2)}


def test_a_visit_that_follows_later_makes_the_former_one_a_repeat_of_its_engineer():
    first = visit_of(1, 20, 0, 0, 7, "repair", "", 5, None)
    second = visit_of(2, 5, 0, 1, 7, "repair", "", 5, None)
    month = (MONDAY - timedelta(days=28), MONDAY)
    with Figures(told(first)) as figures:
        assert figures.of("repeat-visit", "engineer", month) == {"e-0": (1, 0)}
    with Figures(told(first) + told(second)) as figures:
        assert figures.of("repeat-visit", "engineer", month) == {"e-0": (1, 1), "e-1": (1, 0)}


@pytest.mark.parametrize(("late_s", "repeats"), [(0, 1), (1, 0)])
def test_a_visit_is_a_repeat_for_thirty_days_to_the_second(late_s, repeats):
    first = visit_of(1, 27, 100, 0, 7, "repair", "", 5, None)
    second = visit_of(2, -3, 100 + late_s, 1, 7, "repair", "", 5, None)
    month = (MONDAY - timedelta(days=28), MONDAY)
    with Figures(told(first) + told(second)) as figures:
        assert figures.of("repeat-visit", "engineer", month) == {"e-0": (1, repeats)}


def test_another_tenants_visits_count_for_nobody_here():
    visits = [visit_of(n, 3, 60 * n, 0, 1, "repair", "", 1, None) for n in range(5)]
    with Figures([event for visit in visits for event in told(visit)]) as figures:
        for kind in KINDS:
            assert figures.rows(kind, "engineer", (MONDAY - timedelta(days=28), MONDAY), tenant="t-2") == []


@pytest.mark.parametrize("view", [SERVED, ASKED_FOR], ids=lambda view: view.name)
def test_the_order_of_arrival_changes_no_row(view):
    visits = [visit_of(n, n, 0, n % 2, 1, "repair", "worn", 1 + n % 5, (1, 2, 3)) for n in range(6)]
    events = [event for visit in visits for late in (False, True) for event in told(visit, late)]
    assert_same_rows_shuffled(view, events, seed=11)


def test_weeks_begin_on_monday_in_the_tenants_zone_and_only_whole_ones_are_judged():
    week = timedelta(days=7)
    for day in (MONDAY, MONDAY + timedelta(days=6)):
        assert windows("bad-rating", DEFAULTS, day) == [(MONDAY - 2 * week, MONDAY - week), (MONDAY - week, MONDAY)]
        assert windows("repeat-visit", DEFAULTS, day) == [(MONDAY - 4 * week, MONDAY)]
    assert windows("bad-rating", DEFAULTS, MONDAY - timedelta(days=1))[-1][1] == MONDAY - week

"""The monthly question to engineers: answered once, for the present month or one of the two before."""

from datetime import UTC, datetime

import pytest

from contracts.problems import Rejected
from contracts.quality import StaffSurveyAnswered
from quality.commands import AnswerStaffSurvey
from quality.domain.staff import answer, evolve

# In Shanghai it is the first of December.
NOW = datetime(2026, 11, 30, 17, tzinfo=UTC)


def asked(month="2026-12", content=4, now=NOW):
    return AnswerStaffSurvey(engineer_id="e-1", month=month, content=content, workload=3, support=5, now=now)


def said(**more):
    [event] = answer(None, asked(**more))
    return event


def test_an_engineer_says_how_the_month_was():
    assert said() == StaffSurveyAnswered(engineer_id="e-1", month="2026-12", content=4, workload=3, support=5)


def test_the_same_answer_again_changes_nothing():
    assert answer(evolve(None, said()), asked()) == []


def test_another_answer_for_the_same_month_is_refused():
    with pytest.raises(Rejected, match=r"staff-survey\.answered"):
        answer(evolve(None, said()), asked(content=1))


@pytest.mark.parametrize("month", ["2026-10", "2026-11", "2026-12"])
def test_the_present_month_and_the_two_before_are_asked_about(month):
    assert said(month=month).month == month


@pytest.mark.parametrize("month", ["2026-09", "2027-01", "2025-12"])
def test_other_months_are_refused(month):
    with pytest.raises(Rejected, match=r"staff-survey\.month"):
        answer(None, asked(month=month))

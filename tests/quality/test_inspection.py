"""A finished visit is held against its standard by a reviewer; what was broken is put right by somebody, in time."""

from datetime import timedelta

import pytest

from contracts.quality import CorrectionDone, CorrectionDueSoon, CorrectionOverdue, StandardItem
from quality.commands import (
    DefineStandard,
    FinishCorrection,
    Item,
    RecordCorrectionDueSoon,
    RecordCorrectionOverdue,
)
from quality.projections.inspections import INSPECTIONS
from quality.service import RULES
from tests.fold import rows_after
from tests.given import NOW, spec_for
from tests.quality.examples import ITEMS, checked, correction, open_inspection, opened, review, standard

given = spec_for(RULES)

WEEK = timedelta(days=7)
DONE = CorrectionDone(inspection_id="i-1", request_id="r-1", owner_id="e-1", done="a new badge")
OVERDUE = CorrectionOverdue(inspection_id="i-1", request_id="r-1", owner_id="e-1", due_at=NOW + WEEK)
FINISH = FinishCorrection(inspection_id="i-1", done="a new badge")
REMIND = RecordCorrectionOverdue(inspection_id="i-1", due_at=NOW + WEEK)
FAILED = opened(), checked(uniform="broken"), correction()


def define(*items, **changes):
    asked = [Item(item_id=i.item_id, en=i.en, zh=i.zh, shown_by=i.shown_by) for i in items]
    return DefineStandard(**{"type_id": "repair", "items": tuple(asked), "now": NOW} | changes)


def test_a_standard_is_defined_in_versions():
    given().when(define(*ITEMS)).then(standard())
    given(standard()).when(define(*ITEMS)).then_nothing()
    given(standard()).when(define(ITEMS[0])).then(standard(ITEMS[0], version=2))


TOMORROW, NEXT_WEEK = NOW + timedelta(days=1), NOW + timedelta(days=7)


def test_a_standard_holds_from_a_time_on_and_no_earlier_than_it_was_said():
    later = standard(effective_from=TOMORROW)
    given().when(define(*ITEMS, effective_from=TOMORROW)).then(later)
    given(later).when(define(*ITEMS, effective_from=TOMORROW)).then_nothing()
    again = standard(ITEMS[0], version=2, effective_from=NEXT_WEEK)
    given(later).when(define(ITEMS[0], effective_from=NEXT_WEEK)).then(again)
    before = {"effective_from": TOMORROW.isoformat()}
    given(later).when(define(ITEMS[0])).then_rejected("standard.effective-before-last", **before)
    past = define(*ITEMS, effective_from=NOW - timedelta(seconds=1))
    given().when(past).then_rejected("standard.effective-in-the-past", now=NOW.isoformat())


def test_a_visit_is_held_against_the_version_that_was_in_force_when_it_was_completed():
    both = standard(), standard(ITEMS[0], version=2, effective_from=TOMORROW)
    almost = TOMORROW - timedelta(microseconds=1)
    given(*both).when(open_inspection(completed_at=almost)).then(opened())
    given(*both).when(open_inspection(completed_at=TOMORROW)).then(opened(standard_version=2, items=ITEMS[:1]))
    given(both[1]).when(open_inspection(completed_at=almost)).then_nothing()


def test_a_standard_names_each_item_once():
    given().when(define(*ITEMS, ITEMS[0])).then_rejected("standard.item-twice", item_ids=["uniform"])


def test_a_visit_is_inspected_once_by_the_standard_of_its_type():
    given(standard()).when(open_inspection()).then(opened())
    given(standard(), opened()).when(open_inspection()).then_nothing()
    given(standard(), opened(), checked()).when(open_inspection()).then_nothing()


def test_without_a_standard_nothing_is_inspected():
    given().when(open_inspection()).then_nothing()
    given(standard().__class__(type_id="repair", standard_version=2, items=())).when(open_inspection()).then_nothing()
    given(standard()).when(open_inspection(type_id="install")).then_nothing()


def test_an_inspection_keeps_the_version_that_it_began_with():
    newer = StandardItem("photos", "Photos before and after", "前后照片")
    given(opened(), standard(newer, version=2)).when(review()).then(checked())


def test_what_is_kept_or_not_shown_passes():
    given(opened()).when(review(shoe_covers="not-shown")).then(checked(shoe_covers="not-shown"))


def test_what_is_broken_is_put_right_by_the_engineer_within_a_week():
    given(opened()).when(review(uniform="broken")).then(checked(uniform="broken"), correction())


def test_a_reviewer_may_name_another_owner_and_another_time():
    later = NOW + timedelta(days=1)
    given(opened()).when(review(uniform="broken", owner_id="lead", due_at=later)).then(
        checked(uniform="broken"), correction(owner_id="lead", due_at=later)
    )
    given(opened()).when(review(uniform="broken", due_at=NOW)).then_rejected("correction.due-past")


@pytest.mark.parametrize(
    ("verdicts", "missing", "beyond"),
    [
        (review(shoe_covers="").verdicts, ["shoe-covers"], []),
        ((*review().verdicts, review().verdicts[0]), [], ["uniform"]),
        ((), ["shoe-covers", "uniform"], []),
    ],
)
def test_each_item_has_one_verdict(verdicts, missing, beyond):
    said = review().model_copy(update={"verdicts": verdicts})
    given(opened()).when(said).then_rejected("inspection.items-differ", missing=missing, beyond=beyond)


def test_verdicts_are_final():
    given(opened(), checked()).when(review()).then_nothing()
    given(opened(), checked()).when(review(uniform="broken")).then_rejected("inspection.reviewed")
    given().when(review()).then_rejected("inspection.unknown")


def test_the_owner_is_reminded_once_when_it_is_overdue():
    given(*FAILED).when(REMIND).then(OVERDUE)
    given(*FAILED, OVERDUE).when(REMIND).then_nothing()


def test_what_was_done_in_time_reminds_nobody():
    given(*FAILED, DONE).when(REMIND).then_nothing()
    given(opened(), checked()).when(REMIND).then_nothing()


def test_a_correction_is_closed_once_with_what_was_done_also_late():
    given(*FAILED).when(FINISH).then(DONE)
    given(*FAILED, OVERDUE).when(FINISH).then(DONE)
    given(*FAILED, DONE).when(FINISH).then_rejected("correction.done")


@pytest.mark.parametrize("before", [[], [opened()], [opened(), checked()]], ids=["unopened", "waiting", "passed"])
def test_where_nothing_is_to_be_put_right_nothing_is(before):
    given(*before).when(FINISH).then_rejected("correction.not-asked")


def test_the_view_has_the_way_of_an_inspection():
    states = [rows_after(INSPECTIONS, [*FAILED, OVERDUE, DONE][:number])[("i-1",)] for number in range(1, 6)]
    assert [(row["state"], row["owner_id"], row["overdue"]) for row in states] == [
        ("waiting", "", False),
        ("failed", "", False),
        ("failed", "e-1", False),
        ("failed", "e-1", True),
        ("corrected", "e-1", True),
    ]


def test_who_is_to_put_it_right_is_reminded_once_and_not_after_the_end():
    remind = RecordCorrectionDueSoon(inspection_id="i-1", due_at=NOW + WEEK)
    soon = CorrectionDueSoon(inspection_id="i-1", request_id="r-1", owner_id="e-1", due_at=NOW + WEEK)
    given(*FAILED).when(remind).then(soon)
    for since in ((soon,), (OVERDUE,), (DONE,), (soon, OVERDUE), (soon, DONE)):
        given(*FAILED, *since).when(remind).then_nothing()
    given(*FAILED, soon).when(REMIND).then(OVERDUE)
    given(*FAILED).when(remind.model_copy(update={"due_at": NOW + 2 * WEEK})).then_nothing()


def test_the_same_review_again_is_nothing_new_whatever_came_of_it():
    for since in ((), (OVERDUE,), (DONE,), (OVERDUE, DONE)):
        given(*FAILED, *since).when(review(uniform="broken")).then_nothing()
        given(*FAILED, *since).when(review()).then_rejected("inspection.reviewed", inspection_id="i-1")

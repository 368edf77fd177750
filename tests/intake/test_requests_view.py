"""Where a request stands, folded: what a merger hides comes back, and order of arrival does not matter."""

from datetime import timedelta

import pytest

from contracts.dispatcher import OrderReassigned
from contracts.examples import EXAMPLES
from contracts.intake import (
    RequestClosed,
    RequestMerged,
    RequestReminded,
    RequestReopened,
    RequestResolvedRemotely,
    RequestUnmerged,
)
from intake.projections.requests import REQUESTS
from tests.fold import FIRST, assert_same_rows_shuffled, rows_after
from tests.given import NOW
from tests.intake.test_request import WITHDRAWN, WORK, incomplete, received

MERGED = RequestMerged(request_id="r-1", customer_id="c-1", into_id="r-0")
UNMERGED = RequestUnmerged(request_id="r-1", customer_id="c-1", into_id="r-0", work=WORK)
REMINDED = RequestReminded(request_id="r-1", customer_id="c-1", time_no=1)
ASSIGNED = EXAMPLES["OrderAssigned"]


def rows(*events):
    """By request, without the version of its stream, which only counts up."""
    found = rows_after(REQUESTS, [(event, {"time": FIRST}) for event in events])
    return {key: {name: value for name, value in row.items() if name != "version"} for key, row in found.items()}


BEFORE = [
    [received()],
    [incomplete("device_id: …")],
    [incomplete("device_id: …"), REMINDED],
    [incomplete("device_id: …"), received()],
    [received(request_id="r-0"), received()],
]


@pytest.mark.parametrize("before", BEFORE, ids=lambda events: "+".join(type(one).__name__ for one in events))
def test_taking_a_merger_back_leaves_the_rows_as_if_it_had_never_been(before):
    assert rows(*before, MERGED) != rows(*before)
    assert rows(*before, MERGED, UNMERGED) == rows(*before)


@pytest.mark.parametrize("before", BEFORE, ids=lambda events: "+".join(type(one).__name__ for one in events))
def test_merging_what_was_taken_back_leaves_the_rows_of_one_merger(before):
    assert rows(*before, MERGED, UNMERGED, MERGED) == rows(*before, MERGED)


def test_a_merged_request_names_the_one_that_stands_for_it():
    row = rows(received(), MERGED)["r-1",]
    assert (row["state"], row["merged_into"]) == ("merged", "r-0")
    assert rows(received(), MERGED, WITHDRAWN)["r-1",]["state"] == "withdrawn"


def test_a_reopened_request_is_open_again_and_counts_how_often():
    closed = RequestClosed(request_id="r-1", outcome="completed", completed_at=NOW)
    reopened = RequestReopened(request_id="r-1", customer_id="c-1", round_no=2, work=WORK)
    row = rows(received(), closed, reopened)["r-1",]
    assert (row["state"], row["outcome"], row["closed_at"], row["reopenings"]) == ("received", "", None, 1)


def test_what_was_solved_from_the_desk_is_closed_and_says_whether_at_the_first_contact():
    facts = {"request_id": "r-1", "customer_id": "c-1", "action": "(sealed)", "resolved_at": NOW}
    row = rows(received(), RequestResolvedRemotely(**facts, first_contact=True))["r-1",]
    assert (row["state"], row["outcome"], row["first_contact"]) == ("closed", "resolved_remotely", True)


def test_whatever_comes_first_the_rows_are_the_same():
    ids = {"order_id": "o-1", "request_id": "r-1"}
    reassigned = OrderReassigned(**{**vars_of(EXAMPLES["OrderReassigned"]), **ids})
    closed = RequestClosed(request_id="r-1", outcome="completed", completed_at=NOW)
    reopened = RequestReopened(request_id="r-1", customer_id="c-1", round_no=2, work=WORK)
    events = [incomplete("…"), REMINDED, received(), MERGED, UNMERGED, reassigned, closed, reopened]
    assert_same_rows_shuffled(REQUESTS, [*events, received(request_id="r-2")], seed=11)


def vars_of(event):
    return {name: getattr(event, name) for name in event.__struct_fields__}


def test_the_time_of_a_merger_leaves_no_trace():
    late = {"time": FIRST + timedelta(days=1)}
    found = rows_after(REQUESTS, [(received(), {"time": FIRST}), (MERGED, late), (UNMERGED, late)])
    plain = rows_after(REQUESTS, [(received(), {"time": FIRST})])
    assert {**found["r-1",], "version": 1} == plain["r-1",]

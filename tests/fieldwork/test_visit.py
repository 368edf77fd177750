"""A visit goes its way step by step: each once, in order, at a time that can be."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from contracts.fieldwork import UsedPart
from fieldwork.service import RULES
from tests.fieldwork.examples import (
    AT_WORK,
    DONE,
    FAN,
    ON_THE_WAY,
    THERE,
    abort,
    aborted,
    accept,
    arrive,
    arrived,
    attach,
    cancelled,
    completed,
    depart,
    departed,
    finish,
    finished,
    minute,
    part,
    photo,
    planned,
    refuse,
    refused,
    start,
    started,
    use,
)
from tests.given import spec_for

given = spec_for(RULES)

WAY = [
    ([planned()], depart(), departed()),
    (ON_THE_WAY, arrive(), arrived()),
    (THERE, start(), started()),
    (AT_WORK, finish(), finished()),
    (DONE, accept(), completed()),
    (DONE, refuse(), refused()),
    ([*DONE, refused()], finish(at=95), finished(at=95)),
    (ON_THE_WAY, abort(), aborted()),
    (THERE, abort(), aborted()),
    (AT_WORK, abort(), aborted()),
]


@pytest.mark.parametrize(("before", "step", "event"), WAY)
def test_a_step_is_taken_when_it_is_next(before, step, event):
    given(*before).when(step).then(event)


@pytest.mark.parametrize(("before", "step", "event"), WAY)
def test_the_same_step_again_changes_nothing(before, step, event):
    given(*before, event).when(step).then_nothing()


@pytest.mark.parametrize("step", [depart(), arrive(), start()])
def test_a_step_that_was_taken_before_others_changes_nothing(step):
    given(*DONE).when(step).then_nothing()
    given(*DONE, completed()).when(step).then_nothing()


@pytest.mark.parametrize(
    ("before", "step", "state", "wanted"),
    [
        ([], depart(), "unplanned", "depart"),
        ([planned()], arrive(), "planned", "arrive"),
        ([planned()], abort(), "planned", "abort"),
        (ON_THE_WAY, start(), "departed", "start"),
        ([], attach(), "unplanned", "photo"),
        (THERE, finish(), "arrived", "finish"),
        (THERE, use(), "arrived", "use-part"),
        (AT_WORK, accept(), "working", "accept"),
        (AT_WORK, refuse(), "working", "refuse"),
        (DONE, use(), "finished", "use-part"),
        (DONE, abort(), "finished", "abort"),
        ([*DONE, completed()], refuse(), "completed", "refuse"),
        ([*THERE, aborted()], start(), "aborted", "start"),
    ],
)
def test_a_step_that_is_not_next_is_refused(before, step, state, wanted):
    given(*before).when(step).then_rejected("visit.wrong-step", state=state, wanted=wanted)


def test_a_step_that_comes_after_the_cancellation_is_refused():
    away = cancelled(cancelled_at=minute(5))
    facts = {"step": "depart", "at": minute(10).isoformat(), "reason": "order-cancelled"}
    given(planned(), away).when(depart()).then_rejected("visit.called-off", **facts, since=minute(5).isoformat())


def test_another_record_or_rating_than_the_one_given_is_refused_not_lost():
    given(*DONE).when(finish(cause="other")).then_rejected("visit.wrong-step", state="finished")
    given(*DONE, completed()).when(accept(rating=1)).then_rejected("visit.wrong-step", state="completed")


@pytest.mark.parametrize(
    ("before", "step"),
    [
        (ON_THE_WAY, arrive(at=9)),
        (THERE, start(at=29)),
        (THERE, attach(at=29)),
        (AT_WORK, use(at=34)),
        (AT_WORK, finish(at=34)),
        (AT_WORK, abort(at=34)),
        (DONE, attach(at=29)),
        (DONE, accept(at=79)),
        (DONE, refuse(at=79)),
        ([*DONE, refused()], finish(at=81)),
    ],
)
def test_no_step_happened_before_the_one_it_follows(before, step):
    given(*before).when(step).then_rejected("visit.time-before", at=step.at.isoformat())


def test_a_late_report_keeps_the_time_when_it_happened():
    late = depart(at=10, now=minute(300))
    given(planned()).when(late).then(departed(at=10))


def test_a_phone_may_be_two_minutes_fast_and_no_more():
    ahead = timedelta(minutes=2)
    given(planned()).when(depart(at=10, now=minute(10) - ahead)).then(departed(at=10))
    too_far = depart(at=10, now=minute(10) - ahead - timedelta(microseconds=1))
    given(planned()).when(too_far).then_rejected("visit.time-in-future")


def test_a_photo_comes_when_there_is_a_network_whatever_is_known_of_the_visit():
    for before in ([planned()], ON_THE_WAY, [*DONE, completed()], [*THERE, aborted()]):
        given(*before).when(attach()).then(photo())
        given(*before, photo()).when(attach()).then_nothing()
    there = attach(lat_udeg=-5, lon_udeg=7)
    given(*AT_WORK).when(there).then(photo(place="-5,7"))
    given(planned(customer_id="")).when(there).then(photo(customer_id=""))
    given(planned(), cancelled()).when(attach()).then_rejected("visit.called-off", step="photo")
    given(planned(), photo(), *ON_THE_WAY[1:], *DONE[2:]).when(accept()).then(completed(photos=1))


def test_photos_are_attached_from_arrival_to_the_signature_and_counted():
    before, after = photo(), photo(photo_id="p-2", moment="after")
    given(*THERE).when(attach()).then(before)
    given(*AT_WORK, before).when(attach(photo_id="p-2", moment="after")).then(after)
    given(*DONE, before).when(attach(photo_id="p-2", moment="after")).then(after)
    given(*THERE, before, started(), finished(), after).when(accept()).then(completed(photos=2))


def test_a_photo_is_attached_once():
    for before in ([*THERE, photo()], [*AT_WORK, photo()], [*DONE, photo()]):
        given(*before).when(attach()).then_nothing()


def test_a_part_is_taken_from_the_van_unless_said_otherwise():
    given(*AT_WORK).when(use()).then(part())
    given(*AT_WORK).when(use(place_id="wh-1")).then(part(place_id="wh-1"))


def test_without_a_van_it_must_be_said_where_a_part_is_from():
    no_van = [planned(van_id=""), departed(), arrived(), started()]
    given(*no_van).when(use()).then_rejected("visit.no-van", part_id="fan")


def test_the_completion_lists_every_part_once_for_each_place():
    used = [part(serials=("a",)), part(place_id="wh-1"), part(quantity=2, serials=("b", "c"), old_returned=1)]
    lines = (UsedPart("fan", "van-1", 3, ("a", "b", "c"), 1), UsedPart("fan", "wh-1", 1))
    given(*AT_WORK, *used, finished()).when(accept()).then(completed(parts=lines))


AGAIN = {"record_sha256": finished(at=95).record_sha256}


def test_what_was_used_is_kept_when_acceptance_is_refused_or_the_visit_aborted():
    given(*AT_WORK, part(), finished(), refused()).when(abort()).then(aborted(parts=(FAN,)))
    given(*AT_WORK, part(), finished(), refused(), part(), finished(at=95)).when(accept(at=96)).then(
        completed(parts=(UsedPart("fan", "van-1", 2),), finished_at=minute(95), accepted_at=minute(96), **AGAIN)
    )


def test_history_that_does_not_say_when_has_gone_to_plan():
    old = [
        planned(),
        departed(departed_at=None),
        arrived(arrived_at=None),
        started(started_at=None),
        finished(finished_at=None),
    ]
    at = planned().starts_at
    times = dict.fromkeys(("departed_at", "arrived_at", "started_at", "finished_at"), at)
    given(*old).when(accept(at=85)).then(completed(**times, record_sha256=old[-1].record_sha256))


@pytest.mark.parametrize("signature", ["", "x", "M0 0<script>", 'M0 0" onload="', "L0 0"])
def test_a_signature_is_a_path_and_nothing_else(signature):
    with pytest.raises(ValidationError):
        accept(signature=signature)


def test_a_part_cannot_name_a_stream_of_another_kind():
    for name in ("a/b", "a b", "a\x00", ""):
        with pytest.raises(ValidationError):
            use(part_id=name)

"""An order that was opened when nothing was promised gets a service level later: measured as if it had had it then."""

import pytest

from contracts.dispatcher import (
    ClocksMoved,
    ClocksStarted,
    DecisionRecorded,
    Difference,
    SlaBreached,
    SlaChanged,
    SlaClock,
    SlaWarned,
)
from dispatcher.commands import TellMark
from dispatcher.service import RULES
from tests.given import NOW, spec_for
from tests.sla.desk import ARRIVE, instant
from tests.sla.examples import (
    HOUR,
    MINUTE,
    change_sla,
    move_clocks,
    pause_clocks,
    resume_clocks,
    sla_defined,
    start_clocks,
)

given = spec_for(RULES, besides=(DecisionRecorded,))

FIX = SlaClock("fix", "", 14_400, 7_200, 3_600, 1_800, ("customer",))
"""Two hours around the clock, three quarters of an hour of which may pass while the customer is waited for."""
GOLD = sla_defined(FIX, SlaClock("arrive", "", 14_400, 7_200, 3_600, 1_800), sla_id="gold")
LIVED = (
    move_clocks("assigned", NOW + 10 * MINUTE),
    pause_clocks(NOW + 15 * MINUTE),
    resume_clocks(NOW + 55 * MINUTE),
    move_clocks("arrived", NOW + 58 * MINUTE),
)


def after(events, *commands):
    for command in commands:
        events = [*events, *given(*events).when(command)._events()]
    return events


def standing(event, clock="fix"):
    return next(one for one in event.standings if one.clock == clock)


def test_what_happens_is_known_also_where_nothing_is_promised():
    (moved,) = given().when(move_clocks("assigned")).then_types(ClocksMoved)
    assert (moved.happening, moved.request_id, moved.standings) == ("assigned", "r-1", ())
    given(moved).when(move_clocks("assigned")).then_nothing()
    (paused,) = given(moved).when(pause_clocks()).then_types(ClocksMoved)
    given(moved, paused).when(pause_clocks()).then_nothing()
    given(moved, paused).when(resume_clocks(reason="parts")).then_rejected("clock.not-paused")
    given(moved, paused).when(resume_clocks()).then_types(ClocksMoved)
    given().when(pause_clocks(happened_at=NOW - MINUTE)).then_rejected("clock.before-the-opening")


def test_it_is_measured_from_the_opening_and_the_time_that_it_waited_stays_granted():
    story = after([], *LIVED)
    (started,) = given(*story, GOLD).when(change_sla(now=NOW + HOUR)).then_types(ClocksStarted)
    assert (started.opened_at, started.promised_at, started.reason) == (NOW, NOW + HOUR, "as the contract says")
    fix = standing(started)
    # Of an hour 40 minutes were waited: 100 minutes are left.
    assert (fix.used_us, fix.waited_us, fix.due_at) == (20 * 60_000_000, 40 * 60_000_000, NOW + 160 * MINUTE)
    assert (standing(started, "assign").stopped_at, standing(started, "arrive").stopped_at) == (
        NOW + 10 * MINUTE,
        NOW + 58 * MINUTE,
    )
    assert started.differences == (Difference("fix", "due_at", "", (NOW + 160 * MINUTE).isoformat()),)


@pytest.mark.parametrize("lived", [LIVED, LIVED[:2], LIVED[:1], ()])
def test_it_stands_where_it_would_have_stood_with_the_promise_from_the_beginning(lived):
    now = NOW + 90 * MINUTE
    later = after([GOLD], *lived, change_sla(now=now))[-1]
    early = after([GOLD], start_clocks(), *lived)[-1]
    for clock in ("assign", "arrive", "fix"):
        at_once, at_last = standing(early, clock), standing(later, clock)
        assert (at_once.state, at_once.due_at, at_once.stopped_at) == (
            at_last.state,
            at_last.due_at,
            at_last.stopped_at,
        )


def test_what_is_used_up_by_then_is_told_at_once_and_once():
    story = after([GOLD], change_sla(now=NOW + 3 * HOUR))
    told = []
    for at in (HOUR, 90 * MINUTE, 2 * HOUR, 2 * HOUR):
        story = after(story, TellMark(order_id="o-1", clock="fix", due_at=NOW + at))
        told.append(type(story[-1]))
    assert told == [SlaWarned, SlaWarned, SlaBreached, SlaBreached]
    assert sum(isinstance(one, SlaBreached) for one in story) == 1


def test_a_promise_that_came_later_is_changed_as_any_other():
    slow = sla_defined(SlaClock("fix", "", 99_999, 28_800, 9_999, 9_999), sla_id="slow", request_types=("slow",))
    story = after([GOLD, slow], *LIVED, change_sla(now=NOW + HOUR))
    given(*story).when(change_sla(now=NOW + 2 * HOUR)).then_nothing()
    (changed,) = given(*story).when(change_sla("slow", now=NOW + 2 * HOUR)).then_types(SlaChanged)
    assert standing(changed).due_at == NOW + 8 * HOUR + 40 * MINUTE


@pytest.mark.parametrize("end", ["finished", "cancelled"])
def test_to_what_has_ended_nothing_more_is_promised(end):
    story = after([GOLD], move_clocks(end))
    given(*story).when(change_sla()).then_rejected("clock.ended")
    given(*story).when(pause_clocks()).then_rejected("clock.ended")


def test_what_is_not_there_is_not_promised():
    given(GOLD).when(change_sla("none")).then_rejected("sla.not-there", sla_id="none")
    later = sla_defined(FIX, sla_id="new", effective_from=NOW + HOUR)
    given(later).when(change_sla("new")).then_rejected("sla.not-yet", sla_id="new")


def test_a_dispatcher_promises_something_for_an_order_that_is_under_way(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        await desk.quiet()
        assert await desk.get("/v1/orders/o-1/clocks") == []
        await desk.later(minutes=10)
        await desk.do("POST", "/v1/orders/o-1/clocks/pause", role="agent", reason="customer")
        await desk.later(minutes=20)
        await desk.do("POST", "/v1/orders/o-1/clocks/resume", role="agent")
        await desk.promise(ARRIVE | {"excuses": ["customer"]})
        assert await desk.get("/v1/orders/o-1/clocks") == []
        body = {"sla_id": "standard", "reason": "the contract was signed today"}
        await desk.do("PUT", "/v1/orders/o-1/sla", role="dispatcher", **body)
        clocks = await desk.clocks()
        assert {name: clock["state"] for name, clock in clocks.items()} == {"arrive": "running", "assign": "stopped"}
        assert (clocks["arrive"]["used_s"], clocks["arrive"]["waited_s"]) == (600, 1_200)
        assert instant(clocks["arrive"]["due_at"]) == NOW + 2 * HOUR + 20 * MINUTE
        told_of = (await desk.get("/v1/orders/o-1/clocks/restatements", role="auditor"))["items"]
        assert ("arrive", "due_at", "", "sla") in {
            (one["clock"], one["figure"], one["before"], one["cause"]) for one in told_of
        }
        await desk.later(hours=2)
        assert (await desk.clocks())["arrive"]["breached"]
        assert [one.clock for one in await desk.recorded("SlaBreached")] == ["arrive"]

    told(story)

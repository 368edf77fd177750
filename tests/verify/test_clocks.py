"""The marks of service levels over logs: reckoned apart from the dispatcher, and each planted violation is found."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from contracts.dispatcher import ClockMove, ClocksMoved, ClockTerms, SlaBreached, SlaClock, SlaWarned
from dispatcher import deadlines
from dispatcher.commands import BeginRestatement, ImportHolidays, RestatePage
from dispatcher.domain.clock_story import MOVES
from dispatcher.service import RULES
from services.chassis.journal.store import TimerKey
from services.verify.clocks import USUAL, Calendar, Clocks, Happened, Promised, marks, walk
from services.verify.findings import Findings
from tests.fold import enveloped
from tests.given import NOW, spec_for
from tests.sla import brute
from tests.sla.examples import (
    HOUR,
    MINUTE,
    calendar_defined,
    holiday,
    move_clocks,
    pause_clocks,
    resume_clocks,
    sla_defined,
    start_clocks,
)
from tests.sla.test_promises import GOLD, SLOW, change_sla, correct, told

given = spec_for(RULES)
SLA = Path(brute.__file__).parent
HISTORIES = [case for name in ("threads.yaml", "golden.yaml") for case in yaml.safe_load((SLA / name).read_text())]

# The counting.


class OfTheFile(Calendar):
    """A calendar of the histories."""

    def __init__(self, name):
        super().__init__(calendar_defined(zone=brute.CALENDARS[name]["zone"]))
        self._name = name

    def _hours(self, day):
        spans = brute.opening(self._name, day.isoformat()).split()
        return [(int(s[:2]) * 60 + int(s[3:5]), int(s[6:8]) * 60 + int(s[9:])) for s in spans]


BY_ANY = {
    "start": "assigned",
    "pause": "paused",
    "resume": "resumed",
    "stop": "finished",
    "reset": "waiting",
    "cancel": "cancelled",
    "reopen": "arrived",
}


def story_of(case):
    moves = tuple(ClockMove(happening, condition) for condition, happening in BY_ANY.items())
    reasons = {word for fact in case["facts"] for word in re.findall(r"Z? (?:pause|resume) (\w+)", fact)}
    story = []
    for fact in case["facts"]:
        at, condition, *rest = fact.split()
        at, word = datetime.fromisoformat(at), rest[0] if rest else ""
        if condition != "change":
            story.append(Happened(at, BY_ANY[condition], word, at))
        elif (terms := case["terms"].get(word)) is None:
            story.append(Promised(at, {}))
        else:
            excuses = tuple(terms.get("excuses", reasons))
            restarts = terms.get("restarts", False)
            said = ClockTerms("fix", terms["calendar"], terms["allowed"] * 60, excuses, restarts, moves)
            story.append(Promised(at, {"fix": said}))
    return story


@pytest.mark.parametrize("case", HISTORIES, ids=lambda case: case["name"])
def test_the_judge_reckons_each_history_as_it_was_counted(case):
    here, state = walk(story_of(case), "fix")
    found = marks(here, OfTheFile(here.terms.calendar_id)) if here.terms else {}
    assert state == case["answer"]["state"]
    said = {percent: f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}" for percent, at in found.items()}
    assert said == case["answer"]["marks"]


def test_what_usually_moves_a_clock_is_what_the_dispatcher_says():
    assert USUAL == MOVES


# The findings.


def story(*commands):
    """What these record, with each timer told that is due by the next of them."""
    events = [
        calendar_defined(years=(2026,)),
        sla_defined(SlaClock("fix", "office", 14_400, 7_200, 3_600, 1_800, ("customer",))),
        GOLD,
        SLOW,
    ]
    for command in commands:
        events += given(*events).when(command)._events()
    return events


def judged(events, *, late=timedelta(0)):
    """The check after these, each recorded alone; what tells a mark, when that fell due."""
    check = Clocks(Findings("it"))
    said = []
    for event in events:
        at = getattr(event, "reached_at", None) or (event.due_at if isinstance(event, SlaBreached) else NOW)
        said.append((event, {"time": at + late, "recorded_at": at + late}))
    for position, (event, envelope) in enumerate(enveloped(said), 1):
        if type(event) in check.READS:
            check.check(position, event, envelope)
    return check


def found(check):
    return [finding.what for finding in check.findings.named]


def armed(events):
    """The timers that the dispatcher has after these."""
    timers = {}
    for event, envelope in enveloped(events):
        arms = deadlines.TIMERS.get(type(event), lambda *_: ())(event, envelope)
        timers |= {TimerKey("t-1", arm.name, arm.key): arm.due for arm in arms}
        if isinstance(event, SlaBreached):
            timers[TimerKey("t-1", f"sla-{event.clock}", event.order_id)] = None
    return {key: due for key, due in timers.items() if due}


def with_all_told(events, clock, until):
    while True:
        standing = [s for e in events for s in getattr(e, "standings", ()) if s.clock == clock][-1]
        told_last = [e for e in events if isinstance(e, SlaWarned | SlaBreached) and e.clock == clock]
        after = told_last[-1] if told_last and events.index(told_last[-1]) > _last_stand(events) else standing
        next_at = getattr(after, "next_at", None)
        if next_at is None or next_at > until:
            return events
        events = [*events, *told(events, next_at, clock)._events()]


def _last_stand(events):
    return max(number for number, event in enumerate(events) if hasattr(event, "standings"))


def after(events, *commands):
    for command in commands:
        events = [*events, *given(*events).when(command)._events()]
    return events


def restated(events):
    """A table of holidays that comes late, carried through the order."""
    table = ImportHolidays(calendar_id="office", years=(2026,), days=(holiday("2026-11-25"),), reason="late")
    events = after(events, table)
    said = {"calendar_id": "office", "revision": 2}
    begin = BeginRestatement(**said, changed_from="2026-11-25", changed_until="2026-11-25", orders=1)
    return after(events, begin, RestatePage(**said, after="", order_ids=("o-1",), done=True, now=NOW + 2 * HOUR))


STORIES = {
    "plain": lambda: with_all_told(story(start_clocks()), "fix", NOW + 30 * HOUR),
    "paused": lambda: with_all_told(
        story(start_clocks(), pause_clocks(NOW + 10 * MINUTE), resume_clocks(NOW + 20 * MINUTE)), "fix", NOW + 30 * HOUR
    ),
    "assigned, given back, breached": lambda: with_all_told(
        after(
            with_all_told(story(start_clocks()), "assign", NOW + 20 * MINUTE),
            move_clocks("assigned", NOW + 20 * MINUTE),
            move_clocks("waiting", NOW + 40 * MINUTE),
        ),
        "assign",
        NOW + 3 * HOUR,
    ),
    "changed": lambda: with_all_told(
        after(with_all_told(story(start_clocks()), "fix", NOW + HOUR), change_sla(now=NOW + 61 * MINUTE)),
        "fix",
        NOW + 3 * HOUR,
    ),
    "changed for a longer one, whose half is told again": lambda: with_all_told(
        after(with_all_told(story(start_clocks()), "fix", NOW + HOUR), change_sla("slow", now=NOW + 61 * MINUTE)),
        "fix",
        NOW + 9 * HOUR,
    ),
    "corrected": lambda: after(
        with_all_told(story(start_clocks()), "fix", NOW + 30 * HOUR),
        move_clocks("finished", NOW + 31 * HOUR),
        correct("finished", NOW + HOUR, now=NOW + 32 * HOUR),
    ),
    "restated": lambda: with_all_told(
        restated(with_all_told(story(start_clocks()), "fix", NOW + 2 * HOUR)), "fix", NOW + 50 * HOUR
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_marks_that_are_told_once_and_when_they_fell_due_are_right(name):
    events = STORIES[name]()
    check = judged(events)
    check.stuck(armed(events), len(events))
    assert found(check) == []
    assert [event for event in events if isinstance(event, SlaWarned)]


@pytest.mark.parametrize("name", STORIES)
def test_a_mark_that_is_told_twice_is_found_where_it_is(name):
    events = STORIES[name]()
    number, mark = next((n, event) for n, event in enumerate(events) if isinstance(event, SlaWarned))
    check = judged([*events[: number + 1], mark, *events[number + 1 :]])
    assert "a second time" in found(check)[0]
    assert check.findings.first_position == number + 2


@pytest.mark.parametrize("name", STORIES)
def test_a_mark_that_is_missing_is_found_where_no_timer_tells_it(name):
    events = STORIES[name]()
    last = max(n for n, event in enumerate(events) if isinstance(event, SlaWarned | SlaBreached))
    without = [*events[:last], *events[last + 1 :]]
    if any(hasattr(event, "standings") for event in events[last:]):
        pytest.skip("what came after took it back")
    check = judged(without)
    clock, timers = events[last].clock, armed(events)
    check.stuck({key: due for key, due in timers.items() if key.name != f"sla-{clock}"}, len(without))
    assert any(f"a mark of {clock} of o-1" in one for one in found(check))


def test_a_mark_of_another_instant_and_one_that_is_told_too_soon_are_found():
    events = STORIES["plain"]()
    number, mark = next((n, event) for n, event in enumerate(events) if isinstance(event, SlaWarned))
    fields = {name: getattr(mark, name) for name in mark.__struct_fields__}
    wrong = SlaWarned(**fields | {"reached_at": mark.reached_at + timedelta(microseconds=1)})
    (what,) = found(judged([*events[:number], wrong, *events[number + 1 :]]))
    assert "as of" in what
    assert all("before it is due" in one for one in found(judged(events, late=-timedelta(seconds=1))))


def test_a_mark_of_a_clock_that_waits_is_found():
    events = story(start_clocks(), pause_clocks(NOW + 10 * MINUTE))
    due = {"order_id": "o-1", "request_id": "r-1", "sla_id": "standard", "revision": 1, "clock": "fix"}
    assert "not reached" in found(judged([*events, SlaWarned(**due, percent=50, reached_at=NOW + HOUR)]))[0]


def test_what_moves_clocks_that_never_started_is_found():
    moved = next(event for event in story(start_clocks(), move_clocks("arrived")) if isinstance(event, ClocksMoved))
    assert "has no clocks" in found(judged([moved]))[0]


def test_while_a_changed_calendar_is_carried_through_nothing_is_missing():
    table = ImportHolidays(calendar_id="office", years=(2026,), days=(holiday("2026-11-25"),), reason="late")
    events = after(story(start_clocks()), table)
    check = judged(events)
    timers = {key: due for key, due in armed(events).items() if key.name != "sla-fix"}
    check.stuck(timers, len(events))
    assert found(check) == []


def test_an_order_to_which_something_happened_since_the_timers_were_read_is_not_judged():
    events = story(start_clocks())
    check = judged(events)
    check.stuck({}, len(events) - 1)
    assert found(check) == []
    check.stuck({}, len(events))
    assert len(found(check)) == 2

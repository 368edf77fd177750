"""Dispatch rules are drafted, tried on what was decided, published and rolled back."""

import asyncio
from datetime import timedelta

import pytest

from contracts.dispatcher import (
    DecisionRecorded,
    DispatchRulesSet,
    RulesDrafted,
    RulesPublished,
    RulesTrialAsked,
    RulesTried,
    RunFigures,
)
from contracts.problems import Rejected
from dispatcher.commands import DraftRules, PublishRules, RestoreRules
from dispatcher.domain import dispatch_rules, rules_draft
from dispatcher.domain.rules_draft import Draft
from dispatcher.trials import PROGRESS
from dispatcher.trials import tried as tried_of
from tests.dispatcher import test_running
from tests.dispatcher.examples import booked
from tests.given import NOW

told = test_running.told
DRAFTS = "/v1/dispatch-rules/drafts"
NOTHING = RunFigures(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def folded(*events):
    draft = rules_draft.INITIAL
    for event in events:
        draft = rules_draft.evolve(draft, event)
    return draft


def drafted(revision=1, **figures):
    return RulesDrafted(draft_id="d-1", revision=revision, name="near", **figures)


def tried(revision=1):
    figures = {"recorded": NOTHING, "tried": NOTHING}
    return RulesTried(draft_id="d-1", revision=revision, since=NOW, until=NOW, **figures)


def publish(draft, known=(), **changes):
    command = PublishRules(**{"draft_id": "d-1", "now": NOW} | changes)
    return rules_draft.publish({"rules-draft/d-1": draft, "dispatch-rules": known}, command)


def refused(decide):
    with pytest.raises(Rejected) as no:
        decide()
    return no.value.code


def test_a_draft_is_published_when_it_was_tried_or_with_a_reason():
    untried, was_tried = folded(drafted(points_a_booking=3)), folded(drafted(points_a_booking=3), tried())
    assert refused(lambda: publish(untried)) == "rules-draft.untried"
    rules, done = publish(was_tried)
    assert (rules.version, rules.draft_id, rules.points_a_booking) == (1, "d-1", 3)
    assert (done.version, done.revision) == (1, 1)
    assert publish(untried, reason="the new city has no past")[0].reason == "the new city has no past"
    assert refused(lambda: publish(Draft())) == "rules-draft.unknown"


def test_what_was_tried_of_an_earlier_revision_does_not_count():
    for story in ([drafted(), tried(), drafted(2)], [drafted(), drafted(2), tried(1)]):
        assert refused(lambda story=story: publish(folded(*story))) == "rules-draft.untried"
    assert len(publish(folded(drafted(), drafted(2), tried(2)))) == 2


def test_a_published_draft_is_changed_no_more():
    done = folded(drafted(), tried(), RulesPublished(draft_id="d-1", revision=1, version=4))
    states = {"rules-draft/d-1": done}
    again = DraftRules(draft_id="d-1", name="other")
    assert refused(lambda: rules_draft.decide(states, again)) == "rules-draft.published"
    assert refused(lambda: publish(done)) == "rules-draft.published"


def test_an_earlier_version_holds_again():
    first = DispatchRulesSet(version=1, effective_from=NOW - timedelta(days=2), points_a_booking=3)
    second = DispatchRulesSet(version=2, effective_from=NOW - timedelta(days=1), points_a_booking=9)
    states = {"dispatch-rules": (first, second)}

    def restored(version):
        command = RestoreRules(version=version, reason="too far", now=NOW)
        return dispatch_rules.decide(states, command)

    [back] = restored(1)
    assert (back.version, back.restores, back.points_a_booking) == (3, 1, 3)
    assert restored(0)[0].points_a_booking == dispatch_rules.DEFAULTS.points_a_booking
    assert restored(2) == []  # It holds already.
    assert refused(lambda: restored(7)) == "dispatch-rules.version-unknown"


def test_a_draft_is_tried_on_the_past_and_a_decision_cites_what_was_published(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=39_990_000)
        await desk.quiet()
        for n in range(4):
            await desk.open(f"o-{n}")
            await desk.quiet()
        manager = {"role": "manager"}
        asked = await desk.call("POST", DRAFTS, **manager, name="the nearest, whoever has most", points_a_booking=0)
        path = f"{DRAFTS}/{asked.json()['id']}"
        assert asked.status_code == 201 and (await desk.get(path, **manager))["state"] == "draft"
        refused = await desk.call("POST", f"{path}/publish", **manager)
        assert (refused.status_code, refused.json()["code"]) == (409, "rules-draft.untried")
        asked = await desk.call("POST", f"{path}/try", **manager, until=(NOW + timedelta(days=1)).isoformat())
        assert asked.status_code == 202, asked.text
        found = await desk.worked(path, lambda one: one["state"] == "tried")
        recorded, by_draft = found["trial"]["recorded"], found["trial"]["tried"]
        assert (recorded["decisions"], recorded["same"], by_draft["decisions"]) == (4, 4, 4)
        assert by_draft["travel_m"] <= recorded["travel_m"] and by_draft["busiest"] >= recorded["busiest"]
        done = await desk.call("POST", f"{path}/publish", **manager)
        assert done.status_code == 200, done.text
        await desk.open("o-9")
        await desk.quiet()
        [decision] = await desk.get("/v1/decisions?order_id=o-9")
        [rules] = [one for one in await desk.get("/v1/dispatch-rules", **manager) if one["in_force"]]
        assert decision["rules_version"] == rules["version"] == 1 and path.endswith(rules["draft_id"])
        back = await desk.call("POST", "/v1/dispatch-rules/restore", **manager, version=0, reason="one had it all")
        assert back.status_code == 200, back.text
        [rules] = [one for one in await desk.get("/v1/dispatch-rules", **manager) if one["in_force"]]
        assert (rules["version"], rules["restores"], rules["points_a_booking"]) == (2, 0, 15)

    told(story)


class Log:
    """What is recorded, a page at a time, and never another one where `stuck`."""

    def __init__(self, *pages, stuck=False):
        self._pages, self._stuck = pages, stuck

    async def recorded(self, tenant, types, after):
        if RulesDrafted in types:
            return ([drafted()], 1) if after == 0 else ([], after)
        while self._stuck and after == len(self._pages):
            await asyncio.sleep(1)
        return (self._pages[after], after + 1) if after < len(self._pages) else ([], after)


ASKED = RulesTrialAsked(draft_id="d-1", revision=1, since=NOW, until=NOW + timedelta(days=10))


def test_a_trial_that_comes_to_no_end_is_killed_and_tells_meanwhile_how_far_it_is():
    async def story():
        log = Log([booked(starts_at=NOW + timedelta(days=4), ends_at=NOW + timedelta(days=4, hours=1))], stuck=True)
        trial = asyncio.create_task(tried_of(ASKED, "t-1", log, timedelta(seconds=2)))
        async with asyncio.timeout(10):
            while PROGRESS.of("t-1", "d-1") != 40:
                await asyncio.sleep(0.01)  # Others have their turn while the child works.
            with pytest.raises(TimeoutError):
                await trial
        assert PROGRESS.of("t-1", "d-1") == 0

    asyncio.run(story())


def test_what_the_child_dies_of_is_said():
    unreadable = DecisionRecorded(
        **{name: "" for name in DecisionRecorded.__struct_fields__} | {"command": "AssignOrder"}
    )

    async def story():
        with pytest.raises(RuntimeError, match="ValidationError"):
            await tried_of(ASKED, "t-1", Log([unreadable]), timedelta(seconds=20))

    asyncio.run(story())

"""Service levels as they run: through the routes, the policies and the timers, over real stores."""

import asyncio
import re
from collections import Counter
from datetime import timedelta

import httpx

from contracts import envelope as envelopes
from dispatcher import policies
from services.chassis.clock import SystemClock
from services.chassis.journal.work import Ask
from tests.dispatcher.test_running import OWN, opened
from tests.given import NOW
from tests.sla.desk import ARRIVE, FIX, SlaDesk, instant
from tests.sla.examples import HOUR, MINUTE, move_clocks


def test_an_order_has_its_clocks_from_the_opening(told):
    async def story(desk):
        await desk.promise(FIX, ARRIVE)
        await desk.open(urgency="high")
        await desk.quiet()
        clocks = await desk.clocks()
        assert clocks.keys() == {"assign", "arrive", "fix"}
        fix = clocks["fix"]
        assert (fix["sla_id"], fix["revision"], fix["calendar_id"], fix["allowed_s"]) == (
            "standard",
            1,
            "office",
            3_600,
        )
        assert (fix["state"], fix["used_s"], fix["remaining_s"]) == ("running", 0, 3_600)
        assert instant(fix["due_at"]) == NOW + HOUR
        assert instant(clocks["assign"]["due_at"]) == NOW + 30 * MINUTE
        await desk.later(minutes=10)
        assert (await desk.clocks())["fix"]["remaining_s"] == 3_000

    told(story)


def test_each_mark_is_told_once_whatever_restarts(told):
    """Also those that came while nobody ran; and AssignmentOverdue stays what it was."""

    async def opened(desk):
        await desk.promise(ARRIVE)
        await desk.open()
        await desk.quiet()
        await desk.later(minutes=60)
        assert [one.percent for one in await desk.recorded("SlaWarned") if one.clock == "arrive"] == [50]
        assert (await desk.clocks())["arrive"]["warned_percent"] == 50
        # Down, from here on, until all of it is over.
        desk.clock.set(desk.clock.now() + 5 * HOUR)

    async def later(desk):
        await desk.later(seconds=0)
        warned = [(one.clock, one.percent) for one in await desk.recorded("SlaWarned")]
        assert Counter(warned) == Counter((clock, percent) for clock in ("assign", "arrive") for percent in (50, 75))
        breached = {one.clock: one.due_at for one in await desk.recorded("SlaBreached")}
        assert breached == {"assign": NOW + 30 * MINUTE, "arrive": NOW + 2 * HOUR}
        assert len(await desk.recorded("SlaBreached")) == 2
        assert len(await desk.recorded("AssignmentOverdue")) == 1
        assert (await desk.clocks())["arrive"]["breached"]

    async def again(desk):
        await desk.later(hours=1)
        assert len(await desk.recorded("SlaBreached")) == 2
        assert len(await desk.recorded("SlaWarned")) == 4

    told(opened, later, again)


def test_nothing_is_told_before_it_is_due_and_at_the_due_time_it_is(told):
    async def story(desk):
        await desk.promise(ARRIVE)
        await desk.open()
        await desk.quiet()
        await desk.later(hours=1, minutes=59, seconds=59)
        assert not [one for one in await desk.recorded("SlaBreached") if one.clock == "arrive"]
        await desk.later(seconds=1)
        assert [one.due_at for one in await desk.recorded("SlaBreached") if one.clock == "arrive"] == [NOW + 2 * HOUR]

    told(story)


def test_a_pause_stops_the_clock_and_its_timers_and_a_resumption_sets_them_anew(told):
    async def story(desk):
        await desk.promise(FIX | {"calendar_id": ""})
        await desk.open()
        await desk.quiet()
        await desk.later(minutes=30)
        path = "/v1/orders/o-1/clocks"
        await desk.do("POST", f"{path}/pause", role="dispatcher", reason="customer", note="nobody at home")
        await desk.later(hours=10)
        fix = (await desk.clocks())["fix"]
        assert (fix["state"], fix["due_at"], fix["used_s"], fix["waited_s"]) == ("paused", None, 1_800, 36_000)
        assert not [one for one in await desk.recorded("SlaWarned", "SlaBreached") if one.clock == "fix"]
        await desk.do("POST", f"{path}/resume", role="dispatcher")
        fix = (await desk.clocks())["fix"]
        assert instant(fix["due_at"]) == desk.clock.now() + 90 * MINUTE
        again = await desk.call("POST", f"{path}/resume", role="dispatcher")
        assert (again.status_code, again.json()["code"]) == (409, "clock.not-paused")
        await desk.later(minutes=90)
        marks = [one for one in await desk.recorded("SlaWarned", "SlaBreached") if one.clock == "fix"]
        assert [getattr(one, "percent", 100) for one in marks] == [50, 75, 100]

    told(story)


def test_an_order_that_is_assigned_and_cancelled_is_measured_no_more(told):
    async def story(desk):
        await desk.promise(FIX)
        await desk.register("e-1")
        await desk.quiet()
        await desk.open()
        await desk.quiet()
        assert (await desk.clocks())["assign"]["state"] == "stopped"
        await desk.do("POST", "/v1/orders/o-1/cancel", role="dispatcher", note="twice")
        await desk.quiet()
        assert {one["state"] for one in (await desk.clocks()).values()} == {"cancelled"}
        await desk.later(hours=100)
        assert await desk.recorded("SlaWarned", "SlaBreached") == []

    told(story)


def test_a_table_of_holidays_restates_the_clocks_and_says_what_changed(told):
    async def story(desk):
        await desk.promise(FIX)
        await desk.open()
        await desk.open("o-2", urgency="critical")
        await desk.quiet()
        assert instant((await desk.clocks())["fix"]["due_at"]) == NOW + 17 * HOUR
        table = {"years": [2026], "days": [{"day": "2026-11-25", "name": "感恩"}], "reason": "late notice"}
        answer = await desk.do("PUT", "/v1/calendars/office/holidays", role="operator", **table)
        assert answer["events"] == ["CalendarChanged"]
        await desk.quiet()
        assert instant((await desk.clocks())["fix"]["due_at"]) == NOW + 41 * HOUR
        # The other one is due within the Tuesday, and nothing is said of it.
        (restated,) = await desk.recorded("SlaRestated")
        assert (restated.order_id, restated.cause, restated.calendar_revision) == ("o-1", "calendar", 2)
        await desk.later(hours=17)
        assert not [one for one in await desk.recorded("SlaBreached") if (one.order_id, one.clock) == ("o-1", "fix")]
        await desk.later(hours=24)
        (breached,) = [one for one in await desk.recorded("SlaBreached") if (one.order_id, one.clock) == ("o-1", "fix")]
        assert breached.due_at == NOW + 41 * HOUR

    told(story)


async def restatement(desk, calendar_id="office"):
    """The newest one of a calendar, when it is through."""
    async with asyncio.timeout(20):
        while True:
            found = (await desk.get(f"/v1/calendars/{calendar_id}/restatements", role="manager"))["items"]
            if found and found[-1]["done_at"]:
                return found[-1]
            await desk.quiet()


def test_a_history_of_many_pages_is_restated_with_a_list_of_what_changed_and_goes_on_after_a_restart(told, monkeypatch):
    monkeypatch.setattr(policies, "RESTATED_AT_ONCE", 3)
    table = {"years": [2026], "days": [{"day": "2026-11-25", "name": "感恩"}], "reason": "late notice"}

    async def changed(desk):
        await desk.promise(FIX)
        for number in range(20):
            await desk.open(f"o-{number:02}", urgency="normal" if number % 2 else "critical")
        await desk.quiet()
        await desk.do("PUT", "/v1/calendars/office/holidays", role="operator", **table)
        # The desk closes here, wherever it has come.

    async def later(desk):
        done = await restatement(desk)
        figures = [done[name] for name in ("revision", "orders", "looked_at", "restated", "changed_from")]
        assert figures == [2, 20, 20, 10, "2026-11-25"]
        pages = await desk.recorded("RestatementAdvanced")
        assert [one.looked_at for one in pages] == [3, 6, 9, 12, 15, 18, 20]
        restated = await desk.recorded("SlaRestated")
        assert [one.order_id for one in restated] == [f"o-{number:02}" for number in range(1, 20, 2)]
        first = await desk.get("/v1/calendars/office/differences?revision=2&limit=4", role="auditor")
        assert {(one["clock"], one["figure"]) for one in first["items"]} <= {("fix", "due_at"), ("fix", "next_at")}
        one = next(one for one in first["items"] if one["figure"] == "due_at")
        assert (one["order_id"], instant(one["before"]), instant(one["after"])) == (
            "o-01",
            NOW + 17 * HOUR,
            NOW + 41 * HOUR,
        )
        assert first["next"]

    told(changed, later)


def test_what_a_calendar_says_of_other_days_restates_nothing(told):
    async def story(desk):
        await desk.promise(FIX)
        await desk.open()
        await desk.quiet()
        table = {"years": [2026], "days": [{"day": "2026-05-01", "name": "劳动节"}], "reason": "forgotten"}
        await desk.do("PUT", "/v1/calendars/office/holidays", role="operator", **table)
        done = await restatement(desk)
        assert (done["orders"], done["looked_at"], done["restated"]) == (0, 0, 0)

    told(story)


def test_a_running_order_is_promised_something_else_and_its_timers_follow(told):
    async def story(desk):
        await desk.promise(ARRIVE)
        gold = ARRIVE | {"normal_s": 3_600}
        await desk.do("POST", "/v1/slas", 201, sla_id="gold", name="Gold", request_types=["gold"], clocks=[gold])
        await desk.open()
        await desk.quiet()
        await desk.later(minutes=10)
        body = {"sla_id": "gold", "reason": "the customer pays for it"}
        assert (await desk.call("PUT", "/v1/orders/o-1/sla", role="agent", **body)).status_code == 403
        refused = await desk.call("PUT", "/v1/orders/o-1/sla", role="manager", **body | {"sla_id": "none"})
        assert (refused.status_code, refused.json()["code"]) == (422, "sla.not-there")
        await desk.do("PUT", "/v1/orders/o-1/sla", role="manager", **body)
        arrive = (await desk.clocks())["arrive"]
        assert (arrive["sla_id"], arrive["allowed_s"], instant(arrive["due_at"])) == ("gold", 3_600, NOW + HOUR)
        told_of = await desk.get("/v1/orders/o-1/clocks/restatements", role="manager")
        assert {(one["clock"], one["figure"], one["cause"]) for one in told_of["items"]} == {
            ("arrive", "due_at", "sla"),
            ("arrive", "next_at", "sla"),
        }
        await desk.later(minutes=50)
        breached = [one for one in await desk.recorded("SlaBreached") if one.clock == "arrive"]
        assert [(one.sla_id, one.due_at) for one in breached] == [("gold", NOW + HOUR)]

    told(story)


def test_a_wrong_time_is_put_right_and_the_breach_is_taken_back(told):
    async def story(desk):
        await desk.promise(ARRIVE)
        await desk.open()
        await desk.quiet()
        await desk.later(hours=2, minutes=30)
        assert (await desk.clocks())["arrive"]["breached"]
        path = "/v1/orders/o-1/clocks"
        arrived = move_clocks("arrived", desk.clock.now())
        await desk.running.ask(Ask(command=arrived, tenant="t-1", actor="test", caller="test"))
        body = {
            "happening": "arrived",
            "happened_at": (NOW + HOUR).isoformat(),
            "reason": "the phone's clock was wrong",
        }
        await desk.do("POST", f"{path}/corrections", role="dispatcher", **body)
        arrive = (await desk.clocks())["arrive"]
        assert (arrive["breached"], instant(arrive["stopped_at"])) == (False, NOW + HOUR)
        (corrected,) = await desk.recorded("FactCorrected")
        assert (corrected.was_at, corrected.reason) == (NOW + 150 * MINUTE, body["reason"])
        told_of = (await desk.get(f"{path}/restatements", role="auditor"))["items"]
        assert ("arrive", "breached", "late-fact") in {(one["clock"], one["figure"], one["cause"]) for one in told_of}

    told(story)


def test_the_service_level_that_a_type_of_request_names_reaches_the_order(told):
    async def story(desk):
        await desk.promise(ARRIVE)
        gold = ARRIVE | {"normal_s": 3_600}
        await desk.do("POST", "/v1/slas", 201, sla_id="gold", name="Gold", request_types=["gold"], clocks=[gold])
        await desk.open(sla="gold")
        await desk.quiet()
        assert (await desk.clocks())["arrive"]["sla_id"] == "gold"

    told(story)


def test_a_later_revision_is_for_later_orders(told):
    async def story(desk):
        await desk.promise(ARRIVE)
        await desk.open()
        await desk.quiet()
        await desk.later(minutes=1)
        await desk.do("PUT", "/v1/slas/standard", name="Standard", clocks=[ARRIVE | {"normal_s": 60}])
        await desk.open("o-2")
        await desk.quiet()
        cited = [(await desk.clocks(order_id))["arrive"] for order_id in ("o-1", "o-2")]
        assert [(one["revision"], one["allowed_s"]) for one in cited] == [(1, 7_200), (2, 60)]
        revisions = (await desk.get("/v1/slas/standard", role="manager"))["revisions"]
        assert [one["revision"] for one in revisions] == [1, 2]

    told(story)


def test_what_is_due_first_goes_first(told):
    async def story(desk):
        await desk.promise(ARRIVE)
        for urgency in ("low", "critical", "normal"):
            await desk.open(urgency, urgency=urgency)
        await desk.quiet()
        listed = await desk.get("/v1/slas/standard/clocks?clock=arrive&limit=2", role="manager")
        assert [one["order_id"] for one in listed["items"]] == ["critical", "normal"]
        rest = await desk.get(f"/v1/slas/standard/clocks?clock=arrive&cursor={listed['next']}", role="manager")
        assert [one["order_id"] for one in rest["items"]] == ["low"]

    told(story)


def test_business_time_is_shown_and_a_year_without_a_table_is_refused_aloud(told):
    async def story(desk):
        await desk.promise(FIX)
        path = "/v1/calendars/office/time"
        span = {"from_at": "2026-11-24T09:00:00Z", "to_at": "2026-11-25T02:00:00Z"}
        answer = await desk.get(f"{path}?{httpx.QueryParams(span)}", role="manager")
        assert (answer["business_s"], answer["revision"]) == (7_200, 1)
        span["to_at"] = "2027-01-05T02:00:00Z"
        refused = await desk.call("GET", f"{path}?{httpx.QueryParams(span)}", role="manager")
        assert (refused.status_code, refused.json()["code"]) == (422, "calendar.year-unknown")
        assert re.search("2027", refused.json()["detail"])
        # A clock goes on all the same, and says that it took the year for plain weeks.
        desk.clock.set(instant("2026-12-31T09:30:00+00:00"))
        await desk.open()
        await desk.quiet()
        fix = (await desk.clocks())["fix"]
        assert (instant(fix["due_at"]), fix["unknown_years"]) == (instant("2027-01-01T02:30:00+00:00"), [2027])

    told(story)


def test_who_may_not_see_an_order_sees_no_clock_of_it(told):
    async def story(desk):
        await desk.promise(FIX)
        await desk.register("e-1")
        await desk.quiet()
        await desk.open()
        await desk.quiet()
        path = "/v1/orders/o-1/clocks"
        assert (await desk.call("GET", path, role="engineer", person_id="e-1")).status_code == 200
        assert (await desk.call("GET", path, role="engineer", person_id="e-2")).status_code == 404
        assert (await desk.call("GET", path, tenant="t-2")).status_code == 404
        assert (await desk.call("POST", f"{path}/pause", tenant="t-2", reason="customer")).status_code == 404
        assert (await desk.call("GET", "/v1/calendars/office", role="manager", tenant="t-2")).status_code == 404

    told(story)


def test_a_due_time_is_met_within_five_seconds_by_the_clock_on_the_wall(told, tmp_path):
    """200 clocks that are due at one time, by the real clock: each breached once, and none too late."""

    async def story():
        keeps = tuple(one for one in OWN if one.name == "keep-clocks")
        async with opened(SlaDesk, tmp_path, keeps, SystemClock()) as desk:
            await desk.promise(ARRIVE | {"normal_s": 8})
            await asyncio.gather(*[desk.open(f"o-{n}") for n in range(200)])
            async with asyncio.timeout(60):
                while len(await desk.recorded("SlaBreached")) < 200:
                    await asyncio.sleep(0.1)
            entries = await desk.running.journal.read(0, 9_999)
            late = timedelta(0)
            for entry in entries:
                envelope = envelopes.read(entry.record)
                if envelope.type == "SlaBreached":
                    after = envelope.recorded_at - envelopes.payload(envelope).due_at
                    assert after >= timedelta(0)
                    late = max(late, after)
            assert late <= timedelta(seconds=5), late
            orders = Counter(one.order_id for one in await desk.recorded("SlaBreached"))
            assert set(orders.values()) == {1}

    asyncio.run(story())

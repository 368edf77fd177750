"""Offers, absences, rules and choices by hand as they run: through routes, policies and timers, over real stores."""

import asyncio
from collections import Counter

from tests.dispatcher import test_running
from tests.dispatcher.examples import at

told = test_running.told

FIRST = {"offered_first": [{"request_type": "repair"}]}
PATH = "/v1/orders/o-1"


async def offers(desk, engineer_id):
    return [one["order_id"] for one in await desk.get(f"/v1/engineers/{engineer_id}/offers")]


async def take(desk, engineer_id):
    answer = await desk.call("POST", f"{PATH}/take", role="engineer", person_id=engineer_id)
    return engineer_id, answer.status_code, answer.json().get("code", "")


async def staff(desk, count, **changes):
    for n in range(count):
        await desk.register(f"e-{n}", home_lat_udeg=39_900_000 + 1_000 * n, **changes)
    await desk.quiet()


def test_of_all_who_take_what_is_offered_to_three_one_of_the_three_has_it(told):
    async def story(desk):
        await staff(desk, 30)
        await desk.call("POST", "/v1/dispatch-rules", role="manager", **FIRST)
        await desk.open()
        await desk.quiet()
        assert [await offers(desk, f"e-{n}") for n in range(4)] == [["o-1"]] * 3 + [[]]
        taken = await asyncio.gather(*[take(desk, f"e-{n}") for n in range(30)])
        [winner] = [engineer_id for engineer_id, status, _ in taken if status == 200]
        assert winner in ("e-0", "e-1", "e-2")
        assert Counter(status for _, status, _ in taken) == {200: 1, 409: 29}
        codes = {code for _, status, code in taken if status == 409}
        assert codes <= {"order.already-assigned", "order.offered-to-others"}
        await desk.quiet()
        order = await desk.order()
        assert (order["state"], order["engineer_id"], order["chosen_by"]) == ("assigned", winner, "pool")
        assert (order["rules_version"], order["offered_until"], order["offered_to"]) == (1, None, [])
        assert await offers(desk, "e-0") == []

    told(story)


def test_an_offer_that_nobody_takes_goes_to_the_next_and_in_the_end_it_is_assigned(told):
    async def story(desk):
        await staff(desk, 5)
        await desk.call("POST", "/v1/dispatch-rules", role="manager", **FIRST)
        await desk.open()
        await desk.quiet()
        await desk.later(minutes=9, seconds=59)
        assert (await desk.order())["offered_to"] == ["e-0", "e-1", "e-2"]
        await desk.later(seconds=1)
        assert (await desk.order())["offered_to"] == ["e-3", "e-4"]
        assert await offers(desk, "e-0") == []
        no = await desk.call("POST", f"{PATH}/decline", role="engineer", person_id="e-3", reason="too far")
        assert no.json()["events"] == ["OfferDeclined"]
        await desk.later(minutes=10)
        order = await desk.order()
        assert (order["state"], order["engineer_id"], order["chosen_by"]) == ("assigned", "e-0", "rule")
        assert order["excluded"] == [{"rule": "declined", "name": "declined this order", "engineers": 1}]

    told(story)


def test_an_offer_can_be_declined_after_a_restart_and_what_nobody_takes_is_overdue_as_usual(told):
    async def before(desk):
        await desk.register("e-1", daily_limit=1)
        await desk.call("POST", "/v1/dispatch-rules", role="manager", **FIRST)
        await desk.open()
        await desk.quiet()
        assert (await desk.order())["offered_to"] == ["e-1"]

    async def after(desk):
        assert (await desk.order())["offered_to"] == ["e-1"]
        no = await desk.call("POST", f"{PATH}/decline", role="engineer", person_id="e-1", reason="ill")
        assert no.status_code == 200
        await desk.register("e-2", skills=("heating",))
        await desk.quiet()
        assert (await desk.order())["state"] == "waiting"
        await desk.later(minutes=30)
        order = await desk.order()
        assert (order["state"], order["overdue"], order["offered_to"]) == ("waiting", True, [])

    told(before)
    told(after)


def test_an_offer_of_before_a_restart_lapses_at_its_time(told):
    async def before(desk):
        await staff(desk, 4)
        await desk.call("POST", "/v1/dispatch-rules", role="manager", **FIRST)
        await desk.open()
        await desk.quiet()
        assert len((await desk.order())["offered_to"]) == 3

    async def after(desk):
        await desk.later(minutes=10)
        assert (await desk.order())["offered_to"] == ["e-3"]

    told(before)
    told(after)


def test_a_dispatcher_offers_by_hand_to_the_best_or_to_whom_she_names(told):
    async def story(desk):
        await desk.open()
        await desk.quiet()
        nobody = await desk.call("POST", f"{PATH}/offer")
        assert (nobody.status_code, nobody.json()["code"]) == (409, "order.no-free-engineer")
        lacking = {"skills": ("heating",)}
        await desk.register("e-8", **lacking)
        await desk.quiet()
        unsuited = await desk.call("POST", f"{PATH}/offer", engineer_ids=["e-8"])
        assert (unsuited.status_code, unsuited.json()["code"]) == (409, "engineer.lacks-skill")

    async def suited(desk):
        # Without policies nobody is given it before it is offered.
        await staff(desk, 5)
        done = await desk.call("POST", f"{PATH}/offer", note="who is near?")
        assert done.json()["events"] == ["OrderOffered"]
        assert (await desk.order())["offered_to"] == ["e-0", "e-1", "e-2"]
        mine = await desk.get(PATH, role="engineer", person_id="e-1")
        assert mine["offered_to"] == ["e-1"], "whom else it is offered to is not hers to know"
        others = await desk.call("GET", "/v1/engineers/e-0/offers", role="engineer", person_id="e-1")
        assert others.status_code == 404

    told(story)
    told(suited, policies=())


def test_an_absence_shows_what_is_booked_in_it_and_gives_it_to_others(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        await desk.quiet()
        times = {"starts_at": at(12).isoformat(), "ends_at": at(20).isoformat()}
        query = f"from_at={times['starts_at']}&to_at={times['ends_at']}".replace("+", "%2B")
        [booked] = await desk.get(f"/v1/engineers/e-1/hours?{query}")
        assert (booked["order_id"], booked["goes_back"]) == ("o-1", True)
        await desk.register("e-2", home_lat_udeg=40_000_000)
        await desk.quiet()
        path = "/v1/engineers/e-1/absences"
        mine = {"role": "engineer", "person_id": "e-1"}
        answer = await desk.call("POST", path, **mine, absence_id="a-1", reason="fever", **times)
        assert answer.json()["events"] == ["EngineerAbsent"], answer.text
        await desk.quiet()
        order = await desk.order()
        assert (order["state"], order["engineer_id"]) == ("assigned", "e-2")
        [away] = await desk.get(path)
        assert (away["absence_id"], away["reason"], away["booked"]) == ("a-1", "fever", [])
        candidates = await desk.get(f"{PATH}/candidates")
        assert {one["engineer_id"]: one["day"] for one in candidates["candidates"]}["e-1"] == "2026-11-25"
        missing = await desk.call("POST", f"{path}/a-9/call-off", **mine)
        assert missing.status_code == 404
        for _ in range(2):
            done = await desk.call("POST", f"{path}/a-1/call-off", **mine)
            assert done.status_code == 200
        await desk.quiet()
        assert await desk.get(path) == []
        foreign = await desk.call("POST", path, role="engineer", person_id="e-2", **times)
        assert foreign.status_code == 404

    told(story)


def test_all_that_she_has_in_one_day_goes_to_others_when_she_is_absent(told):
    async def story(desk):
        await desk.register("e-1")
        for order_id in ("o-1", "o-2"):
            await desk.open(order_id)
            await desk.quiet()
        before = [await desk.order(order_id) for order_id in ("o-1", "o-2")]
        assert [(one["engineer_id"], one["day"]) for one in before] == [("e-1", before[0]["day"])] * 2
        await desk.register("e-2", home_lat_udeg=40_000_000)
        await desk.quiet()
        times = {"starts_at": before[0]["starts_at"], "ends_at": at(20).isoformat()}
        path = "/v1/engineers/e-1/absences"
        await desk.call("POST", path, role="engineer", person_id="e-1", absence_id="a-1", reason="ill", **times)
        await desk.quiet()
        assert [(await desk.order(order_id))["engineer_id"] for order_id in ("o-1", "o-2")] == ["e-2", "e-2"]

    told(story)


def test_what_a_choice_by_hand_breaks_is_shown_before_and_recorded_with_the_reason(told):
    async def story(desk):
        facts = {"skill_levels": [{"skill": "cooling", "level": 2, "until": "2026-11-01"}], "territory": ["海淀区"]}
        await desk.register("e-1", **facts)
        await desk.open()
        await desk.quiet()
        shown = await desk.get(f"{PATH}/candidates/e-1")
        assert shown["possible"] is True
        assert shown["broke_rules"] == ["skill-expired", "territory"]
        assert {one["rule"] for one in shown["hours"]["rules"]} >= {"distance", "load", "shift"}
        bare = await desk.call("POST", f"{PATH}/assign", engineer_id="e-1")
        assert (bare.status_code, bare.json()["code"]) == (422, "assignment.needs-reason")
        done = await desk.call("POST", f"{PATH}/assign", engineer_id="e-1", reason="she knows the house")
        assert done.status_code == 200
        order = await desk.order()
        assert (order["broke_rules"], order["note"]) == (["skill-expired", "territory"], "she knows the house")
        assert order["starts_at"] == shown["hours"]["starts_at"]
        await desk.open("o-2")
        starts_at = order["starts_at"].replace("+", "%2B")
        taken = await desk.get(f"/v1/orders/o-2/candidates/e-1?starts_at={starts_at}")
        assert (taken["possible"], taken["why_not"]["code"]) == (False, "engineer.hours-taken")
        refused = await desk.call(
            "POST", "/v1/orders/o-2/assign", engineer_id="e-1", starts_at=order["starts_at"], reason="!"
        )
        assert refused.json()["code"] == taken["why_not"]["code"], "what is shown is what is done"

    told(story)


def test_whom_the_customer_wishes_is_preferred_and_named_where_a_rule_excludes_her(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=39_950_000)
        await desk.register("e-3", skills=("heating",))
        await desk.quiet()
        await desk.open(wished_engineer_id="e-2")
        await desk.open("o-2", wished_engineer_id="e-3")
        await desk.quiet()
        assert (await desk.order())["engineer_id"] == "e-2"
        second = await desk.order("o-2")
        assert second["engineer_id"] == "e-1"
        assert second["passed_over"] == [{"engineer_id": "e-3", "rules": ["skill"], "names": ["lacks the skill"]}]

    told(story)


def test_rules_are_seen_in_all_versions_and_an_engineer_without_a_limit_has_the_companys(told):
    async def story(desk):
        await desk.call("POST", "/v1/dispatch-rules", role="manager", daily_limit=3)
        later = {"offer_to": 9, "effective_from": at(20).isoformat()}
        await desk.call("POST", "/v1/dispatch-rules", role="manager", **later)
        shown = await desk.get("/v1/dispatch-rules")
        assert [(one["version"], one["in_force"]) for one in shown] == [(2, False), (1, True), (0, False)]
        body = {"engineer_id": "e-1", "name": "王", "skills": ["cooling"], "region": "r"}
        body |= {"home_lat_udeg": 0, "home_lon_udeg": 0}
        body |= {"shifts": [{"weekday": 0, "from_minute": 0, "to_minute": 60}]}
        papers = [{"name": "电工证", "number": "T1", "until": "2027-01-01"}]
        answer = await desk.call("POST", "/v1/engineers", **body, certificates=papers)
        assert answer.status_code == 201, answer.text
        hers = await desk.get("/v1/engineers/e-1")
        assert (hers["daily_limit"], hers["certificates"]) == (3, papers)

    told(story)

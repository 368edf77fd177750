"""Alerts as they come about: visits and answers go in, days end, a manager follows and closes."""

from datetime import timedelta

from contracts.dispatcher import EngineerRegistered, Shift
from contracts.intake import DeviceRegistered
from contracts.quality import DayEnded, QualityAlertRaised, QualityAlertRecovered
from quality.domain.alert import alert_id
from tests.given import NOW
from tests.quality.stories import at, completed, story

MONDAY = NOW.replace(hour=16) + timedelta(days=5)
"""00:00 on Monday 30 November 2026 in Shanghai."""
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)

OF_E1 = alert_id("bad-rating", "engineer", "e-1")


async def week(it, number, bad, of=5):
    """The first, second… week of visits by e-1, the first `bad` of them rated two stars; each to its own device."""
    for visit in range(of):
        await at(it, MONDAY + (number - 1) * WEEK + visit * 20 * HOUR)
        device = f"d-{number}-{visit}"
        await completed(it, f"{number}-{visit}", rating=2 if visit < bad else 5, device_id=device)


async def get(it, path, **params):
    answer = await it.call("m-1", "manager", "GET", f"/v1/alerts{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(it, path, status=200, **body):
    answer = await it.call("m-1", "manager", "POST", f"/v1/alerts{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def raised(it):
    """Who the open alerts are about."""
    return sorted((one["kind"], one["of"], one["subject"]) for one in (await get(it, "", open=True))["items"])


ALL_OF_THEM = [
    ("bad-rating", "device_model", "BCD-520"),
    ("bad-rating", "engineer", "e-1"),
    ("bad-rating", "region", "朝阳区"),
]


@story
async def test_two_bad_weeks_raise_alerts_as_the_second_one_ends(it):
    await week(it, 1, bad=2)
    await week(it, 2, bad=2)
    await at(it, MONDAY + 2 * WEEK - timedelta(seconds=1))
    assert await raised(it) == []
    await at(it, MONDAY + 2 * WEEK)
    assert await raised(it) == ALL_OF_THEM
    alert = await get(it, f"/{OF_E1}")
    assert [(one["begins_on"], one["counted"], one["bad"]) for one in alert["windows"]] == [
        ("2026-11-30", 5, 2),
        ("2026-12-07", 5, 2),
    ]
    # The same figures again the next night raise nothing.
    await completed(it, "3-0")
    await at(it, MONDAY + 2 * WEEK + timedelta(days=1))
    events = await it.own_events()
    assert sum(isinstance(event, QualityAlertRaised) for event in events) == 3
    days = [event.day for event in events if isinstance(event, DayEnded)]
    assert days == sorted(set(days)) and {"2026-12-07", "2026-12-14", "2026-12-15"} <= set(days)


@story
async def test_four_ratings_in_a_week_are_too_few_to_say_anything(it):
    await week(it, 1, bad=4, of=4)
    await week(it, 2, bad=4)
    await at(it, MONDAY + 2 * WEEK)
    assert await raised(it) == []
    asked = {"kind": "bad-rating", "of": "engineer"}
    [figure] = (await get(it, "/figures", **asked))["figures"]
    assert [(one["says"], one["share"]) for one in figure["windows"]] == [("too-few", None), ("above", 0.8)]
    await post(it, "/rules", min_ratings=4)
    assert [one["red"] for one in (await get(it, "/figures", **asked))["figures"]] == [True]
    await completed(it, "3-0")
    await at(it, MONDAY + 2 * WEEK + timedelta(days=1))
    assert await raised(it) == ALL_OF_THEM


@story
async def test_answers_that_come_late_raise_an_alert_the_next_night(it):
    await week(it, 1, bad=2)
    await week(it, 2, bad=1)
    await at(it, MONDAY + 2 * WEEK)
    assert await raised(it) == []
    surveys = (await it.call("a-1", "agent", "GET", "/v1/surveys")).json()["items"]
    [late] = [one["survey_id"] for one in surveys if one["visit_id"] == "v-2-4"]
    said = {"attitude": 1, "outcome": 5, "punctuality": 5}
    await it.call("c-1", "customer", "POST", f"/v1/surveys/{late}/answer", json=said)
    await at(it, MONDAY + 2 * WEEK + timedelta(days=1))
    assert await raised(it) == ALL_OF_THEM


@story
async def test_an_alert_is_followed_closed_and_raised_again_by_newer_weeks_only(it):
    for number in (1, 2):
        await week(it, number, bad=2)
    await at(it, MONDAY + 2 * WEEK)
    assert (await post(it, f"/{OF_E1}/close", 409, effect="none"))["code"] == "alert.not-followed"
    await post(it, f"/{OF_E1}/follow", owner_id="m-2", measure="沟通培训")
    alert = await get(it, f"/{OF_E1}")
    assert (alert["state"], alert["owner_id"], alert["measure"]) == ("followed", "m-2", "沟通培训")
    await post(it, f"/{OF_E1}/close", effect="一周无差评")
    assert (await post(it, f"/{OF_E1}/follow", 409, owner_id="m-2", measure="x"))["code"] == "alert.not-raised"
    await week(it, 3, bad=2)
    await at(it, MONDAY + 3 * WEEK - timedelta(seconds=1))
    assert (await get(it, f"/{OF_E1}"))["state"] == "closed"
    await at(it, MONDAY + 3 * WEEK)
    alert = await get(it, f"/{OF_E1}")
    assert (alert["state"], alert["raising"], alert["effect"]) == ("raised", 2, "")
    assert [(one["raising"], one["effect"]) for one in alert["earlier"]] == [(1, "一周无差评")]


@story
async def test_the_team_and_the_supplier_of_an_engineer_are_watched_too(it):
    she = {"engineer_id": "e-1", "name": "x", "skills": ("s",), "region": "r", "home_lat_udeg": 0, "home_lon_udeg": 0}
    of_hers = {"team": "t-1", "supplier": "s-1", "shifts": (Shift(0, 0, 60),)}
    await it.publishes((EngineerRegistered(**she, **of_hers), {"time": NOW}))
    await week(it, 1, bad=2)
    await week(it, 2, bad=2)
    await at(it, MONDAY + 2 * WEEK)
    groups = [("bad-rating", "supplier", "s-1"), ("bad-rating", "team", "t-1")]
    assert await raised(it) == sorted([*ALL_OF_THEM, *groups])
    of_team = alert_id("bad-rating", "team", "t-1")
    await post(it, f"/{of_team}/follow", owner_id="m-2", measure="沟通培训")
    alert = await get(it, f"/{of_team}")
    assert (alert["of"], alert["subject"], alert["state"]) == ("team", "t-1", "followed")
    await post(it, f"/{of_team}/close", effect="一周无差评")
    assert (await get(it, f"/{of_team}"))["state"] == "closed"


@story
async def test_who_supplied_the_devices_is_watched_too_also_when_it_is_known_late(it):
    await week(it, 1, bad=2)
    await week(it, 2, bad=2)
    for device in [f"d-{number}-{visit}" for number in (1, 2) for visit in range(5)]:
        facts = {"customer_id": "c-1", "model": "m", "serial": device, "skill": "s"}
        await it.publishes(DeviceRegistered(device_id=device, **facts, device_supplier="冷暖贸易"))
    await at(it, MONDAY + 2 * WEEK)
    assert await raised(it) == sorted([*ALL_OF_THEM, ("bad-rating", "device_supplier", "冷暖贸易")])


@story
async def test_by_a_control_chart_a_week_is_held_against_the_weeks_before(it):
    chart = {"bad_judged": "control-chart", "bad_weeks": 1, "min_ratings": 1, "baseline_weeks": 4}
    await post(it, "/rules", **chart)
    for number, bad in ((1, 1), (2, 1), (3, 1), (4, 1)):
        await week(it, number, bad=bad)
    await week(it, 5, bad=2)
    await at(it, MONDAY + 5 * WEEK)
    # Two of five are more than a fifth, and no more than comes about by chance where one of five is bad.
    assert await raised(it) == []
    await week(it, 6, bad=5)
    await at(it, MONDAY + 6 * WEEK)
    assert await raised(it) == ALL_OF_THEM
    alert = await get(it, f"/{OF_E1}")
    before = {"begins_on": "2026-12-07", "ends_on": "2027-01-04", "counted": 20, "bad": 5}
    assert (alert["baseline"], alert["limit_percent"]) == (before, 80)
    asked = {"kind": "bad-rating", "of": "engineer", "day": "2027-01-11"}
    found = await get(it, "/figures", **asked)
    assert found["baseline"] == before
    [figure] = found["figures"]
    assert [(one["within_up_to"], one["says"]) for one in figure["windows"]] == [(4, "above")]
    await post(it, "/rules")
    found = await get(it, "/figures", **asked)
    assert found["baseline"] is None
    assert [one["within_up_to"] for one in found["figures"][0]["windows"]] == [1, 1]


@story
async def test_a_good_week_ends_it(it):
    for number, bad in ((1, 2), (2, 2), (3, 1)):
        await week(it, number, bad=bad)
    await at(it, MONDAY + 3 * WEEK)
    alert = await get(it, f"/{OF_E1}")
    assert (alert["state"], alert["end_windows"][-1]["bad"]) == ("recovered", 1)
    assert sum(isinstance(event, QualityAlertRecovered) for event in await it.own_events()) == 3


@story
async def test_visits_to_the_same_device_for_the_same_fault_raise_an_alert(it):
    for visit in range(5):
        await at(it, MONDAY + visit * HOUR)
        await completed(it, visit, device_id="d-1" if visit < 2 else f"d-{visit}")
    await at(it, MONDAY + WEEK)
    assert await raised(it) == [(kind.replace("bad-rating", "repeat-visit"), *rest) for kind, *rest in ALL_OF_THEM]


@story
async def test_what_does_not_exist_is_absent(it):
    for method, path in (("GET", "/x"), ("POST", "/x/follow"), ("POST", "/x/close")):
        body = {"owner_id": "m", "measure": "x"} if "follow" in path else {"effect": "x"}
        answer = await it.call("m-1", "manager", method, f"/v1/alerts{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "resource.absent")

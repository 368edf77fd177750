"""Surveys through the routes, on real stores: the link, the rules, the sums."""

from datetime import timedelta

from contracts.quality import SurveySent, SurveySkipped
from tests.quality.stories import completed, story

SAID = {"attitude": 5, "outcome": 4, "punctuality": 3, "recommends": 9, "comment": "师傅很专业"}


async def link_of(it, survey_id, **who):
    answer = await it.call(who.get("person", "a-1"), who.get("role", "agent"), "GET", f"/v1/surveys/{survey_id}/link")
    assert answer.status_code == 200, answer.text
    return answer.json()["link"]


async def by_nobody(it, method, **sent):
    """A call without a credential, as from the page that a link opens."""
    headers = {"Authorization": ""} | sent.pop("headers", {})
    return await it.call("c-9", "customer", method, "/v1/surveys/linked", headers=headers, **sent)


async def by_link(it, link, **changes):
    return await by_nobody(it, "POST", json=SAID | {"link": link} | changes)


async def looked_at(it, link):
    return await by_nobody(it, "GET", params={"link": link})


@story
async def test_a_link_opens_and_answers_its_survey_once(it):
    link = await link_of(it, survey_id := await completed(it, 1), role="customer", person="c-1")
    opened = await looked_at(it, link)
    assert (opened.status_code, opened.json()["survey_id"]) == (200, survey_id)
    assert (await by_link(it, link)).json()["events"] == ["FeedbackReceived"]
    seen = (await it.call("c-1", "customer", "GET", f"/v1/surveys/{survey_id}")).json()
    assert {name: seen[name] for name in SAID} == SAID
    for again in (await by_link(it, link, attitude=1), await by_link(it, link), await looked_at(it, link)):
        assert (again.status_code, again.json()["code"]) == (410, "survey.link-used")
        assert seen["answered_at"][:19] in again.json()["detail"]
    chinese = await by_nobody(it, "GET", params={"link": link}, headers={"Accept-Language": "zh"})
    assert chinese.json()["title"] == "该链接已使用"


@story
async def test_a_lost_answer_is_sent_again_with_its_key_and_done_once(it):
    link, key = await link_of(it, await completed(it, 1)), {"Idempotency-Key": "k-1"}
    body = SAID | {"link": link}
    first, again = [await by_nobody(it, "POST", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code, first.json()) == (200, 200, again.json())


@story
async def test_a_link_that_is_over_says_so_and_a_wrong_one_opens_nothing(it):
    link = await link_of(it, await completed(it, 1))
    it.clock.set(it.clock.now() + timedelta(days=14, seconds=1))
    for late in (await looked_at(it, link), await by_link(it, link)):
        assert (late.status_code, late.json()["code"]) == (410, "survey.expired")
    for wrong in (link[:-4] + "AAAA", "x"):
        assert (await looked_at(it, wrong)).status_code == 404
        assert (await by_link(it, wrong)).status_code == 404


@story
async def test_nobody_gets_the_link_of_another_customers_survey(it):
    survey_id = await completed(it, 1)
    answer = await it.call("c-2", "customer", "GET", f"/v1/surveys/{survey_id}/link")
    assert (answer.status_code, answer.json()["code"]) == (404, "resource.absent")


@story
async def test_rules_spare_customers_from_then_on(it):
    rules = {"sample_percent": 100, "quiet_days": 7}
    seen = await it.call("m-1", "manager", "GET", "/v1/surveys/rules")
    assert seen.json() == {"sample_percent": 100, "quiet_days": 0}
    said = await it.call("m-1", "manager", "POST", "/v1/surveys/rules", json=rules)
    assert said.json()["events"] == ["SurveyRulesSet"], said.text
    assert (await it.call("m-1", "manager", "GET", "/v1/surveys/rules")).json() == rules
    await completed(it, 1)
    await completed(it, 2)
    await completed(it, 3, customer_id="c-2")
    it.clock.set(it.clock.now() + timedelta(days=7))
    await completed(it, 4)
    became = [e for e in await it.own_events() if isinstance(e, SurveySent | SurveySkipped)]
    assert [(e.visit_id, type(e)) for e in became] == [
        ("v-1", SurveySent),
        ("v-2", SurveySkipped),
        ("v-3", SurveySent),
        ("v-4", SurveySent),
    ]
    mine = await it.call("c-1", "customer", "GET", "/v1/surveys")
    assert {one["visit_id"] for one in mine.json()["items"]} == {"v-1", "v-4"}


@story
async def test_results_are_added_up_by_engineer_region_and_model(it):
    for number, engineer, region, recommends in ((1, "e-1", "东", 10), (2, "e-1", "西", 6), (3, "e-2", "西", 7)):
        survey_id = await completed(it, number, engineer_id=engineer, region=region)
        await by_link(it, await link_of(it, survey_id), outcome=number, recommends=recommends)
    await completed(it, 4, engineer_id="e-2", region="西")

    async def by(of, **days):
        answer = await it.call("m-1", "manager", "GET", "/v1/surveys/results", params={"by": of, **days})
        assert answer.status_code == 200, answer.text
        return {row["of"]: row for row in answer.json()}

    everybody = (await by("all"))[""]
    assert {n: everybody[n] for n in ("sent", "answered", "answered_share", "bad", "outcome_mean")} == {
        "sent": 4,
        "answered": 3,
        "answered_share": 0.75,
        "bad": 2,
        "outcome_mean": 2.0,
    }
    assert everybody["net_promoter_score"] == 0.0  # one of three promotes, one detracts
    engineers = await by("engineer")
    assert [(of, row["sent"], row["bad_share"]) for of, row in engineers.items()] == [("e-1", 2, 1.0), ("e-2", 2, 0.0)]
    assert engineers["e-2"]["net_promoter_score"] == 0.0 and engineers["e-1"]["net_promoter_score"] == 0.0
    assert {of: row["sent"] for of, row in (await by("region")).items()} == {"东": 1, "西": 3}
    assert {of: row["sent"] for of, row in (await by("device_model")).items()} == {"BCD-520": 4}
    assert (await by("all", to="2026-11-23"))[""]["answered_share"] is None
    backwards = await it.call("m-1", "manager", "GET", "/v1/surveys/results?from=2026-11-24&to=2026-11-23")
    assert (backwards.status_code, backwards.json()["code"]) == (422, "range.backwards")

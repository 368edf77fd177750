"""Request types through the routes: forms with their schema, starter packs, and the request that answers a form."""

import asyncio

import pytest
from jsonschema import Draft202012Validator

from contracts.intake import RequestTypeDefined
from intake.adapters.packs import packs
from intake.commands import LoadPack
from intake.service import RULES, service
from tests.fieldwork.live import live
from tests.given import spec_for
from tests.intake.examples import founded, request, submit

FORM = [
    {"name": "floor", "label": "Floor", "label_zh": "楼层", "kind": "integer", "required": True},
    {
        "name": "when",
        "label": "When",
        "kind": "choices",
        "choices": [{"value": "am", "label": "Morning"}, {"value": "pm", "label": "Afternoon"}],
    },
]


def run(folder, story, **repair):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it, **repair)
            await story(it)

    asyncio.run(on_stage())


def test_who_submits_is_asked_for_what_the_form_wants_and_it_goes_on_when_it_is_given(tmp_path):
    async def story(it):
        made = await submit(it, answers={"when": ["am"]})
        waiting = await request(it, made["id"])
        assert waiting["state"] == "incomplete"
        assert waiting["missing"] == ["answers.floor: Floor is missing"]
        assert waiting["missing_zh"] == ["answers.floor: 请填写楼层"]
        path = f"/v1/requests/{made['id']}/supplement"
        await it.call("c-1", "customer", "POST", path, json={"answers": {"floor": 3}})
        told = await request(it, made["id"])
        assert (told["state"], told["answers"], told["missing"]) == ("received", {"floor": 3, "when": ["am"]}, [])

    run(tmp_path, story, form=FORM)


def test_what_a_customer_answered_is_sealed(tmp_path):
    async def story(it):
        await submit(it, answers={"floor": 77})
        [row] = [row for row in await it.rows(service.views[0]) if row["number"]]
        assert row["answers"].startswith("sealed:c-1:")

    run(tmp_path, story, form=FORM)


def test_a_type_shows_its_form_as_it_was_defined_and_the_schema_of_its_answers(tmp_path):
    async def story(it):
        [kind] = (await it.call("c-1", "customer", "GET", "/v1/request-types")).json()["items"]
        assert [one["name"] for one in kind["form"]] == ["floor", "when"]
        validator = Draft202012Validator(kind["answers_schema"])
        assert validator.is_valid({"floor": 3, "when": ["am", "pm"]})
        assert not validator.is_valid({"floor": 3, "when": ["night"]})
        # What was shown can be sent back: it is the same version.
        back = {name: kind[name] for name in kind.keys() - {"type_id", "type_version", "answers_schema"}}
        answer = await it.call("m", "manager", "POST", "/v1/request-types/repair", json=back)
        assert answer.json()["events"] == []

    run(tmp_path, story, form=FORM)


def test_a_field_that_cannot_be_asked_is_named_and_the_type_stays(tmp_path):
    async def story(it):
        body = {"name": "Repair", "form": [{"name": "a", "label": "A", "pattern": "(x"}]}
        answer = await it.call("m", "manager", "POST", "/v1/request-types/repair", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "request-type.wrong-field")
        assert answer.json()["facts"]["field"] == "a"
        [kind] = (await it.call("m", "manager", "GET", "/v1/request-types")).json()["items"]
        assert kind["type_version"] == 1

    run(tmp_path, story)


def test_the_impact_is_for_staff_to_say(tmp_path):
    matrix = [{"urgency": "normal", "impact": "high", "becomes": "critical"}]

    async def story(it):
        hers = await submit(it, impact="high")
        ours = await submit(it, "a", "agent", impact="high", customer_id="c-1")
        assert (await request(it, hers["id"]))["urgency"] == "normal"
        told = await request(it, ours["id"])
        assert (told["urgency"], told["stated_urgency"], told["impact"]) == ("critical", "normal", "high")

    run(tmp_path, story, urgency_matrix=matrix)


# Packs.

given = spec_for(RULES)


@pytest.mark.parametrize("pack", packs().values(), ids=list(packs()))
class TestAPack:
    def test_all_its_types_can_be_defined(self, pack):
        events = given().when(LoadPack(types=pack.types)).then_types(*[RequestTypeDefined] * len(pack.types))
        assert [event.type_id for event in events] == [one.type_id for one in pack.types]

    def test_it_has_what_people_ask_for(self, pack):
        kinds = {one.kind for one in pack.types}
        assert kinds >= {"inspection", "enquiry", "complaint", "suggestion"}
        assert kinds >= {"repair", "installation"} or kinds >= {"incident", "service"}

    def test_all_that_is_read_is_there_in_chinese(self, pack):
        labels = [one.name_zh for one in pack.types] + [pack.name_zh]
        for question in [question for one in pack.types for question in one.form]:
            labels += [question.label_zh, *[choice.label_zh for choice in question.choices]]
        assert labels and all(labels)

    def test_whoever_is_answered_from_the_desk_needs_nobody_sent(self, pack):
        at_the_desk = {one.kind for one in pack.types if not one.needs_visit}
        assert at_the_desk >= {"enquiry", "complaint", "suggestion"}
        assert at_the_desk.isdisjoint({"repair", "installation", "inspection", "incident"})
        assert all(one.skill for one in pack.types if one.needs_visit)

    def test_its_matrix_says_what_every_urgency_and_impact_come_to(self, pack):
        [first, *_] = [one for one in pack.types if one.kind in ("repair", "incident")]
        assert len({(cell.urgency, cell.impact) for cell in first.urgency_matrix}) == 12

    def test_it_says_the_fault_and_asks_more_where_more_must_be_known(self, pack):
        [first, *_] = [one for one in pack.types if one.kind in ("repair", "incident")]
        assert [question.name for question in first.form if question.says_fault]
        assert [question.name for question in first.form if question.asked_if]


def test_there_is_a_pack_for_each_trade():
    assert set(packs()) == {"manufacturing", "home", "it"}


def test_a_pack_leaves_what_a_company_has_defined_itself(tmp_path):
    own = RequestTypeDefined(type_id="complaint", type_version=3, name="Ours")
    events = (
        given(own)
        .when(LoadPack(types=packs()["it"].types))
        .then_types(*[RequestTypeDefined] * (len(packs()["it"].types) - 1))
    )
    assert "complaint" not in {event.type_id for event in events}


def test_a_pack_is_loaded_once_and_a_request_can_be_made_of_it(tmp_path):
    async def story(it):
        assert {one["pack_id"] for one in (await it.call("m", "manager", "GET", "/v1/request-types/packs")).json()} == {
            *packs()
        }
        first = await it.call("m", "manager", "POST", "/v1/request-types/packs", json={"pack_id": "it"})
        assert len(first.json()["events"]) == len(packs()["it"].types)
        again = await it.call("m", "manager", "POST", "/v1/request-types/packs", json={"pack_id": "it"})
        assert again.json()["events"] == []
        absent = await it.call("m", "manager", "POST", "/v1/request-types/packs", json={"pack_id": "none"})
        assert absent.status_code == 404
        answers = {"area": "network", "users": 40, "reach": "site"}
        body = {"request_type": "incident", "device_id": "", "answers": answers}
        made = await submit(it, **body, description="门店网络中断", urgency="high")
        told = await request(it, made["id"])
        assert (told["state"], told["kind"], told["sla"], told["urgency"]) == (
            "received",
            "incident",
            "incident",
            "high",
        )

    run(tmp_path, story)

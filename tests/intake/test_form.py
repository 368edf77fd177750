"""Request types as data: the form in versions, what is wrong with its answers, and the urgency matrix."""

import time

import pytest
from jsonschema import Draft202012Validator

from contracts.intake import (
    Choice,
    FormField,
    RequestReceived,
    RequestSupplemented,
    RequestTypeDefined,
    UrgencyRule,
    UsualPart,
)
from intake.commands import DefineRequestType, MatrixCell, Question
from intake.domain.form import lacks, pattern_fault, schema_of
from intake.service import RULES
from tests.given import spec_for
from tests.intake.test_request import NUMBERED, REGISTERS, incomplete, received, submit, supplement

given = spec_for(RULES)

FORM = (
    FormField(name="code", label="Fault code", label_zh="故障代码", pattern="[A-Z][0-9]{1,3}"),
    FormField(name="floor", label="Floor", label_zh="楼层", kind="integer", required=True, least=-3, most=120),
    FormField(
        name="when",
        label="When may we come",
        label_zh="上门时间",
        kind="choice",
        choices=(Choice("am", "Morning", "上午"), Choice("pm", "Afternoon", "下午")),
    ),
    FormField(name="since", label="Since when", label_zh="何时开始", kind="date"),
    FormField(name="call", label="Whom to call", label_zh="联系电话", kind="phone"),
)
FULL = {"code": "E4", "floor": 3, "when": "am", "since": "2026-11-23", "call": "13800000001"}


def defined(version=1, **changes):
    return RequestTypeDefined(
        **{"type_id": "repair", "type_version": version, "name": "Repair", "form": FORM} | changes
    )


def test_the_schema_of_a_form_is_a_json_schema_that_takes_its_answers():
    Draft202012Validator.check_schema(schema_of(FORM))
    assert lacks(FORM, FULL) == []
    assert lacks(FORM, {"floor": 0}) == []


@pytest.mark.parametrize(
    ("changes", "line", "zh"),
    [
        ({"code": "4"}, "Fault code: it must match [A-Z][0-9]{1,3}", "故障代码：格式须为 [A-Z][0-9]{1,3}"),
        ({"code": "xE4x"}, "Fault code: it must match [A-Z][0-9]{1,3}", "故障代码：格式须为 [A-Z][0-9]{1,3}"),
        ({"floor": "3"}, "Floor: it must be a whole number", "楼层：须为整数"),
        ({"floor": 121}, "Floor: at most 120", "楼层：最多 120"),
        ({"when": "night"}, "When may we come: choose of am, pm", "上门时间：请从以下选项中选择：am, pm"),
        ({"since": "2026-02-30"}, "Since when: a date such as 2026-11-24", "何时开始：日期格式如 2026-11-24"),
        ({"call": "138"}, "Whom to call: this is no phone number that exists", "联系电话：电话号码无效"),
    ],
)
def test_a_wrong_answer_is_named_with_what_would_do(changes, line, zh):
    [lack] = lacks(FORM, FULL | changes)
    assert (lack.field, lack.en, lack.zh) == (f"answers.{next(iter(changes))}", line, zh)


def test_a_required_field_is_asked_for_and_one_that_the_form_does_not_have_is_refused():
    found = lacks(FORM, {"coolor": 1, "code": "?"})
    assert [(lack.field, lack.en) for lack in found] == [
        ("answers.code", "Fault code: it must match [A-Z][0-9]{1,3}"),
        ("answers.floor", "Floor is missing"),
        ("answers", "the form has no field 'coolor'"),
    ]


def test_answers_that_are_right_go_with_the_request():
    given(*REGISTERS, defined()).when(submit(answers={"floor": 3, "code": "E4"})).then(
        NUMBERED, received(type_version=1, duration_s=3_600, answers='{"code":"E4","floor":3}')
    )


def test_a_request_keeps_the_version_that_it_was_made_with():
    """The next version asks more; who was asked for less is not asked again."""
    more = (*FORM, FormField(name="photo_of", label="What is on the photo", required=True))
    waiting = incomplete("answers.floor: Floor is missing", type_version=1)
    asked = supplement(known_device_id="d-1", answers={"floor": 2})
    registers = (*REGISTERS[1:], defined(), defined(2, form=more))
    _, event = given(*registers, waiting).when(asked).then_types(RequestSupplemented, RequestReceived)
    assert (event.type_version, event.answers) == (1, '{"floor":2}')
    _, newer = given(*registers).when(submit(answers={"floor": 2})).then_types(type(NUMBERED), type(waiting))
    assert (newer.type_version, newer.missing) == (2, ("answers.photo_of: What is on the photo is missing",))


def test_answers_given_before_are_kept_and_those_given_now_go_first():
    waiting = incomplete("answers.floor: Floor is missing", type_version=1)
    asked = supplement(
        known_device_id="d-1", known_answers={"code": "E1", "when": "am"}, answers={"code": "E2", "floor": 1}
    )
    _, event = given(*REGISTERS[1:], defined(), waiting).when(asked).then_types(RequestSupplemented, RequestReceived)
    assert event.answers == '{"code":"E2","floor":1,"when":"am"}'


def test_the_same_answers_again_change_nothing():
    waiting = incomplete("answers.floor: Floor is missing", type_version=1)
    asked = supplement(known_device_id="d-1", known_answers={"code": "E1"}, answers={"code": "E1"})
    given(*REGISTERS[1:], defined(), waiting).when(asked).then_nothing()


def test_the_matrix_makes_the_urgency_of_what_the_customer_said_and_how_far_it_reaches():
    matrix = (UrgencyRule("normal", "high", "critical"), UrgencyRule("high", "low", "normal"))
    kind = defined(form=(), urgency_matrix=matrix)

    def urgency(**said):
        _, event = given(*REGISTERS[1:], kind).when(submit(**said)).then_types(type(NUMBERED), RequestReceived)
        return event.urgency, event.stated_urgency, event.impact

    assert urgency(urgency="normal", impact="high") == ("critical", "normal", "high")
    assert urgency(urgency="high", impact="low") == ("normal", "high", "low")
    assert urgency(urgency="high", impact="high") == ("high", "", "high")


def test_what_follows_from_the_type_goes_with_the_request():
    kind = defined(form=(), kind="inspection", sla="gold", usual_parts=(UsualPart("P-1", 2),), needs_visit=False)
    _, event = given(*REGISTERS[1:], kind).when(submit()).then_types(type(NUMBERED), RequestReceived)
    assert (event.kind, event.sla, event.needs_visit) == ("inspection", "gold", False)
    assert event.usual_parts == (UsualPart("P-1", 2),)


def define(**question):
    return DefineRequestType(type_id="t", name="T", form=(Question(**{"name": "a", "label": "A"} | question),))


@pytest.mark.parametrize(
    "question",
    [
        {"name": "Bad Name"},
        {"kind": "choice"},
        {"choices": [{"value": "x", "label": "X"}]},
        {"kind": "choice", "choices": [{"value": "x", "label": "X"}, {"value": "x", "label": "Y"}]},
        {"kind": "date", "pattern": "x"},
        {"kind": "date", "least": 1},
        {"kind": "integer", "least": 2, "most": 1},
        {"most": -1},
        {"pattern": "[A-"},
        {"pattern": "(a+)+"},
    ],
)
def test_a_field_that_nobody_could_answer_is_refused_and_named(question):
    field = question.get("name", "a")
    given().when(define(**question)).then_rejected("request-type.wrong-field", type_id="t", field=field)


def test_two_fields_of_one_name_are_refused():
    twice = (Question(name="a", label="A"), Question(name="a", label="B"))
    given().when(DefineRequestType(type_id="t", name="T", form=twice)).then_rejected("request-type.wrong-field")


def test_a_pair_stands_in_the_matrix_once():
    cells = tuple([MatrixCell(urgency="low", impact="low", becomes=one) for one in ("low", "high")])
    asked = DefineRequestType(type_id="t", name="T", urgency_matrix=cells)
    given().when(asked).then_rejected("request-type.cell-twice", urgency="low", impact="low")


def test_no_pattern_that_is_taken_keeps_the_writer_waiting():
    assert pattern_fault("(a+)+b") and pattern_fault("a|b") and pattern_fault("a*a*a*a*b")
    slowest = FormField(name="a", label="A", pattern="a*a*a*b")
    assert pattern_fault(slowest.pattern) is None
    before = time.perf_counter()
    assert lacks((slowest,), {"a": "a" * 100})
    assert time.perf_counter() - before < 1
    [lack] = lacks((slowest,), {"a": "a" * 100_000})
    assert lack.en == "A: at most 100 characters"

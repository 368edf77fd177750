"""
The form of a request type: what is asked beside the description, and what is wrong with the answers.

A form is a subset of JSON Schema (draft 2020-12), so that any client can draw it; `schema_of` gives the schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple

import phonenumbers
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from contracts.intake import AskedIf, FieldKind, FormField
from contracts.problems import Rejected

REGION: Final = "CN"
"""Where a phone number without a country code is."""

LONGEST: Final = 1_000
"""Characters of an answer; of one that a pattern is tried on, `LONGEST_MATCHED`."""
LONGEST_MATCHED: Final = 100


class Lack(NamedTuple):
    """A field that is absent or wrong, and what is wrong with it in both languages."""

    field: str
    en: str
    zh: str


def is_phone(text: str) -> bool:
    """Whether the numbering plan of its country has such a number; without a country code, of China."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, REGION))
    except phonenumbers.NumberParseException:
        return False


def _is_phone(value: object) -> bool:
    return not isinstance(value, str) or is_phone(value)


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


_FORMATS: Final = FormatChecker(())
_FORMATS.checks("phone")(_is_phone)
_FORMATS.checks("date", raises=ValueError)(_is_date)


_QUANTIFIER: Final = re.compile(r"[*+?]|\{\d*,\d*\}")


class Why(NamedTuple):
    """Why something cannot be defined, in both languages."""

    en: str
    zh: str

    def facts(self) -> dict[str, str]:
        """As the texts of problems name the two."""
        return {"why": self.en, "why_zh": self.zh}


def pattern_fault(pattern: str) -> Why | None:
    """
    Why a pattern cannot be used, or None.

    Without groups and with three quantifiers at most, upon `LONGEST_MATCHED` characters, none takes long to try: the
    writer decides one request after the other, and a pattern that never ends would keep all of them waiting.
    """
    try:
        re.compile(pattern)
    except re.error as error:
        # The library that tries it speaks English alone.
        return Why(f"it is no regular expression: {error}", f"不是有效的正则表达式：{error}")
    plain = re.sub(r"\\.|\[[^\]]*\]", ".", pattern)
    if "(" in plain or "|" in plain:
        return Why("groups and alternatives are not taken", "不支持分组和多选分支")
    if len(_QUANTIFIER.findall(plain)) > 3:
        return Why("more than three quantifiers are not taken", "最多使用三个量词")
    return None


_OF_KIND: Final[Mapping[FieldKind, Mapping[str, Any]]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "choice": {"type": "string"},
    "choices": {"type": "array", "uniqueItems": True},
    "yes_no": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "phone": {"type": "string", "format": "phone"},
}


def _schema_of_field(field: FormField) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": field.label, "x-title-zh": field.label_zh, **_OF_KIND[field.kind]}
    values = [choice.value for choice in field.choices]
    match field.kind:
        case "choice":
            schema["enum"] = values
        case "choices":
            schema["items"] = {"enum": values}
        case "integer":
            bounds = {"minimum": field.least, "maximum": field.most}
            schema |= {name: bound for name, bound in bounds.items() if bound is not None}
        case "text":
            longest = LONGEST_MATCHED if field.pattern else LONGEST
            most = longest if field.most is None else min(field.most, longest)
            schema |= {"minLength": field.least or 0, "maxLength": most}
            if field.pattern:
                # `pattern` is sought anywhere in the text; what we mean is the whole of it.
                schema["pattern"] = f"^(?:{field.pattern})$"
        case "yes_no" | "date" | "phone":
            pass
    if field.choices:
        labels = {choice.value: [choice.label, choice.label_zh] for choice in field.choices}
        schema["x-labels"] = labels
    return schema


@lru_cache(512)
def schema_of(form: tuple[FormField, ...]) -> Mapping[str, Any]:
    """
    The JSON Schema of the answers. `x-title-zh` and `x-labels` (English, Chinese) are for who draws the form.

    A field that is asked under a condition stands in `allOf` with `if`, `then` and `else`.
    """
    schema: dict[str, Any] = {
        "$schema": Draft202012Validator.META_SCHEMA["$id"],
        "type": "object",
        "properties": {field.name: _schema_of_field(field) for field in form},
        "required": [field.name for field in form if field.required and field.asked_if is None],
        "additionalProperties": False,
    }
    if conditions := [_schema_of_condition(field, field.asked_if) for field in form if field.asked_if is not None]:
        schema["allOf"] = conditions
    return schema


def _schema_of_condition(field: FormField, asked_if: AskedIf) -> dict[str, Any]:
    one_of = {"enum": list(asked_if.values)}
    return {
        # Of a field with several choices, one of them is enough.
        "if": {
            "properties": {asked_if.field: {"anyOf": [one_of, {"type": "array", "contains": one_of}]}},
            "required": [asked_if.field],
        },
        "then": {"required": [field.name] if field.required else []},
        "else": {"properties": {field.name: {"not": {}}}},
    }


@lru_cache(512)
def _validator(form: tuple[FormField, ...]) -> Draft202012Validator:
    return Draft202012Validator(schema_of(form), format_checker=_FORMATS)


def lacks(form: tuple[FormField, ...], answers: Mapping[str, Any]) -> list[Lack]:
    """What is missing or wrong, in the order of the form; for each field the first thing only."""
    if not form and not answers:
        return []
    found: dict[str, Lack] = {}
    tried = dict(answers)
    for field in form:
        # The schema says so too, but tries the pattern all the same.
        if field.pattern and len(str(answers.get(field.name, ""))) > LONGEST_MATCHED:
            tried[field.name] = ""
            en, zh = _words(field, "maxLength")
            found[f"answers.{field.name}"] = Lack(
                f"answers.{field.name}", f"{field.label}: {en}", f"{_zh(field)}：{zh}"
            )
    for error in _validator(form).iter_errors(tried):
        for lack in _told(form, error):
            found.setdefault(lack.field, lack)
    order = {f"answers.{field.name}": place for place, field in enumerate(form)}
    return sorted(found.values(), key=lambda lack: (order.get(lack.field, len(order)), lack.field))


def _told(form: Sequence[FormField], error: ValidationError) -> list[Lack]:
    by_name = {field.name: field for field in form}
    given: Any = error.instance
    if error.validator == "required":
        absent = [by_name[name] for name in error.validator_value if name not in given]
        return [Lack(f"answers.{one.name}", f"{one.label} is missing", f"请填写{_zh(one)}") for one in absent]
    if error.validator == "additionalProperties":
        strange = ", ".join([repr(name) for name in sorted(given.keys() - by_name.keys())])
        return [Lack("answers", f"the form has no field {strange}", f"表单没有字段 {strange}")]
    field = by_name[str(error.absolute_path[0])]
    en, zh = _words(field, str(error.validator))
    return [Lack(f"answers.{field.name}", f"{field.label}: {en}", f"{_zh(field)}：{zh}")]


def _words(field: FormField, keyword: str) -> tuple[str, str]:
    match keyword:
        case "not":
            return "it is not asked here; leave it out", "此处无需填写，请删除"
        case "enum":
            values = ", ".join([choice.value for choice in field.choices])
            return f"choose of {values}", f"请从以下选项中选择：{values}"
        case "minimum" | "minLength":
            return f"at least {field.least}{_unit(field)}", f"至少 {field.least}{_unit_zh(field)}"
        case "maximum":
            return f"at most {field.most}", f"最多 {field.most}"
        case "maxLength":
            most = _schema_of_field(field)["maxLength"]
            return f"at most {most} characters", f"最多 {most} 个字符"
        case "pattern":
            return f"it must match {field.pattern}", f"格式须为 {field.pattern}"
        case "format" if field.kind == "phone":
            return "this is no phone number that exists", "电话号码无效"
        case "format":
            return "a date such as 2026-11-24", "日期格式如 2026-11-24"
        case "uniqueItems":
            return "each once", "选项不可重复"
        case _:
            return f"it must be {_TAKES[field.kind][0]}", f"须为{_TAKES[field.kind][1]}"


_TAKES: Final[Mapping[FieldKind, tuple[str, str]]] = {
    "text": ("a text", "文本"),
    "integer": ("a whole number", "整数"),
    "choice": ("one of the choices", "选项之一"),
    "choices": ("a list of choices", "选项列表"),
    "yes_no": ("true or false", "是或否"),
    "date": ("a date such as 2026-11-24", "日期，如 2026-11-24"),
    "phone": ("a phone number", "电话号码"),
}


def _unit(field: FormField) -> str:
    return " characters" if field.kind == "text" else ""


def _unit_zh(field: FormField) -> str:
    return " 个字符" if field.kind == "text" else ""


def _zh(field: FormField) -> str:
    return field.label_zh or field.label


def judge(type_id: str, form: Sequence[FormField]) -> None:
    """Raise Rejected for a form that cannot be answered, naming the field and what is wrong with it."""
    seen: set[str] = set()
    for field in form:
        if fault := _fault(field, seen) or _fault_of_condition(field, form, seen):
            raise Rejected("request-type.wrong-field", type_id=type_id, field=field.name, **fault.facts())
        seen.add(field.name)


def fault_said(form: Sequence[FormField], answers: Mapping[str, Any]) -> str:
    """The fault class that the answers name, or the empty string."""
    return next((str(answers[field.name]) for field in form if field.says_fault and field.name in answers), "")


def _fault_of_condition(field: FormField, form: Sequence[FormField], seen: set[str]) -> Why | None:
    if field.says_fault and (field.kind != "choice" or sum(one.says_fault for one in form) > 1):
        return Why(
            "one field of the kind choice says the fault, and no other", "只能有一个单选（choice）字段用于表示故障"
        )
    if field.asked_if is None:
        return None
    if field.asked_if.field not in seen:
        before = field.asked_if.field
        return Why(
            f"it is asked by the answer to {before!r}, which must stand before it",
            f"其提问条件字段 {before!r} 须排在它之前",
        )
    other = next(one for one in form if one.name == field.asked_if.field)
    known = {choice.value for choice in other.choices} if other.choices else None
    if not field.asked_if.values:
        return Why("it names no answer by which it is asked", "未说明在哪些回答下提问")
    if known is not None and not known.issuperset(field.asked_if.values):
        return Why(f"{other.name!r} has no such choice", f"{other.name!r} 没有该选项")
    return None


def _fault(field: FormField, seen: set[str]) -> Why | None:
    values = [choice.value for choice in field.choices]
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", field.name):
        return Why(
            "its name must be lower case letters, digits and _, at most 60",
            "字段名只能用小写字母、数字和下划线，最多 60 个字符",
        )
    if field.name in seen:
        return Why("another field has this name", "与其他字段重名")
    if not field.label.strip():
        return Why("it has no label", "缺少标签（label）")
    if (field.kind in ("choice", "choices")) != bool(values):
        return Why(
            "choice and choices need choices, and other kinds have none",
            "choice 和 choices 须有选项，其他类型不能有选项",
        )
    if len(set(values)) != len(values) or "" in values:
        return Why("its choices must have values that differ", "各选项的值须非空且互不相同")
    if field.pattern and field.kind != "text":
        return Why("only a text has a pattern", "只有 text 可以设置格式（pattern）")
    if (field.least is not None or field.most is not None) and field.kind not in ("text", "integer"):
        return Why("only a text and an integer have bounds", "只有 text 和 integer 可以设置上下限")
    if field.least is not None and field.most is not None and field.least > field.most:
        return Why("its least is more than its most", "下限（least）大于上限（most）")
    if field.kind == "text" and any(bound is not None and bound < 0 for bound in (field.least, field.most)):
        return Why("a text has no negative length", "文本长度不能为负数")
    return pattern_fault(field.pattern) if field.pattern else None

"""Refusals as RFC 9457 problem details: what is wrong, with which field, and what to do, in the caller's language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
import structlog
import yaml
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contracts.problems import Rejected, Unfit
from services.chassis.auth import Unauthenticated
from services.chassis.http import rule_names
from services.chassis.journal.store import LostLease, NotCommitted
from services.chassis.journal.work import Stopped
from services.chassis.readers.viewstore import StoreAway

MEDIA_TYPE: Final = "application/problem+json"
RETRY: Final = "Fieldloop-Retry"
"""
On a 503: `not-holder` when another process may write now, `in-doubt` when nobody knows whether it was recorded,
`store-away` when the database cannot be reached.
"""

LANGUAGES: Final = ("en", "zh")

Facts = Mapping[str, Any]

log = structlog.get_logger()


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a problem in one language; `{name}` is replaced by the fact of that name."""

    title: str
    detail: str = ""
    remedy: str = ""


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of contracts/problem_texts.yaml."""

    en: Words
    zh: Words
    status: int = 409
    field: str = ""
    """What of the call is wrong: a field of its body by its way, a parameter, a header, or `body` for the whole."""


class FieldProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    field: str
    problem: str
    remedy: str = ""


class Problem(Exception):
    """
    The edge refuses a call: `raise Problem("photo.too-large", limit_mib=10)`.

    For what the edge itself judges; a rule of the domain raises Rejected. Both find status and words by their code in
    contracts/problem_texts.yaml.
    """

    def __init__(self, code: str, headers: Mapping[str, str] | None = None, **facts: str | int | list[str]) -> None:
        super().__init__(code)
        self.code, self.facts, self.headers = code, facts, dict(headers or {})


def absent(kind: str, id: str) -> Problem:
    """What the caller named is not there, or not theirs to see; which of the two is not said."""
    return Problem("resource.absent", kind=kind, id=id)


@cache
def texts() -> Mapping[str, Text]:
    """Every code with its status and words."""
    raw = yaml.safe_load(files("contracts").joinpath("problem_texts.yaml").read_text(encoding="utf-8"))
    return msgspec.convert(raw, dict[str, Text])


def language(accept: str) -> str:
    """
    The language of ours that an Accept-Language header likes best (RFC 9110, 12.5.4); English where it likes none.

    Of two that it likes as much, the one that it names, or names first; `*` stands for those that it does not name.
    """
    liked: dict[str, float] = {}
    for part in accept.split(",")[:_RANGES]:
        said = _RANGE.fullmatch(part.strip().lower())
        if said and said["tag"] in (*LANGUAGES, "*"):
            quality = float(said["q"] or 1)
            # What is said of `zh-Hans` and `zh-CN` is said of the Chinese that we speak.
            liked[said["tag"]] = max(quality, liked.get(said["tag"], 0.0))
    others = liked.pop("*", 0.0)
    ranked = [*liked.items(), *[(spoken, others) for spoken in LANGUAGES if spoken not in liked]]
    best, quality = max(ranked, key=lambda one: one[1])
    return best if quality else "en"


_RANGE: Final = re.compile(
    r"(?P<tag>\*|[a-z]{1,8})(-[a-z0-9]{1,8})*\s*(;\s*q=(?P<q>0(\.[0-9]{0,3})?|1(\.0{0,3})?)\s*)?"
)
_RANGES: Final = 50
"""Of a longer header, the rest is not read."""


class _Said(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "?"


def _fill(words: str, facts: Facts) -> str:
    if "{" not in words:
        return words
    return words.format_map(_Said({k: ", ".join(v) if isinstance(v, list) else v for k, v in facts.items()}))


def said(code: str, facts: Facts, spoken: str) -> dict[str, Any]:
    """What is said of a problem in that language: the body of its response, or of one item of a batch."""
    text = texts().get(code)
    if text is None:
        # A test asks a row of every code that is raised; a caller must not pay for one that slipped through.
        log.warning("problem_without_text", code=code)
        text = texts()["command.refused"]
        facts = {"code": code, **facts}
    words = text.zh if spoken == "zh" else text.en
    read = dict(facts)
    for name in {"rule", "rules"} & facts.keys():
        read[name] = rule_names.named(str(facts[name]), spoken)
    body: dict[str, Any] = {
        "type": f"urn:fieldloop:problem:{code}",
        "title": _fill(words.title, read),
        "status": text.status,
        "detail": _fill(words.detail, read),
        "remedy": _fill(words.remedy, read),
        "code": code,
    }
    if facts:
        body["facts"] = facts
    if text.field:
        named = FieldProblem(_fill(text.field, facts), body["title"], body["remedy"])
        body["errors"] = [msgspec.to_builtins(named)]
    return body


def problem(
    request: Request,
    code: str,
    facts: Facts,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[FieldProblem] = (),
) -> Response:
    """The response that says it."""
    spoken = language(request.headers.get("accept-language", ""))
    body = said(code, facts, spoken)
    if errors:
        body["errors"] = errors
    return Response(
        msgspec.json.encode(body),
        status_code=body["status"],
        media_type=MEDIA_TYPE,
        headers={"Content-Language": spoken, "Vary": "Accept-Language", **(headers or {})},
    )


def install(app: FastAPI) -> None:
    """Let the app answer every refusal as a problem."""
    handlers: Mapping[type[Exception], Any] = {
        Rejected: _rejected,
        Problem: _problem,
        Unauthenticated: _unauthenticated,
        RequestValidationError: _invalid,
        HTTPException: _http,
        Stopped: _not_holder,
        LostLease: _not_holder,
        NotCommitted: _in_doubt,
        StoreAway: _store_away,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _rejected(request: Request, error: Rejected) -> Response:
    headers = {"ETag": f'"{error.facts["current"]}"'} if error.code == "stream.stale" else None
    return problem(request, error.code, error.facts, headers=headers)


async def _problem(request: Request, error: Problem) -> Response:
    return problem(request, error.code, error.facts, headers=error.headers)


async def _unauthenticated(request: Request, error: Unauthenticated) -> Response:
    log.info("unauthenticated", reason=str(error), path=request.url.path)
    return problem(request, "token.missing-or-bad", {}, headers={"WWW-Authenticate": 'Bearer realm="fieldloop"'})


async def _not_holder(request: Request, error: Exception) -> Response:
    return problem(request, "service.moving", {}, headers={"Retry-After": "1", RETRY: "not-holder"})


async def _in_doubt(request: Request, error: Exception) -> Response:
    return problem(request, "service.in-doubt", {}, headers={"Retry-After": "1", RETRY: "in-doubt"})


async def _store_away(request: Request, error: Exception) -> Response:
    log.warning("store_away", path=request.url.path, reason=str(error))
    return problem(request, "store.away", {}, headers={"Retry-After": "1", RETRY: "store-away"})


_OF_STATUS: Final = {
    400: "request.unreadable",
    404: "route.absent",
    405: "method.not-allowed",
    413: "body.too-large",
}


async def _http(request: Request, error: HTTPException) -> Response:
    code = _OF_STATUS.get(error.status_code, "request.refused" if error.status_code < 500 else "server.failed")
    # FastAPI says no more of a body that it cannot read than what stopped it.
    if isinstance(error.__cause__, RecursionError):
        code = "body.too-deep"
    facts = {"method": request.method} if error.status_code == 405 else {}
    return problem(request, code, facts, headers=error.headers)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    spoken = language(request.headers.get("accept-language", ""))
    found = [_field_problem(one, error.body, spoken) for one in error.errors()[:50]]
    # A field that may be one thing or another is refused as each of them; the first says it.
    errors = list({one.field: one for one in reversed(found)}.values())[::-1]
    return problem(request, "body.invalid", {"fields": [one.field for one in errors]}, errors=errors)


def fields_said(errors: Sequence[Mapping[str, Any]], spoken: str) -> str:
    """What pydantic found in one item of many, in one line: each field and what is wrong with it."""
    told = [_field_problem({**one, "loc": ("item", *one["loc"])}, None, spoken) for one in errors]
    return "; ".join([f"{one.field}: {one.problem}" for one in told])


def _way(error: Mapping[str, Any], body: Any) -> str:
    """
    The field as its sender knows it: `steps[0].place.lat_udeg`; empty for the whole.

    Between the names that were sent, pydantic puts those of the kinds that it tried a value as.
    """
    where, *path = error["loc"]
    if error["type"] == "json_invalid":
        return ""
    field, at = "", body if where == "body" else dict.fromkeys(path)
    for number, step in enumerate(path):
        if isinstance(step, int):
            field += f"[{step}]"
            at = at[step] if isinstance(at, list) and step < len(at) else None
        elif isinstance(at, Mapping) and (step in at or (error["type"] == "missing" and number == len(path) - 1)):
            field += f".{step}" if field else step
            at = at.get(step)
    # What kind a value is, one of its own fields says.
    kind = str(error.get("ctx", {}).get("discriminator", "")).strip("'")
    return f"{field}.{kind}".lstrip(".") if kind else field


def _field_problem(error: Mapping[str, Any], body: Any, spoken: str) -> FieldProblem:
    where = str(error["loc"][0])
    field = _way(error, body) or where
    rule = error.get("ctx", {}).get("error")
    if isinstance(rule, Unfit):
        told = rule.zh if spoken == "zh" else rule.en
        whole = f"{field}.{rule.field}" if field and field != where else rule.field
        return FieldProblem(whole if rule.field else field, told, _CORRECT[spoken])
    said = str(error["msg"])
    for kind, (en, zh) in _REMEDIES.items():
        if re.fullmatch(kind, error["type"]):
            words = zh if spoken == "zh" else en
            facts = {
                name: value for name, value in error.get("ctx", {}).items() if isinstance(value, str | int | float)
            }
            return FieldProblem(field, _fill(words.title, facts) or said, _fill(words.remedy, facts))
    return FieldProblem(field, f"内容有误（{said}）。" if spoken == "zh" else said, _CORRECT[spoken])


_CORRECT: Final = {"en": "Correct this field.", "zh": "请更正此字段。"}

_REMEDIES: Final = {
    "missing": (
        Words("It is missing.", remedy="Give this field."),
        Words("缺少此字段。", remedy="请填写此字段。"),
    ),
    "extra_forbidden": (
        Words("It is not known here.", remedy="Leave this field out; /docs lists those that are known."),
        Words("此处没有这个字段。", remedy="请删除此字段；/docs 列出了可用字段。"),
    ),
    "json_invalid|model_attributes_type|dict_type": (
        Words("It is not a JSON object.", remedy="Send one JSON object as application/json."),
        Words("内容不是 JSON 对象。", remedy="请以 application/json 发送一个 JSON 对象。"),
    ),
    "(string|int|float|bool|list|tuple|bytes|decimal)_(type|parsing)|int_from_float|finite_number": (
        Words("", remedy="Send a value of this type."),
        Words("类型不对。", remedy="请按要求的类型填写。"),
    ),
    "union_tag_invalid": (
        Words("It is none of: {expected_tags}.", remedy="Use one of these values."),
        Words("只能是：{expected_tags}。", remedy="请从中选择一个值。"),
    ),
    "union_tag_not_found": (
        Words("It lacks {discriminator}, which says what it is.", remedy="Give this field."),
        Words("缺少表明类型的 {discriminator}。", remedy="请填写此字段。"),
    ),
    "int_parsing_size": (
        Words("It is too large.", remedy="Give a smaller number."),
        Words("数值太大。", remedy="请填写较小的数值。"),
    ),
    "literal_error|enum": (
        Words("It is none of: {expected}.", remedy="Use one of these values."),
        Words("只能是：{expected}。", remedy="请从中选择一个值。"),
    ),
    "string_too_short|too_short": (
        Words("It is too short.", remedy="Give at least {min_length}."),
        Words("内容太短。", remedy="至少 {min_length}。"),
    ),
    "string_too_long|too_long": (
        Words("It is too long.", remedy="Give at most {max_length}."),
        Words("内容太长。", remedy="最多 {max_length}。"),
    ),
    "greater_than_equal": (
        Words("It is too small.", remedy="Give {ge} or more."),
        Words("数值太小。", remedy="不得小于 {ge}。"),
    ),
    "greater_than": (
        Words("It is too small.", remedy="Give more than {gt}."),
        Words("数值太小。", remedy="必须大于 {gt}。"),
    ),
    "less_than_equal": (
        Words("It is too large.", remedy="Give {le} or less."),
        Words("数值太大。", remedy="不得大于 {le}。"),
    ),
    "less_than": (
        Words("It is too large.", remedy="Give less than {lt}."),
        Words("数值太大。", remedy="必须小于 {lt}。"),
    ),
    "(date|time|datetime).*|timezone_.*": (
        Words("", remedy="Send a time as 2026-11-24T09:00:00+08:00, with its zone."),
        Words("时间格式不对。", remedy="请使用带时区的时间，例如 2026-11-24T09:00:00+08:00。"),
    ),
    "string_pattern_mismatch": (
        Words("It does not have the right form.", remedy="Give text of the form {pattern}."),
        Words("格式不对。", remedy="格式应为 {pattern}。"),
    ),
}
"""By pydantic's type of error; an empty problem keeps pydantic's own words."""

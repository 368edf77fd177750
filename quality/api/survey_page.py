"""
The page that a survey's link opens: a form in Chinese and English that needs no account and no script.

Whoever holds the link may answer once. The page has its style within it and loads nothing, so it works on any phone.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from html import escape
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from sqlalchemy import select

from contracts.problems import Rejected
from contracts.quality import SURVEY_LINK
from quality.commands import AnswerSurvey
from quality.projections.surveys import SURVEYS
from services.chassis.clock import TENANT_ZONE, at_micros
from services.chassis.http import Call, Problem, ServiceRouter, public
from services.chassis.service import Api

QUESTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "attitude": ("服务态度", "Attitude"),
    "outcome": ("解决效果", "Result"),
    "punctuality": ("上门时效", "Punctuality"),
}
STARS: Final = {1: "很差 very bad", 2: "较差 bad", 3: "一般 fair", 4: "满意 good", 5: "很满意 very good"}
COMMENT: Final = 2_000

STYLE: Final = """
*{box-sizing:border-box}
body{margin:0;background:#f4f5f7;color:#1c2430;font:17px/1.5 -apple-system,"PingFang SC","Noto Sans CJK SC",
"Microsoft YaHei",sans-serif}
main{max-width:34rem;margin:0 auto;padding:1.25rem 1rem 3rem}
h1{font-size:1.4rem;line-height:1.3;margin:.5rem 0 .25rem}
small,.en{color:#5a6575;font-size:.85em}
fieldset,.box{border:0;background:#fff;border-radius:.75rem;margin:1rem 0;padding:1rem;min-width:0}
legend{float:left;width:100%;padding:0;font-weight:600;margin-bottom:.6rem}
.row{clear:both;display:flex;gap:.4rem}
.row label{flex:1;position:relative;min-width:0}
.row input{position:absolute;opacity:0;width:100%;height:100%;margin:0}
.row span{display:block;text-align:center;border:1px solid #b8c1cc;border-radius:.5rem;padding:.6rem 0;background:#fff}
.row input:checked+span{background:#0b5cad;border-color:#0b5cad;color:#fff;font-weight:600}
.row input:focus-visible+span{outline:3px solid #f0a500;outline-offset:2px}
.ends{display:flex;justify-content:space-between;margin-top:.35rem}
select,textarea{width:100%;font:inherit;padding:.6rem;border:1px solid #b8c1cc;border-radius:.5rem;background:#fff;
color:inherit}
button{width:100%;font:inherit;font-weight:600;padding:.8rem;border:0;border-radius:.5rem;background:#0b5cad;color:#fff}
.wrong{color:#a3160f;font-weight:600}
fieldset.lacks{outline:2px solid #a3160f}
"""

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

LinkText = Annotated[str, Query(max_length=4_096)]

TOLD: Final[Mapping[str, tuple[int, str, str]]] = {
    "thanks": (200, "感谢您的评价", "Thank you. Your answer is kept."),
    "survey.link-used": (
        410,
        "该链接已使用，您的评价已收到，谢谢",
        "This link is used up: we have your answer. Thank you.",
    ),
    "survey.expired": (410, "评价已截止，感谢您的关注", "The time for an answer is over. Thank you all the same."),
    "absent": (
        404,
        "该链接无法打开，请检查是否完整复制",
        "This link opens nothing. Please check that you have the whole of it.",
    ),
}
"""What is said where there is no form: the status, and the words."""

FORM: Final = {
    "type": "object",
    "properties": {
        **{name: {"type": "integer", "minimum": 1, "maximum": 5} for name in QUESTIONS},
        "recommends": {"type": "integer", "minimum": 0, "maximum": 10},
        "comment": {"type": "string", "maxLength": COMMENT},
    },
}
PAGES: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "A page that says why, or the form with what is missing marked",
        "content": {
            "text/html": {"schema": {"type": "string"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    }
}


def survey_page_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/surveys", tags=["surveys"])

    @router.get("/page", summary="The page that a survey's link opens", response_class=HTMLResponse, responses=PAGES)
    async def opened(call: Call = public(), link: LinkText = "") -> Response:
        try:
            return _form(await _waiting(call, link), {}, [])
        except (Rejected, Problem) as no:
            return _told(no.code)

    @router.post(
        "/page",
        summary="What that page's form sends",
        response_class=HTMLResponse,
        responses=PAGES,
        openapi_extra={"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": FORM}}}},
    )
    async def answered(call: Call = public(), link: LinkText = "") -> Response:
        sent = _fields(await call.body())
        try:
            row = await _waiting(call, link)
            held, survey_id = call.by_link(SURVEY_LINK, link)
            try:
                asked = AnswerSurvey(survey_id=survey_id, came_by="link", now=call.now, **_said(sent))
            except ValidationError as error:
                return _form(row, sent, [str(one["loc"][0]) for one in error.errors()], status=422)
            await held.ask(asked)
        except (Rejected, Problem) as no:
            return _told(no.code)
        return _told("thanks")

    return router


async def _waiting(call: Call, link: str) -> Mapping[str, Any]:
    """The survey that waits for this link's answer. Raises Rejected or Problem where none does."""
    held, survey_id = call.by_link(SURVEY_LINK, link)
    row = await held.one(select(SURVEYS.table).where(SURVEYS.table.c.survey_id == survey_id))
    if row is None or row["skipped"]:
        raise Problem("resource.absent", kind="survey", id=survey_id)
    if row["answered_at"] is not None:
        raise Rejected("survey.link-used", survey_id=survey_id, answered_at=at_micros(row["answered_at"]).isoformat())
    if call.now > at_micros(row["expires_at"]):
        raise Rejected("survey.expired", survey_id=survey_id, expired_at=at_micros(row["expires_at"]).isoformat())
    return row


def _fields(body: bytes) -> dict[str, str]:
    """What a browser sends of a form, the last word on each field; nothing of what no browser sends. No NUL is kept."""
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="replace", max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[-1].replace("\0", "").replace("\r\n", "\n") for name, values in found.items()}


def _said(sent: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {name: sent.get(name) for name in QUESTIONS}
    return said | {"recommends": sent.get("recommends") or None, "comment": sent.get("comment", "")}


def _page(status: int, title: str, body: str) -> Response:
    whole = (
        '<!doctype html><html lang="zh"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    return Response(whole, status, {"Content-Security-Policy": POLICY}, "text/html; charset=utf-8")


def _told(code: str) -> Response:
    status, zh, en = TOLD.get(code, TOLD["absent"])
    return _page(status, zh, f'<div class="box"><h1>{zh}</h1><p class="en" lang="en">{en}</p></div>')


def _form(row: Mapping[str, Any], sent: Mapping[str, str], lacking: list[str], status: int = 200) -> Response:
    until = _day(at_micros(row["expires_at"]))
    wrong = (
        '<p class="wrong" role="alert">请完成标红的项目。 <span lang="en">Please complete what is marked.</span></p>'
        if lacking
        else ""
    )
    questions = "".join(_question(name, sent, name in lacking) for name in QUESTIONS)
    body = f"""<h1>请评价本次服务</h1><p class="en" lang="en">How was the service?</p>
<p><small>请于 {until} 前提交，链接只能使用一次。
<span lang="en">Please answer by {until}; the link works once.</span></small></p>
{wrong}<form method="post">{questions}{_recommends(sent, "recommends" in lacking)}{_comment(sent, "comment" in lacking)}
<button>提交 Submit</button></form>"""
    return _page(status, "服务评价 Survey", body)


def _day(at: datetime) -> str:
    return f"{at.astimezone(TENANT_ZONE):%Y-%m-%d %H:%M}"


def _legend(zh: str, en: str) -> str:
    return f'<legend>{zh} <span class="en" lang="en">{en}</span></legend>'


def _question(name: str, sent: Mapping[str, str], lacks: bool) -> str:
    choices = "".join(
        f'<label><input type="radio" name="{name}" value="{n}" aria-label="{n} {words}" required'
        f"{' checked' if sent.get(name) == str(n) else ''}><span>{n}</span></label>"
        for n, words in STARS.items()
    )
    ends = f'<div class="ends"><small>{STARS[1]}</small><small>{STARS[5]}</small></div>'
    marked = ' class="lacks"' if lacks else ""
    return f'<fieldset{marked}>{_legend(*QUESTIONS[name])}<div class="row">{choices}</div>{ends}</fieldset>'


def _recommends(sent: Mapping[str, str], lacks: bool) -> str:
    said = sent.get("recommends", "")
    named = {0: "0 完全不会 not at all", 10: "10 一定会 certainly"}
    options = "".join(
        f'<option value="{n}"{" selected" if said == str(n) else ""}>{named.get(n, n)}</option>' for n in range(11)
    )
    legend = _legend("您会向他人推荐我们吗？（可不填）", "Would you recommend us? May be left out.")
    marked = ' class="lacks"' if lacks else ""
    field = (
        f'<select name="recommends" aria-label="推荐意愿 Would you recommend us"><option value="">—</option>{options}'
    )
    return f'<fieldset{marked}>{legend}<div class="row">{field}</select></div></fieldset>'


def _comment(sent: Mapping[str, str], lacks: bool) -> str:
    legend = _legend("其他意见（可不填）", "Anything else? May be left out.")
    marked = ' class="lacks"' if lacks else ""
    field = f'<textarea name="comment" rows="4" maxlength="{COMMENT}" aria-label="其他意见 Comment">'
    written = escape(sent.get("comment", "")[:COMMENT])
    return f'<fieldset{marked}>{legend}<div class="row">{field}{written}</textarea></div></fieldset>'

"""
Calls that nobody would make, drawn from the OpenAPI document: whatever comes, the answer is one that is declared.

A body begins as one that the schema takes, and is then bent. Budget: half a minute, some two thousand calls.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.chassis.http import route_roles
from services.demo.people import PICTURE
from tests.rules.world import World, running

BUDGET_S = 60.0
EXAMPLES = 250
"""Of each command; a query gets a quarter."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("fuzz")) as world:
        yield world


@pytest.fixture(scope="module")
def document(world: World) -> Mapping[str, Any]:
    found: Mapping[str, Any] = world.app.openapi()
    return found


# Values.

NASTY = (
    "",
    " ",
    "\0",
    "\ud800",
    "a\udfffb",
    "\u2028",
    "\x7f\x1b[31m",
    "\r\nX-Header: 1",
    "../../etc/passwd",
    "a/b",
    "%00",
    "%",
    "'; DROP TABLE orders; --",
    "sealed:",
    "sealed:v1:x:y",
    "{id}",
    "{0.__class__}",
    "<script>alert(1)</script>",
    "ﷺ" * 30,
    "x" * 99,
    "x" * 300,
    "x" * 60_000,
    "NaN",
    "true",
    "null",
    "-1",
    "9" * 30,
    "Asia",
    "Asia/Shanghai",
    "one",
    "two",
    "repair",
    "D-one-refrigeration",
    "P-laundry",
    "WH",
    "OrderQueued",
)
TIMES = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59Z",
    "2024-02-29T12:00:00+00:00",
    "2026-03-29T02:30:00+01:00",
    "2026-11-24T12:00:00+23:59",
    "2026-11-24T24:00:00Z",
    "2026-11-24T12:00:60Z",
    "2026-11-24",
    "2026-11-24T12:00:00",
    "0",
    "1e300",
    "-1e20",
)
DATES = ("0001-01-01", "9999-12-31", "1900-01-01", "9000-12-31", "2024-02-29", "2023-02-29", "2026-11-24", "0", "-1")
NUMBERS = (0, 1, -1, 5, 59, 1440, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 0.5, 1e308, -0.0)

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=40))
times = st.one_of(st.sampled_from(TIMES), st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()))
dates = st.one_of(st.sampled_from(DATES), st.dates().map(lambda day: day.isoformat()))
numbers = st.one_of(st.sampled_from(NUMBERS), st.integers(-10, 2_000))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts, times),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


def values(schema: Mapping[str, Any], document: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """What this schema of FastAPI's takes, and now and then what it does not."""
    return st.integers(0, 11).flatmap(lambda n: anything if n == 0 else fitting(schema, document))


def fitting(schema: Mapping[str, Any], document: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if ref := schema.get("$ref"):
        found: Any = document
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]
        return fitting(found, document)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return st.one_of([values(one, document) for one in schema[several]])
    return _of_type(schema, document)


def _of_type(schema: Mapping[str, Any], document: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        fields = {name: values(one, document) for name, one in schema["properties"].items()}
        needed = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: one for name, one in fields.items() if name in needed},
            optional={name: one for name, one in fields.items() if name not in needed},
        )
    if kind == "object":
        return st.dictionaries(texts, anything, max_size=4)
    if kind == "array":
        return st.lists(values(schema.get("items", {}), document), min_size=schema.get("minItems", 0), max_size=3)
    if kind in ("integer", "number"):
        low = max(schema.get("minimum", schema.get("exclusiveMinimum", -10) + 1), -(10**9))
        high = min(schema.get("maximum", schema.get("exclusiveMaximum", 10**9 + 1) - 1), 10**9)
        return st.one_of(st.integers(low, max(low, high)), numbers)
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    if kind == "string":
        return _text(schema)
    return anything


def _text(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if schema.get("format") == "date-time":
        return times
    if schema.get("format") == "date":
        return dates
    long = st.text(min_size=schema.get("minLength", 0), max_size=max(schema.get("minLength", 0), 12))
    if pattern := schema.get("pattern"):
        return st.one_of(st.from_regex(re.compile(pattern), fullmatch=True), texts)
    return st.one_of(long, texts, st.sampled_from(schema.get("examples", ["x"])))


# Calls.


class Drawn(NamedTuple):
    """A call that can be printed and made again."""

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: dict[str, str]
    content: bytes | None
    role: str
    person: str


HEADERS: Mapping[str, st.SearchStrategy[str]] = {
    "Idempotency-Key": st.sampled_from(["k", "k1", "", '"k"', "a b", "x" * 201]),
    "If-Match": st.sampled_from(['"1"', '"2"', "*", "W/1", '"-1"', '"' + "9" * 19 + '"', "١"]),
    "Accept-Language": st.sampled_from(["zh", "en", "zh;q=x", "*", ";;;,,,", "de"]),
    "Fieldloop-Channel": st.sampled_from(["hotline", "pigeon", ""]),
    "Fieldloop-Position": st.sampled_from(["intake;1", "intake;x", ";;", "intake;" + "9" * 19, "x" * 200]),
    "traceparent": st.sampled_from([f"00-{'1' * 32}-{'2' * 16}-01", "00-0-0-0", "x"]),
    "Last-Event-ID": st.sampled_from(["", "x", "MS4y", "MS4" + "5" * 40]),
}


def calls(world: World, document: Mapping[str, Any], method: str, path: str) -> st.SearchStrategy[Drawn]:
    operation = document["paths"][path][method.lower()]
    params = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"}
    contents = operation.get("requestBody", {}).get("content", {})
    roles = sorted(route_roles(world.app)[method, path] - {"public"}) or ["agent"]
    known = {value for firm in world.firms.values() for story in firm.stories.values() for value in story}
    mine = st.sampled_from(sorted(world.demo.stories["one"]) + sorted(world.demo.stories["two"]))
    of_name = {
        name: st.sampled_from([getattr(world.demo.stories[one], field) for one in ("one", "two") for field in fields])
        for name, fields in {
            "order_id": ("order_id", "waiting_id", "assigned_id"),
            "visit_id": ("visit_id", "planned_id"),
            "request_id": ("request_id", "incomplete_id"),
            "customer_id": ("customer_id",),
            "device_id": ("device_id",),
            "engineer_id": ("engineer_id",),
            "survey_id": ("survey_id",),
            "photo_id": ("photo_id",),
        }.items()
    } | {"name": st.sampled_from(["efficiency", "quality", "utilisation", "incident-kpis"]), "type_id": st.just("repair")}
    assert known

    @st.composite
    def draw_one(draw: st.DrawFn) -> Drawn:
        given = path
        for name in re.findall(r"\{(\w+)\}", path):
            value = draw(st.one_of(of_name[name], of_name[name], of_name[name], mine, texts))
            # An empty part, or one of dots, is another address.
            value = value.encode("utf-8", "surrogatepass")[:2_000] or b"-"
            given = given.replace(f"{{{name}}}", quote(value, safe="").replace(".", "%2E"))
        asked: list[tuple[str, str]] = []
        for name, one in params.items():
            if one.get("required") or draw(st.booleans()):
                value = draw(st.one_of(values(one["schema"], document), of_name.get(name, texts)))
                for part in value if isinstance(value, list) else [value]:
                    asked.append((name, part if isinstance(part, str) else json.dumps(part)))
        asked = [(name, value.encode("utf-8", "replace").decode()[:2_000]) for name, value in asked]
        headers = {name: draw(one) for name, one in HEADERS.items() if draw(st.integers(0, 5)) == 0}
        content = draw(body(contents, document)) if contents else draw(st.sampled_from([None, None, b"{}", b"x"]))
        if contents:
            headers["Content-Type"] = draw(
                st.sampled_from(["application/json"] * 8 + ["text/plain", "", "application/json; charset=utf-7"])
            )
        role = draw(st.sampled_from(roles))
        return Drawn(method, given, asked, headers, content, role, draw(st.sampled_from(["one", "two"])))

    return draw_one()


def body(contents: Mapping[str, Any], document: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    broken = st.sampled_from([b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"a":1e999}', b"[" * 5_000, b'{"\\ud800":1}'])
    if "application/json" not in contents:
        pictures = st.sampled_from([PICTURE, PICTURE[:20], b"\xff\xd8\xff", b"RIFF0000WEBPVP8 ", b"<svg/>"])
        return st.one_of(pictures, st.binary(max_size=60), broken)
    schema = contents["application/json"]["schema"]
    good = values(schema, document).map(lambda value: json.dumps(value, ensure_ascii=True).encode())
    extra = st.tuples(values(schema, document), texts, anything).map(
        lambda all: json.dumps({**all[0], all[1]: all[2]} if isinstance(all[0], dict) else all[0]).encode()
    )
    return st.one_of(good, good, good, good, extra, broken)


def declared(document: Mapping[str, Any], method: str, path: str, answer: httpx.Response) -> str:
    """What is wrong with this answer; nothing if it is one that the document declares."""
    if answer.status_code >= 500:
        return f"{answer.status_code}: {answer.text[:300]}"
    responses = document["paths"][path][method.lower()]["responses"]
    found = responses.get(str(answer.status_code)) or responses.get(f"{answer.status_code // 100}XX")
    if found is None:
        return f"{answer.status_code} is not declared"
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind not in found.get("content", {}):
        return f"{kind} is not declared for {answer.status_code}"
    return ""


async def made(world: World, one: Drawn) -> httpx.Response:
    headers = {name: value.encode() for name, value in one.headers.items()}
    bearer = world.headers(one.role, one.person)
    url = f"{one.path}?{httpx.QueryParams(one.params)}" if one.params else one.path
    request = world.client.build_request(one.method, url, headers={**bearer, **headers}, content=one.content)
    answer = await world.client.send(request, stream=True)
    try:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
    finally:
        await answer.aclose()
    return answer


def operations(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    # Whoever signs in with a wrong password waits five minutes after the fifth.
    found = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    return [one for one in found if one != ("POST", "/v1/sessions")]


def test_whatever_is_asked_the_answer_is_one_that_is_declared(world: World, document: Mapping[str, Any]):
    begun, seen = time.monotonic(), Counter[str]()
    found: list[str] = []
    todo = operations(document)
    for number, (method, path) in enumerate(todo):
        ends = begun + BUDGET_S * (number + 1) / len(todo)

        @settings(
            max_examples=EXAMPLES if method != "GET" else EXAMPLES // 4,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(calls(world, document, method, path))
        def ask(one: Drawn, method: str = method, path: str = path, ends: float = ends) -> None:
            if time.monotonic() > ends:
                return
            answer = world.run(made(world, one))
            seen[f"{answer.status_code // 100}xx"] += 1
            if wrong := declared(document, method, path, answer):
                found.append(f"{method} {path}: {wrong}\n    {str(one)[:600]}")

        ask()
        if len(found) > 40:
            break
    assert found == [], "\n".join(_first_of_each(found))
    assert seen["2xx"] > 200, f"too little comes through to find anything: {seen}"
    assert seen["4xx"] > 500, seen


def _first_of_each(found: list[str]) -> list[str]:
    """One example of each route and kind, so that a defect is read once."""
    kinds: dict[str, str] = {}
    for one in found:
        kinds.setdefault(re.sub(r"\d+", "", one.partition("\n")[0])[:80], one)
    return ["", *kinds.values(), f"{len(found)} in all"]


def test_after_all_that_every_view_is_alive_and_nothing_waits_for_ever(world: World):
    async def told() -> tuple[bool, int, dict[str, Any]]:
        idle = await world.host.idle(20)
        failed = {name: one.projector.failed() for name, one in world.host.running.items() if one.projector}
        ready = await world.client.get("/readyz")
        return idle, ready.status_code, {name: views for name, views in failed.items() if views}

    assert world.run(told()) == (True, 200, {})

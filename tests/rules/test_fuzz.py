"""
Calls that nobody would make, drawn from the OpenAPI document: whatever comes, the answer is one that is declared.

Most of a call fits what the document asks for, so that it comes through to what is behind. The same calls come each
time, as many as there is time for; one that is found can be made again from what is printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from tests.fieldwork.pictures import PNG
from tests.rules.world import World, running

TIMES = int(os.environ.get("FIELDLOOP_TEST_FUZZ", "1"))
"""How many times as much as `make test` has time for; `make fuzz` says it."""

SEED = os.environ.get("FIELDLOOP_TEST_SEED", "")
BUDGET_S = 60.0 * TIMES
MOST, AT_ONCE = 800 * TIMES, 16
"""Calls of each operation."""


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

FITTING = ("x", "repair", "one", "M1 1 L2 2", "elsewhere", "before", "2b7e", "", "13800000000")
"""Texts that one pattern or another wants."""


class Draws:
    """Values by chance, the same for the same seed. Most fit what the schema asks; the others try what does not."""

    def __init__(self, seed: str, document: Mapping[str, Any]) -> None:
        self.rng, self.document = Random(seed), document

    def once_in(self, times: int) -> bool:
        return self.rng.randrange(times) == 0

    def text(self) -> str:
        if self.once_in(2):
            return self.rng.choice(NASTY)
        return "".join(chr(self.rng.choice((self.rng.randrange(0x250), self.rng.randrange(0x110000)))) for _ in "1234")

    def number(self) -> float:
        return self.rng.choice((self.rng.choice(NUMBERS), self.rng.randint(-10, 2_000)))

    def anything(self, depth: int = 2) -> Any:
        kinds: list[Callable[[], Any]] = [
            lambda: None,
            lambda: self.once_in(2),
            self.number,
            self.text,
            lambda: self.rng.choice(TIMES),
        ]
        if depth:
            kinds.append(lambda: [self.anything(depth - 1) for _ in range(self.rng.randrange(3))])
            kinds.append(lambda: {self.text(): self.anything(depth - 1) for _ in range(self.rng.randrange(3))})
        return self.rng.choice(kinds)()

    def value(self, schema: Mapping[str, Any]) -> Any:
        return self.anything() if self.once_in(20) else self.fitting(schema)

    def fitting(self, schema: Mapping[str, Any]) -> Any:
        if ref := schema.get("$ref"):
            found: Any = self.document
            for step in ref.removeprefix("#/").split("/"):
                found = found[step]
            return self.fitting(found)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self.value(self.rng.choice(schema[several]))
        kind = schema.get("type")
        if kind == "object":
            needed, fields = set(schema.get("required", ())), schema.get("properties", {})
            if not fields:
                return {self.text(): self.anything() for _ in range(self.rng.randrange(4))}
            return {name: self.value(one) for name, one in fields.items() if name in needed or self.once_in(2)}
        if kind == "array":
            low = schema.get("minItems", 0)
            return [self.value(schema.get("items", {})) for _ in range(self.rng.randint(low, max(low, 2)))]
        if kind in ("integer", "number"):
            return self.whole(schema)
        if kind == "string":
            return self.word(schema)
        return {"boolean": self.once_in(2), "null": None}.get(str(kind), self.anything())

    def whole(self, schema: Mapping[str, Any]) -> int:
        low, high = schema.get("minimum"), schema.get("maximum")
        low = schema.get("exclusiveMinimum", -11) + 1 if low is None else low
        high = schema.get("exclusiveMaximum", 1_001) - 1 if high is None else high
        low, high = int(low), max(int(low), int(high))
        return self.rng.choice((self.rng.randint(low, high), low, high))

    def word(self, schema: Mapping[str, Any]) -> str:
        if schema.get("format") == "date-time":
            return self.rng.choice(TIMES)
        if schema.get("format") == "date":
            return self.rng.choice(DATES)
        if self.once_in(3):
            return self.text()
        pattern, least = schema.get("pattern", ""), schema.get("minLength", 0)
        good = [text for text in FITTING if len(text) >= least and re.search(pattern, text)]
        return self.rng.choice([*schema.get("examples", ()), *good] or ["x" * least])


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


HEADERS: Mapping[str, Sequence[str]] = {
    "Idempotency-Key": ("k", "k1", "", '"k"', "a b", "x" * 201),
    "If-Match": ('"1"', '"2"', "*", "W/1", '"-1"', '"' + "9" * 19 + '"', "\u0661"),
    "Accept-Language": ("zh", "en", "zh;q=x", "*", ";;;,,,", "de", "zh;q=nan", "en;q=inf"),
    "Fieldloop-Channel": ("hotline", "pigeon", ""),
    "Fieldloop-Position": ("intake;1", "intake;x", ";;", "intake;" + "9" * 19, "x" * 200, "intake;\u0661"),
    "traceparent": (f"00-{'1' * 32}-{'2' * 16}-01", "00-0-0-0", "x"),
    "Last-Event-ID": ("", "x", "MS4y", "MS4" + "5" * 40),
}
SOMETHING = {
    "order_id": ("order_id", "waiting_id", "assigned_id"),
    "visit_id": ("visit_id", "planned_id"),
    "request_id": ("request_id", "incomplete_id"),
}
"""Parameter → which things of a story it may name; else the one of its own name."""
NAMES = {"name": ("efficiency", "quality", "utilisation", "incident-kpis"), "type_id": ("repair", "new")}
FIGURES = ("requests_received", "requests_open", "x")
BROKEN = (b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"a":1e999}', b"[" * 5_000, b'{"\\ud800":1}', b'{"a":NaN}')
PICTURES = (PNG, PNG[:20], b"\xff\xd8\xff", b"RIFF0000WEBPVP8 ", b"<svg/>", b"")


class Calls(Draws):
    """One call of an operation by chance."""

    def __init__(self, world: World, document: Mapping[str, Any], method: str, path: str, number: int) -> None:
        super().__init__(f"{SEED}{method} {path} {number}", document)
        self.world, self.method, self.path = world, method, path

    def known(self, name: str) -> str:
        """An id that there is, or a name."""
        if name in NAMES:
            return self.rng.choice(NAMES[name])
        story = self.world.demo.stories[self.rng.choice(("one", "two"))]
        return str(getattr(story, self.rng.choice(SOMETHING.get(name, (name,))), "") or self.rng.choice(story))

    def draw(self) -> Drawn:
        operation = self.document["paths"][self.path][self.method.lower()]
        given = self.path
        for name in re.findall(r"\{(\w+)\}", self.path):
            value = self.text() if self.once_in(8) else self.known(name)
            # An empty part, or one of dots, is another address.
            part = value.encode("utf-8", "surrogatepass")[:2_000] or b"-"
            given = given.replace(f"{{{name}}}", quote(part, safe="").replace(".", "%2E"))
        headers = {name: self.rng.choice(some) for name, some in HEADERS.items() if self.once_in(8)}
        contents = operation.get("requestBody", {}).get("content", {})
        content = self.body(contents) if contents else self.rng.choice((None, None, b"{}", b"x"))
        if contents:
            kinds = ("application/json",) * 12 + ("text/plain", "", "application/json; charset=utf-7")
            headers["Content-Type"] = self.rng.choice(kinds)
        roles = sorted(self.world.roles[self.method, self.path] - {"public"}) or ["agent"]
        person = self.rng.choice(("one", "two"))
        return Drawn(self.method, given, self.asked(operation), headers, content, self.rng.choice(roles), person)

    def asked(self, operation: Mapping[str, Any]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for one in operation.get("parameters", ()):
            name = one["name"]
            if one["in"] != "query" or not (one.get("required") or self.once_in(3)):
                continue
            value = self.rng.choice(FIGURES) if name == "figure" else self.value(one["schema"])
            if name.endswith("_id") and self.once_in(2):
                value = self.known(name)
            for part in value if isinstance(value, list) else [value]:
                text = part if isinstance(part, str) else json.dumps(part)
                found.append((name, text.encode("utf-8", "replace").decode()[:2_000]))
        return found

    def body(self, contents: Mapping[str, Any]) -> bytes:
        if self.once_in(20):
            return self.rng.choice(BROKEN)
        if "application/json" not in contents:
            return self.rng.choice(PICTURES)
        value = self.value(contents["application/json"]["schema"])
        if isinstance(value, dict):
            for name in value:
                if name.endswith("_id") and self.once_in(2):
                    value[name] = self.known(name)
            if self.once_in(20):
                value[self.text()] = self.anything()
        return json.dumps(value).encode()


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
    # Whoever signs in with a wrong password waits five minutes after the fifth, and so do guests after the sixtieth.
    found = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    return [one for one in found if one not in (("POST", "/v1/sessions"), ("POST", "/v1/sessions/guests"))]


def test_whatever_is_asked_the_answer_is_one_that_is_declared(world: World, document: Mapping[str, Any]):
    print(f"FIELDLOOP_TEST_SEED={SEED}")
    fuzz = Fuzz(world, document)
    todo = operations(document)
    begun = time.monotonic()
    for number, (method, path) in enumerate(todo):
        world.run(fuzz.one(method, path, begun + BUDGET_S * (number + 1) / len(todo)))
    assert fuzz.found == [], "\n".join(_first_of_each(fuzz.found))
    assert fuzz.seen["2xx"] > 200, f"too little comes through to find anything: {fuzz.seen}"
    assert fuzz.seen["4xx"] > 500, fuzz.seen


class Fuzz:
    def __init__(self, world: World, document: Mapping[str, Any]) -> None:
        self.world, self.document = world, document
        self.found: list[str] = []
        self.seen: Counter[str] = Counter()

    async def one(self, method: str, path: str, until: float) -> None:
        """Try one operation, some at a time, at least a round and else no longer than until then."""
        for begin in range(0, MOST, AT_ONCE):
            if begin and time.monotonic() > until:
                return
            numbers = range(begin, begin + AT_ONCE)
            drawn = [Calls(self.world, self.document, method, path, number).draw() for number in numbers]
            for one, answer in zip(drawn, await asyncio.gather(*[made(self.world, one) for one in drawn]), strict=True):
                self.seen[f"{answer.status_code // 100}xx"] += 1
                if wrong := declared(self.document, method, path, answer):
                    self.found.append(f"{method} {path}: {wrong}\n    {str(one)[:900]}")


def _first_of_each(found: list[str]) -> list[str]:
    """One example of each route and kind, so that a defect is read once."""
    kinds: dict[str, str] = {}
    for one in found:
        kinds.setdefault(re.sub(r"\d+", "", one.partition("\n")[0])[:80], one)
    return ["", *kinds.values(), f"{len(found)} in all"]


SHIFTS = [{"weekday": 0, "from_minute": 0, "to_minute": 60}]
ENGINEER = {"engineer_id": "e", "name": "n", "skills": ["s"], "region": "r", "shifts": SHIFTS} | {
    "home_lat_udeg": 0,
    "home_lon_udeg": 0,
}
CUSTOMER = {"name": "n", "phone": "13800000000", "region": "r", "lat_udeg": 0, "lon_udeg": 0}
QUEUED = {"order_id": "f", "request_id": "f", "team": "\ud83d"}
ROW = {"key": "k", "happened_at": "2020-01-01T00:00:00Z", "order_id": "f", "request_id": "f"}


@pytest.mark.parametrize(
    ("method", "path", "role", "body", "status"),
    [
        ("POST", "/v1/engineers", "dispatcher", ENGINEER | {"zone": "Asia"}, 422),
        ("POST", "/v1/engineers", "dispatcher", ENGINEER | {"zone": "Etc/../Asia"}, 422),
        ("POST", "/v1/engineers", "dispatcher", ENGINEER | {"engineer_id": "a/b"}, 422),
        ("POST", "/v1/customers", "agent", CUSTOMER | {"customer_id": "a/b"}, 422),
        ("POST", "/v1/orders/{waiting_id}/assign", "dispatcher", {"engineer_id": "one", "starts_at": TIMES[0]}, 422),
        ("POST", "/v1/orders/{waiting_id}/assign", "dispatcher", {"engineer_id": "one", "starts_at": TIMES[2]}, 422),
        ("GET", "/v1/reports/efficiency?to=0001-01-01", "manager", None, 422),
        ("GET", "/v1/reports/efficiency/events?figure=requests_open&to=9999-12-31", "manager", None, 422),
        (
            "POST",
            "/v1/orders/history",
            "operator",
            {"source": "s", "rows": [ROW | {"events": [{"type": "OrderQueued", "data": QUEUED}]}]},
            400,
        ),
        ("POST", "/v1/request-types/" + "x" * 101, "manager", {"name": "n", "skill": "s"}, 422),
        ("POST", "/v1/requests", "agent", {"request_type": "repair", "description": "of nobody who is known"}, 201),
    ],
)
def test_what_was_found_once_is_answered(world: World, method: str, path: str, role: str, body: Any, status: int):
    given = path.format(**world.demo.stories["one"]._asdict()) if "{" in path else path
    content = None if body is None else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    answer = world.run(world.call(method, given, role, content=content, headers=headers))
    assert answer.status_code == status, answer.text


def test_after_all_that_every_view_is_alive_and_nothing_waits_for_ever(world: World):
    async def told() -> tuple[bool, int, dict[str, Any]]:
        idle = await world.host.idle(20)
        failed = {name: one.projector.failed() for name, one in world.host.running.items() if one.projector}
        ready = await world.client.get("/readyz")
        return idle, ready.status_code, {name: views for name, views in failed.items() if views}

    assert world.run(told()) == (True, 200, {})

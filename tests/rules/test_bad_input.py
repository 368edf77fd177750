"""
What cannot be is refused on every route, with the field and the remedy in the caller's language; nothing is recorded.

The calls are made from the OpenAPI document: to each field of each body that fits, one thing is done that does not. A
new route or field is tried without being named here.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pypdfium2
import pytest

from contracts import envelope as envelopes
from services.chassis.auth import ROLES
from services.chassis.clock import SystemClock
from services.chassis.http.problems import texts
from services.demo.people import People, found
from tests.fieldwork.pictures import PNG
from tests.rules.authz_matrix import example
from tests.rules.test_authz import BODIES, STILL_OPEN
from tests.rules.test_edge import Route, body_for, caller_of, commands, given, operation, routes, takes_json
from tests.rules.world import TENANTS, Firm, World, company, promise, running, tell

CHINESE = re.compile("[\u4e00-\u9fff]")
RARE = "𠮷𪚥\u200f👩\u200d🔧é\u0301"
"""Han beyond the first plane, a mark that turns the writing round, an emoji of three, a letter of two."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("bad")) as world:
        yield world


# What is sent.


class Leaf(NamedTuple):
    """A field of a body, however deep, and what the document asks of it."""

    way: tuple[str | int, ...]
    schema: Mapping[str, Any]

    @property
    def field(self) -> str:
        """As a problem names it."""
        named = ""
        for step in self.way:
            named += f"[{step}]" if isinstance(step, int) else f".{step}" if named else step
        return named

    @property
    def name(self) -> str:
        return next(str(step) for step in reversed(self.way) if isinstance(step, str))


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind references and choices: of these the first, as `example` takes it."""
    while True:
        if ref := schema.get("$ref"):
            found: Any = document
            for step in ref.removeprefix("#/").split("/"):
                found = found[step]
            schema = found
        elif several := next((schema[kind] for kind in ("anyOf", "oneOf", "allOf") if kind in schema), None):
            schema = several[0]
        else:
            return schema


def leaves(schema: Mapping[str, Any], document: Mapping[str, Any], way: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    schema = resolved(schema, document)
    if schema.get("type") == "object":
        for name, one in schema.get("properties", {}).items():
            yield from leaves(one, document, (*way, name))
    elif schema.get("type") == "array" and "items" in schema:
        yield from leaves(schema["items"], document, (*way, 0))
    elif way:
        yield Leaf(way, schema)


def with_value(body: Any, way: tuple[str | int, ...], value: Any, schema: Mapping[str, Any], document: Any) -> Any:
    """The body with this in that place; what leads there is made where it is not there yet."""
    if not way:
        return value
    step, rest = way[0], way[1:]
    schema = resolved(schema, document)
    inner = schema["items"] if isinstance(step, int) else schema["properties"][step]
    if isinstance(step, int):
        items = list(body or [])
        kept = items[0] if items else example(inner, document)
        return [with_value(kept, rest, value, inner, document), *items[1:]]
    kept = (body or {}).get(step)
    if kept is None and rest:
        kept = example({**resolved(inner, document), "default": None}, document) or example(
            {name: said for name, said in resolved(inner, document).items() if name != "default"}, document
        )
    return {**(body or {}), step: with_value(kept, rest, value, inner, document)}


def body_schema(world: World, route: Route) -> Mapping[str, Any]:
    found: Mapping[str, Any] = operation(world, route)["requestBody"]["content"]["application/json"]["schema"]
    return found


def fitting(world: World, route: Route) -> dict[str, Any]:
    """A body that the route takes."""
    known = BODIES.get(route.path)
    return copy.deepcopy(dict(known)) if isinstance(known, Mapping) else body_for(world, route)


def fields(world: World) -> Iterator[tuple[Route, Leaf]]:
    for route in commands(world):
        if takes_json(world, route):
            for leaf in leaves(body_schema(world, route), world.app.openapi()):
                yield route, leaf


# What comes of it.


class Judge:
    """Makes calls that must be refused, and collects what is wrong with the refusals."""

    def __init__(self, world: World) -> None:
        self.world, self.wrong, self.codes = world, list[str](), Counter[str]()
        self.heads: dict[str, int] = {}
        self.route: Route | None = None

    async def positions(self) -> dict[str, int]:
        return {name: (await one.journal.head()).position for name, one in self.world.host.running.items()}

    async def begin(self) -> Judge:
        assert await self.world.host.idle()
        self.heads = await self.positions()
        return self

    async def refused(self, route: Route, field: str = "", *, may_pass: bool = False, **options: Any) -> str:
        """One call, in one language after the other. `field` is what its refusal names, if it is one of a field."""
        if route != self.route:
            await self.nothing_was_recorded()
            self.route = route
        path = options.pop("path", "") or given(self.world, route)
        spoken = ("en-GB,en;q=0.9", "zh-Hans-CN,zh;q=0.9,en;q=0.1")[sum(self.codes.values()) % 2]
        headers = {"Accept-Language": spoken} | options.pop("headers", {})
        answer = await self.world.call(route.method, path, *caller_of(self.world, route), headers=headers, **options)
        what = f"{route.method} {path} {field} {spoken[:2]}: {answer.status_code} {answer.text[:400]}"
        if answer.status_code >= 500 or (answer.is_success and not may_pass):
            self.wrong.append(what)
        if answer.is_success:
            await self.begin()
            return ""
        code: str = answer.json()["code"]
        self.codes[code] += 1
        self.wrong += [f"{problem}: {what}" for problem in self.wrong_in(answer, spoken[:2], field)]
        return code

    def wrong_in(self, answer: httpx.Response, spoken: str, field: str) -> Iterator[str]:
        said = answer.json()
        errors = said.get("errors", [])
        words = [said["title"], said["remedy"], *[text for one in errors for text in (one["problem"], one["remedy"])]]
        if spoken == "zh" and not all(CHINESE.search(text) for text in words):
            yield "not in Chinese"
        if spoken == "en" and any(CHINESE.search(text) for text in (said["title"], said["remedy"])):
            yield "not in English"
        if answer.status_code in (400, 422) and not errors:
            yield "names no field"
        field = field.removesuffix("[0]")
        if (
            field
            and answer.status_code in (400, 422)
            and field not in [one["field"].removesuffix("[0]") for one in errors]
        ):
            yield f"does not name {field}"

    async def nothing_was_recorded(self) -> None:
        """But by what goes on by itself: a timer that was due, and what follows of it."""
        for name, service in self.world.host.running.items():
            for entry in await service.journal.read(self.heads[name], 100):
                by = envelopes.read(entry.record).actor.partition(":")[0]
                if by in ROLES:
                    self.wrong.append(f"{self.route} recorded {envelopes.read(entry.record).type}")
        self.heads = await self.positions()


def judged(world: World, story: Any) -> Judge:
    async def told() -> Judge:
        judge = await Judge(world).begin()
        await story(judge)
        await judge.nothing_was_recorded()
        return judge

    judge: Judge = world.run(told())
    assert judge.wrong == [], "\n".join(["", *judge.wrong[:30], f"{len(judge.wrong)} in all"])
    return judge


def test_a_field_that_does_not_fit_is_named_with_its_remedy(world: World):
    """Of another type, too long, too small, too large, no time, a time without a zone, none of those it may be."""
    document = world.app.openapi()
    tried = Counter[str]()

    async def story(judge: Judge) -> None:
        for route, leaf in fields(world):
            body = fitting(world, route)
            for kind, value in unfit(leaf.schema).items():
                # Within, a body may have parts that are commands' own; these take what can be understood.
                if kind in GUESSED and len(leaf.way) > 1:
                    continue
                sent = with_value(body, leaf.way, value, body_schema(world, route), document)
                await judge.refused(route, leaf.field, json=sent)
                tried[kind] += 1

    judge = judged(world, story)
    assert set(judge.codes) == {"body.invalid"}
    assert min(tried.values()) > 2, tried
    assert sum(tried.values()) > 300, tried


def unfit(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What does not fit a field of this schema, by what is wrong with it."""
    kind = schema.get("type")
    found: dict[str, Any] = {"another type": {"x": 1} if kind != "object" else "x"}
    if kind in ("integer", "number"):
        found |= {"no number": "many", "a number as a text": "1", "a truth": True}
        found["a beyond of integers"] = 10**40
        if "minimum" in schema or "exclusiveMinimum" in schema:
            found["too small"] = int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)) - 1
        if "maximum" in schema:
            found["too large"] = int(schema["maximum"]) + 1
    if kind == "string":
        if schema.get("format") in ("date-time", "date"):
            found |= {"no time": "soon", "no day": "2026-02-30T00:00:00Z", "a number": 0, "a number as a text": "0"}
            if schema["format"] == "date-time":
                found["no zone"] = "2026-11-24T09:00:00"
        elif "enum" in schema or "const" in schema:
            found["none of them"] = "none-of-them"
        elif "maxLength" in schema and "pattern" not in schema:
            found["too long"] = "𠮷" * (schema["maxLength"] + 1)
    return found


GUESSED = ("a number as a text", "a truth", "a number")
OF_JSON = ("another type", *GUESSED)


def test_every_field_of_a_body_has_an_end(world: World):
    """A text has a longest, a number a smallest and a largest, a list a most: nobody can fill the journal with one."""
    endless = []
    for route, leaf in fields(world):
        schema = leaf.schema
        text = schema.get("type") == "string" and not {"maxLength", "enum", "const", "format", "pattern"} & set(schema)
        number = schema.get("type") in ("integer", "number")
        least = {"minimum", "exclusiveMinimum"} & set(schema)
        if text or (number and not (least and {"maximum", "exclusiveMaximum"} & set(schema))):
            endless.append(f"{route.method} {route.path} {leaf.field}: {dict(schema)}")
    assert endless == []


def test_a_text_that_is_none_is_named_wherever_it_stands(world: World):
    document = world.app.openapi()

    async def story(judge: Judge) -> None:
        for route, leaf in fields(world):
            if leaf.schema.get("type") == "string":
                for text in ("a\0b", "a\ud842b"):
                    sent = with_value(fitting(world, route), leaf.way, text, body_schema(world, route), document)
                    headers = {"Content-Type": "application/json"}
                    await judge.refused(route, leaf.field, content=json.dumps(sent), headers=headers)

    judge = judged(world, story)
    assert set(judge.codes) == {"text.has-nul", "text.half-character"}


DEEP = 1024 * 1024 // 2 - 32


def test_a_mebibyte_of_nesting_and_what_is_no_json_is_refused(world: World):
    bodies = {
        "deep lists": b"[" * DEEP + b"]" * DEEP,
        "deep and open": b"[" * (DEEP * 2),
        "deep objects": b'{"a":' * (DEEP // 4) + b"1" + b"}" * (DEEP // 4),
        "a deep field": b'{"%s":' + b"[" * DEEP + b"]" * DEEP + b"}",
        "less deep": b'{"%s":' + b"[" * 900 + b"]" * 900 + b"}",
        "no JSON": b"{",
        "no UTF-8": b'{"a":"\xff"}',
        "a list": b"[]",
        "nothing": b"",
    }

    async def story(judge: Judge) -> None:
        for route in commands(world):
            if not takes_json(world, route):
                continue
            name = next(iter(resolved(body_schema(world, route), world.app.openapi())["properties"]), "a").encode()
            for content in bodies.values():
                content = content.replace(b"%s", name)
                headers = {"Content-Type": "application/json"}
                # A body may be left out where there is nothing that must be said.
                await judge.refused(route, content=content, headers=headers, may_pass=not content)

    judge = judged(world, story)
    assert set(judge.codes) >= {"body.too-deep", "request.unreadable", "body.invalid"}


def test_what_is_no_picture_is_refused(world: World):
    pictures = (
        b"",
        b"x",
        PNG[: len(PNG) // 2],
        b"GIF89a",
        b"\xff\xd8\xff\xe0" + b"\0" * 100,
        b"<svg/>",
        b"%PDF-1.7",
    )
    taking = [route for route in commands(world) if takes_pictures(world, route)]
    assert taking

    async def story(judge: Judge) -> None:
        for route in taking:
            for picture in pictures:
                for kind in ("image/jpeg", "image/png", "text/html"):
                    await judge.refused(route, "body", content=picture, headers={"Content-Type": kind})

    assert set(judged(world, story).codes) == {"photo.not-a-picture"}


def takes_pictures(world: World, route: Route) -> bool:
    contents = operation(world, route).get("requestBody", {}).get("content", {})
    return any(kind.startswith("image/") for kind in contents)


def test_what_is_not_there_or_another_tenants_is_404_and_nothing_is_done(world: World):
    other = world.firms[TENANTS[1]].stories["one"]._asdict()

    async def story(judge: Judge) -> None:
        for route in [one for one in commands(world) if one.names and one.path not in NAMED_BY_THE_CALLER]:
            options: dict[str, Any] = {"json": fitting(world, route)} if takes_json(world, route) else {}
            if takes_pictures(world, route):
                options = {"content": PNG}
            for ids in (dict.fromkeys(route.names, "nobody-knows"), dict.fromkeys(route.names, RARE), other):
                if all(ids.get(name) for name in route.names):
                    code = await judge.refused(route, path=route.path.format(**ids), **options)
                    if not (code == "resource.absent" or code.endswith(".unknown")):
                        judge.wrong.append(f"{route}: {code}")

    judged(world, story)


NAMED_BY_THE_CALLER = {
    "/v1/request-types/{type_id}",
    "/v1/standards/{type_id}",
    "/v1/calendars/{calendar_id}",
    "/v1/calendars/{calendar_id}/holidays",
    "/v1/slas/{sla_id}",
}
"""What is named here comes to be by it, or is there in every tenant."""

PAST = re.compile(r"^(happened|taken|received|made|done|measured)_at$")
"""Fields that say when something was: it cannot have been tomorrow, nor before there was any of this."""


def test_what_was_cannot_have_been_tomorrow(world: World):
    document = world.app.openapi()
    tomorrow = (SystemClock().now() + timedelta(days=1)).isoformat()
    tried = set()

    async def story(judge: Judge) -> None:
        for route, leaf in fields(world):
            if PAST.match(leaf.name):
                body = fitting(world, route)
                for at in (tomorrow, "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00"):
                    sent = with_value(body, leaf.way, at, body_schema(world, route), document)
                    # Of what was long ago nothing is known; a batch of a phone answers for each step of its own.
                    may_pass = at[0] == "0" or route.path == "/v1/visits/sync"
                    path = still_open(world, route)
                    code = await judge.refused(route, path=path, json=sent, may_pass=may_pass)
                    tried.add(f"{route.path} {code}")

    judge = judged(world, story)
    assert len(tried) > 10
    assert {"visit.time-in-future", "clock.in-the-future", "document.in-future"} <= set(judge.codes), judge.codes


def still_open(world: World, route: Route) -> str:
    """The path with the ids of what is still worked on, where there is such a thing."""
    story = world.demo.stories["one"]._asdict()
    name = STILL_OPEN.get(route.path)
    return route.path.format(**dict.fromkeys(route.names, story[name])) if name else given(world, route)


def test_a_stale_version_records_nothing(world: World):
    async def story(judge: Judge) -> None:
        # What is stuck has no version.
        for route in [one for one in commands(world) if one.names and "deadletters" not in one.path]:
            options: dict[str, Any] = {"json": body_for(world, route)} if takes_json(world, route) else {}
            if takes_pictures(world, route):
                options = {"content": PNG}
            await judge.refused(route, headers={"If-Match": '"987654"'}, **options)
            await judge.refused(route, "If-Match", headers={"If-Match": "W/what"}, **options)
            await judge.refused(route, "Idempotency-Key", headers={"Idempotency-Key": "a b"}, **options)

    assert set(judged(world, story).codes) == {"stream.stale", "if-match.unreadable", "idempotency-key.invalid"}


def test_a_parameter_that_does_not_fit_is_named(world: World):
    tried = Counter[str]()

    async def story(judge: Judge) -> None:
        for route in routes(world, "GET", "POST", "PUT"):
            if not route.path.startswith("/v1/"):
                continue
            for one in operation(world, route).get("parameters", ()):
                schema = resolved(one["schema"], world.app.openapi())
                schema = resolved(schema["items"], world.app.openapi()) if schema.get("type") == "array" else schema
                if one["in"] != "query":
                    continue
                needed = {"figure": "requests_received"} if "figure" in str(operation(world, route)) else {}
                # A parameter is a text: there, a number is one of digits.
                wrong = {kind: value for kind, value in unfit(schema).items() if kind not in OF_JSON}
                for kind, value in (wrong | {"a NUL": "a\0b"}).items():
                    params = needed | {one["name"]: str(value)}
                    await judge.refused(
                        route, one["name"], params=params, content=b"{}" if route.method != "GET" else None
                    )
                    tried[kind] += 1

    judged(world, story)
    assert sum(tried.values()) > 150, tried


def test_what_is_in_the_wrong_state_is_refused_by_a_rule_and_nothing_is_recorded(world: World):
    """Of a request that went through the whole loop, most that could be asked is over."""

    async def story(judge: Judge) -> None:
        for route in [one for one in commands(world) if one.names and not takes_pictures(world, one)]:
            options: dict[str, Any] = {"json": fitting(world, route)} if takes_json(world, route) else {}
            await judge.refused(route, may_pass=True, **options)

    judge = judged(world, story)
    assert len([code for code in judge.codes if texts()[code].status == 409]) > 5, judge.codes


# Good input.


def test_rare_characters_are_as_good_as_others(world: World):
    """In every text that has no form of its own: what is refused is refused for another reason."""
    document = world.app.openapi()

    async def told() -> list[str]:
        wrong, tried = [], 0
        for route, leaf in fields(world):
            free = leaf.schema.get("type") == "string" and not {"pattern", "enum", "const", "format"} & set(leaf.schema)
            if not free or leaf.schema.get("maxLength", 0) < len(RARE) or leaf.name in HAVE_A_FORM:
                continue
            sent = with_value(fitting(world, route), leaf.way, RARE, body_schema(world, route), document)
            answer = await world.call(route.method, given(world, route), *caller_of(world, route), json=sent)
            named = [one["field"] for one in answer.json().get("errors", ())] if answer.is_error else []
            if answer.status_code >= 500 or leaf.field in named:
                wrong.append(f"{route} {leaf.field}: {answer.status_code} {answer.text[:300]}")
            tried += 1
        assert tried > 40
        assert await world.host.idle()
        failed = {name: one.projector.failed() for name, one in world.host.running.items() if one.projector}
        return [*wrong, *[f"{name}: {views}" for name, views in failed.items() if views]]

    assert world.run(told()) == []


HAVE_A_FORM = {"phone", "zone", "caller_phone", "region", "slots_calendar"}
"""A number that can be called, a zone that is one, a district that is in the table, a calendar that is there."""


class RareFirm(Firm):
    """Whose people write as nobody else does."""

    def words(self, name: str) -> dict[str, str]:
        words = super().words(name)
        return {kind: text if kind == "phone" else f"{RARE} {kind}" for kind, text in words.items()}


def test_what_is_written_with_rare_characters_comes_back_as_it_was(world: World):
    """From the first word to the survey, in every answer, and in the report of the visit."""

    async def told() -> tuple[set[str], str]:
        firm = RareFirm("rare", People(world.client, world.tokens, "rare"))
        await found(firm.people, company(firm), "rare-")
        await promise(firm.people)
        firm.stories["one"] = await tell(firm, "one")
        assert await world.host.idle()
        theirs = replace(world, firms={TENANTS[0]: firm})
        answers, report = [], b""
        for route in routes(world, "GET"):
            if route.path in world.app.openapi()["paths"] and "alert_id" not in route.path:
                path, who = given(theirs, route), caller_of(theirs, route)
                params = {"figure": "requests_received"} if route.path.endswith("/events") else {}
                answer = await world.call("GET", path, *who, tenant="rare", params=params)
                if answer.headers["content-type"] == "application/pdf":
                    report = answer.content
                elif answer.headers["content-type"] == "application/json":
                    answers.append(answer.text)
        pages = pypdfium2.PdfDocument(report)
        text = "".join(page.get_textpage().get_text_range() for page in pages)
        return {kind for kind, word in firm.words("one").items() if word not in "".join(answers)}, text

    lost, report = world.run(told())
    assert lost == {"reason"}, "nothing in this story asks for one"
    # What the font of the report does not have is shown by its code.
    codes = [f"U+{ord(one):X}" for one in RARE if ord(one) > 0xFFFF]
    assert [one for one in (*codes, "record") if one not in report] == []

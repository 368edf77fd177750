"""
The matrix of who may do what, made from the routes themselves: every route × caller × thing, each cell tried.

    cells = await matrix(app, tokens, ids=ids, bodies=bodies)
    assert not unexpected(cells), table(unexpected(cells))

What is expected follows from the roles that a route declares. Nobody, and whoever's token is not good, gets 401; a role
that is not declared 403; what belongs to another person, to another tenant or to nobody 404, and in the same words, so
that nobody learns that it is there. A route that lets nobody in, or that answers 422 to a body that it should take, is
unexpected too: what was never reached proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import httpx
from fastapi import FastAPI

from services.chassis.auth import ONLY_THEIR_OWN, ROLES, Link, Principal, Tokens
from services.chassis.http import route_roles

Target = Literal["own", "foreign", "absent"]

Ids = Callable[[str, str, Target, Principal], str | None]
"""
(path, parameter, target, caller) → an id, or None where there is none such for this caller.

The caller is always of the first tenant. For staff, `foreign` is the second tenant's thing; for the others another
person's. The caller of the second tenant is tried with the `own` ids of the first tenant's caller.
"""

Bodies = Callable[[str, str], Mapping[str, Any] | bytes | None]
"""(method, path) → a body that the route takes, or None for one made from its schema."""

TENANTS = ("demo", "other")

Hidden = Callable[[Principal], Iterable[str]]
"""caller → texts that no answer may show them, such as the ids and words of what is foreign to them."""

ALLOWED = "2xx"
"""Also 409 and 412: the caller was let in, and a rule said no."""


class Cell(NamedTuple):
    """One try."""

    method: str
    path: str
    caller: str
    """A role, `anonymous`, `expired`, `link`."""
    tenant: str
    target: str
    expected: str
    got: str
    note: str = ""

    @property
    def is_right(self) -> bool:
        if self.note:
            return False
        if self.expected == ALLOWED:
            return self.got[0] == "2" or self.got in ("409", "412")
        return self.expected == self.got


def callers(tenant: str) -> dict[str, Principal]:
    """One caller per role."""
    return {
        role: Principal(f"{role}@{tenant}", tenant, role, f"{role}-1" if role in ONLY_THEIR_OWN else "")
        for role in ROLES
    }


async def matrix(
    app: FastAPI,
    tokens: Tokens,
    *,
    ids: Ids,
    bodies: Bodies = lambda method, path: None,
    hidden: Hidden = lambda who: (),
    own: Mapping[str, Principal] | None = None,
    other: Mapping[str, Principal] | None = None,
    skip: Iterable[tuple[str, str]] = (),
) -> list[Cell]:
    """
    Try every cell and say what came. `own` and `other` are the callers of the two tenants, by role.

    The cells of a route are tried with those first that must not come through, so that what one changes hides nothing.
    """
    own, other = own or callers(TENANTS[0]), other or callers(TENANTS[1])
    document = app.openapi()
    cells: list[Cell] = []
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        for (method, path), roles in route_roles(app).items():
            if (method, path) not in set(skip):
                route = _Route(client, document, method, path, roles, ids, bodies, hidden)
                cells += await route.tried(tokens, own, other)
    return cells


class _Route:
    def __init__(
        self,
        client: httpx.AsyncClient,
        document: Mapping[str, Any],
        method: str,
        path: str,
        roles: frozenset[str],
        ids: Ids,
        bodies: Bodies,
        hidden: Hidden,
    ) -> None:
        self.hidden = hidden
        self.client, self.method, self.path, self.roles, self.ids = client, method, path, roles, ids
        operation = document.get("paths", {}).get(path, {}).get(method.lower(), {})
        self.names = [part[1:-1].partition(":")[0] for part in path.split("/") if part.startswith("{")]
        self.params = {
            one["name"]: example(one["schema"], document)
            for one in operation.get("parameters", ())
            if one["in"] == "query" and one.get("required")
        }
        given = bodies(method, path)
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        self.body = given if given is not None else example(schema, document) if schema else None

    async def tried(
        self, tokens: Tokens, own: Mapping[str, Principal], other: Mapping[str, Principal]
    ) -> Sequence[Cell]:
        anyone = next(iter(own.values()))
        strangers = {
            "anonymous": "",
            "expired": tokens.issue(anyone, timedelta(seconds=-1)),
            "link": tokens.issue_link(Link(anyone.tenant, "any", "any"), timedelta(minutes=1)),
        }
        if self.roles == {"public"}:
            answer = await self.call("", self.path_for("absent", anyone))
            return [self.cell("anonymous", "-", "-", "not 401, 403 or 5xx", answer, note=_not_public(answer))]
        cells = []
        for name, token in strangers.items():
            cells.append(self.cell(name, "-", "-", "401", await self.call(token, self.path_for("own", anyone))))
        if self.roles == {"internal"}:
            for role, who in own.items():
                cells.append(self.cell(role, "own", "-", "401", await self.call(tokens.issue(who), self.path)))
            return cells
        reached = False
        for role, who in own.items():
            if role not in self.roles:
                answer = await self.call(tokens.issue(who), self.path_for("own", who) or self.path_for("absent", who))
                cells.append(self.cell(role, "own", "-", "403", answer))
                continue
            tried = await self.tried_by(role, who, other[role], tokens)
            reached = reached or any(one.target in ("own", "-") and one.tenant == "own" for one in tried)
            cells += tried
        if not reached:
            note = "no caller could be tried with something of their own: give `ids` one"
            cells.append(Cell(self.method, self.path, "-", "own", "own", ALLOWED, "-", note))
        return cells

    async def tried_by(self, role: str, who: Principal, twin: Principal, tokens: Tokens) -> Sequence[Cell]:
        """All that a role that is let in may try; what is the caller's own comes last."""
        cells: list[Cell] = []
        token = tokens.issue(who)
        if not self.names:
            answers = [
                ("own", await self.call(token, self.path)),
                ("other", await self.call(tokens.issue(twin), self.path)),
            ]
            return [
                self.cell(role, tenant, "-", ALLOWED, answer, note=self.shows(answer, caller))
                for (tenant, answer), caller in zip(answers, (who, twin), strict=True)
            ]
        missing = await self.call(token, self.path_for("absent", who))
        cells.append(self.cell(role, "own", "absent", "404", missing))
        for tenant, target, bearer in (("own", "foreign", token), ("other", "own", tokens.issue(twin))):
            path = self.path_for(target, who)
            if path is not None:
                answer = await self.call(bearer, path)
                cells.append(self.cell(role, tenant, target, "404", answer, note=self.tells(answer, missing)))
        if (path := self.path_for("own", who)) is not None:
            answer = await self.call(token, path)
            cells.append(self.cell(role, "own", "own", ALLOWED, answer, note=self.shows(answer, who)))
        return cells

    def shows(self, answer: httpx.Response, who: Principal) -> str:
        shown = [text for text in self.hidden(who) if text in answer.text]
        return f"it shows what is foreign: {', '.join(shown)}" if shown else ""

    def path_for(self, target: str, who: Principal) -> str | None:
        path = self.path
        for name in self.names:
            found = self.ids(self.path, name, target, who)  # type: ignore[arg-type]
            if found is None:
                return None
            path = path.replace(f"{{{name}}}", found)
        return path

    async def call(self, token: str, path: str | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sent: dict[str, Any] = {"content": self.body} if isinstance(self.body, bytes) else {"json": self.body}
        if self.body is None:
            sent = {}
        return await self.client.request(self.method, path or self.path, headers=headers, params=self.params, **sent)

    def cell(
        self, caller: str, tenant: str, target: str, expected: str, answer: httpx.Response, note: str = ""
    ) -> Cell:
        if answer.status_code == 422 and expected in (ALLOWED, "404"):
            note = f"give `bodies` one that this route takes: {answer.text[:300]}"
        if expected.startswith("not "):
            expected = expected if note else str(answer.status_code)
        return Cell(self.method, self.path, caller, tenant, target, expected, str(answer.status_code), note)

    def tells(self, foreign: httpx.Response, missing: httpx.Response) -> str:
        """Whether the answer to what is there differs from the answer to what is not, but for the ids."""
        if foreign.status_code != 404 or missing.status_code != 404:
            return ""
        said, unsaid = foreign.json(), missing.json()
        for one in (said, unsaid):
            one.pop("detail", None)
            one.get("facts", {}).pop("id", None)
        return "" if said == unsaid else f"it tells that it is there: {foreign.text[:200]}"


def _not_public(answer: httpx.Response) -> str:
    closed = answer.status_code in (401, 403) or answer.status_code >= 500
    return f"it is declared public and answers {answer.status_code}" if closed else ""


def unexpected(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if not cell.is_right]


def table(cells: Sequence[Cell]) -> str:
    """The cells for a person to read."""
    head = ("method", "path", "caller", "tenant", "target", "expected", "got", "note")
    rows = [head, *[tuple(map(str, cell)) for cell in cells]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head) - 1)]
    lines = [
        "  ".join([*[text.ljust(w) for text, w in zip(row, widths, strict=False)], row[-1]]).rstrip() for row in rows
    ]
    return "\n".join(["", *lines, "", f"{len(cells)} cells"])


def coverage(cells: Sequence[Cell]) -> str:
    """How much was tried: `412 cells of 61 routes: 2xx 120, 401 183, …`."""
    routes = {(cell.method, cell.path) for cell in cells}
    counts = Counter(cell.expected for cell in cells)
    return f"{len(cells)} cells of {len(routes)} routes: " + ", ".join(f"{k} {n}" for k, n in sorted(counts.items()))


def example(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """The smallest value that a JSON Schema of FastAPI's takes; of a field with a default, nothing."""
    if ref := schema.get("$ref"):
        found: Any = document
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]
        return example(found, document)
    for known in ("const", "default"):
        if known in schema:
            return schema[known]
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return example(schema[several][0], document)
    return _OF_TYPE.get(schema.get("type", ""), lambda *_: None)(schema, document)


def _object(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    fields = schema.get("properties", {})
    return {name: example(fields[name], document) for name in schema.get("required", ())}


def _array(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    if "prefixItems" in schema:
        return [example(one, document) for one in schema["prefixItems"]]
    return [example(schema["items"], document) for _ in range(schema.get("minItems", 0))]


def _string(schema: Mapping[str, Any], _document: Mapping[str, Any]) -> Any:
    of_format = {
        "date-time": "2026-11-24T12:00:00Z",
        "date": "2026-11-24",
        "uuid": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    }
    return of_format.get(schema.get("format", ""), "x" * max(1, schema.get("minLength", 0)))


def _number(schema: Mapping[str, Any], _document: Mapping[str, Any]) -> Any:
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    return schema.get("minimum", min(1, schema.get("maximum", 1)))


_OF_TYPE: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": lambda *_: False,
}

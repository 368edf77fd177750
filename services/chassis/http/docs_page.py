"""
The page /docs: every route with its roles, its fields and a curl line to try it, made from the OpenAPI document.

It is whole in itself, without a script and with nothing from elsewhere, so that it works on a machine with no network
and under a policy that forbids everything but its own style sheet.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any, Final, NamedTuple

STYLE: Final = """
:root { color-scheme: light dark; --dim: #8883; --ink: #0969da; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { background: var(--dim); padding: .75rem; overflow-x: auto; }
a { color: var(--ink); } nav { display: flex; flex-wrap: wrap; gap: 0 1rem; }
details { border-top: 1px solid var(--dim); padding: .4rem 0; } summary { cursor: pointer; }
summary b { display: inline-block; min-width: 4rem; } .roles { opacity: .75; font-size: 14px; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
"""

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

METHODS: Final = ("get", "post", "put", "patch", "delete")
DEEPEST: Final = 6
"""So far an example goes into schemas that hold each other."""


class _Route(NamedTuple):
    method: str
    path: str
    said: Mapping[str, Any]


def page(document: Mapping[str, Any], base: str) -> str:
    """The whole page; `base` is where the API answers, for the curl lines."""
    groups: dict[str, list[_Route]] = {}
    for path, methods in document.get("paths", {}).items():
        for method in METHODS:
            if said := methods.get(method):
                groups.setdefault((said.get("tags") or ["others"])[0], []).append(_Route(method, path, said))
    info = document["info"]
    return "".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>',
            f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
            f"<p>{escape(info.get('summary', ''))}</p>",
            *[f"<p>{_words(part)}</p>" for part in info.get("description", "").strip().split("\n\n")],
            '<p>The same as a document for programs 供程序使用: <a href="openapi.json">openapi.json</a></p><nav>',
            *[f'<a href="#{escape(name)}">{escape(name)}</a>' for name in groups],
            "</nav>",
            *[part for name, routes in groups.items() for part in _group(document, base, name, routes)],
            "</html>",
        ]
    )


def _words(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _group(document: Mapping[str, Any], base: str, name: str, routes: list[_Route]) -> Iterator[str]:
    yield f'<h2 id="{escape(name)}">{escape(name)}</h2>'
    for route in routes:
        roles = ", ".join(route.said.get("x-roles", []))
        yield (
            f"<details><summary><b>{route.method.upper()}</b> <code>{escape(route.path)}</code> "
            f'{escape(route.said.get("summary", ""))} <span class="roles">{escape(roles)}</span></summary>'
        )
        if description := route.said.get("description"):
            yield f"<p>{_words(description)}</p>"
        yield f"<p>Who may call it 谁可以调用: {escape(roles)}</p>"
        yield from _fields(document, route.said)
        yield f"<p>Try it 试一试:</p><pre>{escape(_curl(document, base, route))}</pre></details>"


def _fields(document: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[str]:
    """Its parameters and the fields of its body."""
    rows = [(p["name"], p["in"], p.get("required"), p.get("schema", {}), p) for p in said.get("parameters", ())]
    body = _resolved(document, _body_schema(said) or {})
    rows += [(n, "body", n in body.get("required", ()), s, s) for n, s in body.get("properties", {}).items()]
    if not rows:
        return
    yield "<table><tr><th>field 字段<th>in<th>type<th>meaning 含义"
    for name, place, required, schema, told in rows:
        must = " <b>required 必填</b>" if required else ""
        meaning = _words(str(told.get("description", "")))
        yield f"<tr><td><code>{escape(name)}</code>{must}<td>{place}<td>{escape(_type(schema))}<td>{meaning}"
    yield "</table>"


def _type(schema: Mapping[str, Any]) -> str:
    if choices := schema.get("anyOf"):
        return " or ".join(_type(one) for one in choices)
    if choices := schema.get("enum"):
        return " | ".join(map(str, choices))
    if reference := schema.get("$ref"):
        return str(reference).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "any")


def _curl(document: Mapping[str, Any], base: str, route: _Route) -> str:
    said = route.said
    parameters = said.get("parameters", ())
    asked = "&".join(f"{p['name']}=…" for p in parameters if p["in"] == "query" and p.get("required"))
    words = ["curl", *([] if route.method == "get" else ["-X", route.method.upper()])]
    words.append(f"'{base}{route.path}{'?' if asked else ''}{asked}'")
    if said.get("security"):
        words.append('-H "Authorization: Bearer $TOKEN"')
    if any(p["name"] == "Idempotency-Key" for p in parameters):
        words.append('-H "Idempotency-Key: $(uuidgen)"')
    if (schema := _body_schema(said)) is not None:
        example = json.dumps(_example(document, schema), ensure_ascii=False).replace("'", "'\\''")
        words.append(f"\\\n  -H 'Content-Type: application/json' -d '{example}'")
    return " ".join(words)


def _body_schema(said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content = said.get("requestBody", {}).get("content", {}).get("application/json")
    return content.get("schema", {}) if content else None


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    return schema


def _example(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    """A value that shows the shape: what must be said, with the examples that the schema has."""
    schema = _resolved(document, schema)
    if examples := schema.get("examples"):
        return examples[0]
    for name in ("example", "const", "default"):
        if schema.get(name) is not None:
            return schema[name]
    if choices := schema.get("enum") or schema.get("anyOf") or schema.get("oneOf"):
        return choices[0] if "enum" in schema else _example(document, choices[0], depth)
    kind = schema.get("type")
    if kind == "object":
        required = schema.get("required", ())
        fields = {n: s for n, s in schema.get("properties", {}).items() if n in required and depth < DEEPEST}
        return {name: _example(document, field, depth + 1) for name, field in fields.items()}
    if kind == "array":
        return [_example(document, schema.get("items", {}), depth + 1)] if depth < DEEPEST else []
    if kind in ("integer", "number"):
        return int(min(max(0, schema.get("minimum", 0)), schema.get("maximum", 2**31)))
    if kind == "boolean":
        return False
    return {"date-time": "2026-11-24T09:00:00Z", "date": "2026-11-24"}.get(schema.get("format", ""), "…")

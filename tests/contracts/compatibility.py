"""
Whether two schemas of an event understand each other, both ways (FULL).

Old readers get new events and new readers get old ones, for the log is for ever and services are replaced one by one.
What may change is text, and that a field is added which has a default true of the old events. Compared with every
release (`contracts/golden/*.schemas.json`), not with the last one only, it is FULL_TRANSITIVE: a field that was taken
away in one release cannot come back as another type in the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TEXT = {"description", "title", "$id", "$schema", "$defs"}
"""Says something to people and nothing to a reader of events."""

Schema = Mapping[str, Any]


def breaks(before: Schema, after: Schema) -> list[str]:
    """Why one of the two cannot read what is valid under the other; empty when both can."""
    return list(_breaks(_Part(before, before), _Part(after, after), str(before.get("title", "schema"))))


class _Part:
    """A piece of a schema, looked at through its references."""

    def __init__(self, schema: Schema, root: Schema) -> None:
        while "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            schema = {**root["$defs"][name], **{key: value for key, value in schema.items() if key != "$ref"}}
        self.schema, self.root = schema, root

    def at(self, *steps: str | int) -> _Part:
        found: Any = self.schema
        for step in steps:
            found = found[step]
        return _Part(found, self.root)

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.schema.get("properties", {})  # type: ignore[no-any-return]

    @property
    def required(self) -> set[str]:
        return set(self.schema.get("required", ()))


def _breaks(before: _Part, after: _Part, where: str) -> Iterator[str]:
    for name in before.fields.keys() | after.fields.keys():
        field = f"{where}.{name}"
        if name not in after.fields:
            yield f"{field} is gone: old readers need it; keep it, or publish a new event beside this one"
        elif name not in before.fields:
            if name in after.required:
                yield f"{field} is new and required: old events lack it; give it a default that is true of them"
        else:
            if (name in before.required) != (name in after.required):
                yield f"{field} is required in one and not in the other"
            yield from _breaks(before.at("properties", name), after.at("properties", name), field)
    for word in sorted((before.schema.keys() | after.schema.keys()) - TEXT - {"properties", "required"}):
        old, new = before.schema.get(word), after.schema.get(word)
        if word == "items" and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _breaks(before.at("items"), after.at("items"), f"{where}[]")
        elif word == "anyOf" and old and new and len(old) == len(new):
            for nth in range(len(old)):
                yield from _breaks(before.at("anyOf", nth), after.at("anyOf", nth), where)
        elif old != new:
            yield f"{where}: {word} was {old!r} and is {new!r}; publish a new event beside this one"

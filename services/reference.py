"""
The reference: what contracts, routes, settings and the command say of themselves, as pages and schemas.

    python -m services.reference            # writes what has changed; `make reference`

The same code gives the same bytes, and a test compares them with what is committed.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

import msgspec
import typer

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.topics import OF_ANY_SERVICE, PUBLISHERS, events_of, public_topic
from services import cli, settings
from services.chassis.bus.channels import asyncapi
from services.chassis.service import Service
from services.host import discover
from services.serving import whole_document
from services.settings import Settings

ROOT: Final = Path(__file__).parents[1]
SCHEMAS: Final = Path("contracts/schemas")
PAGES: Final = Path("docs/reference")
MADE: Final = "<!-- Made by `make reference`; what you write here is lost. -->\n"

Docs = Mapping[str, str]
"""Name of a field → the text that stands under it in the source."""


def documents() -> dict[Path, str]:
    """Every file of the reference, by its path in the repository."""
    kinds: list[type[Any]] = [Envelope, *_all_events()]
    schemas = {SCHEMAS / f"{kind.__name__}.json": _as_json(schema_of(kind)) for kind in kinds}
    return schemas | {
        PAGES / "events.md": events_page(),
        PAGES / "settings.md": settings_page(),
        PAGES / "cli.md": cli_page(),
        PAGES / "openapi.json": _as_json(whole_document()),
        PAGES / "asyncapi.json": asyncapi(),
    }


def _all_events() -> list[type[Event]]:
    return [*[event for publisher in PUBLISHERS for event in events_of(publisher)], *OF_ANY_SERVICE]


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


# What the source says of its fields.


def field_docs(module: ModuleType, name: str) -> Docs:
    """The docstrings of a class's fields, in one line each."""
    return {field: doc for field, _, doc in _fields(module, name) if doc}


def _fields(module: ModuleType, name: str) -> Iterator[tuple[str, ast.AnnAssign, str]]:
    tree = ast.parse(inspect.getsource(module))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            yield node.target.id, node, " ".join(cast(Any, after).value.value.split()) if said else ""


def _module_of(kind: type[Any]) -> ModuleType:
    return sys.modules[kind.__module__]


# Schemas.


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """JSON Schema of an event's payload, or of the envelope. `x-sealed-for` names the field of the person."""
    whole = json.loads(json.dumps(msgspec.json.schema(kind)))  # lists for tuples, as it will be read again
    parts = whole["$defs"]
    own: dict[str, Any] = parts.pop(kind.__name__)
    spelled = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    for name, doc in field_docs(_module_of(kind), kind.__name__).items():
        own["properties"][spelled[name]]["description"] = doc
    for name, person in getattr(kind, "PERSONAL", ()):
        own["properties"][name]["x-sealed-for"] = person
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:fieldloop:event:{kind.__name__}"}
    return head | own | ({"$defs": dict(sorted(parts.items()))} if parts else {})


# Events.


def events_page() -> str:
    services = discover()
    lines = [
        MADE,
        "# Events",
        "",
        "What is published, by whom, and who acts on it. On Kafka the public events of a service are the topic",
        "`fieldloop.<service>.v1`, keyed by the field named here; order is kept per key and nowhere else. Internal",
        "events stay in the journal of their service. A *sealed* text can be read while its person is not forgotten.",
        "Reporting takes in every public event and gives it out at `/v1/events`; it is named where a figure needs it.",
        "The envelope around each is [Envelope.json](../../contracts/schemas/Envelope.json), CloudEvents 1.0.",
        "",
    ]
    for publisher in PUBLISHERS:
        lines += [f"## {publisher}", "", f"Topic `{public_topic(publisher)}`.", ""]
        lines += ["| event | stream | acted on by | shown by |", "|---|---|---|---|"]
        for event in events_of(publisher):
            name = f"[{event.__name__}](#{event.__name__.lower()})" + ("" if event.PUBLIC else " (internal)")
            acts, shows = _who_acts(event, services), _who_shows(event, services)
            lines.append(f"| {name} | `{_stream(event)}` | {', '.join(acts)} | {', '.join(shows)} |")
        lines.append("")
        for event in events_of(publisher):
            lines += _event_section(event)
    lines += ["## of any service", "", "What operators decide about events that a service could not act on.", ""]
    for event in OF_ANY_SERVICE:
        lines += _event_section(event)
    return "\n".join(lines).rstrip() + "\n"


def _stream(event: type[Event]) -> str:
    return "/".join([event.STREAM, *[f"<{name}>" for name in event.OF]])


def _who_acts(event: type[Event], services: Mapping[str, Service]) -> list[str]:
    return [name for name, service in services.items() if any(event in policy.when for policy in service.policies)]


def _who_shows(event: type[Event], services: Mapping[str, Service]) -> list[str]:
    return [name for name, service in services.items() if any(event in view.reads for view in service.views)]


def _event_section(event: type[Event]) -> list[str]:
    name, sealed = event.__name__, dict(event.PERSONAL)
    key = f"`{event.KEY}`" if event.KEY else "its stream"
    lines = [f"### {name}", "", *inspect.cleandoc(event.__doc__ or "").splitlines(), ""]
    lines += [f"Key: {key}. [Schema](../../contracts/schemas/{name}.json).", ""]
    lines += ["| field | type | default | |", "|---|---|---|---|"]
    for field, node, doc in _fields(_module_of(event), name):
        kind = f"sealed text of `{sealed[field]}`" if field in sealed else f"`{_cell(ast.unparse(node.annotation))}`"
        default = f"`{_cell(ast.unparse(node.value))}`" if node.value else ""
        lines.append(f"| {field} | {kind} | {default} | {_cell(doc)} |")
    return [*lines, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# Settings.


def settings_page() -> str:
    lines = [
        MADE,
        "# Settings",
        "",
        "Read from the environment when a process starts. None of them changes what an event means or what a view",
        "shows: what does is an event itself.",
        "",
        "| variable | default | |",
        "|---|---|---|",
    ]
    for name, node, doc in _fields(settings, Settings.__name__):
        variable, _, said = doc.partition(":")
        default = str(getattr(Settings, name))
        if variable.rstrip(".") != f"FIELDLOOP_{name.upper()}":
            raise ValueError(
                f"begin the text under Settings.{name} with `FIELDLOOP_{name.upper()}:` and say what it is"
            )
        assert node.value is not None
        lines.append(f"| `FIELDLOOP_{name.upper()}` | {f'`{default}`' if default else ''} | {_cell(said.strip())} |")
    return "\n".join(lines) + "\n"


# The command.


def cli_page() -> str:
    top: Any = typer.main.get_command(cli.app)
    about = inspect.cleandoc(cli.__doc__ or "").splitlines()
    lines = [MADE, "# The command `fieldloop`", "", *about[2:], ""]
    lines += ["`fieldloop [--data DIR] COMMAND …`", ""]
    for command in top.commands.values():
        lines += _command("fieldloop", command)
    return "\n".join(lines).rstrip() + "\n"


def _command(prefix: str, command: Any) -> list[str]:
    name = f"{prefix} {command.name}"
    if children := getattr(command, "commands", None):
        return [line for child in children.values() for line in _command(name, child)]
    shown = [one for one in command.params if not one.hidden and one.name != "help"]
    arguments = [one.name.upper() for one in shown if one.param_type_name == "argument"]
    usage = " ".join([name, *arguments, *(["[OPTIONS]"] if len(shown) > len(arguments) else [])])
    lines = [f"## {name}", "", f"    {usage}", "", *inspect.cleandoc(command.help or "").splitlines(), ""]
    if shown:
        lines += ["| | default | |", "|---|---|---|"]
    for one in shown:
        spelled = one.name.upper() if one.param_type_name == "argument" else ", ".join(one.opts)
        default = "" if one.default in (None, False, "") else f"`{one.default}`"
        lines.append(f"| `{spelled}` | {'required' if one.required else default} | {_cell(one.help or '')} |")
    return [*lines, ""]


# Writing.


def unknown(root: Path = ROOT) -> list[Path]:
    """Schemas that no event stands behind: it was renamed or removed, which a contract does not allow."""
    known = documents()
    found = [path.relative_to(root) for path in (root / SCHEMAS).glob("*.json")]
    return sorted(path for path in found if path not in known)


def write(root: Path = ROOT) -> list[Path]:
    """Write what differs, and say what."""
    changed = []
    for path, text in documents().items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main() -> None:
    for path in write():
        print(path)
    if left := unknown():
        sys.exit(f"no event stands behind {', '.join(map(str, left))}: an event that was published is not taken back")


if __name__ == "__main__":
    main()

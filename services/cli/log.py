"""The commands that tell what is in the log."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from contracts.topics import PUBLISHER_OF, events_of
from services import offline
from services.audit.story import Instant, Line
from services.cli.console import Json, fail, instant, out, print_json, quiet, run, settings
from services.exporting.log import Format
from services.host import discover

LATE = timedelta(seconds=2)
"""What was known so much later than it happened is worth a word."""


def audit(
    subject: Annotated[str, typer.Argument(help="A request's id or number, or a stream such as engineer/E01")],
    at: Annotated[str, typer.Option(help="What had happened by then: 2026-11-24T14:05, in the local time zone")] = "",
    known_at: Annotated[str, typer.Option("--known-at", help="As far as it was known by then. Default: now")] = "",
    tenant: Annotated[str | None, typer.Option(help="Of one tenant it need not be said")] = None,
    as_json: Json = False,
) -> None:
    """
    Tell the whole story of a request across the services, and what the views showed of it at an instant.

    Who, what, when it happened, when it was known, and why: each event names the one that it answers. Texts about
    persons stay sealed. What was reported late is in the picture of an instant only from when it was known.

    Example: `fieldloop audit R-20261124-0007 --at 2026-11-24T14:05 --known-at 2026-11-24T14:05`
    """
    quiet()
    when = Instant(instant("--at", at), instant("--known-at", known_at))
    found = run(offline.audit(settings(), subject, tenant, when))
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    table = Table("", "happened", "known", "event", "by", "because of", title=f"{found.subject} of {found.tenant}")
    for one in found.story:
        late = one.known_at - one.happened_at
        known = f"{late.total_seconds():.0f} s later" if late >= LATE else ""
        # What the line has anyway is not said again: the request's own id, and the stream's.
        said = {name: value for name, value in one.said.items() if str(value) not in (found.subject, *_ids_of(one))}
        event = f"[bold]{one.type}[/bold] [dim]{escape(one.stream)}[/dim]\n{escape(_in_short(said))}"
        happened = f"{one.happened_at.astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3]
        table.add_row(str(one.number), happened, known, event, f"{one.actor} ({one.channel})", one.cause)
    out.print(table)
    for service, views in found.shown.items():
        for view in views:
            for row in view.rows:
                out.print(f"[bold]{service} {view.view}[/bold] {escape(_in_short(row))}", soft_wrap=True)
            if view.incomplete:
                out.print(f"[yellow]{service} {view.view}: {escape(view.incomplete)}", soft_wrap=True)
    out.print(f"{len(found.story)} events, {found.seconds} s")


def _ids_of(line: Line) -> list[str]:
    return line.stream.split("/")[1:]


def _in_short(row: Mapping[str, Any]) -> str:
    """What a row says, without what is empty."""
    return ", ".join(f"{name} {value}" for name, value in row.items() if value not in ("", None, [], {}))


def lag(as_json: Json = False) -> None:
    """
    Who is behind in reading the journals, by events and by seconds, and which events are held back and why.

    Held events are tried again with growing pauses; after half an hour they are parked until somebody has looked:
    `fieldloop deadletters`.
    """
    quiet()
    found = run(offline.behind(settings()))
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        late = [one for one in found.lags if one.events]
        table = Table("service", "reader", "events behind", "seconds behind")
        for one in late:
            events = f"{one.events}{' or more' if one.at_least else ''}"
            table.add_row(one.service, one.reader, events, str(one.seconds))
        out.print(table if late else f"all {len(found.lags)} readers have seen everything that concerns them")
        held = Table("service", "policy", "of", "event", "tries", "", "cause")
        for hold in found.held:
            state = "[red]parked" if hold.parked else "held"
            of = f"{hold.tenant} {hold.key}"
            held.add_row(hold.service, hold.policy, of, hold.event, str(hold.tries), state, escape(hold.reason))
        out.print(held if found.held else "no event is held back")
    if any(hold.parked for hold in found.held):
        raise typer.Exit(1)


def export(
    out_file: Annotated[Path, typer.Option("--out", help="The file to write")],
    form: Annotated[Format, typer.Option("--format", help="jsonl, xes, ocel2 or parquet")] = "jsonl",
    tenant: Annotated[str | None, typer.Option(help="Whose log; of one tenant it need not be said")] = None,
    as_json: Json = False,
) -> None:
    """
    Write the public events of a tenant for other tools: their records (jsonl), IEEE XES, OCEL 2.0, or Parquet.

    Each event once, from the journal of the service that recorded it; texts about persons stay sealed.

    Example: `fieldloop export --format ocel2 --out log.jsonocel`
    """
    quiet()
    if not out_file.absolute().parent.is_dir():
        fail(f"--out: there is no folder {out_file.absolute().parent}")
    done = run(offline.export_log(settings(), tenant, form, out_file))
    if as_json:
        print_json(asdict(done))
    else:
        of = {"xes": f" in {done.objects} traces", "ocel2": f" about {done.objects} objects"}.get(form, "")
        out.print(f"{done.events} events{of}: {out_file}", soft_wrap=True)


def events(as_json: Json = False) -> None:
    """Who publishes which events, who acts on them by a policy, and who shows them in a view."""
    services = discover()
    rows: list[dict[str, Any]] = []
    for publisher in services:
        for event in events_of(publisher):
            acts = [n for n, s in services.items() if any(event in policy.when for policy in s.policies)]
            reads = [n for n, s in services.items() if event.__name__ in s.takes or PUBLISHER_OF[event.__name__] == n]
            shown = [n for n in reads if n not in acts and any(event in view.reads for view in services[n].views)]
            meaning = inspect.cleandoc(event.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
            rows.append(
                {
                    "event": event.__name__,
                    "publisher": publisher,
                    "public": event.PUBLIC,
                    "acted_on_by": acts,
                    "shown_by": shown,
                    "meaning": meaning.partition(". ")[0].removesuffix(".") + ".",
                }
            )
    if as_json:
        print_json(rows)
        return
    for publisher in services:
        table = Table(title=f"published by {publisher}", title_justify="left", title_style="bold", expand=True)
        table.add_column("event", no_wrap=True, overflow="fold")
        for name, ratio in {"acted on by": 2, "shown by": 2, "meaning": 5}.items():
            table.add_column(name, ratio=ratio)
        for row in (one for one in rows if one["publisher"] == publisher):
            name = row["event"] if row["public"] else f"[dim]{row['event']} (internal)[/dim]"
            table.add_row(name, ", ".join(row["acted_on_by"]), ", ".join(row["shown_by"]), escape(row["meaning"]))
        out.print(table)

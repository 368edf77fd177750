"""The command that runs the log again."""

from __future__ import annotations

import os
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from services import offline
from services.cli.console import Json, bar, err, fail, instant, out, print_json, quiet, run, settings
from services.host import discover
from services.replaying.chosen import Choice, Place
from services.replaying.compare import Difference
from services.replaying.replay import Replayed


def replay(
    service: Annotated[str, typer.Option(help="Whose log and views; `all` for every service")] = "all",
    view: Annotated[list[str] | None, typer.Option(help="Only this view; may be repeated")] = None,
    first: Annotated[str, typer.Option("--from", help="The first position, or instant, as 2026-11-24T14:05")] = "",
    last: Annotated[str, typer.Option("--to", help="The last one, included")] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant's events")] = "",
    request: Annotated[str, typer.Option(help="Only this request's events: its id or number")] = "",
    speed: Annotated[str, typer.Option(help="Events a second, or `max`")] = "max",
    show: Annotated[int, typer.Option(help="Differences shown of each table", min=0)] = 3,
    swap: Annotated[bool, typer.Option("--swap", help="Put what was replayed in the place of what lives")] = False,
    as_json: Json = False,
) -> None:
    """
    Run the log, or a part of it, through the views again into a shadow copy, and tell how it differs from what lives.

    Only folds run: nothing is sent, asked or decided. SIGUSR1 pauses it and lets it go on. With --swap, which wants the
    whole log, the shadow is put in place in one step; a process that runs on these SQLite files must be stopped first.

    Example: `fieldloop replay --service dispatcher --to 2026-11-24T14:05 --speed 2000`
    """
    quiet()
    choice = Choice(_place("--from", first), _place("--to", last), tenant, request)
    names = list(discover()) if service == "all" else [service]
    with bar("events", None) as (progress, task):

        def told(paused: bool) -> None:
            err.print(f"paused; kill -USR1 {os.getpid()} goes on" if paused else "goes on")

        replaying = offline.replay_views(
            settings(),
            names,
            choice,
            views=view or (),
            speed=_speed(speed),
            show=show,
            swap=swap,
            progress=lambda events: progress.advance(task, events),
            told=told,
        )
        done = run(replaying)
    if as_json:
        print_json(msgspec.to_builtins(done))
    else:
        _tell(done, swap)
    if not swap and choice.is_all and not all(table.equal for one in done for table in one.tables):
        raise typer.Exit(1)


def _tell(done: list[Replayed], swap: bool) -> None:
    shown = Table("service", "view", "up to", "rows", "added", "missing", "changed", "")
    for one in done:
        for table in one.tables:
            state = "[red]stopped" if table.failed else "new" if table.is_new else "in place" if swap else ""
            counts = (table.position, table.rows, table.added, table.missing, table.changed)
            shown.add_row(one.service, table.view, *map(str, counts), state)
    out.print(shown)
    for one in done:
        for table in one.tables:
            if table.failed:
                out.print(f"[red]{one.service} {table.view}[/red] {escape(table.failed)}", soft_wrap=True)
            for difference in table.first:
                said = escape(_said(difference))
                out.print(f"[bold]{one.service} {table.view}[/bold] {difference.kind}: {said}", soft_wrap=True)
    events, seconds = sum(one.events for one in done), sum(one.seconds for one in done)
    out.print(f"{events} events replayed in {seconds:.1f} s; nothing was sent and nothing was decided")


def _said(one: Difference) -> str:
    key = ", ".join(f"{name} {value}" for name, value in one.key.items())
    match one.lives, one.replayed:
        case dict() as lives, dict() as replayed:
            return f"{key}: " + ", ".join(f"{name} is {lives[name]!r}, replayed {replayed[name]!r}" for name in lives)
        case lives, replayed:
            said: Any = lives if replayed is None else replayed
            return f"{key}: " + ", ".join(f"{name} {value}" for name, value in said.items() if value not in ("", None))


def _place(name: str, text: str) -> Place | None:
    if text.isdecimal():
        return int(text)
    return instant(name, text)


def _speed(text: str) -> int | None:
    if text == "max":
        return None
    if not text.isdecimal() or not int(text):
        fail(f"--speed is {text!r}: give events a second, as 2000, or max")
    return int(text)

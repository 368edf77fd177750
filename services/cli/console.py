"""What every command is written with: the settings, and how it speaks to a terminal or to a script."""

from __future__ import annotations

import logging
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.chassis import telemetry
from services.settings import Settings

T = TypeVar("T")

out, err = Console(), Console(stderr=True)
if not out.is_terminal:
    out.width = 200  # In a file or a pipe nobody's window is too narrow.

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts; progress and errors go to stderr")]


class Given:
    """What the options before the subcommand said."""

    data: Path | None = None


def settings(port: int | None = None) -> Settings:
    return Settings.from_env({"data": Given.data, "port": port})


def run(work: Coroutine[Any, Any, T]) -> T:
    return uvloop.run(work)


def quiet(level: int = logging.WARNING) -> None:
    """Only what a person must know, and on stderr: stdout is for what was asked."""
    telemetry.log_as_json(sys.stderr.buffer, level)


def fail(why: object, code: int = 2) -> NoReturn:
    err.print(str(why), style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


@contextmanager
def bar(title: str, total: int | None) -> Iterator[tuple[Progress, Any]]:
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[say]}"),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield progress, progress.add_task(title, total=total, say="")


def instant(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        # Without a zone it is the machine's, as on the clock on the wall.
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        fail(f"{name} is {text!r}: give an instant, as 2026-11-24T14:05 or 2026-11-24T06:05Z")

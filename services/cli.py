"""
The command `fieldloop`: runs the services, and works on their stores.

Every subcommand finds the stores where `--data` or FIELDLOOP_DATA says. Exit codes: 0 done, 1 something was found
wrong, 2 the command could not do its work.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import httpx
import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from contracts.topics import PUBLISHER_OF, events_of
from services import offline
from services.chassis import telemetry
from services.chassis.auth import ROLES, Principal
from services.chassis.clock import SystemClock
from services.chassis.journal.sqlite import InUse
from services.host import discover
from services.importing.mapping import BadMapping
from services.importing.rows import Unusable
from services.serving import run, tokens_of
from services.settings import BadSetting, Settings

T = TypeVar("T")

app = typer.Typer(
    help="Fieldloop: from a customer's request to the figures that improve the next one.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
importing = typer.Typer(help="Take in what another system recorded.", no_args_is_help=True)
app.add_typer(importing, name="import")

out, err = Console(), Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


class _Given:
    """What the options before the subcommand said."""

    data: Path | None = None


@app.callback()
def main_options(
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the stores lie. Default: FIELDLOOP_DATA, else .fieldloop")
    ] = None,
) -> None:
    _Given.data = data


def settings(port: int | None = None) -> Settings:
    return Settings.from_env({"data": _Given.data, "port": port})


def _run(work: Coroutine[Any, Any, T]) -> T:
    return uvloop.run(work)


def _fail(why: object, code: int = 2) -> NoReturn:
    err.print(f"[red]{type(why).__name__}[/red]: {why}" if isinstance(why, Exception) else str(why))
    raise typer.Exit(code)


def _print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[tuple[Progress, Any]]:
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[say]}"),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        yield progress, progress.add_task(title, total=total, say="")


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Default: FIELDLOOP_PORT, else 8080")] = None,
) -> None:
    """Run all six services and the gateway in this process, until Ctrl-C."""
    _serve("all", settings(port=port))


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="A service, or `gateway`")],
    port: Annotated[int | None, typer.Option(help="Default: FIELDLOOP_PORT, else 8080")] = None,
) -> None:
    """Run one service by itself, or the gateway before such services, until SIGTERM."""
    _serve(service, settings(port=port))


def _serve(what: str, chosen: Settings) -> None:
    telemetry.log_as_json()
    _run(
        run(chosen, what, lambda address: err.print(f"{what} answers at {address}; its API is shown at {address}/docs"))
    )


@app.command()
def demo(
    requests: Annotated[int, typer.Option(help="How many requests go through the loop", min=1)] = 40,
    seed: Annotated[int, typer.Option(help="The same seed, the same company and the same customers")] = 1,
    once: Annotated[bool, typer.Option(help="End when the requests are through, instead of serving on")] = False,
    as_json: Json = False,
    port: Annotated[int | None, typer.Option(help="Default: FIELDLOOP_PORT, else 8080")] = None,
) -> None:
    """Found an invented repair company and drive live requests through the whole loop."""
    from services.demo.run import run_demo

    telemetry.log_as_json(level=30)
    # What ends by itself needs no address that anybody knows.
    chosen = settings(port=0 if once and port is None else port)
    outcome = _run(run_demo(chosen, requests=requests, seed=seed, once=once, as_json=as_json, console=err))
    if outcome.invariant_violations or not outcome.rebuild_identical or not outcome.chain_verified:
        raise typer.Exit(1)


@importing.command("history")
def import_history(
    file: Annotated[Path, typer.Argument(help="CSV or XES, also with .gz", exists=True, dir_okay=False)],
    mapping: Annotated[Path, typer.Option(help="What its columns and statuses mean; deploy/mappings/ has one")],
    tenant: Annotated[str, typer.Option(help="Whose history it is")] = "default",
    rejects: Annotated[Path | None, typer.Option(help="Where bad rows are listed. Default: FILE.rejects.csv")] = None,
    as_json: Json = False,
) -> None:
    """
    Record another system's service log as events at the time they happened.

    Running it again records what is missing and repeats nothing. History does not act: no timer, no assignment, no
    message. Rows that cannot be used are listed with line and reason.
    """
    telemetry.log_as_json(level=30)
    listed = rejects or file.with_name(file.name + ".rejects.csv")
    with _bar("rows", None) as (progress, task):

        def tell(done: Any) -> None:
            progress.update(task, completed=done.rows, say=f"{done.bytes_read * 100 // max(1, done.bytes_all)} %")

        imported = _run(offline.import_file(settings(), file, mapping, tenant=tenant, rejects=listed, progress=tell))
    if as_json:
        _print_json(asdict(imported) | {"rejects": str(listed)})
    else:
        out.print(f"{imported.recorded} rows of {imported.cases} cases recorded, {imported.repeated} known before")
    if imported.rejected:
        err.print(f"{imported.rejected} rows could not be used: {listed} lists them with line and reason")
    if imported.incomplete:
        _fail(f"the file could not be read to its end: {imported.incomplete}", code=1)


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="efficiency, quality, utilisation or incident-kpis")],
    tenant: Annotated[str, typer.Option(help="Whose figures")] = "default",
    first: Annotated[str, typer.Option("--from", help="First day, 2026-11-01")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day, included")] = "",
    backlog_on: Annotated[list[str] | None, typer.Option(help="incident-kpis: days at whose begin to count")] = None,
    as_json: Json = False,
) -> None:
    """Print the figures of a report."""
    telemetry.log_as_json(level=30)
    asked = {"from": first, "to": last, "backlog_on": backlog_on or []}
    answer = _run(offline.report(settings(), name, tenant, {key: value for key, value in asked.items() if value}))
    if as_json:
        sys.stdout.write(json.dumps({f["name"]: f["value"] for f in answer["figures"]}, ensure_ascii=False) + "\n")
        return
    table = Table("figure", "value", "unit", "what it is", title=answer["title"]["en"])
    for figure in answer["figures"]:
        table.add_row(figure["name"], str(figure["value"]), figure["unit"], figure["definition"]["en"])
    out.print(table)


@app.command()
def rebuild(
    service: Annotated[str, typer.Argument(help="Whose views; `all` for every service")],
    check: Annotated[bool, typer.Option("--check", help="Only compare; put nothing in place")] = False,
    as_json: Json = False,
) -> None:
    """Fold a service's views anew from its journal, compare them with those that live, and put them in place."""
    telemetry.log_as_json(level=30)
    names = list(discover()) if service == "all" else [service]
    with _bar("events", None) as (progress, task):
        results = _run(offline.rebuild(settings(), names, check, lambda read: progress.advance(task, read)))
    if as_json:
        _print_json([asdict(result) for result in results])
    else:
        table = Table("service", "view", "rows agree", "first difference")
        for result in results:
            table.add_row(result.service, result.view, "yes" if result.identical else "[red]no", result.difference)
        out.print(table)
    if not all(result.identical for result in results):
        raise typer.Exit(1)


@app.command()
def verify(as_json: Json = False) -> None:
    """Check every journal: hash chains, positions, versions, what went between services, the business's invariants."""
    telemetry.log_as_json(level=30)
    with _bar("records", None) as (progress, task):
        found = _run(offline.verify_stores(settings(), lambda read: progress.advance(task, read)))
    if as_json:
        _print_json(found)
    else:
        out.print(f"{found.events} records in {found.seconds} s: {found.violations} violations")
        for finding in found.findings[:50]:
            out.print(f"  [red]{finding.rule}[/red] {finding.service} position {finding.position}: {finding.what}")
        for name, behind in found.behind.items():
            out.print(f"  {name} has {behind} published events still to take in")
    if found.violations:
        raise typer.Exit(1)


@app.command()
def events(as_json: Json = False) -> None:
    """Who publishes which events, and who acts on them or reads them."""
    services = discover()
    rows: list[dict[str, Any]] = []
    for publisher in services:
        for event in events_of(publisher):
            acts = [n for n, s in services.items() if any(event in policy.when for policy in s.policies)]
            reads = [n for n, s in services.items() if event.__name__ in s.takes or PUBLISHER_OF[event.__name__] == n]
            shown = [n for n in reads if n not in acts and any(event in view.reads for view in services[n].views)]
            meaning = (event.__doc__ or "").strip().splitlines()[0]
            rows.append(
                {
                    "event": event.__name__,
                    "publisher": publisher,
                    "public": event.PUBLIC,
                    "acted_on_by": acts,
                    "shown_by": shown,
                    "meaning": meaning,
                }
            )
    if as_json:
        _print_json(rows)
        return
    table = Table("event", "published by", "acted on by", "shown by", "meaning")
    for row in rows:
        name = str(row["event"]) if row["public"] else f"[dim]{row['event']} (internal)[/dim]"
        table.add_row(
            name, str(row["publisher"]), ", ".join(row["acted_on_by"]), ", ".join(row["shown_by"]), str(row["meaning"])
        )
    out.print(table)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this installation has, what is behind, and what is missing with the command that mends it."""
    telemetry.log_as_json(level=40)
    checks = _run(offline.examine(settings()))
    if as_json:
        _print_json([asdict(check) for check in checks])
    else:
        table = Table("", "what", "finding", "to mend it")
        for check in checks:
            table.add_row("[green]ok" if check.well else "[red]!!", check.what, check.finding, check.remedy)
        out.print(table)
    if not all(check.well for check in checks):
        raise typer.Exit(1)


@app.command()
def token(
    role: Annotated[str, typer.Argument(help=", ".join(ROLES))],
    tenant: Annotated[str, typer.Option()] = "default",
    person: Annotated[str, typer.Option(help="Of a customer, engineer or partner: whose things it opens")] = "",
) -> None:
    """Print a bearer token, good for fifteen minutes; for whoever may read the installation's key file."""
    chosen = settings()
    try:
        signed = tokens_of(chosen, SystemClock()).issue(Principal(f"cli-{role}", tenant, role, person, "api"))
    except ValueError as wrong:
        _fail(wrong)
    sys.stdout.write(signed + "\n")


def main() -> None:
    """What the entry point calls: errors that a user can mend are one line, and no traceback."""
    try:
        app()
    except (BadSetting, BadMapping, Unusable, InUse, offline.CannotDo, httpx.HTTPError, OSError) as wrong:
        err.print(f"[red]{wrong}[/red]")
        sys.exit(2)


if __name__ == "__main__":
    main()

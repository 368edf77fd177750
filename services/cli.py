"""
The command `fieldloop`: runs the services, and works on their stores.

Every subcommand finds the stores where `--data` or FIELDLOOP_DATA says. Exit codes: 0 done, 1 something was found
wrong, 2 the command could not do its work.
"""

from __future__ import annotations

import inspect
import json
import logging
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import asyncpg
import httpx
import msgspec
import typer
import uvloop
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from contracts.topics import PUBLISHER_OF, events_of
from services import doctor as doctors
from services import offline
from services.accounts import users_commands
from services.audit.story import Instant, Line
from services.chassis import telemetry
from services.chassis.auth import ONLY_THEIR_OWN, ROLES, Principal
from services.chassis.clock import SystemClock
from services.chassis.journal.sqlite import InUse
from services.chassis.journal.store import OtherFormat
from services.demo.people import Unexpected
from services.exporting.log import Format
from services.host import discover
from services.importing.mapping import BadMapping
from services.importing.rows import Unusable
from services.redriving.commands import deadletter_commands
from services.serving import run, tokens_of
from services.settings import BadSetting, Settings

T = TypeVar("T")

LATE = timedelta(seconds=2)
"""What was known so much later than it happened is worth a word."""

MOST_SHOWN = 50
"""Findings on a screen."""

app = typer.Typer(
    help="""
    Fieldloop: from a customer's request to the figures that improve the next one.

    Begin with `fieldloop demo`; then `fieldloop report efficiency`, `fieldloop events`, `fieldloop verify`.
    """,
    epilog="Exit codes: 0 done, 1 something was found wrong, 2 the command could not do its work. "
    "Settings are read from FIELDLOOP_DATA, FIELDLOOP_PORT, FIELDLOOP_BUS, FIELDLOOP_STORE: docs/reference/settings.md",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
importing = typer.Typer(help="Take in what another system recorded.", no_args_is_help=True)
app.add_typer(importing, name="import")

out, err = Console(), Console(stderr=True)
if not out.is_terminal:
    out.width = 200  # In a file or a pipe nobody's window is too narrow.

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts; progress and errors go to stderr")]


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


app.add_typer(users_commands(settings, SystemClock(), out, err), name="users")
app.add_typer(deadletter_commands(settings, out, err), name="deadletters")


def _run(work: Coroutine[Any, Any, T]) -> T:
    return uvloop.run(work)


def _quiet(level: int = logging.WARNING) -> None:
    """Only what a person must know, and on stderr: stdout is for what was asked."""
    telemetry.log_as_json(sys.stderr.buffer, level)


def _fail(why: object, code: int = 2) -> NoReturn:
    err.print(str(why), style="red", markup=False, highlight=False, soft_wrap=True)
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
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
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

    def tell(address: str) -> None:
        err.print(f"{what} answers at {address}; its API is shown at {address}/docs", soft_wrap=True)

    _run(run(chosen, what, tell))


@app.command()
def demo(
    requests: Annotated[int, typer.Option(help="How many requests go through the loop", min=1)] = 40,
    seed: Annotated[int, typer.Option(help="The same seed, the same company and the same customers")] = 1,
    once: Annotated[bool, typer.Option("--once", help="End when the requests are through, not serve on")] = False,
    as_json: Json = False,
    port: Annotated[
        int | None, typer.Option(help="Default: FIELDLOOP_PORT, else 8080; with --once any free one")
    ] = None,
) -> None:
    """
    Found an invented repair company and drive live requests through the whole loop.

    What happened is counted and proved upon the stores, which stay in the data folder. Then the API serves on, until
    Ctrl-C. With FIELDLOOP_URL, the same upon the system that answers there.
    """
    from services.demo.run import run_demo
    from services.demo.table import table_of

    _quiet()
    # What ends by itself needs no address that anybody knows.
    chosen = settings(port=0 if once and port is None else port)

    def show(outcome: Any) -> None:
        if as_json:
            _print_json(outcome)
        else:
            out.print(table_of(outcome))
        sys.stdout.flush()

    day = run_demo(chosen, requests=requests, seed=seed, once=once, guide=not as_json, show=show, console=err)
    outcome = _run(day)
    if outcome and (outcome.invariant_violations or not outcome.rebuild_identical or not outcome.chain_verified):
        raise typer.Exit(1)


@importing.command("history")
def import_history(
    file: Annotated[Path, typer.Argument(help="CSV or XES, also with .gz", exists=True, dir_okay=False)],
    mapping: Annotated[Path, typer.Option(help="What its columns and statuses mean; deploy/mappings/ has one")],
    tenant: Annotated[str, typer.Option(help="Whose history it is")] = "default",
    rejects: Annotated[
        Path | None, typer.Option(help="Where bad rows are listed. Default: rejects/FILE.csv in the data folder")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Record another system's service log as events at the time they happened.

    Running it again records what is missing and repeats nothing. History does not act: no timer, no assignment, no
    message. Rows that cannot be used are listed with line and reason.

    Example: `fieldloop import history log.csv.gz --mapping deploy/mappings/bpic2013.yaml`
    """
    _quiet()
    chosen = settings()
    listed = rejects or chosen.folder("rejects") / f"{file.name}.csv"
    with _bar("rows", None) as (progress, task):

        def tell(done: Any) -> None:
            progress.update(task, completed=done.rows, say=f"{done.bytes_read * 100 // max(1, done.bytes_all)} %")

        imported = _run(offline.import_file(chosen, file, mapping, tenant=tenant, rejects=listed, progress=tell))
    if as_json:
        _print_json(asdict(imported) | {"rejects": str(listed)})
    else:
        out.print(f"{imported.recorded} rows of {imported.cases} cases recorded, {imported.repeated} known before")
        out.print(f"the figures: fieldloop report incident-kpis --tenant {tenant}")
    if imported.rejected:
        told = f"{imported.rejected} rows could not be used: {listed} lists them with line and reason"
        err.print(told, soft_wrap=True)
    if imported.incomplete:
        _fail(f"the file could not be read to its end: {imported.incomplete}", code=1)


@app.command()
def report(
    name: Annotated[
        str,
        typer.Argument(help="efficiency, quality, utilisation, dispatch, costs, complaints, staff or incident-kpis"),
    ],
    tenant: Annotated[
        str | None, typer.Option(help="Whose figures. Default: the only tenant's there is, else `default`'s")
    ] = None,
    first: Annotated[str, typer.Option("--from", help="First day, 2026-11-01")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day, included")] = "",
    zone: Annotated[str, typer.Option(help="In which days begin. Default: the tenant's")] = "",
    by: Annotated[str, typer.Option(help="Group by region, engineer, model, type or channel")] = "",
    period: Annotated[str, typer.Option(help="Tell them by day, week or month")] = "",
    format_: Annotated[
        str, typer.Option("--format", help="csv, xlsx or parquet: a row for each figure and group")
    ] = "",
    to_file: Annotated[Path | None, typer.Option("--out", help="With --format, where to; else stdout")] = None,
    backlog_on: Annotated[list[str] | None, typer.Option(help="incident-kpis: days at whose begin to count")] = None,
    as_json: Json = False,
) -> None:
    """
    Print the figures of a report, each with what it is, or write them to a file.

    Example: `fieldloop report efficiency --by region --period month --format xlsx --out regions.xlsx`
    """
    _quiet()
    asked = {"from": first, "to": last, "zone": zone, "by": by, "period": period, "backlog_on": backlog_on or []}
    asked = {key: value for key, value in asked.items() if value}
    if format_ or to_file:
        _write(_run(offline.report_file(settings(), name, tenant, asked | {"format": format_ or "csv"})), to_file)
        return
    answer = _run(offline.report(settings(), name, tenant, asked))
    if as_json and answer["groups"]:
        _print_json(answer["groups"])
        return
    if as_json:
        sys.stdout.write(json.dumps({f["name"]: f["value"] for f in answer["figures"]}, ensure_ascii=False) + "\n")
        return
    others = [one for one in answer["tenants"] if one != answer["tenant"]]
    caption = f"of the tenant {answer['tenant']}" + (f"; --tenant shows {', '.join(others)}" if others else "")
    table = Table("figure", "value", "unit", "what it is", title=answer["title"]["en"], caption=caption)
    for figure in answer["figures"]:
        if figure["unit"] != "table":
            value = _shown(figure["value"], figure["unit"])
            table.add_row(figure["name"], value, figure["unit"], figure["definition"]["en"])
    out.print(table)
    for figure in answer["figures"]:
        if figure["unit"] == "table" and figure["value"]:
            out.print(f"{figure['name']}: {figure['definition']['en']}", markup=False, highlight=False)
            out.print(_rows_of(figure))

    if answer["groups"]:
        out.print(_groups_of(answer))


def _write(content: bytes, to_file: Path | None) -> None:
    if to_file:
        to_file.write_bytes(content)
        err.print(f"{len(content)} bytes in {to_file}", soft_wrap=True)
    else:
        sys.stdout.buffer.write(content)


def _groups_of(answer: dict[str, Any]) -> Table:
    """A line for each figure and group; the numbers that a figure is the quotient of beside it."""
    table = Table(
        answer["by"] or "all", answer["period"] or "whole range", "figure", "value", "numerator", "denominator"
    )
    for group in answer["groups"]:
        for name, told in group["figures"].items():
            sums = [_shown(told[one]) for one in ("numerator", "denominator")]
            table.add_row(escape(group["value"]), group["period"], name, _shown(told["value"]), *sums)
    return table


def _rows_of(figure: dict[str, Any]) -> Table:
    rows = figure["value"]
    if isinstance(rows, dict):
        rows = [{"": of, **(said if isinstance(said, dict) else {"value": said})} for of, said in rows.items()]
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    return table


def _shown(value: object, unit: str = "") -> str:
    """A figure for a person; what there was nothing to measure for is no zero."""
    match value:
        case None:
            return "–"
        case list():
            return ", ".join(map(_shown, value))
        case float() if unit == "hours" and 0 <= value < 0.1:
            return f"{value} ({value * 3600:.0f} s)" if value else "0.0 (a few seconds at most)"
        case _:
            return str(value)


@app.command()
def rebuild(
    service: Annotated[str, typer.Argument(help="Whose views; `all` for every service")],
    check: Annotated[bool, typer.Option("--check", help="Only compare; put nothing in place")] = False,
    as_json: Json = False,
) -> None:
    """Fold a service's views anew from its journal, compare them with those that live, and put them in place."""
    _quiet()
    names = list(discover()) if service == "all" else [service]
    with _bar("events", None) as (progress, task):
        results = _run(offline.rebuild(settings(), names, check, lambda read: progress.advance(task, read)))
    if as_json:
        _print_json([asdict(result) for result in results])
    else:
        table = Table("service", "view", "rows agree", "first difference")
        for result in results:
            agree = "yes" if result.identical else "[green]mended" if result.put_in_place else "[red]no"
            table.add_row(result.service, result.view, agree, escape(result.difference))
        out.print(table)
    if not all(result.well for result in results):
        raise typer.Exit(1)


@app.command()
def verify(
    proof: Annotated[str, typer.Option(help="Prove one request instead: its id; see --out")] = "",
    out_file: Annotated[Path, typer.Option("--out", help="Where the proof is written")] = Path("proof.json"),
    tenant: Annotated[str | None, typer.Option(help="Whose request; of one tenant it need not be said")] = None,
    as_json: Json = False,
) -> None:
    """
    Check every journal: chains, positions, versions, signed checkpoints, what went between services, business rules.

    It only reads, also beside a running system. Each violation is told with its service and position. With --proof,
    what is recorded of one request is written as a file that `python deploy/check_proof.py` checks by itself.
    """
    _quiet()
    if proof:
        shown = _run(offline.prove(settings(), tenant, proof))
        out_file.write_text(json.dumps(shown, ensure_ascii=False), "utf-8")
        records = sum(len(part["records"]) for part in shown["journals"].values())
        out.print(f"{records} records of request {proof} proved in {out_file}; to check it:", soft_wrap=True)
        out.print(f"  python deploy/check_proof.py {out_file} {shown['key']}", soft_wrap=True, highlight=False)
        return
    with _bar("records", None) as (progress, task):
        found = _run(offline.verify_stores(settings(), lambda read: progress.advance(task, read)))
    if as_json:
        _print_json(found)
    else:
        whole = "every hash chain is whole" if found.chain else "[red]a hash chain is broken[/red]"
        out.print(f"{found.events} records in {found.seconds} s: {found.violations} violations; {whole}")
        signed = "they are as signed" if found.checkpoints else "[red]they are not as signed[/red]"
        out.print(f"held against {found.checkpoints_checked} signed checkpoints: {signed}")
        for finding in found.findings[:MOST_SHOWN]:
            told = escape(finding.what)
            out.print(f"  [red]{finding.rule}[/red] {finding.service} position {finding.position}: {told}")
        if len(found.findings) > MOST_SHOWN:
            out.print(f"  and {len(found.findings) - MOST_SHOWN} more: --json prints them")
        for name, behind in found.behind.items():
            out.print(f"  {name} has {behind} published events still to take in; it does when it runs")
    if found.violations:
        raise typer.Exit(1)


@app.command()
def forget(
    person: Annotated[str, typer.Argument(help="The id of a customer or an engineer")],
    tenant: Annotated[str, typer.Option(help="Of which tenant")] = "default",
    by: Annotated[str, typer.Option(help="Who decided it, for the ledger of those who were forgotten")] = "operator",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts")] = False,
    as_json: Json = False,
) -> None:
    """
    Forget a person: destroy the key under which everything said about them is sealed. It cannot be undone.

    Names, phones, addresses, texts, photos and signatures are unreadable at once, in a running system within a minute,
    and also after an older backup was put back. Figures and the hash chains stay as they are.
    """
    _quiet()
    if not yes:
        typer.confirm(f"Nobody will read again what is said about {person} of {tenant}. Go on?", abort=True, err=True)
    done = _run(offline.forget_person(settings(), tenant, person, by))
    if as_json:
        _print_json(asdict(done))
    elif done.had_key:
        out.print(f"{person} of {tenant} is forgotten; accounts taken away: {done.accounts}")
    else:
        out.print(f"{person} of {tenant} was forgotten before")


@app.command()
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
    _quiet()
    instant = Instant(_instant("--at", at), _instant("--known-at", known_at))
    found = _run(offline.audit(settings(), subject, tenant, instant))
    if as_json:
        _print_json(msgspec.to_builtins(found))
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


def _instant(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        # Without a zone it is the machine's, as on the clock on the wall.
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        _fail(f"{name} is {text!r}: give an instant, as 2026-11-24T14:05 or 2026-11-24T06:05Z")


def _in_short(row: Mapping[str, Any]) -> str:
    """What a row says, without what is empty."""
    return ", ".join(f"{name} {value}" for name, value in row.items() if value not in ("", None, [], {}))


@app.command()
def lag(as_json: Json = False) -> None:
    """
    Who is behind in reading the journals, by events and by seconds, and which events are held back and why.

    Held events are tried again with growing pauses; after half an hour they are parked until somebody has looked:
    `fieldloop deadletters`.
    """
    _quiet()
    found = _run(offline.behind(settings()))
    if as_json:
        _print_json(msgspec.to_builtins(found))
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


@app.command()
def export(
    out_file: Annotated[Path, typer.Option("--out", help="The file to write")],
    form: Annotated[Format, typer.Option("--format", help="jsonl, xes or ocel2")] = "jsonl",
    tenant: Annotated[str | None, typer.Option(help="Whose log; of one tenant it need not be said")] = None,
    as_json: Json = False,
) -> None:
    """
    Write the public events of a tenant for other tools: their records (jsonl), IEEE XES, or OCEL 2.0.

    Each event once, from the journal of the service that recorded it; texts about persons stay sealed.

    Example: `fieldloop export --format ocel2 --out log.jsonocel`
    """
    _quiet()
    if not out_file.absolute().parent.is_dir():
        _fail(f"--out: there is no folder {out_file.absolute().parent}")
    done = _run(offline.export_log(settings(), tenant, form, out_file))
    if as_json:
        _print_json(asdict(done))
    else:
        of = {"jsonl": "", "xes": f" in {done.objects} traces", "ocel2": f" about {done.objects} objects"}[form]
        out.print(f"{done.events} events{of}: {out_file}", soft_wrap=True)


@app.command()
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
        _print_json(rows)
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


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this installation has, what is behind, and what is missing with the command that mends it."""
    _quiet(logging.CRITICAL)
    checks = _run(doctors.examine_all(settings))
    if as_json:
        _print_json([asdict(check) for check in checks])
    else:
        table = Table("", "what", "finding", "to mend it")
        for check in checks:
            told = map(escape, (check.what, check.finding, check.remedy))
            table.add_row("[green]ok" if check.well else "[red]!!", *told)
        out.print(table)
    if not all(check.well for check in checks):
        raise typer.Exit(1)


@app.command()
def token(
    role: Annotated[str, typer.Argument(help=", ".join(ROLES))],
    tenant: Annotated[str, typer.Option()] = "default",
    person: Annotated[str, typer.Option(help="Of a customer, engineer or partner: whose things it opens")] = "",
) -> None:
    """
    Print a bearer token, good for fifteen minutes; for whoever may read the installation's key file.

    Example: `curl -H "Authorization: Bearer $(fieldloop token manager --tenant demo)" localhost:8080/v1/orders`
    """
    if role not in ROLES:
        _fail(f"there is no role {role!r}: give one of {', '.join(ROLES)}")
    if role in ONLY_THEIR_OWN and not person:
        _fail(f"a {role} sees only what is their own: say whose with --person, as --person C001")
    principal = Principal(f"cli-{role}", tenant, role, person, "api")
    sys.stdout.write(tokens_of(settings(), SystemClock()).issue(principal) + "\n")


def main() -> None:
    """What the entry point calls: errors that a user can mend are one line, and no traceback."""
    # It tells by itself what it raises as well.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app()
    except (BadSetting, BadMapping, Unusable, InUse, OtherFormat, offline.CannotDo) as wrong:
        _end(wrong)
    except Unexpected as wrong:
        _end(wrong, code=1)
    except (httpx.TransportError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as wrong:
        _end(_named(wrong))


def _named(wrong: Exception) -> str:
    """What went wrong at a neighbour, with the setting that says where it is."""
    chosen, why = settings(), str(wrong) or type(wrong).__name__
    match wrong:
        case httpx.TransportError():
            return f"FIELDLOOP_URL is {chosen.url!r}, and nobody answers there ({why}): start it, or unset it"
        case KafkaError():
            return f"FIELDLOOP_BUS is {chosen.bus!r}, and Kafka does not answer there ({why}): `make up` starts one"
        case asyncpg.UndefinedTableError() | asyncpg.InvalidSchemaNameError():
            return f"FIELDLOOP_STORE is {chosen.store!r}, where nothing is recorded yet ({why}): run `fieldloop demo`"
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return f"FIELDLOOP_STORE is {chosen.store!r}: {why}"
        case ConnectionError() | TimeoutError() if chosen.dsn:
            return f"FIELDLOOP_STORE is {chosen.store!r}, and PostgreSQL does not answer there ({why}): `make up`"
        case _:
            return why


def _end(why: object, code: int = 2) -> NoReturn:
    err.print(str(why), style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()

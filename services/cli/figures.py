"""The commands about history and figures: what another system recorded comes in, reports come out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from services import offline
from services.cli.console import Json, bar, err, fail, out, print_json, quiet, run, settings


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
    quiet()
    chosen = settings()
    listed = rejects or chosen.folder("rejects") / f"{file.name}.csv"
    with bar("rows", None) as (progress, task):

        def tell(done: Any) -> None:
            progress.update(task, completed=done.rows, say=f"{done.bytes_read * 100 // max(1, done.bytes_all)} %")

        imported = run(offline.import_file(chosen, file, mapping, tenant=tenant, rejects=listed, progress=tell))
    if as_json:
        print_json(asdict(imported) | {"rejects": str(listed)})
    else:
        out.print(f"{imported.recorded} rows of {imported.cases} cases recorded, {imported.repeated} known before")
        out.print(f"the figures: fieldloop report incident-kpis --tenant {tenant}")
    if imported.rejected:
        told = f"{imported.rejected} rows could not be used: {listed} lists them with line and reason"
        err.print(told, soft_wrap=True)
    if imported.incomplete:
        fail(f"the file could not be read to its end: {imported.incomplete}", code=1)


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
    quiet()
    asked = {"from": first, "to": last, "zone": zone, "by": by, "period": period, "backlog_on": backlog_on or []}
    asked = {key: value for key, value in asked.items() if value}
    if format_ or to_file:
        _write(run(offline.report_file(settings(), name, tenant, asked | {"format": format_ or "csv"})), to_file)
        return
    answer = run(offline.report(settings(), name, tenant, asked))
    if as_json and answer["groups"]:
        print_json(answer["groups"])
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

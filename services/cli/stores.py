"""The commands that check and mend what is stored."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services import offline
from services.cli.console import Json, bar, out, print_json, quiet, run, settings
from services.host import discover

MOST_SHOWN = 50
"""Findings on a screen."""


def rebuild(
    service: Annotated[str, typer.Argument(help="Whose views; `all` for every service")],
    check: Annotated[bool, typer.Option("--check", help="Only compare; put nothing in place")] = False,
    ahead: Annotated[bool, typer.Option("--ahead", help="Fold what this release will serve; see below")] = False,
    as_json: Json = False,
) -> None:
    """
    Fold a service's views anew from its journal, compare them with those that live, and put them in place.

    A process that runs on these SQLite files must be stopped first, unless only to --check. With --ahead a new release
    folds the views that it serves in another version, beside an old one that runs on; it takes them when it starts.
    """
    quiet()
    names = list(discover()) if service == "all" else [service]
    if ahead:
        with bar("events", None) as (progress, task):
            folded = run(offline.fold_ahead(settings(), names, lambda read: progress.advance(task, read)))
        if as_json:
            print_json(folded)
        for name, position in () if as_json else folded.items():
            done = "serves this release's already" if position is None else f"folded up to record {position}"
            out.print(f"{name}: {done}")
        return
    with bar("events", None) as (progress, task):
        results = run(offline.rebuild(settings(), names, check, lambda read: progress.advance(task, read)))
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        table = Table("service", "view", "rows agree", "first difference")
        for result in results:
            agree = "yes" if result.identical else "[green]mended" if result.put_in_place else "[red]no"
            table.add_row(result.service, result.view, agree, escape(result.difference))
        out.print(table)
    if not all(result.well for result in results):
        raise typer.Exit(1)


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
    quiet()
    if proof:
        shown = run(offline.prove(settings(), tenant, proof))
        out_file.write_text(json.dumps(shown, ensure_ascii=False), "utf-8")
        records = sum(len(part["records"]) for part in shown["journals"].values())
        out.print(f"{records} records of request {proof} proved in {out_file}; to check it:", soft_wrap=True)
        out.print(f"  python deploy/check_proof.py {out_file} {shown['key']}", soft_wrap=True, highlight=False)
        return
    with bar("records", None) as (progress, task):
        found = run(offline.verify_stores(settings(), lambda read: progress.advance(task, read)))
    if as_json:
        print_json(found)
    else:
        whole = "every hash chain is whole" if found.chain else "[red]a hash chain is broken[/red]"
        out.print(f"{found.events} records in {found.seconds} s: {found.violations} violations; {whole}")
        signed = "they are as signed" if found.checkpoints else "[red]they are not as signed[/red]"
        out.print(f"held against {found.checkpoints_checked} signed checkpoints: {signed}")
        for one in found.restored:
            gone = max(0, one.signed_before - one.position)
            what = f"was put back to record {one.position}; {gone} records that had been signed went with it"
            out.print(f"  {one.service} {what} ({one.at:%Y-%m-%d %H:%M} UTC, signed)", soft_wrap=True)
        for finding in found.findings[:MOST_SHOWN]:
            told = escape(finding.what)
            out.print(f"  [red]{finding.rule}[/red] {finding.service} position {finding.position}: {told}")
        if len(found.findings) > MOST_SHOWN:
            out.print(f"  and {len(found.findings) - MOST_SHOWN} more: --json prints them")
        for name, behind in found.behind.items():
            out.print(f"  {name} has {behind} published events still to take in; it does when it runs")
    if found.violations:
        raise typer.Exit(1)


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
    quiet()
    if not yes:
        typer.confirm(f"Nobody will read again what is said about {person} of {tenant}. Go on?", abort=True, err=True)
    done = run(offline.forget_person(settings(), tenant, person, by))
    if as_json:
        print_json(asdict(done))
    elif done.had_key:
        out.print(f"{person} of {tenant} is forgotten; accounts taken away: {done.accounts}")
    else:
        out.print(f"{person} of {tenant} was forgotten before")

"""The command `fieldloop what-if`: a past time dispatched again by other rules, beside what was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from pydantic import ValidationError
from rich.table import Table

from contracts import envelope as envelopes
from contracts.dispatcher import DispatchRulesSet
from dispatcher.commands import RuleFigures
from dispatcher.domain.whatif import Again
from dispatcher.service import service
from services.cli.console import Json, fail, instant, out, print_json, quiet, run, settings
from services.offline.stores import only_one, readers

PAGE = 2_000


def what_if(
    since: Annotated[
        str, typer.Option(help="From then on: 2026-11-24T08:00, in the local time zone. Default: all")
    ] = "",
    until: Annotated[str, typer.Option(help="Before then. Default: now")] = "",
    rule: Annotated[
        list[str] | None, typer.Option(help="A figure of the dispatch rules: points_a_booking=0. May be said again")
    ] = None,
    without: Annotated[list[str] | None, typer.Option(help="An engineer who is not there. May be said again")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of one tenant it need not be said")] = None,
    as_json: Json = False,
) -> None:
    """
    Dispatch a past time again, by other rules or with fewer engineers, and show both side by side.

    First the recorded rules are run: they must come to the recorded plan, decision by decision; the command ends with 1
    where they do not. What persons decided stays as it was.

    Example: `fieldloop what-if --rule points_a_booking=0 --without E05`
    """
    quiet()
    figures = _figures(rule or [])
    first = instant("--since", since) or datetime(1970, 1, 1, tzinfo=UTC)
    last = instant("--until", until) or datetime(9999, 1, 1, tzinfo=UTC)
    events = run(_events(tenant))
    recorded = Again(first, last).follow(events)
    told: dict[str, Any] = {"recorded": recorded.told()}
    if figures or without:

        def changed(rules: DispatchRulesSet) -> DispatchRulesSet:
            return msgspec.structs.replace(rules, **figures)

        told["what_if"] = Again(first, last, changed, frozenset(without or ())).follow(events).told()
    if as_json:
        print_json(told)
    else:
        table = Table("", *told)
        for name in told["recorded"]:
            table.add_row(name, *[str(one[name]) for one in told.values()])
        out.print(table)
    if recorded.same != recorded.decisions:
        raise typer.Exit(1)


def _figures(said: list[str]) -> dict[str, Any]:
    pairs = dict(one.partition("=")[::2] for one in said)
    if unknown := pairs.keys() - RuleFigures.model_fields.keys():
        known = ", ".join(RuleFigures.model_fields)
        fail(f"--rule {', '.join(sorted(unknown))}: there is no such figure; give one of {known}")
    try:
        return RuleFigures.model_validate(pairs).model_dump(include=set(pairs))
    except ValidationError as wrong:
        return fail(f"--rule {wrong.errors()[0]['loc'][0]}: {wrong.errors()[0]['msg']}")


async def _events(tenant: str | None) -> list[Any]:
    """What the dispatcher recorded, in its order."""
    found: list[Any] = []
    async with readers(settings(), [service.name]) as journals:
        journal, after = journals[service.name], 0
        whose = tenant or only_one(sorted((await journal.head()).chains))
        while entries := await journal.read(after, PAGE):
            after = entries[-1].position
            for entry in entries:
                one = envelopes.read(entry.record)
                if one.tenant == whose and one.service == service.name and envelopes.is_known(one.type):
                    found.append(envelopes.payload(one))
    return found

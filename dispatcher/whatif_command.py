"""The command `fieldloop what-if`: a past time dispatched again by other rules, beside what was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from pydantic import ValidationError
from rich.table import Table

from contracts import envelope as envelopes
from contracts.dispatcher import DispatchRulesSet, EngineerRegistered, RulesDrafted
from dispatcher.commands import RuleFigures
from dispatcher.domain.dispatch_rules import DEFAULTS, figures_of
from dispatcher.domain.whatif import AS_IT_WAS, Again, Otherwise
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
    like: Annotated[list[str] | None, typer.Option(help="One more engineer such as this. May be said again")] = None,
    skill: Annotated[
        list[str] | None, typer.Option(help="What an engineer can do beside: E05=cooling, or E05=cooling:3")
    ] = None,
    stocked: Annotated[
        list[str] | None, typer.Option(help="A van that has every part that is expected, or `all`. May be said again")
    ] = None,
    version: Annotated[int | None, typer.Option(help="By this version of the dispatch rules; 0: the defaults")] = None,
    draft: Annotated[str, typer.Option(help="By this draft of the dispatch rules")] = "",
    tenant: Annotated[str | None, typer.Option(help="Of one tenant it need not be said")] = None,
    as_json: Json = False,
) -> None:
    """
    Dispatch a past time again, by other rules, with other engineers, skills or parts, and show both side by side.

    First the recorded rules are run: they must come to the recorded plan, decision by decision; the command ends with 1
    where they do not. What persons decided stays as it was.

    Example: `fieldloop what-if --rule points_a_booking=0 --like E05 --skill E07=cooling`
    """
    quiet()
    figures = _figures(rule or [])
    first = instant("--since", since) or datetime(1970, 1, 1, tzinfo=UTC)
    last = instant("--until", until) or datetime(9999, 1, 1, tzinfo=UTC)
    events = run(_events(tenant))
    recorded = Again(first, last).follow(events)
    told: dict[str, Any] = {"recorded": recorded.told()}
    rules = _rules_of(events, version, draft) | figures
    _must_be_known(events, [*(without or []), *(like or []), *[one.partition("=")[0] for one in skill or []]])
    otherwise = Otherwise(
        (lambda known: msgspec.structs.replace(known, **rules)) if rules else None,
        frozenset(without or ()),
        tuple(like or ()),
        tuple(_skill(one) for one in skill or ()),
        frozenset(stocked or ()),
    )
    if otherwise != AS_IT_WAS:
        told["what_if"] = Again(first, last, otherwise).follow(events).told()
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


def _rules_of(events: list[Any], version: int | None, draft: str) -> dict[str, Any]:
    """The figures of a version or of a draft, as the log has them."""
    found: dict[str, Any] = figures_of(DEFAULTS) if version == 0 else {}
    for one in events:
        match one:
            case DispatchRulesSet(version=number) if number == version:
                found = figures_of(one)
            case RulesDrafted(draft_id=name) if name == draft:
                found = figures_of(one)
            case _:
                pass
    if not found and (draft or version is not None):
        fail(f"there is no draft {draft}" if draft else f"--version {version}: there is no such version of the rules")
    return found


def _must_be_known(events: list[Any], engineer_ids: list[str]) -> None:
    known = {one.engineer_id for one in events if isinstance(one, EngineerRegistered)}
    if unknown := [one for one in engineer_ids if one not in known]:
        fail(f"there is no engineer {', '.join(unknown)}; known are {', '.join(sorted(known)[:20])}")


def _skill(said: str) -> tuple[str, str, int]:
    engineer_id, _, skill = said.partition("=")
    name, _, level = skill.partition(":")
    if not name or (level and level not in "12345"):
        fail(f"--skill {said}: give it as E05=cooling, or with a level of 1 to 5 as E05=cooling:3")
    return engineer_id, name, int(level or 1)


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

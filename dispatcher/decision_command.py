"""The command `fieldloop decision`: why her and not another, from the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from contracts import envelope as envelopes
from contracts.dispatcher import DecisionRecorded
from contracts.envelope import Envelope
from contracts.problems import Rejected
from dispatcher.domain import decision
from dispatcher.domain.again import DECIDED, again, reads
from dispatcher.service import service
from services.chassis.journal.as_of import states_before
from services.chassis.journal.store import JournalStore, Wanted
from services.cli.console import Json, fail, out, print_json, quiet, run, settings
from services.offline.stores import only_one, readers


@dataclass(frozen=True)
class Found:
    envelope: Envelope
    record: DecisionRecorded
    again: DecisionRecorded | Rejected | None


def decision_of(
    subject: Annotated[str, typer.Argument(metavar="ID", help="A decision's id; or an order's, for its last one")],
    once_more: Annotated[bool, typer.Option("--again", help="Decide it again from the record")] = False,
    tenant: Annotated[str | None, typer.Option(help="Of one tenant it need not be said")] = None,
    as_json: Json = False,
) -> None:
    """
    Tell why an engineer was chosen: who was considered, at what cost, and which rules said no.

    With --again what was asked is decided again, upon the log as it was before; the command ends with 1 where the
    answer is another one.

    Example: `fieldloop decision 0198c0de-0000-7000-8000-000000000001 --again`
    """
    quiet()
    found = run(_found(subject, tenant, once_more))
    if found is None:
        fail(f"nothing was decided of {subject}: give the id of a decision or of an order that somebody was given")
    told = _told(found)
    if as_json:
        print_json(told)
    else:
        _print(told)
    if told.get("same") is False:
        raise typer.Exit(1)


async def _found(subject: str, tenant: str | None, once_more: bool) -> Found | None:
    async with readers(settings(), [service.name]) as journals:
        journal = journals[service.name]
        whose = tenant or only_one(sorted((await journal.head()).chains))
        envelope = await _recorded(journal, whose, subject)
        if envelope is None:
            return None
        record = envelopes.payload(envelope)
        assert isinstance(record, DecisionRecorded)
        same: DecisionRecorded | Rejected | None = None
        if once_more:
            position = int(envelope.position)
            same = again(record, await states_before(journal, service.rules, whose, reads(record), position))
        return Found(envelope, record, same)


async def _recorded(journal: JournalStore, tenant: str, subject: str) -> Envelope | None:
    streams = {(tenant, decision.stream(subject, command)) for command, _, _ in DECIDED.values()}
    known = await journal.load(Wanted(streams=streams, events={subject}))
    if subject in known.events:
        [entry] = await journal.read(known.events[subject] - 1, 1)
        one = envelopes.read(entry.record)
        return one if (one.type, one.tenant) == (DecisionRecorded.__name__, tenant) else None
    of_order = [envelopes.read(record) for records in known.streams.values() for record in records]
    return max(of_order, key=lambda one: int(one.position), default=None)


def _told(found: Found) -> dict[str, Any]:
    told: dict[str, Any] = {
        "decision_id": found.envelope.id,
        "decided_at": found.envelope.recorded_at.isoformat(),
        "actor": found.envelope.actor,
        **msgspec.to_builtins(found.record),
        "asked": msgspec.json.decode(found.record.asked),
    }
    if found.again is not None:
        refused = isinstance(found.again, Rejected)
        told["same"] = found.again == found.record
        told["again"] = {"refused": found.again.code} if refused else msgspec.to_builtins(found.again)  # type: ignore[union-attr]
    return told


def _print(told: dict[str, Any]) -> None:
    who = f"order {told['order_id']}: {told['engineer_id']}, {told['starts_at']} to {told['ends_at']}"
    table = Table("engineer", "day", "points", "rules", title=who)
    for one in told["considered"]:
        points = "" if one.get("cost") is None else str(one["cost"])
        table.add_row(one["engineer_id"], one.get("day", ""), points, ", ".join(one.get("rules", ())))
    out.print(table)
    reason = told["asked"].get("reason", "")
    lines = [
        f"{told['command']} by {told['actor']} at {told['decided_at']}{': ' + reason if reason else ''}",
        f"dispatch rules {told['rules_version']}, ways {told['travel_hash'][:16]}, seed {told['seed']}",
    ]
    if "same" in told:
        lines.append("decided again: " + ("the same" if told["same"] else f"another answer, {told['again']}"))
    for line in lines:
        out.print(line, markup=False)

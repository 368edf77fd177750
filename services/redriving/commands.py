"""The subcommands of `fieldloop deadletters`: what no service could act on, for whoever sees to it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.operations import TAKE_IN
from services.chassis import telemetry
from services.chassis.readers.stuck import Stuck, grouped
from services.deadletters.desk import Which
from services.redriving.stores import discarded, redriven, services_named, shown, stuck_in
from services.settings import Settings

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")]
Service = Annotated[str, typer.Option(help="Of this service only")]
Tenant = Annotated[str, typer.Option(help="Of this tenant only")]
Policy = Annotated[str, typer.Option(help=f"What this policy holds; {TAKE_IN} for messages that cannot be read")]
Key = Annotated[str, typer.Option(help="Of this key only, such as a request's id")]
Cause = Annotated[str, typer.Option(help="Whose cause begins so; ids and numbers in it do not count")]
Reason = Annotated[str, typer.Option(help="Why; it is recorded with your name. Write no customer's name")]

MOST_SHOWN = 20


def deadletter_commands(settings: Callable[[], Settings], out: Console, err: Console) -> typer.Typer:
    """The commands, over the stores of these settings."""
    app = typer.Typer(
        help="What no service could act on: by cause, to be tried again or discarded.", no_args_is_help=True
    )

    def run(work: Coroutine[Any, Any, T]) -> T:
        # What fails again is told by the command; a log of it between would be read twice.
        telemetry.log_as_json(sys.stderr.buffer, logging.CRITICAL)
        return uvloop.run(work)

    def fail(why: str) -> NoReturn:
        err.print(why, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2)

    @app.command("list")
    def list_(
        service: Service = "",
        tenant: Tenant = "",
        policy: Policy = "",
        key: Key = "",
        cause: Cause = "",
        as_json: Json = False,
    ) -> None:
        """
        What is held, parked or cannot be read, by cause; the exit code is 1 where something waits for a person.

        Held events are tried again by themselves; parked ones wait until somebody has looked.
        """
        found = run(stuck_in(settings(), services_named(service), tenant, Which(policy, key, cause)))
        groups = grouped(found)
        if as_json:
            _print_json({"groups": groups, "items": found})
        elif not found:
            out.print("nothing is held, parked or unreadable")
        else:
            table = Table("service", "policy", "keys", "parked", "events", "since", "example", "cause")
            for group in groups:
                since = f"{group.oldest.astimezone():%Y-%m-%d %H:%M}" if group.oldest else ""
                counts = map(str, (group.keys, group.parked, group.events))
                table.add_row(group.service, group.policy, *counts, since, escape(group.example), escape(group.cause))
            out.print(table)
            out.print("to look into one: fieldloop deadletters show KEY; to try again: fieldloop deadletters redrive")
        if any(one.parked for one in found):
            raise typer.Exit(1)

    @app.command()
    def show(
        key: Annotated[str, typer.Argument(help="A key, such as a request's id; of a message its partition")],
        service: Service = "",
        tenant: Tenant = "",
        policy: Policy = "",
        as_json: Json = False,
    ) -> None:
        """Every event that waits with a key, in the order in which it will be tried, and the cause of the first."""
        found = run(stuck_in(settings(), services_named(service), tenant, Which(policy, key)))
        if not found:
            fail(f"nothing is stuck of {key}: `fieldloop deadletters list` shows what is")
        told = {(one.service, one.policy, one.tenant): run(shown(settings(), one)) for one in found}
        if as_json:
            names = ("service", "policy", "tenant")
            _print_json([dict(zip(names, at, strict=True)) | {"events": events} for at, events in told.items()])
            return
        for (of, name, whose), events in told.items():
            table = Table(
                "position", "event", "known", "by", "tries", "", "cause", title=f"{of}: {name} of {whose} {key}"
            )
            for event in events:
                state = "[red]parked" if event.parked else "held"
                about = f"{event.event}\n[dim]{escape(_in_short(event.said))}[/dim]"
                tries, cause = str(event.tries), escape(event.cause)
                table.add_row(str(event.position), about, event.known_at[:19], event.actor, tries, state, cause)
            out.print(table)

    @app.command()
    def redrive(
        reason: Reason,
        service: Service = "",
        tenant: Tenant = "",
        policy: Policy = "",
        key: Key = "",
        cause: Cause = "",
        as_json: Json = False,
    ) -> None:
        """
        Try again, each key from its oldest event on and in order. Recorded: who, when, why.

        Example: `fieldloop deadletters redrive --cause "KeyError" --reason "mended in 1.0.3"`
        """
        which = Which(policy, key, cause)
        found = run(stuck_in(settings(), services_named(service), tenant, which))
        of = sorted({(one.service, one.tenant or tenant) for one in found})
        if any(not whose for _, whose in of):
            fail("some of these messages say no tenant: give --tenant, in whose journal it is to be recorded")
        left: list[Stuck] = []
        for name, whose in of:
            left += run(redriven(settings(), name, whose, which, reason))
        if as_json:
            _print_json({"tried": len(found), "left": left})
        else:
            out.print(f"{len(found)} keys tried again" + (f", {len(left)} of them still held" if left else ""))
        if left:
            raise typer.Exit(1)

    @app.command()
    def discard(
        service: Annotated[str, typer.Argument(help="Whose it is, as `list` shows it")],
        policy: Annotated[str, typer.Argument(help="That holds it")],
        key: Annotated[str, typer.Argument(help="Whose oldest event it is")],
        reason: Reason,
        tenant: Tenant = "",
        position: Annotated[int | None, typer.Option(help="Of the event, or of the message in its partition")] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts")] = False,
    ) -> None:
        """
        Settle the oldest held event of a key by hand: this policy will not act on it, and the next one follows.

        The event stays in the journal, and all others have read it. Recorded: who, when, why.
        """
        found = run(stuck_in(settings(), services_named(service), tenant, Which(policy, key)))
        if position is not None:
            found = [one for one in found if one.position == position]
        if len(found) != 1:
            fail(f"{len(found)} are meant: `fieldloop deadletters list` shows them; say --position and --tenant")
        [one] = found
        whose = one.tenant or tenant
        if not whose:
            fail("the message says no tenant: give --tenant, in whose journal it is to be recorded")
        what = f"{one.event or 'message'} {one.position}"
        if not yes:
            typer.confirm(f"{policy} will never act on {what}. Go on?", abort=True, err=True)
        run(discarded(settings(), one, whose, reason))
        out.print(f"{what} of {key} is discarded")

    return app


def _in_short(said: Any) -> str:
    if not isinstance(said, dict):
        return ""
    return ", ".join(f"{name} {value}" for name, value in said.items() if value not in ("", None, [], {}))[:300]


def _print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")

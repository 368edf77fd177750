"""The subcommands of `fieldloop users`: who may sign in, kept in one file of the data folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from services.chassis.auth import CHANNELS, ROLES
from services.chassis.clock import EPOCH, Clock
from services.gateway.users import FILE, Account, changing, hashed, read_users
from services.settings import Settings

LEAST, MOST = 12, 200
"""Characters of a password."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")]


def users_commands(settings: Callable[[], Settings], clock: Clock, out: Console, err: Console) -> typer.Typer:
    """The commands, over the accounts of these settings."""
    app = typer.Typer(help="Who may sign in. Running processes see a change at once.", no_args_is_help=True)

    @app.command()
    def add(
        user: Annotated[str, typer.Argument(help="What they sign in with; one word for all tenants together")],
        role: Annotated[str, typer.Option(help=", ".join(ROLES))] = "",
        tenant: Annotated[str, typer.Option(help="Default: `default`")] = "",
        name: Annotated[str, typer.Option(help="What they are called")] = "",
        person: Annotated[str, typer.Option(help="Of a customer, engineer or partner: whose things they see")] = "",
        channel: Annotated[str, typer.Option(help=f"Where what they send comes from: {', '.join(CHANNELS)}")] = "",
        event: Annotated[
            list[str] | None,
            typer.Option(help="Of a partner: a type of event to be read at /v1/events; may be repeated"),
        ] = None,
        change: Annotated[
            bool, typer.Option("--replace", help="Change an account; what is not given stays, sessions end")
        ] = False,
    ) -> None:
        """
        Add an account. The password is asked, or read from the first line of stdin; it is kept as Argon2id.

        Example: `fieldloop users add li@acme --role dispatcher --tenant acme --name 李`
        """
        given: dict[str, Any] = {"role": role, "tenant": tenant, "name": name, "person_id": person, "channel": channel}
        given = {field: value for field, value in given.items() if value}
        with changing(settings().data / FILE) as accounts:
            known = accounts.get(user)
            if known and not change:
                _fail(err, f"{user} has an account: say --replace to change it, or choose another name")
            if known:
                given = {field: getattr(known, field) for field in _KEPT} | given
            elif change:
                _fail(err, f"{user} has no account: leave --replace out")
            elif not role:
                _fail(err, f"say what {user} may do: --role with one of {', '.join(ROLES)}")
            given |= {"events": tuple(event)} if event else {}
            account = _account({"tenant": "default"} | given | {"user": user, "password": "unset"}, err)
            kept = hashed(_password(user, err))
            accounts[user] = replace(account, password=kept, sessions_from=_now(clock) if known else 0)
        out.print(f"{user} may sign in as {account.role} of {account.tenant}", soft_wrap=True)

    @app.command()
    def suspend(
        user: Annotated[str, typer.Argument(help="Whose account")],
        undo: Annotated[bool, typer.Option("--undo", help="Let them sign in again")] = False,
    ) -> None:
        """Let nobody sign in with an account any more; the tokens that it has are good no more, either."""
        with changing(settings().data / FILE) as accounts:
            if user not in accounts:
                _fail(err, f"{user} has no account: `fieldloop users list` shows those there are")
            accounts[user] = replace(accounts[user], suspended=not undo, sessions_from=_now(clock))
        out.print(f"{user} may sign in again" if undo else f"{user} is suspended", soft_wrap=True)

    @app.command("list")
    def show(as_json: Json = False) -> None:
        """The accounts; never a password, nor what is kept of one."""
        accounts = sorted(read_users(settings().data / FILE), key=lambda one: (one.tenant, one.user))
        if as_json:
            rows = [{field: getattr(one, field) for field in _SHOWN} for one in accounts]
            sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
            return
        table = Table("tenant", "user", "role", "name", "person", "channel", "events", "")
        for one in accounts:
            state = "suspended" if one.suspended else ""
            told = (one.tenant, one.user, one.role, one.name, one.person_id, one.channel, ", ".join(one.events), state)
            table.add_row(*told)
        out.print(table)

    return app


_KEPT = ("role", "tenant", "name", "person_id", "channel", "events")
_SHOWN = ("user", *_KEPT, "suspended")


def _account(given: dict[str, Any], err: Console) -> Account:
    try:
        return Account(**given)
    except ValueError as wrong:
        _fail(err, wrong)


def _password(user: str, err: Console) -> str:
    """Asked at a terminal, twice; else one line of stdin. An argument could be read in the list of processes."""
    if sys.stdin.isatty():
        password: str = typer.prompt(f"Password of {user}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not LEAST <= len(password) <= MOST:
        _fail(err, f"a password has {LEAST} to {MOST} characters; this one has {len(password)}")
    return password


def _now(clock: Clock) -> int:
    return int((clock.now() - EPOCH).total_seconds())


def _fail(err: Console, why: object) -> NoReturn:
    err.print(str(why), style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)

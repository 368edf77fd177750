"""The commands about this installation itself."""

from __future__ import annotations

import logging
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services import doctor as doctors
from services.chassis.auth import ONLY_THEIR_OWN, ROLES, Principal
from services.chassis.clock import SystemClock
from services.cli.console import Json, fail, out, print_json, quiet, run, settings
from services.serving import tokens_of


def doctor(as_json: Json = False) -> None:
    """What this installation has, what is behind, and what is missing with the command that mends it."""
    quiet(logging.CRITICAL)
    checks = run(doctors.examine_all(settings))
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        table = Table("", "what", "finding", "to mend it")
        for check in checks:
            told = map(escape, (check.what, check.finding, check.remedy))
            table.add_row("[green]ok" if check.well else "[red]!!", *told)
        out.print(table)
    if not all(check.well for check in checks):
        raise typer.Exit(1)


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
        fail(f"there is no role {role!r}: give one of {', '.join(ROLES)}")
    if role in ONLY_THEIR_OWN and not person:
        fail(f"a {role} sees only what is their own: say whose with --person, as --person C001")
    principal = Principal(f"cli-{role}", tenant, role, person, "api")
    sys.stdout.write(tokens_of(settings(), SystemClock()).issue(principal) + "\n")

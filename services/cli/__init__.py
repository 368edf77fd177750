"""
The command `fieldloop`: runs the services, and works on their stores.

Every subcommand finds the stores where `--data` or FIELDLOOP_DATA says. Exit codes: 0 done, 1 something was found
wrong, 2 the command could not do its work.
"""

from __future__ import annotations

import logging
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, NoReturn

import asyncpg
import httpx
import typer
from aiokafka.errors import KafkaError

from services import offline
from services.accounts import users_commands
from services.chassis.clock import SystemClock
from services.chassis.journal.sqlite import InUse
from services.chassis.journal.store import OtherFormat
from services.cli import figures, installation, log, replaying, restoring, running, stores
from services.cli.console import Given, err, out, settings
from services.demo.people import Unexpected
from services.importing.mapping import BadMapping
from services.importing.rows import Unusable
from services.redriving.commands import deadletter_commands
from services.settings import BadSetting

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


@app.callback()
def main_options(
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the stores lie. Default: FIELDLOOP_DATA, else .fieldloop")
    ] = None,
) -> None:
    Given.data = data


for command in (
    running.up,
    running.serve,
    running.demo,
    figures.report,
    stores.rebuild,
    replaying.replay,
    restoring.backup,
    restoring.restore,
    restoring.republish,
    stores.verify,
    stores.forget,
    log.audit,
    log.lag,
    log.export,
    log.events,
    installation.doctor,
    installation.token,
):
    app.command()(command)

for of_a_service in sorted(entry_points(group="fieldloop.commands"), key=lambda entry: entry.name):
    app.command(of_a_service.name)(of_a_service.load())

importing = typer.Typer(help="Take in what another system recorded.", no_args_is_help=True)
importing.command("history")(figures.import_history)
app.add_typer(importing, name="import")
app.add_typer(users_commands(settings, SystemClock(), out, err), name="users")
app.add_typer(deadletter_commands(settings, out, err), name="deadletters")


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

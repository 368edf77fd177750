"""The commands that copy the stores and put them back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from services import offline
from services.cli.console import Json, bar, err, fail, out, print_json, quiet, run, settings

Passphrase = Annotated[
    Path | None, typer.Option(help="A file whose first line is the passphrase of the keys, 12 characters or more")
]
LEAST_PASSPHRASE = 12


def _passphrase(file: Path | None) -> bytes:
    """Empty where none is said."""
    if file is None:
        return b""
    try:
        first, _, _ = file.read_bytes().partition(b"\n")
    except OSError as error:
        fail(f"--passphrase-file {file}: {error.strerror}")
    if len(first.strip()) < LEAST_PASSPHRASE:
        fail(f"--passphrase-file {file}: its first line must have {LEAST_PASSPHRASE} characters")
    return first.strip()


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder")],
    tenant: Annotated[
        str, typer.Option(help="Only what is this tenant's, to be taken to an installation of their own")
    ] = "",
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """
    Copy all stores into a folder, while the services go on: journals, photos, keys.

    The journals are of one moment. Views are left out, they are folded again. The keys of persons lie in `keys/`: keep
    that apart from the rest, and for a shorter time. With --passphrase-file they are sealed under the first line of
    that file: without it a backup that is stolen opens nothing, and neither do you. Keep it elsewhere.

    With --tenant it is all that a tenant has here: `fieldloop restore` puts it into an empty installation, where every
    table is as it was.
    """
    quiet()
    with bar("stores", 6) as (progress, task):
        copying = offline.make_backup(
            settings(),
            folder,
            lambda name: progress.advance(task),
            tenant=tenant,
            passphrase=_passphrase(passphrase_file),
        )
        made = run(copying)
    if as_json:
        print_json(msgspec.to_builtins(made))
        return
    table = Table("service", "records")
    for name, copied in made.stores.items():
        table.add_row(name, str(copied.position))
    out.print(table)
    keys = "its keys are sealed" if passphrase_file else f"keep {folder / 'keys'} apart from it"
    out.print(f"the backup is in {folder}; {keys}", soft_wrap=True)


def restore(
    source: Annotated[str, typer.Argument(help="The folder of a backup; with --from-topic, a service")],
    from_topic: Annotated[
        bool, typer.Option("--from-topic", help="Refill this service's lost journal from its topic on Kafka")
    ] = False,
    other: Annotated[
        list[str] | None, typer.Option("--other", help="SERVICE=DIR: that one from another backup; may be repeated")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Move aside the journals that are there")] = False,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """
    Put all stores back from a backup, or one service's lost journal from its topic. The services must be stopped.

    Backups of different moments are made to agree: who has taken in what another has not got is set back to right
    before, and what is taken away is kept in `set-aside/`. What others have beyond, each takes in again when it runs.
    Who was forgotten stays forgotten.
    """
    quiet()
    if from_topic:
        done = [run(offline.restore_from_topic(settings(), source, replace=replace))]
    else:
        others = {}
        for given in other or ():
            name, equals, folder = given.partition("=")
            if not equals or not folder:
                fail(f"--other is {given!r}: give SERVICE=DIR")
            others[name] = Path(folder)
        with bar("stores", 6) as (progress, task):
            restoring = offline.restore_backup(
                settings(),
                Path(source),
                others,
                replace=replace,
                progress=lambda name: progress.advance(task),
                passphrase=_passphrase(passphrase_file),
            )
            done = run(restoring)
    if as_json:
        print_json([asdict(one) for one in done])
        return
    table = Table("service", "records", "of the backup", "of the topic", "set back", "signed and gone")
    for one in done:
        counts = (one.position, one.from_backup, one.from_topic, one.set_back, one.signed_and_gone)
        table.add_row(one.service, *map(str, counts))
    out.print(table)
    for one in done:
        if one.set_aside:
            err.print(escape(f"what {one.service} was set back by is in {one.set_aside}"), soft_wrap=True)
    out.print("start the services; then `fieldloop verify` says whether all is well")


def republish(
    service: Annotated[str, typer.Argument(help="Whose topics were lost")],
    as_json: Json = False,
) -> None:
    """
    Fill a service's topics on Kafka from its journal again. The services must be stopped.

    Whoever takes in from them begins at their start and drops what it has.
    """
    quiet()
    with bar("records", None) as (progress, task):
        sent = run(offline.republish(settings(), service, lambda count: progress.advance(task, count)))
    if as_json:
        print_json({"service": service, "records": sent})
    else:
        out.print(f"{sent} records of {service} are in its topics again")

"""The command `fieldloop day`: a published day, played through the services."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def day(
    file: Annotated[Path, typer.Argument(help="Release dates of a dynamic TRSP instance", exists=True)],
    seconds: Annotated[
        float, typer.Option(help="How long to look for a better plan at each release; 0: insertion alone", min=0.0)
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of chance")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
) -> None:
    """
    Play a published day through intake, dispatcher, fieldwork and inventory, on a clock that waits for nobody.

    What was served and refused, the working time and the rules that were broken are those that the services recorded.
    The stores are made for the day and removed. A broken rule ends the command with 1.

    Example: `fieldloop day R103.100_25-5-5-5_rd_50.txt --json`
    """
    try:
        # Other commands do without what these import.
        from dispatcher.planning.day import lived, violations
        from dispatcher.planning.formats import files
        from dispatcher.planning.formats.benchmark import ReleasedBenchmark
        from dispatcher.planning.model import Unfit
        from services.cli.console import quiet
        from services.demo.people import Unexpected
    except ModuleNotFoundError as missing:
        typer.secho(f"{missing.name} is not installed: pip install 'fieldloop[planning]'", fg="red", err=True)
        raise typer.Exit(2) from None
    quiet()
    begun = time.monotonic()
    try:
        benchmark = files.read(file)
        if not isinstance(benchmark, ReleasedBenchmark):
            raise Unfit(f"{file.name} says not when requests are released: give a file of trsp-dyn")
        found = asyncio.run(lived(benchmark, seconds, seed))
    except (Unfit, Unexpected) as wrong:
        typer.secho(str(wrong), fg="red", err=True)
        raise typer.Exit(2) from None
    broken = violations(found)
    visits = benchmark.problem.problem.visits
    told = {
        "instance": benchmark.name,
        "format": benchmark.format,
        "requests": len(visits),
        "served": len(found.played.plan.served),
        "refused": [visits[i].id for i in found.played.refused],
        "working_duration": round(found.checked.cost / found.unit, 3),
        "seconds_a_unit": found.unit,
        "violations": [{"rule": one.rule, "text": one.text} for one in broken],
        "services": found.counts,
        "seconds": round(time.monotonic() - begun, 3),
    }
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        for key in ("instance", "requests", "served", "refused", "working_duration", "services", "seconds"):
            typer.echo(f"{key:17} {told[key]}")
        for violation in broken:
            typer.echo(f"broken            {violation.rule}: {violation.text}")
    if broken:
        raise typer.Exit(1)

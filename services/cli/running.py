"""The commands that run the services."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from services.chassis import telemetry
from services.cli.console import Json, err, out, print_json, quiet, run, settings
from services.serving import run as run_services
from services.settings import Settings


def up(
    port: Annotated[int | None, typer.Option(help="Default: FIELDLOOP_PORT, else 8080")] = None,
) -> None:
    """Run all six services and the gateway in this process, until Ctrl-C."""
    _serve("all", settings(port=port))


def serve(
    service: Annotated[str, typer.Argument(help="A service, or `gateway`")],
    port: Annotated[int | None, typer.Option(help="Default: FIELDLOOP_PORT, else 8080")] = None,
) -> None:
    """Run one service by itself, or the gateway before such services, until SIGTERM."""
    _serve(service, settings(port=port))


def _serve(what: str, chosen: Settings) -> None:
    telemetry.log_as_json()

    def tell(address: str) -> None:
        err.print(f"{what} answers at {address}; its API is shown at {address}/docs", soft_wrap=True)

    run(run_services(chosen, what, tell))


def demo(
    requests: Annotated[int, typer.Option(help="How many requests go through the loop", min=1)] = 40,
    seed: Annotated[int, typer.Option(help="The same seed, the same company and the same customers")] = 1,
    once: Annotated[bool, typer.Option("--once", help="End when the requests are through, not serve on")] = False,
    still: Annotated[bool, typer.Option("--still", help="Serve on, but let nothing more happen by itself")] = False,
    as_json: Json = False,
    port: Annotated[
        int | None, typer.Option(help="Default: FIELDLOOP_PORT, else 8080; with --once any free one")
    ] = None,
) -> None:
    """
    Found an invented repair company and drive live requests through the whole loop.

    What happened is counted and proved upon the stores, which stay in the data folder. Then the screens and the API
    serve on, with a few requests always under way, until Ctrl-C. With FIELDLOOP_URL, the same upon the system that
    answers there.
    """
    from services.demo.run import run_demo
    from services.demo.table import table_of

    quiet()
    # What ends by itself needs no address that anybody knows.
    chosen = settings(port=0 if once and port is None else port)

    def show(outcome: Any) -> None:
        if as_json:
            print_json(outcome)
        else:
            out.print(table_of(outcome))
        sys.stdout.flush()

    day = run_demo(
        chosen, requests=requests, seed=seed, once=once, living=not still, guide=not as_json, show=show, console=err
    )
    outcome = run(day)
    if outcome and (outcome.invariant_violations or not outcome.rebuild_identical or not outcome.chain_verified):
        raise typer.Exit(1)

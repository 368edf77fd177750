"""The command `fieldloop plan`: any published instance, planned with the model and the engines of the product."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from dispatcher.planning.arrivals import Played, PlayedChecked
    from dispatcher.planning.check import Checked
    from dispatcher.planning.formats.benchmark import Benchmark, ReleasedBenchmark, TeamBenchmark
    from dispatcher.planning.model import Plan
    from dispatcher.planning.planner import Planned
    from dispatcher.planning.teams import TeamChecked, TeamPlan

ENGINES: Final = ("auto", "ruin", "ordering", "pyvrp")


def _prepared(wanted: bool) -> None:
    if wanted:
        from dispatcher.planning.planner import prepare

        typer.echo(f"what the engines run is compiled; it took {prepare():.1f} s")
        raise typer.Exit()


def plan(
    file: Annotated[Path, typer.Argument(help="The instance; of ROADEF 2007 its folder", exists=True)],
    seconds: Annotated[
        float, typer.Option(help="How long to look for a better plan; of trsp-dyn, at each release", min=0.0)
    ] = 10.0,
    threads: Annotated[int, typer.Option(help="An engine takes one", min=1, max=1)] = 1,
    format_: Annotated[
        str,
        typer.Option("--format", help="trsp, solomon, vrplib, hhcrsp, kovacs, roadef, trsp-dyn. Default: as it looks"),
    ] = "",
    engine: Annotated[str, typer.Option(help="auto, ruin, ordering or pyvrp")] = "auto",
    seed: Annotated[int, typer.Option(help="Of chance")] = 1,
    write: Annotated[Path | None, typer.Option(help="Where to keep the plan in the benchmark's own format")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare",
            is_eager=True,
            callback=_prepared,
            help="Compile what the engines run, once on a machine, and end; the first plan does it else",
        ),
    ] = False,
) -> None:
    """
    Plan a published instance, and say what the plan is worth in the benchmark's own objective.

    What the engine found is evaluated anew, apart from it; a plan that breaks a rule is printed with what it breaks,
    and the command ends with 1.

    Example: `fieldloop plan R103.100_25-5-5-5.txt --seconds 60 --json`
    """
    try:
        # Other commands do without what these import.
        from dispatcher.planning.formats import files
        from dispatcher.planning.formats.benchmark import Benchmark, ReleasedBenchmark, TeamBenchmark
        from dispatcher.planning.model import Unfit
        from dispatcher.planning.planner import plan as planned_of
        from dispatcher.planning.planner import plan_day, plan_teams
    except ModuleNotFoundError as missing:
        typer.secho(f"{missing.name} is not installed: pip install 'fieldloop[planning]'", fg="red", err=True)
        raise typer.Exit(2) from None
    try:
        if engine not in ENGINES:
            raise Unfit(f"--engine is {engine!r}: {', '.join(ENGINES)}")
        benchmark = files.read(file, format_)
        written = None
        if write and not (isinstance(benchmark, Benchmark) and benchmark.written):
            raise Unfit(f"{benchmark.format} has no format of solutions in one file to write")
        if isinstance(benchmark, ReleasedBenchmark):
            day = plan_day(benchmark.problem, seconds, seed=seed)
            broken, told = day.checked.violations, _told_of_a_day(benchmark, day)
        elif isinstance(benchmark, TeamBenchmark):
            of_teams = plan_teams(benchmark.problem, seconds, seed=seed)
            broken, told = of_teams.checked.violations, _told_of_teams(benchmark, of_teams)
        else:
            planned = planned_of(benchmark.problem, seconds, seed=seed, engine=engine)
            broken, told = planned.checked.violations, _told(benchmark, planned)
            if write and benchmark.written:
                written = benchmark.written(planned.plan, planned.checked)
    except Unfit as wrong:
        typer.secho(str(wrong), fg="red", err=True)
        raise typer.Exit(2) from None
    if write and written is not None:
        write.write_text(written, encoding="utf-8")
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        for key in ("instance", "format", "objective", "value", "served", "left_out", "used", "engine", "seconds"):
            typer.echo(f"{key:10} {told[key]}")
        for violation in told["violations"]:
            typer.echo(f"broken     {violation['rule']}: {violation['text']}")
    if broken:
        raise typer.Exit(1)


def _told(benchmark: Benchmark, planned: Planned[Plan, Checked]) -> dict[str, Any]:
    from dispatcher.planning.model import CALL

    problem, checked = benchmark.problem, planned.checked
    routes = [
        {
            "engineer": engineer.id,
            "stops": ["depot" if stop == CALL else problem.visits[stop].id for stop in route],
            "begins": [at / benchmark.scale for at in timed.begins],
        }
        for engineer, route, timed in zip(problem.engineers, planned.plan.routes, checked.routes, strict=True)
        if timed is not None
    ]
    return {
        "instance": benchmark.name,
        "format": benchmark.format,
        "objective": benchmark.objective,
        "value": benchmark.value(checked),
        "served": len(planned.plan.served),
        "left_out": [problem.visits[i].id for i in checked.left_out],
        "used": checked.used,
        "violations": [{"rule": one.rule, "text": one.text} for one in checked.violations],
        "routes": routes,
        "engine": planned.engine,
        "seconds": round(planned.seconds, 3),
    }


def _told_of_teams(benchmark: TeamBenchmark, planned: Planned[TeamPlan, TeamChecked]) -> dict[str, Any]:
    problem, checked = benchmark.problem, planned.checked
    routes = [
        {
            "day": team.day,
            "engineers": [problem.members[i].id for i in team.members],
            "stops": [problem.work[i].id for i, _ in team.work],
            "begins": [at for _, at in team.work],
        }
        for team in planned.plan.teams
    ]
    return {
        "instance": benchmark.name,
        "format": benchmark.format,
        "objective": benchmark.objective,
        "value": checked.cost,
        "served": len(planned.plan.served),
        "left_out": [problem.work[i].id for i in checked.left_out],
        "used": len(routes),
        "violations": [{"rule": one.rule, "text": one.text} for one in checked.violations],
        "routes": routes,
        "engine": planned.engine,
        "seconds": round(planned.seconds, 3),
    }


def _told_of_a_day(benchmark: ReleasedBenchmark, planned: Planned[Played, PlayedChecked]) -> dict[str, Any]:
    from dispatcher.planning.model import CALL

    problem, played = benchmark.problem.problem, planned.plan
    routes = [
        {
            "engineer": engineer.id,
            "departure": departure / benchmark.scale,
            "stops": ["depot" if stop == CALL else problem.visits[stop].id for stop in route],
            "begins": [at / benchmark.scale for at in begins],
        }
        for engineer, route, departure, begins in zip(
            problem.engineers, played.plan.routes, played.departures, played.begins, strict=True
        )
        if departure is not None
    ]
    return {
        "instance": benchmark.name,
        "format": benchmark.format,
        "objective": benchmark.objective,
        "value": planned.checked.cost / benchmark.scale,
        "served": len(played.plan.served),
        "left_out": [problem.visits[i].id for i in played.refused],
        "used": len(routes),
        "violations": [{"rule": one.rule, "text": one.text} for one in planned.checked.violations],
        "routes": routes,
        "engine": planned.engine,
        "seconds": round(planned.seconds, 3),
    }

"""Plans that others published are worth to our evaluator what they say they are, and break no rule."""

import csv
import json

import pytest

from dispatcher.planning.check import check
from dispatcher.planning.formats import files as formats
from dispatcher.planning.formats import hhcrsp, vrptw
from dispatcher.planning.model import CALL, Plan
from tests.dispatcher.planning.published import DATA, files, named, needs_data

pytestmark = needs_data

CHEAPER = {"C101", "R202"}
"""Published without the call at the depot; with it in its best place they are cheaper than stated."""


def with_the_cheapest_call(problem, row, route):
    """The published routes of technicians do not say when the depot was called at."""
    ways = []
    for stops in (route, *((*route[:at], CALL, *route[at:]) for at in range(len(route)))):
        alone = check(problem, Plan([stops if i == row else () for i in range(len(problem.engineers))]))
        if all(found.rule == "left out" for found in alone.violations):
            ways.append((alone.duration, stops))
    return min(ways)[1]


@pytest.mark.parametrize("file", files("trsp/*.txt"), ids=named)
def test_routes_of_technicians(file):
    benchmark = formats.read(file)
    problem = benchmark.problem
    index = {visit.id: i for i, visit in enumerate(problem.visits)}
    published = json.loads((DATA / "trsp/bks_routes.json").read_text())[benchmark.name]
    with (DATA / "trsp/bks.csv").open() as lines:
        stated = {row["instance"]: float(row["bks_duration_with_routes"]) for row in csv.DictReader(lines)}
    routes = [tuple(index[str(one)] for one in published[key]) for key in sorted(published, key=int)]
    checked = check(problem, Plan([with_the_cheapest_call(problem, i, route) for i, route in enumerate(routes)]))
    assert checked.violations == ()
    value = benchmark.value(checked)
    if benchmark.name.split(".")[0] in CHEAPER:
        assert 0.996 * stated[benchmark.name] < value < stated[benchmark.name]
    else:
        assert value == pytest.approx(stated[benchmark.name], abs=0.02)


@pytest.mark.parametrize("file", files("*/*.sol"), ids=named)
def test_solutions_of_vrplib(file):
    benchmark = formats.read(file.with_suffix(".vrp"))
    problem, text = benchmark.problem, file.read_text()
    index = {visit.id: i for i, visit in enumerate(problem.visits)}
    routes = [tuple(index[node] for node in route) for route in vrptw.routes_of(text)]
    checked = check(problem, Plan([*routes, *[()] * (len(problem.engineers) - len(routes))]))
    assert checked.violations == ()
    stated = float(text.split()[-1])
    # Written in units of the distance matrix, but for those of DIMACS in their own.
    assert stated in (benchmark.value(checked), checked.cost)


@pytest.mark.parametrize("file", files("gh200-400/*.sol.txt"), ids=named)
def test_solutions_with_the_fewest_routes(file):
    name = file.name.removesuffix(".sol.txt")
    benchmark = formats.read(file.with_name(f"{name}.txt"))
    problem = benchmark.problem
    routes = [tuple(int(node) - 1 for node in route) for route in vrptw.routes_of(file.read_text())]
    checked = check(problem, Plan([*routes, *[()] * (len(problem.engineers) - len(routes))]))
    with (DATA / "gh200-400/bks_hierarchical.csv").open() as lines:
        stated = {row["instance"]: row for row in csv.DictReader(lines)}[name]
    assert checked.violations == ()
    assert checked.used == int(stated["routes"])
    assert benchmark.value(checked) == pytest.approx(float(stated["distance"]), abs=0.0002)


def home_health_care():
    if not DATA.is_dir():
        return []
    rows = [[cell.strip() for cell in line.split("|")] for line in (DATA / "hhcrsp/best_known.md").open()]
    return [(row[1], float(row[5]), row[6]) for row in rows if row[1].endswith(".json")]


@pytest.mark.parametrize(("name", "stated", "solution"), home_health_care())
def test_solutions_of_home_health_care(name, stated, solution):
    benchmark = formats.read(DATA / "hhcrsp" / name)
    plan = hhcrsp.plan_of(benchmark.problem, (DATA / "hhcrsp" / solution).read_text())
    checked = check(benchmark.problem, plan)
    assert checked.violations == ()
    assert benchmark.value(checked) == pytest.approx(stated, rel=5e-6)

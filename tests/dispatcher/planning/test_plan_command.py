"""`fieldloop plan`: a file in, a plan with its value out; what is wrong with a file is named."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dispatcher.planning import planner
from dispatcher.planning.formats import files
from dispatcher.planning.formats.benchmark import Benchmark, TeamBenchmark
from dispatcher.planning.model import Unfit
from services.cli import app
from tests.dispatcher.planning import problems

SOLOMON = """SMALL

VEHICLE
NUMBER     CAPACITY
  3         20

CUSTOMER
CUST NO.  XCOORD.   YCOORD.    DEMAND   READY TIME  DUE DATE   SERVICE   TIME

    0      0         0          0          0       1000          0
    1      3         4         10          0       1000         10
    2      6         8         10          0       1000         10
    3      0        -5         10          0       1000         10
"""

TRSP = """SMALL

INFO
CREW COUNT  SKILLS  TOOLS   SPARE PARTS
1       1       1       1

DEPOT TECHNICIANS AND REQUESTS
ID   X     Y     TWS    TWE    Serv   SKILLS   TOOLS    SPARE PARTS
0    0     0     0      230    0      []       []       []
1    10    0     0      230    0      [0]      []       [1]
2    20    0     0      200    10     [0]      [0]      [0]
3    30    0     0      200    10     [0]      []       [1]
"""

RELEASED = """# Instance small - 1 dynamic requests - 1 static requests
Dyn   Stat
1     1
ID    RD
2     -1
3     5
"""

ROADEF = {
    "instance": "name domains level techs interv abandon\nsmall 1 2 2 2 0\n",
    "interv_list": "number time preds prio cost d1_1 d1_2\n1 60 [ ] 1 100 1 1\n2 60 [ 1 ] 2 100 2 0\n",
    "tech_list": "tech d1 dispo\n1 2 [ 2 ]\n2 1 [ ]\n",
}

HHCRSP = {
    "patients": [
        {
            "id": "p1",
            "location": [3, 4],
            "time_window": [10, 20],
            "required_caregivers": [{"service": "s1", "duration": 5}, {"service": "s2", "duration": 5}],
            "synchronization": {"type": "simultaneous"},
        }
    ],
    "services": [],
    "caregivers": [{"id": "c1", "abilities": ["s1"]}, {"id": "c2", "abilities": ["s2"]}],
    "central_offices": [],
    "distances": [[0, 5], [5, 0]],
}


def planned(file, *options):
    done = CliRunner().invoke(app, ["plan", str(file), "--seconds", "0.2", "--json", *map(str, options)])
    return done.exit_code, json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture
def given(tmp_path):
    def write(name: str, text: str) -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_vehicles_with_windows_and_the_plan_in_the_format_of_solutions(given, tmp_path):
    code, told = planned(given("small.txt", SOLOMON), "--write", tmp_path / "small.sol")
    assert (code, told["format"], told["value"], told["served"]) == (0, "solomon", 30.0, 3)
    assert (told["violations"], told["left_out"]) == ([], [])
    assert (tmp_path / "small.sol").read_text().splitlines()[-1] == "Cost 30"


def test_a_technician_calls_at_the_depot(given):
    code, told = planned(given("small.txt", TRSP))
    assert (code, told["format"], told["value"]) == (0, "trsp", 80.0)
    assert told["routes"][0]["stops"][0] == "depot" or told["routes"][0]["stops"] == ["3", "depot", "2"]


def test_a_day_as_it_comes_lies_in_a_folder_below_its_instance(given):
    given("small.txt", TRSP)
    code, told = planned(given("dyn/small_rd.txt", RELEASED), "--seconds", 0)
    assert (code, told["format"], told["served"], told["violations"]) == (0, "trsp-dyn", 2, [])


def test_teams_of_a_day_are_a_folder(given):
    for name, text in ROADEF.items():
        folder = given(f"A0/{name}", text).parent
    code, told = planned(folder)
    assert (code, told["format"], told["value"]) == (0, "roadef", 28 * 60 + 14 * 120 + 120)


def test_two_at_once(given):
    code, told = planned(given("small.json", json.dumps(HHCRSP)))
    assert (code, told["format"], told["value"]) == (0, "hhcrsp", pytest.approx(20 / 3))


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("nothing of ours", (), "is in no format that is read here"),
        (SOLOMON, ("--format", "nonsense"), "--format is 'nonsense'"),
        (SOLOMON, ("--engine", "nonsense"), "--engine is 'nonsense'"),
        (SOLOMON.replace("  3         20", ""), (), "no line of vehicles and capacity"),
        (
            SOLOMON.replace("1000         10\n    3", "-5         10\n    3"),
            (),
            "visit 2 has a window that ends before",
        ),
        (TRSP.replace("3    30", "9    30"), (), "the ids of its lines must be 0, 1, 2"),
        (TRSP.replace("\n1       1", "\n7       1"), (), "says it has 7 homes"),
        (RELEASED, (), "must lie in the folder above and does not"),
        ('{"required_caregivers": 1, "caregivers": []}', (), "is no instance of home health care"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(given, text, options, named):
    code, told = planned(given("d/file.txt", text), *options)
    assert code == 2
    assert named in " ".join(told.split())


def test_a_plan_that_breaks_a_rule_says_which_and_ends_with_1(given):
    code, told = planned(given("small.txt", SOLOMON.replace("  3         20", "  1         20")))
    assert (code, told["served"], [found["rule"] for found in told["violations"]]) == (1, 2, ["left out"])


def test_a_child_that_dies_is_told_with_its_last_words():
    problem = problems.linked(1)
    impossible = replace(problem.visits[9], certificates=frozenset({"height"}))
    asked = replace(problem, visits=[*problem.visits[:9], impossible, *problem.visits[10:]])
    with pytest.raises(Unfit, match=r"no plan was found: .*nobody may do v9"):
        planner.plan(asked, 0.1)


def test_a_child_that_does_not_come_back_is_killed_and_what_it_said_counts(monkeypatch):
    monkeypatch.setattr(planner, "GRACE_S", -59.5)
    found = planner.plan(problems.routing(1), 60.0)
    assert found.checked.violations == ()
    assert found.seconds < 50


def test_other_commands_load_nothing_of_planning():
    code = "import sys, services.cli; print([one for one in ('numpy', 'numba', 'pyvrp') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_read_is_told_apart_by_its_type(given):
    for name, text in ROADEF.items():
        folder = given(f"A0/{name}", text).parent
    assert isinstance(files.read(folder / "tech_list"), TeamBenchmark)
    assert isinstance(files.read(given("small.txt", SOLOMON)), Benchmark)


def test_what_was_compiled_is_found_where_nothing_may_be_written(monkeypatch, tmp_path):
    kept, other = tmp_path / "kept", tmp_path / "tmp"
    (kept / "engines").mkdir(parents=True)
    other.mkdir()
    (kept / "engines/ruin.nbi").write_text("compiled")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(kept))
    monkeypatch.setattr(planner.tempfile, "tempdir", str(other))
    assert planner._environment()["NUMBA_CACHE_DIR"] == str(kept)
    monkeypatch.setattr(planner.os, "access", lambda *_: False)
    for _ in range(2):
        mine = Path(planner._environment()["NUMBA_CACHE_DIR"])
        assert mine.parent == other
        assert (mine / "engines/ruin.nbi").read_text() == "compiled"


def test_the_loops_are_compiled_by_an_option_of_its_own():
    made = CliRunner().invoke(app, ["plan", "--prepare"])
    assert made.exit_code == 0
    assert "is compiled" in made.stdout

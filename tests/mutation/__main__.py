"""
Mutation testing: a small change is made in a copy of the source, and a test must fail.

    make mutants ARGS="--each 5 --seed 7"                 five changes of each part
    make mutants ARGS="--only writer --each 40"
    make mutants ARGS="--minutes 20"                      as far as it comes

Which changes are tried is drawn by a seed, which is printed. A change that leaves all tests green is shown as a
diff. Some change nothing that anybody could see; they count as survivors all the same.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

REPO: Final = Path(__file__).resolve().parents[2]
LONGEST_S: Final = 180.0
"""What takes longer goes round in a circle, and counts as found."""


class Part(NamedTuple):
    """Files, and the tests that are to find what is changed in them."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


PARTS: Final = {
    "intake": Part(
        ("intake/domain/*.py",),
        tuple(f"tests/intake/test_{name}.py" for name in ("request", "register", "merging", "form", "duplicates")),
    ),
    "dispatcher": Part(
        ("dispatcher/domain/order.py", "dispatcher/domain/engineer.py", "dispatcher/domain/matching.py"),
        tuple(f"tests/dispatcher/test_{name}.py" for name in ("order", "engineer", "matching", "rules_of_matching")),
    ),
    "fieldwork": Part(
        ("fieldwork/domain/visit.py", "fieldwork/domain/charge.py", "fieldwork/domain/prices.py"),
        tuple(f"tests/fieldwork/test_{name}.py" for name in ("visit", "charge", "reported_steps", "acceptance")),
    ),
    "inventory": Part(
        ("inventory/domain/*.py",),
        tuple(
            f"tests/inventory/test_{name}.py"
            for name in ("books", "stock", "reservation", "transfer", "pieces", "piece_books", "purchase", "old_parts")
        ),
    ),
    "quality": Part(
        ("quality/domain/*.py",),
        tuple(f"tests/quality/test_{name}.py" for name in ("alert", "complaint", "inspection", "survey", "lives")),
    ),
    "writer": Part(
        ("services/chassis/journal/writer.py", "services/chassis/journal/attempt.py"), ("tests/chassis/test_writer.py",)
    ),
    "readers": Part(
        (
            "services/chassis/readers/projector.py",
            "services/chassis/readers/reactor.py",
            "services/chassis/readers/rows.py",
            "services/chassis/readers/timers.py",
        ),
        tuple(f"tests/chassis/test_{name}.py" for name in ("projector", "reactor", "timers", "holds")),
    ),
    "authorisation": Part(
        ("services/chassis/auth.py", "services/chassis/http/scope.py"),
        ("tests/chassis/test_auth.py", "tests/chassis/test_http.py"),
    ),
}

SWAPPED: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
}


class Mutant(NamedTuple):
    path: Path
    line: int
    source: str
    """The whole file, changed."""
    diff: str


def places_in(path: Path) -> list[tuple[Path, int]]:
    """Every place of this file where a change is tried: of what functions do, not of how they are declared."""
    nodes = _within_functions(ast.parse((REPO / path).read_text()))
    return [(path, number) for number, node in enumerate(nodes) if _change(copy.copy(node))]


def mutant_at(path: Path, number: int) -> Mutant:
    tree = ast.parse((REPO / path).read_text())
    before = ast.unparse(tree)
    node = list(_within_functions(tree))[number]
    line = getattr(node, "lineno", 0)
    _change(node)
    after = ast.unparse(ast.fix_missing_locations(tree))
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), "changed", "", "", 1, "")
    return Mutant(path, line, after, "\n".join(lines))


def _within_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and not _says_nothing(statement):
                    yield from _walk(statement)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "format_spec"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _walk(child)


def _says_nothing(statement: ast.stmt) -> bool:
    """A docstring, an assertion, a line for the log: no test is to find what is changed there."""
    if isinstance(statement, ast.Assert):
        return True
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and ast.unparse(value).startswith("_log."))


def _change(node: ast.AST) -> bool:
    match node:
        case ast.Compare(ops=[op, *rest]) if type(op) in SWAPPED:
            node.ops = [SWAPPED[type(op)](), *rest]  # type: ignore[list-item]
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in SWAPPED:
            node.op = SWAPPED[type(op)]()  # type: ignore[assignment]
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
        case ast.If(test=test) | ast.IfExp(test=test):
            node.test = ast.UnaryOp(ast.Not(), test)
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=int() as value):
            node.value = value + 1
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            node.value = ast.Constant(None)
        case ast.Break():
            return False
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign():
            node.__class__, node.__dict__ = ast.Pass, {}  # type: ignore[assignment]
        case _:
            return False
    return True


def killed(folder: Path, mutant: Mutant, tests: tuple[str, ...]) -> bool:
    """Whether a test fails, in a copy of the source with this change."""
    place = folder / mutant.path
    right = place.read_text()
    place.write_text(mutant.source)
    try:
        return not _green(folder, tests)
    finally:
        place.write_text(right)


def _green(folder: Path, tests: tuple[str, ...]) -> bool:
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "FIELDLOOP_TEST_SEED": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout.decode()[-1_000:]}")
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--each", type=int, default=10, help="changes of each part")
    parser.add_argument("--minutes", type=float, default=60.0, help="no change is begun after that")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=PARTS, action="append", default=[])
    said = parser.parse_args()
    print(f"--seed {said.seed}", flush=True)
    until = time.monotonic() + 60 * said.minutes
    rows: dict[str, tuple[int, int, int]] = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        kept = shutil.ignore_patterns("node_modules", "__pycache__", ".venv", ".git")
        shutil.copytree(REPO, folder, ignore=kept, dirs_exist_ok=True)
        for part in said.only or PARTS:
            files = sorted(path.relative_to(REPO) for pattern in PARTS[part].files for path in REPO.glob(pattern))
            every = [place for path in files for place in places_in(path)]
            if not _green(folder, PARTS[part].tests):
                raise SystemExit(f"the tests of {part} fail as they are")
            tried = found = 0
            for place in Random(f"{said.seed} {part}").sample(every, min(said.each, len(every))):
                if time.monotonic() > until:
                    break
                mutant = mutant_at(*place)
                tried += 1
                if killed(folder, mutant, PARTS[part].tests):
                    found += 1
                else:
                    print(f"{part} {mutant.path}:{mutant.line} survives\n{mutant.diff}\n", flush=True)
            rows[part] = found, tried, len(every)
            print(f"{part}: {found} of {tried} found, of {len(every)} that there are", flush=True)
    tried, found = (sum(row[n] for row in rows.values()) for n in (1, 0))
    print("\n| part | found | tried | there are |\n|---|---|---|---|")
    for part, row in rows.items():
        print(f"| {part} | {row[0]} | {row[1]} | {row[2]} |")
    print(f"\n{found} of {tried}: {100 * found // max(1, tried)} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The small changes that are tried: one operator, one condition, one constant, one answer, one call left out."""

from __future__ import annotations

import ast
import copy
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

REPO: Final = Path(__file__).resolve().parents[2]

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
    lines: range
    """Those of the statement that is changed, or of its head."""
    source: str
    """The whole file, changed."""
    diff: str

    @property
    def change(self) -> str:
        """What is other, without where it stands."""
        lines = self.diff.splitlines()[2:]
        return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines if line[0] in "+-")


def places_in(path: Path) -> list[tuple[Path, int]]:
    """Every place of this file where a change is tried: of what functions do, not of how they are declared."""
    nodes = _within_functions(ast.parse((REPO / path).read_text()))
    return [(path, number) for number, node in enumerate(nodes) if _change(copy.copy(node))]


def mutant_at(path: Path, number: int) -> Mutant:
    tree = ast.parse((REPO / path).read_text())
    before = ast.unparse(tree)
    node = list(_within_functions(tree))[number]
    line, lines = getattr(node, "lineno", 0), _statement_of(tree, node)
    _change(node)
    after = ast.unparse(ast.fix_missing_locations(tree))
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), "changed", "", "", 1, "")
    return Mutant(path, line, lines, after, "\n".join(diff))


def _statement_of(tree: ast.AST, node: ast.AST) -> range:
    """The innermost statement around a node; of one with a body, what stands before it."""
    statements = [each for each in ast.walk(tree) if isinstance(each, ast.stmt) and node in ast.walk(each)]
    inner = min(statements, key=lambda each: (each.end_lineno or each.lineno) - each.lineno)
    body: list[ast.stmt] = getattr(inner, "body", [])
    end = body[0].lineno - 1 if body else inner.end_lineno or inner.lineno
    return range(inner.lineno, max(inner.lineno, end) + 1)


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
                if isinstance(child, ast.stmt) and _says_nothing(child):
                    continue
                if isinstance(child, ast.AST) and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _walk(child)


def _says_nothing(statement: ast.stmt) -> bool:
    """A docstring, an assertion, a line for the log: no test is to find what is changed there."""
    if isinstance(statement, ast.Assert):
        return True
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) or (
        isinstance(value, ast.Call) and ast.unparse(value).startswith(("_log.", "assert_never("))
    )


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

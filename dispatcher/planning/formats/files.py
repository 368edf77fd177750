"""Which format a file has, and what lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dispatcher.planning.formats import hhcrsp, kovacs, trsp, vrptw
from dispatcher.planning.formats.benchmark import Benchmark
from dispatcher.planning.model import Unfit

FORMATS: Final = ("trsp", "solomon", "vrplib", "hhcrsp", "kovacs")


def format_of(file: Path) -> str:
    """Raises Unfit where it is none that we read."""
    text = _text(file)
    if trsp.recognised(text):
        return "trsp"
    if kovacs.recognised(text):
        return "kovacs"
    if vrptw.vrplib_recognised(text):
        return "vrplib"
    if vrptw.solomon_recognised(text):
        return "solomon"
    if hhcrsp.recognised(text):
        return "hhcrsp"
    raise Unfit(f"{file} is in no format that is read here; say which with --format: {', '.join(FORMATS)}")


def read(file: Path, format_: str = "") -> Benchmark:
    """Raises Unfit, OSError."""
    text, name = _text(file), file.stem
    match format_ or format_of(file):
        case "trsp":
            return trsp.read(name, text)
        case "solomon":
            return vrptw.read_solomon(name, text)
        case "vrplib":
            return vrptw.read_vrplib(name, text)
        case "hhcrsp":
            return hhcrsp.read(name, text)
        case "kovacs":
            return kovacs.read(name, text, _text(_technicians(file)))
        case other:
            raise Unfit(f"--format is {other!r}: {', '.join(FORMATS)} are read")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as wrong:
        raise Unfit(f"{file} is no text: {wrong}") from wrong


def _technicians(tasks: Path) -> Path:
    beside = tasks.parent.parent / tasks.parent.name.replace("tasks", "technicians") / f"technicians_{tasks.name}"
    if not beside.exists():
        raise Unfit(f"the technicians of {tasks.name} must lie at {beside}, and do not")
    return beside

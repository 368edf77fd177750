"""Which format a file has, and what lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dispatcher.planning.formats import hhcrsp, kovacs, roadef, trsp, vrptw
from dispatcher.planning.formats.benchmark import Benchmark, ReleasedBenchmark, TeamBenchmark
from dispatcher.planning.model import Unfit

FORMATS: Final = ("trsp", "trsp-dyn", "solomon", "vrplib", "hhcrsp", "kovacs", "roadef")


def format_of(file: Path) -> str:
    """Raises Unfit where it is none that we read."""
    if _folder(file):
        return "roadef"
    text = _text(file)
    if trsp.released_recognised(text):
        return "trsp-dyn"
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


def read(file: Path, format_: str = "") -> Benchmark | TeamBenchmark | ReleasedBenchmark:
    """Raises Unfit, OSError."""
    format_ = format_ or format_of(file)
    if format_ == "roadef":
        if (folder := _folder(file)) is None:
            raise Unfit(f"{file} must be a folder with {', '.join(roadef.FILES)}, or one of these")
        return roadef.read(folder.name, *(_text(folder / one) for one in roadef.FILES))
    text, name = _text(file), file.stem
    match format_:
        case "trsp":
            return trsp.read(name, text)
        case "trsp-dyn":
            if not trsp.released_recognised(text):
                raise Unfit(f"{file} does not begin as a file of release dates does")
            whole = file.parent.parent / f"{trsp.instance_of(text)}.txt"
            if not whole.is_file():
                raise Unfit(f"{file.name} is about {whole.name}, which must lie in the folder above and does not")
            return trsp.read_released(name, text, trsp.read(whole.stem, _text(whole)))
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


def _folder(file: Path) -> Path | None:
    """The folder of an instance of ROADEF 2007, named itself or by one of its files."""
    folder = file if file.is_dir() else file.parent
    named = file.is_dir() or file.name in roadef.FILES
    return folder if named and all((folder / one).is_file() for one in roadef.FILES) else None


def _text(file: Path) -> str:
    if file.is_dir():
        raise Unfit(f"{file} is a folder, and not one of ROADEF 2007 with {', '.join(roadef.FILES)}")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as wrong:
        raise Unfit(f"{file} is no text: {wrong}") from wrong


def _technicians(tasks: Path) -> Path:
    beside = tasks.parent.parent / tasks.parent.name.replace("tasks", "technicians") / f"technicians_{tasks.name}"
    if not beside.exists():
        raise Unfit(f"the technicians of {tasks.name} must lie at {beside}, and do not")
    return beside

"""
Rows of a CSV file. The first line names the columns.

A quotation mark that is never closed costs one row: without a limit it would swallow the rest of the file.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

from services.importing.mapping import Mapping
from services.importing.rows import BadRow, Row, Unusable, broken, legible

LONGEST_RECORD: Final = 50
"""Lines; a quotation mark that is open for longer was left open."""


class _Record(NamedTuple):
    line: int
    """The first of its lines."""
    raw: str
    cells: list[str] | None
    """None for a line that begins no record; `wrong` says why."""
    wrong: str


def csv_rows(file: IO[bytes], mapping: Mapping) -> Iterator[Row | BadRow]:
    """Every row in the order of the file. Raises Unusable when the header does not fit."""
    columns = mapping.columns
    if columns is None:
        raise Unusable("the mapping has no `columns`, which CSV needs: add them, or read the XES file")
    encoding = "utf-8-sig" if mapping.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else mapping.encoding
    lines = io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")
    try:
        records = _records(lines, mapping.delimiter)
        first = next(records, None)
        if first is None or not first.cells:
            raise Unusable("the file has no first line with the names of its columns; add it")
        header = [name.strip() for name in first.cells]
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise Unusable(f"two columns are called {', '.join(twice)}; give each a name of its own")
        named = columns.named()
        if lacking := sorted(theirs for theirs in named.values() if theirs not in header):
            raise Unusable(
                f"the file has no column {', '.join(lacking)} (it has {', '.join(map(legible, header))}); "
                "correct the names under `columns`, or `delimiter`"
            )
        places = {ours: header.index(theirs) for ours, theirs in named.items()}
        for record in records:
            if record.cells is None:
                yield BadRow(record.line, record.wrong, record.raw)
            elif record.cells:
                yield _row(record, record.cells, places, len(header))
    finally:
        lines.detach()  # else it closes the file, which is the caller's


def _row(record: _Record, cells: list[str], places: dict[str, int], width: int) -> Row | BadRow:
    values = {ours: cells[place].strip() for ours, place in places.items() if place < len(cells)}
    line, raw, case = record.line, record.raw, values.get("case", "")
    case = "" if broken(case) else case
    if len(cells) < width:
        return BadRow(line, f"columns are missing: {len(cells)} instead of {width}", raw, case)
    if len(cells) > width:
        return BadRow(line, f"too many columns: {len(cells)} instead of {width}", raw, case)
    if broken(raw):
        return BadRow(line, "the encoding is broken", raw, case)
    return Row(line, values, raw)


def _records(lines: Iterator[str], delimiter: str) -> Iterator[_Record]:
    ahead: deque[str] = deque()
    number = 0
    while True:
        taken: list[str] = []
        cells: list[str] | None = None
        wrong = ""
        while cells is None and len(taken) < LONGEST_RECORD:
            if len(taken) == len(ahead):
                line = next(lines, None)
                if line is None:
                    break
                ahead.append(line)
            taken.append(ahead[len(taken)])
            try:
                # Strict: a record that ends within quotation marks is an error here, and more lines are tried.
                cells = next(csv.reader(taken, delimiter=delimiter, strict=True))
            except csv.Error as error:
                wrong = str(error)
                if not wrong.startswith("unexpected end"):
                    break
                wrong = "a quotation mark is not closed"
        if not taken:
            return
        # A line that begins no record is given up alone; those after it are tried anew.
        used = len(taken) if cells is not None else 1
        raw = "".join(ahead.popleft() for _ in range(used)).rstrip("\r\n")
        yield _Record(number + 1, raw, cells, wrong)
        number += used

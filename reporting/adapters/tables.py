"""A report as a table for other programs: CSV, XLSX or Parquet; one row a figure and group."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, NamedTuple

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from services.chassis.parquet import Kind, parquet

Format = Literal["csv", "xlsx", "parquet"]

FORMATS: Final[Mapping[str, str]] = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
"""Each with its media type."""

COMMANDS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is taken for a formula by spreadsheets, also in CSV (OWASP, CSV Injection)."""


class TableRow(NamedTuple):
    """A figure of a group; numbers that are not known are empty."""

    report: str
    group: str
    period: str
    first_day: date | None
    last_day: date | None
    figure: str
    value: float | None
    numerator: int | None
    denominator: int | None
    unit: str
    definition: str
    definition_zh: str


_KINDS: Final[Mapping[str, Kind]] = {"value": "double", "numerator": "int64", "denominator": "int64"}
"""Of the columns that are no texts."""


def written(rows: Sequence[TableRow], chosen: Format) -> bytes:
    return _WRITERS[chosen](rows)


def harmless(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula: with an apostrophe before it, which shows it as a text."""
    return "'" + value if isinstance(value, str) and value.startswith(COMMANDS) else value


def _as_csv(rows: Sequence[TableRow]) -> bytes:
    """In UTF-8 with the mark that makes Excel read it as such; lines end as RFC 4180 has it."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(TableRow._fields)
    table.writerows([[harmless(value) for value in row] for row in rows])
    return text.getvalue().encode("utf-8-sig")


def _as_xlsx(rows: Sequence[TableRow]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("report")
    sheet.append(list(TableRow._fields))
    for row in rows:
        sheet.append([_cell(sheet, harmless(value)) for value in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, value="".join([sign if sign >= " " or sign in "\t\n" else " " for sign in value]))
    # openpyxl takes a text that begins with = for a formula; this one is a text.
    cell.data_type = "s"
    return cell


def _as_parquet(rows: Sequence[TableRow]) -> bytes:
    """Texts as they are: in Parquet nothing is a formula."""
    columns = {
        name: (_KINDS.get(name, "text"), [_plain(row[place]) for row in rows])
        for place, name in enumerate(TableRow._fields)
    }
    return parquet(columns)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


_WRITERS: Final[Mapping[Format, Callable[[Sequence[TableRow]], bytes]]] = {
    "csv": _as_csv,
    "xlsx": _as_xlsx,
    "parquet": _as_parquet,
}

"""Reports as files: the same figures in each format, and no text that a spreadsheet would carry out."""

import asyncio
import csv
import io
import zipfile

import openpyxl
import pytest

from reporting.adapters.tables import FORMATS, TableRow, harmless, written
from services.chassis.parquet import parquet
from tests.reporting.examples import after, request_received
from tests.reporting.running import reporting

EVIL = '=HYPERLINK("http://evil.example","x")'
DANGEROUS = [EVIL, "+1+1", "-2+3", "@SUM(A1)", "\tx", "\rx"]


def row(**said):
    usual = dict.fromkeys(TableRow._fields, "")
    numbers = {"value": 0.5, "numerator": 1, "denominator": 2, "first_day": None, "last_day": None}
    return TableRow(**{**usual, **numbers, **said})


def read(content, chosen):
    """The rows of a file, by another program's eyes."""
    if chosen == "csv":
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    if chosen == "xlsx":
        head, *rows = openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows()
        return [dict(zip([cell.value for cell in head], [cell.value for cell in one], strict=True)) for one in rows]
    return parquet_of(content).to_pylist()


def parquet_of(content):
    return pytest.importorskip("pyarrow.parquet").read_table(io.BytesIO(content))


def told(test, tmp_path):
    async def run():
        async with reporting(tmp_path / "reporting") as it:
            for n, region in enumerate([EVIL, "朝阳区", "😀𠮷"]):
                event = request_received(n)
                fields = {name: getattr(event, name) for name in event.__struct_fields__}
                await it.publishes((type(event)(**fields | {"region": region}), after(n)))
            await test(it)

    asyncio.run(run())


@pytest.mark.parametrize("chosen", FORMATS)
def test_a_file_has_a_row_for_each_figure_and_group(tmp_path, chosen):
    async def test(it):
        answer = await it.get("/v1/reports/efficiency", by="region", format=chosen)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, FORMATS[chosen])
        assert answer.headers["content-disposition"] == f'attachment; filename="efficiency.{chosen}"'
        by_accept = await it.get("/v1/reports/efficiency", by="region", headers={"Accept": FORMATS[chosen]})
        rows = read(answer.content, chosen)
        assert read(by_accept.content, chosen) == rows
        shown = EVIL if chosen == "parquet" else "'" + EVIL
        counted = {one["group"]: int(one["numerator"]) for one in rows if one["figure"] == "requests_received"}
        assert counted == {shown: 1, "朝阳区": 1, "😀𠮷": 1}
        share = next(one for one in rows if one["figure"] == "complained_share")
        assert (float(share["value"]), int(share["denominator"]), share["unit"]) == (0.0, 1, "share")
        unknown = next(one for one in rows if one["figure"] == "arrivals_on_time_share")
        assert unknown["value"] in (None, ""), "what nobody measured is empty, no zero"
        assert "投诉率" in share["definition_zh"]

    told(test, tmp_path)


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_text_is_taken_for_a_formula(text):
    assert harmless(text) == "'" + text
    assert read(written([row(group=text)], "csv"), "csv")[0]["group"] == "'" + text
    content = written([row(group=text)], "xlsx")
    [cell] = [one for one in openpyxl.load_workbook(io.BytesIO(content)).active[2] if one.column_letter == "B"]
    assert (cell.data_type, cell.value[:1]) == ("s", "'")
    archive = zipfile.ZipFile(io.BytesIO(content))
    [sheet] = [name for name in archive.namelist() if name.endswith("sheet1.xml")]
    assert b"<f>" not in archive.read(sheet)


def test_a_number_below_zero_stays_a_number():
    assert read(written([row(value=-0.25, numerator=-1)], "csv"), "csv")[0]["value"] == "-0.25"
    assert read(written([row(value=-0.25)], "xlsx"), "xlsx")[0]["value"] == -0.25


def test_parquet_is_read_as_it_was_written():
    columns = {
        "text": ("text", ["x", None, "", "中😀"] * 20),
        "whole": ("int64", [1, None, -(2**63), 2**63 - 1] * 20),
        "part": ("double", [None, 0.5, -2.0, 1e300] * 20),
    }
    table = parquet_of(parquet(columns))
    assert table.to_pydict() == {name: values for name, (_, values) in columns.items()}
    assert parquet_of(parquet({"text": ("text", [])})).num_rows == 0
    many = {f"column-{n}": ("int64", list(range(1_000))) for n in range(20)}
    assert parquet_of(parquet(many)).to_pydict()["column-19"] == list(range(1_000))

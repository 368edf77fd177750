"""Tables that a company brings along, as CSV or XLSX: their rows, and the file of those that were refused."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

MOST_ROWS: Final = 2_000
"""In one file; a bigger one is split."""
MOST_UNPACKED: Final = 100 * 1024 * 1024
"""Bytes of an XLSX when it is unpacked."""

CHINESE: Final[Mapping[str, str]] = {
    "客户编号": "customer_id",
    "姓名": "name",
    "名称": "name",
    "电话": "phone",
    "邮箱": "email",
    "微信": "wechat",
    "语言": "language",
    "免打扰时段": "quiet_hours",
    "街道": "street",
    "类型": "kind",
    "地区": "region",
    "纬度": "lat_udeg",
    "经度": "lon_udeg",
    "坐标系": "datum",
    "设备编号": "device_id",
    "型号": "model",
    "序列号": "serial",
    "技能": "skill",
    "地点编号": "site_id",
    "购买日期": "purchased_on",
    "启用日期": "in_service_on",
    "供应商": "device_supplier",
}
"""Headings in Chinese and the fields that they stand for."""


CHINESE_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "kind": {"个人": "person", "企业": "company", "公司": "company", "单位": "company"},
    "language": {"中文": "zh", "英文": "en"},
}
"""The same of the values of some fields."""

DEGREES: Final = re.compile(r"-?\d{1,3}\.\d+")
"""How a table writes a latitude or a longitude; the fields are whole millionths of a degree."""

OURS: Final = ("line", "why")
"""Columns that a reject file has beside those of its rows; they are passed over when it comes back."""


class Unreadable(Exception):
    """The file is no table that can be read; `en` and `zh` say why."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


class SheetRow(NamedTuple):
    line: int
    """In the file, the heading being 1."""
    cells: Mapping[str, str]
    """By field, as the field takes it; an empty cell is left out."""
    written: Mapping[str, str]
    """The same as they were written, by the headings of the table."""


def rows_of(content: bytes) -> list[SheetRow]:
    """The rows below the heading, empty ones left out. Raises Unreadable."""
    table = _xlsx(content) if content.startswith(b"PK") else _csv(content)
    heads = [name.strip() for name in table[0]] if table else []
    heads = ["" if name in OURS else name for name in heads]
    named = [CHINESE.get(name, name) for name in heads if name]
    if not named:
        raise Unreadable("the first line names no columns", "首行没有列名")
    if len(set(named)) < len(named):
        raise Unreadable("two columns have one name", "有两列同名")
    found = []
    for line, cells in enumerate(table[1:], 2):
        texts = {name: cell.strip() for name, cell in zip(heads, cells, strict=False) if name and cell.strip()}
        if texts:
            fields = {CHINESE.get(name, name): cell for name, cell in texts.items()}
            found.append(SheetRow(line, {field: _taken(field, cell) for field, cell in fields.items()}, texts))
    if len(found) > MOST_ROWS:
        raise Unreadable(f"it has {len(found)} rows, more than {MOST_ROWS}", f"共 {len(found)} 行，超过 {MOST_ROWS} 行")
    return found


def _taken(field: str, cell: str) -> str:
    if field in ("lat_udeg", "lon_udeg") and DEGREES.fullmatch(cell):
        return str(round(Decimal(cell) * 1_000_000))
    return CHINESE_VALUES.get(field, {}).get(cell, cell)


def _csv(content: bytes) -> list[list[str]]:
    for encoding in ("utf-8-sig", "gb18030"):  # What a Chinese Excel writes.
        try:
            text = content.decode(encoding)
            return list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except UnicodeDecodeError:
            continue
        except csv.Error as error:
            raise Unreadable(f"it is no CSV: {error}", f"CSV 格式有误：{error}") from None
    raise Unreadable("its text is neither UTF-8 nor GB 18030", "文本编码既不是 UTF-8 也不是 GB 18030")


def _xlsx(content: bytes) -> list[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(one.file_size for one in packed.infolist()) > MOST_UNPACKED:
                raise Unreadable(
                    f"unpacked it has more than {MOST_UNPACKED // 1024 // 1024} MiB",
                    f"解压后超过 {MOST_UNPACKED // 1024 // 1024} MiB",
                )
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        table = []
        for values in sheet.iter_rows(values_only=True, max_row=2 * MOST_ROWS + 1):
            table.append(["" if value is None else str(value) for value in values])
        book.close()
        return table
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, IndexError, OSError) as error:
        raise Unreadable(f"it is no XLSX: {error}", f"不是有效的 XLSX 文件：{error}") from None


def reject_file(refused: Iterable[tuple[SheetRow, str]]) -> str:
    """CSV of the rows that were refused, with the line and the reason before them: correct it and send it again."""
    told: Sequence[tuple[SheetRow, str]] = list(refused)
    if not told:
        return ""
    columns = list(dict.fromkeys([name for row, _ in told for name in row.written]))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*columns, *OURS])
    for row, why in told:
        writer.writerow([*[_plain(row.written.get(name, "")) for name in columns], row.line, _plain(why)])
    return out.getvalue()


def _plain(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "@", "\t", "\r") else text

"""
Writes flat tables as Apache Parquet, without a library of a hundred megabytes for it.

Row groups with one uncompressed page a column, all columns optional: the plainest file of the format
(https://parquet.apache.org/docs/file-format/, and its `parquet.thrift` for the numbers of fields), which every reader
reads. Its footer is in Thrift's compact protocol.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final, Literal

Kind = Literal["text", "int64", "double"]

MAGIC: Final = b"PAR1"

_TYPES: Final[Mapping[Kind, int]] = {"int64": 2, "double": 5, "text": 6}
_PLAIN, _RLE = 0, 3
_OPTIONAL = 1
_UTF8 = 0
_DATA_PAGE = 0

# Types of Thrift's compact protocol.
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


def parquet(columns: Mapping[str, tuple[Kind, Sequence[Any]]]) -> bytes:
    """The bytes of a file with these columns, all of one length; None is null. A text is a str, an int64 an int."""
    out = io.BytesIO()
    table = ParquetTable(out, {name: kind for name, (kind, _) in columns.items()})
    table.add({name: values for name, (_, values) in columns.items()})
    table.end()
    return out.getvalue()


class ParquetTable:
    """A table written bit by bit, each a row group, into a file that is at its beginning."""

    def __init__(self, out: BinaryIO, columns: Mapping[str, Kind]) -> None:
        self._out, self._columns = out, columns
        self._at = out.write(MAGIC)
        self._rows = 0
        self._groups: list[bytes] = []

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """More rows: of every column of the table the values, all of one length."""
        chunks, begin = [], self._at
        [rows] = {len(values) for values in columns.values()} or {0}
        for name, kind in self._columns.items():
            page = _page(kind, columns[name])
            chunks.append(_chunk(name, kind, rows, self._at, len(page)))
            self._at += self._out.write(page)
        self._rows += rows
        self._groups.append(_struct((1, _LIST, _list(_STRUCT, chunks)), (2, _I64, self._at - begin), (3, _I64, rows)))

    def end(self) -> None:
        footer = _footer(self._columns, self._rows, self._groups)
        self._out.write(footer + struct.pack("<I", len(footer)) + MAGIC)


def _page(kind: Kind, values: Sequence[Any]) -> bytes:
    levels = _levels([value is not None for value in values])
    data = struct.pack("<I", len(levels)) + levels + _plain(kind, [value for value in values if value is not None])
    header = _struct(
        (1, _I32, _DATA_PAGE),
        (2, _I32, len(data)),
        (3, _I32, len(data)),
        (5, _STRUCT, _struct((1, _I32, len(values)), (2, _I32, _PLAIN), (3, _I32, _RLE), (4, _I32, _RLE))),
    )
    return header + data


def _levels(there: Sequence[bool]) -> bytes:
    """Whether each value is there, in the hybrid encoding with one bit a value: all of it as bits, in eights."""
    groups = (len(there) + 7) // 8
    bits = sum(1 << place for place, one in enumerate(there) if one)
    return _varint(groups << 1 | 1) + bits.to_bytes(groups, "little")


def _plain(kind: Kind, values: Sequence[Any]) -> bytes:
    match kind:
        case "int64":
            return struct.pack(f"<{len(values)}q", *values)
        case "double":
            return struct.pack(f"<{len(values)}d", *values)
        case "text":
            texts = [value.encode() for value in values]
            return b"".join([struct.pack("<I", len(text)) + text for text in texts])


def _chunk(name: str, kind: Kind, values: int, at: int, size: int) -> bytes:
    meta = _struct(
        (1, _I32, _TYPES[kind]),
        (2, _LIST, _list(_I32, [_zigzag(_PLAIN), _zigzag(_RLE)])),
        (3, _LIST, _list(_BINARY, [_text(name)])),
        (4, _I32, 0),
        (5, _I64, values),
        (6, _I64, size),
        (7, _I64, size),
        (9, _I64, at),
    )
    return _struct((2, _I64, at), (3, _STRUCT, meta))


def _footer(columns: Mapping[str, Kind], rows: int, groups: list[bytes]) -> bytes:
    root = _struct((4, _BINARY, _text("schema")), (5, _I32, len(columns)))
    schema = [root, *[_column(name, kind) for name, kind in columns.items()]]
    return _struct(
        (1, _I32, 1),
        (2, _LIST, _list(_STRUCT, schema)),
        (3, _I64, rows),
        (4, _LIST, _list(_STRUCT, groups)),
        (6, _BINARY, _text("fieldloop")),
    )


def _column(name: str, kind: Kind) -> bytes:
    converted = [(6, _I32, _UTF8)] if kind == "text" else []
    return _struct((1, _I32, _TYPES[kind]), (3, _I32, _OPTIONAL), (4, _BINARY, _text(name)), *converted)


# Thrift's compact protocol.


def _struct(*fields: tuple[int, int, Any]) -> bytes:
    """Fields by number, type and value; of a list, a text and a struct the value is their bytes."""
    out, before = bytearray(), 0
    for number, kind, value in fields:
        out.append((number - before) << 4 | kind)
        out += _zigzag(value) if kind in (_I32, _I64) else value
        before = number
    return bytes(out + b"\0")


def _list(kind: int, items: Sequence[bytes]) -> bytes:
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + _varint(len(items))
    return head + b"".join(items)


def _text(text: str) -> bytes:
    return _varint(len(text.encode())) + text.encode()


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])

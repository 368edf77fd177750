"""
Rows of an XES file (IEEE 1849): each event of each trace, in the order of the file, with the trace's case.

Read as a stream, by the parser itself, so that a row knows its line. A document type is refused: a log has no need of
one, and its entities are how a small file grows into gigabytes.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import IO, Final
from xml.parsers import expat

from services.importing.mapping import Columns, Mapping
from services.importing.rows import BadRow, Row, Unusable

CHUNK: Final = 1 << 16
BROKEN: Final = "\ufffd"
"""Stands for bytes that are none of the encoding."""

_ESCAPED = re.compile("[\udc80-\udcff]")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def xes_rows(file: IO[bytes], mapping: Mapping) -> Iterator[Row | BadRow]:
    """Every event in the order of the file. Raises Unusable for what is no XES."""
    if mapping.attributes is None:
        raise Unusable("the mapping has no `attributes`, which XES needs: add them, or read the CSV file")
    chunk = file.read(CHUNK)
    decoder = codecs.getincrementaldecoder(_encoding(chunk))(errors="surrogateescape")
    log = _Log(mapping.attributes)
    try:
        while chunk:
            log.feed(_ESCAPED.sub(BROKEN, decoder.decode(chunk)))
            while log.rows:
                yield log.rows.popleft()
            chunk = file.read(CHUNK)
        log.end()
    except expat.ExpatError as error:
        yield from log.rows
        yield BadRow(error.lineno, f"this is no XML from here on: {expat.ErrorString(error.code)}", "", ends=True)


def _encoding(beginning: bytes) -> str:
    for mark, name in _BYTE_ORDER_MARKS:
        if beginning.startswith(mark):
            return name
    declared = _DECLARED.match(beginning)
    name = declared.group(1).decode() if declared else "utf-8"
    try:
        codecs.lookup(name)
    except LookupError:
        raise Unusable(f"the file says that its encoding is {name}, which is not known; save it as UTF-8") from None
    return name


class _Log:
    """Follows the parser through the log and gathers the rows."""

    def __init__(self, attributes: Columns) -> None:
        self.rows: deque[Row | BadRow] = deque()
        self._names = {ours: theirs for ours, theirs in attributes.named().items() if ours != "case"}
        self._case_key = attributes.case
        self._open: list[str] = []
        self._case = ""
        self._event: dict[str, str] = {}
        self._line = 0
        self._parser = parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def feed(self, text: str) -> None:
        self._parser.Parse(text, False)

    def end(self) -> None:
        self._parser.Parse("", True)

    def _refuse(self, *_: object) -> None:
        raise Unusable("the file declares a document type (DOCTYPE), which is not read; remove the declaration")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        inside = self._open[-1] if self._open else ""
        if not inside and name != "log":
            raise Unusable(f"the file is no XES: it begins with <{name}> instead of <log>")
        self._open.append(name)
        if name == "trace":
            self._case = ""
        elif name == "event":
            self._event, self._line = {}, self._parser.CurrentLineNumber
        elif inside == "event":
            self._event[attributes.get("key", "")] = attributes.get("value", "")
        elif inside == "trace" and attributes.get("key") == self._case_key:
            self._case = attributes.get("value", "").strip()

    def _end(self, name: str) -> None:
        self._open.pop()
        if name == "event":
            raw = json.dumps(self._event, ensure_ascii=False)
            if BROKEN in raw or BROKEN in self._case:
                case = "" if BROKEN in self._case else self._case
                self.rows.append(BadRow(self._line, "the encoding is broken", raw, case))
            else:
                said = self._event
                values = {ours: said[theirs].strip() for ours, theirs in self._names.items() if theirs in said}
                self.rows.append(Row(self._line, {**values, "case": self._case}, raw))

"""What a reader of a file gives, row by row: what the row says, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One row by our names of what it says; texts are stripped, and what the file does not say is not there."""

    line: int
    values: Mapping[str, str]
    raw: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used. `case`, where it can be read, keeps the row's place among those of its case."""

    line: int
    reason: str
    raw: str
    case: str = ""
    ends: bool = False
    """The file cannot be read beyond it."""


class Unusable(Exception):
    """No row of the file can be used with this mapping; the text names the remedy."""


def broken(text: str) -> bool:
    """Whether bytes of it were none of the encoding; they were read as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def legible(text: str) -> str:
    """The text with broken bytes written as `\\xNN`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") if broken(text) else text

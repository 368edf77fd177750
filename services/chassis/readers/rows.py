"""
The rows of one view while events are folded into them: a write-back cache over its table.

A fold is pure over its rows, so it may be run again. A row that is not in memory is answered as if it were not there
and noted in `unknown`; what was folded upon it is void. Whoever folds then reads the unknown rows, calls `begin`, and
folds the same events again, until nothing was unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.chassis.views import Value, View

Key = tuple[str | int, ...]
"""The tenant, then the key in the order of the view."""

Row = dict[str, Any]
"""Every column that is not in the key, in the order of the view. Never changed: a `put` makes a new one."""

CACHED_ROWS = 20_000
"""Rows kept per view, about; a wide row takes 2 kB. Those not used for longest are read again when they are wanted."""

FEW: Final = 4
"""Up to so many rows are looked at one by one: it costs less than a call for each of their columns."""

LEAST: Final = -(2**63)
MOST: Final = 2**63 - 1

_ABSENT: Final[Any] = object()

UNKNOWN: Final[Any] = object()
"""Stands for a row that is not in memory and may be in the table."""


class BadRow(Exception):
    """A row that a fold made and the stores cannot keep; the text says what is wrong with it."""


def _is_sound(values: tuple[Any, ...], wanted: tuple[type, ...]) -> bool:
    """Whether a column can keep all of these: they have its type, and no text has a NUL."""
    kinds = set(map(type, values))
    if not kinds.issubset(wanted):
        return False
    if wanted[0] is not str:
        return True
    return "\0" not in "".join(values if len(kinds) == 1 and str in kinds else [one for one in values if one])


class CachedRows:
    """
    The `Rows` that a fold is given; `tenant` says whose, and is set before each event.

    `complete` says that every row of the table is in memory, as of an empty one: then nothing is ever unknown.
    """

    def __init__(self, view: View, *, complete: bool = True, most: int = CACHED_ROWS) -> None:
        self.tenant = ""
        self.changed: dict[Key, Row | None] = {}
        """What this batch sets, and removes."""
        self.unknown: set[Key] = set()
        self.complete = complete
        self._view, self._most = view, most
        self._defaults = dict(view.defaults)
        self._kinds, self._width = (str, *view.key.values()), len(self._defaults)
        self._all_text = set(self._kinds) == {str}
        # Two generations: what is used moves to `recent`, and when that is full, what stayed in `older` goes.
        self._recent: dict[Key, Row | None] = {}
        self._older: dict[Key, Row | None] = {}
        self._usual: set[tuple[type, ...]] = set()
        self._wanted = [
            (column.type.python_type, type(None)) if column.nullable else (column.type.python_type,)
            for column in view.table.columns
        ]

    def get(self, *key: str | int) -> Mapping[str, Any] | None:
        full = (self.tenant, *key)
        row = self.changed.get(full, _ABSENT)
        return self._stored(full) if row is _ABSENT else row

    def peek(self, full: Key) -> Row | None:
        """A row as it is stored, without what this batch changes; UNKNOWN where it is not in memory."""
        row: Row | None = self._recent.get(full, _ABSENT)
        if row is _ABSENT and (row := self._older.get(full, _ABSENT)) is _ABSENT:
            return None if self.complete and tuple(map(type, full)) == self._kinds else UNKNOWN
        return row

    def put(self, *key: str | int, **columns: Value) -> None:
        full = (self.tenant, *key)
        row = self.changed.get(full, _ABSENT)
        if row is _ABSENT:
            # If all columns are given, what the row was makes no difference.
            whole = len(columns) == self._width and len(full) == len(self._kinds)
            row = None if whole else self._stored(full)
        new = {**(row or self._defaults), **columns}
        if len(new) != self._width:
            strange = ", ".join(sorted(columns.keys() - self._defaults.keys()))
            raise TypeError(f"view {self._view.name} has no column {strange}")
        self.changed[full] = new

    def drop(self, *key: str | int) -> None:
        full = (self.tenant, *key)
        self._must_fit(full)
        self.changed[full] = None

    def _stored(self, full: Key) -> Row | None:
        row: Row | None = self._recent.get(full, _ABSENT)
        if row is not _ABSENT:
            return row
        row = self._older.get(full, _ABSENT)
        if row is not _ABSENT:
            self._recent[full] = row
            return row
        self._must_fit(full)
        if not self.complete:
            self.unknown.add(full)
        return None

    def _must_fit(self, full: Key) -> None:
        kinds = tuple(map(type, full))
        if kinds == self._kinds and self._all_text and "\0" not in "".join(full):  # type: ignore[arg-type]
            return
        if kinds != self._kinds:
            wanted = ", ".join([f"{name}: {kind.__name__}" for name, kind in self._view.key.items()])
            raise TypeError(f"the key of view {self._view.name} is ({wanted}), not {full[1:]}")
        for part in full:
            if "\0" in part if isinstance(part, str) else not LEAST <= part <= MOST:
                raise BadRow(f"no row of {self._view.name} can have the key {full[1:]}")

    # For whoever folds.

    def begin(self) -> None:
        """Back to what is stored: what was folded since `keep` is void."""
        self.changed, self.unknown = {}, set()

    def learn(self, rows: Mapping[Key, Row]) -> None:
        """These are the unknown rows as they are stored; those that are not among them do not exist."""
        for key in self.unknown:
            self._recent[key] = rows.get(key)

    def keep(self) -> None:
        """What was changed is stored now."""
        self._recent.update(self.changed)
        if self.complete:
            for key in [key for key, row in self.changed.items() if row is None]:
                del self._recent[key]
                self._older.pop(key, None)
        self.changed = {}
        if len(self._recent) > self._most // 2:
            self.complete = self.complete and not self._older
            self._recent, self._older = {}, self._recent

    def split(self) -> tuple[list[tuple[Any, ...]], list[Key]]:
        """
        What is to be written, each row with its key in front, and what is to be removed.

        Raises BadRow for what one store refuses and another would take: a wrong type, a NUL in a text.
        """
        put = [(*key, *row.values()) for key, row in self.changed.items() if row is not None]
        few = len(put) <= FEW
        if put and not (few and all(map(self._is_usual, put))):
            # Column by column, which is a few calls for all rows; the rows one by one only to say which is bad.
            if not all(map(_is_sound, zip(*put, strict=True), self._wanted)):
                for values in put:
                    self._judge(values)
            elif few:
                self._usual.update([tuple(map(type, values)) for values in put])
        return put, [key for key, row in self.changed.items() if row is None]

    def _is_usual(self, values: tuple[Any, ...]) -> bool:
        """Whether a row of these very types was found sound before, and no text has a NUL."""
        return tuple(map(type, values)) in self._usual and "\0" not in "".join(
            [value for value in values if isinstance(value, str)]
        )

    def _judge(self, values: tuple[Any, ...]) -> None:
        for column, value, wanted in zip(self._view.table.columns, values, self._wanted, strict=True):
            if type(value) not in wanted:
                name, kinds = f"{self._view.name}.{column.name}", " or ".join([kind.__name__ for kind in wanted])
                raise BadRow(f"{name} is {kinds} and was given {type(value).__name__}")
            if isinstance(value, str) and "\0" in value:
                raise BadRow(f"row {values[: len(self._kinds)]} of {self._view.name} has a text with a NUL character")

    def __iter__(self) -> Iterator[tuple[Key, Row]]:
        """All rows, where all are in memory."""
        every = {**self._older, **self._recent, **self.changed}
        return iter([(key, row) for key, row in every.items() if row is not None])

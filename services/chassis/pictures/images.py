"""
A picture made safe: what kind it is by its content, when and where it was taken, and its bytes written anew.

What a client says of it is not believed, and nothing of what was sent is kept: the picture is decoded and encoded
again, so that neither the data of the camera nor anything that hides in a file comes along.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from PIL import ExifTags, Image, ImageOps

from services.chassis.clock import TENANT_ZONE
from services.chassis.pictures.kinds import MediaType

PIXELS: Final = 40_000_000
"""The largest picture: a file of some kilobytes can say that it has more than memory holds."""

MEDIA_TYPES: Final[dict[str, MediaType]] = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}

EARLIEST: Final = 2000
"""The year before which no camera of ours took a picture: one that says so has lost its clock."""


class NotAPicture(Exception):
    """It is none of the kinds that we take, or it is broken."""


class TooLarge(Exception):
    """It has more than PIXELS, or takes more memory than there is for it."""


@dataclass(frozen=True)
class Picture:
    content: bytes
    """As it is to be kept."""
    media_type: MediaType
    sha256: str
    """Of `content`, hexadecimal."""
    taken_at: datetime | None
    """By the camera's clock: in the zone that it names, else in the tenant's."""
    lat_udeg: int | None
    lon_udeg: int | None


def cleaned(sent: bytes) -> Picture:
    """May take a second of CPU. Raises NotAPicture, TooLarge."""
    try:
        with warnings.catch_warnings():
            # Pillow's own limit is higher than ours, and what it warns of we judge.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(sent), formats=tuple(MEDIA_TYPES)) as image:
                if image.width * image.height > PIXELS:
                    raise TooLarge
                kind = str(image.format)
                exif = image.getexif()
                taken_at, (lat, lon) = _when(exif), _where(exif)
                content = _written_anew(ImageOps.exif_transpose(image), kind)
    except (TooLarge, Image.DecompressionBombError, MemoryError):
        raise TooLarge from None
    # Whatever a decoder finds wrong with foreign bytes, it is the sender's to put right.
    except Exception as error:
        raise NotAPicture(str(error)) from error
    return Picture(content, MEDIA_TYPES[kind], hashlib.sha256(content).hexdigest(), taken_at, lat, lon)


def _written_anew(image: Image.Image, kind: str) -> bytes:
    """The pixels and nothing else: a new picture has no comments, profiles or thumbnails."""
    pixels = image.convert("RGBA" if kind != "JPEG" and image.has_transparency_data else "RGB")
    plain = Image.new(pixels.mode, pixels.size)
    plain.paste(pixels)
    content = io.BytesIO()
    if kind == "PNG":
        plain.save(content, kind)
    else:
        plain.save(content, kind, quality=88)
    return content.getvalue()


def _when(exif: Image.Exif) -> datetime | None:
    told = exif.get_ifd(ExifTags.IFD.Exif)
    text = str(told.get(ExifTags.Base.DateTimeOriginal, "")).strip("\0 ")
    zone = str(told.get(ExifTags.Base.OffsetTimeOriginal, "")).strip("\0 ")
    try:
        if zone:
            taken_at = datetime.strptime(f"{text}{zone}", "%Y:%m:%d %H:%M:%S%z")
        else:
            taken_at = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=TENANT_ZONE)
    except ValueError:
        return None
    return taken_at if EARLIEST <= taken_at.year < 2100 else None


def _where(exif: Image.Exif) -> tuple[int | None, int | None]:
    told = exif.get_ifd(ExifTags.IFD.GPSInfo)
    lat = _udeg(told.get(ExifTags.GPS.GPSLatitude), told.get(ExifTags.GPS.GPSLatitudeRef), "S", 90)
    lon = _udeg(told.get(ExifTags.GPS.GPSLongitude), told.get(ExifTags.GPS.GPSLongitudeRef), "W", 180)
    return (None, None) if lat is None or lon is None else (lat, lon)


def _udeg(dms: Any, side: Any, negative: str, most: int) -> int | None:
    """Degrees, minutes and seconds as 1/1,000,000 degree; None for what is no place."""
    try:
        degrees, minutes, seconds = (float(part) for part in dms)
        udeg = round((degrees + minutes / 60 + seconds / 3600) * 1_000_000)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not 0 <= udeg <= most * 1_000_000:
        return None
    return -udeg if side == negative else udeg

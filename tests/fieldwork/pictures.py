"""Pictures of every kind, made by Pillow: with the data of a camera, and with what must not be kept."""

import io

from PIL import ExifTags, Image

SHANGHAI = ((31.0, 13.0, 49.8), (121.0, 28.0, 25.2))


def picture(kind="JPEG", *, size=(40, 30), exif=None, mode="RGB", colour=(200, 30, 30), image=None):
    content = io.BytesIO()
    (image or Image.new(mode, size, colour)).save(content, kind, **({} if exif is None else {"exif": exif}))
    return content.getvalue()


def camera(*, taken="2026:11:24 17:20:00", zone="", place=SHANGHAI, sides=("N", "E"), orientation=1):
    """What a phone writes beside the pixels, with a text of its owner."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "OWNER-OF-THE-PHONE"
    told = exif.get_ifd(ExifTags.IFD.Exif)
    told[ExifTags.Base.DateTimeOriginal] = taken
    if zone:
        told[ExifTags.Base.OffsetTimeOriginal] = zone
    if place:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = sides
        gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLongitude] = place
    return exif


JPEG, PNG, WEBP = (picture(kind) for kind in ("JPEG", "PNG", "WEBP"))

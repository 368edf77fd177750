"""What is kept of a picture is its pixels; when and where it was taken is read out before the rest is dropped."""

import hashlib
import io
import zlib
from datetime import UTC, datetime

import pytest
from PIL import Image

from services.chassis.pictures.images import PIXELS, NotAPicture, TooLarge, cleaned
from tests.fieldwork.pictures import JPEG, PNG, WEBP, camera, picture


def opened(content):
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(("sent", "kind"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")])
def test_a_picture_is_known_by_its_content_and_written_anew(sent, kind):
    kept = cleaned(sent)
    assert kept.media_type == kind == f"image/{opened(kept.content).format.lower()}"
    assert kept.sha256 == hashlib.sha256(kept.content).hexdigest()
    assert opened(kept.content).size == opened(sent).size
    assert (kept.taken_at, kept.lat_udeg, kept.lon_udeg) == (None, None, None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_time_and_place_are_read_and_nothing_of_the_camera_is_kept(kind):
    sent = picture(kind, exif=camera())
    assert b"OWNER-OF-THE-PHONE" in sent
    kept = cleaned(sent)
    assert kept.taken_at == datetime(2026, 11, 24, 9, 20, tzinfo=UTC)
    assert (kept.lat_udeg, kept.lon_udeg) == (31_230_500, 121_473_667)
    assert b"OWNER-OF-THE-PHONE" not in kept.content and b"Exif" not in kept.content
    assert not opened(kept.content).getexif()


def test_a_time_with_a_zone_is_of_that_zone_and_a_place_south_and_west_is_negative():
    kept = cleaned(picture(exif=camera(zone="+01:00", sides=("S", "W"))))
    assert kept.taken_at == datetime(2026, 11, 24, 16, 20, tzinfo=UTC)
    assert (kept.lat_udeg, kept.lon_udeg) == (-31_230_500, -121_473_667)


@pytest.mark.parametrize("taken", ["", "yesterday", "0000:00:00 00:00:00", "1970:01:01 00:00:00"])
def test_a_camera_that_does_not_know_the_time_says_none(taken):
    assert cleaned(picture(exif=camera(taken=taken))).taken_at is None


@pytest.mark.parametrize("place", [None, ((91.0, 0.0, 0.0), (0.0, 0.0, 0.0)), ((31.0, 13.0, 49.8), (181.0, 0.0, 0.0))])
def test_a_camera_that_does_not_know_the_place_says_none(place):
    kept = cleaned(picture(exif=camera(place=place)))
    assert (kept.lat_udeg, kept.lon_udeg) == (None, None)


def test_a_picture_that_was_taken_upright_is_shown_upright():
    assert opened(cleaned(picture(exif=camera(orientation=6))).content).size == (30, 40)


@pytest.mark.parametrize(
    ("kind", "told"),
    [("JPEG", {"comment": b"OWNER"}), *[(kind, {"icc_profile": b"OWNER" * 40}) for kind in ("JPEG", "PNG", "WEBP")]],
)
def test_no_comment_and_no_profile_is_kept(kind, told):
    content = io.BytesIO()
    Image.new("RGB", (40, 30)).save(content, kind, **told)
    kept = cleaned(content.getvalue())
    assert opened(content.getvalue()).info.keys() & told.keys()
    assert not opened(kept.content).info.keys() & {"comment", "icc_profile", "exif"}


def test_what_hides_behind_a_picture_does_not_come_along():
    for sent in (JPEG, PNG, WEBP):
        assert b"<script>" not in cleaned(sent + b"<script>alert(1)</script>").content


def test_what_can_be_seen_through_stays_so():
    kept = cleaned(picture("PNG", mode="RGBA", colour=(1, 2, 3, 0)))
    assert opened(kept.content).getpixel((0, 0)) == (1, 2, 3, 0)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GIF89a",
        b"<svg onload=alert(1)>",
        b"<html>",
        b"%PDF-1.7",
        b"RIFF\x10\x00\x00\x00WAVE",
        b"\x89PNG\r\n\x1a\npicture",
        b"\xff\xd8\xff\xe0picture",
        picture("GIF"),
        picture("BMP"),
        JPEG[: len(JPEG) // 2],
        PNG[:-30],
    ],
)
def test_what_is_no_picture_or_a_broken_one_is_refused(sent):
    with pytest.raises(NotAPicture):
        cleaned(sent)


@pytest.mark.parametrize("side", [6_400, 30_000])
def test_a_small_file_that_says_it_is_huge_is_refused_before_it_is_decoded(side):
    assert side * side > PIXELS
    head = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    crc = zlib.crc32(b"IHDR" + head).to_bytes(4, "big")
    bomb = PNG[:16] + head + crc + PNG[33:]
    with pytest.raises(TooLarge):
        cleaned(bomb)

"""Foreign bytes are decoded where they can break nothing: in a child that is bounded, replaced, and not believed."""

import asyncio
import io
import os
import signal
import time
import zlib
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from fieldwork.adapters.report_pdf import report_pdf
from services.chassis.pictures.images import PIXELS, NotAPicture, TooLarge, cleaned
from services.chassis.workshop import AT_ONCE, Died, Workshop
from tests.fieldwork.pictures import JPEG, PNG
from tests.fieldwork.test_acceptance import report

LONG_S = 60.0
PICTURES = "services.chassis.pictures.jobs"


@pytest.fixture
def workshop():
    own = Workshop(PICTURES)
    yield own
    own.close()


def done(workshop, job, given, within_s=LONG_S):
    return asyncio.run(workshop.done(job, given, within_s=within_s))


@cache
def bomb(width, height):
    """A file of some kilobytes that is this large, and really is."""

    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    packed, rows = zlib.compressobj(9), bytes(1 + width * 4)
    pixels = b"".join([*(packed.compress(rows) for _ in range(height)), packed.flush()])
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 6, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_child_does_what_the_parent_would_have_done(workshop):
    assert done(workshop, "picture", JPEG) == cleaned(JPEG)


def test_a_report_is_put_on_paper_there_as_it_would_be_here():
    paper = Workshop("fieldwork.adapters.paper", 1)
    try:
        assert done(paper, "report", report()) == report_pdf(report())
    finally:
        paper.close()


def test_what_is_wrong_with_a_picture_is_told_as_it_is(workshop):
    with pytest.raises(NotAPicture):
        done(workshop, "picture", b"<svg>")
    with pytest.raises(TooLarge):
        done(workshop, "picture", bomb(10_000, 4_001))
    assert done(workshop, "picture", PNG) == cleaned(PNG)


def test_the_largest_picture_that_we_take_has_room(workshop):
    sent = bomb(8_000, PIXELS // 8_000)
    assert len(sent) < 1_000_000
    assert Image.open(io.BytesIO(done(workshop, "picture", sent).content)).size == (8_000, PIXELS // 8_000)


def test_what_wants_more_memory_than_there_is_is_too_large_and_the_next_one_is_taken():
    narrow = Workshop(PICTURES, 1, 400_000_000)
    try:
        with pytest.raises(TooLarge):
            done(narrow, "picture", bomb(8_000, PIXELS // 8_000))
        assert done(narrow, "picture", PNG) == cleaned(PNG)
    finally:
        narrow.close()


def test_while_pictures_are_decoded_the_loop_goes_on(workshop):
    async def story():
        work = [asyncio.create_task(workshop.done("picture", bomb(3_000, 3_000), within_s=LONG_S)) for _ in range(3)]
        turns = 0
        while not all(one.done() for one in work):
            await asyncio.sleep(0.001)
            turns += 1
        assert all(one.result().content for one in work)
        assert turns > 50

    asyncio.run(story())
    assert len(workshop.children) == AT_ONCE


def test_a_child_that_takes_too_long_is_killed_and_replaced():
    one = Workshop(PICTURES, 1)
    try:
        assert done(one, "picture", PNG) == cleaned(PNG)
        pid = one.children[0].pid
        with pytest.raises(TimeoutError):
            done(one, "picture", bomb(8_000, PIXELS // 8_000), within_s=0.05)
        assert done(one, "picture", PNG) == cleaned(PNG)
        assert one.children[0].pid not in (0, pid)
    finally:
        one.close()


def test_a_child_that_nobody_wants_is_ended_and_replaced():
    one = Workshop(PICTURES, 1, idle_s=0.2)
    try:
        assert done(one, "picture", PNG) == cleaned(PNG)
        pid, deadline = one.children[0].pid, time.monotonic() + LONG_S
        while one.children[0].pid:
            assert time.monotonic() < deadline, "it holds its memory still"
            time.sleep(0.01)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert done(one, "picture", PNG) == cleaned(PNG)
    finally:
        one.close()


def test_the_child_that_worked_last_is_asked_first(workshop):
    for _ in range(3):
        assert done(workshop, "picture", PNG) == cleaned(PNG)
    assert sum(bool(child.pid) for child in workshop.children) == 1


def ticks(pid):
    """What a process has worked, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_picture_that_breaks_its_decoder_breaks_nothing_else():
    one = Workshop(PICTURES, 1)

    async def story():
        await one.done("picture", PNG, within_s=LONG_S)
        pid = one.children[0].pid
        before = ticks(pid)
        work = asyncio.create_task(one.done("picture", bomb(8_000, PIXELS // 8_000), within_s=LONG_S))
        async with asyncio.timeout(LONG_S):
            while ticks(pid) < before + 2:  # killed before it has the work, another would do it
                await asyncio.sleep(0.001)
        os.kill(pid, signal.SIGSEGV)
        with pytest.raises(Died):
            await work
        assert await one.done("picture", PNG, within_s=LONG_S) == cleaned(PNG)

    try:
        asyncio.run(story())
    finally:
        one.close()

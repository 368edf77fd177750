"""Identifiers: UUIDv7 for what is new (in order of time), name-based UUIDv8 for what is derived and exists once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from struct import unpack

Ids = Callable[[], str]
"""A port: each call gives a new identifier."""

_NAMESPACE = b"fieldloop:"


def new_ids(now_ms: Callable[[], int], rng: Random | None = None) -> Ids:
    """
    UUIDv7s that never go backwards within this process, also when the clock does.

    The 12 bits after the millisecond count within it; a full millisecond borrows the next one.
    """
    random_62 = partial(rng.getrandbits, 62) if rng else _system_62()
    last = 0

    def new_id() -> str:
        nonlocal last
        last = max(last + 1, now_ms() << 12)
        return _text((last >> 12) << 80 | 0x7 << 76 | (last & 0xFFF) << 64 | 0b10 << 62 | random_62())

    return new_id


def _text(value: int) -> str:
    """As `str(UUID(int=value))`, in a quarter of its time."""
    text = value.to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _system_62() -> Callable[[], int]:
    """The system's randomness, fetched many at a time: asking for it takes longer than what is asked for."""
    words: Iterator[int] = iter(())

    def random_62() -> int:
        nonlocal words
        word = next(words, None)
        if word is None:
            words = iter(unpack("512Q", os.urandom(4096)))
            word = next(words)
        return word >> 2

    return random_62


def derived_id(*names: str) -> str:
    """The one identifier of what is derived from these names; the same names give the same id everywhere."""
    joined = "\x1f".join(names).encode()
    digest = int.from_bytes(hashlib.sha256(_NAMESPACE + joined).digest()[:16], "big")
    return _text(digest & ~(0xF << 76) & ~(0b11 << 62) | 0x8 << 76 | 0b10 << 62)

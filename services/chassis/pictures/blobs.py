"""
Where the bytes of photos are kept: sealed under the person's key, named by what they are.

A blob is durable before the event that names it is recorded. One whose event was never recorded belongs to nobody and
may be swept.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol
from uuid import uuid4

Cipher = Callable[[str, str, bytes], Awaitable[bytes]]
"""Seals, or opens, bytes under the key of (tenant, person). Opening raises KeyError for a person who is forgotten."""


class Blobs(Protocol):
    async def put(self, tenant: str, person: str, content: bytes) -> str:
        """Seal and keep, durably. The SHA-256 of the sealed bytes, hexadecimal."""

    async def get(self, tenant: str, person: str, sha256: str) -> bytes | None:
        """The bytes made readable; None where they are not there, are not whole, or the person is forgotten."""


class FileBlobs:
    """Blobs as files: `<folder>/<the first two digits>/<sha256>`."""

    def __init__(self, folder: Path, *, seal: Cipher, unseal: Cipher) -> None:
        self._folder, self._seal, self._unseal = folder, seal, unseal

    async def put(self, tenant: str, person: str, content: bytes) -> str:
        sealed = await self._seal(tenant, person, content)
        sha256 = hashlib.sha256(sealed).hexdigest()
        await asyncio.to_thread(_write, self._path(sha256), sealed)
        return sha256

    async def get(self, tenant: str, person: str, sha256: str) -> bytes | None:
        sealed = await asyncio.to_thread(_read, self._path(sha256))
        if sealed is None or hashlib.sha256(sealed).hexdigest() != sha256:
            return None
        try:
            return await self._unseal(tenant, person, sealed)
        except KeyError:
            return None

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole, so that a reader never sees a part of it.
    partial = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    for folder in (path.parent, path.parent.parent):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Without this a power cut may forget the name of a file whose bytes are safe."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None

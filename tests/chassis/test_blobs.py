"""Photos are kept sealed, whole, and under the name of what they are."""

import asyncio
import hashlib
import os

import pytest

from services.chassis.pictures.blobs import FileBlobs

JPEG = b"picture"


class Vault:
    """Turns bytes round under a person's name, unless she is forgotten."""

    def __init__(self):
        self.forgotten = set()

    async def seal(self, tenant, person, content):
        return f"{tenant}/{person}:".encode() + content[::-1]

    async def unseal(self, tenant, person, sealed):
        if person in self.forgotten:
            raise KeyError(person)
        return sealed.removeprefix(f"{tenant}/{person}:".encode())[::-1]


@pytest.fixture
def vault():
    return Vault()


@pytest.fixture
def blobs(tmp_path, vault):
    return FileBlobs(tmp_path / "blobs", seal=vault.seal, unseal=vault.unseal)


def test_what_is_put_can_be_read_and_lies_there_sealed(blobs, tmp_path):
    sha256 = asyncio.run(blobs.put("t-1", "c-1", JPEG))
    kept = (tmp_path / "blobs" / sha256[:2] / sha256).read_bytes()
    assert JPEG not in kept
    assert hashlib.sha256(kept).hexdigest() == sha256
    assert asyncio.run(blobs.get("t-1", "c-1", sha256)) == JPEG


def test_of_a_forgotten_person_nothing_can_be_read(blobs, vault):
    sha256 = asyncio.run(blobs.put("t-1", "c-1", JPEG))
    vault.forgotten.add("c-1")
    assert asyncio.run(blobs.get("t-1", "c-1", sha256)) is None


def test_a_blob_that_is_gone_or_changed_is_not_shown(blobs, tmp_path):
    sha256 = asyncio.run(blobs.put("t-1", "c-1", JPEG))
    path = tmp_path / "blobs" / sha256[:2] / sha256
    path.write_bytes(path.read_bytes()[:-1])
    assert asyncio.run(blobs.get("t-1", "c-1", sha256)) is None
    path.unlink()
    assert asyncio.run(blobs.get("t-1", "c-1", sha256)) is None


def test_a_blob_is_durable_before_it_has_its_name(blobs, tmp_path, monkeypatch):
    """Its bytes are flushed before the rename, and its folder after it."""
    done = []
    fsync, replace = os.fsync, os.replace

    def flushed(file):
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{file}") else "bytes")
        fsync(file)

    def renamed(source, target):
        done.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    asyncio.run(blobs.put("t-1", "c-1", JPEG))
    assert done[:3] == ["bytes", "rename", "folder"]


def test_what_could_not_be_written_leaves_nothing_behind(blobs, tmp_path, monkeypatch):
    def full(file):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        asyncio.run(blobs.put("t-1", "c-1", JPEG))
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []

"""
Keys under a passphrase, in one file: scrypt (RFC 7914) makes a key of the passphrase, AES-256-GCM seals with it.

    magic, salt (16 bytes), nonce (12 bytes), sealed archive

The magic and the salt are authenticated with it. A passphrase that is tried costs 128 MiB and some tenths of a second.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SEALED: Final = "keys.sealed"
MAGIC: Final = b"fieldloop keys 1\n"
SALT, NONCE = 16, 12


class WrongPassphrase(Exception):
    """It does not open with this passphrase; or the file was changed, which cannot be told apart."""


def seal(folder: Path, target: Path, passphrase: bytes) -> None:
    """The files of a folder, sealed into one, readable by its owner only."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, file.name)
    salt, nonce = os.urandom(SALT), os.urandom(NONCE)
    begin = MAGIC + salt
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(begin + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, packed.getvalue(), begin))


def unseal(sealed: Path, folder: Path, passphrase: bytes) -> None:
    """The files that were sealed, into a folder. Raises WrongPassphrase."""
    text = sealed.read_bytes()
    begin, rest = text[: len(MAGIC) + SALT], text[len(MAGIC) + SALT :]
    try:
        packed = AESGCM(_key(passphrase, begin[len(MAGIC) :])).decrypt(rest[:NONCE], rest[NONCE:], begin)
    except (InvalidTag, ValueError):
        raise WrongPassphrase(f"{sealed} does not open with this passphrase, or was changed") from None
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def _key(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**17, r=8, p=1).derive(passphrase)

"""
Checkpoints: how long a journal was and what its root was, signed.

The text is a C2SP tlog-checkpoint in a C2SP signed note, so that tools of others read it:

    fieldloop/intake
    1548
    <root, base64>
    2026-11-24T09:00:00Z

    — fieldloop <key id and Ed25519 signature, base64>

After a restore there is one with a fifth line, which says what it takes the place of:

    restored instead of 1920 <root of the newest checkpoint before, base64>
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NAME: Final = "fieldloop"
ED25519: Final = b"\x01"
"""How a signed note calls the algorithm."""

RESTORED: Final = "restored instead of "

_NOTE = re.compile(r"((?:[^\n]+\n){3,})\n((?:— \S+ \S+\n)+)")


class BadNote(Exception):
    """A text that is no checkpoint of ours, or was changed since it was signed."""


class Replaced(NamedTuple):
    """The newest checkpoint that a restore gave up."""

    size: int
    root: bytes


class Checkpoint(NamedTuple):
    origin: str
    """Of which journal: `fieldloop/intake`."""
    size: int
    """So many records it had: those at the positions 1 to `size`."""
    root: bytes
    at: datetime
    """When it was signed, by the clock of the process that did."""
    instead: Replaced | None = None
    """Of the first one after a restore: up to where the journal had been signed before."""

    def text(self) -> str:
        root = b64encode(self.root).decode()
        text = f"{self.origin}\n{self.size}\n{root}\n{self.at.isoformat().replace('+00:00', 'Z')}\n"
        if self.instead is not None:
            text += f"{RESTORED}{self.instead.size} {b64encode(self.instead.root).decode()}\n"
        return text


class Verifier:
    """The public key. Its text, `fieldloop+<id>+<key>`, is what an auditor keeps elsewhere."""

    def __init__(self, key: bytes) -> None:
        self._key, self._public = Ed25519PublicKey.from_public_bytes(key), key
        self.id = sha256(NAME.encode() + b"\n" + ED25519 + key).digest()[:4]

    @classmethod
    def named(cls, text: str) -> Verifier:
        """Raises BadNote for what is no key."""
        try:
            name, given, key = text.strip().split("+", 2)
            found = cls(b64decode(key, validate=True)[1:])
        except ValueError:
            raise BadNote(f"{text[:80]!r} is no key: give it as {NAME}+<id>+<key>") from None
        if (name, given) != (NAME, found.id.hex()):
            raise BadNote(f"the key {text[:80]!r} has another id than it says")
        return found

    def text(self) -> str:
        return f"{NAME}+{self.id.hex()}+{b64encode(ED25519 + self._public).decode()}"

    def read(self, note: str) -> Checkpoint:
        """What was signed. Raises BadNote."""
        found = _NOTE.fullmatch(note)
        if found is None:
            raise BadNote("it is no signed note")
        text, signatures = found[1], found[2]
        if not any(self._is_ours(text, line) for line in signatures.splitlines()):
            raise BadNote("none of its signatures is ours: it was changed, or another installation signed it")
        origin, size, root, at, *more = text.splitlines()
        instead = None
        if more and more[0].startswith(RESTORED):
            size_before, root_before = more[0].removeprefix(RESTORED).split(" ")
            instead = Replaced(int(size_before), b64decode(root_before))
        return Checkpoint(origin, int(size), b64decode(root), datetime.fromisoformat(at), instead)

    def _is_ours(self, text: str, line: str) -> bool:
        try:
            signed = b64decode(line.split(" ")[2], validate=True)
            self._key.verify(signed[4:], text.encode())
        except (ValueError, InvalidSignature):
            return False
        # Written in the one way there is, so that a note is one text and no other.
        return signed[:4] == self.id and line == _signature_line(signed)


class Signer:
    """The private key of an installation."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.verifier = Verifier(public)

    @classmethod
    def write(cls, path: Path) -> None:
        """Make a key and write it, readable by its owner only."""
        kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = Ed25519PrivateKey.generate().private_bytes(*kind)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(pem)

    @classmethod
    def from_file(cls, path: Path) -> Signer:
        """Raises BadNote for a file that holds no such key."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except ValueError:
            raise BadNote(f"{path} holds no private key in PEM") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise BadNote(f"{path} holds a key of another kind: Ed25519 is wanted")
        return cls(key)

    def sign(self, checkpoint: Checkpoint) -> str:
        text = checkpoint.text()
        return f"{text}\n{_signature_line(self.verifier.id + self._key.sign(text.encode()))}\n"


def _signature_line(signed: bytes) -> str:
    return f"— {NAME} {b64encode(signed).decode()}"


def notes_in(text: str) -> Iterator[str]:
    """The notes of a file, one after the other; a last one that was not written whole is left out."""
    for found in _NOTE.finditer(text):
        yield found[0]

"""
Checks a proof of Fieldloop with nothing but Python 3.9: `python check_proof.py PROOF.json KEY`.

KEY is the text `fieldloop+<id>+<key>` that the installation showed when it was set up; keep it where the installation
cannot change it. The proof holds records and, for each, the hashes that lead to a signed root (RFC 9162, 2.1). The
signature is Ed25519 (RFC 8032, 5.1.7), written out here after the formulas of that text.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from hashlib import sha256, sha512
from typing import Any

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


Point = tuple[int, int, int, int]
"""Extended homogeneous coordinates."""


class Wrong(Exception):
    """The proof does not show what it says."""


def recovered(y: int, sign: int) -> int:
    """The x of a point of the curve."""
    if y >= P:
        raise Wrong("the signature is no signature")
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        raise Wrong("the signature is no signature")
    return P - x if x & 1 != sign else x


def point(data: bytes) -> Point:
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    x = recovered(y, number >> 255)
    return x, y, 1, x * y % P


def add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, p: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, p)
        p, number = add(p, p), number >> 1
    return total


def same(p: Point, q: Point) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recovered(BASE_Y, 0), BASE_Y, 1, recovered(BASE_Y, 0) * BASE_Y % P)


def is_signed(key: bytes, text: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `key` under `text`."""
    if len(key) != 32 or len(signature) != 64:
        return False
    r, s = point(signature[:32]), int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    h = int.from_bytes(sha512(signature[:32] + key + text).digest(), "little") % ORDER
    return same(times(s, BASE), add(r, times(h, point(key))))


def signed_root(note: str, key_text: str) -> tuple[str, int, bytes, str]:
    """Origin, size, root and time of a checkpoint, once its signature is found good."""
    name, given_id, packed = key_text.strip().split("+", 2)
    key = b64decode(packed)[1:]
    key_id = sha256(name.encode() + b"\n\x01" + key).digest()[:4]
    if key_id.hex() != given_id:
        raise Wrong("the key has another id than it says")
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        signature = b64decode(line.split(" ")[2])
        if signature[:4] == key_id and is_signed(key, text.encode(), signature[4:]):
            origin, size, root, at = text.splitlines()[:4]
            return origin, int(size), b64decode(root), at
    raise Wrong("the checkpoint is not signed by this key")


def root_of(record: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a record and the hashes beside it come to."""
    if not 0 <= index < size:
        raise Wrong(f"there is no record {index} among {size}")
    here, last, root = index, size - 1, sha256(b"\0" + record).digest()
    for beside in path:
        if last == 0:
            raise Wrong("the path is too long")
        if here & 1 or here == last:
            root = sha256(b"\1" + beside + root).digest()
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            root = sha256(b"\1" + root + beside).digest()
        here, last = here >> 1, last >> 1
    if last:
        raise Wrong("the path is too short")
    return root


def check(proof: dict[str, Any], key_text: str) -> list[tuple[str, str, int, str, str, str]]:
    """What the proof shows, line by line. Raises Wrong."""
    shown = []
    for journal, part in sorted(proof["journals"].items()):
        origin, size, root, at = signed_root(part["checkpoint"], key_text)
        if origin != f"fieldloop/{journal}":
            raise Wrong(f"the checkpoint of {journal} is one of {origin}")
        for one in part["records"]:
            found = root_of(one["record"].encode(), one["index"], size, [b64decode(h) for h in one["path"]])
            if found != root:
                raise Wrong(f"record {one['index'] + 1} of {journal} is not in what was signed")
            event = json.loads(one["record"])
            shown.append((event["recordedat"], journal, one["index"] + 1, event["type"], event["actor"], at))
    return sorted(shown)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        proof = json.load(file)
    try:
        shown = check(proof, sys.argv[2])
    except (Wrong, ValueError, KeyError, IndexError, TypeError) as wrong:
        sys.exit(f"NOT PROVED: {wrong}")
    for recorded, journal, position, kind, actor, at in shown:
        print(f"{recorded}  {journal} {position}  {kind}  by {actor}  (signed {at})")
    print(f"PROVED: these {len(shown)} records of {proof['subject']} are in the journals that were signed")


if __name__ == "__main__":
    main()

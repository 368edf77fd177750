"""
The Merkle tree over the records of a journal, as RFC 9162 (2.1) defines it, with SHA-256.

A leaf is the hash of a record, in the order of positions: the record at position 1 is leaf 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

HASH: Final = 32
"""Bytes of a hash."""

EMPTY: Final = sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf(record: bytes) -> bytes:
    return sha256(b"\0" + record).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """A growing tree: of all its hashes only the roots of the whole subtrees, the largest first."""

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        if len(roots) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} whole subtrees, not {len(roots)}")
        self.size, self.roots = size, list(roots)

    @classmethod
    def over(cls, leaves: bytes) -> Frontier:
        """The tree of these leaves, one after the other."""
        tree = cls()
        for begin in range(0, len(leaves), HASH):
            tree.append(leaves[begin : begin + HASH])
        return tree

    def append(self, leaf: bytes) -> None:
        right, size, roots = leaf, self.size, self.roots
        while size & 1:
            right = node(roots.pop(), right)
            size >>= 1
        roots.append(right)
        self.size += 1

    def root(self) -> bytes:
        if not self.roots:
            return EMPTY
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = node(left, root)
        return root


class Tree:
    """All hashes of a tree, for many paths at once: about 100 bytes a leaf in memory."""

    def __init__(self, leaves: bytes) -> None:
        self.size = len(leaves) // HASH
        level = [leaves[begin : begin + HASH] for begin in range(0, self.size * HASH, HASH)]
        self._levels = [level]
        while len(level) > 1:
            level = [node(level[n], level[n + 1]) for n in range(0, len(level) - 1, 2)]
            self._levels.append(level)

    def path(self, index: int) -> list[bytes]:
        """What leads from a leaf to the root, the nearest first (RFC 9162, 2.1.3.1)."""
        if not 0 <= index < self.size:
            raise IndexError(f"a tree of {self.size} leaves has no leaf {index}")
        beside: list[bytes] = []
        begin, end = 0, self.size
        while end - begin > 1:
            middle = begin + _left(end - begin)
            if index < middle:
                beside.append(self._root(middle, end))
                end = middle
            else:
                beside.append(self._root(begin, middle))
                begin = middle
        return beside[::-1]

    def _root(self, begin: int, end: int) -> bytes:
        leaves = end - begin
        if leaves & (leaves - 1) == 0:
            height = leaves.bit_length() - 1
            return self._levels[height][begin >> height]
        middle = begin + _left(leaves)
        return node(self._root(begin, middle), self._root(middle, end))


def _left(leaves: int) -> int:
    """How many leaves are in the left part: the largest power of two below."""
    return 1 << ((leaves - 1).bit_length() - 1)


def root_of(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that this leaf and path come to (RFC 9162, 2.1.3.2); None where the path has another length."""
    if not 0 <= index < size:
        return None
    here, last, root = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if here & 1 or here == last:
            root = node(beside, root)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            root = node(root, beside)
        here, last = here >> 1, last >> 1
    return root if last == 0 else None

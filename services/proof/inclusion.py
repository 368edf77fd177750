"""A proof that records are in the journals that were signed: one file, checked without this software."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.chassis.journal.store import Entry
from services.proof.kept import Kept
from services.proof.merkle import Tree, leaf, root_of
from services.proof.notes import Verifier

WHEN: Final = "one is made every minute while it runs, and when it ends"


class NotProvable(Exception):
    """No checkpoint covers a record; the text says what to do."""


def proof_of(
    subject: str, records: Mapping[str, Sequence[Entry]], kept: Mapping[str, Kept], verifier: Verifier
) -> dict[str, Any]:
    """
    The records of each journal, each with its place and its path to the root of the newest checkpoint.

    The record is the text that was recorded; what is sealed in it stays sealed. Raises NotProvable and BadNote.
    """
    journals = {name: _of_journal(kept[name], entries, verifier) for name, entries in records.items() if entries}
    if not journals:
        raise NotProvable(f"no record is of {subject}")
    return {"fieldloop_proof": 1, "subject": subject, "key": verifier.text(), "journals": journals}


def _of_journal(kept: Kept, entries: Sequence[Entry], verifier: Verifier) -> dict[str, Any]:
    notes = kept.notes()
    if not notes:
        raise NotProvable(f"{kept.origin} has no checkpoint yet: {WHEN}")
    checkpoint = verifier.read(notes[-1])
    tree = Tree(kept.leaves(checkpoint.size))
    return {"checkpoint": notes[-1], "records": [_of_record(entry, tree, checkpoint.root, kept) for entry in entries]}


def _of_record(entry: Entry, tree: Tree, root: bytes, kept: Kept) -> dict[str, Any]:
    index = entry.position - 1
    if index >= tree.size:
        raise NotProvable(f"record {entry.position} of {kept.origin} is newer than its newest checkpoint: {WHEN}")
    path = tree.path(index)
    if root_of(leaf(entry.record), index, tree.size, path) != root:
        differs = f"record {entry.position} of {kept.origin} is not what was signed"
        raise NotProvable(f"{differs}: `fieldloop verify` says more")
    return {
        "index": index,
        "path": [b64encode(beside).decode() for beside in path],
        "record": entry.record.decode(),
    }

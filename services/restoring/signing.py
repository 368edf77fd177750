"""What the checkpoints say after a restore, so that it is told from a journal that was cut off."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path

from services.chassis.journal import sqlite as journals
from services.proof.kept import Kept
from services.proof.merkle import HASH, Frontier, leaf
from services.proof.notes import BadNote, Checkpoint, Replaced, Signer


def sign_restored(journal: Path, kept: Kept, signer: Signer, now: datetime) -> int:
    """
    Sign that the journal was put back, where it is not what was signed. Returns how many signed records are gone.

    A journal that goes on from the newest checkpoint needs no word of it.
    """
    try:
        signed = [signer.verifier.read(note) for note in kept.notes()]
    except BadNote:
        signed = []  # another key's: nothing here can speak for it
    newest = max(signed, key=lambda one: one.size, default=None)
    if newest is None:
        return 0
    tree, leaves, agrees = Frontier(), bytearray(), newest.size == 0
    with closing(journals.connect(journal, readonly=True)) as db:
        for (record,) in db.execute("SELECT record FROM events ORDER BY position"):
            one = leaf(record)
            leaves += one
            tree.append(one)
            if tree.size == newest.size:
                agrees = tree.root() == newest.root
    if agrees:
        return 0
    instead = Replaced(newest.size, newest.root)
    note = signer.sign(Checkpoint(kept.origin, tree.size, tree.root(), now, instead))
    kept.restored(note, tree, bytes(leaves))
    return max(0, newest.size - len(leaves) // HASH)

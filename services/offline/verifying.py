"""Whether the journals are what they were, and the proof of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.host import discover
from services.offline.stores import CannotDo, only_one, readers
from services.proof.inclusion import NotProvable, proof_of
from services.proof.kept import Kept
from services.proof.notes import BadNote
from services.serving import signer_of
from services.settings import Settings
from services.verify.run import Report, Signed, verify


async def verify_stores(settings: Settings, progress: Callable[[int], None] = lambda read: None) -> Report:
    services = discover()
    async with readers(settings, services) as journals:
        return await verify(services, journals, progress, signed_by(settings))


def signed_by(settings: Settings) -> Signed | None:
    """The checkpoints of this installation; None where nothing was ever signed."""
    if not settings.checkpoint_folder.exists():
        return None
    return Signed(settings.checkpoint_folder, signer_of(settings).verifier)


async def prove(settings: Settings, tenant: str | None, request_id: str) -> dict[str, Any]:
    """The proof of all that is recorded of a request. Raises CannotDo."""
    signed, services = signed_by(settings), discover()
    if signed is None:
        raise CannotDo("nothing is signed yet: checkpoints are made every minute while the services run")
    async with readers(settings, services) as journals:
        tenants = sorted((await journals["intake"].head()).chains)
        whose = tenant or only_one(tenants)
        records = {name: await journal.story(whose, request_id) for name, journal in journals.items()}
    kept = {name: Kept(signed.folder, name) for name in records}
    try:
        return proof_of(f"request {request_id}", records, kept, signed.verifier)
    except (NotProvable, BadNote) as error:
        raise CannotDo(str(error)) from None

"""
What may be done about stuck events, whoever asks: the routes, and the command beside stores that nobody serves.

Everything is recorded before it is done, by the service whose event it is: who, when, why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from contracts import envelope as envelopes
from contracts.operations import TAKE_IN
from services.audit.story import covered
from services.chassis.journal.work import Answer
from services.chassis.readers.holds import AskRedrive, DiscardHeld, fingerprint
from services.chassis.readers.stuck import Stuck, Waiting, waiting
from services.chassis.running import Running

Asked = Callable[[Any], Awaitable[Answer]]
"""Has a command decided and recorded, in the name of whoever asks."""


class Which(NamedTuple):
    """What is meant: empty fields mean everything."""

    policy: str = ""
    key: str = ""
    cause: str = ""

    def meant(self, found: Sequence[Stuck]) -> list[Stuck]:
        cause = fingerprint(self.cause)
        return [
            one
            for one in found
            if self.policy in ("", one.policy)
            and self.key in ("", one.key)
            and fingerprint(one.cause).startswith(cause)
        ]


class Shown(msgspec.Struct, frozen=True):
    """One event of a stuck key, for somebody who looks into it; texts about persons are covered."""

    position: int
    event: str
    known_at: str
    tries: int
    parked: bool
    cause: str
    actor: str
    said: Any


async def stuck_of(running: Running, tenant: str, which: Which) -> list[Stuck]:
    """What is stuck in a service of a tenant; of whom a message is that cannot be read, nobody knows, so it is not."""
    return which.meant([one for one in await running.stuck() if one.tenant == tenant])


async def show(running: Running, tenant: str, policy: str, key: str) -> list[Shown]:
    """All that waits of a key, in order; nothing where it is not held."""
    if policy == TAKE_IN:
        return [
            Shown(one.position, one.event, "", one.tries, True, one.cause, "", None)
            for one in await stuck_of(running, tenant, Which(policy, key))
        ]
    return [_shown(one) for one in await waiting(running.service, running.journal, policy, (tenant, key))]


def _shown(one: Waiting) -> Shown:
    envelope = envelopes.read(one.record)
    said = covered(msgspec.json.decode(envelope.data))
    known_at = one.known_at.isoformat()
    return Shown(one.position, one.event, known_at, one.tries, one.parked, one.cause, envelope.actor, said)


async def redrive(
    running: Running, ask: Asked, redrive_id: str, which: Which, reason: str, found: Sequence[Stuck]
) -> Answer:
    """
    Have what is meant tried again; of the messages, those that were `found` are taken in if they can be read by now.

    Keys are tried as soon as the service comes to what is recorded here. Raises what asking raises, and Stopped.
    """
    answer = await ask(AskRedrive(redrive_id, which.key, which.policy, which.cause, reason))
    if messages := {(one.key, one.position) for one in which.meant(found) if one.policy == TAKE_IN}:
        await running.take_in_again(messages)
    return answer


async def discard(running: Running, ask: Asked, tenant: str, one: DiscardHeld) -> Answer | None:
    """Settle one held event, or one message that cannot be read, by hand; None where nothing of the kind is stuck."""
    there = await show(running, tenant, one.policy, one.key)
    if not any(shown.position == one.position for shown in there) and not await running.is_discarded(tenant, one):
        return None
    return await ask(one)

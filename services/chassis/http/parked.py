"""What waits for somebody to look, shown on the page of the thing that it is about."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from services.chassis.auth import ONLY_THEIR_OWN
from services.chassis.http.call import Call


class Parked(BaseModel):
    """An event that a policy of this service could not act on; all later ones of the same key wait behind it."""

    policy: str
    event: str
    cause: str
    since: datetime
    waiting: int
    """So many later events."""


async def parked_of(call: Call, key: str) -> list[Parked] | None:
    """What is parked of a key, as a rule a request's id; null for those who see only their own things."""
    if call.role in ONLY_THEIR_OWN:
        return None
    return [
        Parked(policy=one.policy, event=one.event, cause=one.cause, since=one.since, waiting=one.waiting)
        for one in await call.parked(key)
    ]

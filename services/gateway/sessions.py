"""Signing in: a user and a password for a token of fifteen minutes, which is renewed for half a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from fastapi import Request
from pydantic import BaseModel, Field

from services.chassis import telemetry
from services.chassis.auth import LIFETIME, ROLES, Principal, Tokens
from services.chassis.clock import EPOCH, Clock
from services.chassis.http import Body, Call, Problem, ServiceRouter, command, public, query
from services.gateway.users import Account, Users

RENEWED_FOR: Final = timedelta(hours=12)
"""How long after the password was given a token is renewed without it."""

TRIES, TRIES_WITHIN = 5, timedelta(minutes=5)
"""So many wrong passwords for a user from one address, and then they wait."""


class SignIn(Body):
    user: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=200)
    client: Literal["web", "app", "wechat", "api"] = "web"
    """What the user signs in with; it is the channel of all that they do with this token."""


class Session(BaseModel):
    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int
    """Seconds."""
    user_id: str
    tenant: str
    role: str
    person_id: str
    name: str


class Me(BaseModel):
    user_id: str
    tenant: str
    role: str
    person_id: str
    name: str


class GatewayApi:
    """What the gateway's own routes need of a service: its name, the time, and no journal that one could wait for."""

    name = "gateway"

    def __init__(self, clock: Clock) -> None:
        self.now: Callable[[], datetime] = clock.now

    async def wait_for(self, position: int) -> bool:
        return True

    async def wait_for_other(self, publisher: str, position: int) -> bool:
        return True


def session_routes(users: Users, tokens: Tokens, clock: Clock) -> ServiceRouter:
    api: Any = GatewayApi(clock)
    router = ServiceRouter(api)
    tries = Tries(clock)

    def session(account: Account, signed_in_at: int, client: str) -> Session:
        principal = Principal(
            account.user,
            account.tenant,
            account.role,
            account.person_id,
            account.channel or client,
            signed_in_at,
            account.events,
        )
        return Session(
            token=tokens.issue(principal),
            expires_in=int(LIFETIME.total_seconds()),
            user_id=account.user,
            tenant=account.tenant,
            role=account.role,
            person_id=account.person_id,
            name=account.name,
        )

    @router.post("/v1/sessions", status_code=201, summary="Sign in", tags=["sessions"])
    async def sign_in(body: SignIn, request: Request, call: Call = public()) -> Session:
        who = body.user, request.client.host if request.client else ""
        tries.begin(*who)
        account = await users.verified(body.user, body.password)
        telemetry.SIGN_INS.labels("accepted" if account else "refused").inc()
        if account is None:
            raise Problem("session.refused", {"WWW-Authenticate": 'Bearer realm="fieldloop"'})
        tries.forget(*who)
        return session(account, _seconds(clock), body.client)

    @router.get("/v1/sessions/me", summary="Who am I", tags=["sessions"])
    async def me(call: Call = query(*ROLES)) -> Me:
        account = users.get(call.user_id)
        name = account.name if account else ""
        return Me(user_id=call.user_id, tenant=call.tenant, role=call.role, person_id=call.person_id, name=name)

    @router.post("/v1/sessions/renewals", status_code=201, summary="A new token for the old one", tags=["sessions"])
    async def renew(call: Call = command(*ROLES)) -> Session:
        account = users.get(call.user_id)
        if account is None or account.tenant != call.tenant:
            raise Problem("session.refused", {"WWW-Authenticate": 'Bearer realm="fieldloop"'})
        if _seconds(clock) - call.signed_in_at > RENEWED_FOR.total_seconds():
            raise Problem("session.too-old", {"WWW-Authenticate": 'Bearer realm="fieldloop"'})
        return session(account, call.signed_in_at, call.channel)

    @router.get("/.well-known/jwks.json", summary="The keys that verify our tokens", tags=["sessions"])
    async def keys(call: Call = public()) -> dict[str, Any]:
        return tokens.public_keys()

    return router


def _seconds(clock: Clock) -> int:
    return int((clock.now() - EPOCH).total_seconds())


class Tries:
    """Who has tried how often to sign in, in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: dict[tuple[str, str], list[datetime]] = {}

    def begin(self, user: str, address: str) -> None:
        """Count a try, before its password is looked at, so that many at once count too. Raises a problem 429."""
        now = self._clock.now()
        if len(self._at) > 10_000:
            self._at = {who: at for who, at in self._at.items() if at[-1] > now - TRIES_WITHIN}
        recent = [at for at in self._at.get((user, address), []) if at > now - TRIES_WITHIN]
        if len(recent) >= TRIES:
            wait = int((recent[0] + TRIES_WITHIN - now).total_seconds()) + 1
            telemetry.SIGN_INS.labels("held").inc()
            raise Problem("session.too-many-tries", {"Retry-After": str(wait)}, seconds=wait)
        self._at[user, address] = [*recent, now]

    def forget(self, user: str, address: str) -> None:
        self._at.pop((user, address), None)

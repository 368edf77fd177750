"""Signing in: a user and a password for a token of fifteen minutes, which is renewed for half a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import structlog
from fastapi import Request, Response
from pydantic import BaseModel, Field

from services.chassis import telemetry
from services.chassis.auth import LIFETIME, ROLES, Link, Principal, Tokens, Unauthenticated
from services.chassis.clock import EPOCH, Clock
from services.chassis.http import Body, Call, Problem, ServiceRouter, command, public, query
from services.chassis.ids import new_ids
from services.gateway.oidc import BY_PROVIDER, Begun, NotBelieved, OpenIdProvider, ProviderAway
from services.gateway.users import DEMO_PASSWORD, Account, Users

log = structlog.get_logger()

RENEWED_FOR: Final = timedelta(hours=12)
"""How long after the password was given a token is renewed without it."""

GUEST: Final = "guest"
GUESTS_FOR: Final = timedelta(days=180)
"""How long the link of a guest opens what they asked for."""

AWAY: Final = "fieldloop-away"
AWAY_PATH: Final = "/v1/sessions/oidc"
AWAY_FOR: Final = timedelta(minutes=10)
"""How long somebody may take at the provider, and the cookie that knows them again."""

GUESTS: Final = 60
"""So many new ones come in from one address within TRIES_WITHIN: behind it may be all phones of a mobile network."""

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


class Guest(Session):
    link: str
    """What gives a new token when this one has ended; `/portal/#…` with it opens the guest's requests."""


class FromLink(Body):
    link: str = Field(min_length=1, max_length=4_000)


class Ways(BaseModel):
    """How one comes in here."""

    portal: bool
    """Whether a stranger may submit a request."""
    demo_password: str
    """Of the demo's accounts, which everybody knows; empty where there are none."""
    demo_users: list[Me]
    provider: bool
    """Whether one may come in with an account of the company's OpenID Connect provider: `GET /v1/sessions/oidc`."""


class ComeBack(Body):
    """What the provider has sent the browser back with."""

    code: str = Field(min_length=1, max_length=4_000)
    state: str = Field(min_length=1, max_length=200)


class GatewayApi:
    """What the gateway's own routes need of a service: its name, the time, and no journal that one could wait for."""

    name = "gateway"

    def __init__(self, clock: Clock) -> None:
        self.now: Callable[[], datetime] = clock.now

    async def wait_for(self, position: int) -> bool:
        return True

    async def wait_for_other(self, publisher: str, position: int) -> bool:
        return True


def session_routes(
    users: Users, tokens: Tokens, clock: Clock, portal: str = "", provider: OpenIdProvider | None = None
) -> ServiceRouter:
    """
    `portal` is the tenant to whom a stranger may submit requests; the empty string for none. `provider` is the one with
    whose accounts one may sign in too.
    """
    api: Any = GatewayApi(clock)
    router = ServiceRouter(api)
    tries, strangers = Tries(clock, TRIES), Tries(clock, GUESTS)
    new_id = new_ids(lambda: _seconds(clock) * 1_000)

    def issued(principal: Principal, name: str = "") -> Session:
        return Session(
            token=tokens.issue(principal),
            expires_in=int(LIFETIME.total_seconds()),
            user_id=principal.user_id,
            tenant=principal.tenant,
            role=principal.role,
            person_id=principal.person_id,
            name=name,
        )

    def session(account: Account, signed_in_at: int, client: str) -> Session:
        channel = account.channel or client
        principal = Principal(
            account.user, account.tenant, account.role, account.person_id, channel, signed_in_at, account.events
        )
        return issued(principal, account.name)

    def guest(tenant: str, person_id: str) -> Session:
        return issued(Principal(f"guest:{person_id}", tenant, "customer", person_id, "web", _seconds(clock)))

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

    @router.get("/v1/sessions/ways", summary="How one comes in here", tags=["sessions"])
    async def ways(call: Call = public()) -> Ways:
        shown = [one for role in ROLES if (one := users.get(f"{role}@demo"))]
        return Ways(
            portal=bool(portal),
            demo_password=DEMO_PASSWORD if shown else "",
            demo_users=[
                Me(user_id=one.user, tenant=one.tenant, role=one.role, person_id=one.person_id, name=one.name)
                for one in shown
            ],
            provider=provider is not None,
        )

    @router.get(
        "/v1/sessions/oidc",
        status_code=303,
        summary="Go to the company's OpenID Connect provider; it sends back to `/`",
        tags=["sessions"],
        response_class=Response,
    )
    async def leave(request: Request, call: Call = public()) -> Response:
        try:
            address, begun = await _configured(provider).begin()
        except ProviderAway as away:
            raise _away(away) from None
        kept = tokens.issue_link(Link("", AWAY, f"{begun.state}.{begun.nonce}.{begun.verifier}"), AWAY_FOR)
        answer = Response(status_code=303, headers={"Location": address, "Cache-Control": "no-store"})
        secure = _configured(provider).client.back_to.startswith("https://")
        seconds = int(AWAY_FOR.total_seconds())
        answer.set_cookie(AWAY, kept, seconds, path=AWAY_PATH, secure=secure, httponly=True, samesite="lax")
        return answer

    @router.post(
        "/v1/sessions/oidc", status_code=201, summary="Come back from there with what it has given", tags=["sessions"]
    )
    async def come_back(body: ComeBack, request: Request, response: Response, call: Call = public()) -> Session:
        company = _configured(provider)
        response.delete_cookie(AWAY, path=AWAY_PATH)
        try:
            kept = tokens.verify_link(request.cookies.get(AWAY, ""), AWAY)
            begun = Begun(*kept.subject.split("."))
            principal, name = await company.finish(begun, body.code, body.state)
        except (Unauthenticated, NotBelieved) as reason:
            telemetry.SIGN_INS.labels("refused").inc()
            log.warning("sign_in.refused_by_provider", reason=str(reason))
            raise Problem("session.not-by-provider", {"WWW-Authenticate": 'Bearer realm="fieldloop"'}) from None
        except ProviderAway as away:
            raise _away(away) from None
        telemetry.SIGN_INS.labels("accepted").inc()
        return issued(principal, name)

    @router.post(
        "/v1/sessions/guests", status_code=201, summary="Come in as a customer without an account", tags=["sessions"]
    )
    async def come_in(request: Request, call: Call = public()) -> Guest:
        if not portal:
            raise Problem("portal.closed")
        strangers.begin("", request.client.host if request.client else "")
        session = guest(portal, person_id := new_id())
        return Guest(**session.model_dump(), link=tokens.issue_link(Link(portal, GUEST, person_id), GUESTS_FOR))

    @router.post("/v1/sessions/links", status_code=201, summary="A token for the link of a guest", tags=["sessions"])
    async def follow(body: FromLink, call: Call = public()) -> Session:
        opened, person_id = call.by_link(GUEST, body.link)
        return guest(opened.tenant, person_id)

    @router.get("/v1/sessions/me", summary="Who am I", tags=["sessions"])
    async def me(call: Call = query(*ROLES)) -> Me:
        account = users.get(call.user_id)
        name = account.name if account else ""
        return Me(user_id=call.user_id, tenant=call.tenant, role=call.role, person_id=call.person_id, name=name)

    @router.post("/v1/sessions/renewals", status_code=201, summary="A new token for the old one", tags=["sessions"])
    async def renew(call: Call = command(*ROLES)) -> Session:
        if provider and call.user_id.startswith(BY_PROVIDER):
            if _seconds(clock) - call.signed_in_at > RENEWED_FOR.total_seconds():
                raise Problem("session.too-old", {"WWW-Authenticate": 'Bearer realm="fieldloop"'})
            who = call.user_id, call.tenant, call.role, call.person_id, call.channel, call.signed_in_at
            return issued(Principal(*who, tuple(call.events)))
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


def _configured(provider: OpenIdProvider | None) -> OpenIdProvider:
    if provider is None:
        raise Problem("session.no-provider")
    return provider


def _away(why: ProviderAway) -> Problem:
    log.error("sign_in.provider_away", reason=str(why))
    return Problem("session.provider-away", {"Retry-After": "10"})


def _seconds(clock: Clock) -> int:
    return int((clock.now() - EPOCH).total_seconds())


class Tries:
    """Who has tried how often to come in, in this process."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock, self._most = clock, most
        self._at: dict[tuple[str, str], list[datetime]] = {}

    def begin(self, user: str, address: str) -> None:
        """Count a try, before its password is looked at, so that many at once count too. Raises a problem 429."""
        now = self._clock.now()
        if len(self._at) > 10_000:
            self._at = {who: at for who, at in self._at.items() if at[-1] > now - TRIES_WITHIN}
        recent = [at for at in self._at.get((user, address), []) if at > now - TRIES_WITHIN]
        if len(recent) >= self._most:
            wait = int((recent[0] + TRIES_WITHIN - now).total_seconds()) + 1
            telemetry.SIGN_INS.labels("held").inc()
            raise Problem("session.too-many-tries", {"Retry-After": str(wait)}, seconds=wait)
        self._at[user, address] = [*recent, now]

    def forget(self, user: str, address: str) -> None:
        self._at.pop((user, address), None)

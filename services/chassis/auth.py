"""
Who calls: signed tokens, and the roles they name.

A token is a JWT signed with Ed25519 and nothing else (`alg` is `Ed25519`, its fully specified name of RFC 9864). The
tenant, the role and the person come from it and from nowhere else. A link is a token of its own kind for one thing,
such as the progress page of one request: it opens that and signs nobody in.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from services.chassis.clock import EPOCH, Clock
from services.chassis.ids import derived_id

Role = Literal["customer", "agent", "dispatcher", "engineer", "manager", "auditor", "operator", "partner"]

ROLES: Final[tuple[str, ...]] = get_args(Role)

ONLY_THEIR_OWN: Final = frozenset({"customer", "engineer", "partner"})
"""Roles that see what belongs to their own person; the others are staff and see their tenant's."""

CHANNELS: Final = ("web", "app", "wechat", "hotline", "email", "partner", "api")

LIFETIME: Final = timedelta(minutes=15)
"""How long a token is good; none that says longer is believed."""

ALGORITHM: Final = "Ed25519"
SIGN_IN, LINK = "at+jwt", "link+jwt"
SKEW_S = 5
"""How far another machine's clock may be ahead of ours."""

REMEMBERED = 10_000
"""Tokens whose signature is not checked again; their expiry always is."""


class Unauthenticated(Exception):
    """No token, or one that is not believed. The reason is for our log; the caller is told only that it is so."""


class Principal(NamedTuple):
    """Who calls, as a token says it."""

    user_id: str
    tenant: str
    role: str
    person_id: str = ""
    """Of a customer the customer id, of an engineer the engineer id, of a partner the partner id."""
    channel: str = ""
    """The client that the token was issued to, one of CHANNELS; empty where one client serves several."""
    signed_in_at: int = 0
    """Seconds since 1970, when the password was last given; renewing a token does not move it."""
    events: tuple[str, ...] = ()
    """Of a partner: the types of events that they may read."""


class Link(NamedTuple):
    """What a link opens."""

    tenant: str
    purpose: str
    subject: str


Ended = Callable[[str, int], bool]
"""(user, seconds since 1970 when their password was given) → whether such a token was called back."""


class Tokens:
    """Issues and verifies tokens. With public keys only, it verifies."""

    def __init__(
        self,
        keys: Sequence[OKPKey],
        clock: Clock,
        issuer: str = "fieldloop",
        ended: Ended = lambda user, signed_in_at: False,
    ) -> None:
        """The first key signs, all of them verify, so that a key is replaced by putting a new one first."""
        self._ended = ended
        self._keys = {str(key.kid): key for key in keys}
        self._signing, self._clock, self._issuer = keys[0], clock, issuer
        self._verified: dict[str, tuple[dict[str, Any], int, int]] = {}

    @classmethod
    def from_file(cls, path: Path, clock: Clock, ended: Ended = lambda user, signed_in_at: False) -> Tokens:
        """The keys of this file, which is made at the first start and readable by its owner only."""
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            key = OKPKey.generate_key("Ed25519", parameters={"kid": uuid4().hex[:16]})
            with open(file, "w") as out:
                json.dump({"keys": [key.as_dict(private=True)]}, out)
                out.flush()
                os.fsync(out.fileno())
        return cls([OKPKey.import_key(key) for key in json.loads(path.read_text())["keys"]], clock, ended=ended)

    def public_keys(self) -> dict[str, Any]:
        """The JWKS with which others verify our tokens."""
        return {"keys": [key.as_dict(private=False) for key in self._keys.values()]}

    def issue(self, principal: Principal, lifetime: timedelta = LIFETIME) -> str:
        """A token for this caller, from now on. Raises ValueError for a role or channel that does not exist."""
        if principal.role not in ROLES or principal.channel not in ("", *CHANNELS):
            raise ValueError(f"no such role or channel: {principal.role!r}, {principal.channel!r}")
        if principal.role in ONLY_THEIR_OWN and not principal.person_id:
            raise ValueError(f"a token for a {principal.role} names whose things it opens: give person_id")
        claims = {
            "sub": principal.user_id,
            "tenant": principal.tenant,
            "role": principal.role,
            "person_id": principal.person_id,
            "channel": principal.channel,
            "auth_time": principal.signed_in_at or self._now(),
        } | ({"events": list(principal.events)} if principal.events else {})
        return self._sign(claims, SIGN_IN, self._issuer, min(lifetime, LIFETIME))

    def verify(self, text: str) -> Principal:
        """Who this token was issued to. Raises Unauthenticated."""
        claims = self._claims(text, SIGN_IN, self._issuer)
        try:
            principal = Principal(
                claims["sub"],
                claims["tenant"],
                claims["role"],
                claims["person_id"],
                claims["channel"],
                claims["auth_time"],
                tuple(claims.get("events", ())),
            )
        except KeyError as missing:
            raise Unauthenticated(f"the token has no {missing}") from None
        if principal.role not in ROLES or not principal.tenant or not principal.user_id:
            raise Unauthenticated("the token names no known role, no tenant or no user")
        if principal.role in ONLY_THEIR_OWN and not principal.person_id:
            raise Unauthenticated("the token names no person")
        if self._ended(principal.user_id, principal.signed_in_at):
            raise Unauthenticated("the user was suspended, or their sessions were ended")
        return principal

    def issue_link(self, link: Link, lifetime: timedelta, made_at: datetime | None = None) -> str:
        """
        A text for a URL that opens one thing to whoever holds it.

        With `made_at` it is the same text each time: a message that is sent again says what it said.
        """
        claims = {"sub": link.subject, "tenant": link.tenant, "purpose": link.purpose}
        if made_at is None:
            return self._sign(claims, LINK, f"{self._issuer}/link", lifetime)
        name = derived_id("link", *link, made_at.isoformat())
        return self._sign(claims, LINK, f"{self._issuer}/link", lifetime, _seconds(made_at), name)

    def verify_link(self, text: str, purpose: str) -> Link:
        """What this link opens. Raises Unauthenticated."""
        claims = self._claims(text, LINK, f"{self._issuer}/link")
        if claims.get("purpose") != purpose:
            raise Unauthenticated("the link is for something else")
        return Link(claims["tenant"], purpose, claims["sub"])

    def _now(self) -> int:
        return _seconds(self._clock.now())

    def _sign(
        self,
        claims: dict[str, Any],
        typ: str,
        audience: str,
        lifetime: timedelta,
        made_at: int | None = None,
        name: str = "",
    ) -> str:
        now = self._now() if made_at is None else made_at
        stamped = {
            **claims,
            "iss": self._issuer,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + int(lifetime.total_seconds()),
            "jti": name or uuid4().hex,
        }
        header = {"alg": ALGORITHM, "kid": self._signing.kid, "typ": typ}
        return jwt.encode(header, stamped, self._signing, algorithms=[ALGORITHM])

    def _claims(self, text: str, typ: str, audience: str) -> dict[str, Any]:
        known = self._verified.get(text)
        if known is None:
            known = self._check(text, typ, audience)
            while len(self._verified) >= REMEMBERED:
                del self._verified[next(iter(self._verified))]
            self._verified[text] = known
        claims, begins, ends = known
        if claims["aud"] != audience:
            raise Unauthenticated("the token is for another audience")
        now = self._now()
        if now >= ends:
            self._verified.pop(text, None)
            raise Unauthenticated("the token has expired")
        if now + SKEW_S < begins:
            raise Unauthenticated("the token is not good yet")
        return claims

    def _check(self, text: str, typ: str, audience: str) -> tuple[dict[str, Any], int, int]:
        header = _header(text)
        # Exactly these: no `crit` that we do not understand, no key or address of a key that the caller brought along.
        if header.keys() != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM or header["typ"] != typ:
            raise Unauthenticated("the token's header is not one of ours")
        key = self._keys.get(str(header["kid"]))
        if key is None:
            raise Unauthenticated("the token is signed with a key that is not ours")
        try:
            claims = jwt.decode(text, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise Unauthenticated("the token's signature is wrong") from error
        if claims.get("iss") != self._issuer or claims.get("aud") != audience:
            raise Unauthenticated("the token is of another issuer or for another audience")
        try:
            begins, ends, made = int(claims["nbf"]), int(claims["exp"]), int(claims["iat"])
        except (KeyError, TypeError, ValueError):
            raise Unauthenticated("the token does not say when it is good") from None
        if typ == SIGN_IN and ends - made > LIFETIME.total_seconds():
            raise Unauthenticated("the token is good for too long")
        return claims, begins, ends


def _seconds(at: datetime) -> int:
    return int((at - EPOCH).total_seconds())


def _header(text: str) -> dict[str, Any]:
    if len(text) > 4096:
        raise Unauthenticated("the token is too long")
    part = text.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        raise Unauthenticated("the token cannot be read") from None
    if not isinstance(header, dict):
        raise Unauthenticated("the token cannot be read")
    return header

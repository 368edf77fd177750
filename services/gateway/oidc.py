"""
Signing in with the account of an OpenID Connect provider: the company's own, where its people have their passwords.

The authorization code flow with PKCE (RFC 7636), as a public or a confidential client. What the provider says of a user
becomes a role of ours by a table in the settings; who is in none of its rows does not come in. The provider's token is
looked at once and kept nowhere: what follows is a session of ours.

Between leaving and coming back the browser keeps `state`, `nonce` and the PKCE verifier in a cookie that this process
signed; so any process of the gateway can take the answer.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.chassis.auth import CHANNELS, ONLY_THEIR_OWN, ROLES, SKEW_S, Principal
from services.chassis.clock import EPOCH, Clock

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""Never `none`, and never a shared secret: the keys are those that the provider publishes."""

BY_PROVIDER: Final = "oidc:"
"""What the ids of a provider's users begin with here."""

ANSWER_S: Final = 10.0
"""How long the provider is waited for."""
KEYS_FOR: Final = timedelta(hours=1)
"""How long its keys are believed; one that signs with a new key is asked at once."""
KEYS_AGAIN: Final = timedelta(seconds=30)

_ROW: Final = re.compile(r"(?P<claim>[^=>\s]+)=(?P<value>[^=>]+)>(?P<tenant>[\w.-]+)/(?P<role>[a-z]+)")

log = structlog.get_logger()


class NotBelieved(Exception):
    """The provider's answer is none that lets somebody in. The reason is for our log."""


class ProviderAway(Exception):
    """The provider does not answer, or not as the protocol says."""


@dataclass(frozen=True)
class Row:
    """Whoever's claim has this value comes in with this role of this tenant."""

    claim: str
    value: str
    tenant: str
    role: str

    def fits(self, claims: Mapping[str, Any]) -> bool:
        said: Any = claims
        for name in self.claim.split("."):
            said = said.get(name) if isinstance(said, dict) else None
        return self.value in said if isinstance(said, list) else said == self.value


def rows_of(text: str) -> tuple[Row, ...]:
    """
    `groups=dispatch>acme/dispatcher; realm_access.roles=boss>acme/manager`; the first that fits counts.

    Raises ValueError with what is wrong.
    """
    found = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        match = _ROW.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no `CLAIM=VALUE>TENANT/ROLE`")
        if match["role"] not in ROLES:
            raise ValueError(f"{part!r} names the role {match['role']!r}; there are {', '.join(ROLES)}")
        found.append(Row(**match.groupdict()))
    return tuple(found)


@dataclass(frozen=True)
class Client:
    """What the provider knows us by, and what of its claims we go by."""

    issuer: str
    """As the provider writes itself; under it lies `/.well-known/openid-configuration`."""
    client_id: str
    secret: str
    """The empty string for a public client, whom PKCE alone protects."""
    rows: tuple[Row, ...]
    person_claim: str
    """Of engineers, customers and partners: the claim with their id here."""
    back_to: str
    """The address of ours that is registered with the provider."""


@dataclass(frozen=True)
class Begun:
    """What is kept in the browser while its user is with the provider."""

    state: str
    nonce: str
    verifier: str


class OpenIdProvider:
    """One OpenID Connect provider, asked over HTTP."""

    def __init__(self, client: Client, clock: Clock, http: Callable[[], httpx.AsyncClient] | None = None) -> None:
        self.client, self._clock = client, clock
        self._http = http or (lambda: httpx.AsyncClient(timeout=ANSWER_S))
        self._said: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._keys_at = 0

    async def begin(self) -> tuple[str, Begun]:
        """Where the browser is sent, and what it keeps meanwhile. Raises ProviderAway."""
        begun = Begun(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48))
        digest = hashlib.sha256(begun.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.back_to,
            "scope": "openid profile email",
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        address = (await self._configuration())["authorization_endpoint"]
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", begun

    async def finish(self, begun: Begun, code: str, state: str) -> tuple[Principal, str]:
        """Who has come back, and their name. Raises NotBelieved or ProviderAway."""
        if not secrets.compare_digest(begun.state.encode(), state.encode()):
            raise NotBelieved("the state is not the one that was sent")
        claims = await self._claims(await self._token(code, begun.verifier), begun.nonce)
        return self._principal(claims), str(claims.get("name") or claims.get("preferred_username") or claims["sub"])

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        row = next((one for one in self.client.rows if one.fits(claims)), None)
        if row is None:
            raise NotBelieved(f"no row of FIELDLOOP_OIDC_ROLES fits {sorted(claims)}")
        person = str(claims.get(self.client.person_claim) or "") if row.role in ONLY_THEIR_OWN else ""
        if row.role in ONLY_THEIR_OWN and not person:
            raise NotBelieved(f"a {row.role} without the claim {self.client.person_claim}")
        # A user of a provider is nobody's of the file of accounts, whatever they are called there.
        user = f"{BY_PROVIDER}{claims['sub']}"
        return Principal(user, row.tenant, row.role, person, CHANNELS[0], self._now())

    async def _token(self, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.back_to,
            "client_id": self.client.client_id,
            "code_verifier": verifier,
        }
        login = (self.client.client_id, self.client.secret) if self.client.secret else None
        address = (await self._configuration())["token_endpoint"]
        answer = await self._ask("POST", address, data=form, auth=login)
        if 400 <= answer.status_code < 500:
            raise NotBelieved(f"the provider did not take the code: {answer.text[:200]}")
        token = _json(answer).get("id_token")
        if not isinstance(token, str):
            raise ProviderAway("the provider gave no id_token")
        return token

    async def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        try:
            told = await self._verified(token)
            claims = told.claims
            rules = jwt.JWTClaimsRegistry(
                now=self._now(),
                leeway=SKEW_S,
                iss={"essential": True, "value": self.client.issuer},
                aud={"essential": True, "value": self.client.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise NotBelieved(f"the id_token is not believed: {error}") from None
        if claims.get("azp", self.client.client_id) != self.client.client_id:
            raise NotBelieved("the id_token was issued to another client")
        return claims

    async def _verified(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, await self._key_set(KEYS_FOR), algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            # It may sign with a key that it has published since.
            return jwt.decode(token, await self._key_set(KEYS_AGAIN), algorithms=list(ALGORITHMS))

    async def _key_set(self, believed_for: timedelta) -> KeySet:
        if self._keys is None or self._now() - self._keys_at >= believed_for.total_seconds():
            answer = await self._ask("GET", (await self._configuration())["jwks_uri"])
            try:
                self._keys = KeySet.import_key_set(_json(answer))  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError) as error:
                raise ProviderAway(f"the provider's keys cannot be read: {error}") from None
            self._keys_at = self._now()
        return self._keys

    async def _configuration(self) -> Mapping[str, Any]:
        if not self._said:
            said = _json(await self._ask("GET", f"{self.client.issuer.rstrip('/')}/.well-known/openid-configuration"))
            if said.get("issuer") != self.client.issuer:
                raise ProviderAway(f"what answers under {self.client.issuer} calls itself {said.get('issuer')!r}")
            if lacks := {"authorization_endpoint", "token_endpoint", "jwks_uri"} - set(said):
                raise ProviderAway(f"the provider does not say its {', '.join(sorted(lacks))}")
            self._said = said
        return self._said

    async def _ask(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            async with self._http() as http:
                answer = await http.request(method, url, **options)
        except httpx.HTTPError as error:
            raise ProviderAway(f"{url} does not answer: {error!r}") from None
        if answer.status_code >= 500:
            raise ProviderAway(f"{url} answers {answer.status_code}")
        return answer

    def _now(self) -> int:
        return int((self._clock.now() - EPOCH).total_seconds())


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not answer.is_success or not isinstance(said, dict):
        raise ProviderAway(f"{answer.url} answers {answer.status_code}, and not as the protocol says")
    return said

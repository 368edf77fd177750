"""Signing in with an OpenID Connect provider: one over HTTP with keys of its own, and what is not believed of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from functools import wraps
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from services.chassis.auth import Tokens
from services.chassis.clock import EPOCH, SetClock
from services.gateway.edge import edge_app
from services.gateway.oidc import Client, OpenIdProvider, rows_of
from services.gateway.sessions import RENEWED_FOR
from services.gateway.users import Users
from services.serving import provider_of
from services.settings import BadSetting, Settings
from tests.chassis.http_toy import NOON

ROWS = "groups=dispatch>acme/dispatcher; realm_access.roles=field>acme/engineer"
BACK = "http://desk.test/"


class Company(ThreadingHTTPServer):
    """The provider. `claims` is what it says of whoever signs in; its other fields spoil its answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.published = [self.key]
        self.says_issuer = self.issuer
        self.claims: dict[str, Any] = {"sub": "u-7", "name": "林小雨", "groups": ["all", "dispatch"]}
        self.challenge = self.nonce = ""
        self.now = int((NOON - EPOCH).total_seconds())
        self.signs = lambda claims: jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def visit(self, address: str) -> dict[str, str]:
        """What the browser does there: its user agrees, and it is sent back with this."""
        asked = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == BACK and "openid" in asked["scope"]
        self.challenge, self.nonce = asked["code_challenge"], asked["nonce"]
        return {"code": "c-1", "state": asked["state"]}

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if form.get("code") != "c-1" or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return 400, {"error": "invalid_grant"}
        claims = {"iss": self.issuer, "aud": "desk", "iat": self.now, "exp": self.now + 60, "nonce": self.nonce}
        return 200, {"id_token": self.signs(claims | self.claims), "token_type": "Bearer"}


class _Answer(BaseHTTPRequestHandler):
    server: Company

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        company = self.server
        if self.path == "/keys":
            self._say(200, KeySet(company.published).as_dict(private=False))
        else:
            names = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/keys"}
            self._say(200, {"issuer": company.says_issuer} | {n: company.issuer + p for n, p in names.items()})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._say(*self.server.token({name: value[0] for name, value in form.items()}))

    def _say(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def company() -> Iterator[Company]:
    with Company() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Desk:
    """Our edge, and a browser that keeps cookies."""

    def __init__(self, folder: Path, company: Company) -> None:
        self.clock = SetClock(NOON)
        self.tokens = Tokens.from_file(folder / "keys.json", self.clock)
        client = Client(company.issuer, "desk", "", rows_of(ROWS), "engineer_id", BACK)
        provider = OpenIdProvider(client, self.clock)
        self.app = edge_app(
            [], tokens=self.tokens, users=Users(folder / "users.json"), clock=self.clock, provider=provider
        )
        self.company = company
        self.cookies = httpx.Cookies()

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=BACK, cookies=self.cookies) as client:
            answer = await client.request(method, path, **more)
            self.cookies = client.cookies
            return answer

    async def sign_in(self, **spoilt: str) -> httpx.Response:
        left = await self.call("GET", "/v1/sessions/oidc")
        assert left.status_code == 303, left.text
        back = self.company.visit(left.headers["location"])
        return await self.call("POST", "/v1/sessions/oidc", json=back | spoilt)


@pytest.fixture
def desk(tmp_path: Path, company: Company) -> Desk:
    return Desk(tmp_path, company)


def story(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


@story
async def test_who_the_provider_knows_comes_in_with_the_role_of_the_first_row_that_fits(desk: Desk):
    assert (await desk.call("GET", "/v1/sessions/ways")).json()["provider"] is True
    answer = await desk.sign_in()
    assert answer.status_code == 201, answer.text
    session = answer.json()
    said = {name: session[name] for name in ("user_id", "tenant", "role", "person_id", "name")}
    assert said == {"user_id": "oidc:u-7", "tenant": "acme", "role": "dispatcher", "person_id": "", "name": "林小雨"}
    assert desk.tokens.verify(session["token"]).role == "dispatcher"


@story
async def test_an_engineer_is_the_person_that_her_claim_names(desk: Desk, company: Company):
    company.claims = {"sub": "u-8", "realm_access": {"roles": ["field"]}, "engineer_id": "E07"}
    session = (await desk.sign_in()).json()
    assert (session["role"], session["person_id"], session["name"]) == ("engineer", "E07", "u-8")
    del company.claims["engineer_id"]
    assert (await desk.sign_in()).json()["code"] == "session.not-by-provider"


@story
async def test_a_session_of_the_provider_is_renewed_for_half_a_day(desk: Desk):
    token = (await desk.sign_in()).json()["token"]
    for _ in range(int(RENEWED_FOR.total_seconds()) // 840):
        desk.clock.set(desk.clock.now() + timedelta(seconds=840))
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
        token = (await desk.call("POST", "/v1/sessions/renewals", headers=headers)).json()["token"]
    desk.clock.set(desk.clock.now() + timedelta(seconds=840))
    answer = await desk.call("POST", "/v1/sessions/renewals", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["code"] == "session.too-old"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"aud": "another"},
        {"iss": "https://another.example"},
        {"exp": 1_000},
        {"nonce": "another"},
        {"groups": ["all"]},
        {"azp": "another"},
    ],
    ids=lambda spoilt: next(iter(spoilt)),
)
@story
async def test_an_id_token_that_is_not_for_us_or_not_now_lets_nobody_in(desk: Desk, company: Company, spoilt: Any):
    company.claims |= spoilt
    answer = await desk.sign_in()
    assert (answer.status_code, answer.json()["code"]) == (401, "session.not-by-provider")


@pytest.mark.parametrize("way", ["foreign", "none", "shared"])
@story
async def test_an_id_token_that_the_published_keys_do_not_verify_lets_nobody_in(desk: Desk, company: Company, way: str):
    stranger = RSAKey.generate_key(2048, parameters={"kid": "one"})
    shared = OctKey.import_key(json.dumps(company.key.as_dict(private=False)))

    def unsigned(claims: dict[str, Any]) -> str:
        parts = [{"alg": "none"}, claims]
        return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + "."

    company.signs = {
        "foreign": lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, stranger),
        "none": unsigned,
        "shared": lambda claims: jwt.encode({"alg": "HS256", "kid": "one"}, claims, shared),
    }[way]
    assert (await desk.sign_in()).json()["code"] == "session.not-by-provider"


@story
async def test_the_answer_counts_in_the_browser_that_asked_and_once_begun(desk: Desk, company: Company):
    assert (await desk.sign_in(state="another")).json()["code"] == "session.not-by-provider"
    assert (await desk.sign_in(code="another")).json()["code"] == "session.not-by-provider"
    back = company.visit((await desk.call("GET", "/v1/sessions/oidc")).headers["location"])
    desk.cookies = httpx.Cookies()
    assert (await desk.call("POST", "/v1/sessions/oidc", json=back)).json()["code"] == "session.not-by-provider"


@story
async def test_a_key_that_is_published_later_is_believed(desk: Desk, company: Company):
    assert (await desk.sign_in()).status_code == 201
    company.key = RSAKey.generate_key(2048, parameters={"kid": "two"})
    company.published = [company.key]
    desk.clock.set(desk.clock.now() + timedelta(seconds=40))
    assert (await desk.sign_in()).status_code == 201


@story
async def test_a_provider_that_is_away_or_is_another_one_is_told_as_such(desk: Desk, company: Company):
    company.says_issuer = "https://another.example"
    answer = await desk.call("GET", "/v1/sessions/oidc", headers={"Accept-Language": "zh"})
    assert (answer.status_code, answer.json()["code"]) == (503, "session.provider-away")
    assert "统一身份认证" in answer.json()["title"]


@story
async def test_without_a_provider_nothing_is_offered(tmp_path: Path):
    clock = SetClock(NOON)
    tokens = Tokens.from_file(tmp_path / "keys.json", clock)
    app = edge_app([], tokens=tokens, users=Users(tmp_path / "users.json"), clock=clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BACK) as client:
        assert (await client.get("/v1/sessions/oidc")).status_code == 404
        assert (await client.get("/v1/sessions/ways")).json()["provider"] is False


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"oidc_issuer": "http://id.example"}, "FIELDLOOP_OIDC_ISSUER"),
        ({"oidc_client_id": ""}, "FIELDLOOP_OIDC_CLIENT_ID"),
        ({"oidc_roles": ""}, "FIELDLOOP_OIDC_ROLES"),
        ({"oidc_roles": "groups=a>acme/king"}, "king"),
        ({"oidc_roles": "dispatch"}, "CLAIM=VALUE>TENANT/ROLE"),
    ],
)
def test_settings_that_would_let_nobody_or_anybody_in_are_refused(change: dict[str, str], named: str):
    given = {
        "oidc_issuer": "https://id.example",
        "oidc_client_id": "desk",
        "oidc_roles": ROWS,
        "public_url": "https://desk.example",
    }
    assert provider_of(Settings.from_env(given, {}), SetClock(NOON))
    with pytest.raises(BadSetting, match=named):
        provider_of(Settings.from_env(given | change, {}), SetClock(NOON))

"""Tokens: one algorithm, every claim checked; what is not ours is 401 and says only that."""

import base64
import hashlib
import hmac
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from services.chassis.auth import LIFETIME, Link, Principal, Tokens, Unauthenticated
from services.chassis.clock import SetClock
from tests.chassis.http_toy import NOON, Toy

ANNA = Principal("anna", "demo", "customer", "c-1", "web")


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture
def tokens(tmp_path: Path, clock: SetClock) -> Tokens:
    return Tokens.from_file(tmp_path / "keys.json", clock)


@pytest.fixture
def toy(tokens: Tokens, clock: SetClock) -> Toy:
    return Toy(tokens, clock)


def now() -> int:
    return int(NOON.timestamp())


CLAIMS = {
    "sub": "anna",
    "tenant": "demo",
    "role": "customer",
    "person_id": "c-1",
    "channel": "web",
    "auth_time": now(),
    "iss": "fieldloop",
    "aud": "fieldloop",
    "iat": now(),
    "nbf": now(),
    "exp": now() + 900,
}


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


class Forger:
    """Makes tokens as we would not. It knows our key, so that each vector is wrong in one thing only."""

    def __init__(self, key: OKPKey) -> None:
        self.key = key

    def signed(self, header: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> str:
        whole = {"alg": "Ed25519", "kid": self.key.kid, "typ": "at+jwt", **(header or {})}
        said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
        kept = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(kept, said, key or self.key, algorithms=[whole["alg"]], default_type=None)

    def none(self) -> str:
        return f"{part({'alg': 'none', 'kid': self.key.kid, 'typ': 'at+jwt'})}.{part(CLAIMS)}."

    def hs256_with_the_public_key(self) -> str:
        public = base64.urlsafe_b64decode(self.key.as_dict(private=False)["x"] + "=")
        signed = f"{part({'alg': 'HS256', 'kid': self.key.kid, 'typ': 'at+jwt'})}.{part(CLAIMS)}"
        mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def rs256(self) -> str:
        key = RSAKey.import_key(rsa.generate_private_key(65537, 2048))
        return self.signed({"alg": "RS256"}, key)

    def tampered(self, **claims: Any) -> str:
        head, _, signature = self.signed().split(".")
        return f"{head}.{part({**CLAIMS, **claims})}.{signature}"

    def with_a_key_in_the_header(self) -> str:
        mine = OKPKey.generate_key("Ed25519", parameters={"kid": self.key.kid})
        return self.signed({"jwk": mine.as_dict(private=False)}, mine)


VECTORS = {
    "none": Forger.none,
    "HS256 confusion": Forger.hs256_with_the_public_key,
    "RS256": Forger.rs256,
    "EdDSA by its old name": lambda f: f.signed({"alg": "EdDSA"}),
    "another key under our kid": lambda f: f.signed(key=OKPKey.generate_key("Ed25519")),
    "unknown kid": lambda f: f.signed({"kid": "other"}),
    "no kid": lambda f: f.signed({"kid": None}),
    "wrong typ": lambda f: f.signed({"typ": "JWT"}),
    "a link": lambda f: f.signed({"typ": "link+jwt"}, aud="fieldloop/link", purpose="x"),
    "no typ": lambda f: f.signed({"typ": None}),
    "unknown header": lambda f: f.signed({"cty": "x"}),
    "jku": lambda f: f.signed({"jku": "https://evil/keys"}),
    "own jwk": Forger.with_a_key_in_the_header,
    "wrong aud": lambda f: f.signed(aud="other"),
    "aud as a list": lambda f: f.signed(aud=["fieldloop"]),
    "no aud": lambda f: f.signed(aud=None),
    "wrong iss": lambda f: f.signed(iss="evil"),
    "expired": lambda f: f.signed(iat=now() - 1000, nbf=now() - 1000, exp=now() - 100),
    "expires now": lambda f: f.signed(exp=now()),
    "not good yet": lambda f: f.signed(nbf=now() + 60),
    "no exp": lambda f: f.signed(exp=None),
    "exp as a text": lambda f: f.signed(exp="never"),
    "good for a year": lambda f: f.signed(exp=now() + 31_536_000),
    "tampered tenant": lambda f: f.tampered(tenant="other"),
    "tampered role": lambda f: f.tampered(role="operator"),
    "no tenant": lambda f: f.signed(tenant=None),
    "empty tenant": lambda f: f.signed(tenant=""),
    "unknown role": lambda f: f.signed(role="root"),
    "a customer who is nobody": lambda f: f.signed(person_id=""),
    "not base64": lambda f: "§§§.x.y",
    "one part": lambda f: "x",
    "header is no object": lambda f: f"{part([1])}.{part(CLAIMS)}.x",
    "too long": lambda f: f.signed(sub="x" * 5000),
    "deep header": lambda f: base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".x.y",
}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("name", VECTORS)
def test_a_token_that_is_not_ours_is_401(name: str, toy: Toy, tmp_path: Path):
    key = OKPKey.import_key(json.loads((tmp_path / "keys.json").read_text())["keys"][0])
    token = VECTORS[name](Forger(key))
    answer = toy.call("GET", "/v1/notes", None, headers={"Authorization": f"Bearer {token}".encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "token.missing-or-bad"


def test_the_forger_can_make_a_good_one_too(toy: Toy, tmp_path: Path):
    key = OKPKey.import_key(json.loads((tmp_path / "keys.json").read_text())["keys"][0])
    headers = {"Authorization": f"Bearer {Forger(key).signed()}"}
    assert toy.call("GET", "/v1/notes", None, headers=headers).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer"])
def test_without_a_token_it_is_401(header: str, toy: Toy):
    assert toy.call("GET", "/v1/notes", None, headers={"Authorization": header}).status_code == 401


def test_a_token_says_who_calls(tokens: Tokens):
    assert tokens.verify(tokens.issue(ANNA)) == ANNA._replace(signed_in_at=now())


def test_a_token_ends_after_fifteen_minutes_also_when_it_was_just_believed(tokens: Tokens, clock: SetClock):
    token = tokens.issue(ANNA, timedelta(days=1))
    clock.set(NOON + LIFETIME - timedelta(seconds=1))
    tokens.verify(token)
    clock.set(NOON + LIFETIME)
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify(token)


def test_a_link_opens_one_thing_and_signs_nobody_in(tokens: Tokens, clock: SetClock):
    link = tokens.issue_link(Link("demo", "progress", "r-1"), timedelta(days=90))
    assert tokens.verify_link(link, "progress") == Link("demo", "progress", "r-1")
    with pytest.raises(Unauthenticated):
        tokens.verify(link)
    with pytest.raises(Unauthenticated):
        tokens.verify_link(link, "survey")
    with pytest.raises(Unauthenticated):
        tokens.verify_link(tokens.issue(ANNA), "progress")
    clock.set(NOON + timedelta(days=90))
    with pytest.raises(Unauthenticated):
        tokens.verify_link(link, "progress")


def test_a_token_that_nobody_could_use_is_not_issued(tokens: Tokens):
    for wrong in (ANNA._replace(role="root"), ANNA._replace(person_id=""), ANNA._replace(channel="fax")):
        with pytest.raises(ValueError, match=r"no such|person_id"):
            tokens.issue(wrong)


def test_the_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path, clock: SetClock):
    file = tmp_path / "keys.json"
    token = Tokens.from_file(file, clock).issue(ANNA)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Tokens.from_file(file, clock).verify(token).user_id == "anna"


def test_a_new_key_is_put_first_and_the_old_one_still_verifies(clock: SetClock):
    old, new = (OKPKey.generate_key("Ed25519", parameters={"kid": kid}) for kid in ("old", "new"))
    before = Tokens([old], clock).issue(ANNA)
    both = Tokens([new, old], clock)
    assert both.verify(before).user_id == "anna"
    assert Tokens([new], clock).verify(both.issue(ANNA)).user_id == "anna"
    with pytest.raises(Unauthenticated):
        Tokens([new], clock).verify(before)


def test_what_others_are_given_verifies_and_does_not_sign(tokens: Tokens, clock: SetClock):
    assert all("d" not in key for key in tokens.public_keys()["keys"])
    others = Tokens([OKPKey.import_key(key) for key in tokens.public_keys()["keys"]], clock)
    assert others.verify(tokens.issue(ANNA)).tenant == "demo"
    with pytest.raises(Exception, match="public key"):
        others.issue(ANNA)


def test_the_vectors_are_of_this_instant():
    assert datetime.fromtimestamp(CLAIMS["iat"], UTC) == NOON

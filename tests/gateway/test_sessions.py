"""Signing in: who may, for how long, and what a wrong password costs."""

import asyncio
import json
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.chassis.auth import ROLES, Link, Principal, Tokens
from services.chassis.clock import SetClock
from services.gateway.edge import edge_app
from services.gateway.sessions import GUESTS, GUESTS_FOR, TRIES_WITHIN
from services.gateway.users import DEMO_PASSWORD, FILE, Account, Users, demo_users, hashed, write_users
from tests.chassis.http_toy import NOON, ToyApi, routes


class Edge:
    def __init__(self, folder: Path, portal: str = "") -> None:
        self.clock = SetClock(NOON)
        self.users = folder / FILE
        write_users(self.users, demo_users())
        self.tokens = Tokens.from_file(folder / "keys.json", self.clock, Users(self.users).ended)
        self.api = ToyApi(self.clock)
        self.app = edge_app(
            [routes(self.api)], tokens=self.tokens, users=Users(self.users), clock=self.clock, portal=portal
        )

    def call(self, method: str, path: str, token: str = "", **more: Any) -> httpx.Response:
        async def story() -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://edge") as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(story())

    def sign_in(self, user: str, password: str = DEMO_PASSWORD, **more: str) -> httpx.Response:
        return self.call("POST", "/v1/sessions", json={"user": user, "password": password, **more})


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return Edge(tmp_path)


def test_a_user_signs_in_and_calls_with_the_token(edge: Edge):
    session = edge.sign_in("customer@demo", client="app")
    assert session.status_code == 201
    assert session.json() | {"token": ""} == {
        "token": "",
        "token_type": "Bearer",
        "expires_in": 900,
        "user_id": "customer@demo",
        "tenant": "demo",
        "role": "customer",
        "person_id": "customer-1",
        "name": "Customer",
    }
    token = session.json()["token"]
    assert edge.call("POST", "/v1/notes", token, json={"text": "hi"}).status_code == 201
    assert edge.api.asked[0].channel == "app"
    assert edge.call("GET", "/v1/sessions/me", token).json()["user_id"] == "customer@demo"


def test_there_is_one_demo_user_per_role_and_tenant(edge: Edge):
    assert {(one.tenant, one.role) for one in demo_users()} == {(t, r) for t in ("demo", "other") for r in ROLES}
    for user in ("dispatcher@demo", "engineer@other"):
        assert edge.sign_in(user).status_code == 201


def test_the_demo_says_who_its_persons_are():
    users = {one.user: one for one in demo_users({"engineer": "e-7"})}
    assert users["engineer@demo"].person_id == "e-7"
    assert users["engineer@other"].person_id == "engineer-1"
    assert users["manager@demo"].person_id == ""


@pytest.mark.parametrize(("user", "password"), [("agent@demo", "wrong"), ("nobody@demo", DEMO_PASSWORD)])
def test_a_wrong_password_and_a_user_who_is_not_there_look_alike(edge: Edge, user: str, password: str):
    answer = edge.sign_in(user, password)
    assert (answer.status_code, answer.json()["code"]) == (401, "session.refused")
    assert "www-authenticate" in answer.headers
    assert answer.json() == edge.sign_in("agent@other", "wrong").json()


def test_after_five_wrong_passwords_even_the_right_one_waits(edge: Edge):
    for _ in range(5):
        assert edge.sign_in("agent@demo", "wrong").status_code == 401
    answer = edge.sign_in("agent@demo")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "301")
    assert edge.sign_in("manager@demo").status_code == 201
    edge.clock.set(NOON + timedelta(minutes=5))
    assert edge.sign_in("agent@demo").status_code == 201


def test_a_right_password_begins_the_count_anew(edge: Edge):
    for _ in range(3):
        for _ in range(4):
            edge.sign_in("agent@demo", "wrong")
        assert edge.sign_in("agent@demo").status_code == 201


def test_a_token_is_renewed_for_half_a_day_after_the_password(edge: Edge):
    token = edge.sign_in("agent@demo", client="wechat").json()["token"]
    for minutes in range(14, 12 * 60, 14):
        edge.clock.set(NOON + timedelta(minutes=minutes))
        renewed = edge.call("POST", "/v1/sessions/renewals", token)
        assert renewed.status_code == 201
        token = renewed.json()["token"]
    assert edge.tokens.verify(token).channel == "wechat"
    edge.clock.set(NOON + timedelta(minutes=minutes + 14))
    assert edge.call("POST", "/v1/sessions/renewals", token).json()["code"] == "session.too-old"


def test_a_suspended_user_neither_signs_in_nor_renews(edge: Edge):
    token = edge.sign_in("agent@demo").json()["token"]
    write_users(edge.users, [replace(one, suspended=True) for one in demo_users()])
    assert edge.sign_in("agent@demo").status_code == 401
    assert edge.call("POST", "/v1/sessions/renewals", token).status_code == 401


def test_a_token_of_a_suspended_user_is_good_no_more(edge: Edge):
    """Whoever knows the accounts file: every process of an installation does."""
    token = edge.sign_in("agent@demo").json()["token"]
    assert edge.call("GET", "/v1/notes", token).status_code == 200
    write_users(edge.users, [replace(one, suspended=one.user == "agent@demo") for one in demo_users()])
    answer = edge.call("GET", "/v1/notes", token)
    assert (answer.status_code, answer.json()["code"]) == (401, "token.missing-or-bad")
    assert edge.sign_in("manager@demo").status_code == 201


def test_sessions_that_were_ended_are_begun_anew_with_the_password(edge: Edge):
    token = edge.sign_in("agent@demo").json()["token"]
    edge.clock.set(NOON + timedelta(seconds=30))
    ended_at = int(edge.clock.now().timestamp())
    write_users(edge.users, [replace(one, sessions_from=ended_at) for one in demo_users()])
    assert edge.call("GET", "/v1/notes", token).status_code == 401
    assert edge.call("GET", "/v1/notes", edge.sign_in("agent@demo").json()["token"]).status_code == 200


def test_a_user_without_an_account_is_not_ended(edge: Edge):
    """`fieldloop token` issues such tokens, for whoever may read the key file."""
    token = edge.tokens.issue(Principal("cli-agent", "demo", "agent"))
    assert edge.call("GET", "/v1/notes", token).status_code == 200


def test_a_partners_token_names_the_events_of_its_account(edge: Edge):
    granted = [replace(one, events=("OrderAssigned",)) for one in demo_users() if one.role == "partner"]
    write_users(edge.users, granted)
    token = edge.sign_in("partner@demo").json()["token"]
    assert edge.tokens.verify(token).events == ("OrderAssigned",)
    renewed = edge.call("POST", "/v1/sessions/renewals", token).json()["token"]
    assert edge.tokens.verify(renewed).events == ("OrderAssigned",)


def test_the_file_of_users_holds_no_password_and_only_its_owner_reads_it(edge: Edge):
    assert stat.S_IMODE(edge.users.stat().st_mode) == 0o600
    assert DEMO_PASSWORD not in edge.users.read_text()
    assert all(one["password"].startswith("$argon2id$v=19$") for one in json.loads(edge.users.read_text()))


def test_the_same_password_is_kept_differently_each_time():
    assert hashed("x") != hashed("x")


def test_an_account_that_could_not_be_used_is_refused():
    with pytest.raises(ValueError, match="person_id"):
        Account(user="x", tenant="demo", role="engineer", password=hashed("x"))
    with pytest.raises(ValueError, match="boss"):
        Account(user="x", tenant="demo", role="boss", password=hashed("x"))
    with pytest.raises(ValueError, match="no partner"):
        Account(user="x", tenant="demo", role="agent", password=hashed("x"), events=("OrderAssigned",))
    with pytest.raises(ValueError, match="EngineerPaid"):
        Account(user="x", tenant="demo", role="partner", person_id="p", password="", events=("EngineerPaid",))


def test_without_a_file_of_users_nobody_signs_in(edge: Edge):
    edge.users.unlink()
    assert edge.sign_in("agent@demo").status_code == 401


def test_others_are_given_the_public_keys(edge: Edge):
    (key,) = edge.call("GET", "/.well-known/jwks.json").json()["keys"]
    assert key["crv"] == "Ed25519"
    assert "d" not in key


# Guests: customers without an account.


def test_a_guest_is_a_customer_whom_nobody_else_is(tmp_path: Path):
    edge = Edge(tmp_path, portal="demo")
    one, two = (edge.call("POST", "/v1/sessions/guests").json() for _ in range(2))
    assert (one["role"], one["tenant"]) == ("customer", "demo")
    assert one["person_id"] != two["person_id"]
    who = edge.call("GET", "/v1/sessions/me", one["token"]).json()
    assert (who["role"], who["person_id"]) == ("customer", one["person_id"])


def test_a_guests_link_gives_new_tokens_for_half_a_year_and_for_nobody_else(tmp_path: Path):
    edge = Edge(tmp_path, portal="demo")
    guest = edge.call("POST", "/v1/sessions/guests").json()
    edge.clock.set(NOON + GUESTS_FOR - timedelta(minutes=1))
    assert edge.call("GET", "/v1/sessions/me", guest["token"]).status_code == 401
    again = edge.call("POST", "/v1/sessions/links", json={"link": guest["link"]}).json()
    assert edge.call("GET", "/v1/sessions/me", again["token"]).json()["person_id"] == guest["person_id"]
    edge.clock.set(NOON + GUESTS_FOR)
    assert edge.call("POST", "/v1/sessions/links", json={"link": guest["link"]}).status_code == 404


def test_a_link_for_something_else_signs_nobody_in(tmp_path: Path):
    edge = Edge(tmp_path, portal="demo")
    for text in (edge.tokens.issue_link(Link("demo", "survey", "s-1"), GUESTS_FOR), "no.link.of-ours"):
        assert edge.call("POST", "/v1/sessions/links", json={"link": text}).status_code == 404


def test_where_no_portal_is_open_there_are_no_guests(edge: Edge):
    assert edge.call("POST", "/v1/sessions/guests").json()["code"] == "portal.closed"
    assert edge.call("GET", "/v1/sessions/ways").json()["portal"] is False


def test_guests_from_one_address_are_not_made_without_end(tmp_path: Path):
    edge = Edge(tmp_path, portal="demo")
    answers = [edge.call("POST", "/v1/sessions/guests").status_code for _ in range(GUESTS + 1)]
    assert answers == [201] * GUESTS + [429]
    edge.clock.set(NOON + TRIES_WITHIN + timedelta(seconds=1))
    assert edge.call("POST", "/v1/sessions/guests").status_code == 201


def test_the_start_page_knows_the_demos_users_and_no_others(edge: Edge):
    ways = edge.call("GET", "/v1/sessions/ways").json()
    assert ways["demo_password"] == DEMO_PASSWORD
    assert {one["tenant"] for one in ways["demo_users"]} == {"demo"}
    write_users(edge.users, [Account(user="anna", tenant="t", role="agent", password=hashed("a secret"))])
    ways = edge.call("GET", "/v1/sessions/ways").json()
    assert (ways["demo_password"], ways["demo_users"]) == ("", [])

"""The matrix finds a hole that is there and none where none is."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from sqlalchemy import select

from services.chassis.auth import Principal, Tokens
from services.chassis.clock import SetClock
from services.chassis.http import Call, ServiceRouter, absent, public, query
from services.chassis.http.app import service_app
from tests.chassis.http_toy import NOON, NOTES, Toy
from tests.rules.authz_matrix import Target, coverage, matrix, table, unexpected


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens.from_file(tmp_path / "keys.json", SetClock(NOON))


def filled(toy: Toy) -> Toy:
    toy.api.put("demo", "anna", "customer-1")
    toy.api.put("demo", "bert", "customer-2")
    toy.api.put("other", "theirs", "customer-1")
    return toy


def ids(path: str, name: str, target: Target, who: Principal) -> str | None:
    if target == "absent":
        return "nothing"
    if target == "own":
        return "anna"
    return "bert" if who.role == "customer" else "theirs"


def hidden(who: Principal) -> set[str]:
    mine = {"other": {"theirs"}}.get(who.tenant, {"anna"} if who.role == "customer" else {"anna", "bert"})
    return {"anna", "bert", "theirs"} - mine


def bodies(method: str, path: str) -> Mapping[str, Any] | bytes | None:
    return b"picture" if path.endswith("/photo") else None


SKIPPED = [("GET", "/v1/notes/bug/of-ours")]


def test_where_there_is_no_hole_none_is_found(tokens: Tokens):
    toy = filled(Toy(tokens, SetClock(NOON), holder=lambda: "", internal_secret="s" * 32))
    cells = asyncio.run(matrix(toy.app, tokens, ids=ids, bodies=bodies, hidden=hidden, skip=SKIPPED))
    assert not unexpected(cells), table(unexpected(cells))
    assert {cell.expected for cell in cells} >= {"2xx", "401", "403", "404"}
    assert "routes" in coverage(cells)


def test_a_route_that_forgets_its_owner_is_found(tokens: Tokens):
    toy = filled(Toy(tokens, SetClock(NOON), forgets_owner=True))
    found = unexpected(asyncio.run(matrix(toy.app, tokens, ids=ids, bodies=bodies, skip=SKIPPED)))
    assert {(cell.method, cell.path) for cell in found} == {
        ("GET", "/v1/notes/{note_id}"),
        ("POST", "/v1/notes/{note_id}/rewrite"),
        ("POST", "/v1/notes/{note_id}/share"),
        ("PUT", "/v1/notes/{note_id}/photo"),
    }
    assert {(cell.caller, cell.tenant, cell.target, cell.expected) for cell in found} == {
        ("customer", "own", "foreign", "404")
    }
    assert {cell.got for cell in found} == {"200", "201"}
    assert "GET     /v1/notes/{note_id}" in table(found)


def hole(toy: Toy, kind: str) -> APIRouter:
    router = ServiceRouter(toy.api, prefix="/v1/holes")

    if kind == "other tenant":

        @router.get("/{note_id}")
        async def any_tenant(note_id: str, call: Call = query("agent")) -> str:
            for row in await toy.api.fetch(select(NOTES).where(NOTES.c.note_id == note_id)):
                return str(row["text"])
            raise absent("note", note_id)

    if kind == "says that it is there":

        @router.get("/{note_id}")
        async def telling(note_id: str, call: Call = query("customer")) -> str:
            row = await call.one(select(NOTES).where(NOTES.c.note_id == note_id))
            if row is None:
                raise absent("note", note_id)
            if not call.owns(row["customer_id"]):
                raise absent("note of another customer", note_id)
            return str(row["text"])

    if kind == "lets nobody in":

        @router.get("/{note_id}")
        async def closed(note_id: str, call: Call = query("customer")) -> str:
            raise absent("note", note_id)

    if kind == "lists all":

        @router.get("")
        async def everything(call: Call = query("customer")) -> list[str]:
            return [str(row["note_id"]) for row in await call.fetch(select(NOTES))]

    if kind == "public and closed":

        @router.get("/{note_id}")
        async def failing(note_id: str, call: Call = public()) -> str:
            raise ZeroDivisionError

    return router


@pytest.mark.parametrize(
    ("kind", "caller", "target"),
    [
        ("other tenant", "agent", "foreign"),
        ("says that it is there", "customer", "foreign"),
        ("lets nobody in", "customer", "own"),
        ("lists all", "customer", "-"),
        ("public and closed", "anonymous", "-"),
    ],
)
def test_other_holes_are_found_too(tokens: Tokens, kind: str, caller: str, target: str):
    toy = filled(Toy(tokens, SetClock(NOON)))
    app = service_app([hole(toy, kind)], tokens=tokens)
    found = unexpected(asyncio.run(matrix(app, tokens, ids=ids, hidden=hidden)))
    assert (caller, target) in {(cell.caller, cell.target) for cell in found}, table(found)


def test_a_route_that_was_never_reached_proves_nothing(tokens: Tokens):
    toy = filled(Toy(tokens, SetClock(NOON)))
    cells = asyncio.run(matrix(toy.app, tokens, ids=ids, bodies=lambda m, p: b"{", skip=SKIPPED))
    assert any("give `bodies`" in cell.note for cell in unexpected(cells))
    cells = asyncio.run(matrix(toy.app, tokens, ids=lambda *_: None, bodies=bodies, skip=SKIPPED))
    assert any("give `ids`" in cell.note for cell in unexpected(cells))

"""The calls of a route: tenant, idempotency, versions, positions, pages, and how it says no."""

import ast
import io
import json
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import (
    Column,
    MetaData,
    Table,
    Text,
    and_,
    create_engine,
    exists,
    func,
    literal,
    literal_column,
    select,
    text,
    union_all,
)

from services.chassis import telemetry
from services.chassis.auth import ROLES, Tokens
from services.chassis.clock import SetClock
from services.chassis.http import Call, ServiceRouter, command, route_roles
from services.chassis.http.app import service_app
from services.chassis.http.problems import language, texts
from services.chassis.http.scope import within
from services.chassis.journal.store import LostLease, NotCommitted
from services.chassis.journal.work import Bug, Stopped
from tests.chassis.http_toy import NOON, NOTES, Toy

ROOT = Path(__file__).parents[2]
SERVICES = ("intake", "dispatcher", "fieldwork", "quality", "inventory", "reporting")


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens.from_file(tmp_path / "keys.json", SetClock(NOON))


@pytest.fixture
def toy(tokens: Tokens) -> Toy:
    return Toy(tokens, SetClock(NOON))


# Commands.


def test_a_command_says_who_asks_and_how(toy: Toy):
    trace = f"00-{'1' * 32}-{'2' * 16}-01"
    answer = toy.call("POST", "/v1/notes", json={"text": "hi"}, channel="wechat", headers={"traceparent": trace})
    assert answer.status_code == 201
    (ask,) = toy.api.asked
    assert (ask.tenant, ask.actor, ask.caller) == ("demo", "customer:customer-user", "customer-user")
    assert (ask.channel, ask.trace_parent, ask.key, ask.expected) == ("wechat", trace, "", {})


def test_a_command_answers_with_its_position_and_the_version_it_left(toy: Toy):
    answer = toy.call("POST", "/v1/notes", json={"text": "hi"})
    assert answer.headers["fieldloop-position"] == "notes;1"
    assert answer.headers["etag"] == '"1"'
    assert answer.json() == {"id": "n-1", "position": 1, "version": 1, "events": ["NoteWritten"]}


def test_the_same_key_gives_the_same_answer_and_does_nothing_again(toy: Toy):
    first, second = (toy.call("POST", "/v1/notes", json={"text": "hi"}, headers={"Idempotency-Key": "k"}) for _ in "12")
    assert second.json() == first.json()
    assert second.status_code == first.status_code == 201
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["fieldloop-position"] == first.headers["fieldloop-position"]
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert toy.api.position == 1


@pytest.mark.parametrize("other", [{"path": "/v1/notes/two"}, {"role": "agent"}, {"tenant": "other"}, {"key": "k2"}])
def test_ids_of_another_call_are_others(toy: Toy, other: dict[str, str]):
    def asked(role: str = "agent", path: str = "/v1/notes", key: str = "k", tenant: str = "demo") -> str:
        toy.api.asked.clear()
        toy.api.receipts.clear()
        toy.call("POST", path, role, json={"text": "x"}, headers={"Idempotency-Key": key}, tenant=tenant)
        return str(toy.api.asked[0].command.note_id)

    assert asked() == asked()
    assert (
        asked("customer" if "role" in other else "agent", **{k: v for k, v in other.items() if k != "role"}) != asked()
    )


def test_each_of_several_commands_of_a_call_has_its_own_receipt(toy: Toy):
    first, second = (toy.call("POST", "/v1/notes/two", "agent", headers={"Idempotency-Key": "k"}) for _ in "12")
    assert first.json() == second.json()
    assert len(set(first.json())) == 2
    assert toy.api.position == 2
    assert [ask.key for ask in toy.api.asked] == ["k", "k#1", "k", "k#1"]


def test_an_item_of_a_batch_is_done_once_in_whatever_batch_it_comes(toy: Toy):
    one, two = {"key": "i-1", "text": "a"}, {"key": "i-2", "text": "b"}
    first = toy.call("POST", "/v1/notes/sync", "engineer", json={"items": [one]}, headers={"Idempotency-Key": "k1"})
    second = toy.call(
        "POST", "/v1/notes/sync", "engineer", json={"items": [one, two]}, headers={"Idempotency-Key": "k2"}
    )
    assert (first.json(), second.json()) == ([False], [True, False])
    assert second.headers["fieldloop-position"] == "notes;2"
    assert toy.api.asked[0].happened_at == NOON
    changed = toy.call("POST", "/v1/notes/sync", "engineer", json={"items": [{**one, "text": "c"}]})
    assert changed.json()["code"] == "idempotency-key.reused"


@pytest.mark.parametrize("text", ["a\0b", "\0"])
def test_a_text_with_a_nul_is_refused_before_it_can_stop_a_view(toy: Toy, text: str):
    toy.api.put("demo", "n", "c-1")
    for answer in (
        toy.call("POST", "/v1/notes", json={"text": text}),
        toy.call("POST", "/v1/notes", json={"text": "x", "lines": [{"part": text, "qty": 1}]}),
        toy.call("GET", "/v1/notes/%00"),
        toy.call("GET", "/v1/notes", params={"cursor": text}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "text.has-nul")
    assert toy.call("POST", "/v1/notes", json={"text": "a \\u0000 b"}).status_code == 201


def test_a_parameter_is_given_once(toy: Toy):
    answer = toy.call("GET", "/v1/notes", params=[("limit", "1"), ("limit", "2")])
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")
    assert toy.call("GET", "/v1/notes", params=[("limit", "1"), ("other", "2"), ("more", "3")]).status_code == 200


def test_a_key_that_was_used_for_something_else_is_422(toy: Toy):
    toy.call("POST", "/v1/notes", json={"text": "hi"}, headers={"Idempotency-Key": "k"})
    answer = toy.call("POST", "/v1/notes", json={"text": "ho"}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key.reused")


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "ключ"])
def test_a_key_that_cannot_be_one_is_400(toy: Toy, key: str):
    answer = toy.call("POST", "/v1/notes", json={"text": "hi"}, headers={"Idempotency-Key": key.encode()})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key.invalid")
    assert not toy.api.asked


def test_a_stale_version_is_412_with_the_current_one(toy: Toy):
    toy.api.put("demo", "n", "c-1", version=3)
    answer = toy.call("POST", "/v1/notes/n/rewrite", json={"text": "hi"}, headers={"If-Match": '"2"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "stream.stale")
    assert answer.headers["etag"] == '"3"'
    assert answer.json()["facts"] == {"stream": "note/n", "expected": 2, "current": 3}


def test_what_a_read_calls_its_version_may_be_demanded(toy: Toy):
    toy.api.put("demo", "n", "c-1", version=3)
    etag = toy.call("GET", "/v1/notes/n").headers["etag"]
    answer = toy.call("POST", "/v1/notes/n/rewrite", json={"text": "hi"}, headers={"If-Match": etag})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"4"')


@pytest.mark.parametrize("match", ["x", "W/x", '"1", "2"', '""', "9" * 30])
def test_an_if_match_that_cannot_be_read_is_400_and_not_ignored(toy: Toy, match: str):
    toy.api.put("demo", "n", "c-1")
    answer = toy.call("POST", "/v1/notes/n/rewrite", json={"text": "hi"}, headers={"If-Match": match})
    assert (answer.status_code, answer.json()["code"]) == (400, "if-match.unreadable")


def test_an_if_match_where_nothing_is_versioned_is_400_and_not_ignored(toy: Toy):
    answer = toy.call("POST", "/v1/notes", json={"text": "hi"}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["code"]) == (400, "if-match.not-here")


@pytest.mark.parametrize(
    ("role", "token", "header", "channel"),
    [
        ("customer", "", "", "api"),
        ("customer", "app", "", "app"),
        ("customer", "app", "hotline", "app"),
        ("customer", "", "email", "email"),
        ("agent", "web", "hotline", "hotline"),
        ("agent", "web", "", "web"),
    ],
)
def test_the_channel_is_the_clients_and_staff_may_say_another(
    toy: Toy, role: str, token: str, header: str, channel: str
):
    toy.call("POST", "/v1/notes", role, json={"text": "hi"}, channel=token, headers={"Fieldloop-Channel": header})
    assert toy.api.asked[0].channel == channel


def test_a_channel_that_does_not_exist_is_422(toy: Toy):
    answer = toy.call("POST", "/v1/notes", json={"text": "hi"}, headers={"Fieldloop-Channel": "fax"})
    assert (answer.status_code, answer.json()["code"]) == (422, "channel.unknown")


# Reads.


def test_a_tenant_sees_its_own_rows_only(toy: Toy):
    toy.api.put("demo", "n", "c-1", "ours")
    toy.api.put("other", "n", "c-1", "theirs")
    toy.api.put("other", "m", "c-1", "theirs")
    assert toy.call("GET", "/v1/notes/n", "agent").json()["text"] == "ours"
    assert toy.call("GET", "/v1/notes/m", "agent").status_code == 404
    assert [note["text"] for note in toy.call("GET", "/v1/notes", "agent").json()["items"]] == ["ours"]


def test_what_is_not_the_callers_is_absent_like_what_is_not_there(toy: Toy):
    toy.api.put("demo", "n", "c-2")
    foreign, missing = toy.call("GET", "/v1/notes/n"), toy.call("GET", "/v1/notes/x")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.text == missing.text.replace(" x ", " n ").replace('"x"', '"n"')


def test_nobody_owns_what_belongs_to_nobody(toy: Toy):
    toy.api.put("demo", "n", "")
    assert toy.call("GET", "/v1/notes/n").status_code == 404


def test_a_read_waits_for_the_position_that_the_caller_has_seen(toy: Toy):
    toy.call("GET", "/v1/notes", headers={"Fieldloop-Position": "intake;9, notes;4711"})
    assert toy.api.waited == [4711]
    answer = toy.call("GET", "/v1/notes", headers={"Fieldloop-Position": "notes;"})
    assert toy.api.waited == [4711]
    assert "fieldloop-stale" not in answer.headers


def test_a_read_that_gave_up_waiting_says_so(toy: Toy):
    toy.api.keeps_up = False
    answer = toy.call("GET", "/v1/notes", headers={"Fieldloop-Position": "notes;3"})
    assert (answer.status_code, answer.headers["fieldloop-stale"]) == (200, "true")


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_pages_show_every_row_once_in_order_also_over_ties(toy: Toy, limit: int, down: bool):
    for i, length in enumerate([3, 1, 2, 2, 2, 1, 3]):
        toy.api.put("demo", f"n{i}", "c-1", "x" * length)
        toy.api.put("other", f"n{i}", "c-1", "x" * length)
    seen: list[tuple[int, str]] = []
    cursor: str | None = None
    while True:
        params: dict[str, Any] = {"limit": limit, "down": down} | ({"cursor": cursor} if cursor else {})
        page = toy.call("GET", "/v1/notes", params=params).json()
        assert len(page["items"]) <= limit
        seen += [(len(note["text"]), note["note_id"]) for note in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, key=lambda one: (-one[0] if down else one[0], one[1]))


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "§", "WyJ4IiwxLCJuIl0", "e30"])
def test_a_cursor_that_is_not_of_this_list_is_400(toy: Toy, cursor: str):
    answer = toy.call("GET", "/v1/notes", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor.invalid")


def test_a_cursor_of_the_other_direction_is_not_of_this_list(toy: Toy):
    for i in range(3):
        toy.api.put("demo", f"n{i}", "c-1")
    cursor = toy.call("GET", "/v1/notes", params={"limit": 1}).json()["next"]
    assert toy.call("GET", "/v1/notes", params={"cursor": cursor, "down": True}).status_code == 400


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_page_has_1_to_200_rows(toy: Toy, limit: int):
    assert toy.call("GET", "/v1/notes", params={"limit": limit}).status_code == 422


def test_a_link_opens_its_own_thing_without_signing_in(toy: Toy):
    toy.api.put("demo", "n", "c-1", "ours")
    toy.api.put("demo", "m", "c-1", "ours")
    link = toy.call("POST", "/v1/notes/n/share").json()
    assert toy.call("GET", "/v1/notes/n/public", None, params={"link": link}).json()["text"] == "ours"
    assert toy.call("GET", "/v1/notes/m/public", None, params={"link": link}).status_code == 404
    assert toy.call("GET", "/v1/notes/n/public", None, params={"link": "x.y.z"}).status_code == 404


# The wall between tenants, for every shape of query.

_TABLES = MetaData()
A = Table("a", _TABLES, Column("tenant", Text, primary_key=True), Column("id", Text, primary_key=True))
B = Table(
    "b", _TABLES, Column("tenant", Text, primary_key=True), Column("id", Text, primary_key=True), Column("a", Text)
)
_ALIAS = B.alias("other_b")
_CTE = select(A.c.id).cte("some")

SHAPES = {
    "columns": select(A.c.id, A.c.tenant),
    "table": select(A),
    "join": select(A.c.tenant, B.c.tenant).join(B, B.c.a == A.c.id),
    "comma": select(A.c.tenant, B.c.tenant).where(B.c.a == A.c.id),
    "where only": select(A.c.tenant).where(B.c.a == A.c.id, B.c.id != ""),
    "outer join": select(A.c.id, func.coalesce(B.c.tenant, "x")).outerjoin(B, and_(B.c.a == A.c.id, B.c.id == "1")),
    "explicit outer join": select(A.c.tenant, B.c.tenant).select_from(A.outerjoin(B, B.c.a == A.c.id)),
    "alias": select(_ALIAS.c.tenant, B.c.tenant).join(B, B.c.id == _ALIAS.c.id),
    "subquery": select(select(A.c.tenant).subquery()),
    "scalar": select(A.c.id, select(func.max(B.c.tenant)).scalar_subquery()),
    "correlated": select(select(func.max(B.c.tenant)).where(B.c.a == A.c.id).scalar_subquery(), A.c.tenant),
    "cte": select(_CTE.join(A, A.c.id == _CTE.c.id)),
    "union": select(union_all(select(A.c.tenant), select(B.c.tenant)).subquery()),
    "in": select(A.c.tenant).where(A.c.id.in_(select(B.c.a).where(B.c.tenant == "y"))),
    "exists": select(A.c.tenant).where(exists().where(B.c.tenant == "y")),
    "or": select(A.c.tenant).where((A.c.id == "1") | (A.c.tenant == "y")),
}


def _rows(query: Any) -> list[Any]:
    db = create_engine("sqlite://")
    _TABLES.create_all(db)
    with db.begin() as connection:
        for tenant in ("x", "y"):
            for i in "123":
                connection.execute(A.insert().values(tenant=tenant, id=i))
                connection.execute(B.insert().values(tenant=tenant, id=i, a=i))
        return [tuple(row) for row in connection.execute(query)]


@pytest.mark.filterwarnings("ignore:SELECT statement has a cartesian product")
@pytest.mark.parametrize("shape", SHAPES)
def test_no_query_reads_another_tenants_row(shape: str):
    rows = _rows(within("x", SHAPES[shape]))
    assert "y" not in {value for row in rows for value in row}
    if shape not in ("in", "exists"):
        assert rows
    assert "y" in {value for row in _rows(SHAPES[shape]) for value in row} or shape in ("in", "exists", "cte")


def test_an_outer_join_keeps_the_rows_without_a_match():
    assert sorted(_rows(within("x", SHAPES["outer join"]))) == [("1", "x"), ("2", "x"), ("3", "x")]
    unmatched = select(A.c.id, B.c.id).outerjoin(B, and_(B.c.a == A.c.id, B.c.id == "1"))
    assert sorted(_rows(within("x", unmatched)), key=str) == [("1", "1"), ("2", None), ("3", None)]


@pytest.mark.parametrize(
    "query",
    [
        select(text("1")),
        select(A.c.id).where(text("1 = 1")),
        select(literal_column("(SELECT count(*) FROM a)")),
        select(Table("no_tenant", MetaData(), Column("id", Text))),
    ],
)
def test_what_cannot_be_narrowed_is_refused(query: Any):
    with pytest.raises(TypeError):
        within("x", query)


def test_a_literal_value_may_be_selected():
    assert _rows(within("x", select(literal(1), func.count()).select_from(A))) == [(1, 3)]


# Saying no.


def test_a_rejection_is_a_problem_with_code_facts_and_remedy(toy: Toy):
    answer = toy.call("POST", "/v1/notes", json={"text": "forbidden"})
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (answer.status_code, said["status"], said["code"]) == (409, 409, "order.already-assigned")
    assert said["type"] == "urn:fieldloop:problem:order.already-assigned"
    assert said["facts"]["engineer_id"] == "e-7"


def test_a_field_that_is_wrong_is_named_with_its_path_and_a_remedy(toy: Toy):
    lines = [{"part": "p", "qty": 1}, {"part": "p", "qty": "many"}]
    answer = toy.call("POST", "/v1/notes", json={"stars": 9, "lines": lines, "price": 1})
    errors = {one["field"]: one for one in answer.json()["errors"]}
    assert (answer.status_code, answer.json()["code"]) == (422, "body.invalid")
    assert errors.keys() == {"text", "stars", "lines[1].qty", "price"}
    assert errors["stars"]["remedy"] == "Give 5 or less."
    assert all(one["problem"] and one["remedy"] for one in errors.values())


def test_it_is_said_in_chinese_to_who_prefers_it(toy: Toy):
    answer = toy.call("POST", "/v1/notes", json={}, headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert answer.headers["content-language"] == "zh"
    assert answer.json()["title"] == "部分字段有误"
    assert answer.json()["errors"][0]["remedy"] == "请填写此字段。"


@pytest.mark.parametrize(
    ("accept", "spoken"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-Hant-TW", "zh"),
        ("de", "en"),
        ("de, zh;q=0.5", "zh"),
        ("en;q=0.1,zh;q=0.2", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=x", "en"),
        ("*", "en"),
        ("zh-Hans", "zh"),
        ("ZH_cn, EN", "en"),
        ("zh-CN;q=0.8, en;q=0.801", "en"),
        ("en;q=0.3, zh-Hant;q=0.2, zh-Hans;q=0.9", "zh"),
        ("zh, en", "zh"),
        ("en, zh", "en"),
        ("*, zh", "zh"),
        ("en;q=0, *", "zh"),
        ("*;q=0.5, en;q=0.1", "zh"),
        ("de, *;q=0", "en"),
        ("zh ; q=0.9 , en;q=0.5", "zh"),
        ("zh;q=inf, en;q=0.1", "en"),
        ("zh;q=nan, en;q=0.1", "en"),
        ("zh;q=2, en;q=0.1", "en"),
        ("zhuang", "en"),
        (",;,", "en"),
        ("de," * 10_000 + "zh", "en"),
    ],
)
def test_the_language_is_the_one_liked_best(accept: str, spoken: str):
    assert language(accept) == spoken


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"', b"", b"\xff", b"null"])
def test_a_body_that_is_no_json_object_is_422(toy: Toy, body: bytes):
    answer = toy.call("POST", "/v1/notes", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_who_may_not_call_learns_nothing_of_the_body(toy: Toy):
    assert toy.call("POST", "/v1/notes", None, content=b"{").status_code == 401
    assert toy.call("POST", "/v1/notes", "auditor", content=b"{").status_code == 403


def test_who_may_call_instead_is_said(toy: Toy):
    answer = toy.call("POST", "/v1/notes", "auditor", json={"text": "x"})
    assert (answer.status_code, answer.json()["facts"]["allowed"]) == (403, ["agent", "customer"])


@pytest.mark.parametrize(
    ("error", "retry"),
    [(Stopped(), "not-holder"), (LostLease(), "not-holder"), (NotCommitted(), "in-doubt")],
)
def test_a_service_that_moves_says_when_to_come_again(toy: Toy, error: Exception, retry: str):
    toy.api.fails = error
    answer = toy.call("POST", "/v1/notes", json={"text": "x"})
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["fieldloop-retry"]) == (503, "1", retry)


def test_a_bug_is_500_and_tells_nobody_what_it_was(toy: Toy):
    toy.api.fails = Bug("a secret of ours")
    for answer in (
        toy.call("POST", "/v1/notes", json={"text": "x"}),
        toy.call("GET", "/v1/notes/bug/of-ours", "agent"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (500, "server.failed")
        assert "secret" not in answer.text


@pytest.mark.parametrize(("size", "status"), [(1024 * 1024, 422), (1024 * 1024 + 1, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_one_mib_at_most(toy: Toy, size: int, status: int, chunked: bool):
    body = json.dumps({"text": ""}).encode()
    body = body[:-2] + b"x" * (size - len(body)) + body[-2:]

    async def parts() -> Any:
        for start in range(0, size, 65_536):
            yield body[start : start + 65_536]

    headers = {"Content-Type": "application/json"}
    answer = toy.call("POST", "/v1/notes", content=parts() if chunked else body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_photo_has_ten(toy: Toy):
    toy.api.put("demo", "n", "c-1")
    for size, status in ((10 * 1024 * 1024, 200), (10 * 1024 * 1024 + 1, 413)):
        assert toy.call("PUT", "/v1/notes/n/photo", content=b"x" * size).status_code == status


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/v1/notes", 405)])
def test_what_is_not_there_is_a_problem_too(toy: Toy, method: str, path: str, status: int):
    answer = toy.call(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@settings(deadline=None)
@given(st.text(), st.text(alphabet=string.printable), st.text(alphabet=st.characters(max_codepoint=255)))
def test_no_text_makes_the_words_of_a_problem_fail(fact: str, name: str, accept: str):
    from services.chassis.http.problems import _fill

    _fill("{a} {b}", {"a": fact, name: 1})
    assert language(accept) in ("en", "zh")


# Routes say who may call them.


def test_a_route_that_does_not_say_who_may_call_it_is_refused(toy: Toy):
    router = ServiceRouter(toy.api)
    with pytest.raises(TypeError, match="does not say who may call it"):

        @router.get("/x")
        async def open_to_all() -> None: ...


def test_an_app_with_a_route_of_another_kind_is_refused(toy: Toy, tokens: Tokens):
    from fastapi import APIRouter

    router = APIRouter()
    router.add_api_route("/x", lambda: None)
    with pytest.raises(TypeError, match="/x does not say who may call it"):
        service_app([router], tokens=tokens)


def test_two_routes_of_one_address_are_refused(toy: Toy, tokens: Tokens):
    routers = [ServiceRouter(toy.api), ServiceRouter(toy.api)]
    for router in routers:

        @router.get("/x")
        async def one(call: Call = command("agent")) -> None: ...

    with pytest.raises(TypeError, match="two routes answer GET /x"):
        service_app(routers, tokens=tokens)


def test_a_role_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="boss"):
        command("agent", "boss")
    with pytest.raises(TypeError, match="name who may call"):
        command()


def test_the_table_of_routes_and_roles_can_be_read(toy: Toy):
    table = route_roles(toy.app)
    assert table["POST", "/v1/notes"] == {"customer", "agent"}
    assert table["GET", "/v1/notes/{note_id}"] == {"customer", "agent", "auditor"}
    assert table["GET", "/livez"] == {"public"}


def test_the_openapi_document_says_roles_and_refusals(toy: Toy):
    document = toy.call("GET", "/openapi.json", None).json()
    assert document["openapi"].startswith("3.1")
    submit = document["paths"]["/v1/notes"]["post"]
    assert submit["x-roles"] == ["agent", "customer"]
    assert submit["security"] == [{"bearer": []}]
    assert "application/problem+json" in submit["responses"]["4XX"]["content"]
    assert "Problem" in document["components"]["schemas"]
    assert "422" not in submit["responses"]


# What every answer has, and what is told of it.


@pytest.mark.parametrize("path", ["/v1/notes", "/nowhere", "/livez", "/v1/notes/bug/of-ours"])
def test_every_answer_has_its_security_headers(toy: Toy, path: str):
    headers = toy.call("GET", path, "agent").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "max-age" in headers["strict-transport-security"]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"


def test_a_process_says_whether_it_is_ready(tokens: Tokens):
    lacking = {"journal"}
    toy = Toy(
        tokens, SetClock(NOON), ready={name: lambda name=name: name not in lacking for name in ("journal", "bus")}
    )
    assert (toy.call("GET", "/readyz", None).status_code, toy.call("GET", "/readyz", None).text) == (503, "journal")
    lacking.clear()
    assert toy.call("GET", "/readyz", None).status_code == 200
    assert toy.call("GET", "/livez", None).status_code == 204


def test_our_own_processes_ask_who_writes_and_nobody_else_does(tokens: Tokens):
    toy = Toy(tokens, SetClock(NOON), holder=lambda: "http://a:1", internal_secret="s" * 32)
    ask = {"Authorization": f"Bearer {'s' * 32}"}
    assert toy.call("GET", "/internal/holder", None, headers=ask).json() == {"holder": "http://a:1"}
    assert toy.call("GET", "/internal/holder", None).status_code == 401
    assert toy.call("GET", "/internal/holder", "operator").status_code == 401


def test_without_a_secret_nobody_is_one_of_our_processes(tokens: Tokens):
    toy = Toy(tokens, SetClock(NOON), holder=lambda: "http://a:1")
    assert toy.call("GET", "/internal/holder", None, headers={"Authorization": "Bearer "}).status_code == 401


def test_one_line_is_logged_per_command_and_no_text_forges_another(toy: Toy):
    out = io.BytesIO()
    telemetry.log_as_json(out)
    try:
        trace = f"00-{'1' * 32}-{'2' * 16}-01"
        toy.call("POST", "/v1/notes", json={"text": "hi"}, headers={"traceparent": trace})
        toy.call("GET", "/v1/notes")
        toy.call("POST", "/v1/notes/a%0A%7Bb/rewrite", json={"text": "hi"})
    finally:
        telemetry.log_as_json(io.BytesIO())
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert first.pop("ms") >= 0
    assert first.pop("timestamp")
    assert first == {
        "event": "command",
        "level": "info",
        "tenant": "demo",
        "user": "customer-user",
        "role": "customer",
        "service": "notes",
        "method": "POST",
        "route": "/v1/notes",
        "status": 201,
        "position": 1,
        "correlation": "n-1",
        "trace": "1" * 32,
    }
    assert second["correlation"] == "a\n{b"


def test_a_caller_who_is_refused_is_logged_with_what_they_tried(toy: Toy):
    out = io.BytesIO()
    telemetry.log_as_json(out)
    try:
        toy.call("POST", "/v1/notes", "auditor", json={"text": "hi"})
        toy.call("GET", "/v1/notes", None)
    finally:
        telemetry.log_as_json(io.BytesIO())
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    refused = [line for line in lines if line["event"] == "caller_refused"]
    assert [(one["user"], one["role"], one["tenant"], one["route"], one["status"]) for one in refused] == [
        ("auditor-user", "auditor", "demo", "/v1/notes", 403),
        ("", "nobody", "", "/v1/notes", 401),
    ]


def test_a_command_has_one_span_that_continues_the_callers_trace(toy: Toy):
    spans = InMemorySpanExporter()
    provider = telemetry.trace_to(spans, "test", share=1)
    try:
        toy.call("POST", "/v1/notes", json={"text": "hi"}, headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})
        toy.call("GET", "/v1/notes")
        provider.force_flush()
    finally:
        telemetry.do_not_trace()
        provider.shutdown()
    (span,) = spans.get_finished_spans()
    assert span.name == "POST /v1/notes"
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == "1" * 32
    # The events of the command continue our span, not the caller's.
    assert toy.api.asked[0].trace_parent == f"00-{'1' * 32}-{span.context.span_id:016x}-01"


@pytest.mark.parametrize("header", ["", "00-x", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01"])
def test_a_traceparent_that_is_none_is_left_out(toy: Toy, header: str):
    toy.call("POST", "/v1/notes", json={"text": "hi"}, headers={"traceparent": header})
    assert toy.api.asked[0].trace_parent == ""


def test_times_are_measured_by_route_and_not_by_path(toy: Toy):
    for i in range(3):
        toy.call("GET", f"/v1/notes/some-{i}")
    shown = toy.call("GET", "/metrics", None).text
    assert 'route="/v1/notes/{note_id}",service="notes",status="404"' in shown
    assert "some-1" not in shown


# The table of words.


def raised_codes() -> dict[str, list[tuple[str, set[str] | None]]]:
    """Code → where it is raised, and the facts given there (None where they cannot be read)."""
    found: dict[str, list[tuple[str, set[str] | None]]] = {}
    for folder in (*SERVICES, "services"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if use := _code_of(node):
                    code, facts = use
                    found.setdefault(code, []).append((f"{file.relative_to(ROOT)}:{node.lineno}", facts))
    return found


def _code_of(node: Any) -> tuple[str, set[str] | None] | None:
    match node:
        case ast.Call(
            func=ast.Name(id="Rejected" | "Problem"), args=[ast.Constant(value=str(code)), *_], keywords=given
        ):
            return code, None if any(one.arg is None for one in given) else {str(one.arg) for one in given}
        case ast.Call(func=ast.Name(id="Claim"), args=[ast.Constant(value=str(kind)), *_]):
            return f"{kind}.taken", {"key", "owner"}  # The writer raises it when somebody else has the name.
    return None


def test_every_code_that_is_raised_has_its_words():
    lacking = [f"{code} ({uses[0][0]})" for code, uses in raised_codes().items() if code not in texts()]
    assert not lacking, "give these a row in contracts/problem_texts.yaml: " + ", ".join(sorted(lacking))


def test_the_words_use_only_facts_that_are_given():
    wrong = []
    for code, uses in raised_codes().items():
        if code in texts():
            row = texts()[code]
            said = [w for words in (row.en, row.zh) for w in (words.title, words.detail, words.remedy)]
            named = {name for w in said for _, name, _, _ in string.Formatter().parse(w) if name}
            for where, given_facts in uses:
                if given_facts is not None and (unknown := named - given_facts):
                    wrong.append(f"{code} says {', '.join(sorted(unknown))}, which {where} does not give")
    assert not wrong, "\n".join(wrong)


def test_every_row_says_the_same_in_both_languages_and_what_to_do():
    for code, row in texts().items():
        assert row.en.title and row.zh.title, f"{code} has no title in one of the languages"
        assert row.en.remedy and row.zh.remedy, f"{code} does not say what the reader can do"
        assert 400 <= row.status <= 599, code
        assert "." in code, f"{code} is not noun.problem"


def test_what_is_wrong_with_a_call_names_what_of_it():
    lacking = [code for code, row in texts().items() if row.status in (400, 422) and not row.field]
    # It names them one by one.
    lacking.remove("body.invalid")
    assert lacking == [], "say under `field` of these rows what is to be corrected: a field, a header, or body"


def test_a_field_is_named_by_words_or_by_a_fact_that_is_given():
    wrong = []
    for code, uses in raised_codes().items():
        named = {name for _, name, _, _ in string.Formatter().parse(texts()[code].field) if name}
        wrong += [f"{code} in {where}" for where, facts in uses if facts is not None and named - facts]
    assert wrong == []


def test_no_code_has_two_rows():
    seen: set[str] = set()
    for line in (ROOT / "contracts/problem_texts.yaml").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            assert line not in seen, f"{line} stands twice: the first of them is lost"
            seen.add(line)
    assert yaml.safe_load((ROOT / "contracts/problem_texts.yaml").read_text(encoding="utf-8")).keys() == texts().keys()


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b'{"text":"a\\u0000b"}', "text.has-nul", "text"),
        (b'{"text":"hi","tags":["good",{"of":"a\\u0000b"}]}', "text.has-nul", "tags[1].of"),
        (b'{"text":"a\\ud842b"}', "text.half-character", "text"),
        (b'{"text":"hi","more":{"\\udfb7":1}}', "text.half-character", "more"),
        (b'"\\ud842"', "text.half-character", "body"),
        (b"[" * 500_000, "body.too-deep", "body"),
        (b'{"text":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "body.too-deep", "body"),
    ],
)
@pytest.mark.parametrize(("spoken", "remedy"), [("en", "Send "), ("zh", "请")])
def test_a_text_that_is_none_is_named(toy: Toy, body: bytes, code: str, field: str, spoken: str, remedy: str):
    headers = {"Content-Type": "application/json", "Accept-Language": spoken}
    answer = toy.call("POST", "/v1/notes", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    [error] = answer.json()["errors"]
    assert (error["field"], error["remedy"].startswith(remedy)) == (field, True)
    assert toy.api.asked == []


def test_a_whole_character_in_two_halves_is_kept(toy: Toy):
    body = b'{"text":"\\ud842\\udfb7 \\u200f\\ud83d\\ude00"}'
    answer = toy.call("POST", "/v1/notes", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert toy.api.asked[0].command.text == "\U00020bb7 \u200f\U0001f600"


def test_a_code_without_words_is_still_answered(toy: Toy):
    from contracts.problems import Rejected

    toy.api.fails = Rejected("thing.never-heard-of", reason="x")
    answer = toy.call("POST", "/v1/notes", json={"text": "hi"})
    assert (answer.status_code, answer.json()["code"]) == (409, "thing.never-heard-of")


def test_routes_reach_their_service_through_their_call_only():
    """`api.ask` and `api.fetch` know no tenant; a route that used them would go round the wall."""
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for service in SERVICES
        for file in (ROOT / service).glob("api*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("ask", "fetch", "open")
        if isinstance(node.value, ast.Name) and node.value.id == "api"
    ]
    assert not wrong, f"use call.{{ask,fetch,open}} instead of api's: {', '.join(wrong)}"


def test_the_roles_are_these():
    assert set(ROLES) == {
        "customer",
        "agent",
        "dispatcher",
        "engineer",
        "manager",
        "auditor",
        "operator",
        "partner",
    }
    assert NOTES.c.tenant is not None

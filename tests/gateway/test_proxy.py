"""The way to the services: reads go to whoever answers, commands to whoever writes, and a take-over is not seen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis.auth import Principal, Tokens
from services.chassis.clock import SetClock
from services.chassis.http.app import service_app
from services.chassis.journal.store import NotCommitted
from services.chassis.journal.work import Stopped
from services.gateway.proxy import OWNERS, Proxy, owners_of
from tests.chassis.http_toy import NOON, ToyApi, routes

SECRET = "s" * 32
A, B = "http://a:1", "http://b:1"


class Parts(httpx.AsyncByteStream):
    """The body of an answer, part by part."""

    def __init__(self, parts: list[bytes], pause: float = 0.0) -> None:
        self.parts, self.pause, self.closed = parts, pause, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part
            await asyncio.sleep(self.pause)

    async def aclose(self) -> None:
        self.closed = True


class Cluster:
    """Two replicas of the notes and a gateway before them, without sockets."""

    def __init__(self, folder: Path) -> None:
        clock = SetClock(NOON)
        self.tokens = Tokens.from_file(folder / "keys.json", clock)
        # Both stand on one store, as two replicas on one database do.
        self.api = ToyApi(clock)
        self.holder = A
        self.down: set[str] = set()
        self.silent: set[str] = set()
        self.slow: asyncio.Event | None = None
        self.calls: list[tuple[str, str, str]] = []
        self.heard: list[httpx.Request] = []
        self.apps: dict[str, ASGIApp] = {url: self.replica(url) for url in (A, B)}
        own = service_app([], tokens=self.tokens)
        transport = httpx.MockTransport(self.answer)
        client = httpx.AsyncClient(transport=transport)
        self.proxy = Proxy(own, {"notes": [A, B]}, SECRET, owners={"notes": "notes"}, client=client, held_s=1.5)

    def replica(self, url: str) -> ASGIApp:
        return service_app([routes(self.api)], tokens=self.tokens, holder=lambda: self.holder, internal_secret=SECRET)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        url = f"{request.url.scheme}://{request.url.host}:{request.url.port}"
        if request.url.path != "/internal/holder":
            self.calls.append((request.method, url[7:8], request.headers.get("idempotency-key", "")))
            self.heard.append(request)
        if url in self.down:
            raise httpx.ConnectError(f"{url} is down")
        if url in self.silent:
            await asyncio.Event().wait()
        if self.slow and request.url.path != "/internal/holder":
            await self.slow.wait()
        if request.method == "POST" and url != self.holder:
            self.api.fails = Stopped()
        try:
            answer = await httpx.ASGITransport(self.apps[url]).handle_async_request(request)
            # Read here, while the replica's fate stands, and handed on as from a socket.
            parts = Parts([await answer.aread()])
        finally:
            self.api.fails = None
        return httpx.Response(answer.status_code, headers=answer.headers, stream=parts)

    def tell(self, story: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
        async def run() -> None:
            token = self.tokens.issue(Principal("agent", "demo", "agent"))
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.proxy),
                base_url="http://edge",
                headers={"Authorization": f"Bearer {token}"},
            ) as client:
                await story(client)

        asyncio.run(run())


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_reads_go_round_the_replicas(cluster: Cluster):
    async def story(client: httpx.AsyncClient) -> None:
        for _ in range(4):
            assert (await client.get("/v1/notes?limit=3")).status_code == 200

    cluster.tell(story)
    assert [where for _, where, _ in cluster.calls] in (["a", "b", "a", "b"], ["b", "a", "b", "a"])
    assert cluster.heard[0].url.query == b"limit=3"


def test_a_read_goes_to_another_replica_when_one_is_down(cluster: Cluster):
    cluster.down = {A}

    async def story(client: httpx.AsyncClient) -> None:
        for _ in range(4):
            assert (await client.get("/v1/notes")).status_code == 200

    cluster.tell(story)
    assert [where for _, where, _ in cluster.calls].count("a") == 1, "it is asked again only after the others"


def test_a_read_of_a_replica_that_stands_still_goes_to_another(cluster: Cluster, monkeypatch):
    monkeypatch.setattr("services.gateway.proxy.SILENT_S", 0.05)
    cluster.silent, asked = {A}, cluster.proxy._look_at_holder

    async def in_time(address: str) -> httpx.Response:
        if address in cluster.silent:
            raise httpx.ReadTimeout("a second is over")
        return await asked(address)

    cluster.proxy._look_at_holder = in_time  # type: ignore[method-assign]

    async def story(client: httpx.AsyncClient) -> None:
        async with asyncio.timeout(5):
            for _ in range(4):
                assert (await client.get("/v1/notes")).status_code == 200

    cluster.tell(story)
    assert [where for _, where, _ in cluster.calls].count("a") == 1, "it is asked again only after the others"


def test_a_replica_that_works_long_upon_a_read_is_waited_for(cluster: Cluster, monkeypatch):
    monkeypatch.setattr("services.gateway.proxy.SILENT_S", 0.01)
    asked, looked = cluster.proxy._look_at_holder, []

    async def seen(address: str) -> httpx.Response:
        looked.append(address)
        assert cluster.slow
        cluster.slow.set()
        return await asked(address)

    cluster.proxy._look_at_holder = seen  # type: ignore[method-assign]

    async def story(client: httpx.AsyncClient) -> None:
        cluster.slow = asyncio.Event()
        assert (await client.get("/v1/notes")).status_code == 200

    cluster.tell(story)
    assert len(cluster.calls) == len(set(looked)) == 1


def test_a_command_goes_to_who_writes_with_a_key(cluster: Cluster):
    cluster.holder = B

    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/notes", json={"text": "hi"})
        assert (answer.status_code, answer.headers["fieldloop-position"]) == (201, "notes;1")

    cluster.tell(story)
    ((_, where, key),) = cluster.calls
    assert where == "b"
    assert len(key) == 36


def test_the_callers_own_key_is_kept(cluster: Cluster):
    async def story(client: httpx.AsyncClient) -> None:
        await client.post("/v1/notes", json={"text": "hi"}, headers={"Idempotency-Key": "mine"})

    cluster.tell(story)
    assert cluster.calls == [("POST", "a", "mine")]


def test_a_command_is_held_while_nobody_writes_and_then_done_once(cluster: Cluster):
    async def story(client: httpx.AsyncClient) -> None:
        await client.post("/v1/notes", json={"text": "first"})
        cluster.holder = ""
        held = asyncio.create_task(client.post("/v1/notes", json={"text": "second"}))
        await asyncio.sleep(0.3)
        assert not held.done()
        cluster.holder = B
        assert (await held).status_code == 201

    cluster.tell(story)
    assert cluster.api.position == 2
    assert len({key for _, _, key in cluster.calls}) == 2, "it is sent again with the key that it had"


def test_a_command_that_was_recorded_and_not_answered_is_done_once(cluster: Cluster):
    ask = cluster.api.ask
    lost = 2

    async def losing(asked: Any) -> Any:
        nonlocal lost
        answer = await ask(asked)
        if lost:
            lost -= 1
            raise NotCommitted
        return answer

    cluster.api.ask = losing  # type: ignore[method-assign]

    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/notes", json={"text": "hi"})
        assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")

    cluster.tell(story)
    assert cluster.api.position == 1
    assert len(cluster.calls) == 3


def test_the_holder_dies_under_a_command_and_the_next_one_does_it(cluster: Cluster):
    async def story(client: httpx.AsyncClient) -> None:
        await client.post("/v1/notes", json={"text": "hi"})
        cluster.down, cluster.holder = {A}, B
        assert (await client.post("/v1/notes", json={"text": "ho"})).status_code == 201

    cluster.tell(story)
    assert [where for _, where, _ in cluster.calls] == ["a", "a", "b"]


def test_the_holder_falls_silent_under_a_command_and_the_next_one_does_it(cluster: Cluster, monkeypatch):
    monkeypatch.setattr("services.gateway.proxy.SILENT_S", 0.05)

    async def story(client: httpx.AsyncClient) -> None:
        await client.post("/v1/notes", json={"text": "hi"})
        ask, asked = cluster.proxy._ask_who_writes, []

        async def in_time(address: str) -> str:
            asked.append(address)
            return "" if address in cluster.silent else await ask(address)

        cluster.proxy._ask_who_writes = in_time  # type: ignore[method-assign]
        cluster.silent = {A}
        held = asyncio.create_task(client.post("/v1/notes", json={"text": "ho"}))
        while len(asked) < 4:
            await asyncio.sleep(0.01)
        assert not held.done(), "nobody else writes yet"
        cluster.holder = B
        assert (await held).status_code == 201

    cluster.tell(story)
    assert [where for _, where, _ in cluster.calls] == ["a", "a", "b"]
    assert len({key for _, _, key in cluster.calls}) == 2, "it is sent again with the key that it had"


def test_a_command_that_nobody_takes_is_503_after_a_while(cluster: Cluster):
    cluster.holder = ""

    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/notes", json={"text": "hi"})
        assert (answer.status_code, answer.json()["code"]) == (503, "service.away")
        assert "retry-after" in answer.headers

    cluster.tell(story)


def test_a_refusal_is_passed_on_and_not_repeated(cluster: Cluster):
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/notes", json={"text": "forbidden"})
        assert (answer.status_code, answer.json()["code"]) == (409, "order.already-assigned")
        assert (await client.post("/v1/notes", json={})).status_code == 422

    cluster.tell(story)
    assert len(cluster.calls) == 2


def test_what_no_service_owns_is_the_gateways(cluster: Cluster):
    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.get("/livez")).status_code == 204
        assert (await client.get("/v1/unheard-of")).json()["code"] == "route.absent"
        assert (await client.get("/v1/notes/../../internal/holder")).status_code in (401, 404)
        assert (await client.get("/internal/holder")).status_code == 404

    cluster.tell(story)
    assert not cluster.calls


def test_the_caller_is_passed_on_and_their_claims_about_themselves_are_not(cluster: Cluster):
    async def story(client: httpx.AsyncClient) -> None:
        await client.get(
            "/v1/notes", headers={"X-Forwarded-For": "1.2.3.4", "Connection": "x", "Accept-Language": "zh"}
        )

    cluster.tell(story)
    (request,) = cluster.heard
    assert request.headers["x-forwarded-for"] == "127.0.0.1"
    assert request.headers["accept-language"] == "zh"
    assert request.headers["host"] != "edge"


def test_live_updates_pass_through_as_they_come_and_end_when_the_caller_goes(cluster: Cluster):
    parts = Parts([f"data: {i}\n\n".encode() for i in range(10_000)], pause=0.001)
    sent: list[Message] = []

    async def live(request: httpx.Request) -> httpx.Response:
        assert request.extensions["timeout"]["read"] is None
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=parts)

    cluster.proxy._client = httpx.AsyncClient(transport=httpx.MockTransport(live))
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/notes/live/updates",
        "raw_path": b"/v1/notes/live/updates",
        "query_string": b"",
        "headers": [(b"accept", b"text/event-stream")],
    }

    async def story() -> None:
        enough = asyncio.Event()

        async def receive() -> Message:
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if len(sent) > 3:
                enough.set()

        receiving: Receive = receive
        sending: Send = send
        await asyncio.wait_for(cluster.proxy(scope, receiving, sending), 5)

    asyncio.run(story())
    assert sent[1]["body"] == b"data: 0\n\n"
    assert parts.closed
    assert len(sent) < 100


def test_a_body_longer_than_any_service_takes_is_refused_here(cluster: Cluster):
    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/notes", content=b"x" * (10 * 1024 * 1024 + 1))
        assert answer.status_code == 413

    cluster.tell(story)
    assert not cluster.calls


def test_the_table_of_owners_agrees_with_what_the_six_mount():
    for entry in entry_points(group="fieldloop.services"):
        api: Any = ToyApi(SetClock(NOON))
        paths = [route.path for route in entry.load().routes(api).routes]
        for resource in owners_of({entry.name: paths}):
            assert OWNERS.get(resource) == entry.name, f'add "{resource}": "{entry.name}" to OWNERS in proxy.py'


def test_the_table_of_owners_is_read_from_what_is_mounted():
    assert owners_of({"intake": ["/v1/requests", "/v1/requests/{id}", "/livez"]}) == {"requests": "intake"}
    with pytest.raises(ValueError, match="requests"):
        owners_of({"intake": ["/v1/requests"], "quality": ["/v1/requests/x"]})

"""The feed: every public event of one's own tenant, once, from a cursor on, as pages or as a stream."""

import asyncio
import functools
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
import uvicorn

from contracts import envelope as envelopes
from reporting.feed import CHUNK, MOST_READ, Reader, cursor_of, position_of, read, stream
from services.chassis.auth import Principal
from services.chassis.http import Problem
from services.chassis.journal.store import Entry
from tests.fold import TENANT
from tests.reporting.examples import order_assigned, request_received
from tests.reporting.running import reporting

OTHER = {"tenant": "other"}
READER = Reader(TENANT)
FIVE = [request_received(1), (request_received(2), OTHER), order_assigned(1), request_received(3), order_assigned(3)]


def story(test):
    """Runs a coroutine that is given reporting."""

    @functools.wraps(test)
    def run(tmp_path):
        async def told():
            async with reporting(tmp_path / "reporting") as it, asyncio.timeout(20):
                await test(it)

        asyncio.run(told())

    del run.__wrapped__  # pytest would look for the parameters of the coroutine
    return run


async def page(it, after="", **more):
    answer = await it.get("/v1/events", **({"after": after} if after else {}), **more)
    assert answer.status_code == 200, answer.text
    return answer


@story
async def test_pages_hold_the_records_of_the_tenant_as_they_were_recorded(it):
    arrivals = await it.publishes(*FIVE)
    mine = [arrival.record for arrival in arrivals if arrival.envelope.tenant == TENANT]
    first = await page(it, limit=2)
    body = first.json()
    assert first.content.startswith(b'{"events":[' + b",".join(mine[:2]) + b"]"), "byte for byte"
    assert body["end"] is False
    rest = (await page(it, body["next"])).json()
    assert [event["id"] for event in body["events"] + rest["events"]] == [msgspec.json.decode(r)["id"] for r in mine]
    assert rest["end"] is True
    again = (await page(it, rest["next"])).json()
    assert (again["events"], again["next"]) == ([], rest["next"]), "the end is where the next one will come"
    await it.publishes(request_received(4))
    assert [event["subject"] for event in (await page(it, rest["next"])).json()["events"]] == ["request/r-4"]


@story
async def test_nobody_sees_another_tenants_events(it):
    await it.publishes(*FIVE)
    events = (await page(it, tenant="other")).json()["events"]
    assert [event["subject"] for event in events] == ["request/r-2"]
    assert (await page(it, tenant="third")).json()["events"] == []


@story
async def test_the_feed_is_for_those_who_audit_and_integrate(it):
    for role in ("auditor", "manager", "operator", "partner"):
        await page(it, role=role)
    for role in ("customer", "engineer", "agent", "dispatcher"):
        assert (await it.get("/v1/events", role=role)).status_code == 403


@story
async def test_a_partner_reads_the_types_that_its_account_lists_and_no_others(it):
    await it.publishes(*FIVE)

    async def read_by(*types):
        token = it._tokens.issue(Principal("u-1", TENANT, "partner", "p-1", events=types))
        page = (await it.get("/v1/events", headers={"Authorization": f"Bearer {token}"}, limit=1)).json()
        return [event["type"] for event in page["events"]], page["end"]

    assert await read_by() == ([], True), "by default nothing"
    assert await read_by("OrderAssigned") == (["OrderAssigned"], False)
    assert await read_by("PartsShort") == ([], True)


@story
async def test_a_stream_ends_when_its_reader_is_signed_in_no_more(it):
    await it.publishes(*FIVE)
    believed = [True, True, False]
    parts = stream(it.api, READER._replace(is_believed=lambda: believed.pop(0)), 0, heartbeat_s=0.02)
    told = [part async for part in parts]
    assert [part.count(b"data: ") for part in told] == [0, 1, 1, 1, 1, 0]


@story
async def test_a_cursor_of_another_life_of_the_journal_is_refused(it):
    await it.publishes(*FIVE)
    cursor = (await page(it)).json()["next"]
    it.api.incarnation = 2
    answer = await it.get("/v1/events", after=cursor)
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor.invalid")


@pytest.mark.parametrize("cursor", ["x", "MS4", "MS4tNQ", "MS4x.", "\u4e2d", "MS4" + "5" * 40, "=", "MS4y\n"])
def test_a_cursor_that_nobody_gave_is_refused(cursor):
    with pytest.raises(Problem, match=r"cursor\.invalid"):
        position_of(cursor, 1)


def test_a_cursor_leads_back_to_its_position():
    assert position_of(cursor_of(7, 4_711), 7) == 4_711
    assert position_of("", 7) == 0


class Journal:
    """A long journal in which one tenant has little."""

    def __init__(self, length, mine):
        self.length, self.mine = length, mine

    async def read(self, after, limit):
        last = min(self.length, after + limit)
        return [self._entry(position) for position in range(after + 1, last + 1)]

    def _entry(self, position):
        tenant = TENANT if position in self.mine else "other"
        return Entry(position, f"e-{position}", tenant, "intake:request/r-1", 1, "r-1", b"", b"{}")


def test_a_small_tenants_page_does_not_read_a_large_journal_to_its_end():
    async def told():
        journal = Journal(100_000, {5, 60_000})
        first = await read(journal, READER, 0, 10)
        assert ([at for at, _ in first.records], first.position, first.end) == ([5], MOST_READ, False)
        found, position = [], 0
        while True:
            one = await read(journal, READER, position, 10)
            found += [at for at, _ in one.records]
            position = one.position
            if one.end:
                break
        assert (found, position) == ([5, 60_000], 100_000)
        assert (await read(Journal(CHUNK, {CHUNK}), READER, 0, 1)).position == CHUNK

    asyncio.run(told())


@story
async def test_what_reporting_keeps_to_itself_is_not_in_the_feed(it):
    [arrival] = await it.publishes(request_received(1))
    [entry] = await it.api.journal.read(0, 10)
    internal = msgspec.structs.replace(arrival.envelope, public_version=0)
    own = entry._replace(stream="report/r-1", record=msgspec.json.encode(internal))

    class Both(Journal):
        def __init__(self):
            super().__init__(1, ())

        def _entry(self, position):
            return own

    assert envelopes.read(own.record).public_version == 0
    assert (await read(Both(), READER, 0, 10)).records == []


# The stream.


@asynccontextmanager
async def served(it):
    """The app behind a real server, on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(it.app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        yield client
    server.should_exit = True
    await running


@asynccontextmanager
async def listening(it, client, **headers):
    """A reader of the stream: gives an iterator of (cursor, event)."""
    asked = it.headers() | {"Accept": "text/event-stream"} | headers
    async with client.stream("GET", "/v1/events", headers=asked) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")

        async def events():
            cursor = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    cursor = value
                elif name == "data":
                    yield cursor, msgspec.json.decode(value)

        yield events()


@story
async def test_a_stream_gives_what_was_and_what_comes_and_goes_on_after_a_break(it):
    await it.publishes(*FIVE)
    async with served(it) as client:
        async with listening(it, client) as events:
            seen = [await anext(events) for _ in range(4)]
            await it.publishes(request_received(5))
            seen.append(await anext(events))
        assert [event["subject"] for _, event in seen][-1] == "request/r-5"
        await it.publishes(request_received(6))
        # Broken off after the second; the rest comes once, in order, and then the new one.
        async with listening(it, client, **{"Last-Event-ID": seen[1][0]}) as events:
            again = [await anext(events) for _ in range(4)]
        assert again[:3] == seen[2:]
        assert again[3][1]["subject"] == "request/r-6"


@story
async def test_a_stream_ends_when_the_host_stops(it):
    await it.publishes(*FIVE)
    parts = stream(it.api, READER, 0)
    seen = [await anext(parts) for _ in range(5)]
    assert seen[0] == b"retry: 2000\nid: %b\n\n" % cursor_of(1, 0).encode()
    waiting = asyncio.create_task(anext(parts))
    await asyncio.sleep(0)
    await it.api.tell(stopped=True)
    with pytest.raises(StopAsyncIteration):
        await waiting


@story
async def test_a_quiet_stream_says_that_it_lives_and_how_far_it_is(it):
    await it.publishes(*[(request_received(n), OTHER) for n in range(1, 4)])
    parts = stream(it.api, READER, 0, heartbeat_s=0.02)
    assert (await anext(parts)).startswith(b"retry: 2000\n")
    said = await anext(parts)
    assert said.startswith(b": nothing new\n")
    assert f"id: {cursor_of(1, 3)}\n\n".encode() in said

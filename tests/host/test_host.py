"""The services as they run together: led, restarted, standing by; history that does not act."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random

import httpx
import pytest
from fastapi import FastAPI

from contracts.intake import CustomerRegistered
from deploy import until
from services import offline
from services.chassis.clock import SetClock, SystemClock
from services.chassis.http.app import service_app
from services.chassis.journal.sqlite import SqliteJournal
from services.demo.people import People, Story, Unexpected, found
from services.host import again, discover
from services.importing.mapping import load
from services.serving import all_in_one, host_of, listening, tokens_of
from services.settings import Settings
from tests.given import NOW
from tests.host.conftest import FIRM, NOBODY, TENANT, WHOLE, installation, recorded, started, with_engineers
from tests.host.test_cli import free
from tests.importing.imports import csv_of, row, write_mapping

FOR_EVER = 2**63 - 1


def customer(number):
    place = {"region": "朝阳区", "lat_udeg": 0, "lon_udeg": 0}
    return {"customer_id": f"K{number}", "name": "李", "phone": "13800000000"} | place


async def of_type(settings, kind):
    return [envelope for _, envelope in await recorded(settings) if envelope.type == kind]


# Ending and beginning again.


def test_sigterm_finishes_what_was_asked(tmp_path):
    """What was answered is in the journal, and the next process may write."""
    port = free()
    command = [sys.executable, "-m", "services.cli", "--data", str(tmp_path), "up", "--port", str(port)]
    settings = Settings(data=tmp_path)

    async def story(up):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            people = People(client, tokens_of(settings, SystemClock()), TENANT)
            kept, cut, told = [], [], asyncio.Event()

            async def ask_on(first):
                for number in range(first, 10**9, 16):
                    try:
                        await people.call("POST", "/v1/customers", "agent", json=customer(number))
                    except (Unexpected, httpx.ConnectError) as ended:
                        # It says that it does not write any more, or it listens no more.
                        assert getattr(ended, "status", 503) == 503, ended
                        return
                    except httpx.TransportError as error:
                        cut.append(error)
                        return
                    kept.append(f"customer/K{number}")
                    if len(kept) == 200:
                        told.set()

            asking = [asyncio.create_task(ask_on(n)) for n in range(16)]
            await asyncio.wait_for(told.wait(), 30)
            up.send_signal(signal.SIGTERM)
            await asyncio.gather(*asking)
            assert cut == [], "what was asked is answered, one way or the other"
            return kept

    def ready():
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    with (tmp_path / "log").open("wb") as log, started(command, stdout=log, stderr=log) as up:
        assert until(ready, 60)
        kept = asyncio.run(story(up))
        assert up.wait(15) == 0
    assert {e.stream for e in asyncio.run(of_type(settings, "CustomerRegistered"))} >= set(kept)
    SqliteJournal(tmp_path / "intake" / "journal.db")._lock.release()


def test_a_service_that_fails_begins_again_and_does_once_what_was_in_doubt(tmp_path, monkeypatch):
    async def story():
        async with installation(tmp_path) as it:
            running = it.host.running["intake"]
            failed = running.writer
            with monkeypatch.context() as broken:

                async def gone(*_, **__):
                    raise OSError("the disk is gone")

                broken.setattr(running.journal, "commit", gone)
                broken.setattr(running.journal, "head", gone)
                call = {"json": customer(1), "headers": {"Idempotency-Key": "once"}}
                token = {"Authorization": f"Bearer {it.people._token('agent', '')}"}
                call["headers"] |= token
                answer = await it.client.post("/v1/customers", **call)
                assert answer.status_code == 503, answer.text
                async with asyncio.timeout(10):
                    while (await it.client.get("/readyz")).status_code != 503:
                        await asyncio.sleep(0.01)
            async with asyncio.timeout(10):
                while running.writer in (None, failed):
                    await asyncio.sleep(0.01)
            assert (await it.client.post("/v1/customers", **call)).status_code == 201
            assert (await it.client.get("/readyz")).status_code == 200
            await it.quiet()
        assert len(await of_type(it.settings, "CustomerRegistered")) == 1

    asyncio.run(story())


def test_another_process_on_the_same_stores_is_told_who_holds_them(tmp_path, fieldloop):
    async def story():
        async with installation(tmp_path / "data"):
            return await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "services.cli", "--data", str(tmp_path / "data"), "up", "--port", "0"],
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )

    ran = asyncio.run(story())
    assert ran.returncode == 2
    [line] = ran.stderr.strip().splitlines()
    assert f"in use by process {os.getpid()}" in line


def test_led_and_idle_say_no_in_time(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            await it.quiet()
            await it.host.stop_leading()
            assert not await it.host.led(within=0.05)
            assert not await it.host.idle(within=0.05), "nobody reacts"

    asyncio.run(story())


def test_a_view_that_fails_is_told_and_nobody_waits_for_it(tmp_path, monkeypatch):
    services = discover()

    def broken(rows, event, envelope):
        if isinstance(event, CustomerRegistered):
            raise ValueError("a bug")

    intake = services["intake"]
    views = tuple(replace(view, apply=broken) if view.name == "customers" else view for view in intake.views)
    monkeypatch.setattr("services.serving.discover", lambda: services | {"intake": replace(intake, views=views)})

    async def story():
        async with installation(tmp_path) as it:
            assert (await it.client.get("/readyz")).status_code == 200
            await it.people.call("POST", "/v1/customers", "agent", json=customer(1))
            async with asyncio.timeout(10):
                while (answer := await it.client.get("/readyz")).status_code == 200:
                    await asyncio.sleep(0.01)
            assert (answer.status_code, answer.text) == (503, "intake")
            assert (await it.client.get("/livez")).status_code == 204
            begun = time.monotonic()
            for number in range(2, 7):
                await it.people.call("POST", "/v1/customers", "agent", json=customer(number))
            assert time.monotonic() - begun < 5 * 0.5, "waiting for it would take half a second each"
            assert not await it.host.idle(within=0.2)

    asyncio.run(story())


# The bus in one process.


def test_an_order_is_assigned_within_moments_because_the_feeds_are_woken(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            await found(it.people, with_engineers(2), "moments-")
            await it.quiet()
            assert not any(feed._polled for feed in it.host._feeds.values()), "nobody has to look by himself"
            dispatcher = it.host.running["dispatcher"]
            took = []
            for number in range(6):
                before = dispatcher.writer.position
                request_id = await it.submit(key=f"moments-{number}-")
                begun = time.perf_counter()
                while not await assigned(it, request_id):
                    await dispatcher.committed_after(before, 1)
                    before = dispatcher.writer.position
                    await dispatcher.wait_for(before)
                took.append(time.perf_counter() - begun)
            # Some 50 ms; looking every 50 ms at each of several hops could not be as quick even once.
            assert min(took) < 0.15, took

    async def assigned(it, request_id):
        page = await it.people.call("GET", "/v1/orders?state=assigned&limit=200", "dispatcher")
        return any(order["request_id"] == request_id for order in page["items"])

    asyncio.run(story())


# PostgreSQL under the embedded bus.


def test_all_in_one_on_postgres_tells_a_story_and_gives_its_lease_back(tmp_path, postgres):
    dsn = postgres.fresh_database()

    async def story():
        async with installation(tmp_path, store=dsn) as it:
            firm = replace(with_engineers(1), parts=WHOLE.parts)
            await found(it.people, firm, "pg-")
            await Story(it.people, firm, "pg-", Random(1)).run()
            await it.quiet()
        begun = time.monotonic()
        async with installation(tmp_path, store=dsn):
            assert time.monotonic() - begun < 4, "a lease that was not given back lasts for six seconds"
        checked = await offline.verify_stores(it.settings)
        assert (checked.findings, checked.behind) == ([], {})
        rebuilt = await offline.rebuild(it.settings, list(discover()), True, lambda read: None)
        assert [one for one in rebuilt if not one.identical] == []
        counts = Counter(envelope.type for _, envelope in await recorded(it.settings))
        assert (counts["OrderAssigned"], counts["RequestClosed"]) == (1, 1)

    asyncio.run(story())


def test_two_processes_share_the_leases_and_hear_of_each_other(tmp_path, postgres):
    """One writes for intake and the other for the rest; the one that waits for a lease serves reads, and takes over."""
    dsn = postgres.fresh_database()
    settings = Settings(data=tmp_path, store=dsn)

    async def story():
        async with all_in_one(settings) as (rest, app):
            assert await rest.led()
            intake = rest.running["intake"]
            lead = next(task for task in rest._leads if task.get_name() == "intake.lead")
            lead.cancel()
            await asyncio.wait([lead])
            async with host_of(settings, [discover()["intake"]]) as first:
                assert await first.led()
                rest._leads.append(asyncio.create_task(again(intake, rest._with_lease)))
                routes = service_app(
                    [discover()["intake"].routes(first.running["intake"])], tokens=tokens_of(settings, SystemClock())
                )
                async with (
                    httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rest") as here,
                    httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://first") as there,
                ):
                    tokens = tokens_of(settings, SystemClock())
                    at_rest, at_first = People(here, tokens, TENANT), People(there, tokens, TENANT)
                    firm = with_engineers(1)
                    of_intake = replace(firm, engineers=[], service_codes=[], prices=[], coverages=[])
                    await found(at_first, of_intake, "two-")
                    await found(
                        at_rest,
                        replace(NOBODY, engineers=firm.engineers, request_types={}, customers=[], devices=[]),
                        "two-",
                    )
                    device = FIRM.devices[0]
                    body = {"request_type": "repair", "device_id": device["device_id"], "description": "漏水"}
                    asked = await at_first.call("POST", "/v1/requests", "customer", device["customer_id"], json=body)
                    await at_rest.until(
                        "/v1/orders?state=assigned",
                        "dispatcher",
                        lambda page: [o for o in page["items"] if o["request_id"] == asked["id"]],
                    )
                    assert (await here.get("/readyz")).status_code == 200
                    assert not rest.leads("intake")
                    shown = await at_rest.call("GET", f"/v1/requests/{asked['id']}", "agent")
                    assert shown["state"] == "received"
            assert await rest.led(within=4), "it takes over at once what the other gave back"

    asyncio.run(story())


# Deadlines.


def test_an_order_that_nobody_has_for_half_an_hour_is_overdue_once_whatever_restarts(tmp_path):
    clock = SetClock(NOW)

    async def at(minutes, tell):
        clock.set(NOW + timedelta(minutes=minutes))
        async with installation(tmp_path, clock=clock) as it:
            dispatcher = it.host.running["dispatcher"]
            dispatcher.timers.wake()
            async with asyncio.timeout(10):
                while await dispatcher.journal.due(int(clock.now().timestamp() * 1_000_000), 1):
                    await asyncio.sleep(0.01)
            await it.quiet(clock)
            await tell(it)
        return len(await of_type(it.settings, "AssignmentOverdue"))

    async def submit(it):
        await found(it.people, NOBODY, "overdue-")
        await it.order_of(await it.submit(), "waiting")
        await it.quiet(clock)

    async def on_the_board(it):
        page = await it.people.call("GET", "/v1/orders?overdue=true", "dispatcher")
        return [order["overdue"] for order in page["items"]]

    async def red(it):
        assert await on_the_board(it) == [True]

    async def not_red(it):
        assert await on_the_board(it) == []

    async def story():
        assert await at(0, submit) == 0
        assert await at(29, not_red) == 0
        assert await at(31, red) == 1, "it was due while nobody ran"
        assert await at(32, red) == 1
        assert await at(600, red) == 1

    asyncio.run(story())


# History does not act.


def log_of(cases):
    """Cases of 2012, each with three steps."""
    steps = enumerate(("new", "work", "done"), 1)
    days = [(f"2012-05-0{day}T08:00:00Z", status) for day, status in steps]
    return csv_of(*[row(f"c-{n}", at, status) for n in range(cases) for at, status in days])


@pytest.fixture
def armed(monkeypatch):
    """Every policy and every timer is written down when it acts."""
    acted = []

    def watched(policy):
        async def react(event, envelope, facts):
            acted.append((policy.name, type(event).__name__))
            return ()

        return replace(policy, react=react)

    def fires(name):
        def fire(key, timer):
            acted.append((name, key))
            raise AssertionError(f"{name} fired")

        return fire

    services = {
        name: replace(
            service,
            policies=tuple(map(watched, service.policies)),
            on_timer={timer: fires(timer) for timer in service.on_timer},
        )
        for name, service in discover().items()
    }
    for where in ("services.serving.discover", "services.offline.history.discover"):
        monkeypatch.setattr(where, lambda: services)
    return acted


async def imported(settings, folder, content, name="log.csv"):
    (folder / name).write_text(content)
    mapping = write_mapping(folder, {"attributes": None})
    assert load(mapping)
    return await offline.import_file(
        settings, folder / name, mapping, tenant=TENANT, rejects=folder / "rejects.csv", progress=lambda done: None
    )


def test_history_arms_nothing_asks_nobody_and_is_shown(tmp_path, armed):
    settings = Settings(data=tmp_path / "data")

    async def story():
        done = await imported(settings, tmp_path, log_of(20))
        assert (done.recorded, done.cases, done.rejected) == (60, 20, 0)
        async with installation(settings.data) as it:
            for running in it.host.running.values():
                if running.timers is not None:
                    running.timers.wake()
                assert await running.journal.due(FOR_EVER, 10) == [], "no timer"
                assert not await running.journal.held([policy.name for policy in running.service.policies])
            await it.quiet()
            orders = await it.people.call("GET", "/v1/orders?state=waiting", "dispatcher")
            assert orders["items"] == [], "nobody looks for an engineer"
        counts = Counter(envelope.type for _, envelope in await recorded(settings))
        assert counts == {"OrderOpened": 20, "OrderQueued": 20, "OrderTaken": 20, "OrderFinished": 20}
        figures = (await offline.report(settings, "incident-kpis", TENANT, {}))["figures"]
        values = {figure["name"]: figure["value"] for figure in figures}
        assert (values["cases"], values["events"]) == (20, 60)

    asyncio.run(story())
    assert armed == []


def test_the_figures_of_history_are_a_table_too(tmp_path, fieldloop):
    asyncio.run(imported(Settings(data=tmp_path / "data"), tmp_path, log_of(5)))
    ran = fieldloop("report", "incident-kpis")
    assert (ran.code, ran.err) == (0, "")
    assert "by_impact" in ran.out


def test_the_ports_are_armed(tmp_path, armed):
    """What the test above relies on: a live request does reach the watched policies."""

    async def story():
        async with installation(tmp_path) as it:
            await found(it.people, NOBODY, "armed-")
            await it.submit()
            await it.quiet()

    asyncio.run(story())
    assert ("follow-request", "RequestReceived") in armed


async def lines(settings):
    """Everything that history is: all but when it was recorded, and at which position."""
    return sorted(
        (e.event_id, e.tenant, e.stream, e.version, envelope.time, envelope.type, bytes(envelope.data), envelope.actor)
        for e, envelope in await recorded(settings, "dispatcher")
    )


def test_an_import_that_was_killed_goes_on_and_repeats_nothing(tmp_path):
    cases = 1_200
    content = log_of(cases)
    mapping = write_mapping(tmp_path, {})
    (tmp_path / "log.csv").write_text(content)
    data = tmp_path / "data"
    command = [
        sys.executable,
        "-m",
        "services.cli",
        "--data",
        str(data),
        "import",
        "history",
        str(tmp_path / "log.csv"),
    ]

    def so_far():
        try:
            with sqlite3.connect(f"file:{data}/dispatcher/journal.db?mode=ro", uri=True) as db:
                return db.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    with started([*command, "--mapping", str(mapping), "--tenant", TENANT]) as importing:
        assert until(lambda: so_far() > cases + 300, 30)
        importing.kill()
    interrupted = so_far()
    assert cases < interrupted < 4 * cases, "it was killed midway"

    async def story():
        done = await imported(Settings(data=data), tmp_path, content)
        assert (done.rows, done.recorded + done.repeated) == (3 * cases, 3 * cases)
        assert done.repeated > 0
        again = await imported(Settings(data=data), tmp_path, content)
        assert (again.recorded, again.repeated) == (0, 3 * cases)
        counts = Counter(envelope.type for _, envelope in await recorded(Settings(data=data), "dispatcher"))
        assert counts == dict.fromkeys(["OrderOpened", "OrderQueued", "OrderTaken", "OrderFinished"], cases)
        figures = (await offline.report(Settings(data=data), "incident-kpis", TENANT, {}))["figures"]
        assert {f["name"]: f["value"] for f in figures}["cases"] == cases

    asyncio.run(story())


def test_an_import_through_a_running_system_records_the_same_events(tmp_path):
    content = log_of(150)
    alone, running = Settings(data=tmp_path / "alone"), Settings(data=tmp_path / "running", port=0)

    async def story():
        first = await imported(alone, tmp_path, content)
        async with all_in_one(running) as (host, app), listening(running, app) as address:
            assert await host.led()
            second = await imported(replace(running, url=address), tmp_path, content)
            again = await imported(replace(running, url=address), tmp_path, content)
        assert first == second
        assert (again.recorded, again.repeated) == (0, 450)
        assert await lines(alone) == await lines(running)
        assert len(await lines(alone)) == 600

    asyncio.run(story())


def test_a_row_over_http_is_about_the_order_that_it_names(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            said = {"order_id": "o-2", "request_id": "r-1"}
            one = {"key": "c/0", "happened_at": "2012-05-01T08:00:00Z", "order_id": "o-1", "request_id": "r-1"}
            one |= {"events": [{"type": "OrderOpened", "data": said}]}
            headers = {"Authorization": f"Bearer {it.people._token('operator', '')}"}
            body = {"source": "desk", "rows": [one]}
            answer = await it.client.post("/v1/orders/history", json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (422, "history.wrong-event")

    asyncio.run(story())


# The page of the API.


def test_the_page_of_the_api_needs_nothing_from_elsewhere(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            answer = await it.client.get("/docs")
            document = (await it.client.get("/openapi.json")).json()
        policy = answer.headers["content-security-policy"]
        assert (answer.status_code, "unsafe" in policy, "http" in policy) == (200, False, False)
        assert "<script" not in answer.text
        assert "https://" not in answer.text
        for path, methods in document["paths"].items():
            assert path in answer.text
            for said in methods.values():
                assert ", ".join(said["x-roles"]) in answer.text

    asyncio.run(story())


# The port.


def test_the_body_of_an_answer_does_not_wait_until_its_head_was_confirmed(tmp_path):
    """They are sent apart, and a caller confirms the first of them 40 ms later."""

    async def story():
        took = []
        async with listening(Settings(data=tmp_path, port=0), FastAPI()) as url, httpx.AsyncClient() as client:
            for _ in range(40):  # the first twenty are confirmed at once
                begun = time.perf_counter()
                assert (await client.get(url)).json()
                took.append(time.perf_counter() - begun)
        return min(took[20:])

    assert asyncio.run(story()) < 0.03

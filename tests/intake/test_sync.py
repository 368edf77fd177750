"""What a CRM knows of customers is taken over, in whatever order and however often it comes."""

import asyncio
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import permutations
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from contracts.intake import CustomerRegistered, CustomerUpdated
from intake.adapters.geocoder import locate_all
from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import CUSTOMER, founded, request, submit

SENT = {name: value for name, value in CUSTOMER.items() if name != "customer_id"}


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


def as_of(version, customer_id="crm-1", **changes):
    return {"customer_id": customer_id, "source_version": version, **SENT, "name": f"v{version}", **changes}


async def sync(it, *customers, devices=(), source="crm", language="en"):
    body, headers = {"source": source, "customers": customers, "devices": devices}, {"Accept-Language": language}
    answer = await it.call("o", "operator", "POST", "/v1/customers/sync", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def known(it, customer_id="crm-1"):
    return (await it.call("a", "agent", "GET", f"/v1/customers/{customer_id}")).json()


def test_the_newest_version_stays_in_whatever_order_they_come(tmp_path):
    async def story(it):
        for nth, order in enumerate(permutations((1, 2, 3))):
            customer_id = f"crm-{nth}"
            told = await sync(it, *[as_of(version, customer_id) for version in order])
            newest = 0
            for version, one in zip(order, told, strict=True):
                assert one["outcome"] == ("recorded" if version > newest else "stale"), (order, told)
                newest = max(newest, version)
            known_now = await known(it, customer_id)
            assert (known_now["name"], known_now["source_version"]) == ("v3", 3)

    run(tmp_path, story)


def test_what_is_sent_again_changes_nothing(tmp_path):
    async def story(it):
        await sync(it, as_of(4), as_of(7, "crm-2"))
        before = await it.own_events()
        assert [one["outcome"] for one in await sync(it, as_of(4), as_of(7, "crm-2"))] == ["unchanged"] * 2
        assert await it.own_events() == before

    run(tmp_path, story)


def test_one_version_that_says_two_things_is_refused(tmp_path):
    async def story(it):
        await sync(it, as_of(4))
        [other] = await sync(it, as_of(4, name="else"))
        assert (other["outcome"], other["problem"]["code"]) == ("refused", "idempotency-key.reused")
        assert (await known(it))["name"] == "v4"

    run(tmp_path, story)


def test_what_is_refused_says_why_and_the_others_are_taken(tmp_path):
    async def story(it):
        bad, good = await sync(it, as_of(1, phone="13800"), as_of(1, "crm-2"), language="zh")
        assert (bad["outcome"], bad["problem"]["code"]) == ("refused", "customer.phone-wrong")
        assert bad["problem"]["title"] == "电话号码无效"
        assert good["outcome"] == "recorded"
        [stale] = await sync(it, as_of(5), source="crm") and await sync(it, as_of(3))
        assert stale["problem"]["code"] == "customer.stale"

    run(tmp_path, story)


def test_each_system_counts_for_itself_and_a_customer_of_ours_can_be_taken_over(tmp_path):
    async def story(it):
        await sync(it, as_of(9, "c-1"))
        [told] = await sync(it, as_of(1, "c-1"), source="shop")
        assert told["outcome"] == "recorded"
        events = [one for one in await it.own_events() if isinstance(one, CustomerRegistered | CustomerUpdated)]
        assert [(type(one).__name__, one.source, one.source_version) for one in events] == [
            ("CustomerRegistered", "", 0),
            ("CustomerUpdated", "crm", 9),
            ("CustomerUpdated", "shop", 1),
        ]

    run(tmp_path, story)


def test_a_device_follows_its_customer_and_an_older_version_of_it_stays_out(tmp_path):
    async def story(it):
        def washer(version, **changes):
            facts = {"device_id": "w-1", "customer_id": "crm-1", "model": "XQG", "serial": "W1", "skill": "laundry"}
            return {**facts, "source_version": version, **changes}

        told = await sync(it, as_of(1), devices=[washer(2), washer(1, model="old"), washer(2)])
        outcomes = [(one["kind"], one["id"], one["outcome"]) for one in told]
        assert outcomes == [
            ("customer", "crm-1", "recorded"),
            ("device", "w-1", "recorded"),
            ("device", "w-1", "stale"),
            ("device", "w-1", "unchanged"),
        ]
        assert told[2]["problem"]["code"] == "device.stale"
        assert (await it.call("a", "agent", "GET", "/v1/devices/w-1")).json()["model"] == "XQG"
        [nobodys] = await sync(it, devices=[washer(1, device_id="w-2", serial="W2", customer_id="nobody")])
        assert (nobodys["outcome"], nobodys["problem"]["code"]) == ("refused", "customer.unknown")

    run(tmp_path, story)


def test_what_is_left_out_stays_and_what_is_empty_is_cleared(tmp_path):
    async def story(it):
        plain = {"model": "XQG", "serial": "W1", "skill": "laundry"}

        def washer(version, **said):
            return {**plain, "customer_id": "crm-1", "device_id": "w-1", "source_version": version, **said}

        async def seen():
            return (await it.call("a", "agent", "GET", "/v1/devices/w-1")).json()

        def spoken(version, **said):
            whole = as_of(version, **said)
            return {
                name: value
                for name, value in whole.items()
                if name in {"customer_id", "source_version", "name", "phone", "region", "lat_udeg", "lon_udeg", *said}
            }

        said = {"street": "建国路 1 号", "email": "li@example.com", "language": "en"}
        days = {"purchased_on": "2026-01-02", "in_service_on": "2026-02-03", "device_supplier": "ACME"}
        await sync(it, spoken(1, **said), devices=[washer(1, **days)])
        told = await sync(it, spoken(2, email=""), spoken(3), devices=[washer(2), washer(3, model="XQH")])
        assert [one["outcome"] for one in told] == ["recorded"] * 4
        now = await known(it)
        assert {name: now[name] for name in said} == said | {"email": ""}
        assert {name: (await seen())[name] for name in days} == days
        assert [one["outcome"] for one in await sync(it, spoken(2, email=""))] == ["unchanged"], "as it was sent"
        [crossed] = await sync(it, devices=[washer(4, in_service_on="2026-01-01")])
        assert crossed["problem"]["code"] == "device.dates-crossed"
        await sync(it, devices=[washer(5, in_service_on=None, device_supplier="")])
        assert {name: (await seen())[name] for name in days} == days | {"in_service_on": None, "device_supplier": ""}

    run(tmp_path, story)


def test_a_device_that_goes_to_another_customer_leaves_the_site_behind(tmp_path):
    async def story(it):
        plain = {"device_id": "w-1", "model": "XQG", "serial": "W1", "skill": "laundry"}
        await sync(it, as_of(1), as_of(1, "crm-2"))
        site = {"site_id": "s-9", "name": "店", **STREET, "region": "北京市朝阳区", "address": "建国路 1 号"}
        made = await it.call("a", "agent", "POST", "/v1/customers/crm-1/sites", json=site)
        assert made.status_code == 201, made.text
        whose = {"customer_id": "crm-1", "site_id": "s-9"}
        await sync(it, devices=[{**plain, **whose, "source_version": 1}])
        [moved] = await sync(it, devices=[{**plain, "customer_id": "crm-2", "source_version": 2}])
        assert moved["outcome"] == "recorded", moved
        assert (await it.call("a", "agent", "GET", "/v1/devices/w-1")).json()["site_id"] == ""

    run(tmp_path, story)


# The map.

STREET = {"region": "北京市朝阳区", "lat_udeg": None, "lon_udeg": None}


@contextmanager
def a_map(answers):
    """A map on a free port that answers so many addresses, and keeps what it was asked."""
    asked = []

    class Search(BaseHTTPRequestHandler):
        def do_GET(self):
            address = parse_qs(urlsplit(self.path).query)["q"][0]
            asked.append(address)
            found = [{"lat": "39.908123", "lon": "116.461987"}] if address in answers else []
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Search) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/search", asked
        finally:
            server.shutdown()


def test_a_synced_customer_lies_where_the_map_has_her_and_is_asked_for_once(tmp_path):
    async def story(it):
        with a_map({"北京市朝阳区建国路 1 号"}) as (url, asked):
            it.running.outside = {"geocoder": url}
            sent = as_of(1, street="建国路 1 号", **STREET), as_of(1, "crm-2", street="无名路 9 号", **STREET)
            assert [one["outcome"] for one in await sync(it, *sent)] == ["recorded"] * 2
            found, not_found = await known(it), await known(it, "crm-2")
            assert (found["placed_by"], found["lat_udeg"], found["lon_udeg"]) == ("map", 39_908_000, 116_462_000)
            assert not_found["placed_by"] == "district"
            assert sorted(asked) == ["北京市朝阳区建国路 1 号", "北京市朝阳区无名路 9 号"]
            assert [one["outcome"] for one in await sync(it, *sent)] == ["unchanged"] * 2
            await sync(it, as_of(2, **{**STREET, "lat_udeg": 39_910_000, "lon_udeg": 116_450_000}))
            assert len(asked) == 2, "what is known, and who is given in coordinates, needs no map"
            assert (await known(it))["placed_by"] == "given"

    run(tmp_path, story)


def test_a_map_that_does_not_answer_holds_a_whole_register_up_no_longer_than_it_may():
    class Deaf:
        async def locate(self, address):
            if address == "here":
                return [(1, 2)]
            await asyncio.Event().wait()

    async def ask():
        known = await locate_all(Deaf(), ["here", *[f"street {number}" for number in range(500)]], within_s=0.05)
        return await known.locate("here"), await known.locate("street 1")

    assert asyncio.run(asyncio.wait_for(ask(), 5)) == ([(1, 2)], ())


# What was written before anybody knew whose it is.


def test_once_it_is_known_who_asks_what_was_written_before_is_forgotten_with_her(tmp_path):
    async def story(it):
        made = await submit(it, "a", "agent", device_id="", description="李女士家漏水")
        assert it.running.keys.joined == {}
        path = f"/v1/requests/{made['id']}/supplement"
        await it.call("a", "agent", "POST", path, json={"customer_id": "c-1", "device_id": "d-1"})
        assert (await request(it, made["id"]))["state"] == "received"
        assert it.running.keys.joined == {made["id"]: "c-1"}
        [row] = await it.rows(service.views[0])
        assert row["description"].startswith(f"sealed:{made['id']}:")

    run(tmp_path, story)

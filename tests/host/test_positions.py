"""Reading one's own writes at another service: what followed from a command is there when its position is shown."""

import asyncio
import time

from services.chassis.http.call import POSITION, STALE
from services.demo.people import found
from tests.host.conftest import FIRM, installation, with_engineers


def told(story):
    return asyncio.run(asyncio.wait_for(story, 90))


def test_a_read_of_another_service_waits_until_it_has_acted_on_what_the_command_recorded(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            await found(it.people, with_engineers(2), "")
            assert await it.host.idle()
            seen = []
            for number in range(8):
                body = {"request_type": "repair", "device_id": FIRM.devices[0]["device_id"], "description": "不制冷"}
                headers = {"Authorization": f"Bearer {it.people._token('customer', FIRM.customers[0]['customer_id'])}"}
                headers["Idempotency-Key"] = f"p{number}"
                asked = await it.client.post("/v1/requests", json=body, headers=headers)
                assert asked.status_code == 201, asked.text
                told_at = asked.headers[POSITION]
                assert told_at.startswith("intake;")
                reader = {"Authorization": f"Bearer {it.people._token('dispatcher', '')}", POSITION: told_at}
                page = await it.client.get("/v1/orders?limit=200", headers=reader)
                ids = {one["request_id"] for one in page.json()["items"]}
                seen.append(asked.json()["id"] in ids and STALE not in page.headers)
            return seen

    assert told(story()) == [True] * 8


def test_what_never_comes_is_waited_for_half_a_second_and_said(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            reader = {"Authorization": f"Bearer {it.people._token('dispatcher', '')}"}
            begun = time.monotonic()
            page = await it.client.get("/v1/orders", headers=reader | {POSITION: "intake;999999"})
            took = time.monotonic() - begun
            strange = await it.client.get("/v1/orders", headers=reader | {POSITION: "reporting;999999, nobody;5"})
            return page, took, strange

    page, took, strange = told(story())
    assert (page.status_code, page.headers.get(STALE)) == (200, "true")
    assert took >= 0.5
    assert STALE not in strange.headers, "the dispatcher hears nothing of these"

"""The other places of a customer's, through the routes."""

import asyncio

from intake.projections.registers import SITES
from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import founded, request, submit

SHOP = {"site_id": "s-1", "name": "中关村店", "address": "中关村 1 号", "region": "海淀区"}
SHOP |= {"lat_udeg": 39_959_000, "lon_udeg": 116_298_000}


def test_a_chain_asks_for_service_at_one_of_its_shops(tmp_path):
    async def story(it):
        await founded(it)
        made = await it.call("a", "agent", "POST", "/v1/customers/c-1/sites", json=SHOP)
        assert made.status_code == 201, made.text
        [shown] = (await it.call("c-1", "customer", "GET", "/v1/customers/c-1/sites")).json()["items"]
        assert {name: shown[name] for name in SHOP} == SHOP
        [row] = await it.rows(SITES)
        assert row["name"].startswith("sealed:c-1:") and row["address"].startswith("sealed:c-1:")
        asked = await submit(it, site_id="s-1")
        told = await request(it, asked["id"])
        assert (told["state"], told["site_id"]) == ("received", "s-1")
        assert (await it.call("c-2", "customer", "GET", "/v1/customers/c-1/sites")).status_code == 404
        absent = await it.call("a", "agent", "POST", "/v1/customers/none/sites", json=SHOP)
        assert absent.status_code == 404

    async def on_stage():
        async with live(service, tmp_path) as it:
            await story(it)

    asyncio.run(on_stage())

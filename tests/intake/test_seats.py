"""Where districts lie without a map, and customers, sites and requests in them."""

import asyncio
import csv
import importlib.util
from pathlib import Path

import pytest

from contracts.intake import RequestIncomplete, RequestReceived
from intake.domain.address import NAMES
from intake.domain.seats import FILE, seat
from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import founded, request, submit
from tests.intake.make_seats import apart_km, seats

NEW = {"customer_id": "c-7", "name": "王", "phone": "13800000007"}


def test_the_table_is_what_its_maker_makes_of_its_source():
    [folder] = importlib.util.find_spec("china_region").submodule_search_locations
    with (Path(folder) / "region.csv").open(encoding="utf-8") as file:
        made = [f"{code},{lat},{lon}" for code, (lat, lon) in seats(csv.DictReader(file))]
    assert FILE.read_text(encoding="utf-8").split()[1:] == made


def test_nearly_every_district_or_its_city_has_a_seat():
    districts = [code for code in NAMES if not code.endswith("00")]
    assert sum(seat(code) is not None for code in districts) > 0.93 * len(districts)
    assert sum(bool(seat(code) or seat(code[:4] + "00")) for code in districts) > 0.99 * len(districts)


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("510104", (30_657_000, 104_083_000)),  # 锦江区, Chengdu
        ("220104", (43_833_000, 125_288_000)),  # 朝阳区, Changchun
        ("110105", (39_921_000, 116_443_000)),  # 朝阳区, Beijing
        ("320302", (34_288_000, 117_185_000)),  # 鼓楼区, Xuzhou, and not that of Nanjing
        ("540102", (29_655_000, 91_140_000)),  # 城关区, Lhasa
    ],
)
def test_seats_are_where_an_atlas_has_them(code, place):
    assert apart_km(seat(code), place) < 3


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


async def register(it, language="zh", **said):
    return await it.call("a", "agent", "POST", "/v1/customers", json=NEW | said, headers={"Accept-Language": language})


async def customer(it):
    return (await it.call("a", "agent", "GET", "/v1/customers/c-7")).json()


def test_a_customer_lies_in_the_district_of_the_address_where_nobody_gives_coordinates(tmp_path):
    async def story(it):
        assert (await register(it, street="四川省成都市锦江区春熙路1号")).status_code == 201
        told = await customer(it)
        assert (told["region"], told["placed_by"]) == ("四川省成都市锦江区", "district")
        assert (told["lat_udeg"], told["lon_udeg"]) == (30_667_000, 104_083_000)
        assert (await register(it, region="成都市锦江区", street="春熙路1号")).status_code == 201
        assert (await customer(it))["region"] == "成都市锦江区"

    run(tmp_path, story)


def test_what_may_lie_in_two_cities_is_asked_and_not_guessed(tmp_path):
    async def story(it):
        refused = (await register(it, street="朝阳区建国路1号")).json()
        assert (refused["code"], refused["errors"][0]["field"]) == ("address.ambiguous", "region")
        assert "北京市朝阳区" in refused["detail"] and "吉林省长春市朝阳区" in refused["detail"]
        assert (await register(it, street="建国路1号")).json()["code"] == "address.unknown"
        other = await register(it, region="北京市朝阳区", street="长春市朝阳区人民大街")
        assert other.json()["code"] == "address.ambiguous"
        assert (await it.call("a", "agent", "GET", "/v1/customers/c-7")).status_code == 404
        assert (await register(it, region="吉林省", street="朝阳区人民大街1号")).status_code == 201
        assert (await customer(it))["lat_udeg"] == 43_833_000

    run(tmp_path, story)


def test_coordinates_are_kept_in_wgs84_whatever_they_are_given_in(tmp_path):
    async def story(it):
        said = {"region": "北京市东城区", "lat_udeg": 39_913_345, "lon_udeg": 116_384_047}
        for datum, lon in (("WGS-84", 116_384_000), ("GCJ-02", 116_378_000), ("BD-09", 116_371_000)):
            assert (await register(it, datum=datum, **said)).status_code == 201
            told = await customer(it)
            assert (told["lon_udeg"], told["placed_by"]) == (lon, "given"), datum
        unknown = await register(it, datum="Beijing 54", **said)
        assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "datum")
        alone = await register(it, region="北京市东城区", lat_udeg=39_913_345)
        assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "lon_udeg")

    run(tmp_path, story)


def test_coordinates_that_lie_nowhere_near_the_district_are_refused(tmp_path):
    async def story(it):
        refused = (await register(it, "en", region="成都市锦江区", lat_udeg=39_900_000, lon_udeg=116_400_000)).json()
        assert (refused["code"], refused["errors"][0]["field"]) == ("address.far-off", "lat_udeg")

    run(tmp_path, story)


def test_an_exact_place_is_not_given_up_for_the_middle_of_its_district(tmp_path):
    async def story(it):
        exact = {"lat_udeg": 30_655_000, "lon_udeg": 104_081_000}
        assert (await register(it, region="成都市锦江区", **exact)).status_code == 201
        assert (await register(it, region="四川省成都市锦江区")).status_code == 201
        told = await customer(it)
        assert ({name: told[name] for name in exact}, told["placed_by"]) == (exact, "given")
        assert (await register(it, region="成都市武侯区")).status_code == 201
        assert (await customer(it))["placed_by"] == "district"

    run(tmp_path, story)


def test_a_request_lies_where_a_phone_says_it_is(tmp_path):
    async def story(it):
        asked = await submit(it, here={"lat_udeg": 39_913_345, "lon_udeg": 116_384_047, "datum": "GCJ-02"})
        told = await request(it, asked["id"])
        assert (told["state"], told["lat_udeg"], told["lon_udeg"], told["placed_by"]) == (
            "received",
            39_912_000,
            116_378_000,
            "given",
        )

    run(tmp_path, story)


def test_what_was_said_of_the_place_outlives_a_supplement(tmp_path):
    async def story(it):
        asked = await submit(it, description="?", device_id="", here={"lat_udeg": 39_912_000, "lon_udeg": 116_378_000})
        assert asked["events"][-1] == RequestIncomplete.__name__
        more = {"device_id": "d-1", "description": "空调不制冷，漏水"}
        done = await it.call("a", "agent", "POST", f"/v1/requests/{asked['id']}/supplement", json=more)
        assert done.json()["events"][-1] == RequestReceived.__name__, done.text
        told = await request(it, asked["id"])
        assert (told["lat_udeg"], told["lon_udeg"], told["placed_by"]) == (39_912_000, 116_378_000, "given")

    run(tmp_path, story)

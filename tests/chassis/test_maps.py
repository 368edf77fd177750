"""
How long ways take by a map: three servers behind one port, asked by HTTP as their documentation has it.

The servers here answer in the shapes that their documentation shows: OSRM's table service, Valhalla's time-distance
matrix, AMap's distance measurement.
"""

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from services.chassis import maps
from services.chassis.datum import gcj02
from services.chassis.maps import Amap, Map, Osrm, Valhalla, answers, map_of, server_of
from services.doctor import examine_all
from services.settings import BadSetting, Settings

HERE, NEAR, FAR = (39_908_700, 116_397_500), (39_918_700, 116_397_500), (39_999_000, 116_326_000)


@contextmanager
def serving(answer):
    """A server whose `answer(method, path, query, body)` gives status and JSON; and what it was asked."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def _do(self):
            asked = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((self.command, unquote(asked.path), {k: v[0] for k, v in parse_qs(asked.query).items()}, body))
            status, told = answer(*seen[-1])
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(told if isinstance(told, bytes) else json.dumps(told).encode())

        do_GET = do_POST = _do

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def osrm(method, path, query, body):
    coordinates = path.removeprefix("/table/v1/driving/").split(";")
    assert (method, query) == ("GET", {"annotations": "duration,distance"})
    numbers = range(len(coordinates))
    named = [
        {"hint": "", "distance": 4.1, "name": "", "location": [float(x) for x in one.split(",")]} for one in coordinates
    ]
    durations = [[None if 2 in (i, j) and i != j else 60.4 * abs(i - j) + i for j in numbers] for i in numbers]
    distances = [[500.2 * abs(i - j) for j in numbers] for i in numbers]
    told = {"code": "Ok", "sources": named, "destinations": named, "durations": durations, "distances": distances}
    return 200, told


def valhalla(method, path, query, body):
    asked = json.loads(body)
    assert (method, path, asked["costing"]) == ("POST", "/sources_to_targets", "auto")
    assert asked["sources"][0] == {"lat": 39.9087, "lon": 116.3975}

    def cell(i, j):
        return {"distance": 0.5 * abs(i - j), "time": 60 * abs(i - j), "from_index": i, "to_index": j}

    numbers = range(len(asked["targets"]))
    return 200, {"sources_to_targets": [[cell(i, j) for j in numbers] for i in numbers], "units": "kilometers"}


def amap(method, path, query, body):
    assert (method, path, query["type"], query["key"]) == ("GET", "/v3/distance", "1", "k")
    origins = query["origins"].split("|")
    results = [
        {"origin_id": f"{n + 1}", "dest_id": "1", "distance": f"{1_000 + n}", "duration": f"{300 + n}"}
        for n in range(len(origins))
    ]
    results[1:] = [
        {"origin_id": "2", "dest_id": "1", "distance": "0", "duration": "0", "info": "NO_ROUTE", "code": "2"}
    ]
    return 200, {"status": "1", "info": "OK", "infocode": "10000", "count": "2", "results": results}


def ways(server, others=(NEAR, FAR)):
    return asyncio.run(server.ways(HERE, others))


def test_osrm_is_asked_for_a_table_in_longitude_and_latitude():
    with serving(osrm) as (url, seen):
        found = ways(Osrm(url))
    assert found == {(HERE, NEAR): (500, 60), (NEAR, HERE): (500, 61)}  # it has no way to the third
    assert [path for _, path, _, _ in seen] == [
        "/table/v1/driving/116.397500,39.908700;116.397500,39.918700;116.326000,39.999000"
    ]


def test_valhalla_is_asked_for_a_matrix_and_tells_kilometres():
    with serving(valhalla) as (url, _):
        found = ways(Valhalla(url))
    assert (found[HERE, FAR], found[FAR, NEAR], len(found)) == ((1_000, 120), (500, 60), 6)


def test_amap_is_asked_in_gcj_02_and_has_no_way_where_it_says_so():
    with serving(amap) as (url, seen):
        found = ways(Amap(url, "k"))
    assert found == {(NEAR, HERE): (1_000, 300), (HERE, NEAR): (1_000, 300)}
    lat, lon = gcj02(39.9087, 116.3975)
    assert seen[0][2]["destination"] == f"{lon:.6f},{lat:.6f}" != "116.397500,39.908700"


# As it is asked.


def asked_often(answer, times, *, others=(NEAR,), clock=lambda: 0.0):
    """What is known after asking so often, and how often the server was asked for it."""
    with serving(answer) as (url, seen):
        map_ = Map("osrm", Osrm(url), clock)
        needed = [(HERE, NEAR), (NEAR, HERE)]
        found = [asyncio.run(map_.ways(HERE, others, needed)) for _ in range(times)]
    return found, len(seen)


def test_what_was_asked_is_kept_for_a_quarter_of_an_hour():
    found, count = asked_often(osrm, 3)
    assert (found[0] == found[2] != {}, count) == (True, 1)
    now = iter([0.0, 899.0, 901.0])
    assert asked_often(osrm, 3, clock=lambda: next(now))[1] == 2


def test_one_request_asks_for_fifty_places_at_the_most():
    others = [(39_000_000 + n, 116_000_000) for n in range(80)]
    with serving(osrm) as (url, seen):
        asyncio.run(Map("osrm", Osrm(url)).ways(HERE, others, [(HERE, others[0])]))
    assert [path.count(";") for _, path, _, _ in seen] == [49]


BAD = {
    "says no": lambda *_: (400, {"code": "InvalidOptions", "message": "too big"}),
    "is broken": lambda *_: (502, {}),
    "speaks otherwise": lambda *_: (200, b"<html>"),
    "has another shape": lambda *_: (200, {"code": "Ok", "durations": [[0]]}),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
def test_a_server_that_fails_is_left_in_peace_for_a_minute(answer):
    now = iter([0.0, 59.0, 61.0])
    found, count = asked_often(answer, 3, clock=lambda: next(now))
    assert (found, count) == ([{}, {}, {}], 2)


def test_who_is_slow_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(maps, "WAIT_S", 0.2)
    free = threading.Event()

    def slow(*_):
        free.wait(20)
        return 200, {}

    with serving(slow) as (url, _):
        before = time.monotonic()
        found = asyncio.run(Map("osrm", Osrm(url)).ways(HERE, [NEAR], [(HERE, NEAR)]))
        took = time.monotonic() - before
        free.set()
    assert (found, took < 10) == ({}, True)


# As it is set.


def test_without_a_setting_there_is_no_map_and_with_one_always_the_same():
    assert map_of({}) is map_of({"map": ""}) is None
    outside = {"map": "osrm:http://127.0.0.1:9"}
    assert map_of(outside) is map_of(dict(outside)) is not None


@pytest.mark.parametrize("wrong", ["http://127.0.0.1:5000", "osrm:127.0.0.1", "here:http://x", "amap:https://x"])
def test_a_setting_that_names_no_server_is_refused_with_what_would_do(wrong):
    with pytest.raises(BadSetting, match="FIELDLOOP_MAP"):
        Settings.from_env(env={"FIELDLOOP_MAP": wrong})
    assert server_of("amap:https://x/", "k")[0] == "amap"


def test_the_doctor_says_when_it_does_not_answer_and_why(tmp_path):
    def look(map_, key=""):
        settings = Settings(data=tmp_path, map=map_, map_key=key)
        return {check.what: check for check in asyncio.run(examine_all(lambda: settings))}["map"]

    with serving(osrm) as (url, _):
        assert look(f"osrm:{url}").well
    gone = look(f"osrm:{url}")
    assert (gone.well, "osrm does not" in gone.finding) == (False, True)
    with serving(lambda *_: (200, {"status": "0", "info": "INVALID_USER_KEY", "infocode": "10001"})) as (url, _):
        assert "INVALID_USER_KEY" in look(f"amap:{url}", "k").finding
    with serving(BAD["says no"]) as (url, _):
        # No road of Beijing in its map is an answer.
        assert asyncio.run(answers(f"osrm:{url}", "")) == ""

"""
How long ways take by a map with roads: a port, and three servers behind it that an operator may have set.

    osrm:http://127.0.0.1:5000          OSRM, its table service
    valhalla:http://127.0.0.1:8002      Valhalla, its time-distance matrix
    amap:https://restapi.amap.com       AMap (高德), its distance measurement, with a key; it takes GCJ-02

A place is latitude and longitude in millionths of a degree, WGS-84.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, Protocol

import httpx
import structlog

from services.chassis.datum import UDEG, gcj02

Spot = tuple[int, int]
Ways = dict[tuple[Spot, Spot], tuple[int, int]]
"""From one place to another: metres and seconds. What the map has no way for is not in it."""

WAIT_S: Final = 2.0
PAUSE_S: Final = 60.0
"""A server that did not answer is not asked for so long."""
KEPT_S: Final = 900.0
"""An answer is good for so long, as traffic changes."""
KEPT: Final = 50_000
"""So many ways are kept."""
MOST: Final = 50
"""Places in one request: Valhalla takes 2,500 pairs, OSRM 100 places, AMap 100 origins, unless it is told otherwise."""

KINDS: Final = ("osrm", "valhalla", "amap")

log = structlog.get_logger()


class Refused(Exception):
    """The server answers, and says no; the text is its own."""


class Server(Protocol):
    async def ways(self, here: Spot, others: Sequence[Spot]) -> Ways:
        """
        The ways between a place and others, in one request: those among the others too, where the server can.

        Raises Refused, httpx.HTTPError, or what an answer of another shape raises: ValueError, LookupError, TypeError.
        """


class Osrm:
    """`GET /table/v1/driving/{lon},{lat};…?annotations=duration,distance` (project-osrm.org/docs)."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def ways(self, here: Spot, others: Sequence[Spot]) -> Ways:
        spots = [here, *others]
        named = ";".join(f"{lon / UDEG:.6f},{lat / UDEG:.6f}" for lat, lon in spots)
        answer = await _asked(
            "GET", f"{self._url}/table/v1/driving/{named}", params={"annotations": "duration,distance"}
        )
        if answer["code"] != "Ok":
            raise Refused(f"{answer['code']}: {answer.get('message', '')}")
        return _matrix(spots, lambda i, j: (answer["distances"][i][j], answer["durations"][i][j]))


class Valhalla:
    """`POST /sources_to_targets` (valhalla.github.io); distances are kilometres."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def ways(self, here: Spot, others: Sequence[Spot]) -> Ways:
        spots = [here, *others]
        named = [{"lat": lat / UDEG, "lon": lon / UDEG} for lat, lon in spots]
        body = {"sources": named, "targets": named, "costing": "auto", "units": "kilometers"}
        answer = await _asked("POST", f"{self._url}/sources_to_targets", json=body)
        if "sources_to_targets" not in answer:
            raise Refused(f"{answer['error_code']}: {answer.get('error', '')}")
        table = answer["sources_to_targets"]

        def cell(i: int, j: int) -> tuple[float | None, float | None]:
            one = table[i][j]
            return None if one["distance"] is None else one["distance"] * 1_000, one["time"]

        return _matrix(spots, cell)


class Amap:
    """
    `GET /v3/distance?type=1`: by car with the traffic of the moment, from up to 100 origins to one destination
    (lbs.amap.com). So the way back is taken to be the way there, and nothing is known among the others.
    """

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    async def ways(self, here: Spot, others: Sequence[Spot]) -> Ways:
        asked = {"key": self._key, "type": "1", "output": "JSON", "destination": _shown(here)}
        asked["origins"] = "|".join(map(_shown, others))
        answer = await _asked("GET", f"{self._url}/v3/distance", params=asked)
        if answer["status"] != "1":
            raise Refused(f"{answer.get('infocode', '')}: {answer.get('info', '')}")
        found: Ways = {}
        for one in answer["results"]:
            other = others[int(one["origin_id"]) - 1]
            if "code" not in one:  # it says why there is no way
                found[other, here] = found[here, other] = int(one["distance"]), int(one["duration"])
        return found


def _shown(spot: Spot) -> str:
    lat, lon = gcj02(spot[0] / UDEG, spot[1] / UDEG)
    return f"{lon:.6f},{lat:.6f}"


@cache
def _trusted() -> ssl.SSLContext:
    """Reading the certificates takes longer than a map needs for its answer."""
    return httpx.create_ssl_context()


async def _asked(method: str, url: str, **how: Any) -> Any:
    async with httpx.AsyncClient(timeout=WAIT_S, verify=_trusted()) as client:
        answer = await client.request(method, url, **how)
    if answer.status_code >= 500:
        answer.raise_for_status()
    return answer.json()


def _matrix(spots: Sequence[Spot], cell: Callable[[int, int], tuple[float | None, float | None]]) -> Ways:
    found: Ways = {}
    for i, a in enumerate(spots):
        for j, b in enumerate(spots):
            metres, seconds = cell(i, j)
            if metres is not None and seconds is not None and a != b:
                found[a, b] = round(metres), round(seconds)
    return found


class Map:
    """A server as it is asked: what it said is kept for a while, and one that is away is left in peace."""

    def __init__(self, source: str, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self._server, self._clock = server, clock
        self._kept: dict[tuple[Spot, Spot], tuple[float, tuple[int, int] | None]] = {}
        self._away_until = float("-inf")

    async def ways(self, here: Spot, others: Collection[Spot], needed: Iterable[tuple[Spot, Spot]]) -> Ways:
        """
        Of the ways that are needed, what is known within two seconds; with the first `MOST` of the others, one request.
        Empty where the server is away or says no.
        """
        needed, now = list(dict.fromkeys(needed)), self._clock()
        if any(self._kept.get(one, (0.0,))[0] <= now for one in needed) and now >= self._away_until:
            spots = [one for one in dict.fromkeys(others) if one != here][: MOST - 1]
            if spots:
                await self._ask(here, spots, needed, now)
        found: Ways = {}
        for one in needed:
            until, way = self._kept.get(one, (0.0, None))
            if until > now and way:
                found[one] = way
        return found

    async def _ask(self, here: Spot, spots: Sequence[Spot], needed: Iterable[tuple[Spot, Spot]], now: float) -> None:
        try:
            found = await self._server.ways(here, spots)
        except (Refused, httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            # Where it was asked about is where customers live, and is not logged.
            log.warning("map_away", source=self.source, error=type(error).__name__)
            self._away_until = now + PAUSE_S
            return
        if len(self._kept) > KEPT:
            self._kept.clear()
        # What it has no way for is not asked again before its time either.
        self._kept |= {one: (now + KEPT_S, None) for one in needed}
        self._kept |= {one: (now + KEPT_S, way) for one, way in found.items()}


def server_of(address: str, key: str) -> tuple[str, Server]:
    """Which kind of server an address names, and it. Raises ValueError with what would do."""
    kind, _, url = address.partition(":")
    url = url.rstrip("/")
    if kind not in KINDS or not url.startswith(("http://", "https://")):
        raise ValueError(f"give {', '.join(KINDS)} and an address, as osrm:http://127.0.0.1:5000")
    if kind == "amap" and not key:
        raise ValueError("AMap wants a key: set FIELDLOOP_MAP_KEY")
    if kind == "osrm":
        return kind, Osrm(url)
    return (kind, Valhalla(url)) if kind == "valhalla" else (kind, Amap(url, key))


@lru_cache(maxsize=4)
def _map(address: str, key: str) -> Map:
    return Map(*server_of(address, key))


def map_of(outside: Mapping[str, str]) -> Map | None:
    """The one that the operator has set; of one process, everybody has the same, with what it knows."""
    address = outside.get("map", "")
    return _map(address, outside.get("map_key", "")) if address else None


_FROM, _TO = (39_908_700, 116_397_500), (39_999_000, 116_326_000)
"""Two places in Beijing."""


async def answers(address: str, key: str) -> str:
    """
    Empty where the server answers; else what is wrong. That it knows no roads in Beijing is an answer too.
    """
    kind, server = server_of(address, key)
    try:
        await server.ways(_FROM, [_TO])
    except Refused as no:
        return str(no) if kind == "amap" else ""
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        return f"{type(error).__name__} {error}".strip()
    return ""

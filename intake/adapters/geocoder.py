"""Where on the map an address lies: a port, and the search of a Nominatim (nominatim.org) behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import httpx
import structlog

UDEG: Final = 1_000_000
MOST: Final = 5
"""So many places are asked for: more than one, to see whether the address is ambiguous."""
WAIT_S: Final = 2.0
AT_ONCE: Final = 8
"""Addresses of a register that the map is asked for at a time."""
ALL_WITHIN_S: Final = 10.0
"""For all of them together."""

log = structlog.get_logger()


class Spot(NamedTuple):
    """A place, millionths of a degree, WGS-84."""

    lat_udeg: int
    lon_udeg: int


class Geocoder(Protocol):
    """Knows where addresses are."""

    async def locate(self, address: str) -> Sequence[Spot]:
        """All places that it may be, the likeliest first; none if it is not known, or if nobody answers in time."""


class NoGeocoder:
    """Nobody is asked: a request lies where its customer or site is registered."""

    async def locate(self, address: str) -> Sequence[Spot]:
        return ()


class Located:
    """What was asked before; nothing else is known."""

    def __init__(self, spots: Mapping[str, Sequence[Spot]]) -> None:
        self._spots = spots

    async def locate(self, address: str) -> Sequence[Spot]:
        return self._spots.get(address, ())


async def locate_all(map_: Geocoder, addresses: Iterable[str], within_s: float = ALL_WITHIN_S) -> Located:
    """Ask for many, some at a time. What is not answered by then is not known: a whole register is not waited for."""
    gate, found = asyncio.Semaphore(AT_ONCE), dict[str, Sequence[Spot]]()

    async def one(address: str) -> None:
        async with gate:
            found[address] = await map_.locate(address)

    asked = [asyncio.ensure_future(one(address)) for address in dict.fromkeys(addresses)]
    if asked:
        _, late = await asyncio.wait(asked, timeout=within_s)
        for task in late:
            task.cancel()
        if late:
            log.warning("geocoder_slow", unanswered=len(late))
    return Located(dict(found))


class Nominatim:
    """`GET <url>?format=jsonv2&q=<address>`, as Nominatim and those that speak like it answer."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url, self._transport = url, transport

    async def locate(self, address: str) -> Sequence[Spot]:
        asked = {"format": "jsonv2", "q": address, "limit": str(MOST)}
        try:
            async with httpx.AsyncClient(timeout=WAIT_S, transport=self._transport) as client:
                answer = (await client.get(self._url, params=asked)).raise_for_status().json()
            return [Spot(round(float(one["lat"]) * UDEG), round(float(one["lon"]) * UDEG)) for one in answer]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            # What it was asked is somebody's address, and is not logged.
            log.warning("geocoder_away", error=type(error).__name__)
            return ()


class AsSet:
    """The one that the operator has set, if any."""

    def __init__(self, outside: Callable[[], Mapping[str, str]]) -> None:
        """`outside` gives the addresses of what lies outside; it is asked when somebody asks the map."""
        self._outside = outside

    async def locate(self, address: str) -> Sequence[Spot]:
        url = self._outside().get("geocoder", "")
        return await (Nominatim(url) if url else NoGeocoder()).locate(address)

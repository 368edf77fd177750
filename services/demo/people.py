"""
The people of the demo: each signs in, or is given a token, and does over HTTP what such a person does.

Every answer is judged: one that is not as expected ends the demo with its problem.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Literal

import httpx

from services.chassis.auth import Principal, Tokens
from services.demo.company import FAULTS, Company
from services.demo.pictures import photo

TENANT = "demo"


class Unexpected(Exception):
    """The system answered what the demo did not expect."""

    def __init__(self, what: str, status: int = 0) -> None:
        super().__init__(what)
        self.status = status


class People:
    """Calls the API as one role or another."""

    within_s = 20.0
    """How long what others do is waited for."""
    asks_every_s = 0.02

    def __init__(self, client: httpx.AsyncClient, tokens: Tokens, tenant: str = TENANT) -> None:
        self._client, self._tokens, self._tenant = client, tokens, tenant
        self._headers: dict[tuple[str, str], tuple[float, str]] = {}

    def _token(self, role: str, person: str) -> str:
        until, token = self._headers.get((role, person), (0.0, ""))
        if time.monotonic() > until:
            user = f"{role}-{person}" if person else role
            token = self._tokens.issue(Principal(user, self._tenant, role, person, "web"))
            self._headers[role, person] = time.monotonic() + 600, token
        return token

    async def call(self, method: str, path: str, role: str, person: str = "", key: str = "", **options: Any) -> Any:
        """The answer's JSON. Raises Unexpected for anything but a 2xx."""
        headers = {"Authorization": f"Bearer {self._token(role, person)}", **options.pop("headers", {})}
        if key:
            headers["Idempotency-Key"] = key
        answer = await self.request(method, path, headers=headers, **options)
        if answer.is_error:
            raise Unexpected(f"{role} {method} {path}: {answer.status_code} {answer.text}", answer.status_code)
        return answer.json()

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call; a more patient one may repeat it, under the same idempotency key."""
        return await self._client.request(method, path, **options)

    async def until(self, path: str, role: str, done: Callable[[Any], bool], **options: Any) -> Any:
        """Ask until it is there and as wanted. Raises Unexpected when that does not come in time."""
        deadline = time.monotonic() + self.within_s
        while True:
            try:
                answer = await self.call("GET", path, role, **options)
                if done(answer):
                    return answer
            except Unexpected as unexpected:
                if unexpected.status != 404:
                    raise
                answer = unexpected
            if time.monotonic() > deadline:
                raise Unexpected(f"GET {path} still says {answer}")
            await asyncio.sleep(self.asks_every_s)


async def found(people: People, company: Company, run: str) -> None:
    """Register the company. Said again, nothing changes."""

    async def each(bodies: list[dict[str, Any]], path: str, role: str) -> None:
        gate = asyncio.Semaphore(32)

        async def one(number: int, body: dict[str, Any]) -> None:
            async with gate:
                await people.call("POST", path, role, json=body, key=f"{run}{path}{number}")

        await asyncio.gather(*[one(number, body) for number, body in enumerate(bodies)])

    for name, kind in company.request_types.items():
        await people.call("POST", f"/v1/request-types/{name}", "manager", json=kind, key=f"{run}type-{name}")
    await each(company.customers, "/v1/customers", "agent")
    await each(company.devices, "/v1/devices", "agent")
    await each(company.places, "/v1/places", "operator")
    await each(company.parts, "/v1/parts", "operator")
    await each(company.counts, "/v1/stock/count", "operator")
    await each(company.service_codes, "/v1/service-codes", "manager")
    await each(company.prices, "/v1/price-lists", "manager")
    await each(company.coverages, "/v1/coverages", "agent")
    await each(company.engineers, "/v1/engineers", "dispatcher")


Pace = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """No time passes between the steps of a story."""


class Story:
    """One request from the customer's word to her answer to the survey."""

    def __init__(self, people: People, company: Company, key: str, rng: Random, pace: Pace = at_once) -> None:
        """`key` begins the idempotency keys of this story; it must be used once. `pace` is waited for at each step."""
        self._people, self._key, self._rng, self._pace = people, key, rng, pace
        self._device = rng.choice(company.devices)
        self._customer: str = self._device["customer_id"]
        self.assigned_after_s = 0.0

    async def run(self) -> None:
        request_id = await self._submit()
        visit = await self._assigned(request_id)
        await self._repair(visit)
        await self._answer(request_id)
        await self._people.until(
            f"/v1/requests/{request_id}", "customer", lambda r: r["state"] == "closed", person=self._customer
        )

    async def _submit(self) -> str:
        body = {"request_type": "repair", "device_id": self._device["device_id"], "urgency": "normal"}
        forgets = self._rng.random() < 0.1
        if not forgets:
            body["description"] = self._rng.choice(FAULTS)
        answer = await self._people.call(
            "POST", "/v1/requests", "customer", self._customer, f"{self._key}submit", json=body
        )
        if forgets:
            said = {"description": self._rng.choice(FAULTS)}
            path = f"/v1/requests/{answer['id']}/supplement"
            await self._people.call("POST", path, "customer", self._customer, f"{self._key}supplement", json=said)
        return str(answer["id"])

    async def _assigned(self, request_id: str) -> Any:
        begun = time.monotonic()
        path = f"/v1/visits?request_id={request_id}&state=planned"
        visits = await self._people.until(path, "dispatcher", lambda page: page["items"])
        self.assigned_after_s = time.monotonic() - begun
        return visits["items"][0]

    async def _repair(self, visit: Any) -> None:
        base, engineer = f"/v1/visits/{visit['visit_id']}", visit["engineer_id"]

        async def step(name: str, **body: Any) -> None:
            await self._pace()
            await self._people.call("POST", f"{base}/{name}", "engineer", engineer, f"{self._key}{name}", json=body)

        async def photograph(moment: Literal["before", "after"]) -> None:
            path = f"{base}/photos?moment={moment}"
            headers = {"Content-Type": "image/jpeg"}
            taken = photo(self._device["model"], self._device["skill"], moment)
            await self._people.call(
                "POST", path, "engineer", engineer, f"{self._key}{moment}", content=taken, headers=headers
            )

        await step("depart")
        await step("arrive")
        await step("start")
        await photograph("before")
        reservation = await self._people.until(
            f"/v1/reservations/{visit['order_id']}", "engineer", lambda r: r["reserved"] or r["short"], person=engineer
        )
        if reservation["reserved"] and self._rng.random() < 0.8:
            line = reservation["reserved"][0]
            await step("parts", part_id=line["part_id"], place_id=line["place_id"], quantity=1, old_returned=1)
        await photograph("after")
        # The demo's minutes are seconds; the work is said to have taken as long as such work does.
        await step("finish", cause="wear", action="replaced", record="更换零件，试机正常", labour_s=2_700)
        signature = "M10 40 C 20 10, 40 10, 50 40 S 80 70, 90 40"
        await step("accept", rating=self._rng.choices((5, 4, 3, 2), (60, 25, 10, 5))[0], signature=signature)

    async def _answer(self, request_id: str) -> None:
        await self._pace()
        path = f"/v1/surveys?request_id={request_id}"
        page = await self._people.until(path, "customer", lambda page: page["items"], person=self._customer)
        said = {name: self._rng.choices((5, 4, 3, 1), (55, 30, 10, 5))[0] for name in RATED}
        said["recommends"] = self._rng.choices((10, 9, 8, 7, 5), (35, 25, 20, 12, 8))[0]
        survey = page["items"][0]["survey_id"]
        await self._people.call(
            "POST", f"/v1/surveys/{survey}/answer", "customer", self._customer, f"{self._key}answer", json=said
        )


RATED = ("attitude", "outcome", "punctuality")

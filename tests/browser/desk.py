"""The desk's users, for its tests: a page that somebody is signed in at, and what others do meanwhile over HTTP."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Page

from services.gateway.users import DEMO_PASSWORD
from tests.browser.conftest import DESK, Open, ViewportSize

BUTTONS = {"agent": "客服", "dispatcher": "调度员", "manager": "经理", "auditor": "审计", "operator": "运维"}

WITHIN_S = 20.0


def at_desk(opened: Open, role: str, path: str, *, language: str = "zh", size: ViewportSize = DESK) -> Page:
    """A page of the desk, of somebody who came in by the first screen of the demo."""
    page = opened("/", size=size)
    page.get_by_role("button", name=BUTTONS[role]).first.click()
    page.wait_for_url("**/desk**")
    if language != "zh":
        page.evaluate(f"localStorage['fieldloop.language'] = '{language}'")
    page.goto(f"/desk{path}")
    return page


class Others:
    """Calls the API of the demo as one role or another. Raises AssertionError for what is not a 2xx."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self._tokens: dict[str, str] = {}

    def token(self, role: str) -> str:
        """Of the demo's account of this role."""
        if role not in self._tokens:
            answer = self._client.post("/v1/sessions", json={"user": f"{role}@demo", "password": DEMO_PASSWORD})
            self._tokens[role] = answer.json()["token"]
        return self._tokens[role]

    def get(self, role: str, path: str) -> Any:
        answer = self._client.get(path, headers={"Authorization": f"Bearer {self.token(role)}"})
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json()

    def can_get(self, role: str, path: str) -> bool:
        return self._client.get(path, headers={"Authorization": f"Bearer {self.token(role)}"}).is_success

    def post(self, role: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token(role)}", "Idempotency-Key": str(uuid.uuid4())}
        answer = self._client.post(path, json=body, headers=headers)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json()

    def until(self, role: str, path: str, done: Callable[[Any], bool]) -> Any:
        """Ask until it is so."""
        deadline = time.monotonic() + WITHIN_S
        while not done(found := self.get(role, path)):
            assert time.monotonic() < deadline, f"{path} still says {found}"
        return found

    def rare_type(self) -> None:
        """A type of request that nobody of the company has the skill for."""
        kind = {"name": "Rare", "name_zh": "罕见设备", "skill": "helicopter", "needs_device": False}
        self.post("manager", "/v1/request-types/rare", **kind)

    def device(self, number: int = 0) -> Any:
        return self.get("agent", "/v1/devices?limit=200")["items"][number]

    def request(self, request_type: str = "repair", number: int = 0, **facts: Any) -> Any:
        """A new request of a customer who is known, as `GET /v1/requests/{id}` tells it."""
        device = self.device(number)
        body = {"request_type": request_type, "customer_id": device["customer_id"], "description": "开机有异响"}
        body |= {"device_id": device["device_id"]} if request_type == "repair" else {}
        made = self.post("agent", "/v1/requests", **body | facts)
        return self.until("agent", f"/v1/requests/{made['id']}", lambda one: one["number"])

    def order_of(self, request: Any, state: str) -> Any:
        """Its order, when it is in that state."""

        def mine(page: Any) -> Any:
            return next((one for one in page["items"] if one["request_id"] == request["request_id"]), None)

        path = f"/v1/orders?state={state}&limit=200"
        return mine(self.until("dispatcher", path, lambda page: mine(page) is not None))

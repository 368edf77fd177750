"""What people of the demo do over HTTP beside a page that is looked at."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Page

from services.chassis.auth import Principal
from services.chassis.clock import SystemClock
from services.gateway.users import DEMO_PASSWORD
from services.serving import tokens_of
from services.settings import Settings
from tests.browser.conftest import Demo

WITHIN_S = 20.0


class Desk:
    """Calls the API of the demo as its dispatcher, or as another of its accounts."""

    def __init__(self, demo: Demo) -> None:
        self._client = httpx.Client(base_url=demo.url, timeout=20)
        self._tokens: dict[str, str] = {}

    def call(self, method: str, path: str, user: str = "dispatcher", **options: Any) -> Any:
        """The answer's JSON; raises for anything but a 2xx."""
        if user not in self._tokens:
            said = {"user": f"{user}@demo", "password": DEMO_PASSWORD}
            self._tokens[user] = self._client.post("/v1/sessions", json=said).raise_for_status().json()["token"]
        headers = {"Authorization": f"Bearer {self._tokens[user]}"}
        answer = self._client.request(method, path, headers=headers, **options)
        assert answer.is_success, f"{user} {method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def until(self, path: str, done: Callable[[Any], Any], user: str = "dispatcher") -> Any:
        """Asks until it is as wanted, and gives that; fails when it does not come in time."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            answer = self.call("GET", path, user)
            if done(answer):
                return answer
            assert time.monotonic() < deadline, f"GET {path} still says {answer}"
            time.sleep(0.05)

    def visit_of(self, request_id: str) -> Any:
        """The visit that was planned for a request."""
        page = self.until(f"/v1/visits?request_id={request_id}", lambda page: page["items"])
        return page["items"][-1]

    def new_visit(self, engineer: str = "", customer: str = "C002") -> Any:
        """The visit for a new request: of whom it is given to, or of the engineer that is wished for."""
        device = self.call("GET", f"/v1/devices?customer_id={customer}", "agent")["items"][0]["device_id"]
        asked = {"request_type": "repair", "customer_id": customer, "device_id": device, "description": "声音很大"}
        visit = self.visit_of(self.call("POST", "/v1/requests", "agent", json=asked)["id"])
        if not engineer or visit["engineer_id"] == engineer:
            return visit
        given = {"engineer_id": engineer, "reason": "一人负责"}
        self.call("POST", f"/v1/orders/{visit['order_id']}/reassign", json=given)
        query = f"/v1/visits?order_id={visit['order_id']}&engineer_id={engineer}&state=planned"
        return self.until(query, lambda page: page["items"])["items"][-1]

    def step(self, visit_id: str, name: str, **body: Any) -> None:
        """What the engineer says on the phone, reported by the dispatcher."""
        self.call("POST", f"/v1/visits/{visit_id}/{name}", json=body)

    def close(self) -> None:
        self._client.close()


def come_in(page: Page, demo: Demo, engineer: str) -> None:
    """Sign an engineer of the demo in, who has no password there, in the browser of this page."""
    tokens = tokens_of(Settings(data=demo.folder), SystemClock())
    principal = Principal(f"{engineer}@demo", "demo", "engineer", engineer, "app")
    session = {
        "token": tokens.issue(principal),
        "endsAt": int(time.time() * 1000) + 14 * 60_000,
        "userId": principal.user_id,
        "tenant": "demo",
        "role": "engineer",
        "personId": engineer,
        "name": engineer,
    }
    page.evaluate("session => localStorage.setItem('fieldloop.field.session', JSON.stringify(session))", session)

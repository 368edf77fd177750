"""Two hundred texts that would run as scripts, through every channel and every field that people read: none runs."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from services.chassis.auth import Principal
from services.chassis.clock import SystemClock
from services.serving import tokens_of
from services.settings import Settings
from tests.browser.conftest import PHONE, Demo, Open
from tests.browser.desk import at_desk
from tests.browser.people import Desk, come_in

RUN = "window.ran=1"
SCRIPTS = (
    *(f"<script>{RUN}</script>", f"<img src=x onerror={RUN}>", f"<svg onload={RUN}>", f"<body onload={RUN}>"),
    *(f"<a href='javascript:{RUN}'>x</a>", f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>"),
    *(f"<details open ontoggle={RUN}>", f"<input autofocus onfocus={RUN}>", f"<video><source onerror={RUN}></video>"),
    *(f"<math href='javascript:{RUN}'>x</math>", f"<object data='javascript:{RUN}'></object>"),
    *(f"<style onload={RUN}>*{{color:red}}</style>", f"<link rel=stylesheet href=//x.invalid onerror={RUN}>"),
    *(f"<base href='javascript:{RUN}//'>", f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>"),
    *(
        f"{{{{constructor.constructor('{RUN}')()}}}}",
        f"${{{RUN}}}",
        f"javascript:{RUN}",
        f"' style=x:expression({RUN}) '",
    ),
    f"[x](javascript:{RUN})",
)
AROUND = (
    "{}",
    '">{}',
    "'>{}",
    "</script>{}",
    "-->{}",
    "</textarea>{}",
    "</title>{}",
    "]]>{}",
    "\\u003c/p\\u003e{}",
    "&lt;{}&gt;",
)
TEXTS = [around.replace("{}", script) for script in SCRIPTS for around in AROUND]
"""200; what a field holds of them at once is in one field."""

AT_ONCE = 10
CHANNELS = ("web", "app", "wechat", "hotline", "email", "partner")
LISTEN = "window.broken = []; addEventListener('securitypolicyviolation', (e) => broken.push(e.violatedDirective))"
GO = "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate', {state: {}})) }"
"""To another page of the same entry, as a click on a link goes."""


class Sender:
    """Whoever writes such a text, by each channel."""

    def __init__(self, demo: Demo) -> None:
        self._client = httpx.Client(base_url=demo.url, timeout=30)
        self._tokens = tokens_of(Settings(data=demo.folder), SystemClock())
        guest = self._client.post("/v1/sessions/guests", json={}).json()
        self.guest, self.link = guest["token"], guest["link"]

    def post(self, path: str, token: str, *, channel: str = "", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} | ({"Fieldloop-Channel": channel} if channel else {})
        answer = self._client.post(path, headers=headers | options.pop("headers", {}), **options)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json()

    def staff(self, role: str) -> str:
        return self._tokens.issue(Principal(f"{role}@demo", "demo", role))

    def submit(self, channel: str, text: str) -> str:
        """A request that says this; its id."""
        said = {"request_type": "repair", "description": text}
        if channel == "email":
            letter = EmailMessage()
            letter["From"], letter["To"], letter["Subject"] = (
                "a@b.example",
                "service@c.example",
                text[:80].split("\n")[0],
            )
            letter.set_content(text)
            taken = self.post(
                "/v1/channels/email",
                self.staff("agent"),
                content=bytes(letter),
                headers={"Content-Type": "message/rfc822"},
            )
            return str(taken["request"]["id"])
        if channel == "web":
            return str(self.post("/v1/requests", self.guest, json=said)["id"])
        if channel in ("app", "wechat"):
            customer = self._tokens.issue(Principal("c@demo", "demo", "customer", "C002", channel))
            return str(self.post("/v1/requests", customer, json=said)["id"])
        if channel == "partner":
            partner = self._tokens.issue(Principal("p@demo", "demo", "partner", "p-1", "partner"))
            return str(self.post("/v1/requests", partner, json=said)["id"])
        return str(self.post("/v1/requests", self.staff("agent"), channel=channel, json=said)["id"])


@pytest.fixture(scope="module")
def sender(demo: Demo) -> Sender:
    return Sender(demo)


@pytest.fixture(scope="module")
def written(demo: Demo, sender: Sender) -> dict[str, list[str]]:
    """All texts by each channel; the requests that were made of them."""
    assert len(TEXTS) == 200
    at_once = ["\n".join(TEXTS[at : at + AT_ONCE]) for at in range(0, len(TEXTS), AT_ONCE)]
    return {channel: [sender.submit(channel, some) for some in at_once] for channel in CHANNELS}


@pytest.fixture
def calm(opened: Open) -> Iterator[Open]:
    """`opened`, and at the end: nothing ran, and no page broke its policy."""
    pages: list[Page] = []

    def open_page(path: str, **options: Any) -> Page:
        page = opened(path, **options)
        page.add_init_script(LISTEN)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert page.evaluate("window.ran") is None, f"{page.url} ran a text"
        assert page.evaluate("window.broken") == [], page.url


def _seen(page: Page) -> None:
    """A text stands on the page as it was written, and nothing has run so far."""
    assert page.evaluate("[window.ran ?? 0, window.broken.length]") == [0, 0], page.url


def test_no_request_page_of_the_desk_runs_what_was_written(
    calm: Open, sender: Sender, written: dict[str, list[str]]
) -> None:
    page = at_desk(calm, "agent", "/queue")
    for channel in CHANNELS:
        page.get_by_label("渠道").select_option(channel)
        expect(page.locator("td", has_text=RUN).first).to_be_visible()
        _seen(page)
    for place, request_id in enumerate(one for some in written.values() for one in some):
        page.evaluate(GO, f"/desk/requests/{request_id}")
        expect(page.locator("dd", has_text=TEXTS[place % 20 * AT_ONCE]).first).to_be_visible()
        _seen(page)
    page = at_desk(calm, "auditor", f"/audit/{written['email'][0]}")
    expect(page.locator("ol.story li").first).to_be_visible()
    _seen(page)


def test_no_name_address_or_note_runs(calm: Open, demo: Demo, sender: Sender) -> None:
    agent, manager = sender.staff("agent"), sender.staff("manager")
    for place, text in enumerate(TEXTS[:: len(AROUND)]):
        phone = f"1380001{place:04}"
        known = {"customer_id": f"x-{place}", "name": text, "phone": phone, "region": "北京市朝阳区", "street": text}
        sender.post("/v1/customers", agent, json=known)
        sender.post("/v1/complaints", agent, json={"customer_id": "C002", "words": "\n".join(TEXTS[place::20])})
    page = at_desk(calm, "agent", "/complaints")
    expect(page.locator("strong", has_text=RUN)).to_have_count(len(SCRIPTS))
    _seen(page)
    for place, text in enumerate(TEXTS[:: len(AROUND)]):
        page.goto(f"/desk/caller?phone=1380001{place:04}")
        expect(page.get_by_text(text, exact=True).first).to_be_visible()
        _seen(page)
    kind = {"name": TEXTS[0], "name_zh": TEXTS[1], "skill": "cooling", "needs_device": False}
    sender.post("/v1/request-types/odd", manager, json=kind)
    page = calm("/portal/new", size=PHONE)
    page.reload()
    expect(page.get_by_role("button", name=TEXTS[1])).to_be_visible()
    _seen(page)


def test_the_customers_own_pages_run_nothing(calm: Open, sender: Sender, written: dict[str, list[str]]) -> None:
    page = calm("/portal", size=PHONE)
    page.goto(f"/portal/r/{written['web'][0]}#link={sender.link}")
    for place, request_id in enumerate(written["web"]):
        page.evaluate(GO, f"/portal/r/{request_id}")
        expect(page.locator(".words", has_text=TEXTS[place * AT_ONCE])).to_be_visible()
        _seen(page)
    page.goto("/portal")
    expect(page.locator("li").first).to_be_visible()
    _seen(page)


def test_the_engineers_and_the_boards_pages_run_nothing(calm: Open, demo: Demo, sender: Sender) -> None:
    desk = Desk(demo)
    text = "\n".join(TEXTS[:AT_ONCE])
    device = desk.call("GET", "/v1/devices?customer_id=C002", "agent")["items"][0]["device_id"]
    asked = {"request_type": "repair", "customer_id": "C002", "device_id": device, "description": text}
    request_id = desk.call("POST", "/v1/requests", "agent", json=asked)["id"]
    visit = desk.visit_of(request_id)
    page = calm("/", size=PHONE)
    come_in(page, demo, visit["engineer_id"])
    page.goto(f"/field/v/{visit['visit_id']}")
    expect(page.get_by_text(TEXTS[0]).first).to_be_visible()
    _seen(page)
    desk.step(visit["visit_id"], "depart")
    desk.step(visit["visit_id"], "abort", reason="nobody-there", note=text)
    page.goto("/field")
    expect(page.locator("[data-visit]").first).to_be_visible()
    _seen(page)
    page = at_desk(calm, "dispatcher", f"/board/{visit['order_id']}")
    expect(page.locator(".vis-label").first).to_be_visible()
    _seen(page)
    page = at_desk(calm, "agent", f"/requests/{request_id}")
    expect(page.locator("dd", has_text=TEXTS[0]).first).to_be_visible()
    _seen(page)
    for role, path, sign in (
        ("manager", "/reports", "a.card"),
        ("manager", "/alerts", "h1"),
        ("operator", "/operations", "h1"),
    ):
        page = at_desk(calm, role, path)
        expect(page.locator(sign).first).to_be_visible()
        _seen(page)
    desk.close()

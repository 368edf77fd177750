"""
The dispatch board with 300 engineers of 8 visits each: its first paint, and one live update.

The screens as built run in Chromium; a small server of this process answers in place of ours, from memory, so that what
is measured is the board's own part. `first_paint_ms`: from the navigation until list and timeline show orders.
`update_ms`: from the answer that holds a changed order until the frame in which its bar looks different;
`update_cpu_ms`: how long the page's main thread works for it, with all that follows.
"""

from __future__ import annotations

import argparse
import json
import mimetypes
import queue
import shutil
import statistics
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import CDPSession, Page, sync_playwright

from services.gateway.pages import BUILT, POLICY

ENGINEERS, VISITS = 300, 8
PAGE: Final = 200
UPDATES: Final = 30

FIRST_PAINT_MS, UPDATE_MS = 3_000, 50
"""What is to be reached."""

SHOWN = "() => document.querySelectorAll('.vis-item.bar').length > 50 && document.querySelectorAll('.order').length > 5"

WATCH = """
window.took = [];
const asked = window.fetch;
window.fetch = async (...args) => {
  const answer = await asked(...args);
  const url = args[0].url ?? args[0];
  if (!/orders\\/o-/.test(url)) return answer;
  const text = await answer.text();
  const begun = performance.now();
  const watch = new MutationObserver((changes) => {
    if (!changes.some((one) => one.target.classList?.contains('vis-item'))) return;
    watch.disconnect();
    requestAnimationFrame(() => window.took.push(performance.now() - begun));
  });
  watch.observe(document.querySelector('.times'), { subtree: true, attributes: true, attributeFilter: ['class'] });
  return new Response(text, { status: answer.status, headers: answer.headers });
};
"""


def noon_hours() -> int:
    """East of Greenwich, where it is noon now: at night the board shows the evening, and the visits are of the day."""
    return 12 - datetime.now(UTC).hour


def orders(engineers: int) -> dict[str, dict[str, Any]]:
    """All of one day, in eight rows of an hour each."""
    here = datetime.now(timezone(timedelta(hours=noon_hours())))
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    made = {}
    for engineer in range(engineers):
        for visit in range(VISITS):
            starts = midnight + timedelta(hours=8 + visit * 1.25)
            order_id = f"o-{engineer:03}-{visit}"
            made[order_id] = _order(order_id, engineer, starts)
    return made


LISTS: Final = (
    *("reasons", "broke_rules", "broke_names", "passed_over"),
    *("excluded", "nobody_can", "more_skills", "certificates", "offered_to"),
)
TEXTS: Final = (
    *("van_id", "chosen_by", "note", "back_because", "back_reason"),
    *("absence_noted", "wished_engineer_id", "device_id"),
)


def _order(order_id: str, engineer: int, starts: datetime) -> dict[str, Any]:
    times = {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=1)).isoformat()}
    times |= {"opened_at": starts.isoformat(), "waiting_since": None, "assign_due_at": None, "offered_until": None}
    place = {"lat_udeg": 39_900_000 + engineer * 700, "lon_udeg": 116_300_000 + hash(order_id) % 200_000}
    work = {"device_model": "KFR-35GW", "request_type": "repair", "skill": "cooling", "urgency": "normal"}
    counts = {"travel_m": 1_000, "candidates": 3, "rules_version": 0, "skill_level": 0, "duration_s": 3_600}
    return {
        **{name: [] for name in LISTS},
        **dict.fromkeys(TEXTS, ""),
        **{"order_id": order_id, "version": 1, "state": "assigned", "overdue": False, "withdrawn": False},
        **{"request_id": f"r-{order_id}", "number": f"R-261130-{int(order_id[2:5]) * 10 + int(order_id[6:]):04}"},
        **{
            "customer_id": "c-1",
            "region": "朝阳区",
            "engineer_id": f"e-{engineer:03}",
            "day": starts.date().isoformat(),
        },
        **{"parked": None},
        **times,
        **place,
        **work,
        **counts,
    }


def engineers(number: int) -> list[dict[str, Any]]:
    facts = {"version": 1, "skills": ["cooling"], "skill_levels": [], "certificates": [], "territory": [], "shifts": []}
    facts |= {
        "hour_fen": 0,
        "km_fen": 0,
        "rates_from": None,
        "region": "朝阳区",
        "zone": "Asia/Shanghai",
        "van_id": "",
        "daily_limit": 8,
        "supplier": "",
        "absences": [],
    }
    return [
        facts
        | {"engineer_id": f"e-{n:03}", "name": f"工程师 {n:03}", "team": f"{n // 10:02} 班"}
        | {"home_lat_udeg": 39_900_000 + n * 700, "home_lon_udeg": 116_400_000 + n * 350}
        for n in range(number)
    ]


class Serving(ThreadingHTTPServer):
    """The screens, and the few routes that the board reads."""

    daemon_threads = True

    def __init__(self, number: int = ENGINEERS) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.orders, self.engineers = orders(number), engineers(number)
        self.streams: list[queue.Queue[dict[str, Any]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Serving

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: value[0] for name, value in parse_qs(url.query).items()}
        path = url.path
        if path == "/v1/live":
            self._live()
        elif path == "/v1/orders":
            self._page(list(self.server.orders.values()), asked)
        elif path == "/v1/engineers":
            self._page(self.server.engineers, asked)
        elif path.startswith("/v1/orders/"):
            self._send(json.dumps(self.server.orders[path.removeprefix("/v1/orders/")]).encode(), "application/json")
        elif path.startswith("/v1/"):
            self._send(b'{"items": [], "next": null}', "application/json")
        else:
            file = BUILT / (path.lstrip("/") if path.startswith("/assets/") else "desk.html")
            self._send(file.read_bytes(), mimetypes.guess_type(file.name)[0] or "text/html")

    def _page(self, rows: list[dict[str, Any]], asked: dict[str, str]) -> None:
        at = int(asked.get("cursor", 0))
        following = str(at + PAGE) if at + PAGE < len(rows) else None
        self._send(json.dumps({"items": rows[at : at + PAGE], "next": following}).encode(), "application/json")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def _live(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": here\n\n")
        self.wfile.flush()
        self.server.streams.append(changes := queue.Queue())
        with suppress(OSError):  # a page that was closed
            for number in range(1, 1 << 30):
                change = changes.get()
                self.wfile.write(f"id: {number}\ndata: {json.dumps(change)}\n\n".encode())
                self.wfile.flush()


def update(page: Page, serving: Serving, number: int) -> float:
    """Change one order of those in sight; milliseconds until it looks so."""
    order_id = f"o-{number % 3:03}-{number % VISITS}"
    order = serving.orders[order_id]
    order["version"] += 1
    order["state"] = "under-way" if order["state"] == "assigned" else "assigned"
    before = page.evaluate("took.length")
    change = {"type": "OrderStarted", "thing": f"order/{order_id}", "request_id": "r", "at": order["day"]}
    change |= {"position": f"dispatcher;{number + 1}"}
    for stream in serving.streams:
        stream.put(change)
    page.wait_for_function(f"() => took.length > {before}", timeout=10_000)
    return float(page.evaluate("took.at(-1)"))


def _worked_s(devtools: CDPSession) -> float:
    """What the main thread of this page has worked so far."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def measure(number: int = ENGINEERS, openings: int = 3, updates: int = UPDATES) -> dict[str, float]:
    """Of a board of so many engineers, opened and changed so often."""
    serving = Serving(number)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    session = {"token": "t", "endsAt": 1 << 50, "userId": "d", "tenant": "demo", "role": "dispatcher", "name": "d"}
    kept = json.dumps(json.dumps(session))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        first = []
        for _ in range(openings):
            for shown in browser.contexts:
                shown.close()
            page = browser.new_page(viewport={"width": 1440, "height": 900}, timezone_id=f"Etc/GMT{-noon_hours():+d}")
            page.add_init_script(f"localStorage['fieldloop.desk.session'] = {kept};{WATCH}")
            page.goto(f"{serving.url}/desk/board", wait_until="commit")
            page.wait_for_function(SHOWN, polling="raf", timeout=60_000)
            first.append(float(page.evaluate("performance.now()")))
        page.wait_for_timeout(2_000)
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        begun = _worked_s(devtools)
        took = [update(page, serving, turn) for turn in range(updates)]
        page.wait_for_timeout(500)
        worked_s = _worked_s(devtools) - begun
        browser.close()
    serving.shutdown()
    return {
        "engineers": number,
        "visits": number * VISITS,
        "first_paint_ms": round(statistics.median(first)),
        "update_ms_p50": round(statistics.median(took), 1),
        "update_ms_p95": round(sorted(took)[int(len(took) * 0.95)], 1),
        "update_cpu_ms": round(worked_s / updates * 1_000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure()
    if args.json:
        print(json.dumps(found))
        return
    print(f"board of {found['engineers']} engineers, {found['visits']} visits")
    print(f"  first paint {found['first_paint_ms']} ms (to reach {FIRST_PAINT_MS})")
    print(f"  one live update p50 {found['update_ms_p50']} ms, p95 {found['update_ms_p95']} ms (to reach {UPDATE_MS})")
    print(f"  work of the page for one update {found['update_cpu_ms']} ms of CPU")


if __name__ == "__main__":
    main()

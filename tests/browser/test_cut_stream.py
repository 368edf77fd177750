"""The stream of changes is cut again and again: a screen is told of each change once, in its order."""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from services.gateway.pages import BUILT
from tests.browser.conftest import Demo
from tests.browser.cutting import Cutting
from tests.browser.desk import Others

WEB = BUILT.parent
CUTS = 50
WITHIN_S = 180.0
PAGE = "<!doctype html><script>process = {env: {}}</script><body></body><script type=module src=/probe.js></script>"


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The screens' own `useLive`, and a page that does nothing else."""
    bundler = WEB / "node_modules" / ".bin" / "rolldown"
    if not bundler.exists():
        pytest.skip("what the screens are built with is not installed: `make web`")
    made: Path = tmp_path_factory.mktemp("probe") / "probe.js"
    command = [bundler, "src/shared/live.probe.ts", "--file", made, "--format", "esm", "--platform", "browser"]
    subprocess.run(command, cwd=WEB, check=True, capture_output=True)
    return made.read_text("utf-8")


def test_a_stream_that_is_cut_fifty_times_loses_nothing_and_tells_nothing_twice(
    chromium: Browser, demo: Demo, probe: str
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    others = Others(demo.url)
    _, begun = _feed(others, "")
    way = Cutting(demo.url, CUTS, seed)
    context = chromium.new_context(base_url=way.url)
    context.route("**/probe", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    context.route("**/probe.js", lambda route: route.fulfill(body=probe, content_type="text/javascript"))
    session = {"token": others.token("dispatcher"), "endsAt": int(time.time() * 1000) + 800_000}
    context.add_init_script(f"localStorage['fieldloop.probe.session'] = {json.dumps(json.dumps(session))}")
    page = context.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto("/probe")
    page.wait_for_function("document.title === 'live'")

    deadline = time.monotonic() + WITHIN_S
    while way.cut < CUTS or way.begun == way.cut:
        others.request(number=way.cut % 5)
        with way.streams:
            way.streams.wait_for(lambda: way.begun > way.cut, timeout=10)
        assert time.monotonic() < deadline, f"seed {seed}: {way.cut} of {CUTS} cuts"

    told = recorded = None
    while told is None or told != recorded:
        assert time.monotonic() < deadline, f"seed {seed}: told of {len(told or ())} of {len(recorded or ())} changes"
        page.wait_for_timeout(100)
        told = [(one["type"], one["thing"], one["request_id"]) for one in page.evaluate("told")]
        recorded, _ = _feed(others, begun)
    print(f"{way.cut} cuts of {way.begun} streams, {len(told)} changes")
    assert len(told) > CUTS
    assert failed == []
    context.close()
    way.close()


def _feed(others: Others, after: str) -> tuple[list[tuple[str, str, str]], str]:
    """What is recorded after a cursor, as a screen is told of it, and the cursor of its end."""
    found: list[tuple[str, str, str]] = []
    while True:
        page = others.get("auditor", f"/v1/events?limit=1000&after={after}")
        found += [(one["type"], one["subject"], one["correlationid"]) for one in page["events"]]
        after = page["next"]
        if page["end"]:
            return found, after

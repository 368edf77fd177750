"""
How soon the customer's page shows what the engineer has tapped, what the first load of an entry weighs, and what memory
the demo and the browser at work on it take.

    make bench-web
    python -m tests.benchmarks.bench_web --kafka

Both are real pages in one Chromium, of one demo process, or with `--kafka` of the distributed form as `make up`
starts it, with real Kafka and PostgreSQL, of which only the time is judged. The clock begins with the engineer's tap
on `send now`, which ends the ten seconds in which a step can be taken back, and stops when the customer's page shows
the new state. Both times are taken in the pages, so that what drives them is not counted. Memory is the proportional
share (PSS) of all processes of the demo and of a browser in which the way of a request is walked in four tabs, as the
start page proposes it: the board, the queue, the customer's page and the field app; at its highest.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, Playwright, expect, sync_playwright

from deploy import free_port
from deploy.local import Installation
from services.demo.people import TENANT
from services.gateway.pages import BUILT
from tests.browser.conftest import DESK, PHONE, SWITCHES, Demo, running_demo
from tests.browser.people import Desk, come_in

TAPS: Final = 20
WALKS: Final = 3
BAR_S: Final = 1.0
KAFKA_BAR_S: Final = 2.0
MEMORY_MB: Final = 1_000
WEIGHT_KB: Final = {"portal": 110, "field": 130, "desk": 350}
SHOWN: Final = {"出发": "工程师在路上", "到达": "工程师已到达", "开始维修": "正在维修"}
WITHIN_MS: Final = 20_000

TAPPED: Final = """
addEventListener('pointerdown', (event) => {
  if (event.target.closest?.('.undo .now')) window.tappedAt = Date.now()
}, true)
"""
CHANGED: Final = """
(shown) => new Promise((done) => {
  const look = () => document.querySelector('[data-testid=step]')?.textContent === shown && done(Date.now())
  if (!look()) new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true })
})
"""
"""Until the page shows this state; milliseconds since 1970 when it did."""


def main() -> None:
    program = shutil.which("chromium")
    if not program:
        sys.exit("no Chromium here (Debian: chromium)")
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_web", description=__doc__)
    parser.add_argument("--kafka", action="store_true", help="on real Kafka and PostgreSQL, one process per service")
    kafka = parser.parse_args().kafka
    heavy = weights()
    with (
        tempfile.TemporaryDirectory() as folder,
        distributed(Path(folder)) if kafka else running_demo(Path(folder), requests=12) as demo,
        sync_playwright() as playwright,
    ):
        desk = Desk(demo)
        try:
            taps, apart = in_windows_of_their_own(playwright, program, desk, demo)
            together = {} if kafka else in_one_window(playwright, program, desk, demo)
        finally:
            desk.close()
    p95 = statistics.quantiles(taps[:TAPS], n=20)[-1]
    on, bar_s = ("Kafka and PostgreSQL", KAFKA_BAR_S) if kafka else ("the embedded bus", BAR_S)
    print(
        f"engineer's tap -> customer's page, {on}: p50 {statistics.median(taps):.2f} s, p95 {p95:.2f} s "
        f"of {TAPS} taps (bar {bar_s:.0f})"
    )
    if kafka:
        sys.exit(0 if p95 <= bar_s and not heavy else 1)
    print(f"memory of the demo and of a browser with four tabs at work on it: {_said(together)}; bar {MEMORY_MB}")
    print(f"  with a window for each of the four, whose frame is a page of Chromium's own of 50 MB: {_said(apart)}")
    sys.exit(0 if p95 <= bar_s and sum(together.values()) <= MEMORY_MB and not heavy else 1)


def _said(most: dict[str, float]) -> str:
    return f"{sum(most.values()):.0f} MB at most ({', '.join(f'{which} {mb:.0f}' for which, mb in most.items())})"


def in_windows_of_their_own(
    playwright: Playwright, program: str, desk: Desk, demo: Demo
) -> tuple[list[float], dict[str, float]]:
    """Four people, each with a window: the seconds of the taps, and the memory at its highest, MB."""
    browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
    taps: list[float] = []
    most: dict[str, float] = {}
    phone = {"viewport": PHONE, "locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
    for user, path in (("调度员", "/desk/board"), ("客服", "/desk/queue")):
        page = browser.new_context(base_url=demo.url, viewport=DESK, locale="zh-CN").new_page()
        _at_the_desk(page, user, path)
    while len(taps) < TAPS:
        contexts = [browser.new_context(base_url=demo.url, **phone) for _ in range(2)]  # type: ignore[arg-type]
        found, mb = _visit([context.new_page() for context in contexts], desk, demo)
        taps += found
        most = max(most, mb, key=lambda one: sum(one.values()))
        for context in contexts:
            context.close()
    browser.close()
    return taps, most


def in_one_window(playwright: Playwright, program: str, desk: Desk, demo: Demo) -> dict[str, float]:
    """One person walks the way of a request in four tabs: the memory at its highest, MB."""
    browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
    window = browser.new_context(base_url=demo.url, viewport=DESK, locale="zh-CN", timezone_id="Asia/Shanghai")
    for path in ("/desk/board", "/desk/queue"):
        _at_the_desk(window.new_page(), "调度员", path)
    most: dict[str, float] = {}
    for _ in range(WALKS):
        pages = [window.new_page() for _ in range(2)]
        for page in pages:
            page.set_viewport_size(PHONE)
        # A new customer each time: what she sends is not taken for what another has sent.
        pages[0].goto("/")
        pages[0].evaluate("localStorage.removeItem('fieldloop.portal.session')")
        most = max(most, _visit(pages, desk, demo)[1], key=lambda one: sum(one.values()))
        for page in pages:
            page.close()
    browser.close()
    return most


@contextmanager
def distributed(folder: Path) -> Iterator[Demo]:
    """The company of the demo on the distributed form; ends all of it."""
    # PostgreSQL is another user's process.
    folder.chmod(0o755)
    os.environ["FIELDLOOP_PORTAL"] = TENANT
    installation = Installation(folder, free_port())
    try:
        installation.up()
        founding = [sys.executable, "-m", "services.cli", "demo", "--requests", "12", "--once"]
        subprocess.run(founding, env=os.environ | installation.env(), check=True, stdout=subprocess.DEVNULL)
        yield Demo(installation.url, folder)
    finally:
        installation.down()


def memory_mb() -> dict[str, float]:
    """The proportional share of the processes that this one has begun, and theirs: `demo` and `browser`."""
    found = {"demo": 0.0, "browser": 0.0}
    for pid in _below(os.getpid()):
        command = _read(f"/proc/{pid}/cmdline")
        # The driver that leads the browser is the measurement's own.
        if which := "browser" if "chrom" in command.partition("\0")[0] else "demo" if "services.cli" in command else "":
            found[which] += _share_kb(pid) / 1_000
    return found


def _below(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            yield child
            yield from _below(child)


def _share_kb(pid: int) -> int:
    lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # the process has ended meanwhile
        return ""


def _at_the_desk(page: Page, user: str, path: str) -> None:
    """The board or the queue, which stays open."""
    page.goto("/")
    page.get_by_role("button", name=user).first.click()
    page.wait_for_url("**/desk**")
    page.goto(path)
    expect(page.get_by_text("实时")).to_be_visible(timeout=WITHIN_MS)


def weights() -> list[str]:
    """Prints what each entry loads at first, gzip; gives those that are over their bar."""
    over = []
    for entry, bar in WEIGHT_KB.items():
        page = (BUILT / f"{entry}.html").read_text()
        scripts = set(re.findall(r'/(assets/[^"]+\.js)"', page))
        kb = sum(len(gzip.compress((BUILT / name).read_bytes())) for name in scripts) / 1_000
        print(f"first-load script of {entry}: {kb:.0f} kB gzip (bar {bar})")
        if kb > bar:
            over.append(entry)
    return over


def _visit(pages: Sequence[Page], desk: Desk, demo: Demo) -> tuple[list[float], dict[str, float]]:
    """The taps of one visit, each with the seconds until the customer's page shows it; and the memory in MB."""
    customer, engineer = pages
    for page in pages:
        page.set_default_timeout(WITHIN_MS)
    customer.goto("/portal/new")
    customer.get_by_role("button", name="空调维修").click()
    for label, words in (
        ("哪里不对", "不制冷"),
        ("称呼", "林小雨"),
        ("联系电话", "13900001234"),
        ("上门地址", "北京市朝阳区建国路88号"),
    ):
        customer.get_by_label(label).fill(words)
    customer.get_by_role("button", name="提交").click()
    customer.wait_for_url("**/portal/r/**")
    request_id = customer.url.partition("/portal/r/")[2].partition("?")[0]
    visit = desk.visit_of(request_id)
    expect(customer.get_by_test_id("step")).to_have_text("已派工程师", timeout=WITHIN_MS)
    expect(customer.get_by_text("实时")).to_be_visible(timeout=WITHIN_MS)
    engineer.add_init_script(TAPPED)
    engineer.goto("/")
    come_in(engineer, demo, visit["engineer_id"])
    engineer.goto(f"/field/v/{visit['visit_id']}")
    seconds = []
    for tap, shown in SHOWN.items():
        button = engineer.get_by_role("button", name=tap, exact=True)
        expect(button).to_be_visible(timeout=WITHIN_MS)
        button.click()
        engineer.get_by_role("button", name="立即发送").click()
        shown_at = customer.evaluate(CHANGED, shown)
        seconds.append((shown_at - engineer.evaluate("tappedAt")) / 1_000)
    return seconds, memory_mb()


if __name__ == "__main__":
    main()

"""A demo that runs, and a real Chromium that looks at it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from services.gateway.pages import BUILT

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1440, "height": 900}

STARTED_WITHIN_S = 120
expect.set_options(timeout=15_000)
"""What is expected must come; other tests run meanwhile, and how soon it comes is measured by `make bench-web`."""

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass(frozen=True)
class Demo:
    """The whole system in one process, with the invented company and twelve requests that went through the loop."""

    url: str
    folder: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo"), requests=12) as demo:
        yield demo


@contextmanager
def running_demo(folder: Path, requests: int, command: Sequence[str] = ("services.cli",)) -> Iterator[Demo]:
    """A demo as its user starts it, in a folder of its own; nothing goes on in it by itself."""
    if not (BUILT / "index.html").exists():
        pytest.skip("the screens are not built: `make web`")
    started = [sys.executable, "-m", *command, "--data", str(folder)]
    started += ["demo", "--requests", str(requests), "--still"]
    env = os.environ | {"FIELDLOOP_PORT": "0", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(started, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    too_late = threading.Timer(STARTED_WITHIN_S, process.kill)
    too_late.start()
    assert process.stdout
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"(http://\S+)/docs", line):
                break
        else:
            raise AssertionError(f"the demo did not start within {STARTED_WITHIN_S} s: {''.join(said)}")
        too_late.cancel()
        # Whatever it still says must not fill the pipe.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Demo(found[1], folder)
    finally:
        too_late.cancel()
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Of a module: as long as it is there an event loop runs, and other tests begin their own.
    program = shutil.which("chromium")
    if not program:
        pytest.skip("no Chromium here (Debian: chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


@dataclass
class Seen:
    """What went wrong in the pages of a test, and what they asked of others; looked at when the test ends."""

    errors: list[str]
    outside: list[str]


Open = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, demo: Demo) -> Iterator[Open]:
    """
    `opened("/portal", language="en", size=PHONE)`: a page in a browser of its own, without what another one kept.

    At the end, none of them may have failed, broken its content security policy, or asked anything of another origin.
    """
    seen = Seen([], [])
    contexts = []

    def open_page(path: str, *, language: str = "zh", size: ViewportSize = DESK) -> Page:
        phone = size["width"] < 600
        locale = "zh-CN" if language == "zh" else "en-GB"
        context = chromium.new_context(
            base_url=demo.url, viewport=size, locale=locale, timezone_id="Asia/Shanghai", has_touch=phone
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: seen.errors.append(f"{page.url}: {error}"))
        page.on("console", lambda said: _note(seen, said.type, f"{page.url}: {said.text}"))
        page.on("request", lambda request: _outside(seen, request.url, demo.url))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen.errors == [], "a page failed"
    assert seen.outside == [], "a page asked another origin"


def _note(seen: Seen, kind: str, text: str) -> None:
    # A refusal that a page expects is said by Chromium too.
    if kind == "error" and "Failed to load resource" not in text:
        seen.errors.append(text)


def _outside(seen: Seen, url: str, own: str) -> None:
    if not url.startswith((own, "data:", "blob:")):
        seen.outside.append(url)

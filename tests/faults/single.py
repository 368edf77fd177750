"""`fieldloop up`, all in one process, on stores and a bus that a test chooses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from deploy import free_port, until
from services import offline
from services.settings import Settings
from tests.faults.ledger import Told, Verdict, judged, left


class Single:
    """One process; ended with its block."""

    def __init__(self, data: Path, log: Path, **env: str) -> None:
        self.data, self._log, self.port = data, log, free_port()
        self.env = {"FIELDLOOP_DATA": str(data), **env}
        self.settings = Settings.from_env(env=self.env)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Single:
        command = [sys.executable, "-m", "services.cli", "up", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **self.env}, stdout=log, stderr=log)
        assert until(lambda: self.ready() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self._log.read_text()[-2000:]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    async def must_hold(self, told: Told) -> Verdict:
        """All is taken in and shown; the clients' book agrees with the journals; the invariants hold."""
        assert await offline.settled(self.settings, within=60), "something is left to take in or to show"
        over = await left(self.settings)
        assert over == [], f"I14: with no fault any more and nobody's help, nothing may be left: {over}"
        verdict = await judged(self.settings, told)
        print(f"{told}; {verdict}")
        assert verdict.clean, verdict
        checked = await offline.verify_stores(self.settings)
        assert (checked.findings, checked.chain) == ([], True)
        return verdict

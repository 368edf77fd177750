"""
An HTTP command, durable: `POST /v1/devices` per second over a real socket, by 64 clients at once.

ours    intake's app as it is served: token, roles, validation, idempotency key, claim, journal, view, headers, log line
raw     bare FastAPI: one route, a pydantic body, one row of the same bytes and one durable commit

Both run in a process of their own with the same uvicorn and uvloop, and are asked by the same client with the same
bodies. The raw one flushes for every request; ours flushes for all that wait at that moment, which is the point of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel

from deploy import until
from services.chassis.auth import Principal, Tokens
from services.chassis.clock import SystemClock
from tests.benchmarks.bench_command import body
from tests.benchmarks.client import Client
from tests.benchmarks.measure import Row, Span, crowd, median, settle, timed

CLIENTS = 64
ROUNDS = 3
ROOT = Path(__file__).parents[2]


class Device(BaseModel):
    device_id: str
    customer_id: str
    model: str
    serial: str
    skill: str


class Accepted(BaseModel):
    id: str
    position: int


async def serve(kind: str, folder: Path) -> None:
    """The server's process: writes down its port, and serves until its standard input ends."""
    from services.chassis import telemetry
    from services.serving import calm_collector, listening
    from services.settings import Settings

    telemetry.log_as_json()
    settings = Settings(data=folder, port=0)
    async with _ours(folder) if kind == "ours" else _raw(folder) as app, listening(settings, app) as address:
        calm_collector()
        aside = folder / "port.next"
        aside.write_text(address.rpartition(":")[2])
        aside.rename(folder / "port")
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _ours(folder: Path) -> Any:
    from contextlib import asynccontextmanager

    from intake.service import service as intake
    from services.chassis.http.app import service_app
    from tests.benchmarks.bench_command import on_sqlite

    @asynccontextmanager
    async def app() -> Any:
        async with on_sqlite(folder) as running:
            tokens = Tokens.from_file(folder / "tokens.json", SystemClock())
            yield service_app([intake.routes(running)], tokens=tokens)

    return app()


def _raw(folder: Path) -> Any:
    import sqlite3
    from contextlib import asynccontextmanager

    from fastapi import FastAPI

    db = sqlite3.connect(folder / "raw.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, record BLOB)")
    rest = " " * 450
    """What the envelope adds, so that the bytes are the same."""
    app = FastAPI()

    @app.post("/v1/devices", status_code=201)
    async def register(device: Device) -> Accepted:
        done = db.execute("INSERT INTO events (record) VALUES (?)", (device.model_dump_json() + rest,))
        return Accepted(id=device.device_id, position=done.lastrowid or 0)

    @asynccontextmanager
    async def given() -> Any:
        yield app

    return given()


async def drive(port: int, pid: int, first: int, requests: int, token: str) -> Span:
    async with Client(port, CLIENTS) as client:
        statuses: dict[int, int] = {}

        async def one(number: int) -> None:
            headers = f"Authorization: Bearer {token}\r\nIdempotency-Key: k-{number}\r\n"
            status, _ = await client.post("/v1/devices", body(number), headers)
            statuses[status] = statuses.get(status, 0) + 1

        with timed([pid]) as span:
            await crowd(CLIENTS, one, range(first, first + requests))
    if statuses != {201: requests}:
        raise RuntimeError(f"the server answered {statuses}")
    return span


def measure(requests: int, name: str = "HTTP command, durable") -> Row:
    rates: dict[str, list[float]] = {"ours": [], "raw": []}
    cores: dict[str, list[float]] = {"ours": [], "raw": []}
    with TemporaryDirectory(prefix="fieldloop-bench-") as place:
        servers: dict[str, tuple[subprocess.Popen[bytes], int, str]] = {}
        for kind in rates:
            folder = Path(place, kind)
            folder.mkdir()
            command = [sys.executable, "-m", "tests.benchmarks.bench_http", kind, str(folder)]
            with (folder / "log").open("w") as log:
                started = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log, env=_env())
            if not until((folder / "port").exists, 60):
                started.kill()
                raise RuntimeError(f"the server is not there in a minute: {(folder / 'log').read_text()[-2000:]}")
            port = int((folder / "port").read_text())
            token = ""
            if kind == "ours":
                tokens = Tokens.from_file(folder / "tokens.json", SystemClock())
                token = tokens.issue(Principal("a-1", "t-1", "agent", "", "web"))
            servers[kind] = started, port, token
        try:
            for turn in range(-1, ROUNDS):
                for kind, (process, port, token) in servers.items():
                    settle()
                    many = requests if turn >= 0 else requests // 5
                    span = asyncio.run(drive(port, process.pid, (turn + 1) * requests, many, token))
                    if turn >= 0:
                        rates[kind].append(many / span.wall)
                        cores[kind].append(many / span.cpu)
        finally:
            for process, _, _ in servers.values():
                process.communicate(timeout=20)
    ours, raw = median(rates["ours"]), median(rates["raw"])
    ratio = median(o / r for o, r in zip(rates["ours"], rates["raw"], strict=True))
    per_core = {kind: median(each) for kind, each in cores.items()}
    note = (
        f"requests/s; per core of the server {per_core['ours']:,.0f} against {per_core['raw']:,.0f} "
        f"({per_core['ours'] / per_core['raw']:.2f}); raw flushes per request, ours per batch"
    )
    return Row(name, "raw 0.35", ours, raw, None, ratio, None, ratio >= 0.35, note)


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    if sys.argv[1] in ("ours", "raw"):
        import uvloop

        uvloop.run(serve(sys.argv[1], Path(sys.argv[2])))
    else:
        print(json.dumps(measure(int(sys.argv[1])).__dict__, indent=1))

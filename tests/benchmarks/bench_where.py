"""
Where the CPU of a request goes, by component: the six services in one process, sampled while they are asked.

`python -m tests.benchmarks.bench_where --rate 20` prints milliseconds of CPU per request, most first. After every few
milliseconds of CPU of the process the innermost component of its main thread is counted, and what the threads for the
disk do meanwhile with it (a tenth of all).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from types import FrameType

import msgspec
import uvloop

from deploy import free_port, until
from services.serving import run
from services.settings import Settings
from tests.benchmarks import bench_latency

EVERY_S = 0.004
SAMPLES = "samples.json"

COMPONENTS = {
    "journal's store": r"journal/(sqlite|postgres|tail)\.py",
    "views' store": r"readers/(sqlite|postgres)_views\.py",
    "keys of persons": r"gateway/persons\.py",
    "dispatch: hours, ways, costs": r"dispatcher/domain/",
    "other rules": r"(intake|fieldwork|quality|inventory|reporting)/domain/",
    "answers from memory": r"readers/answers\.py",
    "folds": r"/projections/",
    "journal: decide, encode, chain": r"journal/attempt\.py",
    "writer": r"journal/writer\.py",
    "projector": r"readers/(projector|rows)\.py",
    "bus": r"chassis/bus/",
    "notices": r"chassis/messages/|intake/notices\.py",
    "policies": r"/policies\.py",
    "reactor": r"readers/(reactor|holds|timers)\.py",
    "HTTP and routes": r"chassis/http/|uvicorn|starlette|fastapi|_api\.py",
}
"""The innermost frame of one of these files says where a sample belongs; without any, it is the event loop's."""

_known = [(name, re.compile(pattern)) for name, pattern in COMPONENTS.items()]
_of_file: dict[str, str] = {}


def component(file: str) -> str:
    if file not in _of_file:
        _of_file[file] = next((name for name, pattern in _known if pattern.search(file)), "")
    return _of_file[file]


class Sampler:
    """Counts by component between SIGUSR2 and the next, which writes what was counted."""

    def __init__(self, out: Path) -> None:
        self._out, self._counts = out, Counter[str]()
        self._on = False
        signal.signal(signal.SIGPROF, self._sample)
        signal.signal(signal.SIGUSR2, self._turn)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        while frame is not None:
            if name := component(frame.f_code.co_filename):
                self._counts[name] += 1
                return
            frame = frame.f_back
        self._counts["event loop"] += 1

    def _turn(self, _: int, __: FrameType | None) -> None:
        self._on = not self._on
        signal.setitimer(signal.ITIMER_PROF, EVERY_S if self._on else 0, EVERY_S)
        if not self._on:
            aside = self._out.with_suffix(".new")
            aside.write_bytes(msgspec.json.encode(self._counts))
            aside.replace(self._out)


def serve(folder: Path, port: int) -> None:
    """The process that is sampled: as `fieldloop up`."""
    Sampler(folder / SAMPLES)
    uvloop.run(run(Settings(data=folder, port=port), "all", lambda _: None))


@contextmanager
def sampled(settings: Settings) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_where", "--serve", str(settings.data), str(settings.port)]
    with (settings.data / "serve.log").open("wb") as log:
        process = Popen(command, stdout=log, stderr=log)
    try:
        if not until(lambda: bench_latency._is_ready(f"http://127.0.0.1:{settings.port}"), 60):
            raise RuntimeError(f"it does not come up; see {settings.data / 'serve.log'}")
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def sampling(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGUSR2)
    yield
    os.kill(pid, signal.SIGUSR2)


def measure(rate: int, seconds: float, warm_s: float) -> dict[str, float]:
    """Milliseconds of CPU per request by component, most first, and those of `all` together."""
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(data=Path(name), port=free_port())
        samples = settings.data / SAMPLES
        with sampled(settings) as pid:
            url = f"http://127.0.0.1:{settings.port}"
            asked = bench_latency._from_outside(settings, url, rate, seconds, [pid], "run", warm_s, sampling(pid))
            cpu = asyncio.run(asked).cpu_ms_per_request
            if not until(samples.exists, 10):
                raise RuntimeError("the process that was sampled does not tell what it counted")
            counts = Counter(msgspec.json.decode(samples.read_bytes(), type=dict[str, int]))
    shares = {name: count / counts.total() * cpu for name, count in counts.most_common()}
    return {"all": cpu, **shares}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=int, default=20, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--warm", type=float, default=8, help="seconds at half that rate before")
    given = parser.parse_args()
    if given.serve:
        serve(Path(given.serve[0]), int(given.serve[1]))
    else:
        for one, ms in measure(given.rate, given.seconds, given.warm).items():
            print(f"{ms:6.2f} ms  {one}")

"""
Runs of pytest that begin quickly: each in a fork of a process that has imported what is not ours.

    runs = Runs(folder)
    runs.record(tests, files)        which test comes by which line
    runs.green(tests, only, 60.0)    whether these of them pass
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

import pytest

IMPORTED: Final = (
    "aiokafka",
    "asyncpg",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "fastapi",
    "faststream.kafka",
    "httpx",
    "hypothesis",
    "joserfc.jwt",
    "jsonschema",
    "msgspec",
    "opentelemetry.sdk.trace",
    "phonenumbers",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "structlog",
    "typer",
    "uvicorn",
)
LOOK_S: Final = 0.01
LONGEST_S: Final = 900.0


class Recorded(NamedTuple):
    """What a run of unchanged source showed."""

    tests_at: dict[str, dict[int, list[str]]]
    """By file and line, the tests that come by it; under 0 of a file, all of its tests."""
    seconds: dict[str, float]
    """What each test takes."""


class Runs:
    """A process that waits in a copy of the source for what it is to run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "FIELDLOOP_TEST_SEED": "1"}
        command = [sys.executable, "-m", "tests.mutation.runs"]
        self._process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def record(self, tests: Sequence[str], files: Collection[Path]) -> Recorded:
        """Run all of these, and see which comes by which line of these files. What fails as it is, is left out."""
        found = self._folder / "recorded.json"
        self._run(tests, LONGEST_S, {"record": str(found), "files": [str(path) for path in files]})
        said = json.loads(found.read_text())
        if said["failed"]:
            print(f"left out, for they fail as it is: {', '.join(said['failed'])}", flush=True)
        at = {path: {int(line): names for line, names in lines.items()} for path, lines in said["at"].items()}
        return Recorded(at, said["seconds"])

    @property
    def failed(self) -> str:
        """The test that failed in the last run; empty where none did, as when it took too long."""
        return (self._folder / "failed.txt").read_text()

    def green(self, tests: Sequence[str], only: Sequence[str], at_most_s: float) -> bool:
        """Whether these of the tests pass, in this order, within so many seconds."""
        return self._run(tests, at_most_s, {"only": list(only)})

    def _run(self, tests: Sequence[str], at_most_s: float, more: dict[str, Any]) -> bool:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"tests": list(tests), "at_most_s": at_most_s, **more}), file=self._process.stdin, flush=True)
        ended = json.loads(self._process.stdout.readline())
        if ended in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
            raise RuntimeError(f"pytest ended with {ended}: {(self._folder / 'run.txt').read_text()[-2_000:]}")
        return bool(ended == 0)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Only:
    """Some of the tests, in an order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            Path("failed.txt").write_text(report.nodeid)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        found = {item.nodeid: item for item in items}
        items[:] = [found[name] for name in self._names]


class Lines:
    """Sees which lines of some files each test comes by, and what each takes."""

    def __init__(self, files: Collection[str]) -> None:
        self._files = {str(Path(path).absolute()): path for path in files}
        self._now: set[tuple[str, int]] = set()
        self._always: set[tuple[str, int]] = set()
        self.at: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        self.seconds: dict[str, float] = {}
        self._failed: set[str] = set()
        sys.settrace(self._enter)
        threading.settrace(self._enter)

    def _enter(self, frame: FrameType, event: str, arg: object) -> Any:
        path = self._files.get(frame.f_code.co_filename)
        if path is None:
            return None
        now = self._now

        def line(frame: FrameType, event: str, arg: object) -> Any:
            self._now.add((path, frame.f_lineno))
            return line

        now.add((path, frame.f_lineno))
        return line

    def pytest_collection_finish(self) -> None:
        self._always, self._now = self._now, set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self._now, begun = set(), time.monotonic()
        sys.settrace(self._enter)  # whatever turned it off in the test before
        done = yield
        self.seconds[item.nodeid] = time.monotonic() - begun
        for path, number in self._now:
            self.at[path][number].append(item.nodeid)
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)

    def write(self, path: Path) -> None:
        for name, number in self._always:
            self.at[name][number] = list(self.seconds)
        for lines in self.at.values():
            for number, names in lines.items():
                lines[number] = [name for name in names if name not in self._failed]
        path.write_text(json.dumps({"at": self.at, "seconds": self.seconds, "failed": sorted(self._failed)}))


def _serve() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        said = json.loads(line)
        pid = os.fork()
        if not pid:
            _one(said)
        print(json.dumps(_ended(pid, said["at_most_s"])), flush=True)


def _one(said: dict[str, Any]) -> None:
    os.setsid()
    out = os.open("run.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    lines = Lines(said["files"]) if "record" in said else None
    only = Only(said["only"]) if "only" in said else None
    Path("failed.txt").write_text("")
    plain = [*([] if lines else ["-x"]), "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:schemathesis"]
    code = pytest.main([*plain, *said["tests"]], [plugin for plugin in (lines, only) if plugin])
    sys.settrace(None)
    if lines is not None:
        lines.write(Path(said["record"]))
    sys.stdout.flush()
    os._exit(int(code))


def _ended(pid: int, at_most_s: float) -> int | None:
    """How it ended; None where it did not in time."""
    until = time.monotonic() + at_most_s
    try:
        while time.monotonic() < until:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(LOOK_S)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # a server that a test left behind


if __name__ == "__main__":
    _serve()

"""
The distributed form on this machine: real Kafka, real PostgreSQL, a gateway, and one process per service.

Intake and dispatcher have a second process each, which serves reads and takes the lease over when the first is gone.
Everything listens on loopback, logs into `<data>/up/`, and is ended by its pid.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from deploy import command_line, free_port, until
from deploy.kafka.local import LocalKafka
from deploy.postgres import local as postgres
from deploy.postgres.local import LocalPostgres

SERVICES = ("intake", "dispatcher", "fieldwork", "inventory", "quality", "reporting")
TWICE = ("intake", "dispatcher")
DATABASE = "fieldloop"


@dataclass(frozen=True)
class Process:
    """One process of ours."""

    name: str
    """`gateway`, `intake`, or `intake-2` for a second one."""
    serves: str
    pid: int
    url: str

    @property
    def alive(self) -> bool:
        # After a crash the number may have gone to another process.
        words = command_line(self.pid).replace("\0", " ")
        return f"serve {self.serves}" in words and self.url.rpartition(":")[2] in words

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)


class Installation:
    """All processes over one data directory; whoever names the same directory speaks of the same ones."""

    def __init__(self, data: Path, port: int = 8080) -> None:
        self.data = data.resolve()
        self.port = port
        self.folder = self.data / "up"
        self._file = self.folder / "processes.json"
        self.kafka = LocalKafka(self.data / "kafka")
        self.postgres = LocalPostgres(self.data / "postgres")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def processes(self) -> list[Process]:
        """Those that were started and not ended, alive or not."""
        try:
            return [Process(**one) for one in json.loads(self._file.read_text())]
        except FileNotFoundError:
            return []

    def env(self) -> dict[str, str]:
        """What a command needs to work on these stores."""
        return {
            "FIELDLOOP_DATA": str(self.data),
            "FIELDLOOP_BUS": f"kafka:{self.kafka.bootstrap}",
            "FIELDLOOP_STORE": self.postgres.dsn(DATABASE),
            "FIELDLOOP_URL": self.url,
        }

    def up(self, within: float = 90.0) -> list[Process]:
        """Start what does not run. Raises RuntimeError with what is missing, or with the end of a log."""
        postgres.install()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kafka.start()
        self.postgres.start()
        self.postgres.create_database(DATABASE)
        known = {process.name: process for process in self.processes if process.alive}
        names = [*SERVICES, *[f"{name}-2" for name in TWICE]]
        urls = {name: known[name].url if name in known else f"http://127.0.0.1:{free_port()}" for name in names}
        for name, url in {"gateway": self.url, **urls}.items():
            if name not in known:
                known[name] = self.start(name, url, self._neighbours(name, urls))
                # At once, so that `down` ends also what an interrupted `up` had begun.
                self._note(known.values())
        self.wait_ready(list(known.values()), within)
        return list(known.values())

    def start(self, name: str, url: str, more: Mapping[str, str]) -> Process:
        """Start one process; it may not answer yet."""
        serves, port = name.removesuffix("-2"), url.rpartition(":")[2]
        command = [sys.executable, "-m", "services.cli", "serve", serves, "--port", port]
        with (self.folder / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(
                command,
                env={**os.environ, **self.env(), **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return Process(name, serves, started.pid, url)

    def restart(self, process: Process) -> Process:
        """Start a process that has ended again, where it was."""
        urls = {one.name: one.url for one in self.processes if one.serves != "gateway"}
        again = self.start(process.name, process.url, self._neighbours(process.name, urls))
        self._note([again if one.name == process.name else one for one in self.processes])
        return again

    def _neighbours(self, name: str, urls: Mapping[str, str]) -> dict[str, str]:
        """Where a process finds the others: the services find the gateway, and the gateway all of them."""
        if name != "gateway":
            return {"FIELDLOOP_GATEWAY": self.url}
        of = {service: [url for one, url in urls.items() if one.removesuffix("-2") == service] for service in SERVICES}
        return {"FIELDLOOP_REPLICAS": ";".join(f"{service}={','.join(found)}" for service, found in of.items())}

    def _note(self, processes: Iterable[Process]) -> None:
        self._file.write_text(json.dumps([asdict(one) for one in processes], indent=1))

    def wait_ready(self, processes: Sequence[Process], within: float) -> None:
        """Wait until every one answers. Raises RuntimeError with the end of the log of one that does not."""
        deadline = time.monotonic() + within
        for process in processes:
            if not until(partial(_settled, process), deadline - time.monotonic()):
                raise RuntimeError(f"{process.name} is not ready. {self._log_of(process)}")
            if not command_line(process.pid):
                raise RuntimeError(f"{process.name} has ended. {self._log_of(process)}")

    def _log_of(self, process: Process) -> str:
        path = self.folder / f"{process.name}.log"
        return f"{path} ends:\n" + "\n".join(path.read_text(errors="replace").splitlines()[-20:])

    def down(self, patience: float = 15.0) -> None:
        """End all in good order: the services, then what they stand on. The data stays."""
        processes = self.processes
        for process in processes:
            process.signal(signal.SIGTERM)
        until(lambda: not any(process.alive for process in processes), patience)
        for process in processes:
            process.signal(signal.SIGKILL)
        self._file.unlink(missing_ok=True)
        self.kafka.stop()
        self.postgres.stop()


def _settled(process: Process) -> bool:
    """It answers, or it never will."""
    return _answers(process.url) or not command_line(process.pid)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/livez", timeout=2) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FIELDLOOP_DATA", ".fieldloop/distributed")))
    parser.add_argument("--port", type=int, default=8080, help="of the gateway")
    options = parser.parse_args()
    installation = Installation(options.data, options.port)
    try:
        if options.action == "down":
            installation.down()
            print(f"ended; the data stays in {installation.data}")
            return
        begun = time.monotonic()
        for process in installation.up():
            print(f"  {process.name:12} {process.url:24} pid {process.pid}")
    except RuntimeError as error:
        sys.exit(str(error))
    print(f"up in {time.monotonic() - begun:.0f} s; the API: {installation.url}. To work on these stores:")
    for name, value in installation.env().items():
        print(f"  export {name}={value}")


if __name__ == "__main__":
    main()

"""
The real Apache Kafka on this machine: one KRaft node on loopback, run from its published jars.

For development and tests. With a single copy of the data, an acknowledged message outlives the broker's process
(the kernel has it by then) but not a power cut.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Literal, Self

from deploy import command_line, free_port, until

BOOTSTRAP = "FIELDLOOP_KAFKA_BOOTSTRAP"
"""Names a broker that already runs somewhere; nothing is started then."""
CACHE = "FIELDLOOP_CACHE"
"""Where downloads are kept between runs, in place of ~/.cache/fieldloop."""

HERE = Path(__file__).parent
VERSION = re.findall("<kafka.version>(.+)</", (HERE / "pom.xml").read_text())[0]
STARTED = b"Kafka Server started"
"""Logged once the broker is open to clients and unfenced; an open port alone comes a little too early."""

Choice = Literal["bootstrap", "java", "docker"]


@dataclass(frozen=True)
class Member:
    """What a broker must know of its cluster. Each of them votes."""

    node: int
    controllers: Mapping[int, int]
    """Per node, the port of its controller."""
    cluster_id: str = ""

    @staticmethod
    def alone() -> Member:
        return Member(1, {1: free_port()})


def new_cluster_id() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class LocalKafka:
    """
    One broker, known by its data directory: any process that names the same directory speaks of the same broker.

    The data and the port stay the same over restarts, after a kill too. All methods block; none needs an event loop.
    """

    def __init__(
        self, data: Path, port: int | None = None, *, found_at: int | None = None, member: Member | None = None
    ) -> None:
        """
        Without `port`, the broker keeps the one it had; a new one takes any that is free.

        Clients are sent to the port `found_at` where something stands before the broker, such as a proxy. A `member`
        of a cluster waits for the others: start most of them at a time.
        """
        self.data = data.resolve()
        self._found_at, self._member = found_at, member
        self.log = self.data / "broker.log"
        self._config = self.data / "server.properties"
        self._pid_file = self.data / "broker.pid"
        self._port_file = self.data / "port"
        self._wanted_port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect. Known from the first start on."""
        return f"127.0.0.1:{self._port_file.read_text()}"

    @property
    def pid(self) -> int | None:
        """The process id while the broker runs, no matter which process started it."""
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        # After a crash the number may have gone to another process; only ours names our configuration.
        return pid if str(self._config) in command_line(pid) else None

    def start(self, within: float = 60.0) -> str:
        """
        Start the broker and return its address once it serves clients; one that runs already is left as it is.

        Brings the jars first if need be. Raises RuntimeError with the end of the log when the broker gives up or is not
        ready `within` that many seconds.
        """
        install()
        self.data.mkdir(parents=True, exist_ok=True)
        with _lock(self.data / "lock"):
            if self.pid is None:
                self._configure()
                self._format()
                self._launch(within)
        return self.bootstrap

    def stop(self, patience: float = 20.0) -> None:
        """End the broker in good order, or by force when its `patience` in seconds is over."""
        if not self._signal(signal.SIGTERM, patience):
            self.kill()

    def kill(self) -> None:
        """End the broker as a crash would. Returns when the process is gone."""
        if not self._signal(signal.SIGKILL, patience=10.0):
            raise RuntimeError(f"process {self.pid} outlived SIGKILL")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _configure(self) -> None:
        if self._wanted_port or not self._port_file.exists():
            self._port_file.write_text(str(self._wanted_port or free_port()))
        member, port = self._member or Member.alone(), int(self._port_file.read_text())
        template = Template((HERE / "server.properties").read_text())
        self._config.write_text(
            template.substitute(
                node=member.node,
                voters=",".join(f"{node}@127.0.0.1:{at}" for node, at in member.controllers.items()),
                port=port,
                found_at=self._found_at or port,
                controller_port=member.controllers[member.node],
                logs=self.data / "logs",
            )
        )

    def _format(self) -> None:
        if (self.data / "logs/meta.properties").exists():
            return
        cluster_id = self._member.cluster_id if self._member else new_cluster_id()
        tool = _java("kafka.tools.StorageTool", "-XX:TieredStopAtLevel=1")
        # Prefixed, because a cluster id that began with "-" would be read as an option.
        _run([*tool, "format", f"--cluster-id={cluster_id}", "--config", str(self._config), "--ignore-formatted"])

    def _launch(self, within: float) -> None:
        # The compression libraries unpack native code here; a hardened /tmp would not let it run.
        scratch = self.data / "tmp"
        scratch.mkdir(exist_ok=True)
        flags = ["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", f"-Djava.io.tmpdir={scratch}"]
        flags.append(f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}")
        with self.log.open("ab") as log:
            begin = log.tell()
            process = self._process = subprocess.Popen(
                [*_java("kafka.Kafka", *flags), str(self._config)],
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(str(process.pid))

        def said() -> bytes:
            return self.log.read_bytes()[begin:]

        until(lambda: process.poll() is not None or STARTED in said(), within)
        if process.poll() is not None or STARTED not in said():
            self.kill()
            raise RuntimeError(f"Kafka did not start within {within:g} s. {self.log} ends:\n{_tail(said())}")

    def _signal(self, number: signal.Signals, patience: float) -> bool:
        """Whether the broker is gone, at once or in time after the signal."""
        if pid := self.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        gone = until(lambda: self.pid is None, patience)
        if gone and self._process:
            self._process.wait()
        return gone


def missing() -> str | None:
    """What this machine lacks to run Kafka from its jars, with the command that installs it; None if nothing."""
    lacks = {}
    if _java_version() < 17:
        lacks["Java 17 or newer"] = "default-jre-headless"
    if not _installed() and not shutil.which("mvn"):
        lacks["Maven (to fetch Kafka once)"] = "maven"
    if not lacks:
        return None
    command = "apt-get install -y" if shutil.which("apt-get") else "install with your package manager:"
    return f"Kafka needs {' and '.join(lacks)}: {command} {' '.join(lacks.values())}"


def install() -> None:
    """
    Bring the pinned jars into the cache: about 45 MB over the network the first time, nothing after that.

    Safe to call from several processes at once. Raises RuntimeError when something is missing, when Maven fails, or
    when a jar is not the pinned one; the cache is then left without any of them.
    """
    if need := missing():
        raise RuntimeError(need)
    if _installed():
        return
    home = jars()
    home.parent.mkdir(parents=True, exist_ok=True)
    with _lock(Path(f"{home}.lock")), TemporaryDirectory(dir=home.parent) as scratch:
        if _installed():
            return
        fresh = Path(scratch, "jars")
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        _run(["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), *goal])
        verify(fresh)
        shutil.rmtree(home, ignore_errors=True)
        fresh.rename(home)


def verify(folder: Path) -> None:
    """Raise RuntimeError unless `folder` holds exactly the pinned files, byte for byte."""
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.iterdir()}
    if wrong := {name for name, _ in found.items() ^ _pinned().items()}:
        raise RuntimeError(f"not as pinned in jars.sha256: {', '.join(sorted(wrong))}")


def jars() -> Path:
    """Where the jars of this version are, or will be."""
    return Path(os.environ.get(CACHE) or Path.home() / ".cache/fieldloop") / f"kafka-{VERSION}"


def engine_answers() -> bool:
    """Whether a Docker engine answers to the client that would start the container."""
    # No client, no socket, no permission, no answer: each fails with a type of its own, and all of them mean no.
    with suppress(Exception):
        from testcontainers.core.docker_client import DockerClient

        return bool(DockerClient().client.ping())
    return False


def choose(
    needs: Callable[[], str | None] = missing,
    engine: Callable[[], bool] = engine_answers,
    env: Mapping[str, str] = os.environ,
) -> Choice | None:
    """The way to a broker here: one that is named, else Java, else Docker; None when there is no way."""
    if env.get(BOOTSTRAP):
        return "bootstrap"
    if needs() is None:
        return "java"
    return "docker" if engine() else None


@contextmanager
def broker(data: Path) -> Iterator[str]:
    """The address of a broker, had in the chosen way; what was started for it ends with the block."""
    match choose():
        case "bootstrap":
            yield os.environ[BOOTSTRAP]
        case "java":
            with LocalKafka(data) as kafka:
                yield kafka.bootstrap
        case "docker":
            with _container() as bootstrap:
                yield bootstrap
        case None:
            raise RuntimeError(f"{missing()}, or a Docker engine, or {BOOTSTRAP}")


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.community.kafka import KafkaContainer

    container = KafkaContainer().with_kraft()
    # As in server.properties, where the reasons are.
    container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
    container.with_env("KAFKA_MESSAGE_MAX_BYTES", "16777216")
    container.with_env("KAFKA_REPLICA_FETCH_MAX_BYTES", "16777216")
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
    with container:
        yield container.get_bootstrap_server()


def _pinned() -> dict[str, str]:
    lines = (HERE / "jars.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _installed() -> bool:
    # `install` moves the folder into place only after it was verified, so the names are enough here.
    return {jar.name for jar in jars().glob("*")} == _pinned().keys()


def _java_executable() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin/java")) if home else "java"


def _java_version() -> int:
    try:
        answer = subprocess.run([_java_executable(), "-version"], check=False, capture_output=True, text=True).stderr
    except OSError:
        return 0
    version = re.search(r'version "(\d+)', answer)
    return int(version[1]) if version else 0


def _java(main: str, *flags: str) -> list[str]:
    return [_java_executable(), *flags, "-cp", f"{jars()}/*", main]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{_tail(done.stdout)}")


def _tail(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").splitlines()[-20:])


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Only one process at a time is inside. The kernel lets go when a holder dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.kafka.local", description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--data", type=Path, required=True, help="the broker's directory; made if absent")
    parser.add_argument("--port", type=int, help="default: the one it had, else any free one")
    options = parser.parse_args()
    kafka = LocalKafka(options.data, options.port)
    if options.action == "down":
        kafka.stop()
    else:
        print(kafka.start())


if __name__ == "__main__":
    main()

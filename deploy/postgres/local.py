"""
The real PostgreSQL on this machine: one server on loopback with its own data directory, apart from any system service.

For development and tests. Commits are flushed as in production, so they outlive a crash; whoever can connect to
loopback is let in without a password.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Self
from urllib.parse import quote

from deploy import command_line, free_port, until

SUPERUSER = "postgres"
"""The server's superuser, and the account that runs the server when we are root."""
DEBIAN = Path("/usr/lib/postgresql")
"""Debian keeps the programs of each major version here and leaves them out of PATH."""


class LocalPostgres:
    """
    One server, known by its data directory; the data and the port stay the same over restarts, after a crash too.

    All methods block; none needs an event loop.
    """

    def __init__(self, data: Path, port: int | None = None) -> None:
        """Without `port`, the server keeps the one it had; a new one takes any that is free."""
        self.data = data.resolve()
        self.log = self.data / "server.log"
        self._port_file = self.data / "port"
        self._wanted_port = port

    @property
    def port(self) -> int:
        """Known from the first start on."""
        return int(self._port_file.read_text())

    @property
    def pid(self) -> int | None:
        """The process id while the server runs, no matter which process started it."""
        pid = self._noted_pid()
        # After a crash the number may have gone to another process; only ours was given our port.
        return pid if pid and f"port={self.port}" in command_line(pid) else None

    def dsn(self, dbname: str = "postgres") -> str:
        """The address of one database, which need not exist yet."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{quote(dbname, safe='')}"

    def start(self, within: float = 60.0) -> str:
        """
        Start the server and return the address of its `postgres` database once it accepts connections.

        One that runs already is left as it is. Raises RuntimeError with the end of the log when it gives up or is not
        ready `within` that many seconds.
        """
        if need := missing():
            raise RuntimeError(need)
        if self.pid is None:
            self._initialise()
            self._launch(within)
        return self.dsn()

    def create_database(self, name: str) -> str:
        """Create the database unless it exists, and return its address."""
        psql = [_program("psql"), "-X", "-A", "-t", self.dsn()]
        query = "SELECT format('CREATE DATABASE %I', :'name') WHERE :'name' NOT IN (SELECT datname FROM pg_database)"
        done = subprocess.run(
            [*psql, "-v", "ON_ERROR_STOP=1", "-v", f"name={name}"],
            check=False,
            input=f"{query} \\gexec\n",
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return self.dsn(name)

    def stop(self) -> None:
        """End the server in good order: open transactions are rolled back, everything is on disk."""
        self._stop("fast")

    def kill_immediate(self) -> None:
        """End the server as a crash would, so that the next start recovers from the log of changes."""
        self._stop("immediate")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if account := _account():
            os.chown(self.data, account.pw_uid, account.pw_gid)
        # The C locale sorts by code point, on every machine in the same way.
        flags = ["--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-locale"]
        done = self._run("initdb", *flags)
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}")

    def _noted_pid(self) -> int | None:
        """What the server wrote down when it started. A killed one leaves the note."""
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None

    def _launch(self, within: float) -> None:
        if self._wanted_port or not self._port_file.exists():
            self._port_file.write_text(str(self._wanted_port or free_port()))
        # The socket lies in the data directory; a relative name, because the system cuts long ones (at 107 bytes).
        settings = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories=."
        # A busy process of a service has a dozen; of PostgreSQL's usual 100, eight of them leave none for a command.
        settings += " -c max_connections=300"
        # A killed server that its parent has not buried yet still has its number, and PostgreSQL takes it for alive.
        until(lambda: not _is_dead_but_unburied(self._noted_pid()), within)
        limit = f"{within:.0f}"
        log = f"{{data}}/{self.log.name}"
        if self._run("pg_ctl", "start", "--wait", "--timeout", limit, "--log", log, "-o", settings).returncode:
            end = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            self.kill_immediate()
            raise RuntimeError(f"PostgreSQL did not start within {limit} s. {self.log} ends:\n{end}")

    def _stop(self, mode: str) -> None:
        if self.pid is None:
            return
        done = self._run("pg_ctl", "stop", "--wait", "--mode", mode)
        if done.returncode and self.pid:
            raise RuntimeError(f"PostgreSQL does not stop: {done.stdout.strip()}")

    def _run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program on the data directory, which `{data}` stands for in the arguments."""
        account = _account()
        folder = os.open(self.data, os.O_RDONLY)
        # The account we change to may not be allowed to walk to the data directory: /root, or pytest's directories, are
        # closed to others. They stay closed: the directory is opened while we are root, and this link leads the
        # program, and the server it starts, straight to what is open. (Linux only, as is a server started by root.)
        data = f"/proc/self/fd/{folder}" if account else str(self.data)
        try:
            return subprocess.run(
                [_program(program), "-D", data, *(argument.format(data=data) for argument in arguments)],
                check=False,
                # Up to version 15 the programs leave the directory they start in and must be able to come back.
                cwd="/",
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                pass_fds=[folder] if account else [],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        finally:
            os.close(folder)


def missing() -> str | None:
    """What this machine lacks to run PostgreSQL, with the command that installs it; None if nothing."""
    try:
        _program("initdb")
        _account()
    except LookupError as lack:
        command = "apt-get install -y" if shutil.which("apt-get") else "install with your package manager:"
        return f"PostgreSQL needs {lack.args[0]}: {command} postgresql"
    return None


def install() -> None:
    """Install PostgreSQL where apt-get can do it for us, as root; elsewhere raise RuntimeError that says what to do."""
    need = missing()
    if need is None:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError(need)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], check=True, env=quiet)
    subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", "postgresql"], check=True, env=quiet)


def _program(name: str) -> str:
    """The program of the version in PATH, else of Debian's newest. Raises LookupError."""
    if found := shutil.which("initdb"):
        return str(Path(found).resolve().with_name(name))  # A link in PATH may be there without its neighbours.
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise LookupError("its server programs")
    return str(versions[-1].with_name(name))


def _is_dead_but_unburied(pid: int | None) -> bool:
    if pid is None or command_line(pid):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _account() -> pwd.struct_passwd | None:
    """Whom to become, because PostgreSQL refuses to run as root; None for anyone else. Raises LookupError."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SUPERUSER)
    except KeyError:
        raise LookupError(f"the account `{SUPERUSER}` (root may not run it)") from None

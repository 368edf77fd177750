"""What runs Fieldloop, and what it runs on."""

import random
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def free_port() -> int:
    """
    A loopback port that nobody uses now; another process may take it before the caller does.

    It lies below the range from which the kernel serves outgoing connections (32768 and up on Linux). Inside that range
    a client that knocks at a server which is down may be given the server's own port, connect to itself and keep the
    server from coming back.
    """
    # A test runner that seeds `random` would send parallel workers to the same ports.
    for port in random.SystemRandom().sample(range(20_000, 30_000), 1_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free loopback port between 20000 and 30000")


STARTED_S = 1.0
"""So soon a process that was started has its program."""


def command_line(pid: int) -> str:
    """What `pid` runs; empty for a process that is gone, or dead and not yet reaped."""
    if Path("/proc/self/cmdline").exists():
        text, begun = "", time.monotonic()
        with suppress(OSError):
            # Of one that has just been started it is empty for a moment, before its program is in place.
            while not (text := Path(f"/proc/{pid}/cmdline").read_text(errors="replace")):
                state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
                if state in "ZX" or time.monotonic() > begun + STARTED_S:
                    break
                time.sleep(0.001)
        return text
    ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, check=False, capture_output=True, text=True).stdout


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for the condition; False when it still does not hold after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True

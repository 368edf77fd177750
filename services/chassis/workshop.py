"""
Work on foreign bytes and on paper, in processes of its own: a picture that breaks its decoder breaks nothing else.

    PICTURES = Workshop("services.chassis.pictures.jobs")     # a module with JOBS, which a child loads and little else
    picture = await PICTURES.done("picture", sent, within_s=20)

At most `AT_ONCE` children work at a time; each is started when it is first wanted, holds no store and no key, may take
`MEMORY_BYTES`, and has one job after the other. The one that worked last is asked first, for it is warm; one that had
no job for `IDLE_S` is ended and gives its memory back. One that dies, or takes too long, is killed and the next job has
a new one (decision 20). What a child answers is read as data and never as code.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue
from typing import IO, Any, Final, Literal, NamedTuple

import msgspec

AT_ONCE: Final = 2
MEMORY_BYTES: Final = 1_200_000_000
"""Of addresses: the largest picture that we take needs two thirds of it."""


IDLE_S: Final = 600.0


class Job(NamedTuple):
    """What a child can do, what it is given and what it gives."""

    work: Callable[[Any], Any]
    takes: Any
    gives: Any
    refuses: tuple[type[Exception], ...] = ()
    """What the work raises where it is the sender's fault; the more special ones first."""


Jobs = Mapping[str, Job]


class Died(Exception):
    """The child ended without an answer: what it was given broke it."""


class _Answer(msgspec.Struct):
    outcome: Literal["done", "refused", "failed"]
    result: msgspec.Raw = msgspec.Raw(b"\xc0")
    refusal: int = 0
    """Which of those that the job names."""
    why: str = ""


def _jobs_of(module: str) -> Jobs:
    jobs: Jobs = importlib.import_module(module).JOBS
    return jobs


class _Child:
    """One process, started when it is first wanted; it has one job at a time."""

    def __init__(self, module: str, memory_bytes: int) -> None:
        self._module, self._jobs, self._memory_bytes = module, _jobs_of(module), memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._rest: threading.Timer | None = None

    @property
    def pid(self) -> int:
        """0 while there is none."""
        return self._process.pid if self._process else 0

    def kill(self) -> None:
        self.wanted()
        if self._process:
            self._process.kill()
            self._process.wait()

    def wanted(self) -> None:
        """It does not end for want of work."""
        if self._rest:
            self._rest.cancel()
            self._rest.join()
            self._rest = None

    def rests(self, idle_s: float) -> None:
        """It has no job, and ends if none comes."""
        self._rest = threading.Timer(idle_s, self._ended)
        self._rest.daemon = True
        self._rest.start()

    def _ended(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def do(self, job: str, given: object, within_s: float) -> Any:
        process = self._started()
        took_too_long = threading.Event()

        def end() -> None:
            took_too_long.set()
            process.kill()

        late = threading.Timer(within_s, end)
        late.start()
        try:
            answer = self._asked(process, msgspec.msgpack.encode((job, msgspec.Raw(msgspec.msgpack.encode(given)))))
        finally:
            late.cancel()
        if answer is None:
            self._process = None
            process.kill()
            if took_too_long.is_set():
                raise TimeoutError
            raise Died(f"exit {process.wait()}")
        match answer.outcome:
            case "done":
                return msgspec.msgpack.decode(answer.result, type=self._jobs[job].gives)
            case "refused":
                raise self._jobs[job].refuses[answer.refusal](answer.why)
            case _:
                raise RuntimeError(answer.why)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.chassis.workshop", self._module, str(self._memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # What a terminal tells us is not told to it: it ends when its parent does.
                start_new_session=True,
            )
        return self._process

    def _asked(self, process: subprocess.Popen[bytes], frame: bytes) -> _Answer | None:
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            _write(process.stdin, frame)
            if told := _read(process.stdout):
                return msgspec.msgpack.decode(told, type=_Answer)
        return None


def _write(pipe: IO[bytes], frame: bytes) -> None:
    pipe.write(len(frame).to_bytes(4, "big") + frame)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes:
    """The next frame; nothing where the other end is closed."""
    head = pipe.read(4)
    frame = pipe.read(int.from_bytes(head, "big"))
    return frame if len(head) == 4 and len(frame) == int.from_bytes(head, "big") else b""


class Workshop:
    """Some children, and a thread for each that waits for it."""

    def __init__(
        self, module: str, at_once: int = AT_ONCE, memory_bytes: int = MEMORY_BYTES, idle_s: float = IDLE_S
    ) -> None:
        self.children = [_Child(module, memory_bytes) for _ in range(at_once)]
        self._idle_s = idle_s
        self._idle: LifoQueue[_Child] = LifoQueue()
        for child in self.children:
            self._idle.put(child)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="workshop")

    async def done(self, job: str, given: object, *, within_s: float) -> Any:
        """Raises TimeoutError where it takes longer, also behind others; Died; and what the work raises."""
        async with asyncio.timeout(within_s):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._do, job, given, within_s)

    def _do(self, job: str, given: object, within_s: float) -> Any:
        child = self._idle.get()
        child.wanted()
        try:
            return child.do(job, given, within_s)
        finally:
            child.rests(self._idle_s)
            self._idle.put(child)

    def close(self) -> None:
        """End the children, whatever they do."""
        for child in self.children:
            child.kill()
        self._threads.shutdown()
        for child in self.children:
            child.wanted()  # Nobody waits for its end.


# In the child.


def serve(jobs: Jobs, given: IO[bytes], gives: IO[bytes]) -> None:
    """Do one job after the other until the parent has gone."""
    while frame := _read(given):
        _write(gives, msgspec.msgpack.encode(_answer(jobs, frame)))


def _answer(jobs: Jobs, frame: bytes) -> _Answer:
    name, said = msgspec.msgpack.decode(frame, type=tuple[str, msgspec.Raw])
    job = jobs[name]
    try:
        result = job.work(msgspec.msgpack.decode(said, type=job.takes))
    except job.refuses as no:
        which = next(number for number, kind in enumerate(job.refuses) if isinstance(no, kind))
        return _Answer("refused", refusal=which, why=str(no)[:500])
    except Exception as error:
        return _Answer("failed", why=f"{type(error).__name__}: {error}"[:500])
    return _Answer("done", msgspec.Raw(msgspec.msgpack.encode(result)))


if __name__ == "__main__":
    module, memory_bytes = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The one pipe is for answers: whatever a library prints goes elsewhere.
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr
    serve(_jobs_of(module), sys.stdin.buffer, answers)

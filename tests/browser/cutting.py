"""A way to the demo on which event streams are cut: at any byte, and as often as was asked."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Cutting:
    """Passes all on to an address; answers to `GET /v1/live` end after a random number of bytes, `cuts` times."""

    def __init__(self, url: str, cuts: int, seed: int) -> None:
        parts = urlsplit(url)
        self._to = (str(parts.hostname), int(parts.port or 80))
        self._left, self._random = cuts, random.Random(seed)
        self.streams = threading.Condition()
        self.begun = self.cut = 0
        """How many streams have begun, and how many of them were cut."""
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(browser,), daemon=True).start()

    def _serve(self, browser: socket.socket) -> None:
        demo = socket.create_connection(self._to)
        budget: list[int] = []  # bytes until the cut, once a stream was asked for
        threading.Thread(target=self._answer, args=(demo, browser, budget), daemon=True).start()
        try:
            while asked := browser.recv(65_536):
                if asked.startswith(b"GET /v1/live"):
                    with self.streams:
                        self.begun += 1
                        if self._left > 0:
                            self._left -= 1
                            # The first one begins: a screen without a cursor has nothing to go on from.
                            budget.append(self._random.randint(700 if self.begun == 1 else 200, 1_500))
                        self.streams.notify_all()
                demo.sendall(asked)
        except OSError:
            pass
        finally:
            _end(demo)

    def _answer(self, demo: socket.socket, browser: socket.socket, budget: list[int]) -> None:
        try:
            while part := demo.recv(65_536):
                if budget and len(part) >= budget[0]:
                    browser.sendall(part[: budget[0]])
                    with self.streams:
                        self.cut += 1
                        self.streams.notify_all()
                    break
                if budget:
                    budget[0] -= len(part)
                browser.sendall(part)
        except OSError:
            pass
        finally:
            _end(browser)
            _end(demo)


def _end(side: socket.socket) -> None:
    # Closed alone, it would stay open as long as the other thread reads from it.
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()

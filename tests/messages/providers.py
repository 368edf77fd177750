"""
Providers to send to: a gateway that really speaks HTTP, a server that really speaks SMTP, and one to give orders to.

    with gateway() as it:
        it.answers = 503
        ...  # whatever sends to it.url
        assert it.keys == ["…"]
"""

from __future__ import annotations

import json
import socketserver
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from services.chassis.messages.message import Away

SECRET = "a secret of enough characters"


class Orders:
    """A provider within the process that does as it is told."""

    def __init__(self):
        self.calls = []
        self.fails = None
        """Raised in place of an answer, as long as it stands."""

    async def send(self, message):
        self.calls.append(message)
        if self.fails:
            raise self.fails
        return f"ref-{len(self.calls)}"

    async def close(self):
        pass


class Armed:
    """A provider that nobody may call."""

    def __init__(self):
        self.calls = []

    async def send(self, message):
        self.calls.append(message)
        raise Away("nobody may send now")

    async def close(self):
        pass


@contextmanager
def _serving(server):
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Post(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.took.append((dict(self.headers), body))
        if self.server.before_answer:
            self.server.before_answer(len(self.server.took))
        answer = json.dumps({"id": f"SM-{len(self.server.took)}"}).encode()
        self.send_response(self.server.answers)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Gateway(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Whoever called may be gone by now; some tests kill it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Post)
        self.took = []
        """Headers and body of every call, in order."""
        self.answers = 200
        self.before_answer = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/messages"

    @property
    def keys(self):
        return [headers["Idempotency-Key"] for headers, _ in self.took]

    @property
    def bodies(self):
        return [json.loads(body) for _, body in self.took]


def gateway():
    return _serving(Gateway())


class _Session(socketserver.StreamRequestHandler):
    """What RFC 5321 asks of a server that takes mail and nothing else."""

    def handle(self):
        self._say("220 here")
        while line := self.rfile.readline():
            verb = line.decode().strip().upper()
            self.server.said.append(verb)
            match verb.split(" ")[0].split(":")[0]:
                case "EHLO" | "HELO":
                    self._say("250-here\r\n250 AUTH PLAIN" if self.server.auth else "250 here")
                case "RCPT":
                    self._say(self.server.answers)
                case "DATA":
                    self._say("354 go on")
                    self._take()
                    if self.server.before_answer:
                        self.server.before_answer(len(self.server.mails))
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _take(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b"..") else line)
        self.server.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))

    def _say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails, self.said = [], []
        self.answers = "250 ok"
        """To RCPT."""
        self.auth = False
        self.before_answer = None
        self.address = f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        """As above."""

    @property
    def keys(self):
        return [mail["Message-ID"].strip("<>").partition("@")[0] for mail in self.mails]


def mail_server():
    return _serving(MailServer())

"""E-mail, through the SMTP server of a company or its provider."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

from services.chassis.messages.message import Away, Message, Refused

AT_ONCE: Final = 4
SOCKET_S: Final = 8.0
"""For each answer of the server; less than a whole call may take."""


class Smtp:
    """
    A server by its address, `smtp://USER:PASSWORD@HOST:PORT` or `smtps://…` for TLS from the first byte.

    On `smtp` the line is encrypted where the server offers it; name and password never go over one that is not.
    Mail knows no idempotency key: a message's `Message-ID` follows from its key, so one that is sent twice after a
    crash is one mail to whoever files by it.
    """

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "smtps"
        self._host, self._port = parts.hostname or "localhost", parts.port or (465 if self._tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._sender = sender
        self._domain = parseaddr(sender)[1].rpartition("@")[2]
        # smtplib blocks; these threads are its own, so that a slow server keeps nobody else waiting.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="smtp")

    async def send(self, message: Message) -> str:
        mail = self.mail(message)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, mail)
        return str(mail["Message-ID"])

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, message.recipient
        mail["Subject"] = " ".join(message.subject.split())
        mail["Message-ID"] = f"<{message.key}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body)
        mail["Content-Language"] = message.language
        return mail

    def _send(self, mail: EmailMessage) -> None:
        try:
            with self._connected() as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise _judged(error.recipients) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _judged({"": (error.smtp_code, _bytes(error.smtp_error))}) from None
        except smtplib.SMTPException as error:
            # Such as a wrong password: the installation's fault and not the message's, so it is tried again.
            raise Away(type(error).__name__) from None

    def _connected(self) -> smtplib.SMTP:
        if self._tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=SOCKET_S, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=SOCKET_S)
        try:
            encrypted = self._tls or self._encrypt(server)
            if self._user and not encrypted:
                raise Away("the server offers no encryption, and a password does not go without")
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _encrypt(self, server: smtplib.SMTP) -> bool:
        server.ehlo()
        if not server.has_extn("starttls"):
            return False
        server.starttls(context=ssl.create_default_context())
        return True


def _judged(answers: Mapping[str, tuple[int, bytes]]) -> Refused | Away:
    """5yz is for good, 4yz for now (RFC 5321, 4.2.1)."""
    code, words = next(iter(answers.values()))
    if code >= 500:
        return Refused(f"{code} {words.decode(errors='replace')}")
    return Away(f"the server answered {code}")


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()

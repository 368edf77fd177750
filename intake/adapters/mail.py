"""An e-mail as a mail server hands it over (RFC 5322): who writes, what they say, and whether a person wrote it."""

from __future__ import annotations

import hashlib
import re
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr
from html.parser import HTMLParser
from typing import Final, NamedTuple

MOST_TEXT: Final = 4_000
"""Characters of subject, text and the names of what was attached that are kept; `CUT` says that more was sent."""
CUT: Final = "\n[…]"

MOST_PICTURES: Final = 10
"""Of one letter; those that follow are named in its text."""

LONGEST_ID: Final = 150
"""Characters of a message's name; a longer one is replaced by its hash."""

_MACHINES: Final = re.compile("(mailer-daemon|postmaster|no-?reply|bounces?)([+._-].*)?@", re.IGNORECASE)
_NUL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


class NoMail(Exception):
    """It cannot be read as an e-mail; `en` and `zh` say why."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


class Letter(NamedTuple):
    """What was written."""

    message_id: str
    """The Message-ID; of a letter without one, its hash."""
    sender: str
    """The address in lower case."""
    text: str
    """The subject, the text, and the names of the files that came with it."""
    pictures: tuple[bytes, ...]
    """What came with it and says that it is a picture, MOST_PICTURES at most."""
    automatic: str
    """Why a machine wrote it, and nobody waits for an answer; empty for a person's."""

    @property
    def digest(self) -> str:
        """Of what it says; the lines that relays add on the way are not in it."""
        return hashlib.sha256(f"{self.sender}\n{self.text}".encode()).hexdigest()


def letter_of(content: bytes) -> Letter:
    """Raises NoMail."""
    try:
        mail = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(content)
        sender = parseaddr(_head(mail, "From"))[1].strip().lower()
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", sender):
            raise NoMail(
                "it has no sender: the header From is missing or no address", "没有发件人：缺少 From 或其地址无效"
            )
        text = "\n\n".join([part for part in (_head(mail, "Subject").strip(), _said(mail)) if part])
        files = [name for part in mail.iter_attachments() if (name := part.get_filename())]
        if files:
            text += f"\n\n[{', '.join(files)}]"
        pictures = [sent for part in mail.iter_attachments() if (sent := _picture(part))]
        message_id = _head(mail, "Message-ID").strip()
        if not message_id or len(message_id) > LONGEST_ID:
            message_id = f"sha256:{hashlib.sha256(message_id.encode() or content).hexdigest()}"
    except (MessageError, LookupError, ValueError, TypeError, AttributeError, IndexError) as error:
        # What the parser makes of headers that keep no rules is open-ended.
        raise NoMail(f"it breaks the rules of e-mails: {error}", f"邮件格式有误：{error}") from None
    said = _short(_NUL.sub("", text).strip())
    return Letter(message_id, sender, said, tuple(pictures[:MOST_PICTURES]), _why_automatic(mail, sender))


def _picture(part: EmailMessage) -> bytes:
    sent = part.get_payload(decode=True) if part.get_content_maintype() == "image" else b""
    return sent if isinstance(sent, bytes) else b""


def _head(mail: EmailMessage, name: str) -> str:
    return " ".join(str(mail.get(name, "")).split())


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - len(CUT)] + CUT


def _why_automatic(mail: EmailMessage, sender: str) -> str:
    """By RFC 3834 (Auto-Submitted), the older Precedence, and the marks of bounces and of mailing lists."""
    submitted = _head(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no"):
        return f"Auto-Submitted: {submitted}"
    precedence = _head(mail, "Precedence").lower()
    if precedence in ("bulk", "junk", "list", "auto_reply"):
        return f"Precedence: {precedence}"
    for name in ("List-Id", "X-Autoreply", "X-Failed-Recipients"):
        if mail.get(name):
            return name
    if _head(mail, "Return-Path") == "<>" or mail.get_content_type() == "multipart/report":
        return "bounce"
    return f"From: {sender.partition('@')[0]}" if _MACHINES.match(sender) else ""


def _said(mail: EmailMessage) -> str:
    body = mail.get_body(("plain", "html"))
    if body is None:
        return ""
    content = body.get_payload(decode=True)
    charset = body.get_content_charset("utf-8")
    raw = content if isinstance(content, bytes) else b""
    try:
        text = raw.decode("gb18030" if charset in ("gb2312", "gbk") else charset, "replace")
    except LookupError:  # A character set that nobody knows.
        text = raw.decode("utf-8", "replace")
    return (_plain(text) if body.get_content_type() == "text/html" else text).strip()


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "script")
        if tag in ("br", "p", "div", "tr", "li"):
            self.found.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)


def _plain(html: str) -> str:
    words = _Words()
    words.feed(html)
    words.close()
    lines = [" ".join(line.split()) for line in "".join(words.found).split("\n")]
    return "\n".join([line for line in lines if line])

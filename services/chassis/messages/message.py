"""What is told to whom, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from contracts.problems import NotYet
from services.chassis.messages.kinds import Language, Medium, WhyNotSent


class Address(NamedTuple):
    """Where a person is reached: a phone number, an e-mail address or a WeChat id, sealed as in the person's events."""

    medium: Medium
    sealed: str


class LinkTo(NamedTuple):
    """What the link in a message opens, and until when."""

    path: str
    """Of the API: `/v1/surveys/page`; the link's text follows as the parameter `link`."""
    purpose: str
    subject: str
    ends_at: datetime


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message before anything sealed is opened."""

    template: str
    language: Language
    person_id: str
    """Whom it is for, and the person under whose key its outcome is sealed."""
    addresses: tuple[Address, ...]
    """The one that is wanted most first."""
    subject: str
    body: str
    """Both with `{name}` where a word goes; `{link}` is the link."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Sealed where they are personal: of this person's only."""
    link: LinkTo | None = None
    wanted: bool = True
    """False: what it would say is not true any more; it is not sent, and that is recorded."""
    notice_id: str = ""
    """Of a notice to the staff; empty for a customer's message."""
    quiet_hours: str = ""
    """The recipient's own, as in `quiet.py`; empty: the installation's."""
    waits: bool = True
    """Quiet hours hold it until they end; False: it is urgent, or answers what she did a moment ago."""
    latest: datetime | None = None
    """Quiet hours that end later than this do not hold it: then it would come too late."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a message."""

    message_id: str
    medium: Medium | Literal[""] = ""
    recipient: str = ""
    """In clear; the writer seals it."""
    attempts: int = 1
    provider_ref: str = ""
    why_not: WhyNotSent | Literal[""] = ""
    """Empty: a provider took it."""
    detail: str = ""
    """The provider's words, in clear; the writer seals them."""


class Message(NamedTuple):
    """What a provider is given. The same message has the same key whenever it is sent again."""

    key: str
    """The event's id: the provider's idempotency key."""
    medium: Medium
    recipient: str
    subject: str
    """Where the medium has one."""
    body: str
    template: str
    language: Language


class Refused(Exception):
    """The provider will never take this message. The text is its own words, which may name the recipient."""


class Away(NotYet):
    """The provider did not take it now. The text is logged and kept, so it has nothing of the message in it."""


class Provider(Protocol):
    """Brings messages of a medium to persons. One of its calls may be in hand when the process ends."""

    async def send(self, message: Message) -> str:
        """Its own name of the message, or the empty string. Raises Refused, or Away, or what its library raises."""

    async def close(self) -> None: ...

"""What customers and the staff are told."""

from __future__ import annotations

from typing import Annotated

from contracts.event import Event, Personal, Positive, Utc, belongs_to


@belongs_to("message", of="message_id")
class MessageSent(Event, frozen=True, kw_only=True):
    """A provider took a message for a customer. Whether it was read is not known. Read by: intake."""

    message_id: str
    """The id of the event that it tells of; the provider's idempotency key. The story is that event's, too."""
    customer_id: str
    template: str
    """Which words it was made of, such as `request-reminded`."""
    language: str
    medium: str
    """`text`, `mail` or `wechat`."""
    recipient: Annotated[str, Personal("customer_id")]
    provider_ref: str = ""
    """The provider's own name of it, if it said one."""
    attempts: Positive = 1
    """How often it was tried, this time included."""


@belongs_to("message", of="message_id")
class MessageNotSent(Event, frozen=True, kw_only=True):
    """A message to a customer will not be sent, and why. It is final. Read by: intake."""

    message_id: str
    """The id of the event that it would have told of."""
    customer_id: str
    template: str
    language: str
    reason: str
    """
    `no-sender`: this installation has no provider for it; `no-address`: the customer left none; `forgotten`: the
    customer's key is destroyed; `not-wanted`: what it would say was not true any more; `refused`: the provider will
    never take it; `too-late`: the provider was away for too long.
    """
    medium: str = ""
    """How it would have gone; empty where it did not come so far."""
    recipient: Annotated[str, Personal("customer_id")] = ""
    """Where a provider refused it: to whom it would have gone."""
    detail: Annotated[str, Personal("customer_id")] = ""
    """The provider's words, which may name the customer."""
    attempts: Positive = 1


@belongs_to("contact", of="person_id", public=False)
class ContactSet(Event, frozen=True, kw_only=True):
    """How somebody of the staff is reached, and as what; all of it as it is now. Without an address, she is not."""

    person_id: str
    """Of an engineer the engineer's id; of the others their user."""
    role: str
    phone: Annotated[str, Personal("person_id")] = ""
    email: Annotated[str, Personal("person_id")] = ""
    wechat: Annotated[str, Personal("person_id")] = ""
    language: str = "zh"
    quiet_hours: str = ""
    """As in CustomerRegistered."""


@belongs_to("notice", of="notice_id", public=False)
class NoticeDue(Event, frozen=True, kw_only=True):
    """
    Somebody of the staff is to be told of an event, which concerns several: one of these for each of them.

    Acted on by: intake (sends it, and records NoticeSent or NoticeNotSent).
    """

    notice_id: str
    """Derived from the event that it tells of, which is its cause, and the person."""
    person_id: str
    template: str
    """Which words it is made of, such as `order-overdue`."""
    request_id: str = ""
    """Empty where it is about none."""
    about: dict[str, str]
    """The other words by name: ids, numbers, instants in ISO 8601; nothing personal."""
    waits: bool = True
    """Quiet hours hold it, but no longer than until `latest`; False: nothing does."""
    latest: Utc | None = None
    """What it tells of is over then."""


@belongs_to("notice", of="notice_id", public=False)
class NoticeSent(Event, frozen=True, kw_only=True):
    """A provider took a message for somebody of the staff."""

    notice_id: str
    person_id: str
    message_id: str
    """The id of the NoticeDue: the provider's idempotency key."""
    medium: str
    recipient: Annotated[str, Personal("person_id")]
    provider_ref: str = ""
    attempts: Positive = 1


@belongs_to("notice", of="notice_id", public=False)
class NoticeNotSent(Event, frozen=True, kw_only=True):
    """It will not be sent, and why; she still finds it among her notices. It is final."""

    notice_id: str
    person_id: str
    message_id: str
    reason: str
    """As in MessageNotSent."""
    medium: str = ""
    detail: Annotated[str, Personal("person_id")] = ""
    attempts: Positive = 1

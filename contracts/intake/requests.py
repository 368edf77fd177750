"""Requests: received, put right, followed to their end."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Personal, Positive, Utc, belongs_to
from contracts.intake.values import DAY_S, Impact, PlacedBy, RequestKind, Urgency, UsualPart, Work


@belongs_to("request", of="request_id", key="request_id", joins=("sealed_under", "customer_id"))
class RequestReceived(Event, frozen=True, kw_only=True):
    """
    A request is complete and valid: all that dispatch, parts and survey need is in it.

    Acted on by: dispatcher (opens an order). Read by: fieldwork, quality, inventory, reporting.
    """

    request_id: str
    sealed_under: str = ""
    """
    Whose key what was written lies under: the customer's where she wrote it herself; else the request's own, which is
    destroyed with that of the customer who it is corrected to be of. Empty, in records from before: the customer's.
    """
    number: str
    """What people say on the phone, `R-261124-0042`; never an identifier in a contract."""
    request_type: str
    type_version: Positive
    """The version of the request type that it was checked against and keeps."""
    customer_id: str
    device_id: str = ""
    device_model: str = ""
    skill: str
    """What an engineer must be able to do."""
    more_skills: tuple[str, ...] = ()
    """What she must be able to do beside that: of the type, and of the fault."""
    skill_level: NonNegative = 0
    """How well she must be able to do it; 0 for any."""
    certificates: tuple[str, ...] = ()
    """What she must be certified for."""
    wished_engineer_id: str = ""
    """Whom the customer wishes for, among those who can; empty for whoever suits best."""
    urgency: Urgency = "normal"
    """What the type's matrix makes of the two that follow; it decides who waits."""
    stated_urgency: Literal["", "low", "normal", "high", "critical"] = ""
    """What the customer said; empty where it is `urgency`, as in all records before there was a matrix."""
    impact: Impact = "medium"
    duration_s: Positive
    """Expected time on site, seconds."""
    region: str
    """Administrative code or name of the district, in clear, for figures."""
    lat_udeg: int
    """Rounded to a thousandth of a degree (about 100 m), in millionths of a degree, WGS-84: where the site lies."""
    lon_udeg: int
    description: Annotated[str, Personal("sealed_under")] = ""
    kind: RequestKind = "repair"
    needs_visit: bool = True
    """False: it is answered from the desk, and no order is opened."""
    sla: str = ""
    """The name of the service level that its type promises; empty for none."""
    usual_parts: tuple[UsualPart, ...] = ()
    """What work of this type usually takes, beside what the device's model does."""
    answers: Annotated[str, Personal("sealed_under")] = ""
    """The answers to the fields of the type's form: a JSON object, its keys sorted; empty for none."""
    contact_phone: Annotated[str, Personal("sealed_under")] = ""
    """Whom to call on site, where that is not the customer's own number."""
    address: Annotated[str, Personal("sealed_under")] = ""
    """Where service is wanted, as it was written; it lies in the customer's `region`."""
    site_id: str = ""
    """The customer's site where service is wanted; empty for the customer's own place."""
    division: str = ""
    """The administrative division of `address`: six digits of GB/T 2260; empty where no address was written."""
    located: bool = False
    """The place is the request's own: in coordinates, or as a map has `address`; else the site's or the customer's."""
    placed_by: PlacedBy = "given"
    warranty_s: NonNegative = 30 * DAY_S
    """So long after the work was done it is reopened if the fault is back."""
    message_id: str = ""
    """
    The channel's own name of the message that this came of, `wechat/8f3…`: it is taken once. Only the first event of a
    request has it.
    """
    message_digest: Annotated[str, Personal("sealed_under")] = ""
    """SHA-256 of what the message said, by which its repeat is told from another message under its name."""
    fault_class: str = ""
    """A code of the fault tree of the device's model, or what the form says; empty where nobody knows."""
    model_version: NonNegative = 0
    """The version of the device's model, with its fault tree, that it keeps; 0 where none is defined."""


@belongs_to("request", of="request_id", key="request_id", joins=("request_id", "customer_id"))
class RequestIncomplete(Event, frozen=True, kw_only=True):
    """
    A request was taken but cannot be worked on yet; the customer is asked for what is missing on the same channel.

    What was written lies under a key of the request's own, which is destroyed with that of the customer who is named
    last: who it is may still be wrong.

    It waits for a supplement: RequestReminded follows while none comes, and in the end RequestExpired.
    Read by: reporting.
    """

    request_id: str
    number: str
    request_type: str
    customer_id: str
    missing: tuple[str, ...]
    """Fields that are absent or wrong, each as `field: what is wrong with it`."""
    missing_zh: tuple[str, ...] = ()
    """The same lines in Chinese, in the same order."""
    device_id: str = ""
    urgency: Urgency = "normal"
    """What the customer said."""
    impact: Impact = "medium"
    description: Annotated[str, Personal("request_id")] = ""
    type_version: NonNegative = 0
    """The version of the type that it was checked against and keeps; 0 where there is no such type."""
    answers: Annotated[str, Personal("request_id")] = ""
    serial: str = ""
    """The serial number that was read out, where it leads to no device of this customer."""
    contact_phone: Annotated[str, Personal("request_id")] = ""
    address: Annotated[str, Personal("request_id")] = ""
    site_id: str = ""
    lat_udeg: int | None = None
    lon_udeg: int | None = None
    """Where it was said to be in coordinates, rounded as in RequestReceived; None where nobody said."""
    message_id: str = ""
    """As in RequestReceived, like those that follow."""
    message_digest: Annotated[str, Personal("request_id")] = ""
    fault_class: str = ""
    model_version: NonNegative = 0
    wished_engineer_id: str = ""
    remind_after_s: Positive = DAY_S
    """The customer is reminded when nothing was heard for so long, and once more after as long again."""
    expire_after_s: Positive = 7 * DAY_S
    """It is given up when nothing was heard for so long."""


@belongs_to("request-photos", of="request_id", key="request_id", joins=("request_id", "customer_id"))
class RequestPhotoAttached(Event, frozen=True, kw_only=True):
    """
    A customer's picture of what is wrong was kept with her request. Its bytes are sealed and lie under `sha256`.

    They lie under the key of the request, as what was written does. Read by: reporting.
    """

    request_id: str
    customer_id: str
    photo_id: str
    sha256: str
    """Of the sealed bytes as they are stored, hexadecimal."""
    media_type: Literal["image/jpeg", "image/png", "image/webp"]
    size_b: Positive
    picture_sha256: str
    """Of the picture as it is kept and shown: without the data of the camera."""
    taken_at: Utc | None = None
    """When the camera says that it was taken; from its EXIF data, which are not kept."""
    place: Annotated[str, Personal("request_id")] = ""
    """Where, as the camera says: `lat,lon`, 1/1,000,000 degree north and east; empty where it does not say."""


@belongs_to("request-remarks", of="request_id", key="request_id", joins=("request_id", "customer_id"))
class RequestRemarked(Event, frozen=True, kw_only=True):
    """
    The customer wrote something about her request, or the desk answered her; at any time, also after its end.

    It changes nothing of the request: what is to follow from it, somebody does. Read by: reporting.
    """

    request_id: str
    customer_id: str
    """Whose request it was then; only she reads it, and the staff."""
    remark_id: str
    by: Literal["customer", "desk"]
    words: Annotated[str, Personal("request_id")]


@belongs_to("request", of="request_id", key="request_id")
class RequestReminded(Event, frozen=True, kw_only=True):
    """
    Nothing was heard of an incomplete request for its time; the customer is asked again on the channel of the request.

    Twice at most. Read by: whoever sends the customer messages.
    """

    request_id: str
    customer_id: str
    time_no: Annotated[int, msgspec.Meta(ge=1, le=2)]
    """The first or the second reminder."""
    remind_after_s: Positive = DAY_S


@belongs_to("request", of="request_id", key="request_id")
class RequestExpired(Event, frozen=True, kw_only=True):
    """
    What was missing was never given; the request is given up, and no order was ever opened for it.

    Read by: reporting; whoever sends the customer messages.
    """

    request_id: str
    customer_id: str


@belongs_to("request", of="request_id", key="request_id", joins=("request_id", "customer_id"))
class RequestSupplemented(Event, frozen=True, kw_only=True):
    """
    Somebody gave what was missing, or corrected what was there. RequestReceived follows when it is complete now.

    What was written before lies under a key of the request's own; from now on that is destroyed with this customer's.

    Read by: reporting.
    """

    request_id: str
    customer_id: str
    fields: tuple[str, ...]
    message_id: str = ""
    """The channel's own name of the message that it came of, as in RequestReceived; empty for what is no message."""


@belongs_to("request", of="request_id", key="request_id", joins=("request_id", "customer_id"))
class RequestCorrected(Event, frozen=True, kw_only=True):
    """
    A complete request was of another customer, device or place than it said; all that depends on it as it is now.

    What was written is sealed anew, under the key of the customer who it is. That of the first record, where it is the
    request's own, is from now on destroyed with hers.

    Acted on by: dispatcher (withdraws the order of the round before and opens one of this round). Read by: quality,
    reporting.
    """

    request_id: str
    customer_id: str
    from_customer_id: str
    """Who it was said to be; the same where only the device or the place was wrong."""
    fields: tuple[str, ...]
    """What was wrong."""
    reason: Annotated[str, Personal("customer_id")] = ""
    round_no: Positive = 2
    """As in RequestUnmerged."""
    received_at: Utc | None = None
    """When the request was received: what is promised is measured from then; None: from this event on."""
    work: Work
    site_id: str = ""
    division: str = ""
    located: bool = False
    placed_by: PlacedBy = "given"
    fault_class: str = ""
    model_version: NonNegative = 0
    description: Annotated[str, Personal("customer_id")] = ""
    answers: Annotated[str, Personal("customer_id")] = ""
    contact_phone: Annotated[str, Personal("customer_id")] = ""
    address: Annotated[str, Personal("customer_id")] = ""
    """Each as in RequestReceived."""


@belongs_to("request", of="request_id", key="request_id")
class RequestMovedAway(Event, frozen=True, kw_only=True):
    """
    A request was said to be this customer's, and is another's. Recorded with the RequestCorrected that says whose.

    Read by: whoever sends the customer messages: nobody comes to her for it.
    """

    request_id: str
    customer_id: str
    """Who it was said to be."""


@belongs_to("request", of="request_id", key="request_id")
class RequestWithdrawn(Event, frozen=True, kw_only=True):
    """The customer does not want it any more. Acted on by: dispatcher (cancels the order unless work has begun)."""

    request_id: str
    customer_id: str
    reason: Annotated[str, Personal("customer_id")] = ""
    round_no: Positive = 1
    """Which of its orders that ends: 1, and one more after each RequestUnmerged and RequestReopened."""


@belongs_to("request", of="request_id", key="request_id")
class RequestMerged(Event, frozen=True, kw_only=True):
    """
    It asks for what another request asks for already, and is worked on no further; the other one stands for both.

    RequestUnmerged takes it back. RequestClosed follows all the same if the work was done before word of it came there.
    Acted on by: dispatcher (cancels the order unless work has begun).
    """

    request_id: str
    customer_id: str
    into_id: str
    """The request that stands for both."""
    round_no: Positive = 1
    """As in RequestWithdrawn."""


@belongs_to("request", of="request_id", key="request_id")
class RequestUnmerged(Event, frozen=True, kw_only=True):
    """
    It was another thing after all: it is again what it was before it was merged.

    Acted on by: dispatcher (opens an order of the new round, where there is work).
    """

    request_id: str
    customer_id: str
    into_id: str
    """The request that stood for both."""
    round_no: Positive = 2
    work: Work | None = None
    """None where it was incomplete: then it waits again."""
    remind_after_s: Positive = DAY_S
    expire_after_s: Positive = 7 * DAY_S
    """As in RequestIncomplete, for one that waits again; both begin anew."""


@belongs_to("request", of="request_id", key="request_id")
class RequestReopened(Event, frozen=True, kw_only=True):
    """
    The fault is back within the warranty of the work: the request goes on, and it is a repeat visit.

    Acted on by: dispatcher (opens an order of the new round). Read by: reporting (repairs that did not last).
    """

    request_id: str
    customer_id: str
    round_no: Positive = 2
    work: Work
    reason: Annotated[str, Personal("customer_id")] = ""
    done_order_id: str = ""
    """The order whose work was done; empty where it was solved from the desk, and an order may be under way still."""
    reopened_at: Utc | None = None
    """When somebody said that the fault is back; None in records from before it was kept."""


@belongs_to("request", of="request_id", key="request_id")
class RequestResolvedRemotely(Event, frozen=True, kw_only=True):
    """
    An agent solved it from the desk; nobody needs to go, and the story of the request has ended.

    Acted on by: dispatcher (cancels the order unless work has begun). Read by: reporting (first-contact resolution).
    """

    request_id: str
    customer_id: str
    action: Annotated[str, Personal("customer_id")]
    """What was done."""
    resolved_at: Utc
    first_contact: bool = False
    """The customer was asked for nothing in between and had not come back: solved at the first contact."""
    round_no: Positive = 1
    """As in RequestWithdrawn."""


@belongs_to("request", of="request_id", key="request_id")
class RequestCancelled(Event, frozen=True, kw_only=True):
    """
    A dispatcher decided that the work will not be done; the customer sees that nobody comes.

    RequestClosed follows all the same if the work was done before word of it came there. Read by: reporting.
    """

    request_id: str
    customer_id: str


@belongs_to("request", of="request_id", key="request_id")
class RequestClosed(Event, frozen=True, kw_only=True):
    """
    The story of the request has ended. It follows RequestResolvedRemotely too, where somebody has done the work all the
    same.

    Acted on by: dispatcher (withdraws the other orders of a later round). Read by: reporting.
    """

    request_id: str
    outcome: Literal["completed", "completed_after_withdrawal"]
    """`completed_after_withdrawal`: the work was done before word of the withdrawal came there; a fact wins."""
    completed_at: Utc | None = None
    """When the work was done; None in records from before it could be reopened."""
    order_id: str = ""
    """The order whose work was done; empty in records from before it was kept."""
    round_no: Positive = 1
    """Which round that ends, as in RequestWithdrawn: in a later one than the order's own, other orders are open."""


@belongs_to("follow-up", of="request_id", key="request_id")
class RequestFollowsUp(Event, frozen=True, kw_only=True):
    """
    A request was made for a point that was not in order at another request's visit, once for each such point.

    Recorded with the RequestReceived, or RequestIncomplete, of the new one. Read by: reporting.
    """

    request_id: str
    follows_id: str
    """The request at whose visit it was found."""
    customer_id: str
    visit_id: str
    item: str
    """The point of the checklist."""


@belongs_to("numbers", of="day", public=False)
class NumberGiven(Event, frozen=True, kw_only=True):
    """The next number of a day went to a request. People count by it; nothing refers to it."""

    day: str
    """ISO date in the tenant's zone."""
    request_id: str

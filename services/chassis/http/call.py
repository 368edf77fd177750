"""One call of a route: who calls, and what they may ask and read. A route has no other way to the service."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel
from sqlalchemy import Select
from starlette.requests import Request

from services.chassis.auth import CHANNELS, ONLY_THEIR_OWN, ROLES, Link, Principal, Tokens, Unauthenticated
from services.chassis.http.body import version_of
from services.chassis.http.paging import MOST, Order, Page
from services.chassis.http.problems import Facts, Problem, absent, fields_said, language, said
from services.chassis.http.scope import made_once, within
from services.chassis.ids import derived_id
from services.chassis.journal.work import Answer, Ask
from services.chassis.views import Value

if TYPE_CHECKING:
    from services.chassis.service import Api

POSITION: Final = "Fieldloop-Position"
CHANNEL: Final = "Fieldloop-Channel"
STALE: Final = "Fieldloop-Stale"
"""On a read that was to wait for a position and gave up waiting."""

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def _version(match: str) -> int:
    version = match.strip().strip('"')
    if not version.isdecimal() or len(version) > 18:
        raise Problem("if-match.unreadable")
    return int(version)


class Call:
    """
    What a route is given: `call: Call = command("agent")`.

    All reads are of the caller's tenant. Whether a row is the caller's own, the route asks with `owns`.
    """

    def __init__(self, api: Api, request: Request, principal: Principal, tokens: Tokens, trail: Trail) -> None:
        self._api, self._request, self._tokens, self._trail = api, request, tokens, trail
        self._principal = principal
        self._asked = 0
        self._made: list[str] = []
        self._came_by = ""
        self._now: datetime | None = None
        self._hash = b""
        self._key: str | None = None
        self.tenant = principal.tenant
        self.user_id = principal.user_id
        self.role = principal.role
        self.person_id = principal.person_id
        """Of a customer the customer id, of an engineer the engineer id, of a partner the partner id; else empty."""
        self.events = frozenset(principal.events)
        """Of a partner: the types of events that they may read."""

    def at(self, api: Api) -> Call:
        """The same call at another service of this process, for routes that are of every service."""
        self._trail.service = api.name
        return Call(api, self._request, self._principal, self._tokens, self._trail)

    # Who calls, and when.

    @property
    def channel(self) -> str:
        """
        The way the call came: the client's of the token, else what `Fieldloop-Channel` says.

        For staff the header goes first: an agent records what came over the hotline with the token of the desk.
        """
        if self._came_by:
            return self._came_by
        mine, said = self._principal.channel, self._request.headers.get(CHANNEL, "")
        if said and said not in CHANNELS:
            raise Problem("channel.unknown", channel=said, known=list(CHANNELS))
        if mine and (not said or self.role in ONLY_THEIR_OWN):
            return mine
        return said or "api"

    def came_by(self, channel: str) -> None:
        """For a route that is one channel's own, whatever client brings what came by it."""
        self._came_by = channel

    @property
    def now(self) -> datetime:
        """One instant for the whole call."""
        if self._now is None:
            self._now = self._api.now()
        return self._now

    @property
    def language(self) -> str:
        """`en` or `zh`: what the caller reads."""
        return language(self._request.headers.get("accept-language", ""))

    def owns(self, person_id: str) -> bool:
        """Whether what belongs to this person is the caller's to see: staff sees all, others their own only."""
        if self.role in ONLY_THEIR_OWN:
            return bool(person_id) and person_id == self.person_id
        return self.role in ROLES

    @property
    def signed_in_at(self) -> int:
        """Seconds since 1970, when the caller last gave their password."""
        return self._principal.signed_in_at

    def is_believed(self) -> bool:
        """Whether the token of this call would be believed now, too: an answer that goes on for hours asks again."""
        try:
            self._tokens.verify(self._request.headers.get("authorization", "").partition(" ")[2])
        except Unauthenticated:
            return False
        return True

    # Commands.

    @property
    def key(self) -> str:
        """The Idempotency-Key, or the empty string."""
        if self._key is None:
            said = self._request.headers.get("idempotency-key")
            key = (said or "").strip('"')
            # Whoever sends an empty one believes that a repeat is safe.
            if said is not None and not _KEY.fullmatch(key):
                raise Problem("idempotency-key.invalid")
            self._key = key
        return self._key

    def must_be_readable(self) -> None:
        """Refuse an Idempotency-Key and an If-Match that cannot be read, also where the route asks for neither."""
        _ = self.key
        match = self._request.headers.get("if-match")
        if match is not None and match != "*":
            _version(match)

    def said(self, code: str, facts: Facts) -> dict[str, Any]:
        """A problem in the caller's language, for one item of a batch whose others may have gone well."""
        return said(code, facts, self.language)

    def fields_said(self, errors: Sequence[Mapping[str, Any]]) -> str:
        """What pydantic found wrong with one item of many, in the caller's language."""
        return fields_said(errors, self.language)

    def new_id(self) -> str:
        """An id for what this call makes: with an Idempotency-Key, a repeat of the call gives the same ids."""
        if self.key:
            place = (self._api.name, self._request.method, self._request.url.path)
            made = derived_id("call", self.tenant, self.user_id, self.key, *place, str(len(self._made)))
        else:
            made = self._api.new_id()
        self._made.append(made)
        return made

    async def body(self) -> bytes:
        """The body as it was sent, for what is no JSON."""
        return await self._request.body()

    async def ask(
        self,
        command: Any,
        *,
        versioned: str | None = None,
        happened_at: datetime | None = None,
        item: tuple[str, BaseModel] | None = None,
    ) -> Answer:
        """
        Have a command decided and recorded. Raises Rejected.

        `versioned="order/<id>"` is the stream whose version the caller may demand with If-Match. With `item`, a key
        and what was sent under it, the command is one of many in a batch and is done once in whatever batch it comes
        again.
        """
        self._needs_tenant()
        key, request_hash = await self._identity(item)
        # Also of one that is refused: the next command of this call has another receipt.
        self._asked += 1
        answer = await self._api.ask(
            Ask(
                command=command,
                tenant=self.tenant,
                actor=f"{self.role}:{self.user_id}",
                caller=self.user_id,
                key=key,
                request_hash=request_hash,
                happened_at=happened_at,
                channel=self.channel,
                trace_parent=self._trail.trace_parent,
                expected=self._expected(versioned),
            )
        )
        answer.or_raise()
        self.reached(answer.position)
        if answer.repeated:
            self._trail.put("Idempotent-Replayed", "true")
        ids = {*self._made, *map(str, self._request.path_params.values())}
        version = answer.versions.get(versioned) if versioned else version_of(answer, ids)
        if version is not None:
            self.etag(version)
        return answer

    def reached(self, position: int) -> None:
        """Tell the caller how far the journal was, at least, when all was recorded that the call asked for."""
        self._trail.position = max(self._trail.position, position)
        self._trail.put(POSITION, f"{self._api.name};{self._trail.position}")

    async def _identity(self, item: tuple[str, BaseModel] | None) -> tuple[str, bytes]:
        if item:
            name, content = item
            sent = f"{self._api.name}\n{name}\n{content.model_dump_json()}"
            return f"item:{name}", hashlib.sha256(sent.encode()).digest()
        if not self.key:
            return "", b""
        if not self._hash:
            request = self._request
            head = f"{request.method} {request.url.path}?{request.url.query}\n"
            self._hash = hashlib.sha256(head.encode() + await request.body()).digest()
        # Each command of a call has a receipt of its own; one that is repeated asks them in the same order.
        return (f"{self.key}#{self._asked}" if self._asked else self.key), self._hash

    def _expected(self, versioned: str | None) -> Mapping[str, int]:
        match = self._request.headers.get("if-match")
        if match is None or match == "*":
            return {}
        if versioned is None:
            raise Problem("if-match.not-here")
        return {versioned: _version(match)}

    def etag(self, version: int) -> None:
        """Tell the caller which version they see, so that they can demand it with If-Match."""
        self._trail.put("ETag", f'"{version}"')

    # Reads.

    async def fetch(self, query: Select[Any], **values: Value) -> Sequence[Mapping[str, Any]]:
        """
        The rows of the caller's tenant.

        With `values` the query is one that a module has made once, and they are its `bindparam`s: a third of the time.
        """
        self._needs_tenant()
        if values:
            rows = await self._api.fetch(made_once(query), tenant=self.tenant, **values)
        else:
            rows = await self._api.fetch(within(self.tenant, query))
        await self._make_ready(rows)
        return rows

    async def one(self, query: Select[Any], **values: Value) -> Mapping[str, Any] | None:
        """The first row of the caller's tenant, or None; `values` as in `fetch`."""
        rows = await (self.fetch(query, **values) if values else self.fetch(query.limit(1)))
        return rows[0] if rows else None

    async def page(self, query: Select[Any], order_by: Sequence[Any], cursor: str | None, limit: int = 50) -> Page[Any]:
        """A page of rows and the cursor of the next. `order_by` takes columns, or `column.desc()`."""
        most = max(1, min(limit, MOST))
        order = Order(query, order_by, f"{self._api.name} {self._request.url.path}")
        return order.page(await self.fetch(order.select(cursor, most)), most)

    def open(self, sealed: str) -> str:
        """A sealed personal text made readable; of a forgotten person, the empty string."""
        self._needs_tenant()
        return self._api.open(self.tenant, sealed) if sealed else ""

    async def index(self, text: str) -> str:
        """A keyed hash of a personal text, equal for equal texts: what is kept sealed is looked up by it."""
        self._needs_tenant()
        return await self._api.index(self.tenant, text)

    async def _make_ready(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Where keys are kept by another process, fetch those of the sealed texts in these rows at once."""
        ready = getattr(self._api, "ready", None)
        if ready is not None:
            sealed = [v for row in rows for v in row.values() if isinstance(v, str) and v.startswith("sealed:")]
            if sealed:
                await ready(self.tenant, sealed)

    async def wait_for_own_writes(self) -> None:
        """
        Wait until the views show the positions that the caller has seen: this service's own, and those of services
        whose events it takes in.
        """
        for seen in self._request.headers.get(POSITION, "").split(","):
            service, _, text = seen.strip().partition(";")
            if text.isdecimal() and len(text) < 19 and not await self._has_come(service, int(text)):
                self._trail.put(STALE, "true")

    async def _has_come(self, service: str, position: int) -> bool:
        if service == self._api.name:
            return await self._api.wait_for(position)
        return await self._api.wait_for_other(service, position)

    async def parked(self, key: str) -> Sequence[Any]:
        """What this service could not act on, of one key of the caller's tenant."""
        self._needs_tenant()
        return await self._api.parked(self.tenant, key)

    # Links.

    def link(self, purpose: str, subject: str, lifetime: timedelta) -> str:
        """A text for a URL that opens one thing to whoever holds it."""
        self._needs_tenant()
        return self._tokens.issue_link(Link(self.tenant, purpose, subject), lifetime)

    def by_link(self, purpose: str, text: str) -> tuple[Call, str]:
        """
        On a public route: the call of a link's holder, within the tenant of the link, and the id of what it opens.

        It owns nothing: the route reads what the link opens and nothing beside it. Raises a problem 404.
        """
        try:
            link = self._tokens.verify_link(text, purpose)
        except Unauthenticated:
            raise absent("link", purpose) from None
        principal = Principal(f"link:{purpose}/{link.subject}", link.tenant, "link", channel="web")
        return Call(self._api, self._request, principal, self._tokens, self._trail), link.subject

    def _needs_tenant(self) -> None:
        if not self.tenant:
            raise RuntimeError("a public route has no tenant: read what a link opens with `call.by_link`")


class Trail:
    """What becomes known of a call on its way and goes into its answer, its log line and its span."""

    __slots__ = ("body_bytes", "call", "caller", "headers", "position", "route", "service", "trace_parent")

    def __init__(self, trace_parent: str) -> None:
        self.trace_parent = trace_parent
        self.headers: dict[str, str] = {}
        self.position = 0
        self.body_bytes = 1024 * 1024
        self.service = self.route = ""
        self.call: Call | None = None
        self.caller = _NOBODY

    def put(self, name: str, value: str) -> None:
        self.headers[name] = value

    @property
    def story(self) -> str:
        """What the call is about: the thing that it made, or the one that its path names."""
        if self.call is None:
            return ""
        about = [*self.call._made, *map(str, self.call._request.path_params.values())]
        return about[0] if about else ""


_NOBODY = Principal("", "", "nobody")
"""Who calls a public route."""

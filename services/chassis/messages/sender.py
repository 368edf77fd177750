"""
The sender: brings what a service's events tell to the persons whom they concern, and records what became of it.

It is a reactor whose policy calls a provider before it asks its command. So a provider that is away holds what it was
to be told, in order for each story, and other stories go on; after a crash between the call and its record the call is
made again under the same key. It reads the journal and nothing else moves it: no replay or rebuild runs one. What is
due in a recipient's quiet hours waits by itself until they end; what is told of later may come first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.problems import NotBefore
from services.chassis.clock import TENANT_ZONE, Clock
from services.chassis.journal.as_of import states_before
from services.chassis.journal.rules import States
from services.chassis.journal.store import JournalStore
from services.chassis.journal.writer import Writer
from services.chassis.messages.message import Address, Draft, Message, Outcome, Refused
from services.chassis.messages.outlets import Outlet, Outlets
from services.chassis.messages.quiet import quiet_until
from services.chassis.readers.reactor import LATER, Reactor
from services.chassis.service import Facts, Notices, Policy, Service

POLICY: Final = "send-messages"

MOST_TRIES: Final = 1_000
"""More than there are in `give_up_after`: what is not sent by then is recorded as not sent, not parked."""


class Opens(Protocol):
    """Makes sealed texts readable; `Running.keys` does."""

    def open(self, tenant: str, text: str) -> str: ...

    async def ready(self, tenant: str, sealed: Sequence[str]) -> None: ...


class Sender(Reactor):
    """Sends what the notices of a service say. Only the holder of the lease has one."""

    tries = MOST_TRIES
    later = f"{LATER}:{POLICY}"
    waits_for_facts = False
    """A provider that is away is not asked more often because something else is recorded."""
    rests_s = 0.1  # nobody waits for a message by the tenth of a second

    def __init__(
        self,
        service: Service,
        notices: Notices,
        store: JournalStore,
        writer: Writer,
        facts: Facts,
        clock: Clock,
        *,
        views_have: Callable[[int], Awaitable[object]],
        keys: Opens,
        outlets: Outlets,
    ) -> None:
        self._journal = store
        self._notices, self._keys, self._outlets = notices, keys, outlets
        sends = Policy(POLICY, notices.when, self._tell)
        super().__init__(replace(service, policies=(sends,)), store, writer, facts, clock, views_have=views_have)

    async def _commands(self, policy: Policy, envelope: Envelope, tried: int) -> Sequence[Any]:
        return await self._tell(envelopes.payload(envelope), envelope, self._facts, tried)

    async def _tell(self, event: Any, envelope: Envelope, facts: Facts, tried: int = 0) -> list[Any]:
        draft = await self._notices.compose(event, envelope, facts)
        if draft is None or (tried and await self._is_told(draft, envelope)):
            return []
        outcome = await self._outcome(draft, envelope)
        return [self._notices.record(draft, replace(outcome, attempts=tried + 1))]

    async def _is_told(self, draft: Draft, envelope: Envelope) -> bool:
        """
        Whether what became of it is recorded. A crash may have come between that record and the end of the hold: what
        waited for its next try then would go out once more, long after it was sent.
        """
        command = self._notices.record(draft, Outcome(message_id=envelope.id, why_not="too-late"))
        handler = self._rules.handler_of[type(command)]
        states = await states_before(
            self._journal, self._rules, envelope.tenant, handler.reads(command), self._writer.position + 1
        )
        return not handler.decide(States(states, {}), command)

    async def _outcome(self, draft: Draft, envelope: Envelope) -> Outcome:
        key = envelope.id
        if not draft.wanted:
            return Outcome(message_id=key, why_not="not-wanted")
        if self._clock.now() - envelope.recorded_at > self._notices.give_up_after:
            return Outcome(message_id=key, why_not="too-late")
        if not draft.addresses:
            return Outcome(message_id=key, why_not="no-address")
        chosen = self._chosen(draft.addresses)
        if chosen is None:
            return Outcome(message_id=key, why_not="no-sender", medium=draft.addresses[0].medium)
        address, outlet = chosen
        self._respect_quiet_hours(draft)
        message = await self._message(draft, address, envelope)
        if message is None:
            return Outcome(message_id=key, why_not="forgotten", medium=address.medium)
        known = Outcome(message_id=key, medium=address.medium, recipient=message.recipient)
        try:
            return replace(known, provider_ref=await outlet.send(message))
        except Refused as no:
            return replace(known, why_not="refused", detail=str(no))

    def _respect_quiet_hours(self, draft: Draft) -> None:
        """Raises NotBefore."""
        if not draft.waits:
            return
        hours = draft.quiet_hours or self._outlets.quiet_hours
        ends_at = quiet_until(hours, self._clock.now(), TENANT_ZONE)
        if ends_at and not (draft.latest and draft.latest < ends_at):
            raise NotBefore(ends_at, f"quiet hours {hours}")

    def _chosen(self, addresses: Sequence[Address]) -> tuple[Address, Outlet] | None:
        """The first address that there is a provider for."""
        return next(((one, outlet) for one in addresses if (outlet := self._outlets.of(one.medium))), None)

    async def _message(self, draft: Draft, address: Address, envelope: Envelope) -> Message | None:
        """What goes out; None where the person is forgotten."""
        tenant = envelope.tenant
        await self._keys.ready(tenant, [address.sealed, *draft.words.values()])
        recipient = self._keys.open(tenant, address.sealed)
        if not recipient:
            return None
        words = {name: self._keys.open(tenant, word) for name, word in draft.words.items()}
        if draft.link:
            words["link"] = self._outlets.link(tenant, draft.link, envelope.recorded_at)
        return Message(
            key=envelope.id,
            medium=address.medium,
            recipient=recipient,
            subject=draft.subject.format(**words),
            body=draft.body.format(**words),
            template=draft.template,
            language=draft.language,
        )

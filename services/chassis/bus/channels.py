"""
Every channel that others may read, declared once through FastStream: the broker for the edge, and AsyncAPI from it.

The six services read and publish the same topics by clients of their own (decision 3). Whoever subscribes in a group,
an integrator or the edge, does it with `subscribe`, which neither skips a message nor stands still on one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Final

import msgspec
import structlog
from aiokafka import ConsumerRecord
from faststream import AckPolicy, BaseMiddleware, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage, KafkaRouter
from faststream.specification import AsyncAPI

from contracts import envelope as envelopes
from contracts.envelope import Envelope, UnknownEvent
from contracts.event import Event
from contracts.topics import PARTITIONS, PUBLISHERS, events_of, public_topic
from services.chassis.bus.feed import Record, pauses
from services.chassis.bus.ingest import DeadLetters
from services.chassis.bus.kafka import DELIVERY_S, MAX_REQUEST, Cluster

CONTENT_TYPE: Final = "application/cloudevents+json"

log = structlog.get_logger(__name__)


def channels(cluster: Cluster) -> KafkaBroker:
    """A broker that knows every public topic and makes none. Start it to subscribe; unstarted it is documentation."""
    broker = KafkaBroker(
        list(cluster.bootstrap),  # a text with commas would be taken for one host
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        request_timeout_ms=int(DELIVERY_S * 1000),
        max_request_size=MAX_REQUEST,
        graceful_timeout=15.0,
        apply_types=False,  # what a handler is given is decoded and checked by the contracts
        logger=None,
        **cluster.security,
    )
    for service in PUBLISHERS:
        broker.publisher(
            public_topic(service),
            title=public_topic(service),
            description=f"Every public event of {service}. Order is kept per key, and nowhere else.",
            schema=dict,  # FastStream cannot describe a msgspec struct; `asyncapi` puts the schemas in
        )
    return broker


# Reading in a group.

Handler = Callable[[Event, Envelope], Awaitable[None]]


@dataclass(frozen=True)
class Patience:
    """How often a handler that failed is asked again. Its partition waits meanwhile, so all of it is a few seconds."""

    tries: int = 5
    first_s: float = 0.2
    most_s: float = 5.0


class Unreadable(Exception):
    """No further try can help: these contracts do not know the message."""


def subscribe(
    broker: KafkaBroker,
    service: str,
    handler: Handler,
    *,
    group: str,
    dead_letters: DeadLetters,
    events: Collection[type[Event]] = (),
    patience: Patience | None = None,
) -> Any:
    """
    Call the handler for every public event of a service, or only for those named, in order per key and at least once.

    The group's name is where it goes on after a restart: a new name begins at the beginning. What fails is tried again
    with longer and longer pauses, then left as a dead letter, and the next one comes. Returns FastStream's subscriber.
    """
    wanted = {event.__name__ for event in events or events_of(service)}
    patient = partial(_Patiently, service=service, dead_letters=dead_letters, patience=patience or Patience())
    router = KafkaRouter(middlewares=[patient])
    subscriber = router.subscriber(
        public_topic(service),
        title=f"{group}.{service}",
        group_id=group,
        auto_offset_reset="earliest",  # the default would pass over all that came before the group
        ack_policy=AckPolicy.NACK_ON_ERROR,  # the default acknowledges first and loses what fails
        session_timeout_ms=30_000,
        parser=_parse,
        decoder=_decode,
    )

    async def call(envelope: Envelope) -> None:
        if envelope.type in wanted:
            await handler(_payload(envelope), envelope)

    subscriber(call)
    broker.include_router(router)
    return subscriber


async def _parse(record: ConsumerRecord, original: Callable[[ConsumerRecord], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """FastStream drops a message whose headers are not text, before anybody could see it; so it is shown none."""
    message = await original(replace(record, headers=()))
    message.raw_message = record
    return message


async def _decode(message: KafkaMessage) -> Envelope:
    try:
        return envelopes.read(message.body)
    except ValueError as error:
        raise Unreadable(str(error)) from error


def _payload(envelope: Envelope) -> Event:
    try:
        return envelopes.payload(envelope)
    except (ValueError, UnknownEvent) as error:
        raise Unreadable(f"{envelope.type}: {error}") from error


class _Patiently(BaseMiddleware):
    """Tries again, then leaves a dead letter; when even that fails, the message is not acknowledged and comes again."""

    def __init__(
        self, message: Any, /, *, context: Any, service: str, dead_letters: DeadLetters, patience: Patience
    ) -> None:
        super().__init__(message, context=context)
        self._service, self._dead_letters, self._patience = service, dead_letters, patience

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        waits = islice(pauses(self._patience.first_s, self._patience.most_s), self._patience.tries - 1)
        while True:
            try:
                return await call_next(msg)
            except Exception as error:
                pause = None if isinstance(error, Unreadable) else next(waits, None)
                if pause is None:
                    return await self._give_up(msg.raw_message, error)
                log.warning("subscriber.tries-again", trouble=repr(error), pause_s=pause)
                await asyncio.sleep(pause)

    async def _give_up(self, raw: ConsumerRecord, error: Exception) -> None:
        partition = f"{raw.topic}/{raw.partition}"
        log.error("subscriber.dead-letter", partition=partition, offset=raw.offset, reason=repr(error))
        record = Record(self._service, partition, raw.offset, raw.value or b"", raw.key, raw.headers)
        await self._dead_letters.leave(record, repr(error))


# What the outside is told.


def asyncapi() -> str:
    """AsyncAPI 3 of all public topics, as JSON; the same text for the same contracts."""
    specification = AsyncAPI(title="Fieldloop events", version="1", schema_version="3.0.0")
    app = FastStream(channels(Cluster(["kafka:9092"])), specification=specification)
    document = json.loads(app.schema.to_specification().to_json())
    events = {service: [event for event in events_of(service) if event.PUBLIC] for service in PUBLISHERS}
    every = [event for listed in events.values() for event in listed]
    _, schemas = msgspec.json.schema_components([Envelope, *every], ref_template="#/components/schemas/{name}")
    document["components"] = {
        "messages": {event.__name__: _message(event) for event in every},
        "schemas": dict(sorted(schemas.items())),
    }
    for part in ("channels", "operations"):  # FastStream keeps them in a set
        document[part] = dict(sorted(document[part].items()))
    for service, listed in events.items():
        channel = document["channels"][public_topic(service)]
        channel["messages"] = {e.__name__: _ref("components", "messages", e.__name__) for e in listed}
        channel["bindings"]["kafka"]["partitions"] = PARTITIONS
        operation = document["operations"][public_topic(service)]
        operation["messages"] = [_ref("channels", public_topic(service), "messages", e.__name__) for e in listed]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _ref(*steps: str) -> dict[str, str]:
    return {"$ref": "#/" + "/".join(steps)}


def _message(event: type[Event]) -> Mapping[str, Any]:
    typed = {"properties": {"type": {"const": event.__name__}, "data": _ref("components", "schemas", event.__name__)}}
    key = {"type": "string", "description": "The envelope's `partitionkey`."}
    return {
        "name": event.__name__,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip().splitlines()[0],
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": [_ref("components", "schemas", "Envelope"), typed]},
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    }

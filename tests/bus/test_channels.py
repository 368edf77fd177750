"""What integrators are given: a document of every public channel, and a subscriber that neither loses nor hangs."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import RequestReceived
from contracts.topics import PUBLISHERS, dead_letter_topic, events_of, public_topic
from services.chassis.bus.channels import Patience, asyncapi, channels, subscribe
from services.chassis.bus.kafka import KafkaDeadLetters
from tests.bus.harness import PUBLISHER, READER, Kafka, forged, node, received, run, until

QUICK = Patience(tries=3, first_s=0.01)


class TestAsyncApi:
    document = json.loads(asyncapi())

    def test_every_public_event_is_a_message_of_its_publishers_channel_and_no_other(self) -> None:
        assert self.document["asyncapi"] == "3.0.0"
        assert {name: set(channel["messages"]) for name, channel in self.document["channels"].items()} == {
            public_topic(s): {event.__name__ for event in events_of(s) if event.PUBLIC} for s in PUBLISHERS
        }

    def test_every_reference_leads_somewhere(self) -> None:
        for reference in references(self.document):
            found: Any = self.document
            for step in reference.removeprefix("#/").split("/"):
                found = found[step]

    def test_a_record_is_valid_under_its_message_and_a_wrong_one_is_not(self) -> None:
        schema = {**self.document["components"]["messages"]["RequestReceived"]["payload"], **self.document}
        record = json.loads(forged(1))
        assert list(Draft202012Validator(schema).iter_errors(record)) == []
        record["data"]["duration_s"] = 0
        assert [error.json_path for error in Draft202012Validator(schema).iter_errors(record)] == ["$.data.duration_s"]

    def test_it_is_the_same_text_every_time(self) -> None:
        assert list(self.document["channels"]) == sorted(self.document["channels"])
        assert asyncapi() == asyncapi()


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for value in part.values() for found in references(value)]
    return [found for value in part for found in references(value)] if isinstance(part, list) else []


def test_an_integrator_reads_every_event_in_order_and_goes_on_after_a_restart(kafka: Kafka, tmp_path: Path) -> None:
    """The example of the how-to page: a CRM that keeps the numbers of all requests."""
    crm: list[int] = []

    async def handle(event: Event, envelope: Envelope) -> None:
        assert isinstance(event, RequestReceived)
        crm.append(int(event.number))

    async def session(last: int) -> None:
        broker = channels(kafka.cluster)
        letters = KafkaDeadLetters(READER, kafka.cluster)
        subscribe(broker, "intake", handle, group="crm-1", events=[RequestReceived], dead_letters=letters)
        async with broker:
            await broker.start()
            await until(lambda: crm and crm[-1] == last)
        await letters.close()

    async def story() -> None:
        async with node(PUBLISHER, tmp_path / "j") as intake, kafka.publishing(intake):
            await intake.say(*[received("r-1", n) for n in range(50)])
            await session(last=49)
            await intake.say(*[received("r-1", n) for n in range(50, 60)])
            await session(last=59)
        assert crm == list(range(60))

    run(story())


def test_what_fails_is_tried_again_then_put_aside_and_the_next_comes(kafka: Kafka, tmp_path: Path) -> None:
    tried: list[int] = []

    async def handle(event: Event, envelope: Envelope) -> None:
        assert isinstance(event, RequestReceived)
        tried.append(int(event.number))
        if event.number == "2" or (event.number == "1" and tried.count(1) < 3):
            raise ConnectionError("the CRM does not answer")

    async def story() -> None:
        broker = channels(kafka.cluster)
        letters = KafkaDeadLetters(READER, kafka.cluster)
        subscribe(broker, PUBLISHER, handle, group="crm-2", dead_letters=letters, patience=QUICK)
        async with node(PUBLISHER, tmp_path / "j") as intake, kafka.publishing(intake), broker:
            await broker.start()
            await intake.say(received("r-1", 1))
            await until(lambda: len(tried) == 3)
            async with kafka.producer() as producer:  # headers that are no text, and bodies that are no record
                topic = public_topic(PUBLISHER)
                await producer.send_and_wait(topic, b"{", key=b"r-1", headers=[("ce_id", b"\xff")])
                await producer.send_and_wait(topic, forged(9).replace(b'"repair"', b"7"), key=b"r-1")
            await intake.say(received("r-1", 2), received("r-1", 3))
            await until(lambda: tried[-1] == 3)
        await letters.close()
        assert tried == [1, 1, 1, 2, 2, 2, 3]
        reasons = [letter.reason for letter in await kafka.letters()]
        for reason, said in zip(reasons, ["truncated", "$.request_type", "does not answer"], strict=True):
            assert said in reason
        first, *_ = await kafka.messages(dead_letter_topic(READER))
        assert dict(first.headers)["ce_id"] == b"\xff"

    run(story())


def test_while_no_dead_letter_can_be_left_nothing_is_passed(kafka: Kafka, tmp_path: Path) -> None:
    handled: list[str] = []

    class Full:
        tries = 0

        async def leave(self, *_: Any) -> None:
            self.tries += 1
            if self.tries < 3:
                raise OSError("no space left")

        async def close(self) -> None: ...

    async def handle(event: Event, envelope: Envelope) -> None:
        handled.append(envelope.id)

    async def story() -> None:
        broker, full = channels(kafka.cluster), Full()
        subscribe(broker, PUBLISHER, handle, group="crm-3", dead_letters=full, patience=QUICK)
        async with kafka.producer() as producer:
            for value in (b"{", forged(1)):
                await producer.send_and_wait(public_topic(PUBLISHER), value, key=b"r-1")
        async with broker:
            await broker.start()
            await until(lambda: handled)
            assert full.tries == 3

    run(story())

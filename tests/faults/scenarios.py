"""
What is done to real processes while clients ask: each a coroutine over a `Ground`, as long or as often as it is told.

`make test` does a little of each, `make chaos` goes on with all of them. After each the clients' book is held against
the journals.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from random import Random

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts import envelope as envelopes
from contracts.topics import journal_topic
from deploy.local import Process
from services.chassis.bus.publisher import CHECKPOINT
from services.chassis.http.problems import RETRY
from services.chassis.journal.postgres import TTL_S
from services.offline import readers
from tests.faults.ground import Ground, end, go_on, stop
from tests.faults.ledger import FIRM, Clients, Told

READ_S = 60.0
"""So long a whole journal topic may take to be read."""

Harm = Callable[[Told], Awaitable[None]]


async def under_load(ground: Ground, name: str, harm: Harm, **clients: float) -> Told:
    """Do harm while clients ask; then all that closes a fault."""
    ground.wait_until_led()
    asking = Clients(ground.settings, ground.url, name, **clients)  # type: ignore[arg-type]
    async with asking.asking() as told:
        await told.served(20)
        await harm(told)
        await told.served(20)
    await ground.must_hold(told)
    return told


async def kills(ground: Ground, name: str, rng: Random, times: int) -> Told:
    """kill -9 of every process in turn, the gateway too, at moments that nobody chose."""

    async def harm(told: Told) -> None:
        names = [process.name for process in ground.processes]
        order = [names[n % len(names)] for n in range(times)]
        rng.shuffle(order)
        for one in order:
            await asyncio.sleep(rng.uniform(0.1, 1.5))  # the moment is what is random; nothing is waited for
            process = next(p for p in ground.processes if p.name == one)
            await asyncio.to_thread(end, process, signal.SIGKILL)
            await asyncio.to_thread(ground.restart, process)
        await asyncio.to_thread(ground.wait_ready, ground.processes, 90)

    return await under_load(ground, name, harm)


async def stopped_holder(ground: Ground, name: str, service: str, seconds: float) -> Told:
    """
    SIGSTOP of the process that writes, for longer than its lease; another takes over.

    Commands that wait at its door meanwhile are decided by one who does not know yet how late it is: it must refuse
    them all.
    """

    async def harm(told: Told) -> None:
        first = await asyncio.to_thread(ground.wait_for_holder, service)
        stop(first)
        begun = time.monotonic()
        late = f"{told.tenant}-late"
        waiting = [asyncio.create_task(_ask_directly(ground, first, late, n)) for n in range(20)]
        second = await asyncio.to_thread(ground.wait_for_holder, service, 30, first.name)
        assert second.name != first.name
        print(f"{second.name} writes after {time.monotonic() - begun:.1f} s")
        await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))
        go_on(first)
        answers = await asyncio.gather(*waiting)
        assert set(answers) == {(503, "not-holder")}, answers
        async with readers(ground.settings, [service]) as journals:
            assert late not in (await journals[service].head()).chains, "who lost the lease wrote"

    return await under_load(ground, name, harm)


async def _ask_directly(ground: Ground, process: Process, tenant: str, number: int) -> tuple[int, str]:
    """A command at the door of one process, past the gateway: its status, and what it says of another try."""
    path, role, bodies = LATE[process.serves]
    headers = Clients(ground.settings, process.url, tenant).headers(role) | {"Idempotency-Key": f"late-{number}"}
    async with httpx.AsyncClient(timeout=120) as client:
        answer = await client.post(f"{process.url}{path}", json=bodies[number % len(bodies)], headers=headers)
    return answer.status_code, answer.headers.get(RETRY, "")


LATE = {
    "intake": ("/v1/customers", "agent", FIRM.customers),
    "dispatcher": ("/v1/engineers", "dispatcher", FIRM.engineers),
}
"""What is asked of a process that is late: a route of its, a role, and bodies that would be taken otherwise."""


DRAINED_S = 120.0
"""So soon after the broker is back all that waited is published."""


async def broker_down(ground: Ground, name: str, seconds: float) -> Told:
    """No Kafka for so long: intake goes on answering, what it records waits in its journal, and all of it drains."""

    async def harm(told: Told) -> None:
        await asyncio.to_thread(ground.kafka.kill)
        before, repeated = set(told.sent), told.repeated.total()
        await asyncio.sleep(seconds)
        during = {told.requests[key] for key in told.requests.keys() - before}
        assert told.repeated.total() == repeated, f"not all were answered at once: {told}"
        async with readers(ground.settings, ["intake"]) as journals:
            journal = journals["intake"]
            head = (await journal.head()).position
            published = (await journal.checkpoints())[CHECKPOINT]
            buffered = await _received(journal, published, head)
            # The last few may have been acknowledged since the count.
            assert during <= buffered
            await asyncio.to_thread(ground.kafka.start)
            begun = time.monotonic()
            async with asyncio.timeout(DRAINED_S):
                while (await journal.checkpoints())[CHECKPOINT] < head:
                    await asyncio.sleep(0.1)
        drained_s = time.monotonic() - begun
        await must_be_on_topic(ground.kafka.bootstrap, "intake", head)
        waited = f"{len(during)} acknowledged in {seconds:g} s without a broker; {head - published} records waited"
        print(f"{waited}, {drained_s:.1f} s until all were published")

    return await under_load(ground, name, harm)


async def _received(journal, after: int, upto: int) -> set[str]:
    """The requests that were recorded in these positions."""
    found: set[str] = set()
    while after < upto:
        entries = await journal.read(after, min(2_000, upto - after))
        after = entries[-1].position
        for entry in entries:
            envelope = envelopes.read(entry.record)
            if envelope.type == "RequestReceived":
                found.add(envelope.correlation_id)
    return found


async def must_be_on_topic(bootstrap: str, service: str, head: int) -> None:
    """Every position of a service's journal up to this one lies on its journal topic. Raises TimeoutError if not."""
    partition = TopicPartition(journal_topic(service), 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap.split(","), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        # Said outright: a broker that has just started may not know yet that it leads, nor where its log ends.
        consumer.seek(partition, 0)
        missing = set(range(1, head + 1))
        async with asyncio.timeout(READ_S):
            while missing:
                for messages in (await consumer.getmany(timeout_ms=500)).values():
                    missing -= {int(dict(message.headers)["position"]) for message in messages}
    finally:
        await consumer.stop()


async def postgres_crashes(ground: Ground, name: str, rng: Random, times: int) -> Told:
    """`pg_ctl stop -m immediate` under load, and up again."""

    async def harm(told: Told) -> None:
        for _ in range(times):
            await asyncio.sleep(rng.uniform(0.5, 2.0))
            await asyncio.to_thread(ground.postgres.kill_immediate)
            await asyncio.to_thread(ground.postgres.start)
            begun = time.monotonic()
            await told.served(20, within=30)
            print(f"served again {time.monotonic() - begun:.1f} s after the crash")
        assert all(why.endswith((" 503", "Error")) for why in told.repeated), told

    return await under_load(ground, name, harm)


async def network(ground: Ground, name: str, rng: Random, rounds: int) -> Told:
    """Lines to Kafka and PostgreSQL are slow, cut, refused, or stand still with nothing coming through."""
    lines, kafka = ground.lines, ground.to_kafka

    async def harm(told: Told) -> None:
        for _ in range(rounds):
            trials = [slow, cut, forgotten, answers_lost, kafka_gone, holder_apart]
            rng.shuffle(trials)
            for trial in trials:
                async with told_of(trial.__name__):
                    await trial()
                lines.heal()
                await told.served(20)

    @asynccontextmanager
    async def told_of(trial: str):
        begun = time.monotonic()
        yield
        print(f"{trial}: {time.monotonic() - begun:.1f} s")

    async def slow() -> None:
        for line in (kafka, *ground.to_postgres.values()):
            line.delay_s = rng.uniform(0.01, 0.1)
        await asyncio.sleep(4)

    async def cut() -> None:
        for _ in range(5):
            await asyncio.sleep(rng.uniform(0.1, 0.8))
            lines.do(rng.choice([kafka, *ground.to_postgres.values()]).cut)

    async def forgotten() -> None:
        """Connections stay open and nothing is ever heard on them; new ones are as good as ever."""
        for line in (kafka, *ground.to_postgres.values()):
            lines.do(line.forget)

    async def answers_lost() -> None:
        """What Kafka was sent arrives, and nobody hears of it: all of it is sent again."""
        lines.do(lambda: kafka.stall("down"))
        await asyncio.sleep(6)

    async def kafka_gone() -> None:
        lines.do(kafka.refuse)
        await asyncio.sleep(4)

    async def holder_apart() -> None:
        """The one that writes is cut off from its database, and what it sent arrives when another writes."""
        holder = await asyncio.to_thread(ground.wait_for_holder, "intake")
        line = ground.to_postgres[holder.name]
        lines.do(lambda: line.stall("up", "down"))
        await asyncio.to_thread(ground.wait_for_holder, "intake", TTL_S + 20, holder.name)

    return await under_load(ground, name, harm)


async def rolling_restart(ground: Ground, name: str, services: Collection[str], times: int) -> Told:
    """All processes of these services ended by SIGTERM and started again, one after the other; no call fails."""

    async def harm(told: Told) -> None:
        for _ in range(times):
            for process in [one for one in ground.processes if one.serves in services]:
                await asyncio.to_thread(end, process, signal.SIGTERM)
                again = await asyncio.to_thread(ground.restart, process)
                await asyncio.to_thread(ground.wait_ready, [again], 60)
        assert told.repeated == {}, told

    return await under_load(ground, name, harm)

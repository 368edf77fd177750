"""On a real Kafka: a lost database out of its topic, lost topics out of the journals, an older backup rolled on."""

import asyncio
import sqlite3
from contextlib import closing

from services import offline
from services.demo.people import found
from services.host import discover
from services.settings import Settings
from tests.host.conftest import installation, with_engineers

BESIDE = ("claims", "timers")


async def journal(settings, service):
    async with offline.readers(settings, [service]) as opened:
        return list(await opened[service].read(0, 100_000))


def beside(settings, service):
    """What the journal keeps beside its records and can be told from them."""
    with closing(sqlite3.connect(settings.data / service / "journal.db")) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}")) for table in BESIDE}


def lose(settings, service):
    for file in [*(settings.data / service).glob("journal.db*"), *(settings.data / service).glob("views*")]:
        file.unlink()


async def all_is_well(settings):
    checked = await offline.verify_stores(settings)
    assert (checked.findings, checked.chain, checked.behind) == ([], True, {})
    rebuilt = await offline.rebuild(settings, list(discover()), True, lambda read: None)
    assert all(one.identical for one in rebuilt)


def test_what_was_lost_comes_back_from_what_is_left(kafka, tmp_path):
    bus = f"kafka:{','.join(kafka.cluster.bootstrap)}"
    settings = Settings(data=tmp_path / "data", bus=bus)

    async def runs(*numbers):
        async with installation(settings.data, bus=bus) as it:
            if 0 in numbers:
                await found(it.people, with_engineers(1), "firm-")
            for number in numbers:
                await it.submit(number % 2, f"submit-{number}-")
            async with asyncio.timeout(60):
                # Who begins at the start of a topic does not know at once how much there is.
                while (await offline.verify_stores(settings)).behind:
                    await asyncio.sleep(0.1)
            await it.quiet()

    async def story():
        await runs(0)
        await offline.make_backup(settings, tmp_path / "backup", lambda name: None)
        await runs(1)

        # A lost database.
        for lost in ("dispatcher", "intake", "reporting"):
            records, kept = await journal(settings, lost), beside(settings, lost)
            lose(settings, lost)
            done = await offline.restore_from_topic(settings, lost, replace=False)
            assert (done.position, done.from_topic, done.signed_and_gone) == (len(records), len(records), 0)
            assert await journal(settings, lost) == records, "byte for byte"
            assert beside(settings, lost) == kept, lost
        await runs(2)
        await all_is_well(settings)

        # What was never published is gone, and how much that is, is told.
        async with offline.readers(settings, ["reporting"]) as opened:
            published = (await opened["reporting"].head()).position
        async with installation(settings.data) as it:  # without Kafka, so that nothing is published
            kind = with_engineers(1).request_types["repair"]
            await it.people.call("POST", "/v1/request-types/other", "manager", json=kind)
            await it.quiet()
        more = len(await journal(settings, "reporting")) - published
        assert more > 0
        lose(settings, "reporting")
        done = await offline.restore_from_topic(settings, "reporting", replace=False)
        assert (done.position, done.signed_and_gone) == (published, more)
        await runs(3)
        await all_is_well(settings)

        # Lost topics.
        await kafka.clear()
        for service in discover():
            sent = await offline.republish(settings, service, lambda sent: None)
            assert sent == len(await journal(settings, service))
        await runs(4)
        await all_is_well(settings)

        # An older backup is rolled on to where the topics end: nobody is set back.
        ended = {service: await journal(settings, service) for service in discover()}
        done = await offline.restore_backup(settings, tmp_path / "backup", {}, replace=True, progress=lambda name: None)
        assert {one.service: one.position for one in done} == {name: len(log) for name, log in ended.items()}
        assert all(one.from_topic > 0 and one.set_back == 0 and one.signed_and_gone == 0 for one in done)
        for service, log in ended.items():
            assert await journal(settings, service) == log
        await runs(5)
        await all_is_well(settings)

    asyncio.run(asyncio.wait_for(story(), 300))

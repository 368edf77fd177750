"""
A thousand ways to falsify a journal, by somebody who can also make every hash in the database fit again.

Each is found, with the first position that is not as it was signed. What was recorded since the last checkpoint is not
covered: here the last one is at the end.
"""

import asyncio
from random import Random

import msgspec
import pytest

from contracts import envelope as envelopes
from services.chassis.clock import SetClock
from services.proof.kept import Keeper, Kept
from services.proof.merkle import leaf
from services.proof.notes import Signer
from services.verify.run import Signed, verify
from tests.verify.test_log import INTAKE, NOW, InSqlite, Written, record, supplemented

ATTACKS = 1_000
RECORDS = 60
SIGNED_AT = (1, 2, 17, 40, RECORDS)


class Signs:
    def __init__(self, folder):
        Signer.write(folder / "key.pem")
        self.signer = Signer.from_file(folder / "key.pem")
        self.folder = folder / "kept"

    async def judged(self, journal):
        return await verify({"intake": INTAKE}, {"intake": journal}, signed=Signed(self.folder, self.signer.verifier))


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A journal that was signed five times on its way, as envelopes, and how to judge another by it."""
    folder = tmp_path_factory.mktemp("honest")
    signs, place = Signs(folder), InSqlite(folder)

    async def story():
        done = 0
        for size in SIGNED_AT:
            async with place.open() as store:
                await record(store, *[supplemented(f"r-{n % 7}") for n in range(done, size)])
                await Keeper(store, Kept(signs.folder, "intake"), signs.signer, SetClock(NOW)).keep()
            done = size
        async with place.open() as store:
            report = await signs.judged(store)
            assert (report.violations, report.checkpoints, report.checkpoints_checked) == (0, True, len(SIGNED_AT))
            return [envelopes.read(entry.record) for entry in await store.read(0, 1_000)]

    return signs, asyncio.run(story())


def numbered(log):
    """The records as they would be, had they been recorded so: positions and versions are dense again."""
    versions, found = {}, []
    for position, one in enumerate(log, 1):
        version = versions[one.stream] = versions.get(one.stream, 0) + 1
        places = {"position": str(position), "version": version, "public_version": version}
        found.append(msgspec.structs.replace(one, **places))
    return found


def flip(log, random):
    place = random.randrange(len(log))
    name, other = random.choice([("actor", "x"), ("channel", "web"), ("trace_parent", "00-1"), ("causation_id", "e-0")])
    return [*log[:place], msgspec.structs.replace(log[place], **{name: other}), *log[place + 1 :]], place


def delete(log, random):
    place = random.randrange(len(log))
    return [*log[:place], *log[place + 1 :]], place


def insert(log, random):
    place = random.randrange(len(log) + 1)
    copied = msgspec.structs.replace(random.choice(log), id=f"forged-{random.random()}", actor="x")
    return [*log[:place], copied, *log[place:]], place


def swap(log, random):
    one, other = sorted(random.sample(range(len(log)), 2))
    changed = list(log)
    changed[one], changed[other] = changed[other], changed[one]
    return changed, one


def truncate(log, random):
    left = random.randrange(len(log))
    return log[:left], left


def rewrite(log, random):
    place = random.randrange(len(log))
    return [*log[:place], *[msgspec.structs.replace(one, actor="x") for one in log[place:]]], place


def test_each_of_a_thousand_forgeries_is_found_where_it_begins(honest):
    signs, log = honest
    missed = []

    async def story():
        for seed in range(ATTACKS):
            random = Random(seed)
            attack = random.choice([flip, delete, insert, swap, truncate, rewrite])
            forged, place = attack(log, random)
            if attack is insert and place == len(log):
                continue  # What comes after the last checkpoint is a new record like any other.
            journal = Written(*numbered(forged))
            report = await signs.judged(journal)
            if report.checkpoints or report.first_bad_position.get("intake") != place + 1:
                missed.append((seed, attack.__name__, place + 1, report.first_bad_position, report.findings[:2]))

    asyncio.run(asyncio.wait_for(story(), 120))
    assert missed == [], f"{len(missed)} of {ATTACKS} forgeries, by seed: {missed[:5]}"


def test_without_checkpoints_such_a_forgery_is_whole_in_itself(honest):
    """The test before this one tries what the chain alone does not show."""
    _, log = honest
    forged, _ = rewrite(log, Random(1))

    async def story():
        report = await verify({"intake": INTAKE}, {"intake": Written(*numbered(forged))})
        assert (report.violations, report.chain, report.checkpoints_checked) == (0, True, 0)

    asyncio.run(story())


def test_the_place_is_narrowed_to_two_checkpoints_where_the_leaves_were_forged_too(honest):
    signs, log = honest
    leaves = signs.folder / "intake" / "leaves"
    was = leaves.read_bytes()

    async def story():
        forged = Written(*numbered([*log[:20], *[msgspec.structs.replace(one, actor="x") for one in log[20:]]]))
        leaves.write_bytes(b"".join(leaf(entry.record) for entry in forged.entries))
        report = await signs.judged(forged)
        assert report.first_bad_position == {"intake": 18}, "right after the checkpoint of 17 records"
        assert "the records 18 to 40" in report.findings[0].what

    try:
        asyncio.run(story())
    finally:
        leaves.write_bytes(was)


def test_a_file_of_leaves_that_was_changed_is_told_from_a_journal_that_was(honest):
    signs, log = honest
    leaves = signs.folder / "intake" / "leaves"
    was = leaves.read_bytes()

    async def story():
        leaves.write_bytes(bytes(32) + was[32:])
        report = await signs.judged(Written(*log))
        assert report.first_bad_position == {}
        assert [finding.what for finding in report.findings] == [
            "record 1 is as it was signed, and its hash beside the checkpoints is not: the file of leaves was changed"
        ]

    try:
        asyncio.run(story())
    finally:
        leaves.write_bytes(was)

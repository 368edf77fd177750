"""What is kept of a journal outside its database, over a real journal that grows, stops and is tampered with."""

import asyncio
import json
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from random import Random

import pytest

from services.chassis.clock import SetClock
from services.proof.inclusion import NotProvable, proof_of
from services.proof.kept import Keeper, Kept
from services.proof.merkle import HASH, Frontier, leaf
from services.proof.notes import BadNote, Checkpoint, Signer, Verifier
from tests.verify.test_log import NOW, InSqlite, record, supplemented

SCRIPT = Path(__file__).parents[2] / "deploy" / "check_proof.py"


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    path = tmp_path_factory.mktemp("key") / "key.pem"
    Signer.write(path)
    assert path.stat().st_mode & 0o77 == 0
    return Signer.from_file(path)


class Stage:
    """Intake's journal, and what is kept of it."""

    def __init__(self, folder, signer):
        self.signer, self.place = signer, InSqlite(folder)
        self.kept = Kept(folder / "kept", "intake")

    async def recorded(self, how_many):
        async with self.place.open() as store:
            await record(store, *[supplemented(f"r-{n % 3}") for n in range(how_many)])

    async def signed(self):
        async with self.place.open() as store:
            await Keeper(store, self.kept, self.signer, SetClock(NOW)).keep()

    async def entries(self):
        async with self.place.open() as store:
            return list(await store.read(0, 1_000))

    def checkpoints(self):
        return [self.signer.verifier.read(note) for note in self.kept.notes()]


@pytest.fixture
def stage(tmp_path, signer):
    return Stage(tmp_path, signer)


def run(story):
    asyncio.run(asyncio.wait_for(story, 60))


def test_each_checkpoint_is_of_all_that_was_recorded_by_then_also_across_restarts(stage):
    async def story():
        sizes = []
        for more in (1, 2, 5, 1_003):
            await stage.recorded(more)
            await stage.signed()
            await stage.signed()
            sizes.append(sum((1, 2, 5, 1_003)[: len(sizes) + 1]))
        async with stage.place.open() as store:
            leaves = [leaf(entry.record) for entry in await store.read(0, 5_000)]
        assert [one.size for one in stage.checkpoints()] == sizes
        for one in stage.checkpoints():
            assert one.root == Frontier.over(b"".join(leaves[: one.size])).root()
            assert (one.origin, one.at) == ("fieldloop/intake", NOW)
        assert stage.kept.leaves(10_000) == b"".join(leaves)

    run(story())


@pytest.mark.parametrize("lost", ["frontier", "leaves", "both"])
def test_what_was_lost_beside_the_checkpoints_is_made_anew_and_the_next_one_fits(stage, lost, tmp_path):
    async def story():
        await stage.recorded(7)
        await stage.signed()
        for name in ("frontier", "leaves"):
            if lost in (name, "both"):
                (tmp_path / "kept" / "intake" / name).unlink()
        await stage.recorded(4)
        await stage.signed()
        leaves = [leaf(entry.record) for entry in await stage.entries()]
        assert [one.size for one in stage.checkpoints()] == [7, 11]
        assert stage.checkpoints()[-1].root == Frontier.over(b"".join(leaves)).root()

    run(story())


def test_a_note_that_was_not_written_to_its_end_is_no_checkpoint(stage, tmp_path):
    async def story():
        await stage.recorded(3)
        await stage.signed()
        path = tmp_path / "kept" / "intake" / "checkpoints"
        whole = path.read_text()
        path.write_text(whole + whole[:-20])
        assert len(stage.kept.notes()) == 1
        await stage.recorded(1)
        path.write_text(whole)
        await stage.signed()
        assert [one.size for one in stage.checkpoints()] == [3, 4]

    run(story())


# Signatures.


def test_a_checkpoint_is_read_as_it_was_signed_and_every_changed_character_is_noticed(signer):
    signed = Checkpoint("fieldloop/intake", 42, bytes(range(32)), NOW)
    note = signer.sign(signed)
    assert signer.verifier.read(note) == signed
    assert Verifier.named(signer.verifier.text()).read(note) == signed
    for place, character in enumerate(note):
        other = note[:place] + ("x" if character != "x" else "y") + note[place + 1 :]
        with pytest.raises(BadNote):
            signer.verifier.read(other)


def test_what_another_installation_signed_is_not_believed(signer, tmp_path):
    Signer.write(tmp_path / "other.pem")
    other = Signer.from_file(tmp_path / "other.pem")
    with pytest.raises(BadNote, match="another installation"):
        signer.verifier.read(other.sign(Checkpoint("fieldloop/intake", 1, bytes(32), NOW)))


@pytest.mark.parametrize("text", ["", "fieldloop", "fieldloop+00000000+AAAA", "x+y+z", "fieldloop+12+%%%"])
def test_a_text_that_is_no_key_is_refused(text):
    with pytest.raises(BadNote):
        Verifier.named(text)


def test_a_file_without_a_key_of_this_kind_is_refused(tmp_path):
    (tmp_path / "key").write_text("nothing")
    with pytest.raises(BadNote, match="holds no private key"):
        Signer.from_file(tmp_path / "key")


# Proofs, by the script alone.


def checked(proof, key, tmp_path):
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(proof))
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(path), key], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout + done.stderr


async def proof_in(stage, records=12, of=(0, 5, 11)):
    await stage.recorded(records)
    await stage.signed()
    entries = await stage.entries()
    return proof_of("request r-1", {"intake": [entries[n] for n in of]}, {"intake": stage.kept}, stage.signer.verifier)


def test_the_script_proves_what_is_so(stage, tmp_path):
    async def story():
        proof = await proof_in(stage)
        code, told = checked(proof, stage.signer.verifier.text(), tmp_path)
        assert code == 0, told
        assert "PROVED: these 3 records of request r-1" in told
        for position in (1, 6, 12):
            assert f"intake {position}  RequestSupplemented  by u" in told

    run(story())


def test_the_script_is_small_enough_to_be_read():
    assert len(SCRIPT.read_text().splitlines()) < 200


def test_the_script_believes_no_proof_that_was_changed(stage, tmp_path):
    async def story():
        proof = await proof_in(stage)
        key = stage.signer.verifier.text()
        part = proof["journals"]["intake"]
        one = part["records"][1]
        hashes = one["path"]

        def flipped(text):
            data = bytearray(b64decode(text))
            data[Random(3).randrange(len(data))] ^= 1
            return b64encode(data).decode()

        def with_part(**changed):
            return proof | {"journals": {"intake": part | changed}}

        def with_record(**changed):
            return with_part(records=[part["records"][0], one | changed])

        wrong = [
            with_record(record=one["record"].replace('"u"', '"x"')),
            with_record(index=4),
            with_record(index=-1),
            with_record(path=hashes[:-1]),
            with_record(path=[*hashes, hashes[0]]),
            with_record(path=[flipped(hashes[0]), *hashes[1:]]),
            with_part(checkpoint=part["checkpoint"].replace("\n12\n", "\n13\n")),
            with_part(checkpoint=part["checkpoint"].replace("fieldloop/intake", "fieldloop/quality")),
            proof | {"journals": {"quality": part}},
            with_part(checkpoint="nothing"),
        ]
        for other in wrong:
            code, told = checked(other, key, tmp_path)
            assert code != 0, other
            assert "NOT PROVED" in told, told
        Signer.write(tmp_path / "other.pem")
        code, told = checked(proof, Signer.from_file(tmp_path / "other.pem").verifier.text(), tmp_path)
        assert (code, "not signed by this key" in told) == (1, True)

    run(story())


def test_the_proof_of_one_event_takes_less_than_two_kilobytes_beside_the_event(stage):
    """Of a million records: a path of 20 hashes."""

    async def story():
        proof = await proof_in(stage, of=(3,))
        part = proof["journals"]["intake"]
        [one] = part["records"]
        beside = json.dumps(proof | {"journals": {"intake": part | {"records": [one | {"record": "", "path": []}]}}})
        assert len(beside) + 20 * (4 * -(-HASH // 3) + 4) < 2_000

    run(story())


def test_a_record_that_no_checkpoint_covers_yet_is_not_proved(stage):
    async def story():
        await stage.recorded(2)
        [first, _] = await stage.entries()
        with pytest.raises(NotProvable, match="no checkpoint yet"):
            proof_of("it", {"intake": [first]}, {"intake": stage.kept}, stage.signer.verifier)
        await stage.signed()
        await stage.recorded(1)
        newest = (await stage.entries())[-1]
        with pytest.raises(NotProvable, match="newer than its newest checkpoint"):
            proof_of("it", {"intake": [newest]}, {"intake": stage.kept}, stage.signer.verifier)
        with pytest.raises(NotProvable, match="is not what was signed"):
            forged = first._replace(record=first.record + b" ")
            proof_of("it", {"intake": [forged]}, {"intake": stage.kept}, stage.signer.verifier)

    run(story())

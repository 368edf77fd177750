"""Whatever a release recorded, today's contracts read."""

import hashlib
import json

import msgspec
import pytest

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.event import REGISTRY
from services.reference import schema_of
from tests.contracts import golden
from tests.contracts.compatibility import breaks

RELEASES = sorted(path.name.removesuffix(".jsonl") for path in golden.FOLDER.glob("*.jsonl"))


def records(release):
    return (golden.FOLDER / f"{release}.jsonl").read_bytes().splitlines()


def loaded(release, what):
    return json.loads((golden.FOLDER / f"{release}.{what}.json").read_text(encoding="utf-8"))


def known(then, now):
    """Of what is read today, what was there then: a field may have come, also within a field."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {name: known(value, now.get(name)) for name, value in then.items()}
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [known(*pair) for pair in zip(then, now, strict=True)]
    return now


def test_there_is_a_release():
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES)
class TestARelease:
    def test_its_facts_are_found_in_its_records(self, release):
        read = [golden.expected(record) for record in records(release)]
        for then, now in zip(loaded(release, "expected"), read, strict=True):
            fields = known(then["fields"], now["fields"])
            assert {**now, "fields": fields} == then, f"{then['type']} of {release} reads otherwise today"

    def test_nothing_of_its_envelopes_is_lost(self, release):
        for record in records(release):
            again = json.loads(msgspec.json.encode(envelopes.read(record)))
            assert json.loads(record).items() <= again.items()

    def test_its_schemas_and_todays_understand_each_other(self, release):
        today = {"Envelope": schema_of(Envelope)} | {name: schema_of(event) for name, event in REGISTRY.items()}
        schemas = loaded(release, "schemas")
        gone = sorted(schemas.keys() - today.keys())
        assert not gone, f"{gone} of {release} are gone: journals hold such events for ever"
        broken = [why for name, schema in schemas.items() for why in breaks(schema, today[name])]
        assert not broken, "\n".join(broken)

    def test_it_holds_every_event_that_it_published(self, release):
        assert {envelopes.read(record).type for record in records(release)} | {"Envelope"} == set(
            loaded(release, "schemas")
        )


def test_what_was_released_is_as_it_was():
    listed = dict(reversed(line.split()) for line in golden.SUMS.read_text().splitlines())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for release in RELEASES
        for path in golden.FOLDER.glob(f"{release}.*")
    }
    assert found == listed, "golden files are written once: take the change back (contracts/golden/README.md)"


def test_a_release_is_not_written_twice():
    with pytest.raises(FileExistsError):
        golden.write(RELEASES[0])


def test_todays_examples_can_be_recorded_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    monkeypatch.setattr(golden, "SUMS", tmp_path / "sums")
    golden.write("next")
    assert {envelopes.read(record).type for record in records("next")} == set(REGISTRY)

"""Exports of a small log: every public event of the tenant once, in the shape that other tools read."""

import asyncio
import json
from xml.etree import ElementTree

import msgspec
import pytest

from contracts import envelope as envelopes
from contracts.examples import EXAMPLES
from services.exporting.log import export
from tests.fold import enveloped
from tests.reporting.examples import order_assigned, request_received
from tests.verify.test_log import Written

XES = "{http://www.xes-standard.org/}"
INTAKE = [request_received(1), (request_received(2), {"tenant": "other"}), request_received(3)]


def journals(**changed):
    """Intake's journal, and the dispatcher's, which has taken in what intake published."""
    asked = [envelope for _, envelope in enveloped(INTAKE)]
    asked[0] = msgspec.structs.replace(asked[0], **changed)
    [*_, (_, assigned)] = enveloped([*INTAKE, order_assigned(1)])
    internal = msgspec.structs.replace(assigned, id="internal", public_version=0)
    dispatcher = Written(*asked, assigned, internal)
    taken = [entry._replace(stream=f"intake:{entry.stream}") for entry in dispatcher.entries[:3]]
    dispatcher.entries[:3] = taken
    return {"intake": Written(*asked), "dispatcher": dispatcher}


def exported(form, tmp_path, **changed):
    path = tmp_path / "out"
    written = journals(**changed)
    tenant = envelopes.read(written["intake"].entries[2].record).tenant
    done = asyncio.run(export(written, tenant, form, path))
    assert [one.name for one in tmp_path.iterdir()] == ["out"], "nothing is left beside it"
    return done, path


def test_records_are_written_as_they_were_recorded_each_once(tmp_path):
    done, path = exported("jsonl", tmp_path)
    assert path.read_bytes().splitlines() == [
        *[journals()["intake"].entries[n].record for n in (0, 2)],
        journals()["dispatcher"].entries[3].record,
    ]
    assert (done.events, done.by_type) == (3, {"RequestReceived": 2, "OrderAssigned": 1})


def test_ocel_has_every_event_with_the_things_that_it_names(tmp_path):
    done, path = exported("ocel2", tmp_path)
    log = json.loads(path.read_text())
    assert {*log} == {"events", "eventTypes", "objects", "objectTypes"}
    assert len(log["events"]) == done.events == 3
    assert len(log["objects"]) == done.objects
    objects = {one["id"]: one["type"] for one in log["objects"]}
    assert len(objects) == len(log["objects"]), "an object is there once"
    declared = {one["name"]: {a["name"]: a["type"] for a in one["attributes"]} for one in log["eventTypes"]}
    kinds = {"string": str, "integer": int, "boolean": bool}
    for event in log["events"]:
        assert {*event} == {"id", "type", "time", "attributes", "relationships"}
        for attribute in event["attributes"]:
            assert type(attribute["value"]) is kinds[declared[event["type"]][attribute["name"]]]
        for related in event["relationships"]:
            assert objects[related["objectId"]] == related["qualifier"]
    assigned = next(one for one in log["events"] if one["type"] == "OrderAssigned")
    assert {"request:r-1", "order:o-1"} <= {one["objectId"] for one in assigned["relationships"]}
    assert {one["name"] for one in log["objectTypes"]} == {*objects.values()}


def test_every_event_of_the_contracts_is_about_something_or_other_tools_would_drop_it(tmp_path):
    events = [envelope for _, envelope in enveloped([one for one in EXAMPLES.values() if one.PUBLIC])]
    asyncio.run(export({"all": Written(*events)}, events[0].tenant, "ocel2", tmp_path / "out"))
    log = json.loads((tmp_path / "out").read_text())
    assert len(log["events"]) == len(events) > 50
    assert [one["type"] for one in log["events"] if not one["relationships"]] == []


def test_xes_has_a_trace_for_each_request_in_the_order_in_which_it_happened(tmp_path):
    done, path = exported("xes", tmp_path, actor='<a&"b">\x01')
    root = ElementTree.parse(path).getroot()
    traces = root.findall(f"{XES}trace")
    assert (len(traces), done.objects, done.events) == (2, 2, 3)

    def said(event):
        return {one.get("key"): one.get("value") for one in event}

    first = [said(event) for event in traces[0].findall(f"{XES}event")]
    assert [one["concept:name"] for one in first] == ["RequestReceived", "OrderAssigned"]
    assert first == sorted(first, key=lambda one: one["time:timestamp"])
    assert first[0]["org:resource"] == '<a&"b">\ufffd'


@pytest.mark.parametrize("form", ["jsonl", "xes", "ocel2"])
def test_what_cannot_be_written_to_its_end_leaves_the_file_as_it_was(tmp_path, form):
    path = tmp_path / "out"
    path.write_text("yesterday's")
    broken = journals()
    broken["dispatcher"].entries[3] = broken["dispatcher"].entries[3]._replace(record=b"{")
    with pytest.raises(msgspec.DecodeError):
        asyncio.run(export(broken, "t-1", form, path))
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
    assert path.read_text() == "yesterday's"


def test_parquet_has_a_row_for_each_event_and_counts_as_the_log_does(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("services.exporting.log.ROW_GROUP", 2)
    done, path = exported("parquet", tmp_path)
    table = parquet.read_table(path)
    rows = table.to_pylist()
    assert parquet.ParquetFile(path).num_row_groups == 2
    assert len(rows) == done.events == 3
    written = [journals()["intake"].entries[n].record for n in (0, 2)] + [journals()["dispatcher"].entries[3].record]
    for row, record in zip(rows, written, strict=True):
        envelope = envelopes.read(record)
        assert (row["id"], row["type"], row["position"]) == (envelope.id, envelope.type, int(envelope.position))
        assert row["time_us"] == int(envelope.time.timestamp() * 1_000_000)
        assert json.loads(row["data"]) == json.loads(bytes(envelope.data))


def test_parquet_of_nothing_is_a_table_too(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    asyncio.run(export({"intake": Written()}, "nobody", "parquet", tmp_path / "out"))
    assert parquet.read_table(tmp_path / "out").num_rows == 0

"""A mapping that cannot be used says which field is wrong and what to do; one that can says what a row means."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.importing.mapping import BadMapping, Time, load
from tests.importing.imports import COLUMNS, mapping, write_mapping

SHIPPED = sorted(Path("deploy/mappings").glob("*.yaml"))


@pytest.mark.parametrize(
    ("changes", "field", "remedy"),
    [
        ({"source": "Our Desk!"}, "source:", "pattern"),
        ({"columns": {"case": "c", "time": "t"}}, "columns.status:", "is missing; add it"),
        ({"columns": COLUMNS | {"team_name": "x"}}, "columns.team_name:", "remove it, or correct its name"),
        ({"colums": COLUMNS}, "colums:", "remove it, or correct its name"),
        ({"columns": None, "attributes": None}, "the mapping:", "give one of them"),
        ({"encoding": "utf-9"}, "encoding:", "give one as utf-8, gb18030 or latin-1"),
        ({"time": {"zone": "China"}}, "time.zone:", "give one as Asia/Shanghai or UTC"),
        ({"time": {"format": "%d.%m.%Y"}}, "time:", "add `zone:`"),
        ({"time": {"format": "ISO 8601"}}, "time:", "give `iso` or one as %Y-%m-%d %H:%M:%S"),
        ({"required": ["group"]}, "required.0:", "team"),
        ({"columns": {k: v for k, v in COLUMNS.items() if k != "team"}}, "the mapping:", "`required` names it"),
        ({"statuses": []}, "statuses:", "at least 1"),
        (
            {"statuses": [{"status": "a", "kind": "closed"}]},
            "statuses.0.kind:",
            "'queued', 'taken', 'paused' or 'finish",
        ),
        ({"statuses": [{"status": "a", "kind": "paused"}]}, "statuses.0:", "say what is waited for"),
        ({"statuses": [{"status": "a", "kind": "taken", "outcome": "x"}]}, "statuses.0:", "leave it out"),
        ({"delimiter": ";;"}, "delimiter:", "at most 1"),
        ({"format": "xlsx"}, "format:", "'csv', 'xes' or 'auto'"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_remedy(tmp_path, changes, field, remedy):
    with pytest.raises(BadMapping) as wrong:
        load(write_mapping(tmp_path, changes))
    assert field in str(wrong.value)
    assert remedy in str(wrong.value)


def test_all_mistakes_are_named_at_once(tmp_path):
    with pytest.raises(BadMapping) as wrong:
        load(write_mapping(tmp_path, {"source": "?", "encoding": "utf-9", "statuses": []}))
    assert len(str(wrong.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["", "- a\n- b", "a: [", "\xff"])
def test_what_is_no_mapping_at_all_is_said(tmp_path, text):
    path = tmp_path / "mapping.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadMapping, match=r"mapping\.yaml"):
        load(path)
    with pytest.raises(BadMapping, match="check the path"):
        load(tmp_path / "absent.yaml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_mappings_that_are_shipped_can_be_used(path):
    assert load(path).source == path.stem


def test_of_several_statuses_that_fit_the_first_counts():
    meanings = mapping()
    assert meanings.meaning("work", "wait - user").reason == "wait - user"
    assert meanings.meaning("work", "in progress").kind == "taken"
    assert meanings.meaning("done", "").outcome == "solved"
    assert meanings.meaning("Done", "") is None, "statuses are compared as they are written"


@pytest.mark.parametrize(
    ("time", "text", "hour"),
    [
        (Time(), "2012-05-01T08:00:00Z", 8),
        (Time(), "2012-05-01T08:00:00.000+02:00", 6),
        (Time(zone="Asia/Shanghai"), "2012-05-01 08:00:00", 0),
        (Time(zone="Asia/Shanghai"), "2012-05-01 08:00:00Z", 8),
        (Time(format="%d.%m.%Y %H:%M", zone="Europe/Stockholm"), "01.05.2012 08:00", 6),
    ],
)
def test_a_time_is_read_in_its_zone(time, text, hour):
    assert time.read(text) == datetime(2012, 5, 1, hour, tzinfo=UTC)

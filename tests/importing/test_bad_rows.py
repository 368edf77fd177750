"""What cannot be used is listed with its line and the reason; the rest goes in, and nothing is half recorded."""

import asyncio
import gzip

import pytest

from contracts.dispatcher import OrderTaken
from services.importing.rows import Unusable
from tests.importing.imports import csv_of, importing, mapping, row

GOOD = [row("c-1"), row("c-2")]


def imported(tmp_path, content, name="log.csv", **changes):
    """The result, the events and the list of what was not used."""

    async def story():
        async with importing(tmp_path) as it:
            done = await it.imports(content, name, mapping=mapping(**changes))
            return done, [event for _, event in await it.rows()], it.rejects()

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(at=""), "time is missing"),
        (row(at="yesterday"), "the time cannot be read: Invalid isoformat string: 'yesterday'"),
        (row(at="2012-05-01 08:00:00"), "the time cannot be read: the time names no zone"),
        (row(at="0001-01-01T00:00:00+14:00"), "the time cannot be read: the time is out of range"),
        (row(status=""), "status is missing"),
        (row(status="sleeping", sub="deep"), "the status 'sleeping' / 'deep' is not in the mapping"),
        (row(case=""), "case is missing"),
        (row(team=""), "team is missing"),
        ("c-1,2012-05-01T08:00:00Z,work", "columns are missing: 3 instead of 8"),
        (row() + ",more", "too many columns: 9 instead of 8"),
        (row(person='"ann" b'), "',' expected after '\"'"),
        (row(person='"ann'), "a quotation mark is not closed"),
        (row(person="a\0b"), "a text holds the character NUL, which cannot be stored"),
    ],
)
def test_a_bad_row_is_listed_and_the_others_go_in(tmp_path, bad, reason):
    done, events, rejects = imported(tmp_path, csv_of(GOOD[0], bad, GOOD[1]))
    assert [(line, said[: len(reason)]) for line, said in rejects] == [(3, reason)]
    assert (done.rows, done.recorded, done.rejected, done.incomplete) == (3, 2, 1, "")
    assert len(events) == 2


def test_broken_encoding_costs_its_row_only_and_is_shown(tmp_path):
    content = csv_of(GOOD[0], row(person="Zo\u00eb"), GOOD[1]).encode("latin-1")
    done, _, rejects = imported(tmp_path, content)
    assert (done.recorded, rejects) == (2, [(3, "the encoding is broken")])
    assert "Zo\\xeb" in (tmp_path / "rejects.csv").read_text(encoding="utf-8")
    assert imported(tmp_path / "right", content, encoding="latin-1")[0].recorded == 3


def test_a_quotation_mark_that_is_never_closed_costs_one_row_of_a_long_file(tmp_path):
    rows = [row(f"c-{n}") for n in range(200)]
    rows[20] = row(person='"ann')
    done, _, rejects = imported(tmp_path, csv_of(*rows))
    assert (done.recorded, rejects) == (199, [(22, "a quotation mark is not closed")])


def test_a_text_may_hold_commas_quotes_and_lines(tmp_path):
    _, events, rejects = imported(tmp_path, csv_of(row(person='"Li, ""Xiao""\nLong"'), row(at="")))
    assert events[0].person == 'Li, "Xiao"\nLong'
    assert rejects == [(4, "time is missing")], "the line is that of the file"


def test_texts_are_taken_as_they_are(tmp_path):
    _, events, _ = imported(tmp_path, csv_of(row(team="NA", person="null", impact=" Low ")))
    assert (events[0].team, events[0].person, events[0].impact) == ("NA", "null", "Low")


def test_empty_lines_and_a_byte_order_mark_are_passed_over(tmp_path):
    done, _, _ = imported(tmp_path, "\ufeff" + csv_of(GOOD[0], "", GOOD[1]).replace("\n", "\r\n"))
    assert (done.rows, done.recorded) == (2, 2)


def test_other_encodings_and_delimiters_are_read(tmp_path):
    content = csv_of(row(team="维修一组")).replace(",", ";").encode("gb18030")
    _, [event], _ = imported(tmp_path, content, encoding="gb18030", delimiter=";")
    assert event.team == "维修一组"


@pytest.mark.parametrize(
    ("content", "changes", "remedy"),
    [
        (csv_of(*GOOD).replace("status", "state"), {}, "has no column status, sub_status"),
        ("", {}, "no first line with the names of its columns; add it"),
        (csv_of(*GOOD).replace("person", "team"), {}, "two columns are called team"),
        (csv_of(*GOOD), {"columns": None}, "no `columns`, which CSV needs"),
        (csv_of(*GOOD), {"delimiter": ";"}, "or `delimiter`"),
    ],
)
def test_a_file_of_which_no_row_can_be_used_is_refused(tmp_path, content, changes, remedy):
    with pytest.raises(Unusable, match=remedy):
        imported(tmp_path, content, **changes)


def test_a_file_whose_format_nobody_says_is_refused(tmp_path):
    with pytest.raises(Unusable, match="say `format: csv` or `format: xes`"):
        imported(tmp_path, csv_of(*GOOD), "log.txt")
    assert imported(tmp_path, csv_of(*GOOD), "log.txt", format="csv")[0].recorded == 2


def test_a_file_that_breaks_off_is_recorded_as_far_as_it_goes(tmp_path):
    rows = [row(f"c-{n}", person=f"p{n * n}") for n in range(3_000)]
    whole = gzip.compress(csv_of(*rows).encode())
    done, events, rejects = imported(tmp_path, whole[: len(whole) // 2], "log.csv.gz")
    assert 0 < done.recorded < 3_000
    assert len(events) == done.recorded
    assert "cannot be read from here on" in done.incomplete
    assert rejects[-1][0] == done.recorded + 2
    # The whole file, later, adds what was missing.
    done, events, _ = imported(tmp_path, whole, "log.csv.gz")
    assert (done.recorded + done.repeated, len(events), done.incomplete) == (3_000, 3_000, "")


# XES.


def event_of(status="work", at="2012-05-01T08:00:00Z", **more):
    said = {"concept:name": status, "time:timestamp": at, "org:group": "T1", "org:resource": "ann"} | more
    return "<event>" + "".join(f'<string key="{k}" value="{v}"/>' for k, v in said.items() if v) + "</event>"


def xes_of(*events, case="c-1", head='<?xml version="1.0" encoding="UTF-8"?>'):
    trace = f'<trace><string key="concept:name" value="{case}"/>' + "\n".join(events) + "</trace>"
    return f'{head}\n<log xmlns="http://www.xes-standard.org/">\n{trace}\n</log>'


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (event_of(at=""), "time is missing"),
        (event_of(status="sleeping"), "the status 'sleeping' / '' is not in the mapping"),
        (event_of(**{"org:group": ""}), "team is missing"),
    ],
)
def test_a_bad_event_of_xes_is_listed_with_its_line(tmp_path, bad, reason):
    done, _, rejects = imported(tmp_path, xes_of(event_of(), bad, event_of()), "log.xes")
    assert (done.recorded, rejects) == (2, [(4, reason)])


def test_broken_encoding_in_xes_costs_its_event_only(tmp_path):
    content = xes_of(event_of(), event_of(impact="h\u00f6ch"), event_of()).encode("latin-1")
    done, _, rejects = imported(tmp_path, content, "log.xes")
    assert (done.recorded, rejects) == (2, [(4, "the encoding is broken")])
    said = content.replace(b"UTF-8", b"ISO-8859-1")
    assert imported(tmp_path / "said", said, "log.xes")[0].recorded == 3


def test_attributes_of_attributes_are_no_attributes_of_the_event(tmp_path):
    nested = '<string key="org:group" value="T1"><string key="org:group" value="T9"/></string>'
    [event] = imported(tmp_path, xes_of(event_of().replace('<string key="org:group" value="T1"/>', nested)), "a.xes")[1]
    assert event.team == "T1"


def test_xml_that_breaks_off_is_recorded_as_far_as_it_goes(tmp_path):
    content = xes_of(event_of(), event_of())
    done, events, rejects = imported(tmp_path, content[: content.rindex("<event>")], "log.xes")
    assert [type(event) for event in events] == [OrderTaken]
    assert done.incomplete == "line 4: this is no XML from here on: no element found"
    assert rejects[-1][0] == 4


def test_a_document_type_is_refused_so_that_no_entity_can_grow(tmp_path):
    bomb = '<!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with pytest.raises(Unusable, match="DOCTYPE"):
        imported(tmp_path, xes_of(event_of(impact="&b;"), head=bomb), "log.xes")


def test_other_xml_is_refused(tmp_path):
    with pytest.raises(Unusable, match="begins with <html> instead of <log>"):
        imported(tmp_path, "<html></html>", "log.xes")

"""Registers that a company brings along as a file: each row is taken or refused, and the refused ones given back."""

import asyncio
import io

import pytest
from openpyxl import Workbook

from contracts.intake import CustomerRegistered, CustomerUpdated, DeviceRegistered
from intake.adapters.sheets import MOST_ROWS, Unreadable, rows_of
from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import founded

HEADING = ["device_id", "customer_id", "model", "serial", "skill"]
GOOD = ["d-7", "c-1", "KFR-35", "S7", "air-conditioning"]
BAD = [["d-8", "c-9", "M", "S8", "s"], ["d-9", "c-1", "M", "S1", "s"], ["", "c-1", "M", "S9", "s"]]


def as_csv(*rows, encoding="utf-8"):
    return "\n".join([",".join(map(str, row)) for row in rows]).encode(encoding)


def as_xlsx(*rows):
    book, out = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("content", [as_csv(HEADING, GOOD), as_xlsx(HEADING, GOOD)], ids=["csv", "xlsx"])
def test_a_row_is_read_by_the_names_of_its_columns(content):
    [row] = rows_of(content)
    assert (row.line, row.cells) == (2, dict(zip(HEADING, GOOD, strict=True)))


def test_what_a_chinese_spreadsheet_writes_is_read():
    [row] = rows_of(as_csv(["设备编号", "型号"], ["d-7", "冰箱"], encoding="gb18030"))
    assert row.cells == {"device_id": "d-7", "model": "冰箱"}
    assert rows_of(b"\xef\xbb\xbf" + as_csv(HEADING, GOOD))[0].cells["device_id"] == "d-7"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"a,a\n1,2\n",
        b"PK\x03\x04 no zip",
        b"a\n\xff\xff\n",
        b'a\n"open\n',
        b"a\n" + b"1\n" * (MOST_ROWS + 1),
    ],
)
def test_what_is_no_table_is_said_to_be_none(content):
    with pytest.raises(Unreadable):
        rows_of(content)


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


async def bring(it, register, content):
    return await it.call("o", "operator", "POST", f"/v1/{register}/import", content=content)


@pytest.mark.parametrize("written", [as_csv, as_xlsx])
def test_good_rows_are_taken_and_bad_ones_given_back_with_the_reason(tmp_path, written):
    async def story(it):
        told = (await bring(it, "devices", written(HEADING, GOOD, *BAD))).json()
        assert told["taken"] == 1
        assert [(one["line"], one["why"].partition(":")[0]) for one in told["refused"]] == [
            (3, "customer.unknown"),
            (4, "device-serial.taken"),
            (5, "device_id"),
        ]
        assert (await it.call("a", "agent", "GET", "/v1/devices/d-7")).json()["serial"] == "S7"
        assert (await it.call("a", "agent", "GET", "/v1/devices/d-8")).status_code == 404
        heading = ["设备编号", "客户编号", "型号", "序列号", "技能", "供应商"]
        assert (await bring(it, "devices", as_csv(heading, [*GOOD, "冷暖贸易"]))).json()["taken"] == 1
        assert (await it.call("a", "agent", "GET", "/v1/devices/d-7")).json()["device_supplier"] == "冷暖贸易"

    run(tmp_path, story)


def test_the_reasons_are_in_the_language_of_whoever_brings_the_file(tmp_path):
    async def story(it):
        headers, content = {"Accept-Language": "zh"}, as_csv(HEADING, *BAD)
        told = (await it.call("o", "operator", "POST", "/v1/devices/import", content=content, headers=headers)).json()
        assert [one["why"].partition(": ")[2].partition(" ")[0] for one in told["refused"]] == [
            "没有该客户",
            "该序列号已属于另一台设备",
            "缺少此字段。",
        ]
        assert "没有该客户" in told["reject_file"]

    run(tmp_path, story)


def test_the_file_of_refused_rows_is_corrected_and_sent_again(tmp_path):
    async def story(it):
        told = (await bring(it, "devices", as_csv(HEADING, GOOD, BAD[0]))).json()
        assert told["reject_file"].splitlines()[1].startswith("d-8,c-9,M,S8,s,3,")
        again = (await bring(it, "devices", told["reject_file"].replace("c-9", "c-1").encode())).json()
        assert (again["taken"], again["refused"], again["reject_file"]) == (1, [], "")

    run(tmp_path, story)


def test_a_file_that_is_sent_again_records_nothing(tmp_path):
    heading = ["customer_id", "name", "phone", "region", "lat_udeg", "lon_udeg"]
    content = as_csv(heading, ["c-7", "王", "13800000007", "海淀区", 39_959_000, 116_298_000])

    async def story(it):
        for _ in range(2):
            assert (await bring(it, "customers", content)).json()["taken"] == 1
            assert (await bring(it, "devices", as_csv(HEADING, GOOD))).json()["taken"] == 1
        found = [one for one in await it.own_events() if isinstance(one, CustomerRegistered | CustomerUpdated)]
        assert [one.customer_id for one in found] == ["c-1", "c-7"]
        assert len([one for one in await it.own_events() if isinstance(one, DeviceRegistered)]) == 2

    run(tmp_path, story)


def test_what_cannot_be_read_is_refused_as_a_whole(tmp_path):
    async def story(it):
        answer = await bring(it, "devices", b"PK\x03\x04")
        assert (answer.status_code, answer.json()["code"]) == (422, "sheet.unreadable")

    run(tmp_path, story)


def test_a_cell_of_the_reject_file_is_no_formula(tmp_path):
    async def story(it):
        told = (await bring(it, "devices", as_csv(HEADING, ["d-8", "c-9", "=1+1", "S8", "s"]))).json()
        assert "'=1+1" in told["reject_file"]

    run(tmp_path, story)


def test_what_a_clerk_writes_is_taken_and_what_is_refused_comes_back_as_it_was_written(tmp_path):
    async def story(it):
        head = ["客户编号", "姓名", "电话", "地区", "类型", "语言", "纬度", "经度", "坐标系"]
        good = ["c-7", "李四", "13800000007", "成都市锦江区", "企业", "英文", "30.657", "104.083", "GCJ-02"]
        told = (await bring(it, "customers", as_csv(head, good, ["c-8", "王", "13800000008", "朝阳区", "个人"]))).json()
        assert [one["why"].partition(":")[0] for one in told["refused"]] == ["address.ambiguous"]
        assert told["reject_file"].splitlines()[0] == "客户编号,姓名,电话,地区,类型,line,why"
        assert told["reject_file"].splitlines()[1].startswith("c-8,王,13800000008,朝阳区,个人,3,")
        shown = (await it.call("a", "agent", "GET", "/v1/customers/c-7")).json()
        assert (shown["kind"], shown["language"]) == ("company", "en")
        assert (shown["lat_udeg"], shown["lon_udeg"]) == (30_659_000, 104_080_000)

    run(tmp_path, story)

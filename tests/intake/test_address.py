"""Where an address lies, and when that must be asked."""

import pytest

from intake.domain.address import parse


def names(address):
    return [division.full_name for division in parse(address).divisions]


@pytest.mark.parametrize(
    ("address", "name", "rest"),
    [
        ("北京市朝阳区建国路 1 号", "北京市朝阳区", "建国路1号"),
        ("吉林长春朝阳区人民大街 1 号", "吉林省长春市朝阳区", "人民大街1号"),
        ("长春市朝阳区人民大街", "吉林省长春市朝阳区", "人民大街"),
        ("中国吉林省吉林市船营区解放路", "吉林省吉林市船营区", "解放路"),
        ("新疆乌鲁木齐市天山区中山路", "新疆维吾尔自治区乌鲁木齐市天山区", "中山路"),
        ("云南大理州大理市人民路", "云南省大理白族自治州大理市", "人民路"),
        ("西藏拉萨市城关区北京中路", "西藏自治区拉萨市城关区", "北京中路"),
        ("内蒙古呼和浩特新城区新华大街", "内蒙古自治区呼和浩特市新城区", "新华大街"),
        ("湖北省仙桃市沔阳大道", "湖北省仙桃市", "沔阳大道"),
        ("广东省东莞市长安镇", "广东省东莞市", "长安镇"),
        ("海淀区中关村", "北京市海淀区", "中关村"),
        ("香港特别行政区中环", "香港特别行政区", "中环"),
    ],
)
def test_an_address_that_names_its_division_lies_there(address, name, rest):
    found = parse(address)
    assert ([division.full_name for division in found.divisions], found.rest) == ([name], rest)


def test_a_name_that_is_in_several_cities_gives_all_of_them():
    assert names("朝阳区建国路") == ["北京市朝阳区", "吉林省长春市朝阳区"]
    assert names("江苏省鼓楼区中山路") == ["江苏省南京市鼓楼区", "江苏省徐州市鼓楼区"]


def test_without_a_district_it_is_said_how_far_it_was_understood():
    assert (names("南京东路 1 号"), parse("苏州市工业园区").within) == ([], "江苏省苏州市")
    assert (names("建国路 1 号"), parse("建国路 1 号").within) == ([], "")
    assert names("") == []

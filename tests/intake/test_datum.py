"""Coordinates of maps in China become WGS-84."""

import random
from math import cos, hypot, radians

import pytest

from services.chassis.datum import gcj02, to_wgs84

PUBLISHED = [
    ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
    ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
    ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
]
"""Shanghai, Shenzhen and Beijing in WGS-84 and in GCJ-02: github.com/googollee/eviltransform, go/transform_test.go."""

BAIDU, OF_BAIDU = (39.915, 116.404), (39.90865673957631, 116.39762729119315)
"""BD-09, and GCJ-02 of the same place: github.com/wandergis/coordtransform, test/app.js."""


def metres(one, other):
    north = (one[0] - other[0]) * 111_200
    return hypot(north, (one[1] - other[1]) * 111_200 * cos(radians(one[0])))


def udeg(place):
    return tuple(round(degrees * 1e6) for degrees in place)


@pytest.mark.parametrize(("wgs84", "shown"), PUBLISHED)
def test_the_published_pairs_hold_both_ways(wgs84, shown):
    assert metres(gcj02(*wgs84), shown) < 0.001
    back = to_wgs84("GCJ-02", *udeg(shown))
    assert metres([degrees / 1e6 for degrees in back], wgs84) < 0.2


def test_the_published_pair_of_baidu_holds():
    there, here = to_wgs84("BD-09", *udeg(BAIDU)), to_wgs84("GCJ-02", *udeg(OF_BAIDU))
    assert all(abs(one - other) <= 1 for one, other in zip(there, here, strict=True))  # millionths of a degree


def test_there_and_back_is_nowhere_else_in_all_of_china():
    seed = 20261130
    print(f"seed {seed}")
    pick = random.Random(seed)
    for _ in range(500):
        wgs84 = pick.uniform(18, 53), pick.uniform(74, 134)
        shown = gcj02(*wgs84)
        assert 10 < metres(wgs84, shown) < 1_000
        assert metres([degrees / 1e6 for degrees in to_wgs84("GCJ-02", *udeg(shown))], wgs84) < 0.3


def test_what_lies_outside_or_is_wgs84_stays():
    for place in ((-33_868_800, 151_209_300), (48_856_600, 2_352_200)):
        assert to_wgs84("GCJ-02", *place) == to_wgs84("BD-09", *place) == place
    assert to_wgs84("WGS-84", 39_911_954, 116_377_817) == (39_911_954, 116_377_817)

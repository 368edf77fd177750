"""What measures the board measures it: its small server answers as ours does, and a change repaints a bar."""

from __future__ import annotations

import shutil

import pytest

from dispatcher.api import OrderView
from dispatcher.engineers_api import EngineerView
from services.gateway.pages import BUILT
from tests.benchmarks.bench_board import engineers, measure, orders

FEW = 12


def test_the_rows_are_what_our_routes_give() -> None:
    for order in orders(FEW).values():
        assert OrderView.model_validate(order).model_dump(mode="json").keys() == order.keys()
    for engineer in engineers(FEW):
        assert EngineerView.model_validate(engineer).model_dump(mode="json").keys() == engineer.keys()


@pytest.mark.skipif(not (BUILT / "desk.html").exists(), reason="the screens are not built: `make web`")
@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium here (Debian: chromium)")
def test_a_small_board_is_measured() -> None:
    found = measure(FEW, openings=1, updates=3)
    assert (found["engineers"], found["visits"]) == (FEW, FEW * 8)
    assert found["first_paint_ms"] > 0 < found["update_ms_p95"]

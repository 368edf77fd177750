"""The service levels that come with the starter packs: `dispatcher/packs/slas.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from dispatcher.commands import ClockAgreed

FILE: Final = Path(__file__).parents[1] / "packs" / "slas.yaml"


class ShippedSla(NamedTuple):
    name: str
    clocks: tuple[ClockAgreed, ...]


@cache
def shipped_slas() -> Mapping[str, ShippedSla]:
    """By id. Raises pydantic's ValidationError for a clock that is none."""
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {
        sla_id: ShippedSla(said["name"], tuple(ClockAgreed(**clock) for clock in said["clocks"]))
        for sla_id, said in content.items()
    }

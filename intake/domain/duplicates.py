"""
How much two requests look like one: points for what they share, of 100.

The weights are ours. One device is nearly proof; one customer with one kind of fault is reason to look; a neighbour
with the same fault is worth a hint to who asks for hints. What either of them leaves open counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

WEIGHTS: Final[Mapping[str, int]] = {"device": 40, "customer": 25, "type": 20, "fault": 10, "place": 5}
"""What is the same, and its points."""

LIKELY: Final = 45
"""So many points are worth showing: the same device, and anything else; or the same customer with the same type."""

WINDOW: Final = timedelta(hours=72)
"""A request that was submitted longer ago is another matter."""

NEAR_UDEG: Final = 3_000
"""Two places that lie no farther apart than this in latitude and in longitude, some 300 m, are one."""


@dataclass(frozen=True)
class Asked:
    """What of a request tells it from others. Empty texts and None are not known."""

    device_id: str = ""
    customer_id: str = ""
    request_type: str = ""
    fault_class: str = ""
    lat_udeg: int | None = None
    lon_udeg: int | None = None


def shared(one: Asked, other: Asked) -> dict[str, int]:
    """What the two have in common, with its points."""
    same = {
        "device": bool(one.device_id) and one.device_id == other.device_id,
        "customer": bool(one.customer_id) and one.customer_id == other.customer_id,
        "type": bool(one.request_type) and one.request_type == other.request_type,
        "fault": bool(one.fault_class) and one.fault_class == other.fault_class,
        "place": _near(one.lat_udeg, other.lat_udeg) and _near(one.lon_udeg, other.lon_udeg),
    }
    return {name: WEIGHTS[name] for name, is_same in same.items() if is_same}


def _near(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= NEAR_UDEG

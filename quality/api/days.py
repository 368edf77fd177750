"""A range of days in the tenant's zone, as callers give it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import Query

from quality.domain.weeks import begin_us, today
from services.chassis.http import Call, Problem

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2099, 12, 31)
RANGE: Final = timedelta(days=30)

From = Annotated[
    date | None, Query(alias="from", ge=FIRST_DAY, le=LAST_DAY, description="The first day; 30 days ago if left out")
]
To = Annotated[
    date | None, Query(ge=FIRST_DAY, le=LAST_DAY, description="The last day, which is included; today if left out")
]


def days(call: Call, first: date | None, last: date | None) -> tuple[int, int]:
    """The instants (microseconds UTC) at which the first day begins and the last one ends, in the tenant's zone."""
    last = last or today(call.now)
    first = first or last - RANGE
    if first > last:
        raise Problem("range.backwards", first=first.isoformat(), last=last.isoformat())
    return begin_us(first), begin_us(last + timedelta(days=1))

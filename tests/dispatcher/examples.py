"""Valid events and commands of the dispatcher; a test names only what matters to it."""

from datetime import UTC, datetime, timedelta

from contracts.dispatcher import (
    EngineerDay,
    EngineerRegistered,
    HoursBooked,
    HoursFreed,
    OrderAssigned,
    OrderDeclined,
    OrderOpened,
    OrderReturned,
    OrderStarted,
    Shift,
)
from dispatcher.commands import (
    AssignByHand,
    AssignOrder,
    Candidate,
    OpenOrder,
    ReassignOrder,
    RegisterEngineer,
    ShiftHours,
    TakeOrder,
)
from tests.given import NOW

TODAY, TOMORROW = "2026-11-24", "2026-11-25"
"""In Shanghai, where NOW is five in the afternoon of a Tuesday."""

SHOP = {"lat_udeg": 39_900_000, "lon_udeg": 116_400_000}
HOME = {"home_lat_udeg": 39_900_000, "home_lon_udeg": 116_400_000}
ALL_WEEK = tuple(Shift(weekday, 8 * 60, 20 * 60) for weekday in range(7))


def at(hour: int, minute: int = 0, day: int = 24) -> datetime:
    """This time in Shanghai, as UTC."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


def open_order(**changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "customer_id": "c-1", "request_type": "repair", "skill": "cooling"}
    facts |= {"urgency": "normal", "duration_s": 3_600, "region": "朝阳区", "now": NOW} | SHOP
    return OpenOrder(**facts | changes)


def opened(**changes):
    facts = open_order().model_dump(exclude={"now", "earlier_ids"}) | {"assign_due_at": NOW + timedelta(minutes=30)}
    return OrderOpened(**facts | changes)


def registered(engineer_id="e-1", **changes):
    facts = {"name": "王", "skills": ("cooling",), "region": "朝阳区", "shifts": ALL_WEEK, "van_id": "van-1"} | HOME
    return EngineerRegistered(**{"engineer_id": engineer_id} | facts | changes)


def register(engineer_id="e-1", **changes):
    shifts = tuple(ShiftHours(weekday=day, from_minute=480, to_minute=1_200) for day in range(7))
    facts = {"name": "王", "skills": ("cooling",), "region": "朝阳区", "shifts": shifts, "van_id": "van-1"} | HOME
    return RegisterEngineer(**{"engineer_id": engineer_id} | facts | changes)


def assigned(engineer_id="e-1", day=TODAY, **changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "starts_at": at(17), "ends_at": at(18), "travel_m": 0}
    facts |= {"engineer_id": engineer_id, "day": day, "chosen_by": "rule"}
    return OrderAssigned(**facts | changes)


def started(**changes):
    return OrderStarted(**{"order_id": "o-1", "request_id": "r-1", "engineer_id": "e-1"} | changes)


def declined(**changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "engineer_id": "e-1", "reason": "ill"}
    return OrderDeclined(**facts | {"frees": EngineerDay("e-1", TODAY)} | changes)


def returned(**changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "engineer_id": "e-1", "reason": "nobody-there"}
    return OrderReturned(**facts | {"frees": EngineerDay("e-1", TODAY)} | changes)


def booked(engineer_id="e-1", day=TODAY, **changes):
    facts = {"order_id": "o-1", "starts_at": at(17), "ends_at": at(18)} | SHOP
    return HoursBooked(**{"engineer_id": engineer_id, "day": day} | facts | changes)


def freed(engineer_id="e-1", day=TODAY, order_id="o-1"):
    return HoursFreed(engineer_id=engineer_id, day=day, order_id=order_id)


def assign(*candidates, **changes):
    chosen = tuple(Candidate(engineer_id=engineer_id, day=day) for engineer_id, day in candidates or [("e-1", TODAY)])
    return AssignOrder(**{"order_id": "o-1", "candidates": chosen, "compared": 9, "now": NOW} | changes)


def by_hand(engineer_id="e-1", **changes):
    return AssignByHand(**{"order_id": "o-1", "engineer_id": engineer_id, "now": NOW} | changes)


def take(engineer_id="e-1", **changes):
    return TakeOrder(**{"order_id": "o-1", "engineer_id": engineer_id, "now": NOW} | changes)


def reassign(engineer_id="e-2", **changes):
    facts = {"order_id": "o-1", "engineer_id": engineer_id, "reason": "closer", "now": NOW}
    return ReassignOrder(**facts | changes)

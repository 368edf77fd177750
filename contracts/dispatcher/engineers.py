"""Engineers, their absences, and the hours of their days that are booked."""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.event import Event, NonNegative, Personal, Positive, Utc, belongs_to


class Shift(msgspec.Struct, frozen=True):
    """A working time that comes back each week, in the engineer's zone."""

    weekday: Annotated[int, msgspec.Meta(ge=0, le=6)]
    """0 is Monday."""
    from_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    to_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]


class SkillLevel(msgspec.Struct, frozen=True):
    """How well an engineer can do something, and until when that holds."""

    skill: str
    """A skill, a device model, or a brand: the first word of a model's name."""
    level: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    """1 is the least."""
    until: str = ""
    """ISO date of the last day in her zone on which it holds; empty: for ever."""


class Certificate(msgspec.Struct, frozen=True):
    """A paper that some work may not be done without. Its number is sealed, in `certificate_numbers`."""

    name: str
    until: str = ""
    """ISO date of the last day in her zone on which it holds; empty: for ever."""


class EngineerDay(msgspec.Struct, frozen=True):
    """A day of an engineer, in which hours are booked."""

    engineer_id: str
    day: str
    """ISO date in the engineer's zone."""


@belongs_to("engineer", of="engineer_id")
class EngineerRegistered(Event, frozen=True, kw_only=True):
    """
    An engineer can be sent: what she can do, where she starts, when she works, what she drives.

    Recorded again, with all of it as it is now, when something has changed. Read by: inventory (which van is hers).
    """

    engineer_id: str
    name: Annotated[str, Personal("engineer_id")]
    skills: tuple[str, ...]
    """Skills or device models."""
    region: str
    home_lat_udeg: int
    """Rounded to a thousandth of a degree, in millionths, WGS-84."""
    home_lon_udeg: int
    zone: str = "Asia/Shanghai"
    """IANA time zone of the shifts."""
    shifts: tuple[Shift, ...]
    van_id: str = ""
    daily_limit: Positive = 10
    """The most orders in one day."""
    skill_levels: tuple[SkillLevel, ...] = ()
    """Of some of `skills`, how well and until when; the others are of level 1, for ever."""
    certificates: tuple[Certificate, ...] = ()
    certificate_numbers: Annotated[str, Personal("engineer_id")] = ""
    """A JSON object, number by name of certificate, its keys sorted; empty for none."""
    territory: tuple[str, ...] = ()
    """The regions that she serves; empty: all."""
    hour_fen: NonNegative = 0
    """What an hour of hers on site costs us."""
    km_fen: NonNegative = 0
    """What a kilometre of hers costs us."""
    rates_from: Utc | None = None
    """
    From when on both are so; none: since this was said. Reporting counts a visit at what it cost when she set out; whom
    to send is decided by the newest.
    """
    team: str = ""
    supplier: str = ""
    """The company that sends her, where she is not our own."""


@belongs_to("engineer", of="engineer_id")
class EngineerAbsent(Event, frozen=True, kw_only=True):
    """
    An engineer is not there for a time, whatever her shifts say.

    Acted on by: dispatcher (orders that are booked in it and not begun go to somebody else). Read by: nobody else yet.
    """

    engineer_id: str
    absence_id: str
    starts_at: Utc
    ends_at: Utc
    reason: Annotated[str, Personal("engineer_id")] = ""


@belongs_to("engineer", of="engineer_id")
class AbsenceCalledOff(Event, frozen=True, kw_only=True):
    """
    The engineer is there after all. What had gone to others stays with them.

    Acted on by: dispatcher (offers her what waits). Read by: nobody else yet.
    """

    engineer_id: str
    absence_id: str


@belongs_to("engineer-day", of=("engineer_id", "day"), key=None, public=False)
class HoursBooked(Event, frozen=True, kw_only=True):
    """Hours of an engineer's day belong to an order; they overlap no other booking of that day."""

    engineer_id: str
    day: str
    """ISO date in the engineer's zone."""
    order_id: str
    starts_at: Utc
    ends_at: Utc
    lat_udeg: int
    lon_udeg: int


@belongs_to("engineer-day", of=("engineer_id", "day"), key=None, public=False)
class HoursFreed(Event, frozen=True, kw_only=True):
    """The hours that were booked for an order are free again."""

    engineer_id: str
    day: str
    order_id: str

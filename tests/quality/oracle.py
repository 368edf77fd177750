"""
The figures of alerts once more, from the facts as a person would count them; it shares no code with the service.

A fact is a `Visit` as it is known in the end; the zone's offset is that of China, which has no summer time.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class Visit:
    visit_id: str
    engineer: str
    region: str
    device_model: str
    device: str
    request_type: str
    cause: str
    completed_at: datetime
    stars: int
    answers: tuple[int, int, int] | None = None
    team: str = ""
    supplier: str = ""
    device_supplier: str = ""


def in_weeks(visit, first: date, beyond: date):
    return first <= visit.completed_at.astimezone(CHINA).date() < beyond


def is_bad(visit):
    return visit.stars in (1, 2) or any(one in (1, 2) for one in visit.answers or ())


def is_repeated(visit, of_device, days=30):
    for other in of_device:
        gap = other.completed_at - visit.completed_at
        same = other.request_type == visit.request_type or (visit.cause and other.cause == visit.cause)
        if timedelta(0) < gap <= timedelta(days=days) and same:
            return True
    return False


def figures(kind, of, visits, first: date, beyond: date, days=30):
    """{subject: (counted, bad)} of the visits completed from the first day until before the other."""
    found, of_device = {}, {}
    for visit in visits:
        of_device.setdefault(visit.device, []).append(visit)
    for visit in visits:
        subject = getattr(visit, of)
        if not subject or not in_weeks(visit, first, beyond) or (kind == "repeat-visit" and not visit.device):
            continue
        bad = is_bad(visit) if kind == "bad-rating" else is_repeated(visit, of_device[visit.device], days)
        counted, so_far = found.get(subject, (0, 0))
        found[subject] = counted + 1, so_far + bad
    return found


def red(kind, of, visits, day: date):
    """The subjects whose figures raise an alert on this day by the default rules."""
    beyond = day
    while beyond.isoweekday() != 1:
        beyond -= timedelta(days=1)
    week = timedelta(days=7)
    if kind == "repeat-visit":
        month = figures(kind, of, visits, beyond - 4 * week, beyond)
        return {
            name
            for name, (counted, bad) in month.items()
            if counted >= 5 and Fraction(bad, counted) > Fraction(15, 100)
        }
    two = [figures(kind, of, visits, beyond - back * week, beyond - (back - 1) * week) for back in (1, 2)]
    bad_weeks = [
        {name for name, (n, bad) in one.items() if n >= 5 and Fraction(bad, n) > Fraction(1, 5)} for one in two
    ]
    return bad_weeks[0] & bad_weeks[1]


def at(day: date, seconds: int):
    """So many seconds into a day in China, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=CHINA).astimezone(UTC) + timedelta(seconds=seconds)


def recovered(kind, of, visits, day: date):
    """The subjects whose newest figure, of enough, is within the limit on this day."""
    beyond = day - timedelta(days=day.isoweekday() - 1)
    weeks, limit = (4, Fraction(15, 100)) if kind == "repeat-visit" else (1, Fraction(1, 5))
    newest = figures(kind, of, visits, beyond - timedelta(days=7 * weeks), beyond)
    return {name for name, (counted, bad) in newest.items() if counted >= 5 and Fraction(bad, counted) <= limit}


def lives(kind, of, visits, mondays, closed_by):
    """
    What becomes of every alert: (Monday, subject, raised or recovered), in order.

    `closed_by(subject, raised)` is the day on which one raised on a Monday is closed by a person, or None.
    """
    told, still_open, closed = [], {}, {}
    for monday in mondays:
        for name, day in list(still_open.items()):
            if day and day <= monday:
                closed[name] = day
                del still_open[name]
        for name in sorted(red(kind, of, visits, monday) - still_open.keys()):
            if name not in closed or closed[name] < monday:
                told.append((monday, name, "raised"))
                still_open[name] = closed_by(name, monday)
        ended = {name for name in still_open if name in recovered(kind, of, visits, monday)}
        for name in sorted(ended - {name for day, name, what in told if day == monday}):
            told.append((monday, name, "recovered"))
            del still_open[name]
    return told

"""
The figures of alerts once more, from the facts as a person would count them; it shares no code with the service.

A fact is a `Visit` as it is known in the end; the zone's offset is that of China, which has no summer time.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from fractions import Fraction
from math import comb

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


LIMITS = {"bad-rating": Fraction(1, 5), "repeat-visit": Fraction(15, 100)}


def is_above(kind, counted, bad, baseline=None):
    """By the default percentage, or by a control chart whose baseline is (counted, bad); of five at least."""
    if counted < 5:
        return False
    if baseline is None or baseline[0] < 100 or baseline[1] in (0, baseline[0]):
        return Fraction(bad, counted) > LIMITS[kind]
    p = Fraction(baseline[1], baseline[0])
    if counted * p > 100:
        with localcontext() as exact:
            exact.prec = 60
            n, mean = Decimal(counted), Decimal(p.numerator) / Decimal(p.denominator)
            return Decimal(bad) / n > mean + 3 * (mean * (1 - mean) / n).sqrt()
    tail = sum(comb(counted, k) * p**k * (1 - p) ** (counted - k) for k in range(bad, counted + 1))
    return tail <= Fraction(135, 100_000)


def baseline_of(kind, of, visits, until: date, weeks):
    """(counted, bad) of all subjects in the weeks before; None where nothing is charted."""
    if not weeks:
        return None
    found = figures(kind, of, visits, until - timedelta(days=7 * weeks), until).values()
    return sum(counted for counted, _ in found), sum(bad for _, bad in found)


def red(kind, of, visits, day: date, charted=0):
    """
    The subjects whose figures raise an alert on this day by the default rules.

    Or, with a baseline of `charted` weeks, by a control chart in one week of bad ratings, or in four of repeats.
    """
    beyond = day
    while beyond.isoweekday() != 1:
        beyond -= timedelta(days=1)
    week = timedelta(days=7)
    if kind == "repeat-visit":
        spans = [(beyond - 4 * week, beyond)]
    elif charted:
        spans = [(beyond - week, beyond)]
    else:
        spans = [(beyond - 2 * week, beyond - week), (beyond - week, beyond)]
    baseline = baseline_of(kind, of, visits, spans[0][0], charted)
    above = [
        {name for name, (n, bad) in figures(kind, of, visits, *span).items() if is_above(kind, n, bad, baseline)}
        for span in spans
    ]
    return set.intersection(*above)


def at(day: date, seconds: int):
    """So many seconds into a day in China, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=CHINA).astimezone(UTC) + timedelta(seconds=seconds)


def recovered(kind, of, visits, day: date, charted=0):
    """The subjects whose newest figure, of enough, is within the limit on this day."""
    beyond = day - timedelta(days=day.isoweekday() - 1)
    begin = beyond - timedelta(days=28 if kind == "repeat-visit" else 7)
    baseline = baseline_of(kind, of, visits, begin, charted)
    newest = figures(kind, of, visits, begin, beyond)
    return {name for name, (n, bad) in newest.items() if n >= 5 and not is_above(kind, n, bad, baseline)}


def lives(kind, of, visits, mondays, closed_by, charted=0):
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
        for name in sorted(red(kind, of, visits, monday, charted) - still_open.keys()):
            if name not in closed or closed[name] < monday:
                told.append((monday, name, "raised"))
                still_open[name] = closed_by(name, monday)
        ended = {name for name in still_open if name in recovered(kind, of, visits, monday, charted)}
        for name in sorted(ended - {name for day, name, what in told if day == monday}):
            told.append((monday, name, "recovered"))
            del still_open[name]
    return told

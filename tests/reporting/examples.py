"""Valid events of the story of requests; a test says what matters."""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts.dispatcher import (
    AssignmentOverdue,
    EngineerRegistered,
    OrderAssigned,
    OrderCancelled,
    OrderFinished,
    OrderPaused,
    OrderQueued,
    OrderTaken,
    Shift,
)
from contracts.fieldwork import (
    AcceptanceRefused,
    EngineerArrived,
    EngineerDeparted,
    ServiceCompleted,
    VisitAborted,
    WorkFinished,
)
from contracts.intake import RequestReceived, RequestWithdrawn
from contracts.quality import FeedbackReceived, SurveySent
from tests.given import NOW

DAY = timedelta(days=1)


def after(minutes: float, since: datetime = NOW) -> dict[str, datetime]:
    """When it happened, for its envelope."""
    return {"time": since + timedelta(minutes=minutes)}


def whose(n: int = 1, **more: str) -> dict[str, str]:
    return {"request_id": f"r-{n}", "order_id": f"o-{n}", **more}


def visit(n: int = 1, engineer: int = 1) -> dict[str, str]:
    return whose(n, visit_id=f"v-{n}", engineer_id=f"e-{engineer}")


def request_received(n: int = 1, device_id: str = "") -> RequestReceived:
    return RequestReceived(
        request_id=f"r-{n}",
        number=f"R-{n}",
        request_type="repair",
        type_version=1,
        customer_id="c-1",
        device_id=device_id,
        skill="ac",
        duration_s=3_600,
        region="Changchun",
        lat_udeg=0,
        lon_udeg=0,
    )


def request_withdrawn(n: int = 1) -> RequestWithdrawn:
    return RequestWithdrawn(request_id=f"r-{n}", customer_id="c-1")


def order_assigned(n: int = 1) -> OrderAssigned:
    times = {"starts_at": NOW, "ends_at": NOW + timedelta(hours=1)}
    return OrderAssigned(**whose(n), engineer_id="e-1", travel_m=900, chosen_by="rule", **times)


def assignment_overdue(n: int = 1) -> AssignmentOverdue:
    return AssignmentOverdue(**whose(n), due_at=NOW)


def order_cancelled(n: int = 1) -> OrderCancelled:
    return OrderCancelled(**whose(n), reason="dispatcher")


def engineer_departed(n: int = 1, **who: int) -> EngineerDeparted:
    return EngineerDeparted(**visit(n, **who))


def engineer_arrived(n: int = 1, planned_at: datetime = NOW, **who: int) -> EngineerArrived:
    return EngineerArrived(**visit(n, **who), planned_at=planned_at)


def work_finished(n: int = 1, **who: int) -> WorkFinished:
    return WorkFinished(**visit(n, **who), customer_id="c-1", cause="leak", action="sealed", record="x")


def acceptance_refused(n: int = 1) -> AcceptanceRefused:
    return AcceptanceRefused(**visit(n), customer_id="c-1", reason="still leaks")


def visit_aborted(n: int = 1) -> VisitAborted:
    return VisitAborted(**visit(n), reason="nobody-there")


def service_completed(n: int = 1, rating: int = 5, **who: int) -> ServiceCompleted:
    times = dict.fromkeys(("departed_at", "arrived_at", "started_at", "finished_at"), NOW)
    return ServiceCompleted(**visit(n, **who), customer_id="c-1", rating=rating, signature="M 0 0", **times)


def survey_sent(n: int = 1) -> SurveySent:
    return SurveySent(**visit(n), survey_id=f"s-{n}", customer_id="c-1", expires_at=NOW + DAY)


def feedback_received(n: int = 1, attitude: int = 5, outcome: int = 5, punctuality: int = 5) -> FeedbackReceived:
    ratings = {"attitude": attitude, "outcome": outcome, "punctuality": punctuality}
    return FeedbackReceived(**whose(n), survey_id=f"s-{n}", engineer_id="e-1", customer_id="c-1", **ratings)


WEEK = tuple(Shift(weekday, 9 * 60, 17 * 60) for weekday in range(7))
"""From 9 to 17 o'clock each day."""


def engineer_registered(n: int = 1, shifts: tuple[Shift, ...] = WEEK) -> EngineerRegistered:
    place = {"region": "Changchun", "home_lat_udeg": 0, "home_lon_udeg": 0}
    return EngineerRegistered(engineer_id=f"e-{n}", name="x", skills=("ac",), shifts=shifts, **place)


def queued(n: int = 1, team: str = "T1", person: str = "ann", impact: str = "Low") -> OrderQueued:
    return OrderQueued(**whose(n), team=team, person=person, impact=impact)


def taken(n: int = 1, team: str = "T1", person: str = "ann", impact: str = "Low") -> OrderTaken:
    return OrderTaken(**whose(n), team=team, person=person, impact=impact)


def paused(n: int = 1, team: str = "T1", reason: str = "vendor") -> OrderPaused:
    return OrderPaused(**whose(n), team=team, person="ann", reason=reason)


def finished(n: int = 1, team: str = "T1") -> OrderFinished:
    return OrderFinished(**whose(n), team=team, person="ann")

"""An inspection: a finished visit is held against its standard, and what was broken is put right by somebody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from contracts.event import Event
from contracts.problems import Rejected
from contracts.quality import (
    CorrectionAsked,
    CorrectionDone,
    CorrectionDueSoon,
    CorrectionOverdue,
    InspectionOpened,
    StandardChecked,
    Verdict,
)
from quality.commands import (
    FinishCorrection,
    OpenInspection,
    RecordCorrectionDueSoon,
    RecordCorrectionOverdue,
    ReviewInspection,
)
from quality.domain.standard import in_force, standard_stream
from services.chassis.journal.rules import States, Stream

CORRECT_WITHIN: Final = timedelta(days=7)
REMINDED: Final = timedelta(days=1)
"""So long before it is due its owner is reminded, where there was more time than that."""


@dataclass(frozen=True)
class Unopened:
    pass


@dataclass(frozen=True)
class Waiting:
    opened: InspectionOpened


@dataclass(frozen=True)
class Checked:
    verdicts: tuple[Verdict, ...]
    correction: CorrectionAsked | None = None
    reminded: bool = False
    overdue: bool = False
    done: bool = False


Inspection = Unopened | Waiting | Checked
InspectionEvent = (
    InspectionOpened | StandardChecked | CorrectionAsked | CorrectionDueSoon | CorrectionOverdue | CorrectionDone
)
INITIAL: Inspection = Unopened()


def inspection_stream(inspection_id: str) -> str:
    return f"inspection/{inspection_id}"


def open_reads(command: OpenInspection) -> tuple[str, ...]:
    return inspection_stream(command.inspection_id), standard_stream(command.type_id)


def open_inspection(states: States, command: OpenInspection) -> list[Event]:
    standard = in_force(states[standard_stream(command.type_id)], command.completed_at)
    known = states[inspection_stream(command.inspection_id)]
    if not isinstance(known, Unopened) or standard is None or not standard.items:
        return []
    facts = command.model_dump(exclude={"completed_at"})
    return [InspectionOpened(standard_version=standard.standard_version, items=standard.items, **facts)]


def review(inspection: Inspection, command: ReviewInspection) -> list[Event]:
    verdicts = tuple([Verdict(**one.model_dump()) for one in command.verdicts])
    match inspection:
        case Unopened():
            raise Rejected("inspection.unknown", inspection_id=command.inspection_id)
        case Checked(known):
            if verdicts == known:
                return []
            raise Rejected("inspection.reviewed", inspection_id=command.inspection_id)
        case Waiting(opened):
            _must_be_of_each_item(opened, verdicts)
            broken = tuple([one.item_id for one in verdicts if one.found == "broken"])
            about = {"inspection_id": opened.inspection_id, "request_id": opened.request_id}
            checked = StandardChecked(
                visit_id=opened.visit_id,
                engineer_id=opened.engineer_id,
                reviewer_id=command.reviewer_id,
                verdicts=verdicts,
                passed=not broken,
                note=command.note,
                **about,
            )
            if not broken:
                return [checked]
            due_at = command.due_at or command.now + CORRECT_WITHIN
            if due_at <= command.now:
                raise Rejected("correction.due-past", due_at=due_at.isoformat(), now=command.now.isoformat())
            owner_id, engineer_id = command.owner_id or opened.engineer_id, opened.engineer_id
            asked = CorrectionAsked(engineer_id=engineer_id, owner_id=owner_id, due_at=due_at, items=broken, **about)
            return [checked, asked]
        case _:
            assert_never(inspection)


def _must_be_of_each_item(opened: InspectionOpened, verdicts: tuple[Verdict, ...]) -> None:
    wanted, given = Counter([item.item_id for item in opened.items]), Counter([one.item_id for one in verdicts])
    if wanted != given:
        missing, beyond = sorted(wanted - given), sorted(given - wanted)
        raise Rejected("inspection.items-differ", missing=missing, beyond=beyond)


def record_due_soon(inspection: Inspection, command: RecordCorrectionDueSoon) -> list[Event]:
    """Nothing, if it was done meanwhile."""
    match inspection:
        case Checked(correction=CorrectionAsked() as asked, reminded=False, overdue=False, done=False) if (
            asked.due_at == command.due_at
        ):
            return [
                CorrectionDueSoon(
                    inspection_id=asked.inspection_id,
                    request_id=asked.request_id,
                    owner_id=asked.owner_id,
                    due_at=asked.due_at,
                )
            ]
        case _:
            return []


def record_overdue(inspection: Inspection, command: RecordCorrectionOverdue) -> list[Event]:
    """Nothing, if it was done meanwhile."""
    match inspection:
        case Checked(correction=CorrectionAsked() as asked, overdue=False, done=False) if (
            asked.due_at == command.due_at
        ):
            return [
                CorrectionOverdue(
                    inspection_id=asked.inspection_id,
                    request_id=asked.request_id,
                    owner_id=asked.owner_id,
                    due_at=asked.due_at,
                )
            ]
        case _:
            return []


def finish_correction(inspection: Inspection, command: FinishCorrection) -> list[Event]:
    match inspection:
        case Checked(correction=CorrectionAsked() as asked, done=False):
            return [
                CorrectionDone(
                    inspection_id=asked.inspection_id,
                    request_id=asked.request_id,
                    owner_id=asked.owner_id,
                    done=command.done,
                )
            ]
        case Checked(done=True):
            raise Rejected("correction.done", inspection_id=command.inspection_id)
        case Unopened() | Waiting() | Checked():
            raise Rejected("correction.not-asked", inspection_id=command.inspection_id)
        case _:
            assert_never(inspection)


def evolve(inspection: Inspection, event: InspectionEvent) -> Inspection:
    match event:
        case InspectionOpened():
            return Waiting(event)
        case StandardChecked():
            return Checked(event.verdicts)
        case CorrectionAsked():
            return Checked(_verdicts(inspection), event)
        case CorrectionDueSoon():
            return Checked(_verdicts(inspection), _correction(inspection), reminded=True)
        case CorrectionOverdue():
            return Checked(_verdicts(inspection), _correction(inspection), overdue=True)
        case CorrectionDone():
            return Checked(_verdicts(inspection), _correction(inspection), done=True)
        case _:
            assert_never(event)


def _verdicts(inspection: Inspection) -> tuple[Verdict, ...]:
    return inspection.verdicts if isinstance(inspection, Checked) else ()


def _correction(inspection: Inspection) -> CorrectionAsked | None:
    return inspection.correction if isinstance(inspection, Checked) else None


INSPECTION: Stream[Inspection] = Stream("inspection", INITIAL, evolve)

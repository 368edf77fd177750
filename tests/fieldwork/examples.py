"""Valid events and commands of fieldwork; a test says only what matters to it."""

import hashlib
import json
from datetime import timedelta

import msgspec

from contracts.fieldwork import (
    AcceptanceRefused,
    EngineerArrived,
    EngineerDeparted,
    FollowUpAsked,
    PartUsed,
    PhotoAttached,
    ServiceCode,
    ServiceCodesDefined,
    ServiceCompleted,
    UsedPart,
    VisitAborted,
    VisitAdded,
    VisitCancelled,
    VisitPlanned,
    WorkFinished,
    WorkStarted,
)
from fieldwork.commands import (
    AbortVisit,
    AcceptWork,
    Arrive,
    AttachPhoto,
    CancelVisits,
    Code,
    DefineCodes,
    Depart,
    FinishWork,
    PlanVisit,
    RefuseWork,
    ReportStep,
    StartWork,
    UsePart,
)
from tests.given import NOW

IDS = {"visit_id": "v-1", "order_id": "o-1", "request_id": "r-1"}
WHO = {**IDS, "engineer_id": "e-1"}
PLAN = {
    **WHO,
    "starts_at": NOW + timedelta(minutes=30),
    "ends_at": NOW + timedelta(minutes=90),
    "van_id": "van-1",
    "customer_id": "c-1",
    "device_id": "d-1",
    "device_model": "BCD-520",
}
SIGNATURE = "M1 2L3 4"
PHOTO = {"photo_id": "p-1", "moment": "before", "sha256": "ab" * 32, "media_type": "image/jpeg", "size_b": 9}
PHOTO |= {"picture_sha256": "cd" * 32}


def minute(minutes):
    return NOW + timedelta(minutes=minutes)


def planned(**changes):
    return VisitPlanned(**PLAN | changes)


def added(**changes):
    return VisitAdded(**IDS | changes)


def departed(at=10, **changes):
    return EngineerDeparted(**WHO | {"departed_at": minute(at)} | changes)


def arrived(at=30, **changes):
    return EngineerArrived(**WHO | {"planned_at": PLAN["starts_at"], "arrived_at": minute(at)} | changes)


def started(at=35, **changes):
    return WorkStarted(**WHO | {"started_at": minute(at)} | changes)


def photo(**changes):
    return PhotoAttached(**{"visit_id": "v-1", "request_id": "r-1", "customer_id": "c-1", **PHOTO} | changes)


def part(**changes):
    return PartUsed(**{**IDS, "part_id": "fan", "place_id": "van-1", "quantity": 1, "used_at": minute(45)} | changes)


def finished(at=80, **changes):
    """With the hash of what it says, worked out as the contract tells it."""
    facts = {"customer_id": "c-1", "cause": "fan-stuck", "action": "replaced", "record": "changed the fan"}
    facts |= {"finished_at": minute(at), "labour_s": (at - 35) * 60}
    event = WorkFinished(**WHO | facts | changes)
    said = json.loads(msgspec.json.encode(event))
    del said["record_sha256"]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return msgspec.structs.replace(event, **{"record_sha256": sha256} | changes)


def follow_up(item, at=80, **changes):
    facts = {"customer_id": "c-1", "device_id": "d-1", "device_model": "BCD-520", "item": item}
    return FollowUpAsked(**WHO | facts | {"asked_at": minute(at)} | changes)


def codes(version=1, causes=("fan-stuck",), remedies=("replaced",)):
    listed = [tuple([ServiceCode(code, code, code) for code in kind]) for kind in (causes, remedies)]
    return ServiceCodesDefined(list_id="service", version=version, causes=listed[0], remedies=listed[1])


def refused(at=82, **changes):
    return AcceptanceRefused(**WHO | {"customer_id": "c-1", "reason": "still loud", "refused_at": minute(at)} | changes)


def completed(**changes):
    facts = {
        "customer_id": "c-1",
        "device_id": "d-1",
        "device_model": "BCD-520",
        "rating": 5,
        "signature": SIGNATURE,
        "departed_at": minute(10),
        "arrived_at": minute(30),
        "started_at": minute(35),
        "finished_at": minute(80),
        "accepted_at": minute(85),
        "record_sha256": finished().record_sha256,
    }
    return ServiceCompleted(**WHO | facts | changes)


def aborted(at=90, **changes):
    return VisitAborted(**WHO | {"reason": "nobody-there", "aborted_at": minute(at)} | changes)


def cancelled(**changes):
    return VisitCancelled(**WHO | {"reason": "order-cancelled"} | changes)


ON_THE_WAY = [planned(), departed()]
THERE = [*ON_THE_WAY, arrived()]
AT_WORK = [*THERE, started()]
DONE = [*AT_WORK, finished()]
FAN = UsedPart("fan", "van-1", 1)


def plan(**changes):
    return PlanVisit(**PLAN | changes)


def cancel(*known, **changes):
    return CancelVisits(**{"order_id": "o-1", "reason": "order-cancelled", "known_visits": known} | changes)


def _step(kind, at, **facts):
    return kind(**{"visit_id": "v-1", "at": minute(at), "now": minute(at)} | facts)


def depart(at=10, **changes):
    return _step(Depart, at, **changes)


def arrive(at=30, **changes):
    return _step(Arrive, at, **changes)


def start(at=35, **changes):
    return _step(StartWork, at, **changes)


def attach(at=40, **changes):
    return _step(AttachPhoto, at, **PHOTO | changes)


def use(at=45, **changes):
    return _step(UsePart, at, **{"part_id": "fan", "quantity": 1} | changes)


def define(causes=("fan-stuck",), remedies=("replaced",)):
    listed = [tuple([Code(code=code, en=code, zh=code) for code in kind]) for kind in (causes, remedies)]
    return DefineCodes(causes=listed[0], remedies=listed[1])


def finish(at=80, **changes):
    return _step(FinishWork, at, **{"cause": "fan-stuck", "action": "replaced", "record": "changed the fan"} | changes)


def refuse(at=82, **changes):
    return _step(RefuseWork, at, **{"reason": "still loud"} | changes)


def accept(at=85, **changes):
    return _step(AcceptWork, at, **{"rating": 5, "signature": SIGNATURE} | changes)


def abort(at=90, **changes):
    return _step(AbortVisit, at, **{"reason": "nobody-there"} | changes)


def report(number, step, **changes):
    return ReportStep(**{"step_id": f"s-{number}", "number": number, "step": step} | changes)

"""What follows from the record of the work: its hash, and what was not in order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from contracts.event import Event
from contracts.fieldwork import FollowUpAsked, VisitPlanned, WorkFinished
from fieldwork.commands import FinishWork


def record_sha256(record: WorkFinished) -> str:
    """As the contract says: of the JSON of all fields but the hash itself, keys sorted, no spaces."""
    fields = msgspec.structs.asdict(record)
    del fields["record_sha256"]
    return hashlib.sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()


def follow_ups(plan: VisitPlanned, asked: Iterable[str], command: FinishWork) -> list[Event]:
    """A request is asked for each point that is not in order, once: also when the work is finished again."""
    known, events = set(asked), list[Event]()
    for one in command.checklist:
        if not one.passed and one.item not in known:
            known.add(one.item)
            events.append(
                FollowUpAsked(
                    visit_id=plan.visit_id,
                    order_id=plan.order_id,
                    request_id=plan.request_id,
                    engineer_id=plan.engineer_id,
                    customer_id=plan.customer_id,
                    device_id=plan.device_id,
                    device_model=plan.device_model,
                    item=one.item,
                    note=one.note,
                    asked_at=command.at,
                )
            )
    return events

"""What a service record must have, by type of request, in versions: a visit keeps the version of its planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from contracts.event import Event
from contracts.fieldwork import RecordTemplateDefined, TemplateItem, TemplateMeter
from contracts.problems import Rejected
from fieldwork.commands import Checked, DefineRecordTemplate, Reading
from services.chassis.journal.rules import Stream

Templates = Mapping[int, RecordTemplateDefined]
"""Every version by its number; none where nothing is asked of such work."""
NO_TEMPLATES: Final[Templates] = {}


class Record(Protocol):
    """What is looked at of a record."""

    checklist: tuple[Checked, ...]
    readings: tuple[Reading, ...]
    labour_s: int | None


def template_stream(request_type: str) -> str:
    return f"record-template/{request_type}"


def define(templates: Templates, command: DefineRecordTemplate) -> list[Event]:
    for field, names in (
        ("checklist", [one.item for one in command.checklist]),
        ("readings", [one.meter for one in command.readings]),
    ):
        if twice := next((name for n, name in enumerate(names) if name in names[:n]), ""):
            raise Rejected("record-template.twice", field=field, twice=twice)

    def version(number: int) -> RecordTemplateDefined:
        return RecordTemplateDefined(
            request_type=command.request_type,
            version=number,
            checklist=tuple([TemplateItem(one.item, one.en, one.zh) for one in command.checklist]),
            readings=tuple([TemplateMeter(one.meter, one.unit, one.en, one.zh) for one in command.readings]),
            labour=command.labour,
        )

    newest = len(templates)
    return [] if newest and version(newest) == templates[newest] else [version(newest + 1)]


def lacking(template: RecordTemplateDefined | None, record: Record) -> Sequence[str]:
    """The fields that the template wants and the record does not have, as they are called in the call."""
    if template is None:
        return ()
    checked, read = {one.item for one in record.checklist}, {(one.meter, one.unit) for one in record.readings}
    missing = [f"checklist.{one.item}" for one in template.checklist if one.item not in checked]
    missing += [f"readings.{one.meter}" for one in template.readings if (one.meter, one.unit) not in read]
    return [*missing, *(["labour_s"] if template.labour and record.labour_s is None else [])]


def evolve(templates: Templates, event: RecordTemplateDefined) -> Templates:
    return {**templates, event.version: event}


RECORD_TEMPLATES: Stream[Templates] = Stream("record-template", NO_TEMPLATES, evolve)

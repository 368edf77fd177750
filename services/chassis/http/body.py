"""The bases of what goes in and out."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from services.chassis.journal.work import Answer


def _exact(part: Any) -> Any:
    """The schema with its numbers as they stand, and its times as texts; pydantic would guess."""
    if isinstance(part, list | tuple):
        return type(part)(_exact(one) for one in part)
    if not isinstance(part, dict):
        return part
    within: Any = {name: _exact(one) for name, one in part.items()}
    match within.get("type"):
        case "bool":
            return within | {"strict": True}
        case "int" | "float":
            return core_schema.no_info_before_validator_function(_no_text, within)
        case "date" | "datetime":
            return core_schema.no_info_before_validator_function(_no_number, within)
    return within


def _no_text(value: Any) -> Any:
    # 5.0 is a whole number in JSON, and stays one.
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "It is not a number.")
    return value


_NUMBER: Final = re.compile(r"[-+0-9.eE]*")


def _no_number(value: Any) -> Any:
    number = isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value))
    if number and not (isinstance(value, str) and _DAY.fullmatch(value)):
        raise PydanticCustomError("datetime_type", "It is a number and no time.")
    return value


_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Body(BaseModel):
    """
    The base of what a caller sends: a field that we do not know is refused, not ignored.

    And what the document says of a field is meant: `true` is no number, "5" neither, and 0 is no time.
    """

    EXACT: ClassVar[bool] = True
    """Not where the values are no JSON: the cells of a table are texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: CoreSchema = handler(source)
        return cast(CoreSchema, _exact(schema)) if cls.EXACT else schema


class Accepted(BaseModel):
    """What a command answers: what it made or changed, and where the journal stood after it."""

    id: str
    position: int
    """Send it back as `Fieldloop-Position` (the header of this answer has the right form) to read your own write."""
    version: int | None = None
    """The version of the thing as this command left it; send it back as `If-Match: "<version>"`."""
    events: tuple[str, ...] = ()
    """What was recorded; nothing where there was nothing to do."""

    @classmethod
    def of(cls, answer: Answer, *, id: str) -> Accepted:
        """The same for a repeat as for the first answer."""
        return cls(id=id, position=answer.position, version=version_of(answer, {id}), events=answer.events)


def version_of(answer: Answer, ids: set[str]) -> int | None:
    """The version of the one stream that the command wrote, or of the one among several that has one of these ids."""
    versions = answer.versions
    if len(versions) > 1:
        versions = {stream: version for stream, version in versions.items() if stream.partition("/")[2] in ids}
    return next(iter(versions.values())) if len(versions) == 1 else None

"""The bases of what goes in and out."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from services.chassis.exact import exact
from services.chassis.journal.work import Answer


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
        return cast(CoreSchema, exact(schema)) if cls.EXACT else schema


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

"""What a caller writes is meant as it stands: `true` is no number, "5" neither, and 0 is no time."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def exact(part: Any) -> Any:
    """The schema with its numbers as they stand, and its times as texts; pydantic would guess."""
    if isinstance(part, list | tuple):
        return type(part)(exact(one) for one in part)
    if not isinstance(part, dict):
        return part
    within: Any = {name: exact(one) for name, one in part.items()}
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


class Value(BaseModel):
    """The base of what stands within a body or a command: whatever it stands in, its numbers are meant as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return cast(CoreSchema, exact(handler(source)))

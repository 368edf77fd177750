"""
How another system's log is read: which column says what, and what each of its statuses means here.

A mapping is data, one YAML file for each kind of log. `load` checks all of it and names every field that is wrong.
"""

from __future__ import annotations

import codecs
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

FIELDS: Final = ("case", "time", "status", "sub_status", "team", "person", "impact", "product")
"""What a row can say, by our names."""

ALWAYS: Final = ("case", "time", "status")
"""Without these a row says nothing."""

Kind = Literal["queued", "taken", "paused", "finished"]


class BadMapping(Exception):
    """The mapping cannot be used. Each line names a field, what is wrong with it and what to do."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError(f"{name} is no encoding; give one as utf-8, gb18030 or latin-1") from None
    return name


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name} is no time zone; give one as Asia/Shanghai or UTC") from None
    return name


class Columns(_Strict):
    """Where each thing stands: the names of columns of a CSV file, or the keys of attributes of an XES file."""

    case: str = Field(min_length=1)
    """Of XES the key is one of the trace."""
    time: str = Field(min_length=1)
    status: str = Field(min_length=1)
    sub_status: str = ""
    team: str = ""
    person: str = ""
    impact: str = ""
    product: str = ""

    def named(self) -> dict[str, str]:
        """Our name → theirs, of what there is."""
        return {name: theirs for name in FIELDS if (theirs := getattr(self, name))}


class Time(_Strict):
    """How times are written."""

    format: str = "iso"
    """`iso`, or a pattern of strptime such as `%d.%m.%Y %H:%M:%S`."""
    zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    """The IANA zone of times that name none."""

    @model_validator(mode="after")
    def _needs_zone(self) -> Time:
        if self.format != "iso":
            if "%" not in self.format:
                raise ValueError(f"{self.format!r} is no pattern; give `iso` or one as %Y-%m-%d %H:%M:%S")
            if "%z" not in self.format and self.zone is None:
                raise ValueError("the pattern reads no zone; add `zone:`, for example Asia/Shanghai")
        return self

    def read(self, text: str) -> datetime:
        """The instant, UTC. Raises ValueError for a text that is no time."""
        at = datetime.fromisoformat(text) if self.format == "iso" else datetime.strptime(text, self.format)
        if at.tzinfo is None:
            if self.zone is None:
                raise ValueError("the time names no zone; say with `time: {zone: …}` in which it is written")
            at = at.replace(tzinfo=ZoneInfo(self.zone))
        try:
            return at.astimezone(UTC)
        except OverflowError:
            raise ValueError("the time is out of range") from None


class Status(_Strict):
    """
    What rows of a status mean; of several that fit, the first. `*` in a pattern stands for anything.

    `{status}` and `{sub_status}` in a text stand for what the row says.
    """

    status: str = Field(min_length=1)
    sub_status: str = "*"
    kind: Kind
    reason: str = ""
    """Of `paused`: what is waited for."""
    outcome: str = "completed"
    """Of `finished`: how it ended."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Status:
        if (self.kind == "paused") != bool(self.reason):
            raise ValueError(
                "`reason` goes with kind `paused`, and only with it: say what is waited for, or leave it out"
            )
        if self.kind != "finished" and "outcome" in self.model_fields_set:
            raise ValueError("`outcome` goes with kind `finished` only: leave it out")
        return self

    def fits(self, status: str, sub_status: str) -> bool:
        return fnmatchcase(status, self.status) and fnmatchcase(sub_status, self.sub_status)


class Meaning(_Strict):
    """What a status of the log means, its texts filled in."""

    kind: Kind
    reason: str
    outcome: str


class Mapping(_Strict):
    """All of it. Either `columns` or `attributes` may be left out when files of the other format are never read."""

    source: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    """
    The name of the system or log: part of the identity of every case, so that importing again repeats nothing, under
    whatever name the file comes.
    """
    format: Literal["csv", "xes", "auto"] = "auto"
    """`auto` goes by the name of the file: `.csv`, `.xes`, each also with `.gz`."""
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """Of CSV; an XES file says its own."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    columns: Columns | None = None
    attributes: Columns | None = None
    time: Time = Time()
    required: tuple[Literal["sub_status", "team", "person", "impact", "product"], ...] = ()
    """What a row must also say; `case`, `time` and `status` it always must."""
    statuses: tuple[Status, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Mapping:
        places = {"columns": self.columns, "attributes": self.attributes}
        if not any(places.values()):
            raise ValueError("neither `columns` (for CSV) nor `attributes` (for XES) is there; give one of them")
        for name, place in places.items():
            if place and (lacking := [one for one in self.required if not getattr(place, one)]):
                raise ValueError(f"`{name}` does not say where {', '.join(lacking)} stands, but `required` names it")
        return self

    def meaning(self, status: str, sub_status: str) -> Meaning | None:
        """What a status means; None where no row of the table fits."""
        for row in self.statuses:
            if row.fits(status, sub_status):
                said = {"{status}": status, "{sub_status}": sub_status}
                reason, outcome = row.reason, row.outcome
                for mark, text in said.items():
                    reason, outcome = reason.replace(mark, text), outcome.replace(mark, text)
                return Meaning(kind=row.kind, reason=reason, outcome=outcome)
        return None


def load(path: Path) -> Mapping:
    """Read and check a mapping. Raises BadMapping."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadMapping(f"{path}: cannot be read: {error.strerror}; check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadMapping(f"{path}: is no YAML in UTF-8: {error}") from None
    if not isinstance(raw, dict):
        raise BadMapping(f"{path}: is no table of fields; deploy/mappings/bpic2013.yaml shows one")
    try:
        return Mapping.model_validate(raw)
    except ValidationError as error:
        raise BadMapping("\n".join(f"{path}: {_said(one)}" for one in error.errors())) from None


def _said(error: Any) -> str:
    field = ".".join(str(step) for step in error["loc"]) or "the mapping"
    match error["type"]:
        case "missing":
            return f"{field}: is missing; add it"
        case "extra_forbidden":
            return f"{field}: is not known here; remove it, or correct its name"
        case _:
            return f"{field}: {error['msg'].removeprefix('Value error, ')} (it is {error['input']!r})"

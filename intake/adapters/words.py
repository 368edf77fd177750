"""The words of messages to customers and staff: one YAML file for each language in `intake/messages/`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from services.chassis.clock import TENANT_ZONE
from services.chassis.messages.kinds import Language

FOLDER: Final = Path(__file__).parents[1] / "messages"


class Template(NamedTuple):
    """`{name}` stands for a word of the message."""

    subject: str
    body: str


class Words(NamedTuple):
    templates: Mapping[str, Template]
    fields: Mapping[str, str]
    """What people call the fields of a request."""
    notices: Mapping[str, Template]
    """To the staff."""
    kinds: Mapping[str, str]
    """What people call the kinds of things in notices."""


@cache
def words(language: Language) -> Words:
    content = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    templates = {name: Template(one["subject"], one["body"]) for name, one in content["templates"].items()}
    notices = {name: Template(one["subject"], one["body"]) for name, one in content["notices"].items()}
    return Words(templates, content["fields"], notices, content["kinds"])


def moment(at: datetime, language: Language) -> str:
    """An instant by the clock on the wall of the tenant."""
    here = at.astimezone(TENANT_ZONE)
    if language == "zh":
        return f"{here.month}月{here.day}日 {here:%H:%M}"
    return f"{here.day} {here:%b %H:%M}"

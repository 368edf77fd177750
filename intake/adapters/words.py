"""The words of messages to customers: one YAML file for each language in `intake/messages/`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import yaml

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


@cache
def words(language: Language) -> Words:
    content = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    templates = {name: Template(one["subject"], one["body"]) for name, one in content["templates"].items()}
    return Words(templates, content["fields"])

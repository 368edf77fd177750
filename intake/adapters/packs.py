"""The starter packs: request types of a trade, ready to be loaded. One YAML file each in `intake/packs/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from intake.commands import DefineRequestType

FOLDER: Final = Path(__file__).parents[1] / "packs"


@dataclass(frozen=True)
class Pack:
    """The request types of a trade; its id is the name of its file."""

    pack_id: str
    name: str
    name_zh: str
    types: tuple[DefineRequestType, ...]


@cache
def packs() -> Mapping[str, Pack]:
    """All of them by id. Raises pydantic's ValidationError for a file that defines no request types."""
    found = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        types = tuple([DefineRequestType(type_id=type_id, **kind) for type_id, kind in content["types"].items()])
        found[file.stem] = Pack(file.stem, content["name"], content["name_zh"], types)
    return found

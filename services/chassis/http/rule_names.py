"""What the rules of dispatch are called, in the language of who reads: contracts/rule_names.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec
import yaml

Kind = Literal["breaks", "reasons"]
BETWEEN: Final[Mapping[str, str]] = {"en": ", ", "zh": "、"}


class RuleName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    en: str
    zh: str


@cache
def names() -> Mapping[Kind, Mapping[str, RuleName]]:
    raw = yaml.safe_load(files("contracts").joinpath("rule_names.yaml").read_text(encoding="utf-8"))
    return msgspec.convert(raw, dict[Kind, dict[str, RuleName]])


def name_of(kind: Kind, rule: str, spoken: str) -> str:
    """The name of a rule; of one that has none, its code."""
    name = names()[kind].get(rule)
    return rule if name is None else name.zh if spoken == "zh" else name.en


def named(rules: str, spoken: str) -> str:
    """A list of rules that exclude somebody, as a refusal gives it, by their names."""
    return BETWEEN[spoken].join(name_of("breaks", rule, spoken) for rule in rules.split(", "))

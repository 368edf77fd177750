"""How a rule says no: a code that is part of the contract, and the facts that the remedy needs."""

from __future__ import annotations

from datetime import datetime


class Rejected(Exception):
    """
    A rule of the domain refuses a command: a 4xx problem at the edge, never retried, nothing recorded.

    `code` is `noun.problem` and stable; `facts` are what the reader needs to act, JSON values only.
    """

    def __init__(self, code: str, **facts: str | int | list[str]) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class Unfit(ValueError):
    """
    A model's own rule refuses what was sent: raised in a validator, told in the reader's language.

    `field` is named where the rule is about several fields and the validator is the model's.
    """

    def __init__(self, en: str, zh: str, field: str = "") -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh
        self.field = field


class NotYet(Exception):
    """A policy lacks a fact that is still on its way; the event waits in the hold of its key and is tried again."""


class NotBefore(NotYet):
    """It is not time for an event yet: it waits by itself until `at`, and others of its key go on meanwhile."""

    def __init__(self, at: datetime, why: str) -> None:
        super().__init__(why)
        self.at = at

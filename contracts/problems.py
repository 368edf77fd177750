"""How a rule says no: a code that is part of the contract, and the facts that the remedy needs."""

from __future__ import annotations


class Rejected(Exception):
    """
    A rule of the domain refuses a command: a 4xx problem at the edge, never retried, nothing recorded.

    `code` is `noun.problem` and stable; `facts` are what the reader needs to act, JSON values only.
    """

    def __init__(self, code: str, **facts: str | int | list[str]) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class NotYet(Exception):
    """A policy lacks a fact that is still on its way; the event waits in the hold of its key and is tried again."""

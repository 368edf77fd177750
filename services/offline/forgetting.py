"""Persons who are to be forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka.errors import KafkaError

from services.chassis.clock import SystemClock
from services.gateway.forgetting import Forgotten, forget, without_accounts
from services.gateway.users import FILE as USERS_FILE
from services.offline.stores import CannotDo
from services.serving import ledger_of, own_key_book, without_letters, without_letters_in_topics
from services.settings import Settings


@dataclass(frozen=True)
class Erasure:
    """What was done to forget a person."""

    person: str
    tenant: str
    had_key: bool
    """Whether there was anything that only this key opens."""
    accounts: int
    """So many accounts were taken away."""
    letters: int = 0
    """So many messages that nobody could read named them, and are emptied."""


async def forget_person(settings: Settings, tenant: str, person: str, by: str) -> Erasure:
    """
    Destroy the person's key, for good. A running system reads nothing of theirs any more within a minute.

    Raises CannotDo where nobody has that name: a name that is mistyped would say that it was done.
    """
    if settings.gateway:
        raise CannotDo("the keys are the gateway's: forget persons where the gateway runs, without FIELDLOOP_GATEWAY")
    async with own_key_book(settings) as book:
        known = await book.known([(tenant, person)])
        if not known:
            raise CannotDo(f"nothing is sealed for {person} in {tenant}: give the id of a customer or an engineer")
        await forget(book, ledger_of(settings), Forgotten(tenant, person, by, SystemClock().now()))
    accounts = without_accounts(settings.data / USERS_FILE, tenant, person)
    letters = await without_letters(settings, [person])
    try:
        letters += await without_letters_in_topics(settings, [person])
    except KafkaError as error:
        raise CannotDo(
            f"the key of {person} is destroyed, but Kafka does not answer ({error}): say it again when it does, "
            "so that messages there that nobody could read are emptied too"
        ) from None
    return Erasure(person, tenant, known[0].secret is not None, accounts, letters)

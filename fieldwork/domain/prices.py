"""What services cost: the standard list and those of contracts, each in versions with a time from which it holds."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from contracts.event import Event
from contracts.fieldwork import ContractPricesDefined, PartPrice, PricesDefined
from contracts.problems import Rejected
from fieldwork.commands import DefineContractPrices, DefinePrices
from services.chassis.journal.rules import Stream

STANDARD: Final = "standard"

PriceList = PricesDefined | ContractPricesDefined
Prices = tuple[PriceList, ...]
"""Every version of a list, in order."""


def prices_stream(list_id: str = STANDARD) -> str:
    return f"price-list/{list_id or STANDARD}"


def define_prices(prices: Prices, command: DefinePrices | DefineContractPrices) -> list[Event]:
    """Raises Rejected for a part that is there twice: it would be chance which price counts."""
    listed = [one.part_id for one in command.parts]
    if twice := next((part_id for n, part_id in enumerate(listed) if part_id in listed[:n]), ""):
        raise Rejected("prices.twice", part_id=twice)
    facts = command.model_dump(exclude={"parts"}) | {
        "parts": tuple([PartPrice(one.part_id, one.unit_fen) for one in command.parts])
    }

    def version(number: int) -> PriceList:
        if isinstance(command, DefineContractPrices):
            return ContractPricesDefined(version=number, **facts)
        return PricesDefined(list_id="standard", version=number, **facts)

    return [] if prices and version(len(prices)) == prices[-1] else [version(len(prices) + 1)]


def in_force(prices: Prices, at: datetime) -> PriceList | None:
    """Of two that begin at the same time the later version puts the earlier one right."""
    begun = [one for one in prices if one.effective_from <= at]
    return max(begun, key=lambda one: (one.effective_from, one.version)) if begun else None


def evolve(prices: Prices, event: PriceList) -> Prices:
    return (*prices, event)


PRICES: Stream[Prices] = Stream("price-list", (), evolve)

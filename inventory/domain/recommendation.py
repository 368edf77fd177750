"""
What a repair is expected to take: what is on the list of its device model, what work of its type takes, and what
earlier repairs of the model with this request type took often enough.

Pure counting, so that the same history gives the same parts: of at least `learn_after_repairs` repairs at least
`learn_share_percent` % took the part; then as many pieces as they took on average, rounded half up, one at least.
"""

from __future__ import annotations

from contracts.event import Event
from contracts.inventory import Ground, PartLine, PartsRecommended, StockRulesSet
from inventory.commands import RecommendParts
from inventory.domain.register import RULES_STREAM
from inventory.domain.reservation import Reservation, reservation_stream
from services.chassis.journal.rules import States


def recommend_reads(command: RecommendParts) -> tuple[str, ...]:
    return reservation_stream(command.order_id), RULES_STREAM


def recommend(states: States, command: RecommendParts) -> list[Event]:
    reservation: Reservation = states[reservation_stream(command.order_id)]
    lines, grounds = expected(command, states[RULES_STREAM])
    if reservation != Reservation() or not lines:
        return []
    ids = {"order_id": command.order_id, "request_id": command.request_id}
    return [PartsRecommended(**ids, lines=lines, grounds=grounds, urgency=command.urgency)]


def expected(command: RecommendParts, rules: StockRulesSet) -> tuple[tuple[PartLine, ...], tuple[Ground, ...]]:
    """The parts, and for each of them why; the lists first, and how many pieces they say goes before the history."""
    used = {past.part_id: past for past in command.history}
    pieces: dict[str, int] = {}
    grounds: dict[str, Ground] = {}

    def say(part_id: str, quantity: int, source: str) -> None:
        past = used.get(part_id)
        counts = {"used_in": past.used_in if past else 0, "repairs": command.repairs}
        pieces[part_id] = max(quantity, pieces.get(part_id, 0))
        grounds.setdefault(part_id, Ground(part_id=part_id, source=source, **counts))  # type: ignore[arg-type]

    for line in command.lines:
        say(line.part_id, line.quantity, "device-model")
    for usual in command.of_type:
        say(usual.part_id, usual.quantity, "request-type")
    for past in command.history:
        enough = command.repairs >= rules.learn_after_repairs
        if enough and past.part_id not in pieces and past.used_in * 100 >= rules.learn_share_percent * command.repairs:
            say(past.part_id, max(1, (2 * past.pieces + past.used_in) // (2 * past.used_in)), "history")
    return tuple([PartLine(*line) for line in pieces.items()]), tuple(grounds.values())

"""I3 over the events of stock: what came in less what was used lies there, and covers what is set aside."""

from collections import Counter

from contracts.inventory import PartConsumed, StockCounted, StockFellShort, StockReturned, StockSetAside


def on_hand_and_set_aside(events):
    """
    Pieces on hand by shelf, and set aside by shelf and order. Raises AssertionError where the books do not close.

    They are looked at after each decision's events are in: `events` is a list of lists.
    """
    received, used, drift, set_aside = Counter(), Counter(), Counter(), Counter()

    def on_hand(shelf):
        return received[shelf] - used[shelf] + drift[shelf]

    for decided in events:
        for event in decided:
            match event:
                case StockCounted():
                    shelf = event.part_id, event.place_id
                    received[shelf] += event.quantity - on_hand(shelf)
                case PartConsumed():
                    used[event.part_id, event.place_id] += event.quantity
                    drift[event.part_id, event.place_id] += event.drift
                case StockSetAside():
                    set_aside[event.part_id, event.place_id, event.order_id] += event.quantity
                case StockReturned() | StockFellShort():
                    set_aside[event.part_id, event.place_id, event.order_id] -= event.quantity
        for shelf in {*received, *used}:
            promised = sum(pieces for key, pieces in set_aside.items() if key[:2] == shelf)
            assert 0 <= promised <= on_hand(shelf), (shelf, promised, on_hand(shelf), decided)
        assert all(pieces >= 0 for pieces in set_aside.values()), decided
    return {shelf: on_hand(shelf) for shelf in {*received, *used}}, +set_aside

"""
The orders of one request: one for each of its rounds, and never two on the way at once.

An order that was withdrawn while somebody was on the way to it goes on if the request does before she is done, be it
unmerged or reopened: it serves the new round too, and no second engineer is sent.
"""

from __future__ import annotations

from contracts.dispatcher import WithdrawalTakenBack
from contracts.event import Event
from dispatcher.commands import OpenOrder, WithdrawOrder
from dispatcher.domain import dispatch_rules
from dispatcher.domain.order import Assigned, Order, UnderWay, Unopened, Waiting, decide, stream
from services.chassis.journal.rules import States


def reads(command: OpenOrder | WithdrawOrder) -> tuple[str, ...]:
    rules = [dispatch_rules.STREAM] if isinstance(command, OpenOrder) else []
    return tuple(dict.fromkeys([stream(command.order_id), *[stream(one) for one in command.earlier_ids], *rules]))


def open_round(states: States, command: OpenOrder) -> list[Event]:
    for order_id in command.earlier_ids:
        match states[stream(order_id)]:
            case UnderWay(withdrawn=True):
                return [WithdrawalTakenBack(order_id=order_id, request_id=command.request_id)]
            case _:
                pass
    return decide(states, command)


def withdraw_round(states: States, command: WithdrawOrder) -> list[Event]:
    """The order of this round; where it has none of its own, the earlier one that serves it."""
    own: Order = states[stream(command.order_id)]
    serving = [one for one in command.earlier_ids if isinstance(states[stream(one)], Waiting | Assigned | UnderWay)]
    if isinstance(own, Unopened) and serving:
        return decide(states, command.model_copy(update={"order_id": serving[-1]}))
    return decide(states, command)

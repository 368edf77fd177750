"""The wiring of the dispatcher, and nothing else."""

from __future__ import annotations

from typing import Any

from dispatcher.api import routes
from dispatcher.commands import (
    AssignByHand,
    AssignOrder,
    CancelOrder,
    DeclineOrder,
    FinishOrder,
    FreeHours,
    OpenOrder,
    ReassignOrder,
    RecordHistory,
    RecordOverdue,
    RegisterEngineer,
    RetryAssignment,
    ReturnOrder,
    StartOrder,
    TakeOrder,
    UpdateEngineer,
    WithdrawOrder,
)
from dispatcher.deadlines import ON_TIMER, TIMERS
from dispatcher.domain import assignment, engineer, engineer_day, order
from dispatcher.policies import POLICIES
from dispatcher.projections.board import BOARD
from dispatcher.projections.engineer_days import ENGINEER_DAYS
from dispatcher.projections.engineers import ENGINEERS
from services.chassis.journal.rules import Handler, Rules, Stream
from services.chassis.service import Service

OF_ORDER: tuple[type[Any], ...] = (
    OpenOrder,
    DeclineOrder,
    CancelOrder,
    WithdrawOrder,
    StartOrder,
    ReturnOrder,
    FinishOrder,
    RecordOverdue,
    RetryAssignment,
    RecordHistory,
)
OF_ENGINEER: tuple[type[Any], ...] = (RegisterEngineer, UpdateEngineer)

RULES = Rules(
    service="dispatcher",
    streams=(
        Stream("order", order.INITIAL, order.evolve),
        Stream("engineer", engineer.INITIAL, engineer.evolve),
        Stream("engineer-day", engineer_day.INITIAL, engineer_day.evolve),
    ),
    handlers=(
        *[Handler(command, lambda c: (order.stream(c.order_id),), order.decide) for command in OF_ORDER],
        *[Handler(command, lambda c: (engineer.stream(c.engineer_id),), engineer.decide) for command in OF_ENGINEER],
        Handler(AssignOrder, assignment.reads_of_candidates, assignment.assign),
        Handler(TakeOrder, assignment.reads_of_engineer, assignment.take),
        Handler(AssignByHand, assignment.reads_of_engineer, assignment.assign_by_hand),
        Handler(ReassignOrder, assignment.reads_of_engineer, assignment.reassign),
        Handler(FreeHours, lambda c: (engineer_day.stream(c.engineer_id, c.day),), engineer_day.decide),
    ),
    timers=TIMERS,
)

service = Service(
    name="dispatcher",
    rules=RULES,
    views=(BOARD, ENGINEERS, ENGINEER_DAYS),
    policies=POLICIES,
    on_timer=ON_TIMER,
    routes=routes,
    history=RecordHistory,
    takes_in_every_s=0,  # somebody waits for an engineer
)

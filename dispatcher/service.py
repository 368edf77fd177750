"""The wiring of the dispatcher, and nothing else."""

from __future__ import annotations

from typing import Any

from dispatcher.api import routes
from dispatcher.commands import (
    AskReplan,
    AskTrial,
    AssignByHand,
    AssignOrder,
    BeginRestatement,
    BookSlot,
    CallOffAbsence,
    CancelOrder,
    ChangeCalendar,
    ChangeSla,
    CorrectFact,
    DeclineOrder,
    DefineCalendar,
    DefineSla,
    DraftRules,
    FinishOrder,
    FreeHours,
    HoldSlot,
    ImportHolidays,
    LapseOffer,
    LearnTravel,
    LookForBetterDays,
    MoveClocks,
    NoteNobody,
    OfferOrder,
    OpenOrder,
    PauseClocks,
    PublishRules,
    ReassignOrder,
    RecordHistory,
    RecordOverdue,
    RecordTrial,
    RegisterEngineer,
    ReleaseSlot,
    Replan,
    ReportAbsence,
    RestatePage,
    RestoreRules,
    ResumeClocks,
    RetryAssignment,
    ReturnOrder,
    ReviseSla,
    SetDispatchRules,
    SettleAbsenceNote,
    StartClocks,
    StartOrder,
    TakeBackOffer,
    TakeBackOrders,
    TakeOrder,
    TellMark,
    UnassignOrder,
    UpdateEngineer,
    WithdrawOrder,
)
from dispatcher.deadlines import ON_TIMER, TIMERS
from dispatcher.domain import (
    assignment,
    calendars,
    decision,
    dispatch_rules,
    engineer,
    engineer_day,
    learned_travel,
    order,
    order_clocks,
    pool,
    replan,
    restatement,
    rounds,
    rules_draft,
    slas,
    slots,
)
from dispatcher.policies import POLICIES
from dispatcher.projections.board import BOARD
from dispatcher.projections.calendars import CALENDARS, lacking_holidays
from dispatcher.projections.clocks import CLOCKS
from dispatcher.projections.decisions import DECISIONS
from dispatcher.projections.dispatch_rules import DISPATCH_RULES
from dispatcher.projections.engineer_days import ENGINEER_DAYS
from dispatcher.projections.engineers import ENGINEERS
from dispatcher.projections.parts import FITTING_PARTS, RECOMMENDED_PARTS, STOCK_AT_PLACES
from dispatcher.projections.replans import REPLANS
from dispatcher.projections.restatements import RESTATED, RESTATEMENTS
from dispatcher.projections.rules_drafts import RULES_DRAFTS
from dispatcher.projections.slas import SLAS
from dispatcher.projections.slots import SLOTS
from dispatcher.projections.travel import DRIVES, TRAVEL
from services.chassis.journal.rules import Handler, Rules, Stream
from services.chassis.service import Service

OF_ORDER: tuple[type[Any], ...] = (
    DeclineOrder,
    UnassignOrder,
    CancelOrder,
    StartOrder,
    ReturnOrder,
    FinishOrder,
    RecordOverdue,
    RetryAssignment,
    NoteNobody,
    RecordHistory,
    SettleAbsenceNote,
)
OF_ENGINEER: tuple[type[Any], ...] = (RegisterEngineer, UpdateEngineer, ReportAbsence, CallOffAbsence)
OF_CLOCKS: tuple[type[Any], ...] = (
    StartClocks,
    MoveClocks,
    PauseClocks,
    ResumeClocks,
    ChangeSla,
    CorrectFact,
    TellMark,
)
OF_CALENDARS: tuple[type[Any], ...] = (DefineCalendar, ChangeCalendar, ImportHolidays)
OF_RULES: tuple[type[Any], ...] = (SetDispatchRules, RestoreRules)
OF_DRAFT: tuple[type[Any], ...] = (DraftRules, AskTrial, RecordTrial)
OF_SLAS: tuple[type[Any], ...] = (DefineSla, ReviseSla)

RULES = Rules(
    service="dispatcher",
    streams=(
        Stream("order", order.INITIAL, order.evolve),
        Stream("slot", slots.INITIAL, slots.evolve),
        Stream("replan", replan.INITIAL, replan.evolve),
        Stream("travel", learned_travel.INITIAL, learned_travel.evolve),
        Stream(replan.BETTER_DAYS, replan.INITIAL, replan.seen),
        Stream("order-decisions", decision.INITIAL, decision.evolve),
        Stream("engineer", engineer.INITIAL, engineer.evolve),
        Stream("engineer-day", engineer_day.INITIAL, engineer_day.evolve),
        Stream("order-clocks", order_clocks.INITIAL, order_clocks.evolve),
        Stream(calendars.STREAM, calendars.INITIAL, calendars.evolve),
        Stream(slas.STREAM, slas.INITIAL, slas.evolve),
        Stream(dispatch_rules.STREAM, dispatch_rules.INITIAL, dispatch_rules.evolve),
        Stream("rules-draft", rules_draft.INITIAL, rules_draft.evolve),
        Stream("restatement", restatement.INITIAL, restatement.evolve),
    ),
    handlers=(
        *[Handler(command, lambda c: (order.stream(c.order_id),), order.decide) for command in OF_ORDER],
        Handler(OpenOrder, rounds.reads, rounds.open_round),
        Handler(WithdrawOrder, rounds.reads, rounds.withdraw_round),
        *[Handler(command, lambda c: (engineer.stream(c.engineer_id),), engineer.decide) for command in OF_ENGINEER],
        Handler(AssignOrder, assignment.reads_of_candidates, assignment.assign),
        Handler(TakeOrder, assignment.reads_of_engineer, assignment.take),
        Handler(AssignByHand, assignment.reads_of_engineer, assignment.assign_by_hand),
        Handler(ReassignOrder, assignment.reads_of_engineer, assignment.reassign),
        Handler(HoldSlot, slots.reads_to_hold, slots.hold),
        Handler(BookSlot, slots.reads_held, slots.book),
        Handler(ReleaseSlot, slots.reads_held, slots.release),
        Handler(Replan, replan.reads, replan.decide),
        Handler(TakeBackOrders, order.reads_of_absence, order.take_back),
        Handler(OfferOrder, pool.reads, pool.offer),
        Handler(TakeBackOffer, pool.reads_of_absence, pool.take_back),
        Handler(LapseOffer, lambda c: (order.stream(c.order_id),), pool.lapse),
        Handler(LearnTravel, lambda c: (learned_travel.STREAM,), learned_travel.decide),
        Handler(AskReplan, lambda c: (replan.stream(c.replan_id),), replan.ask),
        Handler(LookForBetterDays, lambda c: (replan.BETTER_DAYS, dispatch_rules.STREAM), replan.look),
        *[Handler(command, lambda c: (dispatch_rules.STREAM,), dispatch_rules.decide) for command in OF_RULES],
        *[Handler(command, rules_draft.reads, rules_draft.decide) for command in OF_DRAFT],
        Handler(PublishRules, rules_draft.reads_to_publish, rules_draft.publish),
        *[Handler(command, order_clocks.reads, order_clocks.decide) for command in OF_CLOCKS],
        *[Handler(command, lambda c: (calendars.STREAM,), calendars.decide) for command in OF_CALENDARS],
        *[Handler(command, slas.reads, slas.decide) for command in OF_SLAS],
        Handler(BeginRestatement, restatement.reads, restatement.begin),
        Handler(RestatePage, restatement.reads, restatement.restate_page),
        Handler(FreeHours, lambda c: (engineer_day.stream(c.engineer_id, c.day),), engineer_day.decide),
    ),
    timers=TIMERS,
)

service = Service(
    name="dispatcher",
    rules=RULES,
    views=(
        BOARD,
        ENGINEERS,
        ENGINEER_DAYS,
        FITTING_PARTS,
        RECOMMENDED_PARTS,
        STOCK_AT_PLACES,
        CALENDARS,
        SLAS,
        CLOCKS,
        RESTATEMENTS,
        RESTATED,
        DISPATCH_RULES,
        RULES_DRAFTS,
        DECISIONS,
        REPLANS,
        SLOTS,
        DRIVES,
        TRAVEL,
    ),
    policies=POLICIES,
    on_timer=ON_TIMER,
    routes=routes,
    history=RecordHistory,
    concerns=lacking_holidays,
    takes_in_every_s=0.02,  # somebody waits for an engineer; yet two of them cost little more than one
)

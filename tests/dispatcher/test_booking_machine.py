"""
Whatever is asked in whatever order: no engineer has overlapping hours, and an order has one engineer at most.

Policies run late or not yet, as after a crash: giving hours back is a step of its own here.
"""

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from contracts.dispatcher import HoursBooked, HoursFreed
from contracts.problems import Rejected
from dispatcher.commands import (
    AssignOrder,
    CancelOrder,
    Candidate,
    DeclineOrder,
    FinishOrder,
    FreeHours,
    LapseOffer,
    OfferOrder,
    ReportAbsence,
    ReturnOrder,
    StartOrder,
    TakeBackOrders,
    WithdrawOrder,
)
from dispatcher.domain.order import Assigned, UnderWay, Waiting
from dispatcher.service import RULES
from tests.dispatcher.examples import ALL_WEEK, by_hand, open_order, reassign, register, registered, take
from tests.given import NOW

ENGINEERS = ("e-1", "e-2")
DAYS = [(NOW.date() + timedelta(days=n)).isoformat() for n in range(2)]

engineers = st.sampled_from(ENGINEERS)
starts = st.none() | st.integers(0, 300).map(lambda n: NOW + timedelta(minutes=7 * n))
candidates = st.lists(
    st.builds(Candidate, engineer_id=engineers, day=st.sampled_from(DAYS)), min_size=1, max_size=4, unique=True
).map(tuple)


WAYS_ON = {
    "declined": lambda order, engineer: DeclineOrder(order_id=order, engineer_id=engineer, reason="ill"),
    "departed": lambda order, engineer: StartOrder(order_id=order, engineer_id=engineer),
    "aborted": lambda order, engineer: ReturnOrder(order_id=order, engineer_id=engineer, reason="other"),
    "done": lambda order, engineer: FinishOrder(order_id=order, request_id=order, engineer_id=engineer),
    "cancelled": lambda order, _: CancelOrder(order_id=order),
    "withdrawn": lambda order, _: WithdrawOrder(order_id=order),
}


class Booking(RuleBasedStateMachine):
    orders = Bundle("orders")

    def __init__(self):
        super().__init__()
        self.states = {}
        self.now = NOW
        self.count = 0
        self.let_go = []
        """What the policies have still to give back."""

    def ask(self, command):
        handler = RULES.handler_of[type(command)]
        for name in handler.reads(command):
            self.states.setdefault(name, RULES.stream_of[name.partition("/")[0]].initial)
        try:
            events = handler.decide(self.states, command)
        except Rejected:
            return
        for event in events:
            assert event.stream() in handler.reads(command)
            state = self.states[event.stream()]
            self.states[event.stream()] = RULES.stream_of[event.STREAM].evolve(state, event)
            if getattr(event, "frees", None):
                self.let_go.append((event.frees, event.order_id))
            if isinstance(event, HoursBooked | HoursFreed):
                assert event.engineer_id in ENGINEERS

    @initialize()
    def engineers_are_registered(self):
        for name in ENGINEERS:
            self.ask(register(name, daily_limit=9))
        assert self.states["engineer/e-1"] == RULES.stream_of["engineer"].evolve(
            None, registered("e-1", daily_limit=9, shifts=ALL_WEEK)
        )

    @rule(target=orders, minutes=st.integers(5, 100), north=st.integers(0, 90))
    def an_order_is_opened(self, minutes, north):
        self.count += 1
        name = f"o-{self.count}"
        place = {"lat_udeg": 39_900_000 + 1_000 * north}
        self.ask(open_order(order_id=name, request_id=name, duration_s=60 * minutes, now=self.now, **place))
        return name

    @rule(order=orders, among=candidates)
    def the_rule_assigns(self, order, among):
        self.ask(AssignOrder(order_id=order, candidates=among, compared=3, now=self.now))

    @rule(order=orders, engineer=engineers, starts_at=starts)
    def a_dispatcher_assigns(self, order, engineer, starts_at):
        self.ask(by_hand(engineer, order_id=order, starts_at=starts_at, reason="so decided", now=self.now))

    @rule(order=orders, engineer=engineers, starts_at=starts)
    def a_dispatcher_reassigns(self, order, engineer, starts_at):
        self.ask(reassign(engineer, order_id=order, starts_at=starts_at, now=self.now))

    @rule(order=orders, engineer=engineers)
    def an_engineer_takes(self, order, engineer):
        self.ask(take(engineer, order_id=order, now=self.now))

    @rule(order=orders, to=st.lists(engineers, min_size=1, max_size=2), by=st.sampled_from(["rule", "person"]))
    def it_is_offered(self, order, to, by):
        self.ask(OfferOrder(order_id=order, engineer_ids=tuple(to), offered_by=by, now=self.now))

    @rule(order=orders)
    def the_offer_lapses(self, order):
        state = self.states[f"order/{order}"]
        if isinstance(state, Waiting) and state.offering:
            self.ask(LapseOffer(order_id=order, due_at=state.offering.until))

    @rule(engineer=engineers, starts_in=st.integers(0, 30), hours=st.integers(1, 30))
    def an_engineer_is_absent(self, engineer, starts_in, hours):
        """And the policy asks for what she has, a moment later."""
        self.count += 1
        starts_at = self.now + timedelta(hours=starts_in)
        until = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=hours), "now": self.now}
        self.ask(ReportAbsence(engineer_id=engineer, absence_id=f"a-{self.count}", **until))
        for who, date, day in [*self.days()]:
            if day:
                ids = {"order_ids": tuple(booking.order_id for booking in day), "engineer_id": who, "day": date}
                self.ask(TakeBackOrders(**ids, absence_id=f"a-{self.count}"))

    @rule(order=orders, engineer=st.none() | engineers, how=st.sampled_from(sorted(WAYS_ON)))
    def it_goes_on(self, order, engineer, how):
        """By her who has it, or by somebody who has not."""
        state = self.states[f"order/{order}"]
        hers = state.booked.engineer_id if isinstance(state, Assigned | UnderWay) else "e-1"
        self.ask(WAYS_ON[how](order, engineer or hers))

    @rule(data=st.data())
    def the_policy_gives_hours_back(self, data):
        if self.let_go:
            where, order = self.let_go.pop(data.draw(st.integers(0, len(self.let_go) - 1)))
            self.ask(FreeHours(engineer_id=where.engineer_id, day=where.day, order_id=order))

    @rule(minutes=st.integers(1, 60))
    def time_goes_by(self, minutes):
        self.now += timedelta(minutes=minutes)

    def days(self):
        for name, day in self.states.items():
            if name.startswith("engineer-day/"):
                _, engineer, date = name.split("/")
                yield engineer, date, day

    @invariant()
    def no_engineer_has_overlapping_hours(self):
        hours = defaultdict(list)
        for engineer, _, day in self.days():
            hours[engineer] += day
        for booked in hours.values():
            booked.sort()
            for before, after in pairwise(booked):
                assert before.ends_at <= after.starts_at, (before, after)

    @invariant()
    def who_has_an_order_has_its_hours_and_nobody_else_has(self):
        held = defaultdict(set)
        for engineer, date, day in self.days():
            for booking in day:
                held[booking.order_id].add((engineer, date))
        due_back = {((where.engineer_id, where.day), order) for where, order in self.let_go}
        for name, order in self.states.items():
            if name.startswith("order/"):
                order_id = name.partition("/")[2]
                hours = {one for one in held[order_id] if (one, order_id) not in due_back}
                match order:
                    case Assigned(booked=booked) | UnderWay(booked=booked):
                        assert hours == {(booked.engineer_id, booked.day)}
                    case Waiting():
                        assert not hours
                    case _:
                        assert len(hours) <= 1, "those of the work that was done"


Booking.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestBooking = Booking.TestCase

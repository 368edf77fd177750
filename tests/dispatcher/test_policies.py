"""What the dispatcher does when something has happened."""

import asyncio
from datetime import timedelta
from types import MappingProxyType

import msgspec
import pytest
from sqlalchemy import StaticPool, create_engine

from contracts.dispatcher import EngineerDay, OrderCancelled, OrderFinished, OrderReassigned
from contracts.fieldwork import EngineerDeparted, ServiceCompleted, VisitAborted
from contracts.intake import (
    RequestMerged,
    RequestReceived,
    RequestReopened,
    RequestResolvedRemotely,
    RequestUnmerged,
    RequestWithdrawn,
    Work,
)
from contracts.problems import NotYet
from dispatcher.commands import (
    AssignOrder,
    Candidate,
    FinishOrder,
    FreeHours,
    NoteNobody,
    OpenOrder,
    ReturnOrder,
    StartOrder,
    WithdrawOrder,
)
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.policies import CANDIDATES, POLICIES, RETRIED, order_of, when_order_waits
from dispatcher.service import RULES, service
from tests.dispatcher.examples import (
    TODAY,
    TOMORROW,
    assigned,
    at,
    booked,
    declined,
    freed,
    open_order,
    opened,
    registered,
    returned,
)
from tests.fold import TENANT, enveloped, rows_after
from tests.given import NOW


class Views:
    """The views after these events, in memory, and a clock that stands still."""

    outside = MappingProxyType({})

    def __init__(self, *events, tenants=(TENANT,)):
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        with self.engine.begin() as db:
            for view in service.views:
                view.table.create(db)
                for tenant in tenants:
                    for key, row in rows_after(view, events, tenant=tenant).items():
                        named = dict(zip(view.key, key, strict=True))
                        db.execute(view.table.insert(), {"tenant": tenant, **named, **row})

    async def fetch(self, query, **values):
        with self.engine.connect() as db:
            return db.execute(query, values).mappings().all()

    def now(self):
        return NOW


def reactions(event, *before, tenants=(TENANT,)):
    """What every policy that acts on this event asks, by its name; of clocks tests/sla tells."""
    *_, (event, envelope) = enveloped([*before, event])
    views = Views(*before, event, tenants=tenants)
    asked = {
        policy.name: list(asyncio.run(policy.react(event, envelope, views)))
        for policy in POLICIES
        if isinstance(event, policy.when) and policy.name != "keep-clocks"
    }
    for commands in asked.values():
        # The first stream of a command tells the reactions of one event apart.
        targets = [(type(one), RULES.handler_of[type(one)].reads(one)[0]) for one in commands]
        assert len(set(targets)) == len(targets)
    return asked


def candidates(*names, day=TODAY):
    return tuple(Candidate(engineer_id=name, day=day) for name in names)


def assign(*names, day=TODAY, **changes):
    return AssignOrder(**{"order_id": "o-1", "candidates": candidates(*names, day=day), "now": NOW} | changes)


FREE = FreeHours(engineer_id="e-1", day=TODAY, order_id="o-1")


# Others' events.


def test_a_request_opens_an_order_with_all_that_is_known():
    asked = open_order(order_id=order_of("r-1"), sla="gold", number="R-261124-0001")
    facts = asked.model_dump(exclude={"order_id", "now", "customer_id", "earlier_ids", "asked_at"})
    event = RequestReceived(**facts, type_version=1, customer_id="c-1")
    assert reactions(event) == {"follow-request": [asked]}


def test_what_is_answered_from_the_desk_opens_no_order():
    facts = open_order(order_id=order_of("r-1")).model_dump(
        exclude={"order_id", "now", "customer_id", "earlier_ids", "asked_at", "number"}
    )
    event = RequestReceived(**facts, number="R-261124-0001", type_version=1, customer_id="c-1", needs_visit=False)
    assert reactions(event) == {"follow-request": []}


def test_a_withdrawal_finds_the_order_of_its_request():
    event = RequestWithdrawn(request_id="r-1", customer_id="c-1")
    assert reactions(event) == {"follow-request": [WithdrawOrder(order_id=order_of("r-1"))]}


def test_a_merger_and_a_solution_from_the_desk_end_the_order_of_their_round():
    ids = {"request_id": "r-1", "customer_id": "c-1", "round_no": 2}
    ended = {"follow-request": [WithdrawOrder(order_id=order_of("r-1", 2), earlier_ids=(order_of("r-1"),))]}
    assert reactions(RequestMerged(**ids, into_id="r-0")) == ended
    assert reactions(RequestResolvedRemotely(**ids, action="restarted", resolved_at=NOW)) == ended
    assert order_of("r-1", 1) == order_of("r-1") != order_of("r-1", 2)


def test_what_goes_on_has_an_order_of_the_new_round():
    asked = open_order(order_id=order_of("r-1", 2), sla="gold")
    work = Work(**{name: getattr(asked, name) for name in Work.__struct_fields__ if name in OpenOrder.model_fields})
    ids = {"request_id": "r-1", "customer_id": asked.customer_id, "round_no": 2}
    after_work = RequestReopened(**ids, work=work, done_order_id=order_of("r-1"))
    assert reactions(after_work) == {"follow-request": [asked]}
    again = asked.model_copy(update={"earlier_ids": (order_of("r-1"),)})
    assert reactions(RequestUnmerged(**ids, into_id="r-0", work=work)) == {"follow-request": [again]}
    assert reactions(RequestUnmerged(**ids, into_id="r-0")) == {"follow-request": []}
    at_the_desk = msgspec.structs.replace(work, needs_visit=False)
    assert reactions(RequestReopened(**ids, work=at_the_desk)) == {"follow-request": []}


def test_the_order_follows_the_visit():
    ids = {"visit_id": "v-1", "order_id": "o-1", "request_id": "r-1", "engineer_id": "e-1"}
    times = {name: NOW for name in ("departed_at", "arrived_at", "started_at", "finished_at")}
    completed = ServiceCompleted(**ids, customer_id="c-1", rating=5, signature="M0", **times)
    assert reactions(EngineerDeparted(**ids)) == {"follow-visit": [StartOrder(order_id="o-1", engineer_id="e-1")]}
    assert reactions(VisitAborted(**ids, reason="not-safe")) == {
        "follow-visit": [ReturnOrder(order_id="o-1", engineer_id="e-1", reason="not-safe")]
    }
    assert reactions(completed) == {"follow-visit": [FinishOrder(order_id="o-1", request_id="r-1", engineer_id="e-1")]}


# Looking for an engineer.


def test_an_opened_order_goes_to_the_best_candidates_the_best_first():
    staff = [registered(f"e-{n:02}", home_lat_udeg=39_900_000 + 1_000 * n) for n in range(CANDIDATES + 3)]
    lacks = registered("e-99", skills=("heating",))
    best = [f"e-{n:02}" for n in range(CANDIDATES)]
    assert reactions(opened(), *staff, lacks) == {
        "find-engineer": [assign(*best, compared=CANDIDATES + 4, excluded=(("skill", 1),))]
    }


def test_with_nobody_to_ask_the_order_waits():
    nobody = NoteNobody(order_id="o-1", compared=1, excluded=(("skill", 1),))
    assert reactions(opened(), registered(skills=("heating",))) == {"find-engineer": [nobody]}


def test_booked_hours_lead_to_another_day():
    full = booked(order_id="o-9", starts_at=at(17), ends_at=at(20))
    assert reactions(opened(), registered(), full) == {"find-engineer": [assign("e-1", day=TOMORROW, compared=1)]}


def test_another_tenants_engineers_are_nobodys_here():
    others = (registered(), {"tenant": "t-2"})
    assert reactions(opened(), others, tenants=(TENANT, "t-2")) == {"find-engineer": []}


def test_an_order_that_is_not_on_the_board_yet_is_waited_for():
    ((event, envelope),) = enveloped([opened()])
    with pytest.raises(NotYet):
        asyncio.run(when_order_waits(event, envelope, Views()))


def test_a_declined_order_gives_its_hours_back_and_goes_to_another():
    before = [registered(), registered("e-2"), opened(), assigned(), booked()]
    assert reactions(declined(), *before) == {
        "find-engineer": [FREE, assign("e-2", compared=2, excluded=(("declined", 1),))]
    }


def test_an_order_that_came_back_may_go_to_the_same_engineer_in_the_same_hours():
    rest_of_today = {"ends_at": at(20)}
    before = [registered(), opened(duration_s=3 * 3_600), assigned(**rest_of_today), booked(**rest_of_today)]
    assert reactions(returned(), *before) == {"find-engineer": [FREE, assign("e-1", compared=1)]}


# Hours.


@pytest.mark.parametrize("frees", [None, EngineerDay("e-1", TODAY)])
def test_what_is_let_go_gives_its_hours_back(frees):
    ids = {"order_id": "o-1", "request_id": "r-1"}
    times = {"starts_at": at(17), "ends_at": at(18)}
    to_second = {"from_engineer_id": "e-1", "engineer_id": "e-2", "travel_m": 0, "reason": "closer"}
    for event in (
        OrderCancelled(**ids, reason="dispatcher", frees=frees),
        OrderFinished(**ids, frees=frees),
        OrderReassigned(**ids, **times, **to_second, frees=frees),
    ):
        assert reactions(event) == {"give-hours-back": [FREE] if frees else []}


def waiting(n, **changes):
    return opened(**{"order_id": f"o-{n}", "request_id": f"r-{n}"} | changes)


def test_an_engineer_with_time_is_offered_what_waits_the_urgent_and_then_the_old_first():
    before = [waiting(1), waiting(2, urgency="critical"), waiting(3, skill="heating"), waiting(4), waiting(5)]
    gone = assigned("e-2", order_id="o-5", request_id="r-5")
    (asked,) = reactions(registered(), *before, gone).values()
    assert asked == [assign("e-1", order_id=f"o-{n}", compared=1) for n in (2, 1, 4)]


def test_freed_hours_are_offered_but_not_to_who_declined():
    before = [registered(), opened(), booked(), assigned(), declined(), waiting(2)]
    assert reactions(freed(), *before) == {"offer-free-hours": [assign("e-1", order_id="o-2", compared=1)]}


def test_an_engineer_is_offered_no_more_than_she_could_look_at():
    (asked,) = reactions(registered(), *[waiting(n) for n in range(RETRIED + 5)]).values()
    assert [command.order_id for command in asked] == [f"o-{n}" for n in range(RETRIED)]


def test_an_engineer_who_has_no_time_is_offered_nothing():
    full = [
        booked(day=(NOW + timedelta(days=n)).date().isoformat(), order_id=f"o-{n}")
        for n in range(DEFAULTS.horizon_days)
    ]
    before = [waiting(1), registered(daily_limit=1), *full]
    assert reactions(freed(order_id="o-77"), *before) == {"offer-free-hours": []}


def test_the_hours_of_an_engineer_who_is_not_in_the_view_yet_wait():
    with pytest.raises(NotYet):
        reactions(freed(), waiting(1))

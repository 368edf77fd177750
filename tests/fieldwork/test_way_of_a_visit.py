"""Every sequence of steps against a plain model: which are taken, which refused, and what they add up to."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.fieldwork import ServiceCompleted, VisitAborted
from contracts.problems import Rejected
from fieldwork.domain import visit as domain
from fieldwork.projections.visits import VISITS
from tests.fieldwork import examples as ex
from tests.fold import rows_after
from tests.given import NOW

NEXT = {"planned": "depart", "departed": "arrive", "arrived": "start", "working": "finish", "finished": "accept"}
AFTER = {"depart": "departed", "arrive": "arrived", "start": "working", "finish": "finished", "accept": "completed"}
ORDER = ["planned", "departed", "arrived", "working", "finished", "completed"]
STEPS = {"depart": ex.depart, "arrive": ex.arrive, "start": ex.start, "finish": ex.finish, "accept": ex.accept}


class WayOfAVisit(RuleBasedStateMachine):
    """The model knows a word for where the visit is, a clock, and what was used; nothing of states and events."""

    @initialize()
    def plan(self):
        self.events = [ex.planned()]
        self.state = domain.evolve(domain.INITIAL, self.events[0])
        self.at, self.clock, self.last = "planned", NOW, NOW
        self.photos, self.used, self.refusals = set(), 0, 0

    def ask(self, command):
        """How many events it records; None when it is refused."""
        try:
            events = domain.decide(self.state, command)
        except Rejected as no:
            assert no.code in ("visit.wrong-step", "visit.called-off", "visit.time-before", "visit.time-in-future")
            return None
        for event in events:
            self.state = domain.evolve(self.state, event)
        self.events += events
        return len(events)

    def now(self, seconds):
        self.clock += timedelta(seconds=seconds)
        return {"at": self.clock, "now": self.clock}

    @rule(name=st.sampled_from(sorted(STEPS)), seconds=st.integers(0, 600), back=st.sampled_from([0, 0, 0, 3_600]))
    def step(self, name, seconds, back):
        when = self.now(seconds)
        when["at"] -= timedelta(seconds=back)
        taken = self.ask(_moved(STEPS[name](), when))
        if NEXT.get(self.at) == name:
            late_enough = name == "depart" or when["at"] >= self.last
            assert taken == (1 if late_enough else None)
            if late_enough:
                self.at, self.last = AFTER[name], when["at"]
        elif self.at in ORDER and name in ("depart", "arrive", "start"):
            assert taken == (0 if ORDER.index(AFTER[name]) <= ORDER.index(self.at) else None)
        else:
            assert taken == (0 if self.at in ORDER and AFTER[name] == self.at else None)

    @rule(photo_id=st.sampled_from(["p-1", "p-2", "p-3"]), seconds=st.integers(0, 60))
    def photo(self, photo_id, seconds):
        taken = self.ask(_moved(ex.attach(photo_id=photo_id), self.now(seconds)))
        if self.at == "cancelled":
            assert taken is None
        else:
            assert taken == (photo_id not in self.photos)
            self.photos.add(photo_id)

    @rule(quantity=st.integers(1, 5), seconds=st.integers(0, 60))
    def use(self, quantity, seconds):
        taken = self.ask(_moved(ex.use(quantity=quantity), self.now(seconds)))
        assert taken == (1 if self.at == "working" else None)
        self.used += quantity if taken else 0

    @rule(seconds=st.integers(0, 60))
    def refuse(self, seconds):
        when = self.now(seconds)
        taken = self.ask(_moved(ex.refuse(), when))
        if self.at == "finished":
            assert taken == 1
            self.at, self.last, self.refusals = "working", when["at"], self.refusals + 1
        else:
            assert taken == (0 if self.at == "working" and self.refusals else None)

    @precondition(lambda self: len(self.events) > 4)
    @rule(seconds=st.integers(0, 60))
    def abort(self, seconds):
        taken = self.ask(_moved(ex.abort(), self.now(seconds)))
        open_ = self.at in ("departed", "arrived", "working")
        assert taken == (1 if open_ else 0 if self.at == "aborted" else None)
        self.at = "aborted" if open_ else self.at

    @precondition(lambda self: len(self.events) > 2)
    @rule(reason=st.sampled_from(["order-cancelled", "order-reassigned"]))
    def cancel(self, reason):
        events = domain.cancel(self.state, reason)
        for event in events:
            self.state = domain.evolve(self.state, event)
        self.events += events
        stoppable = ("planned", "departed", "arrived") if reason == "order-cancelled" else ("planned",)
        assert len(events) == (self.at in stoppable)
        self.at = "cancelled" if events else self.at

    @invariant()
    def the_state_and_the_view_are_where_the_model_is(self):
        assert type(self.state).__name__.lower() == self.at
        (row,) = rows_after(VISITS, self.events).values()
        assert (row["state"], row["photos"]) == (self.at, len(self.photos))

    @invariant()
    def it_ends_once_and_says_all_that_was_used(self):
        ends = [event for event in self.events if isinstance(event, ServiceCompleted | VisitAborted)]
        assert len(ends) == (self.at in ("completed", "aborted"))
        for end in ends:
            assert sum(line.quantity for line in end.parts) == self.used
            if isinstance(end, ServiceCompleted):
                assert end.departed_at <= end.started_at <= end.finished_at
                assert end.photos <= len(self.photos)


def _moved(command, when):
    return command.model_copy(update=when)


WayOfAVisit.TestCase.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, print_blob=True, derandomize=False
)
test_every_way_of_a_visit = WayOfAVisit.TestCase

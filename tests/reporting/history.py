"""
A seeded history of a company in which everything happens that a figure depends on.

Facts that come late (an offline phone, a first visit that is reported after the second), requests that are withdrawn,
merged, unmerged, solved remotely and reopened, visits in vain, orders that change hands, promises broken and taken
back, complaints, surveys, imported orders, engineers and parts of unknown cost.
In the order in which reporting hears of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import msgspec

from contracts.dispatcher import (
    AssignmentOverdue,
    ClocksStarted,
    ClockTerms,
    Difference,
    EngineerRegistered,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderOpened,
    OrderQueued,
    OrderReassigned,
    OrderTaken,
    Shift,
    SlaBreached,
    SlaChanged,
    SlaRestated,
)
from contracts.fieldwork import (
    AcceptanceRefused,
    ChargeCorrected,
    EngineerArrived,
    EngineerDeparted,
    ServiceCharged,
    ServiceCompleted,
    VisitAborted,
    VisitCancelled,
    WorkFinished,
)
from contracts.intake import (
    RequestMerged,
    RequestReceived,
    RequestReopened,
    RequestResolvedRemotely,
    RequestUnmerged,
    RequestWithdrawn,
    Work,
)
from contracts.inventory import PartConsumed, PartDefined
from contracts.quality import (
    ComplaintClosed,
    ComplaintOverdue,
    ComplaintRaised,
    ComplaintWithdrawn,
    FeedbackReceived,
    StaffSurveyAnswered,
    SurveySent,
)
from services.chassis.ids import derived_id
from tests.fold import Given

CHANNELS = ("web", "app", "wechat", "hotline", "email")
TYPES = ("repair", "installation", "inspection", "complaint")
CLOCKS = ("assign", "arrive", "fix")
REASONS = ("nobody-there", "part-missing", "not-safe", "not-repairable-here", "other")
CAUSES = ("manner", "late", "unfounded", "product")


class Company:
    """Tells of its engineers and parts first, then of requests one by one."""

    def __init__(
        self,
        seed: int,
        begin: datetime,
        days: int,
        *,
        engineers: int = 12,
        parts: int = 9,
        regions: int = 5,
        models: int = 6,
        devices: int = 60,
    ) -> None:
        self.rng = Random(seed)
        self.begin, self.days = begin, days
        self.engineers = [f"e-{n:04}" for n in range(engineers)]
        self.parts = [f"p-{n}" for n in range(parts)]
        self.regions = [f"region-{n}" for n in range(regions - 1)] + ["朝阳区"]
        self.models = [f"model-{n}" for n in range(models)]
        self.devices = [f"d-{n}" for n in range(devices)]
        self._visits, self._complaints = count(1), count(1)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def soon(self, at: datetime, hours: float) -> datetime:
        """Some time later, at most so many hours, to the microsecond."""
        return at + timedelta(microseconds=self.rng.randint(1, int(hours * 3_600_000_000)))

    def founding(self) -> Iterator[Given]:
        """The last engineer is never registered, the one before has no shifts; some costs nobody knows."""
        for n, engineer_id in enumerate(self.engineers[:-1]):
            week = tuple(Shift(day, 9 * 60, 17 * 60 + 15 * (n % 3)) for day in range(5 + n % 3))
            night = (Shift(4, 22 * 60, 6 * 60), *week)
            since = self.begin + timedelta(days=(0, -40, self.days // 3)[n % 3], seconds=n)
            facts = EngineerRegistered(
                engineer_id=engineer_id,
                name="x",
                skills=("ac",),
                region=self.regions[n % len(self.regions)],
                home_lat_udeg=0,
                home_lon_udeg=0,
                zone=("Asia/Shanghai", "Europe/Berlin")[n % 5 == 4],
                shifts=() if n == len(self.engineers) - 2 else night if n % 4 == 3 else week,
                hour_fen=0 if n % 6 == 5 else 7_000 + 137 * (n % 20),
                km_fen=0 if n % 4 == 3 else 100 + n % 7,
            )
            yield facts, {"time": since}
            if n % 3 == 0:
                # A rise that was agreed upon later, and one that is to come; the last says nothing new of costs.
                third = timedelta(days=self.days / 3)
                dearer = msgspec.structs.replace(facts, hour_fen=facts.hour_fen + 500, rates_from=self.begin + third)
                yield dearer, {"time": self.begin + 2 * third}
                dearest = msgspec.structs.replace(facts, km_fen=333, rates_from=self.begin + 2 * third)
                yield dearest, {"time": self.begin + third}
                yield msgspec.structs.replace(dearest, name="y", rates_from=None), {"time": self.begin + third}
        for n, part_id in enumerate(self.parts):
            cost = 0 if n % 5 == 4 else 999 + 1_234 * n
            yield PartDefined(part_id=part_id, name="x", fits=(), cost_fen=cost), {"time": self.begin}
        yield PartDefined(part_id=self.parts[0], name="y", fits=(), cost_fen=1_001), {"time": self.begin}
        for n, part_id in enumerate(self.parts[1:4]):
            at = self.begin + timedelta(days=self.days * (n + 1) / 5)
            yield PartDefined(part_id=part_id, name="x", fits=(), cost_fen=5_000 * n), {"time": at}
            yield PartDefined(part_id=part_id, name="x", fits=(), cost_fen=777, cost_from=self.begin), {"time": at}

    def answers(self) -> Iterator[Given]:
        for month in range(self.days // 31 + 1):
            for engineer_id in self.engineers:
                if self.chance(0.7):
                    at = self.begin + timedelta(days=31 * month, seconds=self.rng.randrange(86_400 * 28))
                    ratings = {name: self.rng.randint(1, 5) for name in ("content", "workload", "support")}
                    said = StaffSurveyAnswered(engineer_id=engineer_id, month=f"{at:%Y-%m}-{month}", **ratings)
                    yield said, {"time": at}

    def request(self, n: int, of: int | None = None) -> list[Given]:
        """All that came of one request, the n-th of so many, and sometimes of a complaint or an imported order."""
        return Story(self, f"r-{n:06}", n / of if of else self.rng.random()).told()


class Story:
    """One request. `live` is told as it happens; what an offline phone says comes later, `kept` after all else."""

    def __init__(self, company: Company, request_id: str, part: float) -> None:
        self.company, self.request_id = company, request_id
        rng = self.rng = company.rng
        self.at = company.begin + timedelta(microseconds=int(part * company.days * 86_400_000_000))
        self.live: list[Given] = []
        self.region, self.model = rng.choice(company.regions), rng.choice([*company.models, ""])
        self.device = rng.choice(company.devices) if company.chance(0.8) else ""
        self.type, self.channel = rng.choice(TYPES), rng.choice(CHANNELS)
        self.orders = 0
        self.kept: list[Given] = []

    def say(self, event: object, at: datetime | None = None, **more: str) -> None:
        self.live.append((event, {"time": at or self.at, **more}))  # type: ignore[arg-type]

    def later(self, hours: float) -> datetime:
        self.at = self.company.soon(self.at, hours)
        return self.at

    def told(self) -> list[Given]:
        chance = self.company.chance
        self.say(self.received(), channel=self.channel)
        whose = {"request_id": self.request_id, "customer_id": "c-1"}
        if chance(0.05):
            self.later(2)
            self.say(RequestMerged(**whose, into_id="r-other"))
            if chance(0.5):
                return self.live
            self.say(RequestUnmerged(**whose, into_id="r-other"))
        if chance(0.08):
            self.remote(whose)
        elif chance(0.06):
            self.later(3)
            self.say(RequestWithdrawn(**whose))
        else:
            self.order()
        if chance(0.05):
            self.later(200)
            self.say(RequestReopened(**whose, work=self.work()))
            if chance(0.8):
                self.order()
        if chance(0.07):
            self.complain(self.request_id)
        if chance(0.01):
            self.complain("")
        if chance(0.02):
            self.imported()
        return self.live + self.kept

    def received(self) -> RequestReceived:
        return RequestReceived(
            request_id=self.request_id,
            number=self.request_id,
            type_version=1,
            customer_id="c-1",
            device_id=self.device,
            request_type=self.type,
            device_model=self.model,
            skill="ac",
            duration_s=3_600,
            region=self.region,
            lat_udeg=0,
            lon_udeg=0,
        )

    def work(self) -> Work:
        return Work(request_type=self.type, skill="ac", duration_s=60, region=self.region, lat_udeg=0, lon_udeg=0)

    def remote(self, whose: dict[str, str]) -> None:
        at = self.later(8)
        first = self.company.chance(0.7)
        self.say(RequestResolvedRemotely(**whose, action="x", resolved_at=at, first_contact=first))

    def order(self) -> None:
        """One round of work."""
        chance, rng = self.company.chance, self.rng
        self.orders += 1
        self.ids = {"order_id": f"{self.request_id}-o{self.orders}", "request_id": self.request_id}
        self.later(0.1)
        self.say(OrderOpened(**self.ids, device_model=self.model, request_type=self.type, region=self.region))
        if chance(0.7):
            self.promise()
        if chance(0.08):
            self.later(1)
            self.say(AssignmentOverdue(**self.ids, due_at=self.at))
            if chance(0.4):
                return
        engineer = self.assign(rng.choice(self.company.engineers))
        for _ in range(3):
            if chance(0.12):
                self.plans(OrderReassigned(**self.ids, from_engineer_id=engineer, **self.booking("reason")))
                engineer = self.live[-1][0].engineer_id  # type: ignore[index,union-attr]
            if self.visit(engineer):
                break
            engineer = rng.choice([engineer, *self.company.engineers])
        else:
            self.say(OrderCancelled(**self.ids, reason="dispatcher"))

    def booking(self, *more: str) -> dict[str, object]:
        start = self.company.soon(self.at, 30)
        times = {"starts_at": start, "ends_at": start + timedelta(hours=1)}
        engineer = self.rng.choice(self.company.engineers)
        return {"engineer_id": engineer, "travel_m": self.rng.randrange(40_000), **times, **dict.fromkeys(more, "x")}

    def assign(self, engineer: str) -> str:
        self.later(2)
        chosen = self.rng.choice(("rule", "rule", "person", "pool"))
        self.plans(OrderAssigned(**self.ids, **self.booking() | {"engineer_id": engineer}, chosen_by=chosen))
        if self.company.chance(0.06):
            self.say(OrderDeclined(**self.ids, engineer_id=engineer, reason="x"))
            return self.assign(self.rng.choice(self.company.engineers))
        return engineer

    def plans(self, event: OrderAssigned | OrderReassigned) -> None:
        """A visit is planned, which has its name from the id of this event."""
        record = f"planned-{next(self.company._visits)}"
        self.planned = derived_id("visit", event.order_id, record)
        self.say(event, id=record)

    def promise(self) -> None:
        kept = [clock for clock in CLOCKS if self.company.chance(0.8)]
        terms = tuple(
            ClockTerms(clock=clock, calendar_id="", allowed_s=60, excuses=(), restarts=False) for clock in kept
        )
        revision = {"sla_id": "s", "revision": 1}
        self.say(ClocksStarted(**self.ids, **revision, urgency="normal", opened_at=self.at, clocks=terms, standings=()))
        for clock in kept:
            if self.company.chance(0.2):
                self.say(SlaBreached(**self.ids, **revision, clock=clock, due_at=self.at))
                if self.company.chance(0.4):
                    told = [Difference(clock, "used_us", "5", "4"), Difference(clock, "breached", "true", "false")]
                    changed = tuple(told[: 1 + self.company.chance(0.8)])
                    self.say(SlaRestated(**self.ids, cause="late-fact", differences=changed, standings=()))
        if self.company.chance(0.15):
            self.promise_otherwise(terms, kept)

    def promise_otherwise(self, terms: tuple[ClockTerms, ...], kept: list[str]) -> None:
        """Another service level, which may leave a clock out and may take a breach back."""
        back = tuple(Difference(clock, "breached", "true", "false") for clock in kept[:1] if self.company.chance(0.5))  # type: ignore[arg-type]
        self.say(
            SlaChanged(
                **self.ids,
                from_sla_id="s",
                from_revision=1,
                sla_id="s-2",
                revision=1,
                urgency="high",
                changed_at=self.at,
                reason="x",
                clocks=terms[self.company.chance(0.4) :],
                differences=back,
                standings=(),
            )
        )

    def visit(self, engineer: str) -> bool:
        """One visit; whether the work was accepted. An offline phone tells of it after what followed."""
        chance, live = self.company.chance, self.live
        offline = chance(0.15)
        if offline:
            self.live = []
        # What comes again after a visit in vain is planned elsewhere.
        visit_id, self.planned = self.planned or f"v-{next(self.company._visits)}", ""
        done = self.steps({**self.ids, "visit_id": visit_id, "engineer_id": engineer})
        if done:
            self.after(engineer)
        if offline:
            # What the desk said meanwhile was heard before.
            mine = [one for one in self.live if type(one[0]).__module__ == "contracts.fieldwork"]  # type: ignore[index]
            live += [one for one in self.live if one not in mine]
            self.live = live
            if chance(0.3):
                self.kept += mine
            else:
                self.live += mine
        return done

    def steps(self, visit: dict[str, str]) -> bool:
        chance, rng = self.company.chance, self.rng
        at = self.later(40)
        if chance(0.95):
            self.say(EngineerDeparted(**visit, departed_at=at))
        if chance(0.04):
            self.later(0.2)
            self.say(VisitCancelled(**visit, reason="order-reassigned"))
            return False
        at = self.later(2)
        planned = at + timedelta(minutes=rng.choice((-30, 0, 0, 30)))
        self.say(EngineerArrived(**visit, planned_at=planned, arrived_at=at))
        if chance(0.12):
            self.later(1)
            self.say(VisitAborted(**visit, reason=rng.choice(REASONS), aborted_at=self.at))
            return False
        customer = {"customer_id": "c-1"}
        for _ in range(1 + chance(0.1)):
            self.later(3)
            labour = rng.choice((0, 900, 1_800, 3_607))
            finished = {"cause": "x", "action": "y", "record": "z", "labour_s": labour, "finished_at": self.at}
            self.say(WorkFinished(**visit, **customer, **finished))
            if chance(0.2):
                self.say(AcceptanceRefused(**visit, **customer, reason="x", refused_at=self.at))
        if chance(0.05):
            return False  # It waits to be accepted still.
        self.later(0.5)
        times = dict.fromkeys(("departed_at", "arrived_at", "started_at", "finished_at"), self.at)
        rating = min(5, rng.choice((1, 2, 3, 4, 5, 5, 5)))
        self.say(ServiceCompleted(**visit, **customer, rating=rating, signature="M", accepted_at=self.at, **times))
        self.charge(visit)
        return True

    def charge(self, visit: dict[str, str]) -> None:
        if self.company.chance(0.9):
            ids = {name: visit[name] for name in ("visit_id", "order_id", "request_id")}
            shares = {f"{who}_fen": self.rng.randrange(90_000) for who in ("warranty", "contract", "customer")}
            facts = {"customer_id": "c-1", "list_version": 1, "lines": (), "charged_at": self.at}
            self.say(ServiceCharged(**ids, **facts, **shares, gross_fen=sum(shares.values())))
            if self.company.chance(0.2):
                self.correct(ids, shares)

    def correct(self, ids: dict[str, str], before: dict[str, int]) -> None:
        """What the customer was to pay, the warranty pays; some of it nobody."""
        waived = self.rng.randrange(before["customer_fen"] + 1)
        after = before | {"customer_fen": 0, "warranty_fen": before["warranty_fen"] + before["customer_fen"] - waived}
        differences = {name.replace("_fen", "_diff_fen"): after[name] - before[name] for name in after}
        sums = {"gross_fen": sum(after.values()), "gross_diff_fen": -waived}
        facts = {"customer_id": "c-1", "number": 1, "reason": "coverage-set", "before": (), "lines": ()}
        self.say(ChargeCorrected(**ids, **facts, **after, **differences, **sums, corrected_at=self.at))

    def after(self, engineer: str) -> None:
        chance, rng = self.company.chance, self.rng
        for part_id in rng.sample(self.company.parts, rng.choice((0, 0, 1, 2))):
            for place in rng.sample(("WH", "VAN"), rng.choice((1, 1, 2))):
                self.say(PartConsumed(**self.ids, part_id=part_id, place_id=place, quantity=rng.randint(1, 3)))
        if not chance(0.6):
            return
        survey = {**self.ids, "survey_id": self.ids["order_id"], "customer_id": "c-1", "engineer_id": engineer}
        self.say(SurveySent(**survey, visit_id="v", expires_at=self.at + timedelta(days=9)))
        if chance(0.6):
            self.later(90)
            ratings = {name: min(5, rng.randint(1, 7)) for name in ("attitude", "outcome", "punctuality")}
            self.say(FeedbackReceived(**survey, **ratings, recommends=rng.choice((None, *range(11)))))

    def complain(self, request_id: str) -> None:
        complaint_id = f"k-{next(self.company._complaints)}"
        at = self.later(50)
        due = at + timedelta(days=3)
        channel = self.rng.choice(CHANNELS)
        raised = ComplaintRaised(
            complaint_id=complaint_id, customer_id="c-1", request_id=request_id, answer_due_at=due, words="x"
        )
        self.say(raised, channel=channel)
        if self.company.chance(0.2):
            self.say(ComplaintOverdue(complaint_id=complaint_id, owner_id="", due_at=due), due)
        if self.company.chance(0.7):
            cause = self.rng.choice(CAUSES)
            self.later(200)
            self.say(
                ComplaintClosed(
                    complaint_id=complaint_id, customer_id="c-1", owner_id="m", root_cause=cause, answer="x"
                )
            )
        elif self.company.chance(0.5):
            self.later(200)
            self.say(ComplaintWithdrawn(complaint_id=complaint_id, customer_id="c-1", owner_id=""))

    def imported(self) -> None:
        """An order of another system: no request, no opening, only steps of its teams."""
        ids = {"order_id": f"{self.request_id}-i", "request_id": f"{self.request_id}-i", "team": "V", "person": "p"}
        for kind in (OrderQueued, OrderTaken):
            self.say(kind(**ids), origin="import", actor="import:desk")


def history(seed: int, requests: int, begin: datetime, days: int) -> list[Given]:
    """A small company's, with the stories of requests told among one another as the journal would hear them."""
    company = Company(seed, begin, days)
    told = list(company.founding())
    stories = [company.request(n) for n in range(requests)]
    while stories:
        story = company.rng.choice(stories)
        told.append(story.pop(0))
        if not story:
            stories.remove(story)
    return told + list(company.answers())


YEAR_BEGINS = datetime(2025, 12, 31, 16, tzinfo=UTC)
"""The year 2026 in Shanghai."""

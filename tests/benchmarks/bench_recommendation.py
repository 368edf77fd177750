"""
How often the parts that an order took had been recommended: `python -m tests.benchmarks.bench_recommendation [SEED]`.

A year of orders of the demo's company, made from the seed, is cut by time: the first three quarters teach, the last
quarter is asked and teaches nothing. What repairs truly take is drawn once for each model, request type and cause and
is told to nobody; of all parts that go into a device, one in eight is some other one that fits.

"Most used overall" is given as many parts for each order as were recommended for it: it may not win by naming more.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from contracts.dispatcher import OrderOpened
from contracts.event import Event
from contracts.fieldwork import ServiceCompleted, UsedPart, WorkFinished
from contracts.inventory import PartLine, StockRulesSet
from inventory.commands import PastUse, RecommendParts
from inventory.domain.recommendation import expected
from inventory.projections.used import PARTS_USED, scope_of
from services.demo.company import CODES, MODELS, company
from tests.fold import rows_after

ORDERS = 4_000
KINDS = {"repair": 70, "inspection": 20, "installation": 10}
"""Request type → how many in a hundred."""
STRAYS = 8
"""One part in so many is none of those that such a repair takes."""
BEGIN = datetime(2026, 1, 1, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Repair:
    model: str
    kind: str
    cause: str
    took: tuple[str, ...]
    at: datetime


@dataclass(frozen=True)
class Score:
    """Of the parts that the orders took, how many had been named, in thousandths."""

    recommended: int
    most_used_overall: int
    list_alone: int
    orders: int
    named_per_order: float


def history(seed: int, orders: int = ORDERS) -> list[Repair]:
    """In the order in which the work was completed."""
    rng, firm = Random(seed), company(seed)
    fitting = {model: sorted(p["part_id"] for p in firm.parts if model in p["fits"]) for model in MODELS}
    causes = [cause["code"] for cause in CODES["causes"]]
    truth = {
        (model, kind, cause): rng.sample(fitting[model], rng.choice((0, 1, 1, 2)))
        for model in MODELS
        for kind in KINDS
        for cause in causes
    }
    # As in life, a few models make most of the work.
    weights = [1 / (place + 1) for place in range(len(MODELS))]

    def repair(number: int) -> Repair:
        model = rng.choices([*MODELS], weights)[0]
        kind = rng.choices([*KINDS], [*KINDS.values()])[0]
        cause = rng.choices(causes, (6, 3, 1))[0]
        took = [rng.choice(fitting[model]) if rng.randrange(STRAYS) == 0 else p for p in truth[model, kind, cause]]
        return Repair(model, kind, cause, tuple(dict.fromkeys(took)), BEGIN + timedelta(hours=2 * number))

    return [repair(number) for number in range(orders)]


def events_of(repairs: list[Repair]) -> Iterator[Event]:
    """As inventory hears of them."""
    for number, one in enumerate(repairs):
        ids = {"order_id": f"o-{number}", "request_id": f"r-{number}"}
        who = {**ids, "visit_id": f"v-{number}", "engineer_id": "E01", "customer_id": "C001"}
        yield OrderOpened(**ids, device_model=one.model, request_type=one.kind)
        yield WorkFinished(**who, cause=one.cause, action="replaced", record="sealed:x")
        used = tuple([UsedPart(part_id, "VAN-01", 1) for part_id in one.took])
        times = dict.fromkeys(("departed_at", "arrived_at", "started_at", "finished_at"), one.at)
        yield ServiceCompleted(**who, **times, rating=5, signature="sealed:x", parts=used)


def score(seed: int, orders: int = ORDERS) -> Score:
    repairs = history(seed, orders)
    cut = len(repairs) * 3 // 4
    taught, asked = repairs[:cut], [one for one in repairs[cut:] if one.took]
    rows = rows_after(PARTS_USED, events_of(taught))
    overall = [part for part, _ in Counter(part for one in taught for part in one.took).most_common()]
    parts = company(seed).parts
    hits: Counter[str] = Counter()
    named = 0
    for one in asked:
        lines = tuple(
            PartLine(part["part_id"], part["usual_quantity"])
            for part in parts
            if part["usual_quantity"] and one.model in part["fits"]
        )
        scope = scope_of(one.model, one.kind)
        past = [
            PastUse(part_id=part, used_in=row["repairs"], pieces=row["pieces"])
            for (where, part), row in rows.items()
            if where == scope and part
        ]
        past.sort(key=lambda use: (-use.used_in, use.part_id))
        repairs_of = rows.get((scope, ""), {"repairs": 0})["repairs"]
        asking = RecommendParts(order_id="o", request_id="r", lines=lines, history=tuple(past), repairs=repairs_of)
        found, _ = expected(asking, StockRulesSet())
        named += len(found)
        hits["recommended"] += len({line.part_id for line in found} & {*one.took})
        hits["overall"] += len({*overall[: len(found)]} & {*one.took})
        hits["list"] += len({line.part_id for line in lines} & {*one.took})
    taken = sum(len(one.took) for one in asked)
    return Score(
        recommended=hits["recommended"] * 1000 // taken,
        most_used_overall=hits["overall"] * 1000 // taken,
        list_alone=hits["list"] * 1000 // taken,
        orders=len(asked),
        named_per_order=round(named / len(asked), 2),
    )


if __name__ == "__main__":
    for seed in [int(given) for given in sys.argv[1:]] or [1, 2, 3]:
        print(f"seed {seed}: {score(seed)}")

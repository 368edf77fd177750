"""The wiring of inventory, and nothing else."""

from __future__ import annotations

from inventory.api import routes
from inventory.commands import (
    CountStock,
    DefinePart,
    DefinePlace,
    RecommendParts,
    ReleaseParts,
    ReserveParts,
    SettleVisit,
)
from inventory.domain import register, reservation, stock
from inventory.policies import POLICIES
from inventory.projections.registers import PARTS, PLACES
from inventory.projections.reservations import RESERVATIONS
from inventory.projections.stock import STOCK
from services.chassis.journal.rules import Handler, Rules, on_stream
from services.chassis.service import Service

RULES = Rules(
    service="inventory",
    streams=(register.PART, register.PLACE, stock.STOCK, reservation.RESERVATION),
    handlers=(
        on_stream(DefinePart, lambda c: register.part_stream(c.part_id), register.define_part),
        on_stream(DefinePlace, lambda c: register.place_stream(c.place_id), register.define_place),
        Handler(CountStock, stock.count_reads, stock.count),
        on_stream(RecommendParts, lambda c: reservation.reservation_stream(c.order_id), reservation.recommend),
        Handler(ReserveParts, reservation.reserve_reads, reservation.reserve),
        Handler(ReleaseParts, reservation.release_reads, reservation.release),
        Handler(SettleVisit, reservation.settle_reads, reservation.settle),
    ),
)

service = Service(
    name="inventory",
    rules=RULES,
    views=(PARTS, PLACES, STOCK, RESERVATIONS),
    policies=POLICIES,
    routes=routes,
)

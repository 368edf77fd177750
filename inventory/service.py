"""The wiring of inventory, and nothing else."""

from __future__ import annotations

from typing import get_args

from inventory.api import routes
from inventory.commands import (
    BookDocument,
    CountStock,
    DefinePart,
    DefinePlace,
    DiagnoseRma,
    DismissPurchase,
    ExpireReservation,
    FillShortage,
    ForfeitOldParts,
    LoseTransfer,
    MissOldParts,
    MissRma,
    NamePieces,
    OpenRma,
    OrderPurchase,
    PickUpParts,
    ReceiveStock,
    ReceiveTransfer,
    RecommendParts,
    ReleaseParts,
    RemindOfOldParts,
    ReserveParts,
    ReturnPart,
    ScrapPart,
    SendBackPart,
    SendReplacement,
    SendTransfer,
    SetReorderPoint,
    SetStockRules,
    SettleRma,
    SettleVisit,
    SuggestPurchase,
)
from inventory.deadlines import ON_TIMER, TIMERS
from inventory.domain import (
    document,
    movements,
    old_parts,
    pieces,
    purchase,
    recommendation,
    register,
    repairs,
    reservation,
    rma,
    stock,
    transfer,
)
from inventory.policies import POLICIES
from inventory.projections.drift import DRIFT
from inventory.projections.old_parts import OLD_PARTS
from inventory.projections.pieces import LOT_USES, LOTS, SERIAL_MOVES, SERIALS, SHELF_PIECES
from inventory.projections.purchases import PURCHASES
from inventory.projections.registers import ORDERS, PARTS, PLACES, VANS
from inventory.projections.reservations import RESERVATIONS
from inventory.projections.rmas import RMAS
from inventory.projections.stock import STOCK
from inventory.projections.transfers import TRANSFERS
from inventory.projections.used import PARTS_USED
from services.chassis.journal.rules import Handler, Rules, on_stream
from services.chassis.service import Service

RULES = Rules(
    service="inventory",
    streams=(
        register.PART,
        register.PLACE,
        register.RULES,
        stock.STOCK,
        document.DOCUMENT,
        transfer.TRANSFER,
        reservation.RESERVATION,
        old_parts.OLD_PARTS,
        rma.RMA,
    ),
    handlers=(
        on_stream(DefinePart, lambda c: register.part_stream(c.part_id), register.define_part),
        on_stream(DefinePlace, lambda c: register.place_stream(c.place_id), register.define_place),
        on_stream(SetStockRules, lambda _: register.RULES_STREAM, register.set_rules),
        Handler(CountStock, movements.shelf_reads, movements.count, movements.shelf_claims),
        Handler(ReceiveStock, movements.shelf_reads, movements.receive, movements.shelf_claims),
        Handler(ReturnPart, movements.return_reads, movements.bring_back, movements.shelf_claims),
        Handler(SendReplacement, movements.replacement_reads, movements.send_replacement, movements.shelf_claims),
        Handler(ScrapPart, movements.shelf_reads, movements.scrap, movements.shelf_claims),
        Handler(SendBackPart, movements.shelf_reads, movements.send_back, movements.shelf_claims),
        Handler(SetReorderPoint, purchase.purchase_reads, purchase.set_reorder_point),
        Handler(SuggestPurchase, purchase.purchase_reads, purchase.suggest),
        Handler(OrderPurchase, purchase.purchase_reads, purchase.order),
        Handler(DismissPurchase, purchase.purchase_reads, purchase.dismiss),
        Handler(BookDocument, document.book_reads, document.book, document.book_claims),
        Handler(SendTransfer, transfer.send_reads, transfer.send, transfer.send_claims),
        Handler(ReceiveTransfer, transfer.end_reads, transfer.receive, transfer.end_claims),
        Handler(LoseTransfer, transfer.end_reads, transfer.lose, transfer.end_claims),
        Handler(OpenRma, repairs.open_reads, repairs.open_rma, repairs.open_claims),
        on_stream(DiagnoseRma, lambda c: rma.rma_stream(c.rma_id), repairs.diagnose),
        Handler(SettleRma, repairs.settle_reads, repairs.settle, repairs.settle_claims),
        on_stream(MissRma, lambda c: rma.rma_stream(c.rma_id), rma.miss),
        Handler(RecommendParts, recommendation.recommend_reads, recommendation.recommend),
        Handler(ReserveParts, reservation.reserve_reads, reservation.reserve, reservation.reserve_claims),
        Handler(FillShortage, reservation.fill_reads, reservation.fill, reservation.reserve_claims),
        Handler(NamePieces, reservation.name_reads, reservation.name, reservation.name_claims),
        Handler(ReleaseParts, reservation.release_reads, reservation.release),
        on_stream(ExpireReservation, lambda c: reservation.reservation_stream(c.order_id), reservation.expire),
        Handler(PickUpParts, reservation.pick_up_reads, reservation.pick_up, reservation.pick_up_claims),
        on_stream(MissOldParts, lambda c: old_parts.old_parts_stream(c.order_id), old_parts.miss),
        on_stream(RemindOfOldParts, lambda c: old_parts.old_parts_stream(c.order_id), old_parts.remind),
        on_stream(ForfeitOldParts, lambda c: old_parts.old_parts_stream(c.order_id), old_parts.forfeit),
        Handler(SettleVisit, reservation.settle_reads, reservation.settle, reservation.settle_claims),
    ),
    claims=dict.fromkeys(get_args(pieces.Moving), pieces.claims_of),
    timers=TIMERS,
)

service = Service(
    name="inventory",
    rules=RULES,
    views=(
        PARTS,
        PLACES,
        VANS,
        ORDERS,
        STOCK,
        DRIFT,
        TRANSFERS,
        RESERVATIONS,
        PARTS_USED,
        OLD_PARTS,
        RMAS,
        PURCHASES,
        SERIALS,
        SHELF_PIECES,
        SERIAL_MOVES,
        LOTS,
        LOT_USES,
    ),
    policies=POLICIES,
    on_timer=ON_TIMER,
    routes=routes,
)

"""The routes of inventory."""

from __future__ import annotations

from fastapi import APIRouter

from inventory.api.documents import document_routes
from inventory.api.old_parts import old_part_routes
from inventory.api.pieces import piece_routes
from inventory.api.purchases import purchase_routes
from inventory.api.recommendation import recommendation_routes
from inventory.api.rmas import rma_routes
from inventory.api.stock import stock_routes
from services.chassis.http import ServiceRouter
from services.chassis.service import Api


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api)
    for made in (
        stock_routes,
        document_routes,
        piece_routes,
        purchase_routes,
        old_part_routes,
        rma_routes,
        recommendation_routes,
    ):
        router.include_router(made(api))
    return router

"""The routes of intake: commands in, views out."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter

from intake import channel_api, photos_api, register_api
from intake.adapters.geocoder import AsSet
from intake.channel_api import IntakeApi
from intake.contacts_api import contact_routes, notice_routes
from intake.customers_api import customer_routes
from intake.devices_api import device_routes
from intake.job_api import job_routes
from intake.messages_api import message_routes
from intake.own_customer_api import own_customer_routes
from intake.remarks_api import remark_routes
from intake.requests_api import request_routes
from intake.types_api import type_routes
from services.chassis.http import ServiceRouter
from services.chassis.service import Api


def routes(api: Api) -> APIRouter:
    own = cast("IntakeApi", api)
    router, map_ = ServiceRouter(api), AsSet(lambda: own.outside)
    router.include_router(channel_api.routes(own, map_))
    router.include_router(request_routes(api, map_))
    router.include_router(job_routes(api))
    router.include_router(photos_api.routes(own))
    router.include_router(remark_routes(api))
    router.include_router(register_api.routes(api, map_))
    router.include_router(own_customer_routes(api, map_))
    router.include_router(customer_routes(api, map_))
    router.include_router(device_routes(api))
    router.include_router(type_routes(api))
    router.include_router(message_routes(api))
    router.include_router(contact_routes(api))
    router.include_router(notice_routes(api))
    return router

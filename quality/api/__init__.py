"""The routes of quality."""

from __future__ import annotations

from fastapi import APIRouter

from quality.api.alerts import alert_routes
from quality.api.complaints import complaint_routes
from quality.api.staff import staff_routes
from quality.api.standards import inspection_routes, standard_routes
from quality.api.survey_page import survey_page_routes
from quality.api.surveys import survey_routes
from services.chassis.http import ServiceRouter
from services.chassis.service import Api


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api)
    # The page first: another route under /v1/surveys takes whatever is one word for a survey's id.
    surveys = (survey_page_routes, survey_routes)
    for made in (*surveys, alert_routes, standard_routes, inspection_routes, complaint_routes, staff_routes):
        router.include_router(made(api))
    return router

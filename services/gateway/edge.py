"""The app at the edge: sign-in and the routers that are mounted with it, or the way to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from services.chassis.auth import Tokens
from services.chassis.clock import Clock, SystemClock
from services.chassis.http.app import service_app
from services.gateway.oidc import OpenIdProvider
from services.gateway.pages import page_routes
from services.gateway.sessions import session_routes
from services.gateway.users import Users


def edge_app(
    routers: Sequence[APIRouter],
    *,
    tokens: Tokens,
    users: Users,
    clock: Clock | None = None,
    portal: str = "",
    provider: OpenIdProvider | None = None,
    **options: Any,
) -> FastAPI:
    """
    The app of a gateway, with the routers of the services that run in the same process (all-in-one), or with its own
    only and a `Proxy` around it (distributed). `portal` and `provider` are those of `session_routes`; `options`
    those of `service_app`: ready, holder, internal_secret, lifespan, title, version.
    """
    own = [session_routes(users, tokens, clock or SystemClock(), portal, provider), page_routes()]
    return service_app([*own, *routers], tokens=tokens, **options)

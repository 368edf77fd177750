"""The app that one process serves: the routes of its services, and around them what every answer has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from time import perf_counter
from typing import Any, Final

import structlog
from fastapi import APIRouter, FastAPI, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis import telemetry
from services.chassis.auth import Tokens
from services.chassis.http import docs_page, problems
from services.chassis.http.call import Call, Trail
from services.chassis.http.problems import problem
from services.chassis.http.routing import TRAIL, ServiceRouter, internal, public, route_roles

NO_SCRIPTS: Final = "default-src 'none'; frame-ancestors 'none'"

SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

OFTEN_ENOUGH_S = 5.0
"""A process whose event loop is later than this is not alive."""

log = structlog.get_logger()

Check = Callable[[], bool | Awaitable[bool]]


class _Process:
    name = "process"


def service_app(
    routers: Sequence[APIRouter],
    *,
    tokens: Tokens,
    ready: Mapping[str, Check] | None = None,
    holder: Callable[[], str] | None = None,
    internal_secret: str = "",
    title: str = "Fieldloop",
    version: str = "0.1.0",
    lifespan: Any = None,
    document: Callable[[], dict[str, Any]] | None = None,
) -> FastAPI:
    """
    The app over these routers. Raises TypeError for a route that does not say who may call it.

    `ready` are the checks of /readyz; `holder` tells a gateway the address of the process that writes, or
    the empty string; a process behind a gateway runs one service. `document` is the OpenAPI document to show where it
    is of more than these routers: a gateway shows the whole API.
    """
    app = FastAPI(
        title=title,
        version=version,
        summary="Service management: a request from intake to the figures that improve the next one",
        description=ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.tokens, app.state.internal_secret = tokens, internal_secret
    for router in routers:
        app.router.routes.extend(router.routes)
    app.router.routes.extend(_process_routes(document or (lambda: app.openapi()), ready or {}, holder).routes)
    app.add_middleware(Edge)
    problems.install(app)
    route_roles(app)
    _describe(app)
    return app


ABOUT = """
Sign in with `POST /v1/sessions` and send the token as `Authorization: Bearer …`.

Commands take an `Idempotency-Key`: the same key and body give the same answer, and nothing is done twice. What is read
has an `ETag`; sent back as `If-Match`, a command on anything newer is refused with 412. Every command answers with its
`Fieldloop-Position`; a read that is given it waits until it sees that command's effect. Refusals are
`application/problem+json` with a stable `code`, in the language of `Accept-Language` (en, zh).
"""


def _process_routes(
    document: Callable[[], dict[str, Any]], ready: Mapping[str, Check], holder: Callable[[], str] | None
) -> ServiceRouter:
    itself: Any = _Process()
    router = ServiceRouter(itself, include_in_schema=False)

    @router.get("/livez")
    async def alive(call: Call = public()) -> Response:
        begun = perf_counter()
        await asyncio.sleep(0)
        return Response(status_code=204 if perf_counter() - begun < OFTEN_ENOUGH_S else 503)

    @router.get("/readyz")
    async def is_ready(call: Call = public()) -> Response:
        lacking = [name for name, check in ready.items() if not await _holds(check)]
        return Response("\n".join(lacking), status_code=503 if lacking else 200, media_type="text/plain")

    @router.get("/metrics")
    async def metrics(call: Call = public()) -> Response:
        return Response(telemetry.exposition(), media_type="text/plain; version=0.0.4")

    @router.get("/docs")
    async def docs(request: Request, call: Call = public()) -> Response:
        page = docs_page.page(document(), str(request.base_url).rstrip("/"))
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": docs_page.POLICY})

    @router.get("/openapi.json")
    async def openapi(request: Request, call: Call = public()) -> dict[str, Any]:
        return document()

    if holder is not None:
        tell = holder

        @router.get("/internal/holder")
        async def who_writes(call: Call = internal()) -> dict[str, str]:
            return {"holder": tell()}

    return router


async def _holds(check: Check) -> bool:
    try:
        held = check()
        return await held if isawaitable(held) else held
    except Exception as error:
        log.warning("readiness_check_failed", error=repr(error))
        return False


def _describe(app: FastAPI) -> None:
    """Put into the OpenAPI document what FastAPI does not know: who may call what, and what a refusal looks like."""
    generate = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            parts = document.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
            parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
            for (method, path), roles in route_roles(app).items():
                operation = document.get("paths", {}).get(path, {}).get(method.lower())
                if operation is None:
                    continue
                operation["security"] = [] if roles == {"public"} else [{"bearer": []}]
                operation["x-roles"] = sorted(roles)
                if method != "GET" and roles != {"public"}:
                    operation.setdefault("parameters", []).extend(COMMAND_HEADERS)
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign]


COMMAND_HEADERS: Final = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key and body give the same answer, and nothing is done twice",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[\x21-\x7e]*$"},
    },
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag that was read: 412 if the thing has changed since; 400 where no one thing is changed",
        "schema": {"type": "string", "pattern": r'^(\*|"?[0-9]{1,18}"?)$'},
    },
]

PROBLEM_SCHEMA: Final = {
    "title": "Problem",
    "description": "RFC 9457 problem details",
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "description": "urn:fieldloop:problem:<code>"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "remedy": {"type": "string", "description": "What the caller can do"},
        "code": {"type": "string", "description": "Stable: noun.problem"},
        "facts": {"type": "object", "additionalProperties": True},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {
                    "field": {"type": "string"},
                    "problem": {"type": "string"},
                    "remedy": {"type": "string"},
                },
            },
        },
    },
}


class Edge:
    """Around every call: its trail, the headers of its answer, its log line, its span and its time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method: str = scope["method"]
        changes = method not in ("GET", "HEAD", "OPTIONS")
        trace_parent = telemetry.trace_parent_of(_header(scope, b"traceparent"))
        if not (changes and telemetry.traced()):
            await self._run(scope, receive, send, Trail(trace_parent), changes)
            return
        with telemetry.span(f"{method} {scope['path']}", trace_parent) as (span, ours):
            trail = Trail(ours)
            status = await self._run(scope, receive, send, trail, changes)
            span.update_name(f"{method} {trail.route or 'unknown route'}")
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": trail.route,
                    "http.response.status_code": status,
                    "fieldloop.service": trail.service,
                    "fieldloop.position": trail.position,
                }
            )

    async def _run(self, scope: Scope, receive: Receive, send: Send, trail: Trail, changes: bool) -> int:
        scope[TRAIL] = trail
        begun = perf_counter()
        status = received = 0

        async def bounded() -> Message:
            # Counted and not believed: a body may come in chunks, or be longer than it says.
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > trail.body_bytes:
                raise HTTPException(413)
            return message

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message.get("headers", ()), trail)
            await send(message)

        telemetry.HTTP_BEGUN.inc()
        try:
            await self.app(scope, bounded if changes else receive, answer)
        except Exception:
            log.exception(telemetry.LOG_FAILED, method=scope["method"], route=trail.route, path=scope["path"])
            if status:
                raise
            await problem(Request(scope), "server.failed", {})(scope, receive, answer)
        finally:
            telemetry.HTTP_BEGUN.dec()
            took = perf_counter() - begun
            self._tell(scope["method"], trail, status, took, changes)
        return status

    def _tell(self, method: str, trail: Trail, status: int, took: float, changes: bool) -> None:
        route = trail.route or "unknown"
        telemetry.HTTP_SECONDS.labels(trail.service, method, route, status).observe(took)
        call = trail.call
        if changes and call is not None:
            log.info(
                telemetry.LOG_COMMAND,
                tenant=call.tenant,
                user=call.user_id,
                role=call.role,
                service=trail.service,
                method=method,
                route=route,
                status=status,
                position=trail.position,
                correlation=trail.story,
                trace=trail.trace_parent[3:35],
                ms=round(took * 1000, 2),
            )
        elif status in (401, 403):
            log.warning(
                telemetry.LOG_REFUSED_CALLER,
                tenant=trail.caller.tenant,
                user=trail.caller.user_id,
                role=trail.caller.role,
                service=trail.service,
                method=method,
                route=route,
                status=status,
                trace=trail.trace_parent[3:35],
            )


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def _completed(headers: Sequence[tuple[bytes, bytes]], trail: Trail) -> list[tuple[bytes, bytes]]:
    has = {name for name, _ in headers}
    ours = [(name.lower().encode(), value.encode("latin-1")) for name, value in trail.headers.items()]
    whole = [*headers, *SECURITY, *[one for one in ours if one[0] not in has]]
    if b"content-security-policy" not in has:
        whole.append((b"content-security-policy", NO_SCRIPTS.encode()))
    if b"cache-control" not in has:
        whole.append((b"cache-control", b"no-store"))
    return whole

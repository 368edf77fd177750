"""Routes that declare who may call them. One that does not is refused when it is written."""

from __future__ import annotations

import hmac
import inspect
import json
import re
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Route

from services.chassis.auth import ROLES, Principal, Tokens, Unauthenticated
from services.chassis.http.call import _NOBODY, Call, Trail
from services.chassis.http.problems import Problem

if TYPE_CHECKING:
    from services.chassis.service import Api

PHOTO_BYTES: Final = 10 * 1024 * 1024
"""For a route that takes a photo: `@router.put("/{id}/photo", max_body_size=PHOTO_BYTES)`."""

BODY_BYTES: Final = 1024 * 1024
"""The longest body of any other route."""

PUBLIC: Final = "public"
INTERNAL: Final = "internal"
TRAIL: Final = "fieldloop.trail"

REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in {"4XX": "Refused: what is wrong, and what to do", "5XX": "Try again later"}.items()
}


class Declared:
    """Who may call a route; as the default of its `call`, it gives the route its Call."""

    def __init__(self, roles: frozenset[str]) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Call:
        call: Call = request.scope[TRAIL].call
        return call

    def identify(self, authorization: str, tokens: Tokens, secret: str) -> Principal:
        """Who calls. Raises Unauthenticated."""
        if self.roles == {PUBLIC}:
            return _NOBODY
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("no bearer token")
        if self.roles == {INTERNAL}:
            if not secret or not hmac.compare_digest(token.encode(), secret.encode()):
                raise Unauthenticated("not one of our own processes")
            return _NOBODY
        return tokens.verify(token)

    def admit(self, principal: Principal) -> None:
        """Raises a problem 403 for a role that is not let in."""
        if principal is not _NOBODY and principal.role not in self.roles:
            raise Problem("role.not-allowed", role=principal.role, allowed=sorted(self.roles))


def command(*roles: str) -> Any:
    """The default of a route's `call` that changes something, for callers of these roles."""
    return _declare(roles)


def query(*roles: str) -> Any:
    """The default of a route's `call` that only reads, for callers of these roles."""
    return _declare(roles)


def public() -> Any:
    """The default of the `call` of a route that anyone may call, signed in or not. It has no tenant."""
    return Depends(Declared(frozenset({PUBLIC})))


def internal() -> Any:
    """The default of the `call` of a route for our own processes, which know the internal secret."""
    return Depends(Declared(frozenset({INTERNAL})))


def _declare(roles: tuple[str, ...]) -> Any:
    if not roles or (unknown := set(roles) - set(ROLES)):
        raise TypeError(f"name who may call, of {', '.join(ROLES)}" + (f"; not {unknown}" if roles else ""))
    return Depends(Declared(frozenset(roles)))


class ServiceRoute(APIRoute):
    """A route that lets its callers in before it reads what they send."""

    api: Api
    declared: Declared
    body_bytes: int

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def let_in(request: Request) -> Response:
            scope, app = request.scope, request.app.state
            trail: Trail = scope[TRAIL]
            trail.route, trail.service, trail.body_bytes = self.path_format, self.api.name, self.body_bytes
            credential = request.headers.get("authorization", "")
            trail.caller = principal = self.declared.identify(credential, app.tokens, app.internal_secret)
            self.declared.admit(principal)
            trail.call = call = Call(self.api, request, principal, app.tokens, trail)
            if request.method == "GET":
                await call.wait_for_own_writes()
            else:
                call.must_be_readable()
                if _ESCAPED.search(await request.body()):
                    _must_be_text(await request.body())
            _must_have_no_nul(request)
            self._must_be_once(request)
            return await handle(request)

        return let_in

    def _must_be_once(self, request: Request) -> None:
        """Of two values for a parameter that has one, nobody could say which was meant."""
        names = [name for name, _ in request.query_params.multi_items()]
        if len(names) == len(set(names)):
            return
        lists = {one.alias for one in self.dependant.query_params if _is_a_list(one.field_info.annotation)}
        for name in names:
            if name not in lists and names.count(name) > 1:
                raise Problem("parameter.twice", field=name[:100])


def _is_a_list(annotation: Any) -> bool:
    """Whether a parameter has several values, or several or none."""
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))


_ESCAPED: Final = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
"""A NUL, or a half of a character, which no UTF-8 can say."""


def _must_be_text(body: bytes) -> None:
    """Refuse JSON with such a text in it; two halves make a whole, and a backslash may be what somebody wrote."""
    waiting: list[tuple[str, Any]] = []
    with suppress(ValueError, RecursionError):
        waiting.append(("", json.loads(body)))
    while waiting:
        match waiting.pop():
            case where, str(text):
                _judge(text, where or "body")
            case where, dict(fields):
                for name, value in fields.items():
                    _judge(name, where or "body")
                    waiting.append((f"{where}.{name}" if where else name, value))
            case where, list(items):
                waiting += [(f"{where}[{n}]", item) for n, item in enumerate(items)]


def _judge(text: str, field: str) -> None:
    if "\0" in text:
        raise Problem("text.has-nul", field=field)
    if _HALF.search(text):
        raise Problem("text.half-character", field=field)


def _must_have_no_nul(request: Request) -> None:
    """PostgreSQL has no text with a NUL in it: what got past here would stop a view."""
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        if "\0" in name + str(value):
            raise Problem("text.has-nul", field=name.replace("\0", ""))


_HALF: Final = re.compile("[\ud800-\udfff]")


class ServiceRouter(APIRouter):
    """An APIRouter that hands its service to its calls."""

    def __init__(self, api: Api, **options: Any) -> None:
        super().__init__(
            route_class=ServiceRoute,
            responses={**REFUSALS, **options.pop("responses", {})},
            redirect_slashes=False,
            **options,
        )
        self.api = api

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        declared = _declared_by(endpoint)
        if declared is None:
            raise TypeError(
                f"{endpoint.__qualname__} does not say who may call it: give it `call: Call = command(...)`, "
                "`query(...)` or `public()`"
            )
        # FastAPI would refuse a long body in plain text, before anyone has judged who sends it.
        body_bytes = options.pop("max_body_size", None) or BODY_BYTES
        super().add_api_route(path, endpoint, **options)
        route = self.routes[-1]
        assert isinstance(route, ServiceRoute)
        route.api, route.declared, route.body_bytes = self.api, declared, body_bytes

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """
        Its routes become this one's, as they are.

        FastAPI would build each of them once more, and look for the route of every call router by router, twice.
        """
        if options or self.prefix:
            raise TypeError("a router is included as it is: give the prefix and the like to that router itself")
        self.routes.extend(router.routes)


def _declared_by(endpoint: Callable[..., Any]) -> Declared | None:
    defaults = [parameter.default for parameter in inspect.signature(endpoint).parameters.values()]
    found = [getattr(default, "dependency", None) for default in defaults]
    return next((one for one in found if isinstance(one, Declared)), None)


FRAMEWORK_ROUTES: Final = frozenset({"/openapi.json", "/docs"})


def route_roles(app: FastAPI) -> Mapping[tuple[str, str], frozenset[str]]:
    """
    Every route of the app and who may call it: (method, path) → roles, or `public`, or `internal`.

    Raises TypeError for a route that does not say.
    """
    table: dict[tuple[str, str], frozenset[str]] = {}
    for route in app.routes:
        path = getattr(route, "path", "")
        if isinstance(route, ServiceRoute):
            roles = route.declared.roles
        elif isinstance(route, Route) and path in FRAMEWORK_ROUTES:
            roles = frozenset({PUBLIC})
        else:
            raise TypeError(f"{path or route} does not say who may call it: add it to a ServiceRouter")
        for method in sorted((route.methods or set()) - {"HEAD"}):
            if (method, path) in table:
                raise TypeError(f"two routes answer {method} {path}")
            table[method, path] = roles
    return table

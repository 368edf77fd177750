"""
The app of a service, made once and lent to one test after the other: to make one takes longer than most tests.

    with standing(service, running, tokens) as app:
        ...
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI

from services.chassis.auth import Tokens
from services.chassis.http.app import service_app
from services.chassis.service import Service


class Door:
    """Leads the routes of a service, which are made once, to what stands behind it at the moment."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.behind: Callable[[], Any] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind(), name)


def made(service: Service) -> tuple[FastAPI, Door]:
    door: Any = Door(service.name)
    return service_app([service.routes(door)], tokens=None), door  # type: ignore[arg-type]


_FREE: dict[Callable[..., Any], list[tuple[FastAPI, Door]]] = defaultdict(list)
"""Nobody uses these; two at once of one service have two."""


@contextmanager
def standing(service: Service, api: Any, tokens: Tokens) -> Iterator[FastAPI]:
    free = _FREE[service.routes]
    app, door = free.pop() if free else made(service)
    door.behind, app.state.tokens = lambda: api, tokens
    try:
        yield app
    finally:
        free.append((app, door))

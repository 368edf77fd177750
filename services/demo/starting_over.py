"""The demo begins anew, at the press of a button: its stores are emptied and the company is founded again."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any, Final

from services.chassis.auth import ROLES
from services.chassis.http import Call, Problem, ServiceRouter, command
from services.gateway.users import FILE as USERS_FILE
from services.settings import Settings

MARK: Final = ".made-by-the-demo"
"""Lies in a data folder that was empty when a demo began in it: no other is ever emptied."""

STAYS: Final = frozenset({MARK, USERS_FILE, "tokens.json", "internal-secret"})
"""Who is signed in stays so."""


class _Demo:
    name = "gateway"


class StartOver:
    """Whether it was asked for, and what is done then."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.asked = asyncio.Event()
        self._mark = settings.data / MARK
        if not settings.url and settings.store == "sqlite" and not any(settings.folder().iterdir()):
            self._mark.touch()

    def routes(self) -> ServiceRouter:
        """The button's route, which only a demo has."""
        api: Any = _Demo()
        router = ServiceRouter(api, include_in_schema=False)

        @router.post("/v1/sessions/demo/start-over", status_code=202)
        async def start_over(call: Call = command(*ROLES)) -> dict[str, str]:
            if not self._mark.exists():
                raise Problem("demo.not-ours")
            self.asked.set()
            return {"status": "starting over"}

        return router

    def empty(self) -> None:
        """Remove the stores, of a folder that is the demo's own; nothing may have them open."""
        if not self._mark.exists():
            return
        for path in self._settings.data.iterdir():
            if path.name not in STAYS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

"""The providers of an installation, by medium: few calls at once, none for long, none to one that is down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

import structlog

from services.chassis.messages.kinds import Medium
from services.chassis.messages.message import Away, LinkTo, Message, Provider, Refused

AT_ONCE: Final = 8
"""Calls to one provider."""
TIMEOUT_S: Final = 10.0
BREAKS_AFTER: Final = 5
"""Calls in a row that fail, until a provider is taken for down…"""
BROKEN_S: Final = 30.0
"""…and is left alone for so long; then one call tries whether it is back."""

_log = structlog.get_logger()


class Outlet:
    """One provider, with the limits of this file."""

    def __init__(self, provider: Provider, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._provider, self._monotonic = provider, monotonic
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._failed = 0
        self._closed_until = 0.0

    async def send(self, message: Message) -> str:
        """The provider's name of the message. Raises Refused, or Away with nothing of the message in its text."""
        async with self._turns:
            self._judge()
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    ref = await self._provider.send(message)
            except Refused:
                self._failed = 0
                raise
            except Exception as error:
                self._failed += 1
                self._closed_until = self._monotonic() + BROKEN_S
                # What a library says may hold the message.
                why = str(error) if isinstance(error, Away) else type(error).__name__
                _log.warning("message.provider-away", medium=message.medium, key=message.key, reason=why)
                raise Away(f"the provider for {message.medium} did not take it: {why}") from None
        self._failed = 0
        return ref

    def _judge(self) -> None:
        if self._failed < BREAKS_AFTER:
            return
        if self._monotonic() < self._closed_until:
            raise Away("the provider is down and is left alone for a while")
        # Until this call has its answer, the others wait on.
        self._closed_until = self._monotonic() + BROKEN_S

    async def close(self) -> None:
        await self._provider.close()


class Outlets:
    """Where messages leave this installation. Without providers none does."""

    def __init__(
        self,
        providers: Mapping[Medium, Provider] | None = None,
        *,
        url: str = "",
        quiet_hours: str = "",
        link: Callable[[str, LinkTo, datetime], str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        `url` is where customers reach us; `link` makes a link's text, the same one for the same tenant and time;
        `quiet_hours` are those of recipients who have none of their own.
        """
        self.quiet_hours = quiet_hours
        self._providers = providers or {}
        self._by_medium = {medium: Outlet(provider, monotonic) for medium, provider in self._providers.items()}
        self._url, self._link = url.rstrip("/"), link

    def of(self, medium: Medium) -> Outlet | None:
        return self._by_medium.get(medium)

    def link(self, tenant: str, to: LinkTo, made_at: datetime) -> str:
        """The address that opens it."""
        if self._link is None:
            raise RuntimeError("messages with links need `link`, with which they are signed")
        return f"{self._url}{to.path}?link={quote(self._link(tenant, to, made_at))}"

    async def close(self) -> None:
        for outlet in self._by_medium.values():
            await outlet.close()

"""Reports, answered from the views as they lie there."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import httpx

from services.chassis.auth import Principal
from services.chassis.clock import SystemClock
from services.chassis.http.app import service_app
from services.host import discover
from services.offline.stores import CannotDo, looked_at, only_one, readers
from services.serving import tokens_of
from services.settings import Settings


async def report(settings: Settings, name: str, tenant: str | None, asked: dict[str, Any]) -> Any:
    """
    What the route of the report answers, read from the views as they lie there; without a tenant, of the only one.

    With it the tenant, and which there are. Raises CannotDo.
    """
    answer, whose = await _report(settings, name, tenant, asked)
    return answer.json() | whose


async def report_file(settings: Settings, name: str, tenant: str | None, asked: dict[str, Any]) -> bytes:
    """The same as a file of the `format` that is asked for."""
    answer, _ = await _report(settings, name, tenant, asked)
    return answer.content


async def _report(
    settings: Settings, name: str, tenant: str | None, asked: dict[str, Any]
) -> tuple[httpx.Response, dict[str, Any]]:
    service = discover()["reporting"]
    async with AsyncExitStack() as opened:
        journals = await opened.enter_async_context(readers(settings, [service.name]))
        running = await opened.enter_async_context(looked_at(settings, service, journals[service.name]))
        tokens = tokens_of(settings, SystemClock())
        app = service_app([service.routes(running)], tokens=tokens)
        tenants = sorted((await journals[service.name].head()).chains)
        tenant = tenant or only_one(tenants)
        signed = tokens.issue(Principal("cli", tenant, "manager", channel="api"))
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://reporting")
        await opened.enter_async_context(client)
        headers = {"Authorization": f"Bearer {signed}"}
        answer = await client.get(f"/v1/reports/{name}", params=asked, headers=headers)
        offered = await client.get("/v1/reports", headers=headers)
    if answer.status_code == 404:
        raise CannotDo(f"there is no report {name!r}: give one of {', '.join(one['name'] for one in offered.json())}")
    if answer.is_error:
        problem = answer.json()
        wrong = [f"{one['field']}: {one['problem']}" for one in problem.get("errors", ())]
        raise CannotDo("; ".join(wrong) or f"{problem['title']}: {problem.get('detail')} {problem.get('remedy')}")
    return answer, {"tenant": tenant, "tenants": tenants}

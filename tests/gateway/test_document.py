"""What a gateway before services that run by themselves shows of the API: all of it."""

import asyncio
from pathlib import Path

import httpx

from services.host import discover
from services.serving import gateway
from services.settings import Settings


def test_its_page_and_its_document_are_of_every_service(tmp_path: Path):
    async def told() -> tuple[httpx.Response, httpx.Response]:
        async with gateway(Settings(data=tmp_path)) as app:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
                return await client.get("/openapi.json"), await client.get("/docs")

    document, page = asyncio.run(told())
    paths = document.json()["paths"]
    tags = {tag for operations in paths.values() for one in operations.values() for tag in one.get("tags", ())}
    assert {"requests", "orders", "visits", "stock", "surveys", "reports", "sessions"} <= tags
    assert len(paths) > 10 * len(discover())
    assert [path for path in paths if path not in page.text] == []
    assert [path for path in paths if path.startswith("/internal")] == []

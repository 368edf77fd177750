"""
The screens: the customers' portal, the engineers' field app and the desk, as `make web` built them.

Each is one page, for every path below it; what it loads lies under /assets, by names that change with the content.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any, Final

from fastapi import Response
from fastapi.responses import FileResponse

from services.chassis.http import Call, Problem, ServiceRouter, public

BUILT: Final = Path(__file__).parent / "web" / "dist"

ENTRIES: Final = ("portal", "field", "desk")

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""All comes from here; nothing runs that was not built."""

FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"


class _Pages:
    name = "gateway"


def page_routes(built: Path = BUILT) -> ServiceRouter:
    api: Any = _Pages()
    router = ServiceRouter(api, include_in_schema=False)

    def file(name: str, cache: str) -> Response:
        path = (built / name).resolve()
        if not path.is_relative_to(built.resolve()) or not path.is_file():
            raise Problem("route.absent" if (built / "index.html").exists() else "pages.not-built")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return FileResponse(path, headers={"Content-Security-Policy": POLICY, "Cache-Control": cache}, media_type=kind)

    @router.get("/")
    async def start(call: Call = public()) -> Response:
        return file("index.html", ASK_AGAIN)

    def serve(entry: str) -> None:
        @router.get(f"/{entry}")
        async def page(call: Call = public()) -> Response:
            return file(f"{entry}.html", ASK_AGAIN)

        @router.get(f"/{entry}/{{path:path}}")
        async def below(path: str, call: Call = public()) -> Response:
            # A service worker and its manifest lie below the page that they serve.
            own = f"{entry}/{path}"
            answer = file(own if (built / own).is_file() else f"{entry}.html", ASK_AGAIN)
            # The page itself lies a step above its service worker.
            answer.headers["Service-Worker-Allowed"] = f"/{entry}"
            return answer

    for entry in ENTRIES:
        serve(entry)

    @router.get("/assets/{name}")
    async def asset(name: str, call: Call = public()) -> Response:
        return file(f"assets/{name}", FOR_EVER)

    return router

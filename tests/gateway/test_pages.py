"""The screens as they are served: one page for all paths below it, nothing outside what was built, a strict policy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import OKPKey

from services.chassis.auth import Tokens
from services.chassis.clock import SetClock
from services.chassis.http.app import service_app
from services.gateway.pages import page_routes
from tests.chassis.http_toy import NOON


@pytest.fixture
def built(tmp_path: Path) -> Path:
    built = tmp_path / "dist"
    for name in ("index.html", "desk.html", "field.html", "field/sw.js", "assets/app-1.js"):
        (built / name).parent.mkdir(parents=True, exist_ok=True)
        (built / name).write_text(name)
    (tmp_path / "secret").write_text("not built")
    return built


def get(built: Path, path: str) -> httpx.Response:
    tokens = Tokens([OKPKey.generate_key("Ed25519", parameters={"kid": "k"})], SetClock(NOON))
    app = service_app([page_routes(built)], tokens=tokens)

    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge") as client:
            return await client.get(path)

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/", "index.html"),
        ("/desk", "desk.html"),
        ("/desk/orders/o-1", "desk.html"),
        ("/field/sw.js", "field/sw.js"),
        ("/assets/app-1.js", "assets/app-1.js"),
    ],
)
def test_each_path_has_its_page(built: Path, path: str, file: str):
    answer = get(built, path)
    assert (answer.status_code, answer.text) == (200, file)
    assert answer.headers["content-type"].startswith("text/")
    assert "'unsafe" not in answer.headers["content-security-policy"]


def test_what_changes_its_name_with_its_content_is_kept_and_the_pages_are_asked_for_again(built: Path):
    assert "immutable" in get(built, "/assets/app-1.js").headers["cache-control"]
    assert get(built, "/desk").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/assets/..%2f..%2fsecret", "/field/..%2f..%2fsecret", "/assets/absent.js"])
def test_nothing_but_what_was_built_is_served(built: Path, path: str):
    answer = get(built, path)
    assert (answer.status_code, "not built" in answer.text) == (404, False)


def test_where_nothing_was_built_it_is_said_what_to_do(tmp_path: Path):
    answer = get(tmp_path, "/desk")
    assert (answer.status_code, answer.json()["code"]) == (404, "pages.not-built")
    assert "make web" in answer.json()["remedy"]

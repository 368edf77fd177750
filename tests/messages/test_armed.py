"""Nothing but the event itself, once, makes a message: no rebuild, check, replay, restart or import does."""

from __future__ import annotations

import asyncio

import pytest
import yaml

from services import offline, serving
from services.chassis.messages.outlets import Outlets
from services.host import discover
from tests.host.conftest import FIRM, installation
from tests.importing.imports import MAPPING, csv_of, row
from tests.messages.providers import Armed, Orders

MEDIA = ("text", "mail", "wechat")
LATER = "2012-05-01T09:00:00Z"


@pytest.fixture
def providers(monkeypatch):
    """Sets the provider of every medium for whatever of the system starts from now on."""

    def of(kind):
        provider = kind()
        outlets = Outlets(dict.fromkeys(MEDIA, provider), url="https://s.example", link=lambda *_: "link")
        monkeypatch.setattr(serving, "outlets_of", lambda settings, clock: outlets)
        return provider

    return of


async def _lived(data):
    """Some customers ask; each is told what there is to say."""
    async with installation(data) as it:
        await it.people.call("POST", "/v1/request-types/repair", "manager", json=FIRM.request_types["repair"])
        for customer, device in zip(FIRM.customers, FIRM.devices, strict=True):
            await it.people.call("POST", "/v1/customers", "agent", json=customer)
            await it.people.call("POST", "/v1/devices", "agent", json=device)
        for number in range(len(FIRM.devices)):
            await it.submit(number)
        await it.quiet()
        return it.settings


async def _replayed(settings, folder):
    """All that reads a journal again; and history of another system."""
    rebuilt = await offline.rebuild(settings, list(discover()), False, lambda read: None)
    assert rebuilt, "there was something to rebuild"
    checked = await offline.verify_stores(settings)
    assert checked.chain
    (folder / "m.yaml").write_text(yaml.safe_dump(MAPPING), "utf-8")
    rows = csv_of(row(status="new"), row(at=LATER), row(at=LATER, status="done", team="T2"))
    (folder / "h.csv").write_text(rows, "utf-8")
    imported = await offline.import_file(
        settings,
        folder / "h.csv",
        folder / "m.yaml",
        tenant="t-1",
        rejects=folder / "rejects.csv",
        progress=lambda done: None,
    )
    assert imported.recorded == 3
    async with installation(settings.data) as it:
        await it.quiet()


def test_no_rebuild_check_import_or_restart_sends_anything(tmp_path, providers):
    async def story():
        sent = providers(Orders)
        settings = await _lived(tmp_path / "data")
        assert len(sent.calls) == len(FIRM.devices)
        armed = providers(Armed)
        await _replayed(settings, tmp_path)
        assert armed.calls == []

    asyncio.run(asyncio.wait_for(story(), 120))

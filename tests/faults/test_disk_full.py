"""The disk is full: what is asked is refused with 503, reads go on, and with room again all goes on by itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from contextlib import suppress

import httpx
import pytest

from tests.faults.ledger import FIRM, Clients
from tests.faults.single import Single

SIZE_MIB = 48
HEALTHY_WITHIN_S = 30.0


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own that a test can fill; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True) if os.geteuid() == 0 else None
    if done is None or done.returncode:
        pytest.skip(f"a small disk must be mounted by root: {done.stderr.strip() if done else 'this is not root'}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder):
    """Take all that is left of a disk, to the last byte: nothing is buffered, so closing has nothing left to write."""
    for size in (65_536, 512, 1):
        with suppress(OSError), (folder / f"ballast-{size}").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * size)


def test_a_full_disk_loses_nothing_and_heals_by_itself(small_disk, tmp_path):
    with Single(small_disk, tmp_path / "up.log") as single:
        clients = Clients(single.settings, single.url, "full")

        async def story():
            async with clients.asking() as told, httpx.AsyncClient(base_url=single.url, timeout=30) as other:
                await told.served(40)
                known = next(iter(told.requests.values()))
                person = FIRM.devices[0]["customer_id"]
                await asyncio.to_thread(fill, small_disk)
                async with asyncio.timeout(30):
                    while not told.repeated["POST 503"]:
                        await asyncio.sleep(0.05)
                begun, stood = time.monotonic(), len(told.requests)
                reads = 0
                while time.monotonic() - begun < 5:
                    answer = await other.get("/v1/requests?limit=5", headers=clients.headers("agent"))
                    assert answer.status_code == 200, answer.text
                    reads += 1
                    await asyncio.sleep(0.1)
                refused = await other.post(
                    "/v1/requests",
                    json={"request_type": "repair", "device_id": FIRM.devices[0]["device_id"], "description": "漏水"},
                    headers=clients.headers("customer", person) | {"Idempotency-Key": "never-sent-again"},
                )
                assert (refused.status_code, "Retry-After" in refused.headers) == (503, True), refused.text
                assert set(told.repeated) == {"POST 503"}, "nothing else than 503 was answered"
                while_full = len(told.requests) - stood
                for ballast in small_disk.glob("ballast*"):
                    ballast.unlink()
                begun = time.monotonic()
                await told.served(1, HEALTHY_WITHIN_S)
                healthy_s = time.monotonic() - begun
                print(f"{reads} reads and {while_full} commands while full; healthy after {healthy_s:.1f} s")
                await told.served(40)
                assert known in told.requests.values()
            await single.must_hold(told)

        asyncio.run(asyncio.wait_for(story(), 180))

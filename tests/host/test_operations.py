"""What operators and auditors see over HTTP of a running system: who is behind, what is missing, and a proof."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from services.demo.people import found
from services.host import discover
from tests.host.conftest import FIRM, installation

SCRIPT = Path(__file__).parents[2] / "deploy" / "check_proof.py"


def told(story):
    return asyncio.run(asyncio.wait_for(story, 60))


async def asked(it, path, role="auditor"):
    people = it.people
    return await people.request("GET", path, headers={"Authorization": f"Bearer {people._token(role, '')}"})


def test_lag_says_who_is_behind_and_why_by_reader(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            await found(it.people, FIRM, "operations")
            await it.submit()
            await it.quiet()
            for name in discover():
                page = (await asked(it, f"/v1/operations/{name}/lag")).json()
                assert {one["events"] for one in page["lags"]} == {0}, page
                assert (page["held"], page["stopped"], page["ahead"]) == ([], {}, {"lacks": False, "near": False})
                assert page["position"] == (await it.host.running[name].journal.head()).position
            running = it.host.running["intake"]
            # As if a fold had stopped: what comes then is counted.
            running.projector._folder.failed["requests"] = "event 1: a mistake of ours"
            await it.submit(1)
            page = (await asked(it, "/v1/operations/intake/lag")).json()
            behind = {one["reader"]: one["events"] for one in page["lags"] if one["events"]}
            assert behind["view requests"] >= 1 and "a mistake of ours" in page["stopped"]["requests"]

    told(story())


def test_doctor_says_what_a_service_lacks_and_what_mends_it(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            page = (await asked(it, "/v1/operations/dispatcher/doctor", "operator")).json()
            by = {one["what"]: one for one in page["checks"]}
            assert by["dispatcher: writer"]["well"] and "data folder" in by
            assert page["well"] == all(one["well"] for one in page["checks"])
            assert (await asked(it, "/v1/operations/nobody/doctor")).status_code == 404
            for role in ("agent", "manager", "dispatcher"):
                assert (await asked(it, "/v1/operations/dispatcher/doctor", role)).status_code == 403

    told(story())


def test_what_a_service_recorded_of_a_request_is_proved_in_one_file(tmp_path):
    async def story():
        async with installation(tmp_path / "data") as it:
            await found(it.people, FIRM, "operations")
            request_id = await it.submit()
            path = f"/v1/operations/intake/proof/{request_id}"
            early = await asked(it, path)
            assert early.status_code == 409 and early.json()["code"] == "proof.absent"
            await it.quiet()
        async with installation(tmp_path / "data") as it:  # the end of the first one was signed
            answer = await asked(it, path)
            assert answer.status_code == 200, answer.text
            assert (await asked(it, "/v1/operations/intake/proof/nothing")).status_code == 404
            assert (await asked(it, path, "operator")).status_code == 403
            return answer.json()

    shown = told(story())
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(shown), "utf-8")
    checked = subprocess.run([sys.executable, SCRIPT, file, shown["key"]], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr
    file.write_text(json.dumps(shown).replace("RequestReceived", "RequestReceiver"), "utf-8")
    forged = subprocess.run([sys.executable, SCRIPT, file, shown["key"]], capture_output=True, text=True, timeout=30)
    assert forged.returncode != 0

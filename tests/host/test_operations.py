"""What operators and auditors see over HTTP of a running system: who is behind, what is missing, and a proof."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from services import offline
from services.demo.people import People, found
from services.host import discover
from tests.host.conftest import FIRM, TENANT, installation

SCRIPT = Path(__file__).parents[2] / "deploy" / "check_proof.py"


def told(story, within=180):
    return asyncio.run(asyncio.wait_for(story, within))


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


def children():
    """The processes that this one has started, by their ids."""
    return {pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}


async def news(it, path, role="auditor"):
    """What a stream told: what each event says, by its name."""
    while (answer := await asked(it, path, role)).status_code == 409:  # one that was given up is just ending
        await asyncio.sleep(0.02)
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    lines = [part.splitlines() for part in answer.text.split("\n\n") if part.startswith("event")]
    return {name.removeprefix("event: "): json.loads(data.removeprefix("data: ")) for name, data in lines}


def test_an_auditor_has_the_journals_verified_and_replayed_beside_a_running_system(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            await found(it.people, FIRM, "operations")
            request_id = await it.submit()
            await it.quiet()
            told = await news(it, "/v1/operations/quality/verification")
            heads = [(await running.journal.head()).position for running in it.host.running.values()]
            assert 0 < told["progress"] <= told["report"]["events"] == sum(heads)
            assert (told["report"]["violations"], told["report"]["findings"], told["report"]["chain"]) == (0, [], True)

            # One after the other: the second is told to wait, and who goes away ends the first.
            before = children()
            first = asyncio.create_task(news(it, "/v1/operations/intake/replay?speed=1"))
            while not children() - before:
                await asyncio.sleep(0.01)
            busy = await asked(it, "/v1/operations/intake/verification")
            assert (busy.status_code, busy.json()["code"]) == (409, "operation.runs")
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            replayed = (await news(it, f"/v1/operations/intake/replay?request={request_id}"))["report"]
            assert replayed["events"] > 0 and not any(table["changed"] for table in replayed["tables"])
            requests = next(table for table in replayed["tables"] if table["view"] == "requests")
            assert (requests["rows"], requests["added"], requests["missing"]) == (1, 0, 0)
            for path in ("verification", "replay"):
                assert (await asked(it, f"/v1/operations/intake/{path}", "operator")).status_code == 403
                assert (await asked(it, f"/v1/operations/nobody/{path}")).status_code == 404

    told(story())


def test_an_auditor_takes_the_log_away_as_a_file(tmp_path):
    """The same file as the command's, and nothing of another tenant."""

    async def story():
        async with installation(tmp_path / "data") as it:
            await found(it.people, FIRM, "operations")
            await it.submit()
            await it.quiet()
            path = "/v1/operations/intake/export"
            for form in ("jsonl", "parquet"):
                by_command = tmp_path / f"log.{form}"
                done = await offline.export_log(it.settings, TENANT, form, by_command)
                answer = await asked(it, f"{path}?format={form}")
                assert answer.status_code == 200, answer.text
                assert done.events > 0 and answer.content == by_command.read_bytes(), form
                assert f'"log.{form}"' in answer.headers["content-disposition"]
            assert (await asked(it, path, "operator")).status_code == 403
            assert (await asked(it, f"{path}?format=xlsx")).status_code == 422
            assert (await asked(it, "/v1/operations/nobody/export")).status_code == 404
            it.people = People(it.client, it.people._tokens, "another")
            assert (await asked(it, path)).content == b""

    told(story(), within=500)  # three processes begin


def test_what_is_found_wrong_of_another_tenant_is_said_by_rule_and_place_only(tmp_path):
    async def story():
        async with installation(tmp_path) as it:
            await found(it.people, FIRM, "operations")
            await it.submit()
            await it.quiet()
            heard = []
            path = it.settings.data / "intake" / "journal.db"
            with sqlite3.connect(path) as db:
                # As somebody who can write the file: no role of ours may.
                for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                    db.execute(f"DROP TRIGGER {trigger}")
                ((record,),) = db.execute("SELECT record FROM events WHERE position = 2").fetchall()
                forged = record.replace(b'"RequestTypeDefined"', b'"RequestTypeDefineD"')
                assert forged != record
                db.execute("UPDATE events SET record = ? WHERE position = 2", (forged,))
            db.close()
            for tenant in (TENANT, "another"):
                it.people = People(it.client, it.people._tokens, tenant)
                heard.append((await news(it, "/v1/operations/intake/verification"))["report"])
            return heard

    mine, others = told(story())
    assert mine["violations"] == others["violations"] > 0
    assert mine["first_bad_position"] == others["first_bad_position"] == {"intake": 2}
    whats = [[what for *_, what in heard["findings"]] for heard in (mine, others)]
    assert all(whats[0]) and not any(whats[1])


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

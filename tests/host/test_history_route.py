"""Another system's history over HTTP heeds what every command heeds: its key and its condition."""

import asyncio

from tests.host.conftest import installation


def row(number: int, person: str = "", **more: str) -> dict:
    said = {"order_id": f"o-{number}", "request_id": f"r-{number}", "team": "V5", "person": person}
    said = {"type": "OrderTaken", "data": said}
    one = {"key": f"c/{number}", "happened_at": "2012-05-01T08:00:00Z", "order_id": f"o-{number}"}
    return one | {"request_id": f"r-{number}", "events": [said]} | more


def told(tmp_path, *calls):
    """Make the calls (rows, headers) one after the other; gives their answers and how many records each made."""

    async def story():
        async with installation(tmp_path) as it:
            found = []
            journal = it.host.running["dispatcher"].journal
            for rows, headers in calls:
                before = (await journal.head()).position
                signed = {"Authorization": f"Bearer {it.people._token('operator', '')}"} | headers
                body = {"source": "desk", "rows": rows}
                answer = await it.client.post("/v1/orders/history", json=body, headers=signed)
                found.append((answer, (await journal.head()).position - before))
            return found

    return asyncio.run(story())


def test_a_repeated_call_says_so_and_records_nothing(tmp_path):
    key = {"Idempotency-Key": "batch-1"}
    first, again = told(tmp_path, ([row(1), row(2)], key), ([row(1), row(2)], key))
    assert (first[0].status_code, first[1], "idempotent-replayed" in first[0].headers) == (200, 2, False)
    assert (again[0].status_code, again[1], again[0].headers["idempotent-replayed"]) == (200, 0, "true")
    positions = [[one["position"] for one in answer.json()] for answer, _ in (first, again)]
    assert positions[0] == positions[1]
    assert first[0].headers["fieldloop-position"] == f"dispatcher;{max(positions[0])}"


def test_other_rows_under_the_same_key_are_refused_and_none_is_recorded(tmp_path):
    key = {"Idempotency-Key": "batch-1"}
    _, (answer, recorded) = told(tmp_path, ([row(1)], key), ([row(1), row(2)], key))
    assert (answer.status_code, answer.json()["code"], recorded) == (422, "idempotency-key.reused", 0)


def test_a_condition_on_many_orders_is_refused_and_not_ignored(tmp_path):
    [(answer, recorded)] = told(tmp_path, ([row(1)], {"If-Match": '"3"'}))
    assert (answer.status_code, answer.json()["code"], recorded) == (400, "if-match.not-here", 0)

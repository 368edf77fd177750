"""What a visit leaves to inventory beside its own parts: those of a visit that had ended."""

import asyncio

from contracts.fieldwork import PartUsedAfterEnd, UsedPart
from contracts.inventory import PartConsumed
from inventory.service import service
from tests.fieldwork.live import live
from tests.given import NOW

WHO = {"visit_id": "v-1", "order_id": "o-1", "request_id": "r-1", "engineer_id": "e-1"}
FAN = UsedPart("fan", "van-1", 2, (), 1)


async def founded(it):
    for path, body in (
        ("/v1/parts", {"part_id": "fan", "name": "Fan", "fits": []}),
        ("/v1/places", {"place_id": "van-1", "kind": "van", "name": "Van"}),
        ("/v1/stock/count", {"part_id": "fan", "place_id": "van-1", "quantity": 1}),
    ):
        answer = await it.call("o", "operator", "POST", path, json=body)
        assert answer.is_success, answer.text


def test_a_part_that_was_used_after_the_end_is_booked_once_with_its_drift(tmp_path):
    async def told():
        async with live(service, tmp_path) as it:
            await founded(it)
            fact = PartUsedAfterEnd(**WHO, step_id="s-4", part=FAN, used_at=NOW)
            await it.publishes(fact)
            await it.publishes(PartUsedAfterEnd(**WHO, step_id="s-5", part=FAN, used_at=NOW))
            events = await it.own_events()
            used = [event for event in events if isinstance(event, PartConsumed)]
            assert [(event.quantity, event.drift) for event in used] == [(2, 1), (2, 2)]

    asyncio.run(told())

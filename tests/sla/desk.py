"""A dispatcher with service levels as it runs, and its callers."""

from datetime import datetime

from contracts import envelope as envelopes
from tests.dispatcher.test_running import Desk

OFFICE = {
    "calendar_id": "office",
    "name": "Office",
    "zone": "Asia/Shanghai",
    "weeks": [{"hours": [{"weekday": day, "from_minute": 540, "to_minute": 1080} for day in range(5)]}],
    "days": [],
    "years": [2026],
}
TIMES = {"low_s": 14_400, "normal_s": 7_200, "high_s": 3_600, "critical_s": 1_800}
FIX = {"clock": "fix", "calendar_id": "office", "excuses": ["customer"], **TIMES}
ARRIVE = {"clock": "arrive", "calendar_id": "", **TIMES}


class SlaDesk(Desk):
    """A dispatcher with a calendar and a service level, and what it recorded."""

    async def do(self, method, path, status=200, role="manager", **body):
        answer = await self.call(method, path, role=role, **body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def promise(self, *clocks, **changes):
        await self.do("POST", "/v1/calendars", 201, **OFFICE | changes)
        await self.do("POST", "/v1/slas", 201, sla_id="standard", name="Standard", clocks=clocks or [FIX])
        await self.quiet()

    async def clocks(self, order_id="o-1", **caller):
        return {one["clock"]: one for one in await self.get(f"/v1/orders/{order_id}/clocks", **caller)}

    async def recorded(self, *types):
        """The events of these types in order."""
        read = [envelopes.read(entry.record) for entry in await self.running.journal.read(0, 9_999)]
        return [envelopes.payload(one) for one in read if one.type in types]


def instant(text):
    return datetime.fromisoformat(text)

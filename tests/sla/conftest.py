"""Stories at a desk that is closed and opened again."""

import asyncio

import pytest

from contracts import envelope as envelopes
from services.chassis.clock import SetClock, at_micros
from services.verify.clocks import Clocks
from services.verify.findings import Findings
from tests.dispatcher.test_running import OWN, opened
from tests.given import NOW
from tests.sla.desk import SlaDesk


async def judged(running):
    """What `fieldloop verify` finds wrong about the marks; nothing, after whatever story."""
    check, upto = Clocks(Findings("dispatcher")), 0
    for entry in await running.journal.read(0, 9_999):
        envelope, upto = envelopes.read(entry.record), entry.position
        if envelope.type in {kind.__name__ for kind in Clocks.READS}:
            check.check(entry.position, envelopes.payload(envelope), envelope)
    armed = await running.journal.due(2**63 - 1, 9_999)
    check.stuck({key: at_micros(timer.due) for key, timer in armed}, upto)
    return check.findings.named


@pytest.fixture
def told(tmp_path):
    """Runs stories one after the other at the same desk, which is closed and opened again between them."""

    def tell(*stories):
        async def whole():
            now = NOW
            for story in stories:
                async with opened(SlaDesk, tmp_path, OWN, SetClock(now)) as one:
                    await story(one)
                    now = one.clock.now()
                    assert await judged(one.running) == []

        asyncio.run(whole())

    return tell

"""A provider that fails is left alone for a while; one that is slow keeps only so many calls."""

import asyncio

import pytest

from services.chassis.messages import outlets
from services.chassis.messages.message import Away, Message, Refused
from services.chassis.messages.outlets import AT_ONCE, BREAKS_AFTER, BROKEN_S, Outlet
from tests.messages.providers import Orders

TEXT = Message("key-1", "text", "13800000001", "", "words", "request-received", "zh")


class Time:
    at = 0.0

    def __call__(self):
        return self.at


async def fails(outlet, why=Away):
    with pytest.raises(why) as raised:
        await outlet.send(TEXT)
    return str(raised.value)


def test_one_that_fails_again_and_again_is_not_asked_until_a_while_has_passed():
    async def story():
        provider, time = Orders(), Time()
        outlet = Outlet(provider, time)
        provider.fails = OSError("13800000001 cannot be reached")
        for _ in range(BREAKS_AFTER):
            assert "13800000001" not in await fails(outlet), "what is kept in clear names nobody"
        time.at += BROKEN_S - 1
        assert "left alone" in await fails(outlet)
        assert len(provider.calls) == BREAKS_AFTER
        time.at += 1
        assert "left alone" not in await fails(outlet)
        assert "left alone" in await fails(outlet), "one call tried, and it failed"
        assert len(provider.calls) == BREAKS_AFTER + 1
        provider.fails = None
        time.at += BROKEN_S
        for number in range(3):
            assert await outlet.send(TEXT) == f"ref-{BREAKS_AFTER + 2 + number}"

    asyncio.run(story())


def test_while_one_call_tries_whether_it_is_back_no_other_does():
    class Slow(Orders):
        async def send(self, message):
            await super().send(message)
            await answer.wait()

    answer = asyncio.Event()

    async def story():
        provider, time = Slow(), Time()
        outlet = Outlet(provider, time)
        provider.fails = Away("down")
        for _ in range(BREAKS_AFTER):
            await fails(outlet)
        time.at += BROKEN_S
        provider.fails = None
        trying = asyncio.create_task(outlet.send(TEXT))
        await asyncio.sleep(0)
        assert "left alone" in await fails(outlet)
        answer.set()
        await trying
        await outlet.send(TEXT)

    asyncio.run(story())


def test_a_refusal_is_an_answer_and_breaks_nothing():
    async def story():
        provider = Orders()
        outlet = Outlet(provider, Time())
        provider.fails = Refused("550 nobody of this name")
        for _ in range(BREAKS_AFTER + 1):
            await fails(outlet, Refused)
        assert len(provider.calls) == BREAKS_AFTER + 1

    asyncio.run(story())


def test_only_so_many_calls_are_in_hand(monkeypatch):
    class Counts(Orders):
        now = most = 0

        async def send(self, message):
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return await super().send(message)

    async def story():
        provider = Counts()
        outlet = Outlet(provider, Time())
        await asyncio.gather(*[outlet.send(TEXT) for _ in range(3 * AT_ONCE)])
        assert (provider.most, len(provider.calls)) == (AT_ONCE, 3 * AT_ONCE)

    asyncio.run(story())


def test_one_that_never_answers_is_given_up(monkeypatch):
    class Silent(Orders):
        async def send(self, message):
            await asyncio.Event().wait()

    monkeypatch.setattr(outlets, "TIMEOUT_S", 0.01)

    async def story():
        assert "TimeoutError" in await fails(Outlet(Silent(), Time()))

    asyncio.run(asyncio.wait_for(story(), 10))

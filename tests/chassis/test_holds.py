"""What an operator decides about held events is recorded, and done in order; it is found by its cause."""

import pytest

from contracts import envelope as envelopes
from contracts.operations import HeldEventDiscarded, RedriveAsked
from services.chassis.journal.work import Ask
from services.chassis.readers.holds import AskRedrive, DiscardHeld, with_holds
from services.chassis.readers.reactor import TRIES, pause_s
from services.chassis.readers.stuck import Stuck, fingerprint, grouped, held
from services.chassis.service import Service
from tests.chassis import test_reactor
from tests.chassis.test_reactor import Pays, pay, reacting, told, until
from tests.chassis.toy import RULES

# What the suite of the reactor stands on.
for name in ("clock", "database", "journal", "logs", "_toy_events_can_be_read"):
    globals()[name] = getattr(test_reactor, name)


@pytest.fixture(autouse=True)
def _the_theatre_has_operators(monkeypatch):
    monkeypatch.setattr(test_reactor, "RULES", with_holds(RULES))


OPERATOR = "operator:li"


def asked(command, tenant="t"):
    return Ask(command=command, tenant=tenant, actor=OPERATOR, caller=OPERATOR)


def again(key="", policy="", cause="", redrive_id="1"):
    return asked(AskRedrive(redrive_id, key, policy, cause, "it is mended"))


async def parked_at(stage, *seats, guest="g"):
    """These fail and are parked, as after half an hour."""
    await stage.book(*seats, guest=guest)
    await stage.settled()
    for n in range(2, TRIES + 1):
        await stage.later(301)
        await stage.tried(n) if n < TRIES else await until(lambda: stage.reactor.parked)


@told
async def test_what_is_parked_is_tried_again_in_order_when_an_operator_asks_and_it_says_who_and_why(journal, clock):
    react = Pays(s1=RuntimeError("our bug"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await parked_at(stage, "s1", "s2", "s3")
        react.wrong.clear()
        react.seen.clear()
        answer = await stage.writer.ask(again("g"))
        await until(stage.nothing_held)
        assert react.seen == ["s1", "s2", "s3"]
        assert await stage.paid() == [1, 2, 3]
        [entry] = [entry for entry in await store.read(0, 100) if entry.stream == "redrive/1"]
        envelope = envelopes.read(entry.record)
        assert (envelope.actor, envelope.correlation_id) == (OPERATOR, "g"), "it is in the story of its key"
        assert envelopes.payload(envelope) == RedriveAsked(redrive_id="1", about="g", reason="it is mended")
        await until(lambda: stage.reactor.has_tried(answer.position))


@told
async def test_only_what_is_meant_is_tried_again(journal, clock):
    react = Pays(s1=KeyError("order 17"), s2=ValueError("a fee"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", guest="g")
        await stage.book("s2", guest="h")
        await stage.settled()
        react.seen.clear()
        for number, which in enumerate((again("nobody"), again(policy="other"), again(cause="Type"))):
            answer = await stage.writer.ask(asked(AskRedrive(str(number), *_three(which))))
            await until(lambda position=answer.position: stage.reactor.has_tried(position))
        assert react.seen == []
        answer = await stage.writer.ask(again(cause="KeyError: 'order 4711'"))
        await until(lambda: stage.reactor.has_tried(answer.position))
        assert react.seen == ["s1"], "ids and numbers make no other cause"
        answer = await stage.writer.ask(asked(AskRedrive("4", "", "", "", "all"), tenant="other"))
        await until(lambda: stage.reactor.has_tried(answer.position))
        assert react.seen == ["s1"], "and another tenant's operator means their own"


@told
async def test_what_fails_again_when_an_operator_asks_waits_for_its_new_pause_and_not_for_the_old_one(journal, clock):
    react = Pays(s1=KeyError("order 17"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        await stage.settled()
        answer = await stage.writer.ask(again("g"))
        await until(lambda: stage.reactor.has_tried(answer.position))
        assert react.seen == ["s1", "s1"]
        await stage.later(pause_s(1) + 0.1)  # when it would have been tried for the first failure
        await stage.book("s2", guest="h")
        await stage.settled()
        answer = await stage.writer.ask(again("nobody", redrive_id="2"))
        await until(lambda: stage.reactor.has_tried(answer.position))
        assert react.seen == ["s1", "s1", "s2"]
        await stage.later(pause_s(2))
        await until(lambda: react.seen == ["s1", "s1", "s2", "s1"])


def _three(ask):
    command = ask.command
    return command.key, command.policy, command.cause, command.reason


@told
async def test_a_discarded_event_is_never_acted_on_and_the_next_ones_follow_in_order(journal, clock):
    react = Pays(s1=RuntimeError("nobody can pay this"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await parked_at(stage, "s1", "s2", "s3")
        react.seen.clear()
        discard = asked(DiscardHeld("pay", "g", 1, "paid in cash"))
        assert (await stage.writer.ask(discard)).events == ("HeldEventDiscarded",)
        await until(stage.nothing_held)
        assert react.seen == ["s2", "s3"]
        assert (await stage.writer.ask(discard)).events == (), "it is discarded once"
        await stage.settled()
        assert await stage.nothing_held()
        [entry] = [entry for entry in await store.read(0, 100) if entry.stream == "discard/pay/g/1"]
        event = envelopes.payload(envelopes.read(entry.record))
        assert event == HeldEventDiscarded(policy="pay", about="g", position=1, reason="paid in cash")


@told
async def test_discarding_all_that_a_key_holds_leaves_nothing_behind(journal, clock):
    react = Pays(s1=RuntimeError("never"), s2=RuntimeError("never"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", "s2")
        await stage.settled()
        for position in (2, 1):
            await stage.writer.ask(asked(DiscardHeld("pay", "g", position, "both")))
        await until(stage.nothing_held)
        await stage.later(301)
        await stage.book("s3")
        await until(lambda: react.seen[-1] == "s3")


@told
async def test_what_was_decided_while_nobody_reacted_is_done_when_somebody_does(journal, clock):
    react = Pays(s1=RuntimeError("our bug"))
    async with journal() as store:
        async with reacting(store, clock, pay(react)) as stage:
            await stage.book("s1", "s2")
            await stage.settled()
        async with test_reactor.writing(store, clock) as writer:
            await writer.ask(asked(DiscardHeld("pay", "g", 1, "by hand")))
        react.seen.clear()
        async with reacting(store, clock, pay(react)) as stage:
            await until(stage.nothing_held)
            assert react.seen == ["s2"]


# Told by cause.


@told
async def test_what_is_held_is_told_with_its_oldest_event_and_how_many_wait(journal, clock):
    react = Pays(s1=RuntimeError("our bug"))
    service = Service(name="theatre", rules=RULES, policies=(pay(react),))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", "s2", "s3")
        await stage.book("s9", guest="h")
        await stage.settled()
        [one] = await held(service, store)
        assert (one.policy, one.key, one.position, one.event, one.waiting) == ("pay", "g", 1, "SeatBooked", 2)
        assert (one.cause, one.since, one.parked) == ("RuntimeError: our bug", clock.now(), False)
        assert await held(service, store, ("t", "h")) == []
        assert await held(service, store, ("t", "g")) == [one]
        assert stage.reactor.held_by("t", "g").keys() == {"pay"}
        assert stage.reactor.held_by("other", "g") == {}


def stuck(key, cause, parked=True, waiting=0):
    return Stuck("theatre", "pay", "t", key, 1, "SeatBooked", "e", cause, None, 3, parked, waiting)


def test_causes_that_differ_in_ids_and_numbers_only_are_one_group():
    uuid = "01933f1c-8a00-7000-8000-00000000a00"
    found = [stuck(f"k{n}", f"KeyError: 'order {uuid}{n}' at {n}", waiting=n) for n in range(3)]
    found.append(stuck("k9", "ValueError", parked=False))
    [many, one] = grouped(found)
    assert (many.keys, many.parked, many.events, many.example) == (3, 3, 6, "k0")
    assert many.cause == fingerprint(found[0].cause) == "KeyError: 'order …' at …"
    assert (one.keys, one.parked, one.cause) == (1, 0, "ValueError")

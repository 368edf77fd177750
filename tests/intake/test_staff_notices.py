"""The staff is told what concerns them, each by herself, once, and not in her quiet hours unless it cannot wait."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from contracts.dispatcher import AssignmentOverdue, OrderOffered, OrderReassigned, SlaBreached
from contracts.examples import EXAMPLES
from contracts.intake import NoticeDue, NoticeNotSent, NoticeSent
from contracts.quality import (
    ComplaintAssigned,
    ComplaintOverdue,
    CorrectionAsked,
    CorrectionDueSoon,
    CorrectionOverdue,
    GroupAlertRaised,
    QualityAlertFollowed,
    QualityAlertRaised,
    Window,
)
from intake.adapters.words import words
from intake.service import service
from intake.staff_notices import TOLD_OF, tellings
from services.chassis.clock import TENANT_ZONE
from services.chassis.messages.message import Away
from services.chassis.messages.outlets import Outlets
from services.chassis.messages.quiet import quiet_until
from tests.fieldwork.live import live
from tests.given import NOW
from tests.intake.examples import founded, submit
from tests.intake.test_messages import URL, assigned, survey
from tests.messages.providers import Orders

HOUR = timedelta(hours=1)
NIGHT = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
"""Half past eleven at night in the tenant's zone."""
MORNING = datetime(2026, 11, 25, 0, 0, tzinfo=UTC)


class Staff:
    def __init__(self, it, provider):
        self.it, self.provider = it, provider

    async def reach(self, person, role, **facts):
        body = {"phone": "13700000001"} | facts
        answer = await self.it.call(person, role, "POST", "/v1/contacts/me", json=body)
        assert answer.status_code == 200, answer.text

    def calls(self, *templates):
        """Who was sent these."""
        return sorted(call.recipient for call in self.provider.calls if call.template in templates)

    async def known(self, kind, count):
        """So many of a kind were recorded, and no more."""
        async with asyncio.timeout(10):
            while len(found := [e for e in await self.it.own_events() if isinstance(e, kind)]) < count:
                await asyncio.sleep(0.005)
                self.it.running.sender.wake()
                await self.it.settled()
        await self.it.settled()
        assert len(found) == count, found
        return found

    async def at(self, instant):
        self.it.clock.set(instant)
        self.it.running.sender.wake()

    async def asleep(self, count):
        """So many wait; nothing is left to do for the others."""
        async with asyncio.timeout(10):
            while self.it.running.sender.waiting != count:
                await asyncio.sleep(0.005)

    async def notices(self, person, role, of=""):
        path = f"/v1/notices?person_id={of}" if of else "/v1/notices"
        answer = await self.it.call(person, role, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]


@asynccontextmanager
async def staffed(folder, quiet_hours="", media=("text", "mail", "wechat")):
    provider = Orders()
    outlets = Outlets(
        dict.fromkeys(media, provider), url=URL, quiet_hours=quiet_hours, link=lambda tenant, to, made_at: "link"
    )
    async with live(service, folder, outlets) as it:
        await founded(it)
        yield Staff(it, provider)


def run(story, folder, **options):
    async def on_stage():
        async with staffed(folder, **options) as it:
            await story(it)

    asyncio.run(on_stage())


def overdue(request_id="r-1", order_id="o-1"):
    return AssignmentOverdue(order_id=order_id, request_id=request_id, due_at=NOW)


def offered(*engineers, until=NOW + HOUR, request_id="r-1"):
    return OrderOffered(
        order_id="o-1",
        request_id=request_id,
        offer_no=1,
        engineer_ids=engineers,
        offered_until=until,
        offered_by="rule",
    )


ALERT = QualityAlertRaised(
    alert_id="al-1",
    raising=1,
    kind="bad-rating",
    of="engineer",
    subject="e-1",
    limit_percent=20,
    windows=(Window("2026-11-09", "2026-11-16", 5, 2), Window("2026-11-16", "2026-11-23", 8, 4)),
)


def test_every_event_that_the_staff_is_told_of_has_words_in_every_language_that_it_fills():
    told = {}
    for event in EXAMPLES.values():
        if isinstance(event, TOLD_OF):
            told |= {one.template: one for one in tellings(event)}
    assert set(told) == set(words("zh").notices) == set(words("en").notices)
    assert set(words("zh").kinds) == set(words("en").kinds)
    for language in ("zh", "en"):
        for name, telling in told.items():
            filled = {"number": "R-1"} | {word: "x" for word in telling.about}
            text = words(language).notices[name]
            assert text.subject.format(**filled) and text.body.format(**filled)


def test_an_overdue_order_is_told_to_every_dispatcher_and_to_nobody_else(tmp_path):
    async def story(it):
        await it.reach("d-1", "dispatcher", phone="13700000001")
        await it.reach("d-2", "dispatcher", phone="13700000002", language="en")
        await it.reach("m-1", "manager", phone="13700000003")
        made = await submit(it.it)
        await it.it.publishes(overdue(made["id"]))
        await it.known(NoticeSent, 2)
        zh, en = sorted([c for c in it.provider.calls if c.template == "order-overdue"], key=lambda c: c.recipient)
        number = (await it.it.call("a", "agent", "GET", f"/v1/requests/{made['id']}")).json()["number"]
        assert (zh.recipient, en.recipient) == ("13700000001", "13700000002")
        assert zh.subject == f"工单超时未派：{number}" and en.subject == f"Nobody is assigned to {number}"
        assert zh.key != en.key
        [seen] = await it.notices("d-2", "dispatcher")
        assert (seen["state"], seen["text"], seen["about"]) == ("sent", en.body, {"due_at": NOW.isoformat()})
        assert await it.notices("m-1", "manager") == []
        assert len(await it.notices("m-1", "manager", of="u-d-1")) == 1
        assert (await it.it.call("d-1", "dispatcher", "GET", "/v1/notices?person_id=u-d-2")).status_code == 403

    run(story, tmp_path)


def test_who_is_concerned_twice_is_told_once_and_a_repeat_tells_nobody_again(tmp_path):
    async def story(it):
        await it.reach("m-1", "manager", phone="", email="m@example.com")
        late = CorrectionOverdue(inspection_id="i-1", request_id="r-1", owner_id="u-m-1", due_at=NOW)
        await it.it.publishes(late)
        await it.known(NoticeSent, 1)
        assert it.calls("correction-overdue") == ["m@example.com"]

    run(story, tmp_path)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (SlaBreached(order_id="o", request_id="r", sla_id="s", revision=1, clock="fix", due_at=NOW), {"d"}),
        (ALERT, {"m"}),
        (GroupAlertRaised(**{n: getattr(ALERT, n) for n in ALERT.__struct_fields__} | {"of": "team"}), {"m"}),
        (QualityAlertFollowed(alert_id="al", raising=1, subject="e-1", owner_id="u-m", measure="x"), {"m"}),
        (offered("e", "e-9"), {"e"}),
        (msgspec.structs.replace(assigned("r"), engineer_id="e"), {"e"}),
        (
            OrderReassigned(
                order_id="o",
                request_id="r",
                from_engineer_id="e",
                engineer_id="f",
                starts_at=NOW + HOUR,
                ends_at=NOW + 2 * HOUR,
                travel_m=1,
                reason="ill",
            ),
            {"e", "f"},
        ),
        (
            CorrectionAsked(inspection_id="i", request_id="r", engineer_id="e", owner_id="e", due_at=NOW, items=()),
            {"e"},
        ),
        (CorrectionDueSoon(inspection_id="i", request_id="r", owner_id="e", due_at=NOW), {"e"}),
        (CorrectionOverdue(inspection_id="i", request_id="r", owner_id="e", due_at=NOW), {"e", "m"}),
        (ComplaintAssigned(complaint_id="k", owner_id="u-d", answer_due_at=NOW), {"d"}),
        (ComplaintOverdue(complaint_id="k", owner_id="", due_at=NOW), {"m"}),
    ],
    ids=lambda one: type(one).__name__,
)
def test_who_is_told_of_what(tmp_path, event, told):
    async def story(it):
        phones = {"d": ("dispatcher", "1370000000"), "m": ("manager", "1370000001")}
        phones |= {"e": ("engineer", "1370000002"), "f": ("engineer", "1370000003")}
        for person, (role, phone) in phones.items():
            await it.reach(person, role, phone=phone)
        await it.it.publishes(event)
        await it.known(NoticeSent, len(told))
        assert {call.recipient for call in it.provider.calls} == {phones[one][1] for one in told}

    run(story, tmp_path)


def test_who_has_not_said_how_she_is_reached_gets_no_notice(tmp_path):
    async def story(it):
        await it.reach("d-1", "dispatcher", phone="")
        await it.it.publishes(overdue(), offered("e-1"))
        await it.known(NoticeDue, 0)

    run(story, tmp_path)


def test_without_a_provider_she_still_finds_it_among_her_notices(tmp_path):
    async def story(it):
        await it.reach("e-1", "engineer")
        await it.it.publishes(offered("e-1"))
        await it.known(NoticeNotSent, 1)
        [seen] = await it.notices("e-1", "engineer")
        assert (seen["state"], seen["reason"]) == ("not_sent", "no-sender")

    run(story, tmp_path, media=())


def test_what_can_wait_goes_out_at_the_end_of_her_quiet_hours_and_what_is_urgent_at_once(tmp_path):
    async def story(it):
        await it.reach("m-1", "manager", phone="13700000001", quiet_hours="23:00-08:00")
        await it.reach("m-2", "manager", phone="13700000002")
        await it.reach("d-1", "dispatcher", phone="13700000003", quiet_hours="23:00-08:00")
        await it.at(NIGHT)
        await it.it.publishes(ALERT, overdue())
        await it.known(NoticeSent, 2)
        await it.asleep(1)
        assert it.calls("alert-raised", "order-overdue") == ["13700000002", "13700000003"]
        await it.at(MORNING - timedelta(seconds=1))
        await it.asleep(1)
        await it.at(MORNING)
        [*_, last] = await it.known(NoticeSent, 3)
        assert (last.person_id, last.attempts, it.provider.calls[-1].recipient) == ("u-m-1", 1, "13700000001")

    run(story, tmp_path)


def test_what_would_come_too_late_after_the_night_goes_at_once(tmp_path):
    async def story(it):
        await it.reach("e-1", "engineer", phone="13700000001")
        await it.reach("e-2", "engineer", phone="13700000002")
        await it.at(NIGHT)
        await it.it.publishes(offered("e-1", until=MORNING - HOUR), offered("e-2", until=MORNING + HOUR))
        await it.known(NoticeSent, 1)
        await it.asleep(1)
        assert it.calls("order-offered") == ["13700000001"]
        await it.at(MORNING + 2 * HOUR)
        [unsent] = await it.known(NoticeNotSent, 1)
        assert (unsent.person_id, unsent.reason) == ("e-2", "not-wanted")

    run(story, tmp_path, quiet_hours="22:00-08:00")


def test_what_its_provider_was_away_for_is_sent_when_it_is_back(tmp_path):
    async def story(it):
        await it.reach("d-1", "dispatcher")
        it.provider.fails = Away("down")
        await it.it.publishes(overdue())
        await it.asleep(1)
        it.provider.fails = None
        await it.at(it.it.clock.now() + HOUR)
        [sent] = await it.known(NoticeSent, 1)
        assert sent.attempts == 2
        await it.asleep(0)
        first, again = it.provider.calls
        assert first.key == again.key == sent.message_id

    run(story, tmp_path)


def test_an_order_that_has_found_somebody_meanwhile_wakes_nobody(tmp_path):
    async def story(it):
        await it.reach("d-1", "dispatcher")
        made = await submit(it.it)
        it.provider.fails = Away("down")
        await it.it.publishes(overdue(made["id"]))
        while not it.it.running.sender.waiting:
            await asyncio.sleep(0.005)
        it.it.clock.set(it.it.clock.now() + HOUR)
        await it.it.publishes(assigned(made["id"], starts_at=NOW + 5 * HOUR))
        it.provider.fails = None
        await it.at(it.it.clock.now() + HOUR)
        [unsent] = await it.known(NoticeNotSent, 1)
        assert unsent.reason == "not-wanted"

    run(story, tmp_path)


def test_customers_sleep_too_but_are_answered_and_told_who_comes_early(tmp_path):
    async def story(it):
        await it.at(NIGHT)
        made = await submit(it.it)
        early, later = MORNING + HOUR / 2, MORNING + 5 * HOUR
        await it.it.publishes(survey(made["id"]), assigned(made["id"], starts_at=early))
        await it.it.publishes(assigned(made["id"], starts_at=later))
        await it.asleep(2)
        assert [call.template for call in it.provider.calls] == ["request-received", "order-assigned"]
        await it.at(MORNING)
        await it.asleep(0)
        assert sorted(call.template for call in it.provider.calls[2:]) == ["order-assigned", "survey"]

    run(story, tmp_path, quiet_hours="22:00-08:00")


def test_what_waits_for_the_morning_is_sent_once_though_the_process_was_started_anew(tmp_path):
    async def story():
        async with staffed(tmp_path, "22:00-08:00") as it:
            await it.reach("m-1", "manager")
            await it.at(NIGHT)
            await it.it.publishes(ALERT)
            await it.asleep(1)
        async with live(service, tmp_path, Outlets({"text": (provider := Orders())}, quiet_hours="22:00-08:00")) as it:
            it.clock.set(MORNING)
            it.running.sender.wake()
            async with asyncio.timeout(10):
                while it.running.sender.waiting:
                    await asyncio.sleep(0.005)
            assert [call.template for call in provider.calls] == ["alert-raised"]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("hours", "wall", "ends"),
    [
        ("22:00-08:00", "24 21:59:59", None),
        ("22:00-08:00", "24 22:00:00", "25 08:00"),
        ("22:00-08:00", "25 00:00:00", "25 08:00"),
        ("22:00-08:00", "25 07:59:59", "25 08:00"),
        ("22:00-08:00", "25 08:00:00", None),
        ("12:30-14:00", "24 12:29:59", None),
        ("12:30-14:00", "24 12:30:00", "24 14:00"),
        ("12:30-14:00", "24 14:00:00", None),
        ("00:00-06:00", "24 00:00:00", "24 06:00"),
        ("08:00-08:00", "24 08:00:00", None),
        ("", "24 03:00:00", None),
    ],
)
def test_quiet_hours_are_by_the_clock_on_the_wall(hours, wall, ends):
    def here(text, form):
        return datetime.strptime(f"2026-11-{text}", f"%Y-%m-%d {form}").replace(tzinfo=TENANT_ZONE)

    found = quiet_until(hours, here(wall, "%H:%M:%S").astimezone(UTC), TENANT_ZONE)
    assert found == (ends and here(ends, "%H:%M"))


@pytest.mark.parametrize("hours", ["22:00", "22:00-24:00", "22-8", "22:00–08:00", "x" * 12])
def test_quiet_hours_that_are_none_are_refused_with_the_field(tmp_path, hours):
    async def story(it):
        answer = await it.it.call("d-1", "dispatcher", "POST", "/v1/contacts/me", json={"quiet_hours": hours})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "quiet_hours"

    run(story, tmp_path)


def test_a_manager_says_how_others_are_reached_and_sees_it(tmp_path):
    async def story(it):
        body = {"person_id": "e-1", "role": "engineer", "phone": "137 0000 0001", "quiet_hours": "21:00-07:00"}
        assert (await it.it.call("m-1", "manager", "POST", "/v1/contacts", json=body)).status_code == 200
        [listed] = (await it.it.call("m-1", "manager", "GET", "/v1/contacts?role=engineer")).json()["items"]
        assert listed == {"email": "", "wechat": "", "language": "zh", "version": 1} | body
        assert (await it.it.call("e-1", "engineer", "GET", "/v1/contacts/me")).json() == listed
        assert (await it.it.call("e-2", "engineer", "GET", "/v1/contacts/me")).json()["version"] == 0
        assert "137 0000 0001" not in str(await it.it.own_events())

    run(story, tmp_path)

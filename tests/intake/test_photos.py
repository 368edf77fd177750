"""A customer's photos of what is wrong: safe, seen by whom they concern, and gone when she is forgotten."""

import asyncio
from email.message import EmailMessage

import msgspec

from contracts.examples import EXAMPLES
from contracts.intake import RequestPhotoAttached
from intake.domain.photos import MOST
from intake.service import service
from tests.fieldwork.live import live
from tests.fieldwork.pictures import JPEG, camera, picture
from tests.intake.examples import founded, request, submit


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


async def send(it, request_id, content, person="c-1", role="customer", photo_id=""):
    path = f"/v1/requests/{request_id}/photos"
    return await it.call(person, role, "POST", path, content=content, params={"photo_id": photo_id})


async def statuses(it, path, *callers):
    return [(await it.call(person, role, "GET", path)).status_code for person, role in callers]


def test_a_photo_is_seen_by_the_customer_the_desk_and_the_engineer_who_is_sent(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]
        made = await send(it, asked, picture(exif=camera()))
        assert made.status_code == 200, made.text
        photos = f"/v1/requests/{asked}/photos"
        one = f"{photos}/{made.json()['id']}"
        callers = ("c-1", "customer"), ("a", "agent"), ("c-2", "customer"), ("e-1", "engineer"), ("e-2", "engineer")
        assert await statuses(it, one, *callers) == [200, 200, 404, 404, 404]
        sent = {"order_id": "o-1", "request_id": asked, "engineer_id": "e-1"}
        await it.publishes(msgspec.structs.replace(EXAMPLES["OrderAssigned"], **sent))
        assert await statuses(it, one, *callers) == [200, 200, 404, 200, 404]
        shown = await it.call("e-1", "engineer", "GET", one)
        assert shown.headers["content-type"] == "image/jpeg"
        assert b"OWNER-OF-THE-PHONE" not in shown.content
        [told] = (await it.call("e-1", "engineer", "GET", photos)).json()
        assert (told["size_b"], told["lat_udeg"]) == (len(shown.content), 31_230_500)
        [event] = [event for event in await it.own_events() if isinstance(event, RequestPhotoAttached)]
        assert event.place.startswith(f"sealed:{asked}:")

    run(tmp_path, story)


def test_a_photo_that_is_sent_again_is_one_and_a_request_has_so_many(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]
        for number in range(MOST):
            assert (await send(it, asked, JPEG, photo_id=f"p-{number}")).is_success
        assert (await send(it, asked, JPEG, photo_id="p-0")).json()["events"] == []
        full = await send(it, asked, JPEG, photo_id="p-one-more")
        assert (full.status_code, full.json()["code"]) == (409, "request.photos-full")
        assert len((await it.call("a", "agent", "GET", f"/v1/requests/{asked}/photos")).json()) == MOST

    run(tmp_path, story)


def test_what_is_no_picture_or_comes_after_the_end_is_refused(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]
        text = await send(it, asked, b"%PDF-1.7 no picture")
        assert (text.status_code, text.json()["code"]) == (422, "photo.not-a-picture")
        assert (await send(it, asked, JPEG, person="c-2")).status_code == 404
        assert (await it.call("c-1", "customer", "POST", f"/v1/requests/{asked}/withdraw", json={})).is_success
        late = await send(it, asked, JPEG)
        assert (late.status_code, late.json()["code"]) == (409, "request.not-open")

    run(tmp_path, story)


def test_the_photos_of_who_is_forgotten_are_gone(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]
        made = (await send(it, asked, JPEG)).json()
        assert it.keys.joined[asked] == "c-1"  # so that her key takes it along
        it.keys.forgotten.add(asked)
        path = f"/v1/requests/{asked}/photos/{made['id']}"
        assert (await it.call("a", "agent", "GET", path)).status_code == 404

    run(tmp_path, story)


def test_the_pictures_of_an_e_mail_are_the_requests(tmp_path):
    async def story(it):
        letter = EmailMessage()
        letter["From"], letter["Subject"], letter["Message-ID"] = "li@home.cn", "冰箱漏水", "<1@home.cn>"
        letter.set_content("请尽快上门")
        letter.add_attachment(JPEG, maintype="image", subtype="jpeg", filename="漏水.jpg")
        letter.add_attachment(b"no picture", maintype="image", subtype="png", filename="broken.png")
        letter.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="invoice.pdf")
        for _ in range(2):  # The mail server says it twice.
            path = "/v1/channels/email?request_type=repair"
            told = (await it.call("o", "operator", "POST", path, content=letter.as_bytes())).json()
        asked = told["request"]["id"]
        [photo] = (await it.call("a", "agent", "GET", f"/v1/requests/{asked}/photos")).json()
        assert photo["media_type"] == "image/jpeg"
        assert "broken.png, invoice.pdf" in (await request(it, asked))["description"]

    run(tmp_path, story)

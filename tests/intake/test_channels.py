"""E-mails and rounds: what comes in becomes requests, once, and who writes is found without being guessed."""

import asyncio

import pytest

from intake.adapters.mail import MOST_TEXT, NoMail, letter_of
from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import CUSTOMER, founded, request

HEAD = "From: =?utf-8?b?5p2O?= <Li@Example.cn>\r\nMessage-ID: <m1@example.cn>\r\nSubject: =?utf-8?b?5ryP5rC0?=\r\n"


def mail(text="厨房漏水", **headers):
    more = "".join([f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()])
    return f"{HEAD}{more}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()


MULTIPART = (
    HEAD + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=gbk\r\n\r\n"
).encode() + (
    "<html><style>p{}</style><p>冰箱 漏水<br>请尽快</p></html>".encode("gbk")
    + b"\r\n--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=leak.png\r\n\r\nx\r\n--b--\r\n"
)


# The letter.


def test_a_letter_says_who_writes_and_what():
    letter = letter_of(mail())
    assert letter == ("<m1@example.cn>", "li@example.cn", "漏水\n\n厨房漏水", (), "")


def test_of_html_the_words_are_kept_and_of_files_their_names():
    assert letter_of(MULTIPART).text == "漏水\n\n冰箱 漏水\n请尽快\n\n[leak.png]"


def test_what_relays_add_does_not_change_what_was_said():
    assert letter_of(b"Received: from a by b\r\n" + mail()).digest == letter_of(mail()).digest
    assert letter_of(mail("别的")).digest != letter_of(mail()).digest


def test_a_letter_without_a_name_is_named_by_its_bytes():
    nameless = mail().replace(b"Message-ID: <m1@example.cn>\r\n", b"")
    assert letter_of(nameless).message_id.startswith("sha256:")
    assert letter_of(nameless).message_id == letter_of(nameless).message_id != letter_of(nameless + b"!").message_id


def test_a_long_letter_is_cut_and_says_so():
    text = letter_of(mail("漏" * 9_000)).text
    assert len(text) == MOST_TEXT and text.endswith("[…]")


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; owner=x"},
        {"Precedence": "bulk"},
        {"Precedence": "auto_reply"},
        {"List_Id": "<all.example.cn>"},
        {"Return_Path": "<>"},
        {"X_Failed_Recipients": "x@example.cn"},
    ],
)
def test_what_a_machine_wrote_is_known_by_its_head(headers):
    assert letter_of(mail(**headers)).automatic


def test_who_writes_by_hand_is_no_machine():
    assert letter_of(mail(Auto_Submitted="no", Return_Path="<li@example.cn>")).automatic == ""
    assert letter_of(mail().replace(b"Li@Example.cn", b"MAILER-DAEMON@example.cn")).automatic


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 40, b"Subject: x\r\n\r\nx", b"From: nobody\r\n\r\nx"])
def test_what_has_no_sender_is_no_letter(content):
    with pytest.raises(NoMail):
        letter_of(content)


# The route.


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


async def post(it, content, path="/v1/channels/email?request_type=repair"):
    headers = {"Content-Type": "message/rfc822", "Fieldloop-Channel": "web"}
    return await it.call("relay", "operator", "POST", path, content=content, headers=headers)


async def known_by(it, **changes):
    await it.call("a", "agent", "POST", "/v1/customers", json=CUSTOMER | {"email": "li@example.cn"} | changes)


def test_a_known_senders_mail_becomes_a_request_of_hers_and_waits_for_what_it_does_not_say(tmp_path):
    async def story(it):
        await known_by(it)
        answer = (await post(it, mail())).json()
        told = await request(it, answer["request"]["id"])
        assert (answer["taken"], told["channel"], told["customer_id"]) == (True, "email", "c-1")
        assert (told["state"], told["description"]) == ("incomplete", "漏水\n\n厨房漏水")
        assert told["missing"] == ["device_id: which device it is about"]

    run(tmp_path, story)


def test_a_mail_that_is_brought_again_is_taken_once_and_another_under_its_name_refused(tmp_path):
    async def story(it):
        await known_by(it)
        first = (await post(it, mail())).json()
        assert (await post(it, b"Received: from a by b\r\n" + mail())).json() == first
        other = await post(it, mail("别的"))
        assert (other.status_code, other.json()["code"]) == (422, "channel-message.other-content")
        assert len((await it.call("a", "agent", "GET", "/v1/requests")).json()["items"]) == 1

    run(tmp_path, story)


def test_what_a_machine_wrote_makes_no_request(tmp_path):
    async def story(it):
        before = await it.own_events()
        answer = await post(it, mail(Auto_Submitted="auto-replied"))
        assert answer.json() == {"taken": False, "why": "Auto-Submitted: auto-replied", "request": None}
        assert await it.own_events() == before
        bad = await post(it, b"Subject: x\r\n\r\nx")
        assert (bad.status_code, bad.json()["code"]) == (422, "mail.unreadable")

    run(tmp_path, story)


def test_a_stranger_is_found_by_the_one_number_that_she_writes_and_else_asked(tmp_path):
    async def story(it):
        called = (await post(it, mail("请回电 138 0000 0001"))).json()
        assert (await request(it, called["request"]["id"]))["customer_id"] == "c-1"
        unknown = mail("请来修").replace(b"<m1@", b"<m2@")
        told = await request(it, (await post(it, unknown)).json()["request"]["id"])
        assert told["customer_id"] == ""
        assert any(line.startswith("customer_id: ") for line in told["missing"])

    run(tmp_path, story)


def test_an_address_of_two_customers_is_nobodys(tmp_path):
    async def story(it):
        await known_by(it)
        await known_by(it, customer_id="c-2", phone="13800000002")
        told = await request(it, (await post(it, mail())).json()["request"]["id"])
        assert told["customer_id"] == ""

    run(tmp_path, story)


def test_a_reply_with_the_number_gives_what_was_missing_once(tmp_path):
    async def story(it):
        await known_by(it)
        first = (await post(it, mail("厨房"), "/v1/channels/email?request_type=talk")).json()["request"]
        waiting = await request(it, first["id"])
        assert (waiting["state"], waiting["missing"]) == ("incomplete", ["description: at least 20 characters"])
        reply = mail("冰箱冷藏室漏水，压缩机一直响，请今天来修").replace(b"<m1@", b"<m2@")
        reply = reply.replace(b"Subject: ", f"Subject: Re: {waiting['number']} ".encode())
        answered = (await post(it, reply)).json()
        assert answered["request"]["id"] == first["id"]
        told = await request(it, first["id"])
        assert told["state"] == "received" and "厨房" in told["description"] and "压缩机" in told["description"]
        before = await it.own_events()
        assert (await post(it, reply)).json()["request"]["id"] == first["id"]
        assert await it.own_events() == before

    async def with_type(it):
        kind = {"name": "Talk", "kind": "enquiry", "needs_device": False, "needs_visit": False, "min_description": 20}
        await it.call("m", "manager", "POST", "/v1/request-types/talk", json=kind)
        await story(it)

    run(tmp_path, with_type)


def test_a_strangers_mail_with_the_number_of_anothers_request_changes_nothing_of_it(tmp_path):
    async def story(it):
        await known_by(it)
        first = (await post(it, mail())).json()["request"]
        waiting = await request(it, first["id"])
        foreign = mail(f"{waiting['number']} 取消").replace(b"Li@Example.cn", b"x@example.cn").replace(b"<m1@", b"<m3@")
        made = (await post(it, foreign)).json()["request"]
        assert made["id"] != first["id"]
        assert await request(it, first["id"]) == waiting

    run(tmp_path, story)


def test_the_desk_finds_who_is_calling(tmp_path):
    async def story(it):
        await known_by(it)

        async def found(**asked):
            answer = await it.call("a", "agent", "GET", "/v1/customers", params=asked)
            return [one["customer_id"] for one in answer.json()["items"]]

        assert await found(phone="+86 138 0000 0001") == ["c-1"] == await found(email="LI@example.cn")
        assert await found(phone="13800000009") == [] == await found(phone="x")
        assert await found() == ["c-1"]

    run(tmp_path, story)


# Rounds.


def test_a_round_makes_one_request_for_each_device_and_place_and_only_once(tmp_path):
    async def story(it):
        place = {"region": "朝阳区", "lat_udeg": 39_900_000, "lon_udeg": 116_400_000}
        for site_id in ("s-1", "s-2"):
            await it.call(
                "a", "agent", "POST", "/v1/customers/c-1/sites", json={"site_id": site_id, "name": "店", **place}
            )
        shop = {"device_id": "d-2", "customer_id": "c-1", "model": "BCD-520", "serial": "S2", "skill": "refrigeration"}
        await it.call("a", "agent", "POST", "/v1/devices", json=shop | {"site_id": "s-1"})
        kind = {"name": "Round", "kind": "inspection", "needs_device": False, "skill": "inspection"}
        await it.call("m", "manager", "POST", "/v1/request-types/inspection", json=kind)
        body = {"round_id": "2026-Q4", "customer_id": "c-1", "request_type": "inspection"}
        first = (await it.call("a", "agent", "POST", "/v1/requests/rounds", json=body)).json()
        assert [(one["device_id"], one["site_id"]) for one in first] == [("d-1", ""), ("d-2", "s-1"), ("", "s-2")]
        told = [await request(it, one["request"]["id"]) for one in first]
        assert {(one["state"], one["kind"]) for one in told} == {("received", "inspection")}
        assert [one["site_id"] for one in told] == ["", "s-1", "s-2"]
        assert (await it.call("a", "agent", "POST", "/v1/requests/rounds", json=body)).json() == first
        strange = await it.call("a", "agent", "POST", "/v1/requests/rounds", json=body | {"site_ids": ["s-9"]})
        assert strange.status_code == 404

    run(tmp_path, story)

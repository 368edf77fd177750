"""What goes to a gateway and to a mail server, over real sockets, and what their answers mean."""

import asyncio
import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from services.chassis.clock import SetClock
from services.chassis.messages.message import Away, Message, Refused
from services.chassis.messages.smtp import Smtp
from services.chassis.messages.webhook import NEVER, Webhook
from tests.messages.providers import SECRET, gateway, mail_server

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEXT = Message("key-1", "text", "13800000001", "", "您的服务请求 R-1 已受理", "request-received", "zh")
MAIL = Message("key-2", "mail", "li@example.com", "服务请求\r\nR-1", "您好\n.\n再见", "request-received", "zh")


def send(provider, message):
    async def story():
        try:
            return await provider.send(message)
        finally:
            await provider.close()

    return asyncio.run(story())


class TestTheGateway:
    def test_it_is_given_the_message_its_key_and_a_signature(self):
        with gateway() as it:
            assert send(Webhook(it.url, SECRET, SetClock(NOW)), TEXT) == "SM-1"
            [(headers, body)] = it.took
        assert it.bodies[0] == {
            "id": "key-1",
            "medium": "text",
            "to": "13800000001",
            "subject": "",
            "text": "您的服务请求 R-1 已受理",
            "template": "request-received",
            "language": "zh",
        }
        assert headers["Idempotency-Key"] == headers["webhook-id"] == "key-1"
        signed = f"key-1.{int(NOW.timestamp())}.".encode() + body
        expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
        assert headers["webhook-signature"] == f"v1,{expected}"

    def test_the_same_message_is_the_same_body(self):
        with gateway() as it:
            send(Webhook(it.url, SECRET, SetClock(NOW)), TEXT)
            send(Webhook(it.url, SECRET, SetClock(NOW)), TEXT)
            assert it.took[0][1] == it.took[1][1]

    @pytest.mark.parametrize("status", NEVER)
    def test_some_answers_are_final(self, status):
        with gateway() as it:
            it.answers = status
            with pytest.raises(Refused, match=str(status)):
                send(Webhook(it.url, SECRET, SetClock(NOW)), TEXT)

    @pytest.mark.parametrize("status", [302, 401, 404, 408, 409, 425, 429, 500, 503])
    def test_any_other_means_not_now(self, status):
        with gateway() as it:
            it.answers = status
            with pytest.raises(Away, match=str(status)):
                send(Webhook(it.url, SECRET, SetClock(NOW)), TEXT)


class TestTheMailServer:
    def test_it_is_given_a_mail_whose_id_follows_from_the_key(self):
        with mail_server() as it:
            ref = send(Smtp(f"smtp://{it.address}", "服务 <service@firm.example>"), MAIL)
            [mail] = it.mails
        assert ref == mail["Message-ID"] == "<key-2@firm.example>"
        assert (mail["To"], mail["From"].addresses[0].addr_spec) == ("li@example.com", "service@firm.example")
        assert (mail["Subject"], mail["Content-Language"]) == ("服务请求 R-1", "zh")
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail.get_content().split() == ["您好", ".", "再见"]

    def test_500_is_for_good_and_400_for_now(self):
        with mail_server() as it:
            it.answers = "550 no such user li@example.com"
            with pytest.raises(Refused, match="550 no such user"):
                send(Smtp(f"smtp://{it.address}", "service@firm.example"), MAIL)
            it.answers = "451 li@example.com: later"
            with pytest.raises(Away) as away:
                send(Smtp(f"smtp://{it.address}", "service@firm.example"), MAIL)
        assert str(away.value) == "the server answered 451", "what is kept in clear does not name the customer"

    def test_a_password_does_not_go_over_a_line_that_is_not_encrypted(self):
        with mail_server() as it:
            it.auth = True
            with pytest.raises(Away, match="no encryption"):
                send(Smtp(f"smtp://me:secret@{it.address}", "service@firm.example"), MAIL)
            assert [verb for verb in it.said if verb.startswith("AUTH")] == []
            assert it.mails == []

    def test_a_server_that_is_not_there_is_away(self):
        with mail_server() as it:
            address = it.address
        with pytest.raises(OSError, match="refused"):
            send(Smtp(f"smtp://{address}", "service@firm.example"), MAIL)

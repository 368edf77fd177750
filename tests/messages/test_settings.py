"""What an operator sets, and what comes of it: which provider there is, and where links lead."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from contracts.quality import SURVEY_LINK
from services.chassis.auth import Link
from services.chassis.clock import SetClock
from services.chassis.messages.message import LinkTo
from services.serving import outlets_of, tokens_of
from services.settings import BadSetting, Settings

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PUBLIC = {"FIELDLOOP_PUBLIC_URL": "https://service.example/"}
MAIL = {"FIELDLOOP_MAIL": "smtps://me:p%40ss@mail.example:465", "FIELDLOOP_MAIL_FROM": "Service <service@firm.example>"}
TEXT = {"FIELDLOOP_TEXT": "https://sms.example/messages", "FIELDLOOP_WEBHOOK_SECRET": "s" * 16}


def of(folder, *parts):
    env = {"FIELDLOOP_DATA": str(folder)}
    for part in parts:
        env |= part
    return Settings.from_env(env=env)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [((), []), ((PUBLIC, MAIL), ["mail"]), ((PUBLIC, TEXT), ["text"]), ((PUBLIC, MAIL, TEXT), ["text", "mail"])],
)
def test_there_is_a_provider_for_what_is_set(tmp_path, parts, expected):
    async def story():
        outlets = outlets_of(of(tmp_path, *parts), SetClock(NOW))
        found = [medium for medium in ("text", "mail", "wechat") if outlets.of(medium)]
        await outlets.close()
        return found

    assert asyncio.run(story()) == expected


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ((PUBLIC, MAIL, {"FIELDLOOP_MAIL": "mail.example"}), "FIELDLOOP_MAIL"),
        ((PUBLIC, MAIL, {"FIELDLOOP_MAIL_FROM": ""}), "FIELDLOOP_MAIL_FROM"),
        ((PUBLIC, TEXT, {"FIELDLOOP_TEXT": "sms.example"}), "FIELDLOOP_TEXT"),
        ((PUBLIC, TEXT, {"FIELDLOOP_WEBHOOK_SECRET": "short"}), "FIELDLOOP_WEBHOOK_SECRET"),
        ((MAIL,), "FIELDLOOP_PUBLIC_URL"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_secret_is_shown(tmp_path, parts, named):
    with pytest.raises(BadSetting, match=named) as wrong:
        of(tmp_path, *parts)
    assert "p%40ss" not in str(wrong.value)


def test_a_link_opens_what_it_is_for_and_is_the_same_whenever_it_is_made(tmp_path):
    clock = SetClock(NOW)
    settings = of(tmp_path, PUBLIC)
    to = LinkTo("/v1/surveys/page", SURVEY_LINK, "s-1", NOW + timedelta(days=14))
    first = outlets_of(settings, clock).link("t-1", to, NOW)
    clock.set(NOW + timedelta(hours=5))
    assert outlets_of(settings, clock).link("t-1", to, NOW) == first
    parts = urlsplit(first)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://service.example/v1/surveys/page"
    [text] = parse_qs(parts.query)["link"]
    assert tokens_of(settings, clock).verify_link(text, SURVEY_LINK) == Link("t-1", SURVEY_LINK, "s-1")

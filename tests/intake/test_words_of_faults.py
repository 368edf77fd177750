"""What is wrong with a definition or a file is said in the language of whoever sent it."""

import asyncio
import re

import pytest

from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import REPAIR

FIELD = {"name": "noise", "label": "Noise", "label_zh": "异响"}
FORMS = [
    [FIELD | {"name": "Noise"}],
    [FIELD, FIELD],
    [FIELD | {"kind": "choice"}],
    [FIELD | {"kind": "choice", "choices": [{"value": "a", "label": "A"}, {"value": "a", "label": "B"}]}],
    [FIELD | {"kind": "date", "pattern": "a"}],
    [FIELD | {"kind": "date", "least": 1}],
    [FIELD | {"least": 2, "most": 1}],
    [FIELD | {"least": -1}],
    [FIELD | {"pattern": "["}],
    [FIELD | {"pattern": "(a)"}],
    [FIELD | {"pattern": "a*b*c*d*"}],
    [FIELD | {"label": " x "}, FIELD | {"name": "b", "says_fault": True}],
    [FIELD | {"asked_if": {"field": "other", "values": ["a"]}}],
    [FIELD, FIELD | {"name": "b", "asked_if": {"field": "noise", "values": []}}],
]
TREES = [
    [{"code": "a", "label": "A"}, {"code": "a", "label": "B"}],
    [{"code": "a", "label": "A", "parent": "none"}],
]
FILES = [b"", b"\n", b"a,a\n1,2\n", b"a\n\xff\xff\n", b'a\n"open\n', b"PK\x03\x04 no zip"]


def calls():
    for form in FORMS:
        yield "/v1/request-types/t-1", "manager", {"json": REPAIR | {"form": form}}
    yield "/v1/request-types/t-1", "manager", {"json": REPAIR | {"serial_pattern": "("}}
    for faults in TREES:
        yield "/v1/device-models", "manager", {"json": {"model": "M", "name": "M", "faults": faults}}
    for content in FILES:
        yield "/v1/customers/import", "operator", {"content": content}
    yield "/v1/channels/email", "operator", {"content": b"Subject: nobody\n\nx"}


@pytest.mark.parametrize(("language", "wanted"), [("zh", r"[一-鿿]"), ("en", r"[a-z]")])
def test_the_reason_is_in_the_language_of_the_caller(tmp_path, language, wanted):
    async def story():
        async with live(service, tmp_path) as it:
            for path, role, sent in calls():
                answer = await it.call("x", role, "POST", path, headers={"Accept-Language": language}, **sent)
                told = answer.json()
                assert answer.status_code == 422, (sent, told)
                named = told["code"].endswith("wrong-field")  # The field and its type come first.
                reason = re.split(r"[:：]", told["detail"], maxsplit=1)[-1] if named else told["detail"]
                assert re.search(wanted, reason), told
                assert (language == "zh") == bool(re.search(r"[一-鿿]", told["detail"])), told
                assert "{" not in told["detail"], told

    asyncio.run(story())

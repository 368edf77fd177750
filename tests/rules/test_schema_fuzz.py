"""
Schemathesis against the OpenAPI document of the whole system: its calls fit the document, or break it in some place.

Whatever it calls, nothing fails; the answer has a status, a content type, headers and a body that the document
declares; and what breaks the document is refused. The same calls come each time; `make fuzz` makes others, and more
rounds of them while its time lasts.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast
from zlib import crc32

import httpx
import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.rules.test_edge import STAFF
from tests.rules.test_fuzz import NAMES, SOMETHING
from tests.rules.world import World, running

SEED = int(os.environ.get("FIELDLOOP_TEST_SEED", "0")) or 1
TIMES = int(os.environ.get("FIELDLOOP_TEST_FUZZ", "1"))
"""How many times as much as `make test` has time for."""

CALLS = 10
"""In a round, of each operation in each mode: what fits the document, and what does not."""
BUDGET_S = 120.0 * TIMES
"""Beyond its first round, no operation is called after its part of this time."""
DEADLINE_S = BUDGET_S + 900.0
"""No operation is begun after that; those that were not are named."""

CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("schema")) as world:
        yield world


def test_every_answer_is_one_that_the_document_declares(world: World):
    print(f"FIELDLOOP_TEST_SEED={SEED}")
    document = json.loads(json.dumps(world.app.openapi()))
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=world.url)
    fuzz = Fuzz(world)
    # Whoever signs in with a wrong password waits five minutes after the fifth; an e-mail is not made by a schema.
    left_out = ("/v1/sessions", "/v1/sessions/guests", "/v1/channels/email")
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]
    operations = [one for one in operations if one.path not in left_out]
    begun, unreached = time.monotonic(), []
    for number, operation in enumerate(operations):
        until = begun + BUDGET_S * (number + 1) / len(operations)
        if time.monotonic() > begun + DEADLINE_S:
            unreached.append(operation.label)
            continue
        for again in range(TIMES):
            if again and time.monotonic() > until:
                break
            fuzz.rounds[again + 1] += 1
            for mode in GenerationMode:
                fuzz.try_out(operation, mode, SEED + again)
    print(f"{fuzz.made} calls; operations by round: {dict(fuzz.rounds)} of {len(operations)}")
    assert unreached == [], f"not reached within {DEADLINE_S:.0f} s: {', '.join(unreached)}"
    assert fuzz.found == {}, "\n".join(["", *fuzz.found.values(), f"{len(fuzz.found)} kinds, seed {SEED}"])
    assert fuzz.seen["2xx"] > 150, f"too little comes through to find anything: {fuzz.seen}"
    assert fuzz.seen["4xx"] > 500, fuzz.seen


class Fuzz:
    def __init__(self, world: World) -> None:
        self.world = world
        self.found: dict[tuple[str, str, int], str] = {}
        """An example of each defect, by operation, kind and status."""
        self.seen: Counter[str] = Counter()
        self.rounds: Counter[int] = Counter()
        """How many operations had the first round, the second…"""
        self.made = 0

    def try_out(self, operation: Any, mode: GenerationMode, seed: int) -> None:
        if mode is GenerationMode.NEGATIVE and not can_be_broken(operation.definition.raw):
            return
        roles = set(operation.definition.raw["x-roles"]) - {"public"}
        role = next((role for role in STAFF if role in roles), min(roles, default="agent"))

        @hypothesis.seed(seed)
        @settings(
            max_examples=CALLS,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def each(case: Case) -> None:
            if mode is GenerationMode.POSITIVE:
                self.name_something(case)
            self.judge(case, operation.label, self.call(case, role))

        each()

    def name_something(self, case: Case) -> None:
        """Most ids are of something that there is, else all would be 404."""
        places: list[Any] = [case.path_parameters, case.query, case.body]
        for place in places:
            for name, value in [*place.items()] if isinstance(place, dict) else []:
                chance = crc32(repr(value).encode())
                if isinstance(value, str) and (name.endswith("_id") or name in NAMES) and chance % 4:
                    place[name] = self.known(name, chance)

    def known(self, name: str, chance: int) -> str:
        if name in NAMES:
            return NAMES[name][chance % len(NAMES[name])]
        story = self.world.demo.stories[("one", "two")[chance % 2]]
        kinds = SOMETHING.get(name, (name,))
        return str(getattr(story, kinds[chance % len(kinds)], "") or story[chance % len(story)])

    def call(self, case: Case, role: str) -> httpx.Response:
        self.made += 1
        # Each call is another: what is said again under a key of before would be answered before it is looked at.
        key = {"Idempotency-Key": f"fuzz-{self.made}"} if case.headers and is_a_key(case) else {}
        sent = case.as_transport_kwargs(headers=self.world.headers(role) | key)
        prepared = requests.Request(**{name: sent[name] for name in TAKEN if name in sent}).prepare()
        headers = {
            name: value.encode() if isinstance(value, str) else value for name, value in prepared.headers.items()
        }

        async def asked() -> httpx.Response:
            request = self.world.client.build_request(
                case.method, cast(str, prepared.url), headers=headers, content=cast(Any, prepared.body)
            )
            answer = await self.world.client.send(request, stream=True)
            try:
                # The news go on for ever.
                if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                    await answer.aread()
            finally:
                await answer.aclose()
            return answer

        answer: httpx.Response = self.world.run(asked())
        self.seen[f"{answer.status_code // 100}xx"] += 1
        return answer

    def judge(self, case: Case, label: str, answer: httpx.Response) -> None:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return
        # What is too large is refused before it is looked at.
        checks = [one for one in CHECKS if answer.status_code != 413 or one is not negative_data_rejection]
        try:
            case.validate_response(answer, checks=checks)
        except BaseExceptionGroup as several:
            for one in several.exceptions:
                self.note(label, one, answer)
        except Failure as one:
            self.note(label, one, answer)

    def note(self, label: str, failure: BaseException, answer: httpx.Response) -> None:
        if (broken := set(re.findall(r"^ +- (.+)$", str(failure), re.MULTILINE))) and broken <= NOT_BROKEN:
            return
        request, key = answer.request, answer.request.headers.get("Idempotency-Key")
        sent = f"{request.method} {request.url} {request.content[:300]!r} under the key {key!r}"
        told = f"{label}: {str(failure)[:400]}\n    {sent}\n    {answer.status_code} {answer.text[:300]}"
        self.found.setdefault((label, type(failure).__name__, answer.status_code), told)


NOT_BROKEN = {"query: violates `additionalProperties`", "header: violates `required` (was Authorization)"}
"""What no route reads is no part of what is asked; and who asks is said by whoever sends the calls."""

TAKEN = ("method", "url", "headers", "params", "data", "json", "files", "cookies")


def is_a_key(case: Case) -> bool:
    """Whether the case has an Idempotency-Key that fits; one that does not is what is tried."""
    return bool(re.fullmatch(r"[\x21-\x7e]{1,200}", str(case.headers.get("Idempotency-Key", ""))))


def can_be_broken(operation: Mapping[str, Any]) -> bool:
    """Whether there is anything that the document forbids to say: of texts and pictures, it takes any bytes."""
    contents = operation.get("requestBody", {}).get("content", {})
    return "application/json" in contents or (not contents and bool(operation.get("parameters")))

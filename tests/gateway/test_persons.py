"""The keys of persons: sealed is opened again, forgotten is gone; one suite for every place where they are kept."""

import asyncio
import base64
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.chassis.auth import Tokens
from services.chassis.clock import SetClock
from services.chassis.http import Problem
from services.chassis.http.app import service_app
from services.gateway.persons import (
    EARLY_S,
    FORGOTTEN,
    REMEMBERED_S,
    KeyBook,
    MemoryBook,
    PersonKeys,
    PostgresBook,
    RemoteBook,
    RemoteKeys,
    SqliteBook,
    key_routes,
)
from services.gateway.sessions import GatewayApi
from tests.chassis.http_toy import NOON

SECRET = "s" * 32
ANNA = ("demo", "c-1")

Story = Callable[[KeyBook], Awaitable[None]]
Tell = Callable[[Story], None]


def gateway(book: KeyBook, folder: Path) -> httpx.AsyncClient:
    clock = SetClock(NOON)
    tokens = Tokens.from_file(folder / "keys.json", clock)
    app = service_app([key_routes(book, GatewayApi(clock))], tokens=tokens, internal_secret=SECRET)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app))


@pytest.fixture(params=["memory", "sqlite", "remote", "postgres"])
def tell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tell]:
    """Runs a story with a book of each kind."""
    address = request.getfixturevalue("postgres").fresh_database() if request.param == "postgres" else ""

    async def with_book(story: Story) -> None:
        if request.param == "memory":
            await story(MemoryBook())
        elif request.param == "remote":
            await story(RemoteBook("http://gateway", SECRET, gateway(MemoryBook(), tmp_path)))
        elif request.param == "sqlite":
            book = SqliteBook(tmp_path / "persons.db")
            await story(book)
            book.close()
        else:
            shared = await PostgresBook.connect(address)
            await story(shared)
            await shared.close()

    yield lambda story: asyncio.run(with_book(story))


async def sealed(keys: PersonKeys, text: str, tenant: str = "demo", person: str = "c-1") -> str:
    await keys.ensure({(tenant, person)})
    return keys.seal(tenant, person, text)


async def opened(keys: PersonKeys, text: str, tenant: str = "demo") -> str:
    await keys.ready(tenant, [text])
    return keys.open(tenant, text)


def test_what_is_sealed_is_opened_again(tell: Tell):
    async def story(book: KeyBook) -> None:
        text = await sealed(PersonKeys(book), "王女士, 13800000000")
        assert text.startswith("sealed:v1:")
        assert "王" not in text
        assert await opened(PersonKeys(book), text) == "王女士, 13800000000"

    tell(story)


def test_a_person_keeps_their_key(tell: Tell):
    async def story(book: KeyBook) -> None:
        first, again = await book.make([ANNA]), await book.make([ANNA, ("demo", "c-2")])
        assert first[0] in again
        assert len({key.secret for key in again}) == 2
        assert [key.id for key in await book.find([first[0].id])] == [first[0].id]

    tell(story)


def test_a_forgotten_person_is_read_by_nobody_and_gets_no_new_key(tell: Tell):
    async def story(book: KeyBook) -> None:
        keys = PersonKeys(book)
        anna, bert = await sealed(keys, "Anna"), await sealed(keys, "Bert", person="c-2")
        await keys.forget(*ANNA)
        assert await opened(keys, anna) == ""
        assert await opened(PersonKeys(book), anna) == ""
        assert await opened(keys, bert) == "Bert"
        assert await sealed(keys, "said later") == FORGOTTEN
        assert await sealed(keys, FORGOTTEN) == FORGOTTEN
        assert await opened(keys, FORGOTTEN) == ""

    tell(story)


def test_who_was_never_known_can_be_forgotten_too(tell: Tell):
    async def story(book: KeyBook) -> None:
        await book.forget(*ANNA)
        assert await sealed(PersonKeys(book), "Anna") == FORGOTTEN

    tell(story)


def test_what_was_written_before_anybody_knew_of_whom_is_forgotten_with_her(tell: Tell):
    async def story(book: KeyBook) -> None:
        keys = PersonKeys(book)
        texts = [await sealed(keys, "漏水", person=one) for one in ("r-1", "r-2", "r-3")]
        for _ in "twice":
            await keys.ensure(set(), {("demo", "r-1"): "c-1", ("other", "r-2"): "c-1", ("demo", "r-3"): "c-3"})
        await keys.forget("demo", "c-1")
        afresh = PersonKeys(book)
        assert [await opened(afresh, one) for one in texts] == ["", "漏水", "漏水"]

    tell(story)


def test_what_turns_out_to_be_of_somebody_forgotten_is_forgotten_at_once(tell: Tell):
    async def story(book: KeyBook) -> None:
        keys = PersonKeys(book)
        text = await sealed(keys, "漏水", person="r-1")
        await keys.forget("demo", "c-1")
        await keys.ensure({("demo", "r-2")}, {("demo", "r-1"): "c-1", ("demo", "r-2"): "c-1", ("demo", "r-3"): "c-3"})
        assert await opened(PersonKeys(book), text) == ""
        assert keys.seal("demo", "r-2", "said of her") == FORGOTTEN
        assert await opened(keys, await sealed(keys, "Bert", person="r-3")) == "Bert"

    tell(story)


def test_a_text_is_looked_up_by_its_index_in_every_process_and_in_its_tenant_only(tell: Tell):
    async def story(book: KeyBook) -> None:
        told = await PersonKeys(book).index("demo", "13800000001")
        assert told == await PersonKeys(book).index("demo", "13800000001") and len(told) == 32
        assert told != await PersonKeys(book).index("demo", "13800000002")
        assert told != await PersonKeys(book).index("other", "13800000001")

    tell(story)


def test_a_persons_text_is_opened_within_their_tenant_only(tell: Tell):
    async def story(book: KeyBook) -> None:
        text = await sealed(PersonKeys(book), "Anna")
        assert await opened(PersonKeys(book), text, "other") == ""

    tell(story)


def test_two_at_once_make_one_key(tell: Tell):
    async def story(book: KeyBook) -> None:
        made = await asyncio.gather(*[book.make([ANNA]) for _ in range(8)])
        assert len({keys[0] for keys in made}) == 1

    tell(story)


def test_what_is_sealed_already_stays_as_it_is():
    async def story() -> None:
        keys = PersonKeys(MemoryBook())
        text = await sealed(keys, "Anna")
        assert await sealed(keys, text) == text

    asyncio.run(story())


def test_what_only_looks_sealed_is_sealed_like_any_text():
    async def story() -> None:
        keys = PersonKeys(MemoryBook())
        id = (await sealed(keys, "Anna")).split(":")[2]
        for said in ("sealed:v1:", f"sealed:v1:{id}:AAAA", f"sealed:v1:{id}:§", "sealed:v1:x:y", FORGOTTEN):
            assert await opened(keys, await sealed(keys, said)) == said

    asyncio.run(story())


def test_what_was_changed_is_not_opened():
    async def story() -> None:
        keys = PersonKeys(MemoryBook())
        head, _, body = (await sealed(keys, "Anna")).rpartition(":")
        raw = bytearray(base64.urlsafe_b64decode(body))
        for i in range(len(raw)):
            raw[i] ^= 1
            assert keys.open("demo", f"{head}:{base64.urlsafe_b64encode(raw).decode()}") == ""
            raw[i] ^= 1
        assert keys.open("demo", f"{head}:{body}") == "Anna"

    asyncio.run(story())


def test_what_is_not_sealed_stays_as_it_is():
    assert PersonKeys(MemoryBook()).open("demo", "in clear") == "in clear"


def test_the_same_random_numbers_give_the_same_bytes():
    """A simulation gives its own, so that the same seed gives the same journal."""

    async def story() -> None:
        book = MemoryBook()
        one, two = [await sealed(PersonKeys(book, random=lambda n: b"7" * n), "Anna") for _ in "12"]
        assert one == two
        assert await sealed(PersonKeys(book), "Anna") != one

    asyncio.run(story())


def test_the_file_is_its_owners_and_keeps_nothing_of_a_forgotten_key(tmp_path: Path):
    async def story() -> None:
        book = SqliteBook(tmp_path / "persons.db")
        ((_, _, _, secret),) = await book.make([ANNA])
        await book.make([("demo", f"c-{i}") for i in range(2, 50)])
        assert secret
        assert any(secret in file.read_bytes() for file in tmp_path.iterdir())
        await PersonKeys(book).forget(*ANNA)
        for file in tmp_path.iterdir():
            assert secret not in file.read_bytes(), f"the key is still in {file.name}"
        book.close()

    asyncio.run(story())
    assert stat.S_IMODE((tmp_path / "persons.db").stat().st_mode) == 0o600


def test_who_comes_second_does_not_replace_the_key(tmp_path: Path):
    async def story() -> None:
        first, second = (SqliteBook(tmp_path / "persons.db") for _ in "12")
        made = await first.make([ANNA])
        # The second looked before the first had written.
        second._make([ANNA], {})
        assert await second.make([ANNA]) == await first.make([ANNA]) == made
        first.close()
        second.close()

    asyncio.run(story())


def test_keys_outlive_the_process(tmp_path: Path):
    async def story() -> None:
        book = SqliteBook(tmp_path / "persons.db")
        text = await sealed(PersonKeys(book), "Anna")
        book.close()
        book = SqliteBook(tmp_path / "persons.db")
        assert PersonKeys(book).open("demo", text) == "Anna"
        book.close()

    asyncio.run(story())


def test_another_process_forgets_within_a_minute(tmp_path: Path):
    now = 0.0

    async def story() -> None:
        nonlocal now
        book = MemoryBook()
        elsewhere = RemoteKeys("http://gateway", SECRET, gateway(book, tmp_path), monotonic=lambda: now)
        text = await sealed(elsewhere, "Anna")
        await PersonKeys(book).forget(*ANNA)
        now = REMEMBERED_S - EARLY_S - 0.1
        assert await opened(elsewhere, text) == "Anna"
        now = REMEMBERED_S - 0.1
        assert elsewhere.open("demo", text) == "Anna", "it was made ready and is used"
        now = REMEMBERED_S
        assert await opened(elsewhere, text) == ""
        assert await sealed(elsewhere, "later") == FORGOTTEN

    asyncio.run(story())


def test_while_the_gateway_is_away_known_persons_are_served(tmp_path: Path):
    async def story() -> None:
        away = False
        book = MemoryBook()
        inside = gateway(book, tmp_path)

        async def answer(request: httpx.Request) -> httpx.Response:
            if away:
                raise httpx.ConnectError("away")
            return await inside.send(
                httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
            )

        keys = RemoteKeys("http://gateway", SECRET, httpx.AsyncClient(transport=httpx.MockTransport(answer)))
        text = await sealed(keys, "Anna")
        away = True
        assert await sealed(keys, text) == text
        assert await opened(keys, text) == "Anna"
        with pytest.raises(Problem) as refused:
            await sealed(keys, "Bert", person="c-2")
        assert refused.value.code == "keys.away"

    asyncio.run(story())


@pytest.mark.parametrize("secret", ["", "wrong", "s" * 31])
def test_who_does_not_know_the_secret_gets_no_key(tmp_path: Path, secret: str):
    async def story() -> None:
        book: Any = MemoryBook()
        with pytest.raises(Problem):
            await RemoteBook("http://gateway", secret, gateway(book, tmp_path)).make([ANNA])
        assert not book.keys

    asyncio.run(story())

"""Backups of all stores, and stores put back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.topics import PUBLISHERS, public_topic
from services.chassis.bus.kafka import ensure_topics
from services.chassis.clock import SystemClock
from services.chassis.journal.store import Batch
from services.gateway.book_copy import copy_book, keys_of
from services.gateway.forgetting import Forgotten, forget, forget_again, without_accounts
from services.gateway.users import FILE as USERS_FILE
from services.host import discover
from services.offline.stores import CannotDo, readers
from services.proof.kept import Kept
from services.restoring.agreeing import agreed, read_again, set_back
from services.restoring.backup import (
    BOOK,
    Backup,
    Unfit,
    back_up,
    journal_in,
    opened_keys,
    put_files_back,
    put_letters_back,
    put_secrets_back,
    read_backup,
)
from services.restoring.copies import head_of, new_copy, opened
from services.restoring.placing import Taken, put_in_place, there, written_by_us
from services.restoring.refilling import (
    Broken,
    append,
    begin_life,
    go_on_after_effects,
    published_upto,
    refold,
)
from services.restoring.signing import sign_restored
from services.restoring.topic import JournalTopic
from services.restoring.topic import republish as republish_journal
from services.serving import PERSONS_FILE, ledger_of, own_key_book, signer_of
from services.settings import Settings

STAGE: Final = "restoring"
"""In the data folder: where copies are worked upon before they are put in place."""


@dataclass
class PutBack:
    """What became of one service's journal."""

    service: str
    position: int = 0
    """Where it ends now."""
    incarnation: int = 1
    from_backup: int = 0
    """Records of the backup."""
    from_topic: int = 0
    """Records after it that its journal topic had."""
    set_back: int = 0
    """Records of the backup that rest on what another service does not have any more."""
    set_aside: str = ""
    """The file that has them."""
    signed_and_gone: int = 0
    """Records that had been signed and are not there any more, as far as the checkpoints kept here tell."""


async def make_backup(
    settings: Settings, folder: Path, progress: Callable[[str], None], *, tenant: str = "", passphrase: bytes = b""
) -> Backup:
    """
    Copy all stores of this installation, which may be running, into a new folder; or what is of one tenant.

    With a passphrase the keys in it are sealed. Raises CannotDo.
    """

    async def copy_keys(target: Path, whose: str) -> None:
        await copy_book(target, settings.data / PERSONS_FILE, settings.dsn, whose)

    services = discover()
    async with readers(settings, services) as journals:  # each is there
        tenants = sorted((await journals["intake"].head()).chains)
        if tenant and tenant not in tenants:
            raise CannotDo(f"nothing is recorded of the tenant {tenant}: give one of {', '.join(tenants)}")
    try:
        now = SystemClock().now()
        return await back_up(
            folder,
            list(services),
            settings.data,
            settings.dsn,
            now,
            progress,
            copy_book=copy_keys,
            tenant=tenant,
            passphrase=passphrase,
        )
    except Unfit as error:
        raise CannotDo(str(error)) from None


async def restore_backup(
    settings: Settings,
    folder: Path,
    others: Mapping[str, Path],
    *,
    replace: bool,
    progress: Callable[[str], None],
    passphrase: bytes = b"",
) -> list[PutBack]:
    """
    Put all stores back from a backup; those in `others` from other backups, which may be of other moments.

    With Kafka each journal is first rolled on from its topic. Then those that know of what another has not got are set
    back until all agree. Raises CannotDo, with nothing changed.
    """
    services = discover()
    sources = {name: others.get(name, folder) for name in services}
    if unknown := others.keys() - services.keys():
        raise CannotDo(f"there is no service {', '.join(sorted(unknown))}: give one of {', '.join(services)}")
    async with AsyncExitStack() as after:
        stage = settings.folder(STAGE)
        after.callback(shutil.rmtree, stage, ignore_errors=True)
        try:
            backups = {source: read_backup(source) for source in dict.fromkeys(sources.values())}
            for name, source in sources.items():
                if name not in backups[source].stores:
                    raise Unfit(f"{source} has nothing of {name}")
            keys = {source: after.enter_context(opened_keys(source, settings.data, passphrase)) for source in backups}
        except Unfit as error:
            raise CannotDo(str(error)) from None
        await _may_be_put(settings, list(services), replace)
        copies = {name: _staged(stage, name, journal_in(source, name)) for name, source in sources.items()}
        done = {name: PutBack(name) for name in services}
        changed: set[str] = set()
        for name, copy in copies.items():
            done[name].from_backup = backups[sources[name]].stores[name].position
            if settings.cluster and (new := await _roll_on(settings, name, copy)):
                done[name].from_topic = new
                changed.add(name)
        kept_aside = settings.data / "set-aside" / f"{SystemClock().now():%Y%m%d-%H%M%S}"
        for name, end in agreed(copies).items():
            aside = kept_aside / f"{name}.jsonl"
            if gone := set_back(copies[name], end, aside):
                done[name].set_back, done[name].set_aside = gone, str(aside)
                changed.add(name)
            progress(name)
        for name in changed:
            await refold(copies[name], services[name])
            if done[name].from_topic:
                go_on_after_effects(copies[name], services[name], done[name].from_backup, only_sender=True)
        if settings.cluster:
            _take_in_from_the_start(copies)
        else:
            read_again(copies)
        for one in keys.values():
            put_secrets_back(one, settings.data)
        await _place(settings, copies, done)
        for name, source in sources.items():
            put_files_back(source, name, settings.data)
            put_letters_back(keys[source], name, settings.data)
        for one in keys.values():
            await _bring_keys_back(settings, one)
    return list(done.values())


async def restore_from_topic(settings: Settings, name: str, *, replace: bool) -> PutBack:
    """Refill one service's journal, which is lost, from its journal topic. Raises CannotDo."""
    services = discover()
    if name not in services:
        raise CannotDo(f"there is no service {name}: give one of {', '.join(services)}")
    if settings.cluster is None:
        raise CannotDo("FIELDLOOP_BUS is embedded: without Kafka there is no journal topic; restore a backup")
    done = PutBack(name)
    async with AsyncExitStack() as after:
        stage = settings.folder(STAGE)
        after.callback(shutil.rmtree, stage, ignore_errors=True)
        await _may_be_put(settings, [name], replace)
        copy = journal_in(stage, name)
        new_copy(copy).close()
        done.from_topic = await _roll_on(settings, name, copy)
        if not done.from_topic:
            raise CannotDo(f"the journal topic of {name} has no record: nothing was changed")
        await refold(copy, services[name])
        go_on_after_effects(copy, services[name], 0, only_sender=False)
        await _place(settings, {name: copy}, {name: done})
    return done


async def republish(settings: Settings, name: str, progress: Callable[[int], None]) -> int:
    """
    Fill a service's topics, which were lost, from its journal again. The services are stopped meanwhile.

    Whoever takes in from them begins at their start; what they have is dropped. Returns how many records were sent.
    """
    if settings.cluster is None:
        raise CannotDo("FIELDLOOP_BUS is embedded: there are no topics to fill")
    services = discover()
    if name not in services:
        raise CannotDo(f"there is no service {name}: give one of {', '.join(services)}")
    await ensure_topics(settings.cluster, PUBLISHERS)
    try:
        async with AsyncExitStack() as held:
            own = await held.enter_async_context(written_by_us(name, settings.data, settings.dsn))
            for other, service in services.items():
                if name in service.listens_to:
                    taker = await held.enter_async_context(written_by_us(other, settings.data, settings.dsn))
                    theirs = [one for one in await taker.offsets() if one.startswith(f"{public_topic(name)}/")]
                    if theirs:
                        await taker.commit(Batch(offsets=dict.fromkeys(theirs, 0)), (await taker.head()).position)
            return await republish_journal(name, own, settings.cluster, progress)
    except Taken as error:
        raise CannotDo(str(error)) from None


def _staged(stage: Path, name: str, source: Path) -> Path:
    copy = journal_in(stage, name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, copy)
    opened(copy).close()
    return copy


async def _may_be_put(settings: Settings, names: Collection[str], replace: bool) -> None:
    found = await there(list(names), settings.data, settings.dsn)
    if found and not replace:
        where = settings.store if settings.dsn else settings.data
        raise CannotDo(f"{where} has journals of {', '.join(found)}: with --replace they are moved aside")


async def _roll_on(settings: Settings, name: str, copy: Path) -> int:
    """What the journal topic has beyond the copy, appended to it."""
    assert settings.cluster
    topic = JournalTopic(name, settings.cluster)
    try:
        new = await append(copy, discover()[name], topic.pages())
    except Broken as error:
        raise CannotDo(f"{error}: nothing was changed") from None
    published_upto(copy, topic.last)
    return new


def _take_in_from_the_start(copies: Mapping[str, Path]) -> None:
    for copy in copies.values():
        db = opened(copy)
        db.execute("DELETE FROM offsets")
        db.close()


async def _place(settings: Settings, copies: Mapping[str, Path], done: Mapping[str, PutBack]) -> None:
    before = await there(list(copies), settings.data, settings.dsn)
    notes = {name: Kept(settings.checkpoint_folder, name) for name in copies}
    for name, copy in copies.items():
        done[name].incarnation = begin_life(copy, before.get(name, 1))
        db = opened(copy)
        done[name].position = head_of(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
    read_from = {name: _kept_copy(copy) for name, copy in copies.items()}
    aside = settings.data / "replaced" / f"{SystemClock().now():%Y%m%d-%H%M%S}"
    try:
        await put_in_place(copies, settings.data, settings.dsn, aside)
    except Taken as error:
        raise CannotDo(str(error)) from None
    signer = signer_of(settings)
    for name, kept in notes.items():
        done[name].signed_and_gone = sign_restored(read_from[name], kept, signer, SystemClock().now())


def _kept_copy(copy: Path) -> Path:
    """The copy under another name, for what is worked out once it is in place."""
    other = copy.with_name("to-sign.db")
    shutil.copyfile(copy, other)
    return other


async def _bring_keys_back(settings: Settings, folder: Path) -> None:
    """Those that are not there; then whoever was forgotten is forgotten again, accounts and all."""
    keys, owners = keys_of(folder / BOOK)
    ledger, now = ledger_of(settings), SystemClock().now()
    known = {(one.tenant, one.person) for one in ledger.all()}
    async with own_key_book(settings) as book:
        await book.bring_back(keys)
        await book.make((), {(tenant, person): owner for tenant, person, owner in owners})
        for tenant, person, _, secret in keys:
            # Who was forgotten when the copy was made is forgotten here, also where an older copy comes later.
            if secret is None and (tenant, person) not in known:
                await forget(book, ledger, Forgotten(tenant, person, "restore", now))
        await forget_again(book, ledger)
    for one in ledger.all():
        without_accounts(settings.data / USERS_FILE, one.tenant, one.person)

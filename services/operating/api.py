"""What is behind and what is missing in each service, and the proof of what it recorded: for auditors and operators."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, BinaryIO, Final

import msgspec
from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from services.chassis.clock import Clock
from services.chassis.http import Call, Problem, ServiceRouter, absent, query
from services.chassis.running import Running
from services.exporting.log import Format
from services.gateway.sessions import GatewayApi
from services.operating.behind import behind_of
from services.operating.checks import of_service, room
from services.operating.looking import EVENT_STREAM, Looking
from services.proof.inclusion import NotProvable, proof_of
from services.proof.kept import Kept
from services.proof.notes import BadNote, Verifier
from services.settings import Settings

MOST: Final = 2**63 - 1

_NOT_KEPT: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_NEWS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A stream: `progress` now and then, and at last `report`, or `refused` with the reason",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}

_MEDIA: Final[dict[Format, str]] = {
    "jsonl": "application/x-ndjson",
    "ocel2": "application/json",
    "xes": "application/xml",
    "parquet": "application/vnd.apache.parquet",
}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in _MEDIA.values()},
    }
}
_PIECE: Final = 2**18


class LagView(BaseModel):
    """How far one reader of the service has come; `at_least`: not the whole rest of the journal was looked at."""

    reader: str
    position: int
    events: int
    """Recorded since, of those that concern it."""
    seconds: float
    """Since the oldest of these was recorded."""
    at_least: bool


class HeldView(BaseModel):
    """One event of this tenant that waits with a policy."""

    policy: str
    key: str
    position: int
    event: str
    tries: int
    parked: bool
    reason: str


class AheadView(BaseModel):
    """Views of this release that are folded beside those of another one."""

    lacks: bool
    """What is served is another release's."""
    near: bool
    """The copy is near the end of the journal, and is read."""


class LagPage(BaseModel):
    service: str
    position: int
    """Where the journal ends."""
    lags: list[LagView]
    held: list[HeldView]
    stopped: dict[str, str]
    """Views that do not go on, each with the reason; of the process that answers, if it writes."""
    ahead: AheadView


class CheckView(BaseModel):
    """One thing that was looked at; `remedy` says what mends it."""

    what: str
    well: bool
    finding: str
    remedy: str


class DoctorPage(BaseModel):
    service: str
    well: bool
    checks: list[CheckView]


class ProofFile(BaseModel):
    """What `python deploy/check_proof.py FILE KEY` checks by itself."""

    fieldloop_proof: int
    subject: str
    key: str
    journals: dict[str, Any]


def routes(
    running: Mapping[str, Running], settings: Settings, clock: Clock, verifier: Verifier | None = None
) -> APIRouter:
    """The routes of all services that run in this process; without a verifier nothing can be proved."""
    api: Any = GatewayApi(clock)
    looking = Looking(settings)
    router = ServiceRouter(api, prefix="/v1/operations", tags=["operations"])

    def named(service: str) -> Running:
        if service not in running:
            raise absent("service", service)
        return running[service]

    @router.get("/{service}/lag", summary="Who is behind in a service, by events and seconds, and what is held back")
    async def lag(service: str, call: Call = query("auditor", "operator")) -> LagPage:
        one = named(service)
        found = await behind_of(settings, one.service, clock.now())
        held = [msgspec.to_builtins(each) for each in found.held if each.tenant == call.tenant]
        return LagPage(
            service=service,
            position=(await one.journal.head()).position,
            lags=[LagView(**_but(msgspec.to_builtins(each), "service")) for each in found.lags],
            held=[HeldView(**_but(each, "service", "tenant")) for each in held],
            stopped=one.projector.failed() if one.projector is not None else {},
            ahead=AheadView(lacks=one.ahead.lacks, near=one.ahead.near),
        )

    @router.get("/{service}/doctor", summary="What a service lacks, and what mends it")
    async def doctor(service: str, call: Call = query("auditor", "operator")) -> DoctorPage:
        checks = [room(settings), *await of_service(settings, named(service).service)]
        shown = [CheckView(**asdict(check)) for check in checks]
        return DoctorPage(service=service, well=all(check.well for check in checks), checks=shown)

    @router.get("/{service}/proof/{request_id}", summary="The proof of what a service recorded of a request")
    async def proof(
        service: str,
        request_id: Annotated[str, Path(max_length=200)],
        call: Call = query("auditor"),
    ) -> ProofFile:
        entries = await named(service).journal.story(call.tenant, request_id)
        if not entries:
            raise absent("request", request_id)
        if verifier is None:
            raise Problem("proof.unsigned")
        kept = {service: Kept(settings.checkpoint_folder, service)}
        try:
            return ProofFile(**proof_of(f"request {request_id}", {service: entries}, kept, verifier))
        except (NotProvable, BadNote) as why:
            raise Problem("proof.absent", reason=str(why)) from None

    @router.get(
        "/{service}/verification",
        summary="Whether all journals are what they were, and what is promised holds",
        responses=_NEWS,
        response_class=StreamingResponse,
    )
    async def verification(service: str, call: Call = query("auditor")) -> StreamingResponse:
        """
        As `fieldloop verify` does, of all journals, by a process beside the one that answers for this service.

        `progress` is how many events were read; `report` is what `fieldloop verify --json` prints. Where there are
        several tenants, a finding says its rule and place and no more.
        """
        named(service)
        return _news(await looking.asked("verification", service, call.tenant))

    @router.get(
        "/{service}/replay",
        summary="The tenant's events run through the views again, and how that differs from what lives",
        responses=_NEWS,
        response_class=StreamingResponse,
    )
    async def replay(
        service: str,
        call: Call = query("auditor"),
        first: Annotated[int | None, Query(ge=1, le=MOST, description="The first position")] = None,
        last: Annotated[int | None, Query(ge=1, le=MOST, description="The last position, included")] = None,
        request: Annotated[str, Query(max_length=200, description="Only this request's events: its id or number")] = "",
        speed: Annotated[int, Query(ge=1, le=100_000, description="Events a second")] = 2_000,
    ) -> StreamingResponse:
        """
        As `fieldloop replay` does: into a shadow copy, which is thrown away. Nothing is sent, asked or decided.

        `progress` is how many events were replayed; `report` is that of `fieldloop replay --json` for this service.
        Who ends the stream ends the replay.
        """
        named(service)
        chosen = {"first": first, "last": last, "request": request, "speed": speed}
        return _news(await looking.asked("replay", service, call.tenant, **chosen))

    @router.get(
        "/{service}/export",
        summary="The tenant's public events of all services, as one file for other tools",
        responses=_FILES,
        response_class=StreamingResponse,
    )
    async def export(
        service: str,
        call: Call = query("auditor"),
        form: Annotated[Format, Query(alias="format", description="jsonl is the records as they are")] = "jsonl",
    ) -> StreamingResponse:
        """As `fieldloop export` writes it, by a process beside the one that answers. Personal texts stay sealed."""
        named(service)
        file = await looking.exported(service, call.tenant, form)
        length = str(os.fstat(file.fileno()).st_size)
        headers = {"Content-Disposition": f'attachment; filename="log.{form}"', "Content-Length": length}
        return StreamingResponse(_pieces(file), media_type=_MEDIA[form], headers={**_NOT_KEPT, **headers})

    return router


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _news(stream: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(stream, media_type=EVENT_STREAM, headers=_NOT_KEPT)


def _but(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}

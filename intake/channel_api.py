"""How requests come in: each message of a channel once, e-mails as they are, and rounds of many devices at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final, Protocol

import phonenumbers
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import bindparam, select

from contracts.intake import NumberGiven, RequestSupplemented
from contracts.problems import Rejected
from intake.adapters.geocoder import Geocoder
from intake.adapters.mail import MOST_TEXT, Letter, NoMail, letter_of
from intake.commands import CorrectRequest, SubmitRequest, SupplementRequest
from intake.domain.form import REGION
from intake.photos_api import PhotoApi, attached
from intake.projections.registers import CUSTOMERS, DEVICES, SITES
from intake.projections.requests import REQUESTS
from services.chassis.clock import TENANT_ZONE, at_micros
from services.chassis.http import PHOTO_BYTES, Accepted, Body, Call, Problem, ServiceRouter, absent, command
from services.chassis.ids import derived_id
from services.chassis.service import Api

MOST_IN_A_ROUND: Final = 200
"""Requests that one call makes."""


def phone_text(phone: str) -> str:
    """A phone number in one spelling, E.164; the empty string for what is none."""
    try:
        number = phonenumbers.parse(phone, REGION)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email_text(address: str) -> str:
    return address.strip().lower()


async def indexes(call: Call, phone: str, email: str) -> dict[str, str]:
    """By what a customer is found whose phone number and address are kept sealed."""
    told = {"phone_index": phone_text(phone), "email_index": email_text(email)}
    return {name: await call.index(f"{name}:{text}") if text else "" for name, text in told.items()}


DEVICE_BY_ID = select(DEVICES.table).where(DEVICES.table.c.device_id == bindparam("device_id")).limit(1)
DEVICE_BY_SERIAL = select(DEVICES.table).where(DEVICES.table.c.serial == bindparam("serial")).limit(1)


async def device_facts(call: Call, serial: str, device_id: str) -> dict[str, str]:
    """The device that the register knows by its id or serial number, and what the decision reads because of it."""
    row = None
    if device_id:
        row = await call.one(DEVICE_BY_ID, device_id=device_id)
    elif serial:
        row = await call.one(DEVICE_BY_SERIAL, serial=serial)
    if row is None:
        return {"device_id": device_id}
    return {"device_id": row["device_id"], "device_model": row["model"], "device_site_id": row["site_id"]}


async def take(call: Call, map_: Geocoder, request_id: str, facts: Mapping[str, Any], said: str) -> Accepted:
    """
    Submit what a message says, once: its repeat gets the first answer, and another text under its name is refused.

    `facts` are those of SubmitRequest; `said` is all that the message says, for telling the two apart.
    """
    name = message_name(call, facts["message_id"])
    digest = hashlib.sha256(said.encode()).hexdigest() if name else ""
    about = await device_facts(call, facts["serial"], facts["device_id"]) | await located(map_, facts["address"])
    message = {"message_id": name, "message_digest": digest}
    day = call.now.astimezone(TENANT_ZONE).date().isoformat()
    try:
        answer = await call.ask(SubmitRequest(request_id=request_id, day=day, **{**facts, **about, **message}))
    except Rejected as no:
        return await _first_answer(no, name, digest, call)
    return Accepted.of(answer, id=request_id)


def message_name(call: Call, message_id: str) -> str:
    """
    The name under which a message is taken once: the channel's and, of whoever is not staff, their own.

    So nobody takes the name of another's message. Empty for what has no name.
    """
    return "/".join([one for one in (call.channel, call.person_id, message_id) if one]) if message_id else ""


async def _first_answer(no: Rejected, name: str, digest: str, call: Call) -> Accepted:
    """The answer that the first of a repeated message was given. What is another person's stays hidden."""
    if no.code != "channel-message.taken":
        raise no
    request_id = str(no.facts["owner"])
    row = await call.one(select(REQUESTS.table).where(REQUESTS.table.c.request_id == request_id))
    if row is None or not (call.role != "customer" or call.owns(row["customer_id"])):
        raise Rejected("channel-message.taken")
    if row["message_id"] != name:  # It supplemented a request that another one made.
        supplemented = (RequestSupplemented.__name__,)
        return Accepted(id=request_id, position=row["first_position"], version=row["version"], events=supplemented)
    # Of a forgotten person, and of messages from before there were digests, nothing is left to compare.
    if call.open(row["message_digest"]) not in ("", digest):
        raise Rejected("channel-message.other-content", request_id=request_id, number=row["number"])
    events = (NumberGiven.__name__, row["first_event"])
    return Accepted(id=request_id, position=row["first_position"], version=1, events=events)


def answers_of(row: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """What was answered to the form; of a forgotten person, nothing."""
    found: dict[str, Any] = json.loads(call.open(row["answers"]) or "{}")
    return found


async def located(map_: Geocoder, address: str) -> dict[str, Any]:
    """Where the map has an address."""
    return {"spots": tuple(await map_.locate(address))} if address else {}


async def supplemented(
    call: Call, map_: Geocoder, row: Mapping[str, Any], facts: Mapping[str, Any]
) -> SupplementRequest:
    """The supplement of a request of the view, with what was known of it before. `facts` are the new ones."""
    return SupplementRequest(request_id=row["request_id"], **await _with_what_is_known(call, map_, row, facts))


async def corrected(call: Call, map_: Geocoder, row: Mapping[str, Any], facts: Mapping[str, Any]) -> CorrectRequest:
    """The same of a correction."""
    said = await _with_what_is_known(call, map_, row, facts)
    received_at = None if row["received_at"] is None else at_micros(row["received_at"])
    return CorrectRequest(request_id=row["request_id"], under_way=row["under_way"], received_at=received_at, **said)


async def _with_what_is_known(
    call: Call, map_: Geocoder, row: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    known: dict[str, Any] = {
        f"known_{name}": row[name] for name in ("request_type", "customer_id", "device_id", "site_id")
    }
    known |= {"known_description": call.open(row["description"]), "known_answers": answers_of(row, call)}
    known |= {f"known_{name}": call.open(row[name]) for name in ("contact_phone", "address")}
    about = await device_facts(call, facts.get("serial", ""), facts.get("device_id", ""))
    named = {"device_id": about["device_id"]}
    stands = about if about["device_id"] else await device_facts(call, "", row["device_id"])
    spots = await located(map_, facts.get("address") or known["known_address"])
    return {**facts, **stands, **named, **known, **spots}


NOTHING: Final[Mapping[str, Any]] = {"serial": "", "device_id": "", "message_id": "", "address": ""}

MAIL: Mapping[str, Any] = {
    "requestBody": {"required": True, "content": {"message/rfc822": {"schema": {"type": "string"}}}}
}


class MailTaken(BaseModel):
    """What became of an e-mail."""

    taken: bool
    """False for what a machine wrote: it made no request, and must not be answered."""
    why: str
    """Why it was not taken."""
    request: Accepted | None


class NewRound(Body):
    """A request for each device of a customer, or for each site, as an inspection round goes."""

    round_id: str = Field(min_length=1, max_length=60, description="Yours: a round that is sent again makes nothing.")
    customer_id: str = Field(min_length=1, max_length=100)
    request_type: str = Field(min_length=1, max_length=100, examples=["inspection"])
    site_ids: list[Annotated[str, Field(max_length=100)]] = Field(
        [], max_length=MOST_IN_A_ROUND, description="Empty for all places of the customer's."
    )
    each: str = Field("device", pattern="^(device|site)$", description="One request for each `device`, or each `site`.")
    description: str = Field("", max_length=4_000)


class OfRound(BaseModel):
    device_id: str
    site_id: str
    request: Accepted


class IntakeApi(PhotoApi, Protocol):
    """What the routes of intake are given."""

    outside: Mapping[str, str]


def routes(api: IntakeApi, map_: Geocoder) -> APIRouter:
    router = ServiceRouter(api)
    router.include_router(_channels(api, map_))
    router.include_router(_rounds(api, map_))
    return router


def _channels(api: IntakeApi, map_: Geocoder) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/channels", tags=["channels"])

    @router.post(
        "/email",
        summary="Take an e-mail as the mail server has it",
        openapi_extra=dict(MAIL),
        max_body_size=PHOTO_BYTES,
    )
    async def email(
        call: Call = command("agent", "operator"),
        request_type: str = Query("", max_length=100, description="What this mailbox is for; empty if for anything."),
    ) -> MailTaken:
        call.came_by("email")
        try:
            letter = letter_of(await call.body())
        except NoMail as error:
            raise Problem("mail.unreadable", why=error.en, why_zh=error.zh) from None
        if letter.automatic:
            return MailTaken(taken=False, why=letter.automatic, request=None)
        request_id, sender = call.new_id(), await _sender(letter, call)
        if sender and (row := await _answered(letter, sender, call)):
            text = f"{call.open(row['description'])}\n\n{letter.text}"[-MOST_TEXT:]
            facts = {"description": text, "message_id": message_name(call, letter.message_id)}
            try:
                answer = await call.ask(await supplemented(call, map_, row, facts))
                made = Accepted.of(answer, id=row["request_id"])
            except Rejected as no:
                made = await _first_answer(no, facts["message_id"], letter.digest, call)
            await _attach(letter, made.id, call, api)
            return MailTaken(taken=True, why="", request=made)
        facts = {
            "customer_id": sender or request_id,
            "request_type": request_type,
            "description": letter.text,
            "message_id": letter.message_id,
        }
        made = await take(call, map_, request_id, {**NOTHING, **facts}, letter.digest)
        await _attach(letter, made.id, call, api)
        return MailTaken(taken=True, why="", request=made)

    return router


async def _attach(letter: Letter, request_id: str, call: Call, api: IntakeApi) -> None:
    """The pictures of a letter, each once. One that is none, or that comes too late, stays a name in the text."""
    row = await call.one(select(REQUESTS.table).where(REQUESTS.table.c.request_id == request_id))
    if row is None:
        return
    for number, picture in enumerate(letter.pictures):
        with suppress(Problem, Rejected):
            await attached(call, api, row, picture, derived_id("mail", letter.message_id, str(number)))


async def _sender(letter: Letter, call: Call) -> str:
    """The customer who writes: by the address, else by the one phone number in the text. Where two may be, nobody."""
    table = CUSTOMERS.table
    told = await indexes(call, "", letter.sender)
    found = await call.fetch(select(table.c.customer_id).where(table.c.email_index == told["email_index"]).limit(2))
    phones = {phone_text(match.raw_string) for match in phonenumbers.PhoneNumberMatcher(letter.text, REGION)}
    if not found and len(phones) == 1:
        told = await indexes(call, phones.pop(), "")
        found = await call.fetch(select(table.c.customer_id).where(table.c.phone_index == told["phone_index"]).limit(2))
    return str(found[0]["customer_id"]) if len(found) == 1 else ""


async def _answered(letter: Letter, sender: str, call: Call) -> Mapping[str, Any] | None:
    """The request of the sender's that the letter names by its number, while something is missing from it."""
    number = re.search(r"\bR-\d{6}-\d{4,8}\b", letter.text)
    if number is None:
        return None
    table = REQUESTS.table
    hers = (table.c.number == number.group()) & (table.c.customer_id == sender)
    return await call.one(select(table).where(hers, table.c.state == "incomplete"))


def _rounds(api: Api, map_: Geocoder) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/requests", tags=["requests"])

    @router.post("/rounds", summary="Submit one request for each device or site of a customer")
    async def round_of(body: NewRound, call: Call = command("agent", "manager")) -> list[OfRound]:
        made = []
        for device_id, site_id in await _stops(body, call):
            about = device_id or site_id or body.customer_id
            facts = {
                "customer_id": body.customer_id,
                "request_type": body.request_type,
                "description": body.description,
                "device_id": device_id,
                "site_id": site_id,
                "message_id": f"{body.round_id}/{about}",
            }
            request = await take(
                call, map_, call.new_id(), {**NOTHING, **facts}, body.model_dump_json(exclude={"site_ids"})
            )
            made.append(OfRound(device_id=device_id, site_id=site_id, request=request))
        return made

    return router


async def _stops(body: NewRound, call: Call) -> Sequence[tuple[str, str]]:
    """Device and site of each request. A place without a device is one stop by itself."""
    customer = await call.one(select(CUSTOMERS.table).where(CUSTOMERS.table.c.customer_id == body.customer_id))
    if customer is None:
        raise absent("customer", body.customer_id)
    sites, devices = SITES.table, DEVICES.table
    known = await call.fetch(
        select(sites.c.site_id).where(sites.c.customer_id == body.customer_id).order_by(sites.c.site_id)
    )
    places = [row["site_id"] for row in known]
    if strange := next((one for one in body.site_ids if one not in places), ""):
        raise absent("site", strange)
    wanted = [one for one in ["", *places] if one in body.site_ids or not body.site_ids]
    rows = select(devices.c.device_id, devices.c.site_id).where(devices.c.customer_id == body.customer_id)
    standing = await call.fetch(rows.order_by(devices.c.device_id))
    stops: list[tuple[str, str]] = []
    for place in wanted:
        here = [row["device_id"] for row in standing if row["site_id"] == place]
        if body.each == "device" and here:
            stops += [(device_id, place) for device_id in here]
        elif place or here or not places:
            stops.append(("", place))
    if len(stops) > MOST_IN_A_ROUND:
        raise Problem("round.too-long", requests=len(stops), most=MOST_IN_A_ROUND)
    return stops

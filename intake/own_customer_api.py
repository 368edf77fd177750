"""The route by which a customer says who she is and where, such as a guest who asks for the first time."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from sqlalchemy import select

from intake.adapters.geocoder import Geocoder
from intake.domain.register import customer_stream
from intake.placing import Where
from intake.projections.registers import CUSTOMERS
from intake.register_api import NewCustomer, customer_command
from services.chassis.http import Accepted, Call, ServiceRouter, command
from services.chassis.messages.kinds import Language
from services.chassis.service import Api


class OwnDetails(Where):
    """Who she is and where service is wanted; what staff keeps of her beside it stays as it is."""

    name: str = Field(min_length=1, max_length=200)
    phone: str = Field(min_length=5, max_length=40)
    street: str = Field("", max_length=400, description="As people write it, with province, city and district.")
    language: Language = Field("zh", description="In which messages to her are.")


KEPT = ("kind", "email", "wechat", "quiet_hours")


def own_customer_routes(api: Api, map_: Geocoder) -> ServiceRouter:
    router = ServiceRouter(api, prefix="/v1/customers", tags=["customers"])
    table = CUSTOMERS.table

    @router.post("/me", status_code=201, summary="Say who you are and where service is wanted; all of it as it is now")
    async def say(body: OwnDetails, call: Call = command("customer")) -> Accepted:
        row = await call.one(select(table).where(table.c.customer_id == call.person_id))
        known: dict[str, Any] = {name: row[name] for name in KEPT} if row else {}
        known |= {name: call.open(known[name]) for name in ("email", "wechat") if name in known}
        asked = await customer_command(NewCustomer(**known | body.model_dump()), call.person_id, call, map_)
        answer = await call.ask(asked, versioned=customer_stream(call.person_id))
        return Accepted.of(answer, id=call.person_id)

    return router

"""How the staff is reached."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.intake import ContactSet
from services.chassis.views import Rows, View


def apply(rows: Rows, event: ContactSet, envelope: Envelope) -> None:
    rows.put(
        event.person_id,
        version=envelope.version,
        role=event.role,
        phone=event.phone,
        email=event.email,
        wechat=event.wechat,
        language=event.language,
        quiet_hours=event.quiet_hours,
    )


CONTACTS = View(
    name="contacts",
    version=1,
    key={"person_id": str},
    columns={"version": 0, "role": "", "phone": "", "email": "", "wechat": "", "language": "zh", "quiet_hours": ""},
    reads=(ContactSet,),
    apply=apply,
    indexes=(("role",),),
)

OF_PERSON: Final = select(CONTACTS.table).where(
    CONTACTS.table.c.tenant == bindparam("tenant"), CONTACTS.table.c.person_id == bindparam("person_id")
)
OF_ROLE: Final = select(CONTACTS.table).where(
    CONTACTS.table.c.tenant == bindparam("tenant"), CONTACTS.table.c.role == bindparam("role")
)

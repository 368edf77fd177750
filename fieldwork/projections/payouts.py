"""What suppliers and engineers are paid: the terms, each share of a visit as it stands, who sent an engineer when."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import EngineerRegistered
from contracts.envelope import Envelope
from contracts.fieldwork import (
    PayoutCorrected,
    PayoutDecided,
    PayoutDisputed,
    PayoutDisputeResolved,
    PayoutPaid,
    PayoutShare,
    PayoutTermsDefined,
)
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply_terms(rows: Rows, event: PayoutTermsDefined, envelope: Envelope) -> None:
    said = msgspec.structs.asdict(event) | {"effective_from": micros(event.effective_from)}
    key = said.pop("payee"), said.pop("payee_id"), said.pop("version")
    rows.put(*key, **said)


PAYOUT_TERMS = View(
    name="payout_terms",
    version=1,
    key={"payee": str, "payee_id": str, "version": int},
    columns={
        "effective_from": 0,
        "visit_fen": 0,
        "labour_percent": 0,
        "parts_percent": 0,
        "travel_percent": 0,
        "in_vain_fen": 0,
    },
    reads=(PayoutTermsDefined,),
    apply=apply_terms,
)


def apply_supplier(rows: Rows, event: EngineerRegistered, envelope: Envelope) -> None:
    rows.put(event.engineer_id, micros(envelope.time), supplier=event.supplier)


SUPPLIERS = View(
    name="engineer_suppliers",
    version=1,
    key={"engineer_id": str, "since": int},
    columns={"supplier": ""},
    reads=(EngineerRegistered,),
    apply=apply_supplier,
)

SUPPLIER_THEN: Final = (
    select(SUPPLIERS.table.c.supplier)
    .where(
        SUPPLIERS.table.c.tenant == bindparam("tenant"),
        SUPPLIERS.table.c.engineer_id == bindparam("engineer_id"),
        SUPPLIERS.table.c.since <= bindparam("at"),
    )
    .order_by(SUPPLIERS.table.c.since.desc())
    .limit(1)
)
"""Who sent her at that time."""

PayoutEvent = PayoutDecided | PayoutCorrected | PayoutDisputed | PayoutDisputeResolved | PayoutPaid


def apply(rows: Rows, event: PayoutEvent, envelope: Envelope) -> None:
    if isinstance(event, PayoutDecided | PayoutCorrected):
        for share in event.shares:
            rows.put(event.visit_id, share.payee, share.payee_id, **_facts(share), charged_fen=event.charged_fen)
            if isinstance(event, PayoutDecided):
                rows.put(
                    event.visit_id,
                    share.payee,
                    share.payee_id,
                    order_id=event.order_id,
                    request_id=event.request_id,
                    engineer_id=event.engineer_id,
                    supplier=event.supplier,
                    worked_at=micros(event.worked_at),
                )
        return
    key = event.visit_id, event.payee, event.payee_id
    if isinstance(event, PayoutPaid):
        known = rows.get(*key)
        paid_fen = (known["paid_fen"] if known else 0) + event.paid_fen
        rows.put(*key, paid_fen=paid_fen, reference=event.reference, paid_at=micros(event.paid_at))
    elif isinstance(event, PayoutDisputed):
        rows.put(
            *key,
            state="open",
            asked_fen=event.asked_fen,
            reason=event.reason,
            disputed_at=micros(event.disputed_at),
            answer="",
            resolved_at=None,
        )
    else:
        state = "corrected" if event.correction else "stands"
        rows.put(*key, state=state, answer=event.answer, resolved_at=micros(event.resolved_at))


def _facts(share: PayoutShare) -> dict[str, str | int]:
    amounts = {f"{name}_fen": getattr(share, f"{name}_fen") for name in ("visit", "labour", "parts", "travel")}
    said = {"terms_id": share.terms_id, "terms_version": share.terms_version, "adjusted_fen": share.adjusted_fen}
    return amounts | said | {"payout_fen": share.payout_fen}


PAYOUTS = View(
    name="payouts",
    version=1,
    key={"visit_id": str, "payee": str, "payee_id": str},
    columns={
        "order_id": "",
        "request_id": "",
        "engineer_id": "",
        "supplier": "",
        "worked_at": 0,
        "charged_fen": 0,
        "terms_id": "",
        "terms_version": 0,
        "visit_fen": 0,
        "labour_fen": 0,
        "parts_fen": 0,
        "travel_fen": 0,
        "adjusted_fen": 0,
        "payout_fen": 0,
        "paid_fen": 0,
        "reference": "",
        "paid_at": (int, None),
        "state": "",
        "asked_fen": 0,
        "reason": "",
        "disputed_at": (int, None),
        "answer": "",
        "resolved_at": (int, None),
    },
    reads=(PayoutDecided, PayoutCorrected, PayoutDisputed, PayoutDisputeResolved, PayoutPaid),
    apply=apply,
    indexes=(("payee", "payee_id", "worked_at"), ("worked_at",)),
)

PAYOUT_OF_VISIT: Final = select(PAYOUTS.table.c.engineer_id, PAYOUTS.table.c.supplier, PAYOUTS.table.c.worked_at).where(
    PAYOUTS.table.c.tenant == bindparam("tenant"), PAYOUTS.table.c.visit_id == bindparam("visit_id")
)

"""Every raising of every alert, with who follows it and how it ended."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.quality import (
    GroupAlertRaised,
    QualityAlertClosed,
    QualityAlertFollowed,
    QualityAlertRaised,
    QualityAlertRecovered,
    Window,
)
from services.chassis.clock import micros
from services.chassis.views import Rows, View

AlertEvent = QualityAlertRaised | GroupAlertRaised | QualityAlertFollowed | QualityAlertRecovered | QualityAlertClosed


def apply(rows: Rows, event: AlertEvent, envelope: Envelope) -> None:
    key, at = (event.alert_id, event.raising), micros(envelope.time)
    rows.put(*key, version=envelope.version)
    match event:
        case QualityAlertRaised() | GroupAlertRaised():
            rows.put(
                *key,
                kind=event.kind,
                watched=event.of,
                subject=event.subject,
                state="raised",
                limit_percent=event.limit_percent,
                windows=msgspec.json.encode(event.windows).decode(),
                baseline=msgspec.json.encode((event.baseline,) if event.baseline else ()).decode(),
                raised_at=at,
            )
        case QualityAlertFollowed():
            rows.put(*key, state="followed", owner_id=event.owner_id, measure=event.measure)
        case QualityAlertRecovered():
            rows.put(*key, state="recovered", ended_at=at, end_windows=msgspec.json.encode(event.windows).decode())
        case QualityAlertClosed():
            rows.put(*key, state="closed", ended_at=at, effect=event.effect)


def windows_of(text: str) -> list[Window]:
    return msgspec.json.decode(text, type=list[Window])


ALERTS = View(
    name="alerts",
    version=3,
    key={"alert_id": str, "raising": int},
    columns={
        "version": 0,
        "kind": "",
        "watched": "",
        "subject": "",
        "state": "",
        "limit_percent": 0,
        "windows": "[]",
        "end_windows": "[]",
        "baseline": "[]",
        "raised_at": 0,
        "ended_at": (int, None),
        "owner_id": "",
        "measure": "",
        "effect": "",
    },
    reads=(QualityAlertRaised, GroupAlertRaised, QualityAlertFollowed, QualityAlertRecovered, QualityAlertClosed),
    apply=apply,
    indexes=(("raised_at",), ("ended_at",)),
)

_t = ALERTS.table.c
OPEN: Final = _t.ended_at.is_(None)
OPEN_ALERTS: Final = select(_t.alert_id).where(_t.tenant == bindparam("tenant"), OPEN)

"""Files of customers or devices: each row is taken or refused by itself."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.problems import Rejected
from intake.adapters.sheets import SheetRow, Unreadable, reject_file, rows_of
from services.chassis.http import (
    Body,
    Call,
    Problem,
)


class Refused(BaseModel):
    """A row that was not taken."""

    line: int
    why: str


class Imported(BaseModel):
    """What became of the rows of a file: each is taken or refused by itself. One that is sent again changes nothing."""

    taken: int
    refused: list[Refused]
    reject_file: str
    """CSV of the refused rows with the reason: correct it and send it again. Empty if all were taken."""


SHEET: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                "schema": {"type": "string", "format": "binary"}
            },
        },
    }
}

AT_ONCE = 32
"""Rows of one file that are decided at a time."""

Row = TypeVar("Row", bound=Body)


async def imported(call: Call, kind: type[Row], register: Callable[[Row, str], Awaitable[Any]]) -> Imported:
    try:
        rows = await asyncio.to_thread(rows_of, await call.body())
    except Unreadable as error:
        raise Problem("sheet.unreadable", why=error.en, why_zh=error.zh) from None
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(row: SheetRow) -> str:
        try:
            said = kind(**row.cells)
        except ValidationError as error:
            return call.fields_said([dict(one) for one in error.errors()])
        content = hashlib.sha256(said.model_dump_json().encode()).hexdigest()
        async with gate:
            try:
                await register(said, f"{kind.__name__}/{content}")
            except Rejected as no:
                told = call.said(no.code, no.facts)
                return f"{no.code}: {' '.join([told['title'], told['detail'], told['remedy']]).strip()}"
        return ""

    answers = await asyncio.gather(*[one(row) for row in rows])
    refused = [(row, why) for row, why in zip(rows, answers, strict=True) if why]
    return Imported(
        taken=len(rows) - len(refused),
        refused=[Refused(line=row.line, why=why) for row, why in refused],
        reject_file=reject_file(refused),
    )

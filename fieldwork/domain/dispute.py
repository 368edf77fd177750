"""A dispute: one of those who pay does not agree with a charge, and a manager decides what it comes to."""

from __future__ import annotations

from contracts.event import Event
from contracts.fieldwork import ChargeDisputed, ChargeDisputeResolved, ChargeLine, DisputedLine
from contracts.problems import Rejected
from fieldwork.commands import DisputeCharge, ResolveDispute
from fieldwork.domain.charge import Charged, by_hand, corrected, must_be_charged


def dispute(charged: Charged | None, command: DisputeCharge) -> list[Event]:
    """
    Raises Rejected where nothing was charged, for a line that the charge does not have, for a payer who pays nothing of
    these lines, and while another dispute of it is open; the same payer's about the same lines again changes nothing.
    """
    known = must_be_charged(charged, command.visit_id)
    named = tuple([DisputedLine(one.kind, one.item) for one in command.lines])
    if known.dispute is not None:
        if (known.dispute.disputed_by, known.dispute.lines) == (command.disputed_by, named):
            return []
        raise Rejected("charge.disputed", visit_id=command.visit_id, disputed_by=known.dispute.disputed_by)
    lines = {(one.kind, one.item): one for one in known.lines}
    for one in named:
        if (one.kind, one.item) not in lines:
            raise Rejected("charge.no-such-line", visit_id=command.visit_id, kind=one.kind, item=one.item)
    about = [lines[one.kind, one.item] for one in dict.fromkeys(named)] or list(known.lines)
    disputed_fen = sum(paid_by(one)[command.disputed_by] for one in about)
    if not disputed_fen:
        raise Rejected("charge.pays-nothing", visit_id=command.visit_id, disputed_by=command.disputed_by)
    return [
        ChargeDisputed(
            visit_id=known.first.visit_id,
            order_id=known.first.order_id,
            request_id=known.first.request_id,
            customer_id=known.first.customer_id,
            number=known.disputes + 1,
            disputed_by=command.disputed_by,
            lines=named,
            reason=command.reason,
            disputed_fen=disputed_fen,
            disputed_at=command.at,
        )
    ]


def paid_by(line: ChargeLine) -> dict[str, int]:
    """Who pays how much of a line, fen; together `gross_fen`."""
    covered = {"warranty": "maker", "contract": "contract"}.get(line.coverage_kind, "")
    return {
        "maker": line.covered_fen if covered == "maker" else 0,
        "contract": line.covered_fen if covered == "contract" else 0,
        "company": line.company_fen,
        "customer": line.gross_fen - line.covered_fen - line.company_fen,
    }


def resolve(charged: Charged | None, command: ResolveDispute) -> list[Event]:
    """
    The correction, where one follows, and the end of the dispute, together or not at all.

    Raises Rejected where none is open, and as a correction by hand does.
    """
    known = must_be_charged(charged, command.visit_id)
    if known.dispute is None:
        raise Rejected("charge.not-disputed", visit_id=command.visit_id)
    correction = corrected(known, by_hand(known, command.lines), reason="by-hand", at=command.at, note=command.answer)
    return [
        *correction,
        ChargeDisputeResolved(
            visit_id=known.first.visit_id,
            order_id=known.first.order_id,
            request_id=known.first.request_id,
            customer_id=known.first.customer_id,
            number=known.dispute.number,
            correction=known.corrections + 1 if correction else 0,
            answer=command.answer,
            resolved_at=command.at,
        ),
    ]

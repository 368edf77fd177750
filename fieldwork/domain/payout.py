"""
What the engineer of a visit, and the supplier who sent her, are paid for it, and what we keep.

The third side of a settlement: the charge says what customer, maker and contract pay, this says who gets it. All in
fen; each amount is rounded by itself, half a fen upwards, and what we keep is the exact rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from contracts.event import Event
from contracts.fieldwork import (
    Payee,
    PayoutCorrected,
    PayoutDecided,
    PayoutDisputed,
    PayoutDisputeResolved,
    PayoutPaid,
    PayoutShare,
    PayoutTermsDefined,
)
from contracts.problems import NotYet, Rejected
from fieldwork.commands import DecidePayout, DefinePayoutTerms, DisputePayout, PayOut, ResolvePayoutDispute
from fieldwork.domain.charge import Charged, charge_stream
from fieldwork.domain.visit import plan_of, visit_stream
from services.chassis.journal.rules import States, Stream

STANDARD: Final = "standard"

Who = tuple[Payee, str]
Terms = tuple[PayoutTermsDefined, ...]
"""Every version, in order."""


@dataclass(frozen=True)
class Payout:
    """The shares of a visit as they stand."""

    first: PayoutDecided
    shares: tuple[PayoutShare, ...]
    corrections: int = 0
    disputes: int = 0
    disputed: Mapping[Who, PayoutDisputed] = field(default_factory=dict)
    paid_fen: Mapping[Who, int] = field(default_factory=dict)

    def due_fen(self, who: Who) -> int:
        """What is still to be paid of a share."""
        share = next((one for one in self.shares if (one.payee, one.payee_id) == who), None)
        return (share.payout_fen if share else 0) - self.paid_fen.get(who, 0)


def payout_stream(visit_id: str) -> str:
    return f"payout/{visit_id}"


def terms_stream(payee: Payee, payee_id: str) -> str:
    return f"payout-terms/{payee}/{payee_id}"


def define_terms(terms: Terms, command: DefinePayoutTerms) -> list[Event]:
    def version(number: int) -> PayoutTermsDefined:
        return PayoutTermsDefined(version=number, **command.model_dump())

    return [] if terms and version(len(terms)) == terms[-1] else [version(len(terms) + 1)]


def in_force(terms: Terms, at: datetime) -> PayoutTermsDefined | None:
    """Of two that begin at the same time the later version puts the earlier one right."""
    begun = [one for one in terms if one.effective_from <= at]
    return max(begun, key=lambda one: (one.effective_from, one.version)) if begun else None


# What follows from a charge.


def decide_reads(command: DecidePayout) -> tuple[str, ...]:
    terms = [terms_stream("engineer", command.engineer_id)]
    if command.supplier:
        terms += [terms_stream("supplier", command.supplier), terms_stream("supplier", STANDARD)]
    else:
        terms += [terms_stream("engineer", STANDARD)]
    streams = payout_stream(command.visit_id), charge_stream(command.visit_id), visit_stream(command.visit_id)
    return *streams, *dict.fromkeys(terms)


def decide(states: States, command: DecidePayout) -> list[Event]:
    """The shares of a charge that is new or was corrected; those that were agreed on once keep their terms."""
    charged: Charged | None = states[charge_stream(command.visit_id)]
    known: Payout | None = states[payout_stream(command.visit_id)]
    if charged is None:
        return []
    if known is not None:
        shares = tuple(
            [_share(_terms_of(states, one), charged, one.adjusted_fen, one.payee_id) for one in known.shares]
        )
        return _corrected(known, shares, _charged_fen(charged), reason="charge-corrected", at=command.at)
    if plan_of(states[visit_stream(command.visit_id)]).engineer_id != command.engineer_id:
        raise NotYet(f"the view has another engineer for visit {command.visit_id}")
    agreed = [(payee_id, _agreed(states, command, payee, payee_id)) for payee, payee_id in _payees(command)]
    shares = tuple([_share(terms, charged, 0, payee_id) for payee_id, terms in agreed if terms])
    if not shares:
        return []
    return [
        PayoutDecided(
            **_ids(charged, command.visit_id),
            engineer_id=command.engineer_id,
            supplier=command.supplier,
            worked_at=command.worked_at,
            charged_fen=_charged_fen(charged),
            shares=shares,
            kept_fen=_kept(_charged_fen(charged), shares),
            decided_at=command.at,
        )
    ]


def _payees(command: DecidePayout) -> list[Who]:
    supplier: list[Who] = [("supplier", command.supplier)] if command.supplier else []
    return [*supplier, ("engineer", command.engineer_id)]


def _agreed(states: States, command: DecidePayout, payee: Payee, payee_id: str) -> PayoutTermsDefined | None:
    """The payee's own terms, else the standard; those of our engineers are not those of a supplier's."""
    own = in_force(states[terms_stream(payee, payee_id)], command.worked_at)
    if own is not None or (payee == "engineer" and command.supplier):
        return own
    return in_force(states[terms_stream(payee, STANDARD)], command.worked_at)


def _terms_of(states: States, share: PayoutShare) -> PayoutTermsDefined:
    """The version that was agreed. Raises NotYet where the command does not name its stream."""
    stream = terms_stream(share.payee, share.terms_id)
    if stream not in states:
        raise NotYet(f"the view has not seen {stream}")
    terms: Terms = states[stream]
    return terms[share.terms_version - 1]


def _share(terms: PayoutTermsDefined, charged: Charged, adjusted_fen: int, payee_id: str) -> PayoutShare:
    gross: dict[str, int] = {"labour": 0, "part": 0, "travel": 0}
    for line in charged.lines:
        gross[line.kind] += line.gross_fen
    in_vain = charged.first.in_vain

    def percent(kind: str, of: int) -> int:
        # Half upwards, in whole numbers: a float does not know every fen.
        return 0 if in_vain else (2 * gross[kind] * of + 100) // 200

    return PayoutShare(
        payee=terms.payee,
        payee_id=payee_id,
        terms_id=terms.payee_id,
        terms_version=terms.version,
        visit_fen=terms.in_vain_fen if in_vain else terms.visit_fen,
        labour_fen=percent("labour", terms.labour_percent),
        parts_fen=percent("part", terms.parts_percent),
        travel_fen=percent("travel", terms.travel_percent),
        adjusted_fen=adjusted_fen,
    )


def _charged_fen(charged: Charged) -> int:
    return sum(line.gross_fen for line in charged.lines)


def _kept(charged_fen: int, shares: Iterable[PayoutShare]) -> int:
    return charged_fen - sum(one.payout_fen for one in shares)


def _ids(charged: Charged, visit_id: str) -> dict[str, Any]:
    return {"visit_id": visit_id, "order_id": charged.first.order_id, "request_id": charged.first.request_id}


def _ids_of(known: Payout) -> dict[str, Any]:
    return {name: getattr(known.first, name) for name in ("visit_id", "order_id", "request_id", "engineer_id")}


def _corrected(
    known: Payout,
    shares: tuple[PayoutShare, ...],
    charged_fen: int,
    *,
    reason: Literal["charge-corrected", "dispute-resolved"],
    at: datetime,
) -> list[Event]:
    """Nothing where it comes to the very same."""
    if shares == known.shares:
        return []
    return [
        PayoutCorrected(
            **_ids_of(known),
            number=known.corrections + 1,
            reason=reason,
            charged_fen=charged_fen,
            before=known.shares,
            shares=shares,
            kept_fen=_kept(charged_fen, shares),
            corrected_at=at,
        )
    ]


# Disputes and payment.


def _must_have_share(known: Payout | None, visit_id: str, who: Who) -> tuple[Payout, PayoutShare]:
    share = next((one for one in known.shares if (one.payee, one.payee_id) == who), None) if known else None
    if known is None or share is None:
        raise Rejected("payout.none", visit_id=visit_id, payee=who[0], payee_id=who[1])
    return known, share


def dispute(known: Payout | None, command: DisputePayout) -> list[Event]:
    """Raises Rejected where they have no share of the visit, and while another dispute of theirs is open."""
    who: Who = command.payee, command.payee_id
    payout, _ = _must_have_share(known, command.visit_id, who)
    if (before := payout.disputed.get(who)) is not None:
        if before.asked_fen == command.asked_fen:
            return []
        raise Rejected("payout.disputed", visit_id=command.visit_id, payee=who[0], payee_id=who[1])
    return [
        PayoutDisputed(
            **_ids_of(payout),
            number=payout.disputes + 1,
            payee=command.payee,
            payee_id=command.payee_id,
            asked_fen=command.asked_fen,
            reason=command.reason,
            disputed_at=command.at,
        )
    ]


def resolve_reads(command: ResolvePayoutDispute) -> tuple[str, ...]:
    return payout_stream(command.visit_id), charge_stream(command.visit_id)


def resolve(states: States, command: ResolvePayoutDispute) -> list[Event]:
    """The correction, where one follows, and the end of the dispute, together. Raises Rejected where none is open."""
    who: Who = command.payee, command.payee_id
    charged: Charged = states[charge_stream(command.visit_id)]
    payout, share = _must_have_share(states[payout_stream(command.visit_id)], command.visit_id, who)
    if (opened := payout.disputed.get(who)) is None:
        raise Rejected("payout.not-disputed", visit_id=command.visit_id, payee=who[0], payee_id=who[1])
    shares = payout.shares
    if command.payout_fen is not None:
        more = command.payout_fen - share.payout_fen
        said = msgspec.structs.replace(share, adjusted_fen=share.adjusted_fen + more)
        shares = tuple([said if one is share else one for one in shares])
    correction = _corrected(payout, shares, _charged_fen(charged), reason="dispute-resolved", at=command.at)
    return [
        *correction,
        PayoutDisputeResolved(
            **_ids_of(payout),
            number=opened.number,
            payee=command.payee,
            payee_id=command.payee_id,
            correction=payout.corrections + 1 if correction else 0,
            answer=command.answer,
            resolved_at=command.at,
        ),
    ]


def pay_reads(command: PayOut) -> tuple[str, ...]:
    return tuple([payout_stream(visit_id) for visit_id in dict.fromkeys(command.visit_ids)])


def pay(states: States, command: PayOut) -> list[Event]:
    """
    All of these visits or none. Raises Rejected where they have no share of one, it is disputed, or nothing is due.
    """
    who: Who = command.payee, command.payee_id
    events: list[Event] = []
    for visit_id in dict.fromkeys(command.visit_ids):
        payout, _ = _must_have_share(states[payout_stream(visit_id)], visit_id, who)
        if who in payout.disputed:
            raise Rejected("payout.disputed", visit_id=visit_id, payee=who[0], payee_id=who[1])
        if not (due_fen := payout.due_fen(who)):
            raise Rejected("payout.nothing-due", visit_id=visit_id, payee=who[0], payee_id=who[1])
        events.append(
            PayoutPaid(
                **_ids_of(payout),
                payee=command.payee,
                payee_id=command.payee_id,
                paid_fen=due_fen,
                reference=command.reference,
                paid_at=command.at,
            )
        )
    return events


PayoutEvent = PayoutDecided | PayoutCorrected | PayoutDisputed | PayoutDisputeResolved | PayoutPaid


def evolve(known: Payout | None, event: PayoutEvent) -> Payout | None:
    if isinstance(event, PayoutDecided):
        return Payout(event, event.shares)
    if known is None:
        return None
    if isinstance(event, PayoutCorrected):
        return replace(known, shares=event.shares, corrections=event.number)
    who: Who = event.payee, event.payee_id
    if isinstance(event, PayoutDisputed):
        return replace(known, disputes=event.number, disputed={**known.disputed, who: event})
    if isinstance(event, PayoutDisputeResolved):
        return replace(known, disputed={other: one for other, one in known.disputed.items() if other != who})
    paid_fen = known.paid_fen.get(who, 0) + event.paid_fen
    return replace(known, paid_fen={**known.paid_fen, who: paid_fen})


def evolve_terms(terms: Terms, event: PayoutTermsDefined) -> Terms:
    return (*terms, event)


PAYOUT: Stream[Payout | None] = Stream("payout", None, evolve)
PAYOUT_TERMS: Stream[Terms] = Stream("payout-terms", (), evolve_terms)

"""What a supplier and an engineer are paid for a visit: by their terms, to the fen, disputed, corrected, paid once."""

from datetime import timedelta

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from contracts.dispatcher import EngineerRegistered
from contracts.fieldwork import (
    ChargeCorrected,
    PayoutCorrected,
    PayoutDecided,
    PayoutDisputed,
    PayoutDisputeResolved,
    PayoutPaid,
    PayoutTermsDefined,
)
from contracts.problems import NotYet
from fieldwork.commands import (
    DecidePayout,
    DefinePayoutTerms,
    DisputePayout,
    LineCorrection,
    PayOut,
    ResolvePayoutDispute,
)
from fieldwork.projections.payouts import PAYOUT_TERMS, PAYOUTS, SUPPLIERS
from fieldwork.service import RULES
from tests.fieldwork.examples import ON_THE_WAY, aborted, minute
from tests.fieldwork.test_api import story, walk
from tests.fieldwork.test_charge import PRICES, charge, prices
from tests.fieldwork.test_entitlement import correct, planned_order, story_of
from tests.fold import assert_same_rows_shuffled
from tests.given import NOW, spec_for

given = spec_for(RULES)
LONG_AGO = NOW - timedelta(days=99)


def terms(payee="supplier", payee_id="standard", version=1, **changes):
    said = {"visit_fen": 2_000, "labour_percent": 50, "parts_percent": 10, "travel_percent": 100, "in_vain_fen": 700}
    named = {"payee": payee, "payee_id": payee_id, "version": version, "effective_from": LONG_AGO}
    return PayoutTermsDefined(**named | said | changes)


OURS = terms("engineer", visit_fen=300, labour_percent=0, parts_percent=0, travel_percent=0, in_vain_fen=0)


def decide(supplier="Nord", engineer_id="e-1"):
    said = {"worked_at": minute(30), "at": minute(110)}
    return DecidePayout(visit_id="v-1", engineer_id=engineer_id, supplier=supplier, **said)


def dispute(asked_fen=20_000, payee="supplier", payee_id="Nord"):
    said = {"asked_fen": asked_fen, "reason": "two were there", "at": minute(200)}
    return DisputePayout(visit_id="v-1", payee=payee, payee_id=payee_id, **said)


def resolve(payout_fen=None, payee="supplier", payee_id="Nord"):
    said = {"payout_fen": payout_fen, "answer": "so be it", "at": minute(300)}
    return ResolvePayoutDispute(visit_id="v-1", payee=payee, payee_id=payee_id, **said)


def pay(*visit_ids, payee="supplier", payee_id="Nord"):
    ids = visit_ids or ("v-1",)
    return PayOut(payee=payee, payee_id=payee_id, visit_ids=ids, reference="2026-11", at=minute(400))


def decided_of(*agreed, supplier="Nord"):
    past = [*agreed, *story_of()]
    return [*past, *given(*past).when(decide(supplier)).then_types(PayoutDecided)]


def test_a_supplier_is_paid_by_its_terms_and_what_is_kept_is_the_exact_rest():
    (told,) = decided_of(terms())[-1:]
    (share,) = told.shares
    # Labour 9,000 and travel 5,000 of the list; the fan 3,333.
    assert told.charged_fen == 17_333
    assert (share.visit_fen, share.labour_fen, share.parts_fen, share.travel_fen) == (2_000, 4_500, 333, 5_000)
    assert (share.payout_fen, told.kept_fen) == (11_833, 17_333 - 11_833)


def test_an_engineer_of_ours_has_the_terms_of_ours_and_a_suppliers_only_her_own():
    (ours,) = decided_of(terms(), OURS, supplier="")[-1].shares
    assert (ours.payee, ours.payee_id, ours.terms_id, ours.payout_fen) == ("engineer", "e-1", "standard", 300)
    assert [one.payee for one in decided_of(terms(), OURS)[-1].shares] == ["supplier"]
    both = decided_of(terms(), OURS, terms("engineer", "e-1", visit_fen=50, labour_percent=0, travel_percent=0))[-1]
    assert [(one.payee, one.payout_fen) for one in both.shares] == [("supplier", 11_833), ("engineer", 383)]
    assert both.kept_fen + sum(one.payout_fen for one in both.shares) == both.charged_fen


def test_own_terms_go_before_the_standard_and_count_from_their_day():
    own, late = terms(payee_id="Nord", visit_fen=1), terms(payee_id="Nord", version=2, effective_from=minute(31))
    (share,) = decided_of(terms(), own, late)[-1].shares
    assert (share.terms_id, share.terms_version, share.visit_fen) == ("Nord", 1, 1)


def test_without_terms_or_without_a_charge_nobody_is_paid():
    given(*story_of()).when(decide()).then_nothing()
    given(terms()).when(decide()).then_nothing()


def test_a_visit_at_which_nobody_was_there_has_its_own_amount():
    past = [terms(), prices(in_vain_fen=900), *ON_THE_WAY, aborted()]
    past += given(*past).when(charge())._events()
    (told,) = given(*past).when(decide()).then_types(PayoutDecided)
    assert ([one.payout_fen for one in told.shares], told.kept_fen) == ([700], 200)


def test_the_view_must_know_who_went():
    with pytest.raises(NotYet):
        given(terms(), *story_of()).when(decide(engineer_id="e-9")).then_nothing()


def test_a_corrected_charge_corrects_the_shares_by_the_terms_of_then():
    past = [*decided_of(terms()), terms(version=2, labour_percent=0)]
    given(*past).when(decide()).then_nothing()
    past += given(*past).when(correct(LineCorrection(kind="labour", gross_fen=1_001))).then_types(ChargeCorrected)
    (told,) = given(*past).when(decide()).then_types(PayoutCorrected)
    assert (told.number, told.reason, told.shares[0].labour_fen) == (1, "charge-corrected", 501)
    assert told.kept_fen + told.shares[0].payout_fen == told.charged_fen == 17_333 - 9_000 + 1_001
    given(*past, told).when(decide()).then_nothing()


def test_a_dispute_is_decided_with_an_amount_that_stays_or_without():
    past = decided_of(terms())
    (opened,) = given(*past).when(dispute()).then_types(PayoutDisputed)
    given(*past, opened).when(dispute()).then_nothing()
    given(*past, opened).when(dispute(1)).then_rejected("payout.disputed", payee_id="Nord")
    given(*past, opened).when(pay()).then_rejected("payout.disputed", visit_id="v-1")
    (stands,) = given(*past, opened).when(resolve()).then_types(PayoutDisputeResolved)
    assert stands.correction == 0
    more, ended = given(*past, opened).when(resolve(12_000)).then_types(PayoutCorrected, PayoutDisputeResolved)
    assert (more.shares[0].adjusted_fen, more.shares[0].payout_fen, ended.correction) == (167, 12_000, 1)
    past += [opened, more, ended]
    given(*past).when(resolve()).then_rejected("payout.not-disputed")
    past += given(*past).when(correct(LineCorrection(kind="travel", gross_fen=0))).then_types(ChargeCorrected)
    (told,) = given(*past).when(decide()).then_types(PayoutCorrected)
    assert (told.shares[0].adjusted_fen, told.shares[0].payout_fen) == (167, 7_000)


def test_what_is_due_is_paid_once_and_a_later_correction_is_set_off():
    past = decided_of(terms())
    (paid,) = given(*past).when(pay()).then_types(PayoutPaid)
    assert paid.paid_fen == 11_833
    past.append(paid)
    given(*past).when(pay()).then_rejected("payout.nothing-due", visit_id="v-1")
    past += given(*past).when(correct(LineCorrection(kind="travel", gross_fen=0))).then_types(ChargeCorrected)
    past += given(*past).when(decide()).then_types(PayoutCorrected)
    (back,) = given(*past).when(pay()).then_types(PayoutPaid)
    assert back.paid_fen == -5_000


def test_what_has_no_share_is_neither_disputed_nor_paid_and_one_visit_stops_all():
    past = decided_of(terms())
    for asked in (dispute(payee_id="Other"), resolve(payee="engineer", payee_id="e-1"), pay("v-1", "v-2")):
        given(*past).when(asked).then_rejected("payout.none")


def test_the_same_terms_again_are_no_new_version():
    said = terms()
    asked = DefinePayoutTerms(**{name: getattr(said, name) for name in DefinePayoutTerms.model_fields})
    given().when(asked).then(said)
    given(said).when(asked).then_nothing()
    given(terms(visit_fen=1)).when(asked).then(terms(version=2))


PERCENT = st.integers(0, 100)


@settings(max_examples=100, deadline=None)
@drawn(PERCENT, PERCENT, PERCENT, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_whatever_the_terms_every_fen_of_a_charge_goes_to_somebody(labour, parts, travel, visit_fen, gross, asked):
    agreed = terms(labour_percent=labour, parts_percent=parts, travel_percent=travel, visit_fen=visit_fen)
    past = decided_of(agreed, OURS)
    past += given(*past).when(correct(LineCorrection(kind="labour", gross_fen=gross)))._events()
    past += given(*past).when(decide())._events()
    past += given(*past).when(dispute())._events()
    past += given(*past).when(resolve(asked))._events()
    told = [one for one in past if isinstance(one, PayoutDecided | PayoutCorrected)]
    assert all(one.kept_fen + sum(share.payout_fen for share in one.shares) == one.charged_fen for one in told)
    assert told[-1].shares[0].payout_fen == asked


def registered(supplier, engineer_id="e-1"):
    said = {"name": "n", "skills": (), "region": "r", "home_lat_udeg": 0, "home_lon_udeg": 0, "shifts": ()}
    return EngineerRegistered(engineer_id=engineer_id, supplier=supplier, **said)


def test_the_views_are_the_same_in_whatever_order_the_stories_come():
    past = [registered("Nord"), *decided_of(terms())]
    past += given(*past).when(pay())._events()
    past += given(*past).when(dispute())._events()
    past += given(*past).when(resolve(1))._events()
    for view in (PAYOUT_TERMS, PAYOUTS, SUPPLIERS):
        assert_same_rows_shuffled(view, past)


@story
async def test_a_supplier_sees_its_sheet_disputes_and_is_paid(it):
    await it.publishes(registered("Nord"))
    await it.call("m-1", "manager", "POST", "/v1/price-lists", json=PRICES)
    agreed = {"payee": "supplier", "payee_id": "Nord", "effective_from": "2020-01-01T00:00:00Z", "labour_percent": 40}
    await it.call("m-1", "manager", "POST", "/v1/payouts/terms", json=agreed | {"visit_fen": 1_000})
    assert (await it.call("m-1", "manager", "GET", "/v1/payouts/terms")).json()["items"][0]["labour_percent"] == 40
    visit_id = await planned_order(it)
    await walk(it, visit_id, "depart", "arrive", "start", "parts", "finish", "accept")
    (share,) = (await it.call("Nord", "partner", "GET", "/v1/payouts")).json()["items"]
    assert (share["visit_id"], share["payee_id"], share["due_fen"]) == (visit_id, "Nord", share["payout_fen"])
    # What is another's is not shown, whatever is asked for.
    for person, role in (("Ost", "partner"), ("Nord", "engineer"), ("e-1", "engineer")):
        assert (await it.call(person, role, "GET", "/v1/payouts?payee_id=Nord")).json()["items"] == []
    said = {"asked_fen": 9_000, "reason": "王师傅加班", "payee": "supplier", "payee_id": "Nord"}
    for person, role in (("Ost", "partner"), ("Nord", "engineer")):
        assert (await it.call(person, role, "POST", f"/v1/payouts/{visit_id}/disputes", json=said)).status_code == 404
    disputed = await it.call("Nord", "partner", "POST", f"/v1/payouts/{visit_id}/disputes", json=said)
    assert disputed.json()["events"] == ["PayoutDisputed"]
    month = "/v1/payouts/sheets?month=2026-11"
    (sheet,) = (await it.call("m-1", "manager", "GET", month)).json()
    assert (sheet["visits"], sheet["disputed"], sheet["due_fen"]) == (1, 1, share["due_fen"])
    payment = {"payee": "supplier", "payee_id": "Nord", "visit_ids": [visit_id], "reference": "2026-11/1"}
    refused = await it.call("m-1", "manager", "POST", "/v1/payouts/pay", json=payment)
    assert (refused.status_code, refused.json()["code"]) == (409, "payout.disputed")
    answer = {"payee": "supplier", "payee_id": "Nord", "payout_fen": 9_000, "answer": "同意"}
    await it.call("m-1", "manager", "POST", f"/v1/payouts/{visit_id}/disputes/resolve", json=answer)
    assert (await it.call("m-1", "manager", "POST", "/v1/payouts/pay", json=payment)).json()["events"] == ["PayoutPaid"]
    (sheet,) = (await it.call("Nord", "partner", "GET", month)).json()
    assert (sheet["payout_fen"], sheet["paid_fen"], sheet["due_fen"], sheet["disputed"]) == (9_000, 9_000, 0, 0)
    (share,) = (await it.call("m-1", "manager", "GET", "/v1/payouts?disputed=false")).json()["items"]
    assert (share["dispute"], share["answer"], share["reference"]) == ("corrected", "同意", "2026-11/1")
    assert (await it.call("m-1", "manager", "GET", "/v1/payouts/sheets?month=2026-12")).json() == []
    assert (await it.call("m-1", "manager", "GET", "/v1/payouts/sheets?month=2026-13")).status_code == 422

"""Who pays may disagree: one dispute at a time, decided with a correction or without, and the sums stay exact."""

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from contracts.fieldwork import (
    ChargeCorrected,
    ChargeDisputed,
    ChargeDisputeResolved,
    DisputedLine,
    EntitlementRedecided,
)
from fieldwork.commands import DisputeCharge, LineCorrection, NamedLine, ResolveDispute
from fieldwork.domain.dispute import paid_by
from fieldwork.projections.charges import CHARGES, DISPUTES
from fieldwork.service import RULES
from tests.fieldwork.examples import minute
from tests.fieldwork.test_api import story, walk
from tests.fieldwork.test_charge import coverage
from tests.fieldwork.test_entitlement import PRICES, correct, planned_order, redecide, story_of
from tests.fold import assert_same_rows_shuffled
from tests.given import spec_for

given = spec_for(RULES)
FAN, TRAVEL = NamedLine(kind="part", item="fan"), NamedLine(kind="travel")


def covered():
    """A charge of which the maker pays 10,667 fen."""
    past = [*story_of(), coverage()]
    return [*past, *given(*past).when(redecide()).then_types(EntitlementRedecided, ChargeCorrected)]


def dispute(*lines, by="customer", reason="twice too much"):
    return DisputeCharge(visit_id="v-1", disputed_by=by, lines=lines, reason=reason, at=minute(200))


def resolve(*lines, answer="we bear it"):
    return ResolveDispute(visit_id="v-1", lines=lines, answer=answer, at=minute(300))


def test_a_customer_disputes_a_line_and_our_company_bears_it():
    past = story_of()
    (opened,) = given(*past).when(dispute(FAN)).then_types(ChargeDisputed)
    assert (opened.number, opened.lines, opened.disputed_fen) == (1, (DisputedLine("part", "fan"),), 3_333)
    bears = LineCorrection(kind="part", item="fan", company_fen=3_000)
    corrected, resolved = given(*past, opened).when(resolve(bears)).then_types(ChargeCorrected, ChargeDisputeResolved)
    assert (corrected.company_fen, corrected.company_diff_fen, corrected.customer_diff_fen) == (3_000, 3_000, -3_000)
    assert (resolved.number, resolved.correction) == (1, 1)
    given(*past, opened, corrected, resolved).when(resolve()).then_rejected("charge.not-disputed")
    (again,) = given(*past, opened, corrected, resolved).when(dispute(TRAVEL)).then_types(ChargeDisputed)
    assert (again.number, again.disputed_fen) == (2, 5_000)


def test_a_maker_disputes_what_its_warranty_pays_and_the_charge_stands():
    past = covered()
    (opened,) = given(*past).when(dispute(by="maker")).then_types(ChargeDisputed)
    assert opened.disputed_fen == past[-1].warranty_fen == 10_667
    (resolved,) = given(*past, opened).when(resolve()).then_types(ChargeDisputeResolved)
    assert resolved.correction == 0


def test_one_dispute_is_open_at_a_time_and_the_same_again_is_none():
    past = covered()
    (opened,) = given(*past).when(dispute(FAN)).then_types(ChargeDisputed)
    given(*past, opened).when(dispute(FAN, reason="as I said")).then_nothing()
    given(*past, opened).when(dispute(TRAVEL)).then_rejected("charge.disputed", disputed_by="customer")
    given(*past, opened).when(dispute(FAN, by="maker")).then_rejected("charge.disputed")


def test_a_dispute_that_cannot_be_is_refused():
    past = story_of()
    given().when(dispute()).then_rejected("charge.none")
    given().when(resolve()).then_rejected("charge.none")
    given(*past).when(resolve()).then_rejected("charge.not-disputed")
    given(*past).when(dispute(NamedLine(kind="part", item="x"))).then_rejected("charge.no-such-line", item="x")
    given(*past).when(dispute(by="maker")).then_rejected("charge.pays-nothing", disputed_by="maker")
    (opened,) = given(*past).when(dispute()).then_types(ChargeDisputed)
    more = LineCorrection(kind="travel", pays="contract", covered_fen=2_500, company_fen=2_501)
    given(*past, opened).when(resolve(more)).then_rejected("charge.covered-more", gross_fen=5_000)


FEN = st.integers(0, 20_000)
SAID = st.tuples(
    st.sampled_from([("labour", ""), ("part", "fan"), ("travel", "")]),
    FEN,
    st.sampled_from(["customer", "warranty", "contract"]),
    st.integers(0, 100),
    st.integers(0, 100),
)


@settings(max_examples=100, deadline=None)
@drawn(st.lists(SAID, min_size=1, max_size=6))
def test_whatever_is_corrected_the_payers_together_pay_every_fen_of_it(said):
    past = covered()
    for (kind, item), gross, pays, share, company in said:
        covered_fen = gross * share // 100
        line = LineCorrection(
            kind=kind,
            item=item,
            gross_fen=gross,
            pays=pays,
            covered_fen=covered_fen,
            company_fen=(gross - covered_fen) * company // 100,
        )
        past += given(*past).when(correct(line))._events()
    charges = [one for one in past if isinstance(one, ChargeCorrected)]
    for one in charges:
        assert one.gross_fen == one.warranty_fen + one.contract_fen + one.company_fen + one.customer_fen
        assert one.gross_fen == sum(line.gross_fen for line in one.lines)
        assert all(sum(paid_by(line).values()) == line.gross_fen for line in one.lines)
        assert min(fen for line in one.lines for fen in paid_by(line).values()) >= 0
    first = next(one for one in past if type(one).__name__ == "ServiceCharged")
    if charges:
        for payer in ("gross", "warranty", "contract", "company", "customer"):
            moved = sum(getattr(one, f"{payer}_diff_fen") for one in charges)
            assert getattr(charges[-1], f"{payer}_fen") == getattr(first, f"{payer}_fen") + moved


def test_the_views_are_the_same_in_whatever_order_the_stories_come():
    past = covered()
    past += given(*past).when(dispute(FAN))._events()
    past += given(*past).when(resolve(LineCorrection(kind="part", item="fan", company_fen=1)))._events()
    for view in (CHARGES, DISPUTES):
        assert_same_rows_shuffled(view, past)


@story
async def test_a_customer_disputes_on_her_page_and_a_manager_decides(it):
    await it.call("m-1", "manager", "POST", "/v1/price-lists", json=PRICES)
    visit_id = await planned_order(it)
    await walk(it, visit_id, "depart", "arrive", "start", "parts", "finish", "accept")
    path = f"/v1/visits/{visit_id}/charge"
    said = {"lines": [{"kind": "travel"}], "reason": "王先生：没有约定上门费", "disputed_by": "maker"}
    assert (await it.call("c-2", "customer", "POST", f"{path}/disputes", json=said)).status_code == 404
    assert (await it.call("e-1", "engineer", "POST", f"{path}/disputes", json=said)).status_code == 403
    # A customer speaks for herself, whatever she says.
    assert (await it.call("c-1", "customer", "POST", f"{path}/disputes", json=said)).json()["events"] == [
        "ChargeDisputed"
    ]
    assert (await it.call("c-1", "customer", "GET", path)).json()["disputed"]
    decided = {"lines": [{"kind": "travel", "company_fen": 5_000}], "answer": "我司承担"}
    assert (await it.call("a-1", "agent", "POST", f"{path}/disputes/resolve", json=decided)).status_code == 403
    resolved = await it.call("m-1", "manager", "POST", f"{path}/disputes/resolve", json=decided)
    assert resolved.json()["events"] == ["ChargeCorrected", "ChargeDisputeResolved"]
    charge = (await it.call("c-1", "customer", "GET", path)).json()
    assert (charge["disputed"], charge["company_fen"], charge["customer_fen"]) == (False, 5_000, 6_333)
    assert charge["lines"][-1]["paid_by"] == [{"payer": "company", "fen": 5_000}]
    [seen] = (await it.call("c-1", "customer", "GET", f"{path}/disputes")).json()
    assert (seen["disputed_by"], seen["disputed_fen"], seen["state"], seen["answer"]) == (
        "customer",
        5_000,
        "corrected",
        "我司承担",
    )
    assert "王先生" not in str(await it.rows(DISPUTES))

"""I8 and I9 over logs: what went out to people, and what they pay. A right log has no finding, a wrong one one."""

from datetime import timedelta

import pytest

from contracts.fieldwork import ChargeCorrected, ChargeLine, EntitlementDecided, PricesDefined, ServiceCharged
from contracts.intake import MessageNotSent, MessageSent
from services.verify.charges import Charges
from services.verify.messages import Messages
from tests.given import NOW
from tests.verify.test_business import found, judged

DAY = timedelta(days=1)
LABOUR = ChargeLine("labour", "", 3_600, 12_000, 12_000, 6_000, 50, "covered", "w-1", "warranty")
TRAVEL = ChargeLine("travel", "", 1, 5_000, 5_000, 5_000, 100, "covered", "k-1", "contract")
PART = ChargeLine("part", "p-1", 1, 0, 0, 0, 0, "no-price")
IDS = {"order_id": "o-1", "request_id": "r-1", "customer_id": "c-1"}


def prices(version, since):
    costs = {"labour_fen_per_h": 12_000, "labour_step_s": 900, "travel_fen": 5_000, "parts": ()}
    return PricesDefined(list_id="standard", version=version, effective_from=since, **costs)


def entitled(version, at=NOW):
    return EntitlementDecided(**IDS, entitled_at=at, list_version=version, lines=())


def charged(lines=(LABOUR, TRAVEL, PART), **other):
    sums = {"gross_fen": 17_000, "warranty_fen": 6_000, "contract_fen": 5_000, "customer_fen": 6_000, "unpriced": 1}
    return ServiceCharged(visit_id="v-1", **IDS, list_version=1, lines=lines, charged_at=NOW, **{**sums, **other})


def corrected(before=(LABOUR, TRAVEL, PART), **other):
    """The contract pays no travel after all."""
    lines = (LABOUR, ChargeLine("travel", "", 1, 5_000, 5_000, 0, 0, "not-covered"), PART)
    sums = {"gross_fen": 17_000, "warranty_fen": 6_000, "contract_fen": 0, "customer_fen": 11_000, "unpriced": 1}
    diffs = {"gross_diff_fen": 0, "warranty_diff_fen": 0, "contract_diff_fen": -5_000, "customer_diff_fen": 5_000}
    told = {"number": 1, "reason": "coverage-set", "before": before, "lines": lines, "corrected_at": NOW}
    return ChargeCorrected(visit_id="v-1", **IDS, **told, **{**sums, **diffs, **other})


@pytest.mark.parametrize(
    "story",
    [
        (entitled(0),),
        (prices(1, NOW), entitled(1)),
        (prices(1, NOW), prices(2, NOW + DAY), entitled(1), entitled(2, NOW + DAY)),
        (prices(1, NOW), prices(2, NOW), entitled(2)),
        (prices(1, NOW), prices(2, NOW - DAY), entitled(1)),
        (charged(),),
        (charged(), corrected()),
        (charged(), (charged(), {"tenant": "t-2"})),
    ],
)
def test_charges_that_are_the_sum_of_their_lines_by_the_list_of_then_are_right(story):
    assert found(judged(Charges, *story)) == []


@pytest.mark.parametrize(
    "story",
    [
        (entitled(1),),
        (prices(1, NOW + DAY), entitled(1)),
        (prices(1, NOW), prices(2, NOW + DAY), entitled(2)),
        ((prices(1, NOW), {"tenant": "t-2"}), entitled(1)),
        (charged(gross_fen=17_001),),
        (charged(warranty_fen=6_001),),
        (charged(contract_fen=4_999),),
        (charged(customer_fen=5_999),),
        (charged(company_fen=1),),
        (charged(unpriced=0),),
        (charged(), charged()),
        (corrected(),),
        (charged(), corrected(before=(LABOUR,))),
        (charged(), corrected(customer_diff_fen=4_999)),
        (charged(), corrected(contract_fen=1)),
    ],
)
def test_a_charge_that_is_not_what_its_lines_make_is_found_where_it_is_recorded(story):
    assert found(judged(Charges, *story)) == [("I9", len(story))]


def sent(message="e-1"):
    told = {"customer_id": "c-1", "template": "request-reminded", "language": "zh", "medium": "text"}
    return MessageSent(message_id=message, **told, recipient="138"), {"causation_id": "e-1"}


def not_sent(message="e-1"):
    told = {"customer_id": "c-1", "template": "request-reminded", "language": "zh", "reason": "too-late"}
    return MessageNotSent(message_id=message, **told), {"causation_id": "e-1"}


def in_another(one):
    return one[0], {**one[1], "tenant": "t-2"}


@pytest.mark.parametrize("story", [(sent(),), (not_sent(),), (sent(), in_another(sent()))])
def test_a_message_of_its_event_that_ends_once_is_right(story):
    assert found(judged(Messages, *story)) == []


@pytest.mark.parametrize("story", [(sent(), sent()), (sent(), not_sent()), (not_sent(), sent()), (sent("e-2"),)])
def test_a_message_that_ends_twice_or_tells_of_something_else_is_found(story):
    assert found(judged(Messages, *story)) == [("I8", len(story))]

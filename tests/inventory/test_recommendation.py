"""What a repair is expected to take: from the lists, and from what earlier repairs took."""

import pytest

from contracts.dispatcher import OrderOpened
from contracts.fieldwork import ServiceCompleted, UsedPart, WorkFinished
from contracts.intake import UsualPart
from contracts.inventory import Ground, PartLine, StockRulesSet
from inventory.commands import PastUse
from inventory.projections.used import PARTS_USED, scope_of
from inventory.service import RULES
from tests.benchmarks.bench_recommendation import events_of, history, score
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.inventory.examples import FAN, listed, recommend, recommended

given = spec_for(RULES)

SEAL = PartLine("seal", 1)


def took(part_id="seal", used_in=14, pieces=14):
    return PastUse(part_id=part_id, used_in=used_in, pieces=pieces)


def learned(used_in=14, repairs=20, part_id="seal"):
    return Ground(part_id, "history", used_in, repairs)


def from_history(*past, repairs=20):
    return recommend(lines=(), history=past, repairs=repairs)


def test_what_earlier_repairs_took_is_recommended_with_its_counts():
    given().when(from_history(took())).then(recommended(SEAL, grounds=(learned(),)))


def test_too_few_repairs_say_nothing():
    given().when(from_history(took(used_in=4, pieces=4), repairs=4)).then_nothing()
    given().when(from_history(took(used_in=5, pieces=5), repairs=5)).then(recommended(SEAL, grounds=(learned(5, 5),)))


def test_what_few_of_them_took_is_not_recommended():
    given().when(from_history(took(used_in=29, pieces=29), repairs=100)).then_nothing()
    given().when(from_history(took(used_in=30, pieces=30), repairs=100)).then(
        recommended(SEAL, grounds=(learned(30, 100),))
    )


def test_the_tenant_says_how_many_and_how_often():
    rules = StockRulesSet(learn_after_repairs=2, learn_share_percent=10)
    given(rules).when(from_history(took(used_in=1, pieces=1), repairs=2)).then(
        recommended(SEAL, grounds=(learned(1, 2),))
    )
    given(StockRulesSet(learn_share_percent=90)).when(from_history(took())).then_nothing()


@pytest.mark.parametrize(("pieces", "quantity"), [(10, 1), (14, 1), (15, 2), (25, 3)])
def test_so_many_pieces_as_they_took_on_average(pieces, quantity):
    given().when(from_history(took(used_in=10, pieces=pieces))).then(
        recommended(PartLine("seal", quantity), grounds=(learned(10),))
    )


def test_the_lists_go_first_and_say_how_many_and_the_history_how_often():
    asked = recommend(FAN, of_type=(UsualPart("fan", 2), UsualPart("hose", 3)), history=(took("fan", 7, 70), took()))
    why = (Ground("fan", "device-model", 7, 20), Ground("hose", "request-type", 0, 20), learned())
    given().when(asked.model_copy(update={"repairs": 20})).then(
        recommended(PartLine("fan", 2), PartLine("hose", 3), SEAL, grounds=why)
    )


def test_without_history_the_list_is_all():
    given().when(recommend()).then(listed())


# What is counted.

IDS = {"order_id": "o-1", "request_id": "r-1"}
WHO = {**IDS, "visit_id": "v-1", "engineer_id": "e-1", "customer_id": "c-1"}
OPENED = OrderOpened(**IDS, device_model="BCD-520", request_type="repair")
FINISHED = WorkFinished(**WHO, cause="wear", action="replaced", record="x")
COMPLETED = ServiceCompleted(
    **WHO,
    **dict.fromkeys(("departed_at", "arrived_at", "started_at", "finished_at"), NOW),
    rating=5,
    signature="x",
    parts=(UsedPart("fan", "van-1", 1), UsedPart("fan", "wh-1", 2)),
)


def counts(events):
    return {key: (row["repairs"], row["pieces"]) for key, row in rows_after(PARTS_USED, events).items()}


def test_a_repair_counts_once_by_its_model_type_and_cause():
    kind, cause = scope_of("BCD-520", "repair"), scope_of("BCD-520", "repair", "wear")
    assert counts([OPENED, FINISHED, COMPLETED]) == {
        (kind, ""): (1, 1),
        (kind, "fan"): (1, 3),
        (cause, ""): (1, 1),
        (cause, "fan"): (1, 3),
    }


def test_it_does_not_matter_which_service_was_heard_first():
    assert_same_rows_shuffled(PARTS_USED, [OPENED, FINISHED, COMPLETED])
    assert_same_rows_shuffled(PARTS_USED, [*events_of(history(seed=1, orders=40))])


def test_what_is_not_completed_or_has_no_model_does_not_count():
    assert all(key[0].startswith("order/") for key in counts([OPENED, FINISHED]))
    assert counts([OrderOpened(**IDS, request_type="repair"), FINISHED, COMPLETED]) == {}


@pytest.mark.parametrize("seed", [11, 12])
def test_later_orders_took_what_was_recommended_more_often_than_what_is_most_used_overall(seed):
    found = score(seed, orders=1_200)
    assert found.recommended > found.most_used_overall + 200, (seed, found)
    assert found.recommended > found.list_alone, (seed, found)

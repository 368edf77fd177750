"""Parts are recommended, set aside, moved, released and used; who comes last to the last piece is told it is short."""

from datetime import timedelta

import pytest

from contracts.fieldwork import UsedPart
from contracts.inventory import PartLine, StockRulesSet
from contracts.problems import NotYet
from inventory.service import RULES
from tests.given import NOW, spec_for
from tests.inventory.examples import (
    KEPT_UNTIL,
    SET_ASIDE,
    arrived,
    consumed,
    counted,
    expire,
    expired,
    fell_short,
    fill,
    listed,
    low,
    pick_up,
    picked_up,
    recommend,
    recommended,
    release,
    released,
    reserve,
    reserved,
    returned,
    sent,
    set_aside,
    settle,
    settled,
    shelf,
    short,
)

given = spec_for(RULES)

SECOND = {"visit_id": "v-2", "engineer_id": "e-2"}
USED = UsedPart("fan", "van-1", 1)
KEPT = {"expires_at": KEPT_UNTIL, "van_id": "van-1"}

# Recommending.


def test_what_a_repair_takes_is_recommended_once():
    given().when(recommend()).then(listed())
    given(recommended()).when(recommend()).then_nothing()
    given(*SET_ASIDE).when(recommend(PartLine("pump", 1))).then_nothing()


# Reserving.


def test_the_van_goes_before_the_warehouse():
    before = [counted(1), counted(5, "wh-1"), recommended()]
    given(*before).when(reserve("van-1", "wh-1")).then(set_aside(), reserved())


def test_what_the_van_does_not_have_is_taken_from_the_warehouse():
    before = [counted(1), counted(5, "wh-1"), recommended(PartLine("fan", 3))]
    given(*before).when(reserve("van-1", "wh-1")).then(
        set_aside(1), set_aside(2, "wh-1"), reserved(("van-1", 1), ("wh-1", 2))
    )


def test_what_is_nowhere_is_short():
    given(counted(1), recommended(PartLine("fan", 3))).when(reserve("van-1")).then(set_aside(), reserved(), short(2))
    given(recommended()).when(reserve()).then(short())


def test_the_same_assignment_again_sets_nothing_aside():
    given(*SET_ASIDE).when(reserve("van-1", held=["van-1"])).then_nothing()
    given(recommended(), short(), counted(1)).when(reserve("van-1")).then_nothing()


def test_of_two_orders_that_want_the_last_piece_one_gets_it():
    first = [counted(1), set_aside(order_id="o-0"), reserved(order_id="o-0"), recommended()]
    given(*first).when(reserve("van-1")).then(short())


def test_an_assignment_that_overtakes_the_recommendation_makes_it():
    given(counted(1)).when(reserve("van-1")).then(recommended(), set_aside(), reserved())


def test_the_recommendation_that_was_made_counts_and_not_what_is_usual_now():
    before = [counted(9), recommended(PartLine("fan", 2))]
    given(*before).when(reserve("van-1", wanted=5)).then(set_aside(2), reserved(("van-1", 2)))


def test_a_recommendation_that_the_view_has_not_seen_is_waited_for():
    asked = reserve("van-1")
    with pytest.raises(NotYet, match="pump"):
        given(counted(1), recommended(PartLine("pump", 1))).when(asked).then_nothing()


def test_an_order_that_takes_no_parts_reserves_none():
    given(counted(1)).when(reserve("van-1", lines=())).then_nothing()


def test_a_warehouse_that_runs_low_by_it_says_so():
    given(counted(2, "wh-1"), recommended()).when(reserve(shelf("wh-1", 2))).then(
        set_aside(1, "wh-1"), reserved(("wh-1", 1)), low(1)
    )


# Moving.


def test_parts_move_with_the_order_to_the_other_van():
    before = [*SET_ASIDE, counted(1, "van-2")]
    given(*before).when(reserve("van-2", held=["van-1"], **SECOND)).then(
        released("order-reassigned"), returned(), set_aside(1, "van-2"), reserved(("van-2", 1), **SECOND)
    )


def test_what_lies_right_already_stays_there():
    before = [counted(1, "wh-1"), recommended(), set_aside(1, "wh-1"), reserved(("wh-1", 1))]
    given(*before).when(reserve("van-2", "wh-1", held=["wh-1"], **SECOND)).then(
        released("order-reassigned"), reserved(("wh-1", 1), **SECOND)
    )


def test_a_move_to_where_nothing_is_leaves_the_order_short():
    given(*SET_ASIDE).when(reserve(held=["van-1"], **SECOND)).then(
        released("order-reassigned"), returned(), short(**SECOND)
    )


def test_word_of_the_former_assignment_that_comes_late_changes_nothing():
    moved = [*SET_ASIDE, released("order-reassigned"), returned(), short(**SECOND)]
    given(*moved).when(reserve("van-1")).then_nothing()


def test_where_something_is_set_aside_that_the_view_has_not_seen_is_waited_for():
    for asked in (reserve("van-2", **SECOND), release(), settle()):
        with pytest.raises(NotYet, match="fan at van-1"):
            given(*SET_ASIDE).when(asked).then_nothing()


# Pieces that are not there after all.


def test_missing_pieces_are_replaced_from_elsewhere():
    before = [counted(2), recommended(PartLine("fan", 2)), set_aside(2), reserved(("van-1", 2)), counted(5, "wh-1")]
    given(*before, counted(1), fell_short()).when(reserve("van-1", "wh-1", held=["van-1"])).then(
        released("stock-missing"), set_aside(1, "wh-1"), reserved(("van-1", 1), ("wh-1", 1))
    )


def test_what_cannot_be_replaced_is_short_and_looked_for_once():
    gone = [*SET_ASIDE, counted(0), fell_short()]
    given(*gone).when(reserve("van-1", held=["van-1"])).then(released("stock-missing"), short())
    given(*gone, released("stock-missing"), short()).when(reserve("van-1", held=["van-1"])).then_nothing()


def test_pieces_can_go_missing_a_second_time():
    before = [*SET_ASIDE, counted(0), fell_short(), released("stock-missing"), counted(1, "wh-1")]
    again = [*before, set_aside(1, "wh-1"), reserved(("wh-1", 1)), counted(0, "wh-1"), fell_short(1, "wh-1")]
    given(*again).when(reserve("wh-1", held=["wh-1"])).then(released("stock-missing"), short())


# Releasing.


def test_a_cancelled_order_gives_its_parts_back():
    given(*SET_ASIDE).when(release("van-1")).then(returned(), released("order-cancelled"))
    given(recommended(), short()).when(release()).then(released("order-cancelled"))


def test_a_declined_order_gives_its_parts_back_while_it_waits_for_another():
    given(*SET_ASIDE).when(release("van-1", reason="order-declined")).then(returned(), released("order-declined"))


def test_a_release_again_or_of_nothing_changes_nothing():
    given(*SET_ASIDE, returned(), released("order-cancelled")).when(release("van-1")).then_nothing()
    given(recommended(), released("order-cancelled")).when(release()).then_nothing()
    given(recommended()).when(release(reason="order-declined")).then_nothing()


def test_an_order_that_is_cancelled_before_anybody_had_it_wants_nothing_any_more():
    given(recommended()).when(release()).then(released("order-cancelled"))
    given(recommended(), settled()).when(release()).then_nothing()


def test_an_assignment_that_comes_after_the_cancellation_reserves_nothing_for_its_visit():
    before = [*SET_ASIDE, returned(), released("order-cancelled")]
    given(*before).when(reserve("van-1")).then_nothing()


def test_an_aborted_visit_gives_its_parts_back():
    given(*SET_ASIDE).when(settle(held=["van-1"], completed=False)).then(
        returned(), released("visit-aborted"), settled(completed=False)
    )


def test_an_aborted_visit_leaves_the_parts_of_the_next_one_alone():
    """Word of the next assignment may be here before word of the abortion."""
    moved = [*SET_ASIDE, released("order-reassigned"), reserved(**SECOND)]
    given(*moved).when(settle(held=["van-1"], completed=False)).then(settled(completed=False))


def test_what_an_aborted_visit_used_is_used():
    given(*SET_ASIDE).when(settle(USED, held=["van-1"], completed=False)).then(
        returned(), consumed(), released("visit-aborted"), settled(completed=False)
    )


def test_after_an_aborted_visit_parts_are_reserved_for_the_next():
    before = [*SET_ASIDE, returned(), released("visit-aborted"), settled(completed=False)]
    given(*before).when(reserve("van-1", **SECOND)).then(set_aside(), reserved(**SECOND))
    given(*before).when(reserve("van-1")).then_nothing()


def test_an_assignment_that_comes_after_the_visit_was_aborted_reserves_nothing_for_it():
    given(counted(1), settled(completed=False)).when(reserve("van-1")).then_nothing()


# Using.


def test_a_completed_visit_uses_what_was_set_aside():
    given(*SET_ASIDE).when(settle(USED, held=["van-1"])).then(returned(), consumed(), released("consumed"), settled())


def test_what_was_set_aside_and_not_used_is_free_again():
    before = [counted(3), recommended(PartLine("fan", 3)), set_aside(3), reserved(("van-1", 3))]
    given(*before).when(settle(USED, held=["van-1"])).then(returned(3), consumed(), released("consumed"), settled())


def test_whoever_completes_the_order_what_is_set_aside_for_it_is_free_again():
    """The former engineer was at work when the order went to another one."""
    moved = [*SET_ASIDE, released("order-reassigned"), reserved(**SECOND)]
    given(*moved).when(settle(USED, held=["van-1"])).then(returned(), consumed(), released("consumed"), settled())


def test_what_was_used_is_recorded_also_when_our_stock_says_none():
    used = UsedPart("fan", "van-1", 3)
    given(counted(1)).when(settle(used)).then(consumed(3, drift=2), settled())
    given().when(settle(used)).then(consumed(3, drift=3), settled())


def test_a_use_of_what_was_set_aside_for_others_takes_it_from_them():
    others = [counted(2), set_aside(2, order_id="o-9")]
    given(*others).when(settle(USED)).then(consumed(), fell_short(order_id="o-9"), settled())


def test_a_completion_is_settled_once():
    over = [*SET_ASIDE, returned(), consumed(), released("consumed"), settled()]
    given(*over).when(settle(USED, held=["van-1"])).then_nothing()


def test_a_completed_order_without_parts_is_remembered():
    given().when(settle()).then(settled())


def test_an_assignment_that_comes_after_the_completion_reserves_nothing():
    given(counted(1), settled()).when(reserve("van-1")).then_nothing()
    given(counted(1), settled()).when(reserve("van-1", **SECOND)).then_nothing()


def test_another_visit_of_the_order_books_its_own_use():
    over = [counted(2), settled("v-1")]
    given(*over).when(settle(USED, visit_id="v-2")).then(consumed(), settled("v-2"))


def test_work_that_went_on_after_the_cancellation_books_its_use():
    over = [*SET_ASIDE, returned(), released("order-cancelled")]
    given(*over).when(settle(USED)).then(consumed(), settled())


def test_a_warehouse_that_a_use_leaves_low_says_so():
    used = UsedPart("fan", "wh-1", 1)
    given(counted(2, "wh-1")).when(settle(used, shelves=(shelf("wh-1", 2),))).then(
        consumed(1, "wh-1"), settled(), low(1)
    )


def test_what_was_set_aside_and_is_used_does_not_make_a_warehouse_low_again():
    used = UsedPart("fan", "wh-1", 1)
    before = [counted(2, "wh-1"), recommended(), set_aside(1, "wh-1"), reserved(("wh-1", 1)), low(1)]
    given(*before).when(settle(used, held=["wh-1"], shelves=(shelf("wh-1", 2),))).then(
        returned(1, "wh-1"), consumed(1, "wh-1"), released("consumed"), settled()
    )


# Pieces that come for an order that is short.

SHORT_OF_TWO = [counted(1), recommended(PartLine("fan", 3)), set_aside(), reserved(), short(2)]


def test_what_comes_is_set_aside_beside_what_the_order_has():
    given(*SHORT_OF_TWO, counted(5, "wh-1")).when(fill("van-1", "wh-1", held=["van-1"])).then(
        set_aside(2, "wh-1"), reserved(("van-1", 1), ("wh-1", 2))
    )
    given(*SHORT_OF_TWO, counted(4)).when(fill("van-1", held=["van-1"])).then(set_aside(2), reserved(("van-1", 3)))


def test_where_less_comes_than_is_missing_the_rest_stays_missing():
    given(*SHORT_OF_TWO, counted(1, "wh-1")).when(fill("wh-1", held=["van-1"])).then(
        set_aside(1, "wh-1"), reserved(("van-1", 1), ("wh-1", 1)), short(1)
    )
    given(*SHORT_OF_TWO).when(fill("van-1", held=["van-1"])).then_nothing()


def test_an_order_that_had_nothing_gets_what_comes():
    given(recommended(), short(**KEPT), counted(1)).when(fill("van-1")).then(set_aside(), reserved(**KEPT))


def test_a_shortage_is_filled_once():
    filled = [*SHORT_OF_TWO, counted(5, "wh-1"), set_aside(2, "wh-1"), reserved(("van-1", 1), ("wh-1", 2))]
    given(*filled).when(fill("wh-1", held=["van-1", "wh-1"])).then_nothing()


def test_what_comes_is_not_for_an_order_that_has_ended_or_another_visit():
    for asked in (fill("wh-1", held=["van-1"], visit_id="v-0"), fill("wh-1", held=["van-1"], visit_id="v-2")):
        given(*SHORT_OF_TWO, counted(5, "wh-1")).when(asked).then_nothing()
    over = [*SHORT_OF_TWO, returned(), released("order-cancelled"), counted(5, "wh-1")]
    given(*over).when(fill("wh-1", held=["van-1"])).then_nothing()


def test_an_order_whose_pieces_went_missing_is_left_to_the_search_for_those():
    gone = [*SHORT_OF_TWO, counted(0), fell_short(), counted(5, "wh-1")]
    given(*gone).when(fill("wh-1", held=["van-1"])).then_nothing()


def test_what_is_filled_from_where_the_view_does_not_know_is_waited_for():
    with pytest.raises(NotYet, match="fan at van-1"):
        given(*SHORT_OF_TWO, counted(5, "wh-1")).when(fill("wh-1")).then_nothing()


def test_a_warehouse_that_a_filled_shortage_leaves_low_says_so():
    given(recommended(), short(), counted(2, "wh-1")).when(fill(shelf("wh-1", 2))).then(
        set_aside(1, "wh-1"), reserved(("wh-1", 1)), low(1)
    )


# Parts that nobody comes for.

PLANNED = {"visit_ends_at": NOW, "van_id": "van-1"}
SET_ASIDE_FOR_A_TIME = [counted(1), recommended(), set_aside(), reserved(**KEPT)]


def test_parts_are_kept_for_three_days_after_the_planned_end_of_the_visit():
    given(counted(1), recommended()).when(reserve("van-1", **PLANNED)).then(set_aside(), reserved(**KEPT))
    given(recommended()).when(reserve(**PLANNED)).then(short(**KEPT))


def test_how_long_they_are_kept_is_the_tenants_to_say():
    day = {"expires_at": NOW + timedelta(hours=24), "van_id": "van-1"}
    before = [counted(1), recommended(), StockRulesSet(keep_reserved_h=24)]
    given(*before).when(reserve("van-1", **PLANNED)).then(set_aside(), reserved(**day))


def test_what_replaces_missing_parts_is_kept_no_longer_than_they_were():
    before = [*SET_ASIDE_FOR_A_TIME, counted(0), fell_short(), counted(1, "wh-1"), StockRulesSet(keep_reserved_h=1)]
    given(*before).when(reserve("wh-1", held=["van-1"], van_id="van-1")).then(
        released("stock-missing"), set_aside(1, "wh-1"), reserved(("wh-1", 1), **KEPT)
    )


def test_a_reservation_expires_once():
    given(*SET_ASIDE_FOR_A_TIME).when(expire()).then(expired())
    given(*SET_ASIDE_FOR_A_TIME, expired()).when(expire()).then_nothing()
    given(recommended(), short(**KEPT)).when(expire()).then(expired())


def test_a_reservation_that_ended_or_is_another_visits_does_not_expire():
    given(*SET_ASIDE_FOR_A_TIME, returned(), released("consumed")).when(expire()).then_nothing()
    moved = [*SET_ASIDE_FOR_A_TIME, released("order-reassigned"), reserved(**SECOND)]
    given(*moved).when(expire()).then_nothing()
    given(*SET_ASIDE).when(expire()).then_nothing()


def test_what_expired_is_released_if_it_is_still_that_visits():
    asked = release("van-1", reason="expired", visit_id="v-1")
    given(*SET_ASIDE_FOR_A_TIME, expired()).when(asked).then(returned(), released("expired"))
    moved = [*SET_ASIDE_FOR_A_TIME, expired(), released("order-reassigned"), reserved(**SECOND)]
    given(*moved).when(asked).then_nothing()


def test_after_it_expired_nothing_is_set_aside_for_that_visit_and_its_use_is_booked():
    over = [*SET_ASIDE_FOR_A_TIME, expired(), returned(), released("expired")]
    given(*over).when(reserve("van-1", **PLANNED)).then_nothing()
    given(*over).when(settle(USED)).then(consumed(), settled())


# Fetching.

AT_WAREHOUSE = [
    counted(1),
    counted(9, "wh-1"),
    recommended(PartLine("fan", 3)),
    set_aside(1),
    set_aside(2, "wh-1"),
    reserved(("van-1", 1), ("wh-1", 2), **KEPT),
]
FETCHED = [
    returned(2, "wh-1"),
    sent(2, transfer_id="o-1"),
    arrived(2, transfer_id="o-1"),
    set_aside(2),
    picked_up(("wh-1", 2)),
]


def test_what_is_set_aside_at_a_warehouse_is_fetched_into_her_van_and_stays_set_aside():
    given(*AT_WAREHOUSE).when(pick_up("van-1", "wh-1")).then(*FETCHED)


def test_what_was_fetched_is_not_fetched_again():
    given(*AT_WAREHOUSE, *FETCHED).when(pick_up("van-1", "wh-1")).then_nothing()


def test_what_was_fetched_is_used_from_the_van():
    used = UsedPart("fan", "van-1", 3)
    given(*AT_WAREHOUSE, *FETCHED).when(settle(used, held=["van-1"])).then(
        returned(3), consumed(3), released("consumed"), settled()
    )


def test_nothing_is_fetched_where_nothing_is_set_aside_or_for_another_van():
    given(recommended(), short(**KEPT)).when(pick_up()).then_rejected("reservation.empty", order_id="o-1")
    given(*AT_WAREHOUSE).when(pick_up("van-1", "wh-1", van_id="van-2")).then_rejected("reservation.no-van")
    given(*AT_WAREHOUSE).when(pick_up("van-1")).then_rejected("reservation.unseen")


def test_what_is_not_there_after_all_is_not_fetched():
    gone = [*AT_WAREHOUSE, counted(1, "wh-1"), fell_short(1, "wh-1")]
    given(*gone).when(pick_up("van-1", "wh-1")).then_rejected("stock.not-enough", place_id="wh-1", free=1)

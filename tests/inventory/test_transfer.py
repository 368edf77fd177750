"""Pieces that go from one place to another are in transit in between, in one place or none, and never in two."""

import pytest
from pydantic import ValidationError

from inventory.service import RULES
from tests.given import spec_for
from tests.inventory.examples import (
    REGISTERS,
    arrived,
    counted,
    lose,
    lost,
    low,
    moved,
    receive,
    send,
    sent,
    set_aside,
    transfer_received,
    transfer_sent,
)

given = spec_for(RULES)

SENT = [*REGISTERS, counted(9, "wh-1"), sent(3), transfer_sent(moved(3))]


def test_what_is_sent_has_left_its_place_and_is_in_transit():
    given(*REGISTERS, counted(9, "wh-1")).when(send(moved(3))).then(sent(3), transfer_sent(moved(3)))


def test_the_same_transfer_again_sends_nothing_and_another_one_needs_another_id():
    given(*SENT).when(send(moved(3))).then_nothing()
    given(*SENT).when(send(moved(2))).then_rejected("transfer.exists", transfer_id="t-1")


def test_defective_pieces_are_sent_from_the_defective_ones():
    there = [*REGISTERS, counted(9, "wh-1"), counted(2, "wh-1", condition="defective")]
    old = moved(2, "defective")
    given(*there).when(send(old)).then(sent(2, condition="defective"), transfer_sent(old))
    given(*REGISTERS, counted(9, "wh-1")).when(send(old)).then_rejected("stock.not-enough", free=0, wanted=2)


def test_only_what_is_free_is_sent_and_nothing_of_a_transfer_that_is_refused():
    there = [*REGISTERS, counted(3, "wh-1"), set_aside(2, "wh-1")]
    given(*there).when(send(moved(2))).then_rejected("stock.not-enough", part_id="fan", place_id="wh-1", free=1)
    given(*there).when(send(moved(1), moved(1, "defective"))).then_rejected("stock.not-enough", condition="defective")


def test_a_transfer_that_leaves_a_warehouse_low_says_so():
    given(*REGISTERS, counted(3, "wh-1")).when(send(moved(2))).then(sent(2), transfer_sent(moved(2)), low(1))


def test_where_it_goes_and_what_goes_must_be_known():
    there = [*REGISTERS, counted(9, "wh-1")]
    given(*there).when(send(to_place_id="van-9")).then_rejected("place.unknown", place_id="van-9")
    given(*there).when(send(from_place_id="wh-9")).then_rejected("place.unknown", place_id="wh-9")
    given(*REGISTERS[1:], counted(9, "wh-1")).when(send()).then_rejected("part.unknown", part_id="fan")
    given(*there).when(send(to_place_id="wh-1")).then_rejected("transfer.same-place", place_id="wh-1")


def test_a_part_is_named_once_per_condition():
    with pytest.raises(ValidationError, match="More than one line is about fan"):
        send(moved(1), moved(2))


def test_it_arrives_in_one_go_or_in_several():
    given(*SENT).when(receive(moved(3))).then(arrived(3), transfer_received(moved(3)))
    some = [*SENT, arrived(2), transfer_received(moved(2))]
    given(*some).when(receive(moved(1))).then(arrived(1), transfer_received(moved(1)))


def test_nothing_arrives_twice_and_nothing_that_was_not_sent():
    all_here = [*SENT, arrived(3), transfer_received(moved(3))]
    given(*all_here).when(receive(moved(1))).then_rejected("transfer.ended", transfer_id="t-1")
    given(*SENT).when(receive(moved(4))).then_rejected("transfer.not-in-transit", in_transit=3, wanted=4)
    given(*SENT).when(receive(moved(1, "defective"))).then_rejected("transfer.not-in-transit", condition="defective")
    given(*REGISTERS).when(receive()).then_rejected("transfer.unknown", transfer_id="t-1")
    given(*SENT).when(receive(to_place_id="wh-1")).then_rejected("transfer.unknown", transfer_id="t-1")


def test_what_is_lost_on_the_way_is_given_up_once():
    given(*SENT).when(lose(moved(1))).then(lost(moved(1)))
    given(*SENT, lost(moved(3))).when(lose(moved(1))).then_rejected("transfer.ended", transfer_id="t-1")
    given(*SENT, lost(moved(1))).when(receive(moved(3))).then_rejected("transfer.not-in-transit", in_transit=2)


def test_who_names_no_pieces_means_all_that_is_in_transit():
    all_of_it = receive(lines=(), parts=("fan",))
    some = [*SENT, arrived(1), transfer_received(moved(1))]
    given(*some).when(all_of_it).then(arrived(2), transfer_received(moved(2)))
    given(*some, lost(moved(2))).when(all_of_it).then_rejected("transfer.ended", transfer_id="t-1")

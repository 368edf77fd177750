"""Which pieces are set aside: the ones that came first, each for one order, and the reservation says which."""

import asyncio

import pytest

from contracts.inventory import (
    PartConsumed,
    PartDefined,
    PartLine,
    PartScrapped,
    PartsPickedUp,
    PartsReserved,
    PiecesNamed,
    PlacedLine,
    ReservationReleased,
    ReservedPiecesChanged,
    StockReturned,
    StockSent,
    StockSetAside,
    VisitSettled,
)
from contracts.problems import NotYet
from inventory.commands import FetchedPieces, NamePieces, Shelf
from inventory.projections.pieces import SHELF_PIECES
from inventory.projections.reservations import RESERVATIONS, placed_lines
from inventory.service import RULES, service
from tests.fieldwork.live import live
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import spec_for
from tests.inventory.examples import (
    ORDER,
    VAN,
    VISIT,
    WAREHOUSE,
    counted,
    pick_up,
    recommended,
    release,
    reserve,
    set_aside,
)
from tests.inventory.test_pieces import AT_VAN, came, take_in, throw_away, use, went
from tests.inventory.test_story import assigned, opened, post, reservation

given = spec_for(RULES)

BY_SERIAL = PartDefined(part_id="fan", name="Fan", fits=("BCD-520",), tracked="serial")
READ = (BY_SERIAL, WAREHOUSE, VAN)


def at(place_id, *serials):
    return Shelf(part_id="fan", place_id=place_id, serials=serials)


def line(place_id, *serials, quantity=None):
    return PlacedLine("fan", place_id, quantity or len(serials), serials)


def names(*serials, freed=(), place_id="van-1", order_id="o-1"):
    return PiecesNamed(part_id="fan", place_id=place_id, order_id=order_id, serials=serials, freed=freed)


def kept(*placed):
    return PartsReserved(**VISIT, van_id="van-1", lines=placed)


def changed(reason, *serials, instead_of=(), place_id="van-1"):
    facts = {"part_id": "fan", "place_id": place_id, "serials": serials, "instead_of": instead_of}
    return ReservedPiecesChanged(**ORDER, **facts, reason=reason)


def has(*serials, place_id="van-1", quantity=None):
    """These are set aside for the order there, and named."""
    many = quantity or len(serials)
    return [
        recommended(),
        set_aside(many, place_id),
        names(*serials, place_id=place_id),
        kept(line(place_id, *serials)),
    ]


def naming(*serials, order_id="o-1", place_id="van-1"):
    return NamePieces(order_id=order_id, shelf=at(place_id, *serials))


def test_the_pieces_that_came_first_are_named():
    before = (*READ, recommended(PartLine("fan", 2)), came("B"), came("A", "C"))
    reserved = [StockSetAside, PiecesNamed, PartsReserved]
    *_, said = given(*before).when(reserve(at("van-1", "B", "A", "C"), wanted=2)).then_types(*reserved)
    assert said.lines == (line("van-1", "B", "A"),)


def test_what_is_named_for_another_order_is_passed_over_and_so_is_what_lies_elsewhere():
    others = [set_aside(1, order_id="o-2"), names("A", order_id="o-2")]
    before = (*READ, recommended(), came("A", "B", "C"), went("B", place_id="wh-1", order_id="o-9"), *others)
    *_, said = (
        given(*before).when(reserve(at("van-1", "A", "B", "C"))).then_types(StockSetAside, PiecesNamed, PartsReserved)
    )
    assert said.lines == (line("van-1", "C"),)


def test_a_view_that_has_not_seen_the_oldest_piece_is_asked_again():
    with pytest.raises(NotYet):
        given(*READ, recommended(), came("A", "B")).when(reserve(at("van-1", "B"))).then_nothing()


def test_pieces_without_a_number_are_set_aside_unnamed_and_named_when_numbers_come():
    before = (*READ, recommended(), counted(1))
    *_, said = given(*before).when(reserve(at("van-1"))).then_types(StockSetAside, PartsReserved)
    assert said.lines == (line("van-1", quantity=1),)
    held = (*before, set_aside(), kept(line("van-1", quantity=1)))
    given(*held).when(take_in("A")).then(came("A"), names("A"))
    given(*held, came("A"), names("A")).when(naming()).then(changed("named-anew", "A"))


def test_release_frees_them():
    before = (*READ, came("A"), *has("A"))
    freed = [StockReturned, PiecesNamed, ReservationReleased]
    _, said, _ = given(*before).when(release("van-1")).then_types(*freed)
    assert said == names(freed=("A",))


def test_a_named_piece_that_leaves_is_replaced_by_the_next():
    before = (*READ, came("A", "B", "C"), *has("A"))
    _, said = given(*before).when(throw_away("A")).then_types(PartScrapped, PiecesNamed)
    assert said == names(freed=("A",))
    gone = (*before, PartScrapped(**AT_VAN, quantity=1, condition="good", reason="wet", serials=("A",)), said)
    given(*gone).when(naming("B", "C")).then(names("B"), changed("named-anew", "B", instead_of=("A",)))
    given(*gone, names("B"), changed("named-anew", "B", instead_of=("A",))).when(naming("B", "C")).then_nothing()


def test_a_named_piece_that_was_used_elsewhere_is_let_go():
    used = went("A", place_id="wh-1", order_id="o-2")
    before = (*READ, came("A", "B"), *has("A"), used)
    given(*before).when(naming("A", "B")).then(names("B", freed=("A",)), changed("named-anew", "B", instead_of=("A",)))


def test_she_fetches_those_that_are_named():
    before = (*READ, came("A", "B", place_id="wh-1"), *has("A", place_id="wh-1"))
    asked = pick_up("wh-1").model_copy(update={"held": (at("wh-1", "A"),)})
    fetched = given(*before).when(asked)._events()
    (sent,) = [event for event in fetched if isinstance(event, StockSent)]
    (picked,) = [event for event in fetched if isinstance(event, PartsPickedUp)]
    assert (sent.serials, picked.lines) == (("A",), (line("wh-1", "A"),))
    assert [event for event in fetched if isinstance(event, PiecesNamed)][-1] == names("A")
    assert not [event for event in fetched if isinstance(event, ReservedPiecesChanged)]


def test_she_may_fetch_another_one_and_it_is_said():
    before = (*READ, came("A", "B", place_id="wh-1"), *has("A", place_id="wh-1"))
    pieces = (FetchedPieces(part_id="fan", place_id="wh-1", serials=("B",)),)
    asked = pick_up("wh-1").model_copy(update={"held": (at("wh-1", "A"),), "pieces": pieces})
    fetched = given(*before).when(asked)._events()
    assert changed("fetched", "B", instead_of=("A",), place_id="wh-1") in fetched
    view = rows_after(RESERVATIONS, [*before, *fetched])
    assert placed_lines(view[("o-1",)]["lines"]) == (line("van-1", "B"),)


def test_one_that_is_named_for_another_order_may_be_in_her_hand():
    others = [set_aside(1, "wh-1", "o-2"), names("B", place_id="wh-1", order_id="o-2")]
    before = (*READ, came("A", "B", place_id="wh-1"), *has("A", place_id="wh-1"), *others)
    pieces = (FetchedPieces(part_id="fan", place_id="wh-1", serials=("B",)),)
    asked = pick_up("wh-1").model_copy(update={"held": (at("wh-1", "A"),), "pieces": pieces})
    assert names(freed=("B",), place_id="wh-1", order_id="o-2") in given(*before).when(asked)._events()


def test_what_was_seen_differently_is_not_fetched():
    before = (*READ, came("A", "B", place_id="wh-1"), *has("A", place_id="wh-1"))
    given(*before).when(pick_up("wh-1")).then_rejected("reservation.unseen")


def test_the_use_of_another_piece_is_recorded_and_frees_the_one_that_was_named():
    before = (*READ, came("A", "B"), *has("A"))
    ended = [StockReturned, PiecesNamed, ReservedPiecesChanged, PartConsumed, ReservationReleased, VisitSettled]
    _, freed, said, used, *_ = given(*before).when(use("B", held=["van-1"])).then_types(*ended)
    assert (freed, said) == (names(freed=("A",)), changed("used", "B", instead_of=("A",)))
    assert (used.serials, used.disputed) == (("B",), ())
    as_named = [StockReturned, PiecesNamed, PartConsumed, ReservationReleased, VisitSettled]
    given(*before).when(use("A", held=["van-1"])).then_types(*as_named)


def test_the_view_of_a_place_knows_for_whom_each_piece_is():
    events = [came("A", "B"), set_aside(), names("B"), names("A", freed=("B",)), came("C"), went("B")]
    rows = rows_after(SHELF_PIECES, events)
    assert {key[2]: row["order_id"] for key, row in rows.items()} == {"A": "o-1", "C": ""}
    assert_same_rows_shuffled(SHELF_PIECES, events)


async def _founded(it):
    part = {"part_id": "fan", "name": "Fan", "fits": ["BCD-520"], "tracked": "serial"}
    await post(it, "/v1/parts", **part)
    for place_id, kind in (("van-1", "van"), ("wh-1", "warehouse")):
        await post(it, "/v1/places", place_id=place_id, kind=kind, name=place_id)
    for serial in ("S-2", "S-1"):
        facts = {"part_id": "fan", "place_id": "wh-1", "quantity": 1, "source": "maker", "serials": [serial]}
        await post(it, "/v1/stock/receive", **facts)


def test_from_the_assignment_to_the_pick_up(tmp_path):
    async def told():
        async with live(service, tmp_path) as it:
            await _founded(it)
            await it.publishes(opened(), assigned())
            (reserved,) = (await reservation(it))["reserved"]
            assert (reserved["place_id"], reserved["serials"]) == ("wh-1", ["S-2"])
            gone = {"part_id": "fan", "place_id": "wh-1", "quantity": 1, "condition": "good", "reason": "wet"}
            assert (await post(it, "/v1/stock/scrap", **gone, serials=["S-2"])).is_success
            await it.settled()
            (reserved,) = (await reservation(it))["reserved"]
            assert reserved["serials"] == ["S-1"]
            assert (await it.call("e-1", "engineer", "POST", "/v1/reservations/o-1/pick-up")).is_success
            (reserved,) = (await reservation(it))["reserved"]
            assert (reserved["place_id"], reserved["serials"]) == ("van-1", ["S-1"])

    asyncio.run(told())

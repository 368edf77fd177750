"""Absences: reported, called off, and what becomes of the hours that are booked in them."""

from datetime import timedelta

import pytest

from contracts.dispatcher import (
    AbsenceCalledOff,
    AbsenceNoted,
    AbsenceNoteSettled,
    Certificate,
    DecisionRecorded,
    DispatchRulesSet,
    EngineerAbsent,
    EngineerDay,
    HoursBooked,
    OfferDeclined,
    OfferedFirst,
    OfferLapsed,
    OrderAssigned,
    OrderDeclined,
    OrderOffered,
    SkillLevel,
)
from dispatcher.commands import (
    CallOffAbsence,
    CertificateHeld,
    FreeHours,
    OfferOrder,
    ReportAbsence,
    SettleAbsenceNote,
    SkillHeld,
    TakeBackOffer,
    TakeBackOrders,
)
from dispatcher.projections.board import BOARD, declined_by, offered_to
from dispatcher.service import RULES
from tests.dispatcher.examples import (
    TODAY,
    TOMORROW,
    assign,
    assigned,
    at,
    booked,
    by_hand,
    opened,
    register,
    registered,
    returned,
    started,
    take,
)
from tests.dispatcher.test_policies import assign as asked_to_assign
from tests.dispatcher.test_policies import reactions
from tests.fold import rows_after
from tests.given import NOW, spec_for

given = spec_for(RULES, besides=(DecisionRecorded,))

AWAY = {"engineer_id": "e-1", "absence_id": "a-1", "starts_at": at(17, 30), "ends_at": at(12, day=25)}


def report(**changes):
    return ReportAbsence(**AWAY | {"reason": "fever", "now": NOW} | changes)


def absent(**changes):
    return EngineerAbsent(**AWAY | {"reason": "fever"} | changes)


CALL_OFF = CallOffAbsence(engineer_id="e-1", absence_id="a-1")
CALLED_OFF = AbsenceCalledOff(engineer_id="e-1", absence_id="a-1")
TAKE_BACK = TakeBackOrders(order_ids=("o-1",), engineer_id="e-1", day=TODAY, absence_id="a-1")
NOTED = AbsenceNoted(order_id="o-1", request_id="r-1", engineer_id="e-1", absence_id="a-1")
SETTLE = SettleAbsenceNote(order_id="o-1", absence_id="a-1")
SETTLED = AbsenceNoteSettled(order_id="o-1", request_id="r-1", absence_id="a-1")
HERS = (registered(), opened(), assigned(), booked())
BACK = OrderDeclined(
    order_id="o-1",
    request_id="r-1",
    engineer_id="e-1",
    reason="absent",
    frees=EngineerDay("e-1", TODAY),
    cause="absence",
)


def test_an_absence_is_reported_once():
    given(registered()).when(report()).then(absent())
    given(registered(), absent()).when(report()).then_nothing()
    given(registered(), absent()).when(report(absence_id="a-2")).then(absent(absence_id="a-2"))


@pytest.mark.parametrize(
    ("story", "changes", "code"),
    [
        ((), {}, "engineer.unknown"),
        ((registered(),), {"ends_at": at(17, 30)}, "absence.ends-before-it-begins"),
        ((registered(),), {"starts_at": at(8), "ends_at": at(9)}, "absence.over"),
        ((registered(), absent()), {"ends_at": at(18)}, "absence.already-reported"),
    ],
)
def test_what_makes_no_sense_is_refused(story, changes, code):
    given(*story).when(report(**changes)).then_rejected(code)


def test_an_absence_is_called_off_once():
    given(registered(), absent()).when(CALL_OFF).then(CALLED_OFF)
    given(registered(), absent(), CALLED_OFF).when(CALL_OFF).then_nothing()


def test_what_else_is_said_of_her_leaves_her_absences():
    changed = registered(van_id="van-9")
    given(registered(), absent(), changed).when(CALL_OFF).then(CALLED_OFF)
    given(registered(), absent()).when(register()).then_nothing()


# Orders in it.


def test_an_order_that_she_has_not_begun_waits_again_and_says_why():
    given(*HERS, absent()).when(TAKE_BACK).then(BACK)
    given(*HERS, absent(), BACK).when(TAKE_BACK).then_nothing()


@pytest.mark.parametrize(
    "story",
    [
        (*HERS, absent(), CALLED_OFF),
        (*HERS, absent(starts_at=at(18))),
        (*HERS,),
        (registered(), registered("e-2"), opened(), assigned("e-2"), booked(), absent()),
        (*HERS[:2], assigned(broke_rules=("absent",), though_absent=("a-1",)), booked(), absent()),
    ],
    ids=["called off", "only touches", "not absent", "somebody else's", "given to her though absent"],
)
def test_what_is_not_touched_by_it_stays_as_it_is(story):
    given(*story).when(TAKE_BACK).then_nothing()


def test_she_has_refused_nothing_and_may_get_it_again_when_she_is_back():
    over = (*HERS, absent(), BACK)
    given(*over).when(assign()).then_rejected("order.no-free-engineer")
    event, _ = given(*over).when(assign(("e-1", TOMORROW))).then_types(OrderAssigned, HoursBooked)
    assert event.starts_at == at(12, day=25)


def test_a_person_may_give_her_an_order_all_the_same():
    event, _ = (
        given(registered(), opened(), absent())
        .when(by_hand(starts_at=at(18), reason="she offered"))
        .then_types(OrderAssigned, HoursBooked)
    )
    assert (event.broke_rules, event.though_absent) == (("absent",), ("a-1",))


def test_an_absence_that_the_person_did_not_know_takes_it_back_all_the_same():
    knowing = assigned(broke_rules=("absent",), though_absent=("a-0",))
    given(*HERS[:2], knowing, booked(), absent()).when(TAKE_BACK).then(BACK)


def test_once_she_has_departed_a_dispatcher_is_told_once_until_it_is_called_off():
    story = (*HERS, absent(), started())
    given(*story).when(TAKE_BACK).then(NOTED)
    given(*story, NOTED).when(TAKE_BACK).then_nothing()
    given(*story, NOTED).when(SETTLE).then(SETTLED)
    given(*story, NOTED, SETTLED).when(SETTLE).then_nothing()
    given(*story, NOTED, returned()).when(SETTLE).then_nothing()
    knowing = assigned(broke_rules=("absent",), though_absent=("a-1",))
    given(*HERS[:2], knowing, booked(), absent(), started()).when(TAKE_BACK).then_nothing()


def test_the_board_shows_why_it_waits_again_and_whom_somebody_should_ask():
    row = rows_after(BOARD, [*HERS, BACK])[("o-1",)]
    assert (row["state"], row["back_because"], row["back_reason"]) == ("waiting", "absence", "absent")
    assert rows_after(BOARD, [*HERS, BACK, assigned()])[("o-1",)]["back_because"] == ""
    under_way = [*HERS, started(), NOTED]
    assert rows_after(BOARD, under_way)[("o-1",)]["absence_noted"] == "a-1"
    for after in (SETTLED, returned()):
        assert rows_after(BOARD, [*under_way, after])[("o-1",)]["absence_noted"] == ""
    assert reactions(CALLED_OFF, registered(), *under_way)["take-back-orders"] == [SETTLE]


# What is offered to her.

OFFERED = OrderOffered(
    order_id="o-1",
    request_id="r-1",
    offer_no=1,
    engineer_ids=("e-1", "e-2"),
    offered_until=at(17, 10),
    offered_by="rule",
)
TAKE_BACK_OFFER = TakeBackOffer(order_id="o-1", engineer_id="e-1", absence_id="a-1")
NOT_ASKED = OfferDeclined(
    order_id="o-1", request_id="r-1", offer_no=1, engineer_id="e-1", reason="absent", left=1, cause="absence"
)
NOW_AWAY = absent(starts_at=at(17, 5))


def test_an_offer_is_taken_back_from_her_and_the_others_may_still_take_it():
    story = (registered(), registered("e-2"), opened(), OFFERED, NOW_AWAY)
    given(*story).when(TAKE_BACK_OFFER).then(NOT_ASKED)
    given(*story, NOT_ASKED).when(TAKE_BACK_OFFER).then_nothing()
    given(*story, CALLED_OFF).when(TAKE_BACK_OFFER).then_nothing()
    given(*story, NOT_ASKED).when(take("e-1")).then_rejected("order.offered-to-others")
    given(*story, NOT_ASKED).when(take("e-2")).then_types(OrderAssigned, HoursBooked)


def test_she_who_cannot_answer_has_refused_nothing():
    row = rows_after(BOARD, [opened(), OFFERED, NOT_ASKED])[("o-1",)]
    assert (declined_by(row), offered_to(row)) == (frozenset(), ("e-2",))
    story = (registered(), opened(), OFFERED, NOW_AWAY, NOT_ASKED, CALLED_OFF)
    lapsed = OfferLapsed(order_id="o-1", request_id="r-1", offer_no=1, engineer_ids=("e-2",))
    given(*story, lapsed).when(assign()).then_types(OrderAssigned, HoursBooked)


@pytest.mark.parametrize(
    ("absence", "missed"),
    [
        (NOW_AWAY, True),
        (absent(starts_at=at(17, 10), ends_at=at(18)), False),
        (absent(starts_at=at(17, 10), ends_at=NOW + timedelta(days=30)), True),
    ],
    ids=["before it ends", "after it has ended", "for as long as hours are looked for"],
)
def test_offers_are_asked_back_that_she_cannot_answer_or_has_no_hours_for(absence, missed):
    asked = reactions(absence, registered(), opened(), OFFERED)["take-back-orders"]
    assert asked == ([TAKE_BACK_OFFER] if missed else [])


def test_who_is_away_while_an_offer_stands_is_not_asked_by_rule():
    away = (registered(), absent(starts_at=at(17, 5)), opened())
    asked = OfferOrder(order_id="o-1", engineer_ids=("e-1", "e-2"), now=NOW)
    (offered,) = given(*away, registered("e-2")).when(asked).then_types(OrderOffered)
    assert offered.engineer_ids == ("e-2",)
    given(*away).when(OfferOrder(order_id="o-1", engineer_ids=("e-1",), offered_by="person", now=NOW)).then_types(
        OrderOffered
    )
    rules = DispatchRulesSet(version=1, effective_from=NOW, offered_first=(OfferedFirst(),))
    asked = reactions(opened(), rules, registered("e-2"), registered(), absent(starts_at=at(17, 5)))["find-engineer"]
    assert [one.engineer_ids for one in asked] == [("e-2",)]


def test_each_order_that_is_booked_in_it_is_asked_for():
    touches = booked(order_id="o-2", starts_at=at(12, day=25), ends_at=at(13, day=25), day=TOMORROW)
    within = booked(order_id="o-3", starts_at=at(9, day=25), ends_at=at(10, day=25), day=TOMORROW)
    others = booked("e-2", order_id="o-4")
    asked = reactions(absent(), registered(), booked(), touches, within, others)
    of_tomorrow = TAKE_BACK.model_copy(update={"order_ids": ("o-3",), "day": TOMORROW})
    assert asked == {"take-back-orders": [TAKE_BACK, of_tomorrow]}


def test_what_comes_back_goes_to_somebody_else_at_once():
    before = (registered(), registered("e-2"), *HERS[1:], absent())
    free = FreeHours(engineer_id="e-1", day=TODAY, order_id="o-1")
    (gives_back, asked) = reactions(BACK, *before)["find-engineer"]
    assert gives_back == free
    assert asked.candidates[0].engineer_id == "e-2"
    assert {one.engineer_id for one in asked.candidates} == {"e-1", "e-2"}


def test_when_it_is_called_off_she_is_given_what_waits():
    asked = reactions(CALLED_OFF, registered(), opened(), absent(ends_at=NOW + timedelta(days=30)))
    assert asked == {"offer-free-hours": [asked_to_assign("e-1", compared=1)], "take-back-orders": []}
    still = reactions(
        AbsenceCalledOff(engineer_id="e-1", absence_id="a-0"),
        registered(),
        opened(),
        absent(absence_id="a-0", starts_at=at(18), ends_at=at(19)),
        absent(ends_at=NOW + timedelta(days=30), starts_at=NOW),
    )
    assert still == {"offer-free-hours": [], "take-back-orders": []}


# What she can do.


def test_levels_and_certificates_are_recorded_and_the_numbers_apart():
    command = register(
        skill_levels=(SkillHeld(skill="KFR-35", level=4, until="2027-01-31"),),
        certificates=(CertificateHeld(name="电工证", number="T1", until="2027-06-30"), CertificateHeld(name="驾照")),
        territory=("朝阳区",),
        hour_fen=8_000,
        km_fen=200,
    )
    given().when(command).then(
        registered(
            skills=("cooling", "KFR-35"),
            skill_levels=(SkillLevel("KFR-35", 4, "2027-01-31"),),
            certificates=(Certificate("电工证", "2027-06-30"), Certificate("驾照")),
            certificate_numbers='{"电工证": "T1"}',
            territory=("朝阳区",),
            hour_fen=8_000,
            km_fen=200,
        )
    )


def test_a_skill_or_a_certificate_is_named_once():
    twice = register(skill_levels=(SkillHeld(skill="cooling"), SkillHeld(skill="cooling", level=2)))
    given().when(twice).then_rejected("engineer.named-twice", name="cooling")
    papers = register(certificates=(CertificateHeld(name="电工证"), CertificateHeld(name="电工证")))
    given().when(papers).then_rejected("engineer.named-twice", name="电工证")

"""What becomes of a request: taken, checked, followed to its end."""

import pytest

from contracts.intake import (
    CustomerRegistered,
    DeviceRegistered,
    NumberGiven,
    RequestCancelled,
    RequestClosed,
    RequestIncomplete,
    RequestReceived,
    RequestSupplemented,
    RequestTypeDefined,
    RequestWithdrawn,
)
from intake.commands import CancelRequest, CloseRequest, SubmitRequest, SupplementRequest, WithdrawRequest
from intake.service import RULES
from tests.given import spec_for

given = spec_for(RULES)

REPAIR = RequestTypeDefined(type_id="repair", type_version=2, name="Repair", duration_s=5_400, min_description=4)
ENQUIRY = RequestTypeDefined(type_id="enquiry", type_version=1, name="Enquiry", needs_device=False, skill="advice")
LI = CustomerRegistered(
    customer_id="c-1", name="李", phone="13800000000", street="路 1", region="朝阳区", lat_udeg=39_920_000, lon_udeg=0
)
FRIDGE = DeviceRegistered(device_id="d-1", customer_id="c-1", model="BCD-520", serial="S1", skill="refrigeration")
REGISTERS = (REPAIR, ENQUIRY, LI, FRIDGE)


def submit(**changes):
    facts = {"request_id": "r-1", "request_type": "repair", "customer_id": "c-1", "device_id": "d-1"}
    return SubmitRequest(**facts | {"description": "does not cool", "day": "2026-11-24"} | changes)


def received(**changes):
    facts = {
        "request_id": "r-1",
        "number": "R-261124-0001",
        "request_type": "repair",
        "type_version": 2,
        "customer_id": "c-1",
        "device_id": "d-1",
        "device_model": "BCD-520",
        "skill": "refrigeration",
        "duration_s": 5_400,
        "region": "朝阳区",
        "lat_udeg": 39_920_000,
        "lon_udeg": 0,
        "description": "does not cool",
    }
    return RequestReceived(**facts | changes)


def incomplete(*missing, zh=(), **changes):
    facts = {
        "type_version": 2,
        "request_id": "r-1",
        "number": "R-261124-0001",
        "request_type": "repair",
        "customer_id": "c-1",
        "device_id": "d-1",
        "description": "does not cool",
    }
    return RequestIncomplete(**facts | changes, missing=missing, missing_zh=zh)


NUMBERED = NumberGiven(day="2026-11-24", request_id="r-1")


def test_a_complete_request_is_received_with_all_that_others_need():
    given(*REGISTERS).when(submit()).then(NUMBERED, received())


def test_a_request_without_a_device_takes_its_skill_from_its_type():
    asked = submit(request_type="enquiry", device_id="")
    expected = received(
        request_type="enquiry", type_version=1, device_id="", device_model="", skill="advice", duration_s=3_600
    )
    given(*REGISTERS).when(asked).then(NUMBERED, expected)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"request_type": "none"}, ("request_type: there is no type 'none'", "request_type: 没有请求类型 'none'")),
        ({"device_id": ""}, ("device_id: which device it is about", "device_id: 请说明是哪台设备")),
        ({"device_id": "d-9"}, ("device_id: no device 'd-9' is registered", "device_id: 设备 'd-9' 未登记")),
        ({"description": "  ?  "}, ("description: at least 4 characters", "description: 描述至少 4 个字符")),
    ],
)
def test_what_is_missing_or_wrong_is_named_in_both_languages(changes, missing):
    version = 0 if "request_type" in changes else 2
    expected = incomplete(missing[0], zh=missing[1:], type_version=version, **changes)
    given(*REGISTERS).when(submit(**changes)).then(NUMBERED, expected)


def test_a_device_of_somebody_else_is_not_taken():
    other = CustomerRegistered(
        customer_id="c-2", name="王", phone="13900000000", street="", region="海淀区", lat_udeg=0, lon_udeg=0
    )
    missing = "device_id: device 'd-1' is not registered for this customer"
    expected = incomplete(missing, zh=("device_id: 设备 'd-1' 未登记在该客户名下",), customer_id="c-2")
    given(*REGISTERS, other).when(submit(customer_id="c-2")).then(NUMBERED, expected)
    # Nor where the type asks for none.
    asked = submit(customer_id="c-2", request_type="enquiry")
    given(*REGISTERS, other).when(asked).then_types(NumberGiven, RequestIncomplete)


def test_all_that_is_wrong_is_named_at_once():
    asked = submit(customer_id="c-9", device_id="", description="")
    _, event = given(*REGISTERS).when(asked).then_types(NumberGiven, RequestIncomplete)
    assert [line.partition(":")[0] for line in event.missing] == ["customer_id", "device_id", "description"]


def test_numbers_count_the_requests_of_a_day():
    earlier = [NumberGiven(day="2026-11-24", request_id=f"r-{n}") for n in range(41)]
    _, event = given(*REGISTERS, *earlier).when(submit()).then_types(NumberGiven, RequestReceived)
    assert event.number == "R-261124-0042"


def test_a_request_is_submitted_once():
    given(*REGISTERS, received()).when(submit()).then_rejected("request.already-submitted")


def supplement(**changes):
    known = {
        "known_request_type": "repair",
        "known_customer_id": "c-1",
        "known_description": "does not cool",
    }
    return SupplementRequest(request_id="r-1", **known | changes)


def test_what_was_missing_makes_it_complete():
    waiting = incomplete("device_id: which device it is about", device_id="")
    told = RequestSupplemented(request_id="r-1", customer_id="c-1", fields=("device_id",))
    given(*REGISTERS, waiting).when(supplement(device_id="d-1")).then(told, received())


def test_a_supplement_that_is_not_enough_leaves_it_waiting_for_the_rest():
    waiting = incomplete("device_id: …", "description: at least 4 characters", device_id="", description="?")
    told = RequestSupplemented(request_id="r-1", customer_id="c-1", fields=("device_id",))
    still = incomplete("description: at least 4 characters", zh=("description: 描述至少 4 个字符",), description="?")
    given(*REGISTERS, waiting).when(supplement(device_id="d-1", known_description="?")).then(told, still)


def test_a_description_that_was_too_short_stays_too_short():
    waiting = incomplete("device_id: …", "description: at least 4 characters", device_id="", description="?")
    asked = supplement(device_id="d-1", known_description="?")
    given(*REGISTERS, waiting).when(asked).then_types(RequestSupplemented, RequestIncomplete)


def test_a_supplement_that_says_nothing_new_changes_nothing():
    waiting = incomplete("device_id: …", device_id="")
    given(*REGISTERS, waiting).when(supplement()).then_nothing()


def test_a_complete_request_takes_no_supplement():
    given(*REGISTERS, received()).when(supplement(device_id="d-1")).then_rejected("request.not-incomplete")


WITHDRAW = WithdrawRequest(request_id="r-1", reason="works again")
WITHDRAWN = RequestWithdrawn(request_id="r-1", customer_id="c-1", reason="works again")


@pytest.mark.parametrize("before", [received(), incomplete("device_id: …")])
def test_a_request_that_runs_or_waits_can_be_withdrawn(before):
    given(before).when(WITHDRAW).then(WITHDRAWN)


def test_withdrawing_again_changes_nothing():
    given(received(), WITHDRAWN).when(WITHDRAW).then_nothing()


def test_a_closed_request_cannot_be_withdrawn():
    given(received(), RequestClosed(request_id="r-1", outcome="completed")).when(WITHDRAW).then_rejected(
        "request.closed"
    )


CLOSE = CloseRequest(request_id="r-1")


def test_completed_work_closes_the_request():
    given(received()).when(CLOSE).then(RequestClosed(request_id="r-1", outcome="completed"))


def test_work_done_before_word_of_the_withdrawal_came_is_a_fact_and_wins():
    given(received(), WITHDRAWN).when(CLOSE).then(RequestClosed(request_id="r-1", outcome="completed_after_withdrawal"))


def test_a_closed_request_is_not_closed_again():
    given(received(), RequestClosed(request_id="r-1", outcome="completed")).when(CLOSE).then_nothing()


CANCEL = CancelRequest(request_id="r-1")
CANCELLED = RequestCancelled(request_id="r-1", customer_id="c-1")


def test_a_cancelled_order_ends_its_request_once():
    given(received()).when(CANCEL).then(CANCELLED)
    given(received(), CANCELLED).when(CANCEL).then_nothing()


def test_what_has_ended_already_is_not_cancelled():
    given(received(), WITHDRAWN).when(CANCEL).then_nothing()
    given(received(), RequestClosed(request_id="r-1", outcome="completed")).when(CANCEL).then_nothing()


def test_work_done_before_word_of_the_cancellation_came_closes_the_request():
    given(received(), CANCELLED).when(CLOSE).then(RequestClosed(request_id="r-1", outcome="completed"))


def test_a_customer_who_withdraws_what_was_cancelled_changes_nothing():
    given(received(), CANCELLED).when(WITHDRAW).then_nothing()


@pytest.mark.parametrize("command", [WITHDRAW, CLOSE, CANCEL, supplement()])
def test_a_request_that_nobody_made_is_unknown(command):
    given(*REGISTERS).when(command).then_rejected("request.unknown", request_id="r-1")

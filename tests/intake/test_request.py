"""What becomes of a request: taken, checked, followed to its end."""

from datetime import timedelta

import msgspec
import pytest

from contracts.intake import (
    CustomerRegistered,
    DeviceRegistered,
    NumberGiven,
    RequestCancelled,
    RequestClosed,
    RequestExpired,
    RequestIncomplete,
    RequestMerged,
    RequestReceived,
    RequestReminded,
    RequestReopened,
    RequestResolvedRemotely,
    RequestSupplemented,
    RequestTypeDefined,
    RequestUnmerged,
    RequestWithdrawn,
    SiteRegistered,
    Work,
)
from intake.commands import (
    CancelRequest,
    CloseRequest,
    ExpireRequest,
    MergeRequest,
    RemindRequest,
    ReopenRequest,
    ResolveRemotely,
    SubmitRequest,
    SupplementRequest,
    UnmergeRequest,
    WithdrawRequest,
)
from intake.domain.request import work_of
from intake.service import RULES
from tests.given import NOW, spec_for

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
    return RequestReceived(**{"sealed_under": (facts | changes)["request_id"]} | facts | changes)


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


def test_work_done_though_it_was_solved_from_the_desk_closes_it_once():
    done = CloseRequest(request_id="r-1", order_id="o-1", completed_at=NOW)
    closed = RequestClosed(request_id="r-1", outcome="completed", order_id="o-1", completed_at=NOW)
    resolved = RequestResolvedRemotely(request_id="r-1", customer_id="c-1", action="restarted", resolved_at=NOW)
    given(received(), resolved).when(done).then(closed)
    given(received(), resolved, closed).when(done).then_nothing()
    reopen = ReopenRequest(request_id="r-1", now=NOW)
    [after_work] = given(received(), resolved, closed).when(reopen).then_types(RequestReopened)
    [from_desk] = given(received(), resolved).when(reopen).then_types(RequestReopened)
    assert (after_work.done_order_id, from_desk.done_order_id) == ("o-1", "")


def test_work_that_was_done_before_the_fault_came_back_does_not_mend_it():
    done = CloseRequest(request_id="r-1", order_id="o-1", completed_at=NOW - timedelta(minutes=1))
    resolved = RequestResolvedRemotely(request_id="r-1", customer_id="c-1", action="restarted", resolved_at=NOW)
    again = RequestReopened(request_id="r-1", customer_id="c-1", work=work_of(received()), reopened_at=NOW)
    closed, reopened = given(received(), resolved, again).when(done).then_types(RequestClosed, RequestReopened)
    assert (closed.order_id, closed.round_no) == ("o-1", 2)
    assert (reopened.done_order_id, reopened.round_no, reopened.reopened_at) == ("o-1", 3, NOW)
    later = done.model_copy(update={"completed_at": NOW})
    [closed] = given(received(), resolved, again).when(later).then_types(RequestClosed)
    assert closed.round_no == 2


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


# What is checked beside the form.


def lines(*registers, **changes):
    _, event = given(*registers).when(submit(**changes)).then_types(NumberGiven, RequestIncomplete)
    return list(zip(event.missing, event.missing_zh, strict=True))


def test_a_phone_that_cannot_be_called_is_asked_for_again():
    [(en, zh)] = lines(*REGISTERS, contact_phone="1380000")
    assert (en, zh) == ("contact_phone: this is no phone number that exists", "contact_phone: 电话号码无效")
    given(*REGISTERS).when(submit(contact_phone="+49 30 123456")).then(
        NUMBERED, received(contact_phone="+49 30 123456")
    )


def test_an_address_that_may_lie_in_two_cities_is_asked_for_and_not_guessed():
    [(en, zh)] = lines(*REGISTERS, address="朝阳区建国路 1 号")
    assert en == "address: there is one in each of 北京市朝阳区, 吉林省长春市朝阳区: say which"
    assert zh == "address: 以下地区均有此名称：北京市朝阳区, 吉林省长春市朝阳区，请写明省市"


@pytest.mark.parametrize(
    ("address", "en"),
    [
        ("建国路 1 号", "address: in which district, with its city is it"),
        ("北京市建国路 1 号", "address: in which district of 北京市 is it"),
        ("北京市朝阳区", "address: street and number in 北京市朝阳区"),
        (
            "北京市海淀区中关村 1 号",
            "address: it lies in 北京市海淀区, and the customer's place in 朝阳区: correct one of them",
        ),
    ],
)
def test_what_an_address_lacks_is_said(address, en):
    assert lines(*REGISTERS, address=address)[0][0] == en


def test_an_address_that_is_clear_goes_with_the_request():
    address = "北京朝阳区 建国路 1 号"
    given(*REGISTERS).when(submit(address=address)).then(NUMBERED, received(address=address, division="110105"))


def test_a_serial_number_must_lead_to_the_device():
    given(*REGISTERS).when(submit(serial="S1")).then(NUMBERED, received())
    assert lines(*REGISTERS, serial="S2")[0][0] == "serial: no device has the serial number 'S2'"
    assert lines(*REGISTERS, serial="S2", device_id="")[0][0] == "serial: no device has the serial number 'S2'"


def test_a_serial_number_that_the_maker_never_gives_is_a_misreading():
    def kind(**rules):
        return RequestTypeDefined(type_id="repair", type_version=3, name="Repair", **rules)

    pattern = lines(*REGISTERS, kind(serial_pattern="SN-[0-9]{4}"), serial="SN-12O4")
    assert pattern == [("serial: a serial number looks like SN-[0-9]{4}", "serial: 序列号格式须为 SN-[0-9]{4}")]
    imei = FRIDGE.__class__(device_id="d-1", customer_id="c-1", model="M", serial="490154203237518", skill="s")
    luhn = kind(serial_check="luhn")
    given(*REGISTERS, luhn, imei).when(submit(serial="490154203237518")).then_types(NumberGiven, RequestReceived)
    misread = lines(*REGISTERS, luhn, imei, serial="490154203237578")
    assert misread[0][0] == "serial: its check digit does not fit: a digit was misread"


SHOP = SiteRegistered(
    site_id="s-1", customer_id="c-1", name="店", address="x", region="海淀区", lat_udeg=39_959_000, lon_udeg=116_298_000
)


def test_a_request_at_a_site_lies_there():
    there = {"site_id": "s-1", "region": "海淀区", "lat_udeg": 39_959_000, "lon_udeg": 116_298_000}
    given(*REGISTERS, SHOP).when(submit(site_id="s-1")).then(NUMBERED, received(**there))
    address = "北京市海淀区中关村 1 号"
    expected = received(**there, address=address, division="110108")
    given(*REGISTERS, SHOP).when(submit(site_id="s-1", address=address)).then(NUMBERED, expected)


def test_a_site_must_be_one_of_the_customers_own():
    missing = "site_id: no site 's-1' of this customer is registered"
    assert lines(*REGISTERS, site_id="s-1")[0][0] == missing
    theirs = msgspec.structs.replace(SHOP, customer_id="c-2")
    assert lines(*REGISTERS, theirs, site_id="s-1")[0][0] == missing
    waiting = incomplete(missing, site_id="s-2")
    asked = supplement(known_device_id="d-1", known_site_id="s-2", site_id="s-1")
    _, event = given(*REGISTERS, SHOP, waiting).when(asked).then_types(RequestSupplemented, RequestReceived)
    assert (event.site_id, event.region) == ("s-1", "海淀区")


# Nobody answers.

REMIND = RemindRequest(request_id="r-1")
EXPIRE = ExpireRequest(request_id="r-1")
EXPIRED = RequestExpired(request_id="r-1", customer_id="c-1")


def reminded(time_no):
    return RequestReminded(request_id="r-1", customer_id="c-1", time_no=time_no)


def test_who_owes_an_answer_is_reminded_twice_at_most():
    waiting = incomplete("device_id: …")
    given(waiting).when(REMIND).then(reminded(1))
    given(waiting, reminded(1)).when(REMIND).then(reminded(2))
    given(waiting, reminded(1), reminded(2)).when(REMIND).then_nothing()
    # A supplement that is not enough is no reason for more.
    given(waiting, reminded(1), reminded(2), incomplete("description: …")).when(REMIND).then_nothing()


def test_what_is_never_answered_is_given_up():
    given(incomplete("device_id: …")).when(EXPIRE).then(EXPIRED)
    given(incomplete("device_id: …"), EXPIRED).when(EXPIRE).then_nothing()
    given(*REGISTERS, incomplete("device_id: …"), EXPIRED).when(supplement(device_id="d-1")).then_rejected(
        "request.expired"
    )


@pytest.mark.parametrize("command", [REMIND, EXPIRE])
@pytest.mark.parametrize("ended", [received(), WITHDRAWN, EXPIRED])
def test_what_waits_for_nothing_is_neither_reminded_nor_given_up(command, ended):
    given(incomplete("device_id: …"), ended).when(command).then_nothing()


# The channels' messages.


def test_a_message_of_a_channel_makes_one_request():
    first = received(request_id="r-0", message_id="wechat/m-1")
    again = submit(message_id="wechat/m-1", description="other words")
    given(*REGISTERS, first).when(again).then_rejected("channel-message.taken", key="wechat/m-1")
    waiting = incomplete("…", request_id="r-0", message_id="wechat/m-1")
    given(*REGISTERS, waiting).when(again).then_rejected("channel-message.taken")
    given(*REGISTERS, first).when(submit(message_id="email/m-1")).then(NUMBERED, received(message_id="email/m-1"))


# Two requests for one thing.

MERGE = MergeRequest(request_id="r-1", into_id="r-0")
MERGED = RequestMerged(request_id="r-1", customer_id="c-1", into_id="r-0")
UNMERGE = UnmergeRequest(request_id="r-1")
FIRST = received(request_id="r-0")
WORK = Work(**{name: getattr(received(), name) for name in Work.__struct_fields__})


@pytest.mark.parametrize("before", [received(), incomplete("device_id: …")])
def test_an_open_request_is_merged_into_another_open_one(before):
    given(FIRST, before).when(MERGE).then(MERGED)
    given(FIRST, before, MERGED).when(MERGE).then_nothing()


def test_only_what_is_open_is_merged_and_only_into_what_is_open():
    closed = RequestClosed(request_id="r-1", outcome="completed")
    given(FIRST, received(), closed).when(MERGE).then_rejected("request.not-open", request_id="r-1")
    ended = RequestWithdrawn(request_id="r-0", customer_id="c-1")
    given(FIRST, ended, received()).when(MERGE).then_rejected("request.not-open", request_id="r-0")
    given(received()).when(MERGE).then_rejected("request.unknown", request_id="r-0")
    given(FIRST).when(MERGE).then_rejected("request.unknown", request_id="r-1")
    itself = MergeRequest(request_id="r-1", into_id="r-1")
    given(received()).when(itself).then_rejected("request.merged-into-itself")


def test_what_is_merged_stands_for_nothing_else():
    third = received(request_id="r-2")
    into_merged = MergeRequest(request_id="r-2", into_id="r-1")
    given(FIRST, received(), MERGED, third).when(into_merged).then_rejected("request.not-open", request_id="r-1")
    elsewhere = MergeRequest(request_id="r-1", into_id="r-2")
    given(FIRST, received(), MERGED, third).when(elsewhere).then_rejected("request.merged", into_id="r-0")


def test_what_was_merged_by_mistake_goes_on_with_an_order_of_a_new_round():
    unmerged = RequestUnmerged(request_id="r-1", customer_id="c-1", into_id="r-0", round_no=2, work=WORK)
    given(received(), MERGED).when(UNMERGE).then(unmerged)
    given(received(), MERGED, unmerged).when(UNMERGE).then_nothing()
    given(received(), MERGED, unmerged).when(WITHDRAW).then(msgspec.structs.replace(WITHDRAWN, round_no=2))
    again = msgspec.structs.replace(MERGED, round_no=2)
    given(FIRST, received(), MERGED, unmerged).when(MERGE).then(again)


def test_what_was_merged_while_it_was_incomplete_waits_again_and_never_had_an_order():
    waiting = incomplete("device_id: …", device_id="", remind_after_s=60, expire_after_s=600)
    facts = {"round_no": 1, "remind_after_s": 60, "expire_after_s": 600}
    unmerged = RequestUnmerged(request_id="r-1", customer_id="c-1", into_id="r-0", **facts)
    given(waiting, MERGED).when(UNMERGE).then(unmerged)
    _, event = (
        given(*REGISTERS, waiting, MERGED, unmerged)
        .when(supplement(device_id="d-1"))
        .then_types(RequestSupplemented, RequestReceived)
    )
    assert event == received()


def test_a_merged_request_is_neither_supplemented_nor_reminded_but_can_be_withdrawn():
    waiting = incomplete("device_id: …")
    given(*REGISTERS, waiting, MERGED).when(supplement(device_id="d-1")).then_rejected("request.not-incomplete")
    given(waiting, MERGED).when(REMIND).then_nothing()
    given(waiting, MERGED).when(EXPIRE).then_nothing()
    given(waiting, MERGED).when(WITHDRAW).then(WITHDRAWN)


def test_work_done_before_word_of_the_merger_came_closes_the_request():
    given(received(), MERGED).when(CLOSE).then(RequestClosed(request_id="r-1", outcome="completed"))
    given(received(), MERGED).when(CANCEL).then_nothing()


# The fault is back.

DONE = RequestClosed(request_id="r-1", outcome="completed", completed_at=NOW - timedelta(days=30), order_id="o-1")
REOPEN = ReopenRequest(request_id="r-1", reason="noisy again", now=NOW)
REOPENED = RequestReopened(
    request_id="r-1",
    customer_id="c-1",
    round_no=2,
    work=WORK,
    reason="noisy again",
    done_order_id="o-1",
    reopened_at=NOW,
)


def test_within_the_warranty_of_the_work_a_request_goes_on_with_a_repeat_visit():
    given(received(), DONE).when(REOPEN).then(REOPENED)
    given(received(), DONE, REOPENED).when(REOPEN).then_nothing()


def test_after_the_warranty_it_is_a_new_request():
    late = REOPEN.model_copy(update={"now": NOW + timedelta(seconds=1)})
    given(received(), DONE).when(late).then_rejected("request.warranty-over", until=NOW.isoformat())
    given(received(warranty_s=60 * 86_400), DONE).when(late).then_types(RequestReopened)


def test_what_came_back_can_come_back_again():
    again = RequestClosed(request_id="r-1", outcome="completed", completed_at=NOW)
    [event] = given(received(), DONE, REOPENED, again).when(REOPEN).then_types(RequestReopened)
    assert event.round_no == 3


@pytest.mark.parametrize("state", [[received()], [incomplete("…")], [received(), WITHDRAWN], [received(), CANCELLED]])
def test_where_no_work_was_done_there_is_none_to_come_back_to(state):
    given(*state).when(REOPEN).then_rejected("request.not-completed")


# Solved from the desk.

RESOLVE = ResolveRemotely(request_id="r-1", action="restarted it", now=NOW)


def resolved(**changes):
    facts = {"request_id": "r-1", "customer_id": "c-1", "action": "restarted it", "resolved_at": NOW}
    return RequestResolvedRemotely(**facts | changes)


def test_what_is_solved_while_the_customer_speaks_is_solved_at_the_first_contact():
    given(received()).when(RESOLVE).then(resolved(first_contact=True))
    given(received(), resolved()).when(RESOLVE).then_nothing()


def test_who_was_asked_for_more_or_came_back_was_not_helped_at_the_first_contact():
    given(incomplete("device_id: …")).when(RESOLVE).then(resolved())
    given(incomplete("device_id: …"), received()).when(RESOLVE).then(resolved())
    given(received(), DONE, REOPENED).when(RESOLVE).then(resolved(round_no=2))


def test_what_was_solved_from_the_desk_can_come_back():
    given(received(), resolved()).when(REOPEN).then(msgspec.structs.replace(REOPENED, done_order_id=""))


def test_what_has_ended_otherwise_is_not_solved_any_more():
    given(received(), WITHDRAWN).when(RESOLVE).then_rejected("request.not-open")
    given(received(), MERGED).when(RESOLVE).then_rejected("request.not-open")


@pytest.mark.parametrize("command", [MERGE, UNMERGE, REOPEN, RESOLVE])
def test_nothing_is_done_with_a_request_that_nobody_made(command):
    given(FIRST).when(command).then_rejected("request.unknown")

"""Models of devices: check digits of serial numbers, fault trees in versions, and what a fault takes."""

import asyncio

import pytest

from contracts.intake import (
    AskedIf,
    Choice,
    CustomerRegistered,
    DeviceModelDefined,
    DeviceRegistered,
    FormField,
    NumberGiven,
    RequestIncomplete,
    RequestReceived,
    RequestSupplemented,
    RequestTypeDefined,
    SiteRegistered,
    UsualPart,
)
from contracts.problems import Rejected
from intake.commands import DefineDeviceModel, FaultOf, PartUsed, RegisterDevice, SubmitRequest, SupplementRequest
from intake.domain.form import judge, lacks
from intake.domain.serial import CHECKS
from intake.service import RULES, service
from tests.fieldwork.live import live
from tests.given import spec_for
from tests.intake.examples import founded, request, submit

given = spec_for(RULES)

# Check digits. The numbers are printed examples of the standards and of their registers.

RIGHT = {
    "luhn": "79927398713",
    "imei": "490154203237518",
    "mod11": "0000-0002-1825-0097",  # An ORCID, which is an ISNI.
    "mod97": "5493001KJTIIGC8Y1R12",  # A legal entity identifier.
    "ean": "4006381333931",
}


@pytest.mark.parametrize(("check", "serial"), RIGHT.items())
def test_one_digit_that_was_misread_is_found(check, serial):
    assert CHECKS[check](serial)
    for place, digit in enumerate(serial):
        if digit.isdigit():
            for other in set("0123456789") - {digit}:
                assert not CHECKS[check](serial[:place] + other + serial[place + 1 :]), (check, place, other)


@pytest.mark.parametrize("serial", ["96385074", "036000291452", "10614141000415"])
def test_the_shorter_and_the_longer_numbers_of_gs1_have_the_same_digit(serial):
    assert CHECKS["ean"](serial)


@pytest.mark.parametrize("check", RIGHT)
def test_what_is_no_such_number_does_not_pass(check):
    assert not any(CHECKS[check](serial) for serial in ("", "X", "无", "12", "1" * 99))


def test_an_x_stands_for_ten():
    assert CHECKS["mod11"]("0000-0002-1694-233X")


# The register.

PLACE = {"region": "朝阳区", "lat_udeg": 39_920_000, "lon_udeg": 116_443_000}
KNOWN = CustomerRegistered(customer_id="c-1", name="李", phone="13800000001", street="路", **PLACE)
SHOP = SiteRegistered(site_id="s-1", customer_id="c-1", name="店", address="路", **PLACE | {"region": "海淀区"})
FRIDGE = {"device_id": "d-1", "customer_id": "c-1", "model": "M", "serial": "4006381333931", "skill": "cooling"}


def model(version=1, **changes):
    return DeviceModelDefined(model="M", model_version=version, name="Model", **changes)


def test_a_serial_number_that_the_model_cannot_have_is_not_registered():
    wrong = RegisterDevice(**FRIDGE | {"serial": "4006381333932"})
    given(KNOWN, model(serial_check="ean")).when(wrong).then_rejected("device.serial-wrong", model="M")
    given(KNOWN, model(serial_pattern="[0-9]{4}")).when(RegisterDevice(**FRIDGE)).then_rejected("device.serial-wrong")
    given(KNOWN, model(serial_check="ean")).when(RegisterDevice(**FRIDGE)).then(DeviceRegistered(**FRIDGE))


def test_a_device_that_is_registered_stays_when_its_model_gets_another_rule():
    there = DeviceRegistered(**FRIDGE)
    given(KNOWN, there, model(serial_pattern="[A-Z]")).when(RegisterDevice(**FRIDGE)).then_nothing()


def test_a_device_stands_at_a_site_of_its_customer():
    at_the_shop = FRIDGE | {"site_id": "s-1"}
    given(KNOWN, SHOP).when(RegisterDevice(**at_the_shop)).then(DeviceRegistered(**at_the_shop))
    given(KNOWN).when(RegisterDevice(**at_the_shop)).then_rejected("site.not-this-customers", site_id="s-1")


# The tree.

FAULTS = (
    FaultOf(code="cooling", label="Cooling", skills=("gas",), duration_s=7_200),
    FaultOf(code="leak", label="Gas leaks", parent="cooling", parts=(PartUsed(part_id="P-GAS", quantity=2),)),
    FaultOf(code="door", label="Door"),
)
TREE = tuple(one.of() for one in FAULTS)


def test_the_same_definition_again_is_no_new_version():
    define = DefineDeviceModel(model="M", name="Model", faults=FAULTS)
    given().when(define).then(model(faults=TREE))
    given(model(faults=TREE)).when(define).then_nothing()
    given(model()).when(define).then(model(2, faults=TREE))


@pytest.mark.parametrize("faults", [FAULTS[1:], (FAULTS[0], FAULTS[0])])
def test_a_tree_that_is_none_names_the_fault(faults):
    given().when(DefineDeviceModel(model="M", name="Model", faults=faults)).then_rejected("device-model.wrong-field")


TYPE = RequestTypeDefined(
    type_id="repair",
    type_version=1,
    name="Repair",
    more_skills=("ladder",),
    skill_level=2,
    certificates=("electrician",),
    usual_parts=(UsualPart("P-ANY"),),
)
HISTORY = (KNOWN, SHOP, DeviceRegistered(**FRIDGE | {"site_id": "s-1"}), TYPE)


def submitted(**changes):
    about = {"device_model": "M", "device_site_id": "s-1", "device_id": "d-1", "customer_id": "c-1"}
    return SubmitRequest(request_id="r-1", request_type="repair", day="2026-11-24", **about | changes)


def received(history, **changes):
    return given(*history).when(submitted(**changes)).then_types(NumberGiven, RequestReceived)[1]


def test_a_fault_says_what_mending_it_takes_and_what_it_does_not_say_the_wider_one_does():
    told = received((*HISTORY, model(3, faults=TREE)), fault="leak")
    assert (told.fault_class, told.model_version, told.duration_s) == ("leak", 3, 7_200)
    assert (told.skill, told.more_skills, told.usual_parts) == ("cooling", ("ladder", "gas"), (UsualPart("P-GAS", 2),))
    assert (told.skill_level, told.certificates) == (2, ("electrician",))


def test_a_fault_of_which_the_tree_says_nothing_takes_what_the_type_says():
    told = received((*HISTORY, model(faults=TREE)), fault="door")
    assert (told.duration_s, told.more_skills, told.usual_parts) == (3_600, ("ladder",), (UsualPart("P-ANY"),))


def test_a_fault_that_the_model_does_not_have_is_asked():
    [_, told] = (
        given(*HISTORY, model(faults=TREE)).when(submitted(fault="noise")).then_types(NumberGiven, RequestIncomplete)
    )
    assert told.missing == ("fault: there is no fault 'noise' for this device",)


def test_a_request_keeps_the_tree_that_it_was_made_with():
    [_, waiting] = (
        given(*HISTORY, model(1, faults=TREE))
        .when(submitted(fault="leak", contact_phone="1"))
        .then_types(NumberGiven, RequestIncomplete)
    )
    newer = model(2, faults=(TREE[0], TREE[2]))
    supplement = SupplementRequest(
        request_id="r-1",
        contact_phone="13800000001",
        known_request_type="repair",
        known_customer_id="c-1",
        known_device_id="d-1",
        device_model="M",
        device_site_id="s-1",
        known_contact_phone="1",
    )
    [_, told] = (
        given(*HISTORY, model(1, faults=TREE), newer, waiting)
        .when(supplement)
        .then_types(RequestSupplemented, RequestReceived)
    )
    assert (told.fault_class, told.model_version, told.usual_parts) == ("leak", 1, (UsualPart("P-GAS", 2),))


def test_service_is_wanted_where_the_device_stands():
    told = received(HISTORY, wished_engineer_id="e-7")
    assert (told.site_id, told.region, told.wished_engineer_id) == ("s-1", "海淀区", "e-7")


def test_another_site_than_that_of_the_device_is_asked():
    other = SiteRegistered(site_id="s-2", customer_id="c-1", name="店", address="路", **PLACE)
    [_, told] = given(*HISTORY, other).when(submitted(site_id="s-2")).then_types(NumberGiven, RequestIncomplete)
    assert told.missing_zh == ("site_id: 该设备位于地点 's-1'，请更正地点或设备",)


# Conditions of a form.

CHOICES = (Choice("dead", "Dead"), Choice("leaks", "Leaks"))
FORM = (
    FormField(name="fault", label="Fault", kind="choice", choices=CHOICES, required=True, says_fault=True),
    FormField(name="where", label="Where", required=True, asked_if=AskedIf("fault", ("leaks",)), pattern="[a-z]{1,9}"),
)


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ({"fault": "dead"}, []),
        ({"fault": "leaks", "where": "door"}, []),
        ({"fault": "leaks"}, ["answers.where"]),
        ({"fault": "leaks", "where": "9"}, ["answers.where"]),
        ({"fault": "dead", "where": "door"}, ["answers.where"]),
        ({"where": "door"}, ["answers.fault", "answers.where"]),
        ({}, ["answers.fault"]),
    ],
)
def test_a_field_is_asked_where_its_condition_holds_and_nowhere_else(answers, wrong):
    assert [lack.field for lack in lacks(FORM, answers)] == wrong


def test_one_of_several_choices_is_enough():
    several = FormField(name="fault", label="Fault", kind="choices", choices=CHOICES)
    assert [lack.field for lack in lacks((several, FORM[1]), {"fault": ["dead", "leaks"]})] == ["answers.where"]
    assert lacks((several, FORM[1]), {"fault": ["dead"]}) == []


@pytest.mark.parametrize(
    "form",
    [
        FORM[::-1],
        (FORM[0], FormField(name="b", label="B", asked_if=AskedIf("fault", ("noise",)))),
        (FORM[0], FormField(name="b", label="B", asked_if=AskedIf("fault", ()))),
        (FormField(name="b", label="B", says_fault=True),),
        (FORM[0], FormField(name="b", label="B", kind="choice", choices=CHOICES, says_fault=True)),
    ],
)
def test_a_condition_that_can_never_be_tried_is_refused(form):
    with pytest.raises(Rejected) as no:
        judge("repair", form)
    assert no.value.code == "request-type.wrong-field"


def test_what_the_form_says_is_the_fault_where_the_model_has_no_tree():
    kind = RequestTypeDefined(type_id="repair", type_version=2, name="Repair", form=FORM)
    told = received((*HISTORY, kind), answers={"fault": "dead"})
    assert (told.fault_class, told.model_version) == ("dead", 0)


# Through the routes.


def test_a_model_is_defined_and_its_fault_is_in_the_request_and_among_the_duplicates(tmp_path):
    async def story(it):
        await founded(it)
        body = {"model": "BCD-520", "name": "Fridge", "faults": [one.model_dump() for one in FAULTS]}
        made = await it.call("m", "manager", "POST", "/v1/device-models", json=body)
        assert made.json()["events"] == ["DeviceModelDefined"]
        shown = (await it.call("c-1", "customer", "GET", "/v1/device-models/BCD-520")).json()
        back = {name: shown[name] for name in shown.keys() - {"version"}}
        assert (await it.call("m", "manager", "POST", "/v1/device-models", json=back)).json()["events"] == []
        first = await submit(it, fault="leak", wished_engineer_id="e-7")
        told = await request(it, first["id"])
        assert (told["fault_class"], told["model_version"], told["wished_engineer_id"]) == ("leak", 1, "e-7")
        asked = {"device_id": "d-1", "customer_id": "c-1", "request_type": "repair", "fault": "leak"}
        [same] = (await it.call("a", "agent", "GET", "/v1/requests/duplicates", params=asked)).json()
        assert (same["score"], same["because"]["fault"]) == (100, 10)
        absent = await it.call("m", "manager", "GET", "/v1/device-models/none")
        assert absent.status_code == 404

    async def on_stage():
        async with live(service, tmp_path) as it:
            await story(it)

    asyncio.run(on_stage())

"""The registers: who the customers are, what stands at their places, what can be asked for."""

import msgspec

from contracts.intake import CustomerRegistered, CustomerUpdated, DeviceRegistered, RequestTypeDefined, SiteRegistered
from intake.commands import DefineRequestType, RegisterCustomer, RegisterDevice, RegisterSite
from intake.service import RULES
from tests.given import spec_for

given = spec_for(RULES)

PERSON = {"customer_id": "c-1", "name": "李", "phone": "13800000000", "street": "路 1", "region": "朝阳区"}
REGISTER = RegisterCustomer(**PERSON, lat_udeg=39_920_449, lon_udeg=116_443_551)
REGISTERED = CustomerRegistered(**PERSON, lat_udeg=39_920_000, lon_udeg=116_444_000)
DEVICE = {"device_id": "d-1", "customer_id": "c-1", "model": "BCD-520", "serial": "S1", "skill": "refrigeration"}


def test_a_customers_place_is_kept_no_finer_than_a_thousandth_of_a_degree():
    given().when(REGISTER).then(REGISTERED)


def test_a_customer_who_is_known_is_updated():
    given(REGISTERED).when(REGISTER).then(CustomerUpdated(**PERSON, lat_udeg=39_920_000, lon_udeg=116_444_000))


def test_a_device_stands_at_a_known_customers():
    given(REGISTERED).when(RegisterDevice(**DEVICE)).then(DeviceRegistered(**DEVICE))
    given().when(RegisterDevice(**DEVICE)).then_rejected("customer.unknown", customer_id="c-1")


def test_registering_the_same_device_again_changes_nothing():
    given(REGISTERED, DeviceRegistered(**DEVICE)).when(RegisterDevice(**DEVICE)).then_nothing()


def test_a_serial_number_belongs_to_one_device():
    second = RegisterDevice(**DEVICE | {"device_id": "d-2"})
    given(REGISTERED, DeviceRegistered(**DEVICE)).when(second).then_rejected("device-serial.taken", key="S1")


def test_a_device_keeps_its_serial_number():
    changed = RegisterDevice(**DEVICE | {"serial": "S2"})
    given(REGISTERED, DeviceRegistered(**DEVICE)).when(changed).then_rejected("device.serial-changed", serial="S1")


def test_a_changed_request_type_is_its_next_version():
    first = RequestTypeDefined(type_id="repair", type_version=1, name="Repair")
    define = DefineRequestType(type_id="repair", name="Repair", duration_s=5_400)
    given(first).when(define).then(
        RequestTypeDefined(type_id="repair", type_version=2, name="Repair", duration_s=5_400)
    )
    given(first).when(DefineRequestType(type_id="repair", name="Repair")).then_nothing()


def test_a_type_without_a_device_must_say_what_skill_it_takes():
    define = DefineRequestType(type_id="enquiry", name="Enquiry", needs_device=False)
    given().when(define).then_rejected("request-type.no-skill")


SITE = {"site_id": "s-1", "customer_id": "c-1", "name": "店", "address": "路 2", "region": "海淀区"}


def test_a_site_is_a_place_of_a_known_customer_and_stays_theirs():
    place = {"lat_udeg": 39_959_449, "lon_udeg": 116_298_000}
    registered = SiteRegistered(**SITE, lat_udeg=39_959_000, lon_udeg=116_298_000)
    given(REGISTERED).when(RegisterSite(**SITE, **place)).then(registered)
    given().when(RegisterSite(**SITE, **place)).then_rejected("customer.unknown")
    other = msgspec.structs.replace(REGISTERED, customer_id="c-2")
    theirs = RegisterSite(**SITE | {"customer_id": "c-2"}, **place)
    given(REGISTERED, other, registered).when(theirs).then_rejected("site.not-theirs", site_id="s-1")


def test_a_phone_that_cannot_be_called_is_refused():
    given().when(REGISTER.model_copy(update={"phone": "12345"})).then_rejected("customer.phone-wrong")

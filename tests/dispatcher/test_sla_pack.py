"""What the starter packs name is there: their service levels are defined with the types that name them."""

import asyncio
import re
from datetime import UTC, date, datetime, timedelta

import msgspec

from contracts.dispatcher import CalendarDefined, DecisionRecorded, SlaDefined
from contracts.examples import EXAMPLES
from dispatcher.adapters.sla_pack import shipped_calendars, shipped_slas
from dispatcher.domain.calendars import calendar_of, missing_years
from dispatcher.policies import when_type_names_sla
from dispatcher.service import RULES, service
from intake.adapters.packs import packs
from services.chassis.clock import at_micros, micros
from tests.fieldwork.live import live
from tests.fold import enveloped
from tests.given import spec_for
from tests.sla.cases import CALENDARS

given = spec_for(RULES, besides=(DecisionRecorded,))
TYPES = [(pack.pack_id, one) for pack in packs().values() for one in pack.types]


def test_every_name_in_a_pack_resolves():
    for pack_id, one in TYPES:
        where = f"{pack_id}: {one.type_id}"
        assert one.sla in shipped_slas(), where
        # Skills are names that engineers are given; parts are a company's own, and no pack can know them.
        assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", skill) for skill in (one.skill, *one.more_skills) if skill), where
        assert one.skill or one.needs_device or not one.needs_visit, where
        assert one.usual_parts == (), where


def test_every_shipped_service_level_is_named_by_a_pack():
    assert {one.sla for _, one in TYPES} == set(shipped_slas())


def commands(**changes):
    defined = msgspec.structs.replace(EXAMPLES["RequestTypeDefined"], **changes)
    [(event, envelope)] = enveloped([defined])
    return asyncio.run(when_type_names_sla(event, envelope, None))


def test_a_type_that_names_a_shipped_service_level_defines_it_once_with_its_calendar():
    for sla_id, shipped in shipped_slas().items():
        *calendar, asked = commands(type_id="round", sla=sla_id)
        assert calendar == ([shipped.calendar] if shipped.calendar else [])
        known = [given().when(one).then_types(CalendarDefined)[0] for one in calendar]
        [event] = given(*known).when(asked).then_types(SlaDefined)
        assert (event.sla_id, event.request_types, len(event.clocks)) == (sla_id, ("round",), len(shipped.clocks))
        assert {clock.calendar_id for clock in event.clocks} == {one.calendar_id for one in calendar} or {""}
        *_, again = commands(type_id="other", sla=sla_id)
        given(*known, event).when(again).then_rejected("sla.already-defined")
        for one in calendar:
            given(*known, event).when(one).then_nothing()


def test_a_calendar_that_the_company_has_under_the_name_is_taken_instead():
    office = shipped_calendars()["office"]
    own = office.model_copy(update={"name": "ours", "years": None, "days": ()})
    [known] = given().when(own).then_types(CalendarDefined)
    given(known).when(office).then_rejected("calendar.already-defined")
    *_, asked = commands(type_id="round", sla="desk")
    given(known).when(asked).then_types(SlaDefined)


def test_every_shipped_calendar_is_used_and_what_waits_for_a_desk_is_measured_by_its_hours():
    used = {one.calendar.calendar_id: sla_id for sla_id, one in shipped_slas().items() if one.calendar}
    assert set(used) == set(shipped_calendars())
    assert {sla_id for sla_id, one in shipped_slas().items() if not one.calendar} == {"incident", "standard"}


def test_a_shop_is_served_in_its_opening_hours_and_what_stands_still_around_the_clock():
    """Whoever reports at half past nine in the evening that nothing works."""
    reported = datetime(2026, 11, 24, 13, 30, tzinfo=UTC)

    def due(sla_id):
        shipped = shipped_slas()[sla_id]
        arrive = next(one for one in shipped.clocks if one.clock == "arrive")
        if shipped.calendar is None:
            return reported + timedelta(seconds=arrive.critical_s)
        [known] = given().when(shipped.calendar).then_types(CalendarDefined)
        return at_micros(calendar_of(known).after(micros(reported), arrive.critical_s * 1_000_000))

    assert due("shop") == datetime(2026, 11, 25, 3, 30, tzinfo=UTC)  # Two hours of opening: half past eleven.
    assert due("incident") == reported + timedelta(hours=1)


def test_the_shipped_holidays_are_those_of_the_table_that_the_histories_are_worked_out_by():
    """Two tables that were written apart: hours, holidays and make-up days of every day of 2026."""
    [known] = given().when(shipped_calendars()["office"]).then_types(CalendarDefined)
    office, table = calendar_of(known), CALENDARS["office"]
    for number in range(365):
        day = date(2026, 1, 1) + timedelta(days=number)
        assert office.hours_of(day) == table.hours_of(day), day
    assert [day for day in (date(2026, 2, 14), date(2026, 10, 10)) if office.hours_of(day)] != []
    assert office.hours_of(date(2026, 2, 17)) == ()


def test_the_year_whose_table_is_not_shipped_is_named_loudly():
    [known] = given().when(shipped_calendars()["office"]).then_types(CalendarDefined)
    assert missing_years(known, datetime(2026, 11, 24, tzinfo=UTC)) == (2027,)


def test_another_name_or_none_defines_nothing():
    assert commands(sla="gold-of-the-company") == commands(sla="") == []


def test_loading_a_pack_brings_the_calendar_before_the_service_level_that_needs_it(tmp_path):
    async def on_stage():
        async with live(service, tmp_path) as it:
            for type_id, sla_id in (("advice", "desk"), ("fault", "incident"), ("praise", "desk")):
                defined = msgspec.structs.replace(EXAMPLES["RequestTypeDefined"], type_id=type_id, sla=sla_id)
                await it.publishes(defined)
            told = [event for event in await it.own_events() if isinstance(event, CalendarDefined | SlaDefined)]
            assert [type(event) for event in told] == [CalendarDefined, SlaDefined, SlaDefined]
            assert [told[0].calendar_id, told[1].sla_id, told[2].sla_id] == ["office", "desk", "incident"]
            shown = (await it.call("m", "manager", "GET", "/v1/calendars/office")).json()
            assert (shown["years"], len(shown["weeks"][0]["hours"])) == ([2026], 10)

    asyncio.run(on_stage())

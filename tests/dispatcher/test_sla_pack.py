"""What the starter packs name is there: their service levels are defined with the types that name them."""

import asyncio
import re

import msgspec

from contracts.dispatcher import SlaDefined
from contracts.examples import EXAMPLES
from dispatcher.adapters.sla_pack import shipped_slas
from dispatcher.policies import when_type_names_sla
from dispatcher.service import RULES
from intake.adapters.packs import packs
from tests.fold import enveloped
from tests.given import spec_for

given = spec_for(RULES)
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


def test_a_type_that_names_a_shipped_service_level_defines_it_once():
    for sla_id, shipped in shipped_slas().items():
        [asked] = commands(type_id="round", sla=sla_id)
        [event] = given().when(asked).then_types(SlaDefined)
        assert (event.sla_id, event.request_types, len(event.clocks)) == (sla_id, ("round",), len(shipped.clocks))
        [again] = commands(type_id="other", sla=sla_id)
        given(event).when(again).then_rejected("sla.already-defined")


def test_another_name_or_none_defines_nothing():
    assert commands(sla="gold-of-the-company") == commands(sla="") == []

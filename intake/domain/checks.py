"""What of a request is complete and valid, and what must still be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.intake import (
    DAY_S,
    Impact,
    RequestIncomplete,
    RequestReceived,
    RequestTypeDefined,
    Urgency,
)
from intake.domain.address import parse
from intake.domain.form import Lack, fault_said, is_phone, lacks
from intake.domain.models import Mending, mending, model_of, model_stream
from intake.domain.place import apart, far_from
from intake.domain.register import (
    Customer,
    Device,
    Site,
    customer_stream,
    device_stream,
    rounded,
    site_stream,
    type_stream,
    version_of,
)
from intake.domain.serial import serial_lack
from services.chassis.journal.rules import States


@dataclass(frozen=True)
class Given:
    """What a customer has told us so far."""

    request_id: str
    number: str
    request_type: str
    customer_id: str
    device_id: str
    urgency: Urgency
    impact: Impact
    description: str
    answers: Mapping[str, Any]
    serial: str
    contact_phone: str
    address: str
    site_id: str
    message_id: str = ""
    message_digest: str = ""
    by_customer: bool = False
    """The customer wrote it herself: who it is cannot be wrong."""
    fault: str = ""
    """What it was said to be; the form may say it too."""
    wished_engineer_id: str = ""
    device_model: str = ""
    device_site_id: str = ""
    """As the register's view had them: whose streams were read."""
    spots: tuple[tuple[int, int], ...] = ()
    """Where a map has the address."""
    here: tuple[int, int] | None = None
    """Where it is in coordinates."""
    type_version: int = 0
    """The version of its type that it keeps; 0 takes the newest."""
    model_version: int = 0
    """The same of the model of its device."""


def answers_text(answers: Mapping[str, Any]) -> str:
    """The answers as their events have them: the same answers are the same text."""
    return json.dumps(dict(answers), ensure_ascii=False, sort_keys=True, separators=(",", ":")) if answers else ""


def check(states: States, given: Given) -> RequestReceived | RequestIncomplete:
    """Complete and valid, or what is missing."""
    missing: list[Lack] = []
    kind = version_of(states.get(type_stream(given.request_type), ()), given.type_version)
    customer: Customer | None = states.get(customer_stream(given.customer_id))
    device: Device | None = states.get(device_stream(given.device_id))
    if kind is None:
        missing.append(
            Lack("request_type", f"there is no type {given.request_type!r}", f"没有请求类型 {given.request_type!r}")
        )
    if customer is None:
        missing.append(
            Lack(
                "customer_id",
                f"no customer {given.customer_id!r} is registered",
                f"客户 {given.customer_id!r} 未登记",
            )
        )
    missing += _lacks_of_device(kind, device, given, customer is not None)
    if given.contact_phone and not is_phone(given.contact_phone):
        missing.append(Lack("contact_phone", "this is no phone number that exists", "电话号码无效"))
    site_id = given.site_id or (device.site_id if device else "")
    site: Site | None = states.get(site_stream(site_id))
    missing += _lacks_of_site(site_id, site, device, given)
    place = site or customer
    model = model_of(states.get(model_stream(device.model), ()), given.model_version) if device else None
    fault = given.fault or (fault_said(kind.form, given.answers) if kind else "")
    takes = mending(model, fault)
    if given.fault and takes is None:
        words = f"there is no fault {given.fault!r} for this device", f"该设备没有故障分类 {given.fault!r}"
        missing.append(Lack("fault", *words))
    division, lack = _where(given.address, place)
    missing += [lack] if lack else []
    mapped = _mapped(given, place) if not lack else ()
    if given.here and place and (far := far_from(place.region, given.here)):
        words = (
            f"the place given lies {far} km from {place.region}: correct one of them",
            f"所给坐标距{place.region} {far} 公里，请更正其一",
        )
        missing.append(Lack("here", *words))
    spot = given.here or (mapped[0] if mapped else None)
    if not given.here and apart(mapped):
        words = "the map has it in places far from each other: write it in full", "地图上有多处相距较远的匹配，请写完整"
        missing.append(Lack("address", *words))
    if kind and len(given.description.strip()) < kind.min_description:
        least = kind.min_description
        missing.append(Lack("description", f"at least {least} characters", f"描述至少 {least} 个字符"))
    if kind:
        missing += lacks(kind.form, given.answers)
    if missing or kind is None or place is None:
        return RequestIncomplete(
            request_id=given.request_id,
            number=given.number,
            request_type=given.request_type,
            customer_id=given.customer_id,
            missing=tuple([_line(lack.field, lack.en) for lack in missing]),
            missing_zh=tuple([_line(lack.field, lack.zh) for lack in missing]),
            device_id=given.device_id,
            urgency=given.urgency,
            impact=given.impact,
            description=given.description,
            type_version=kind.type_version if kind else 0,
            answers=answers_text(given.answers),
            serial=given.serial,
            contact_phone=given.contact_phone,
            address=given.address,
            site_id=given.site_id,
            lat_udeg=rounded(given.here[0]) if given.here else None,
            lon_udeg=rounded(given.here[1]) if given.here else None,
            message_id=given.message_id,
            message_digest=given.message_digest,
            fault_class=given.fault,
            model_version=model.model_version if model else 0,
            wished_engineer_id=given.wished_engineer_id,
            remind_after_s=kind.remind_after_s if kind else DAY_S,
            expire_after_s=kind.expire_after_s if kind else 7 * DAY_S,
        )
    urgency = urgency_of(kind, given.urgency, given.impact)
    skill = device.skill if device else kind.skill
    takes = takes or Mending()
    return RequestReceived(
        request_id=given.request_id,
        sealed_under=given.customer_id if given.by_customer else given.request_id,
        number=given.number,
        request_type=given.request_type,
        type_version=kind.type_version,
        customer_id=given.customer_id,
        device_id=given.device_id,
        device_model=device.model if device else "",
        skill=skill,
        more_skills=tuple([one for one in dict.fromkeys([*kind.more_skills, *takes.skills]) if one != skill]),
        skill_level=kind.skill_level,
        certificates=kind.certificates,
        wished_engineer_id=given.wished_engineer_id,
        urgency=urgency,
        stated_urgency=given.urgency if given.urgency != urgency else "",
        impact=given.impact,
        duration_s=takes.duration_s or kind.duration_s,
        region=place.region,
        lat_udeg=rounded(spot[0]) if spot else place.lat_udeg,
        lon_udeg=rounded(spot[1]) if spot else place.lon_udeg,
        located=spot is not None,
        placed_by=("given" if given.here else "map") if spot else place.placed_by,
        description=given.description,
        kind=kind.kind,
        needs_visit=kind.needs_visit,
        sla=kind.sla,
        usual_parts=takes.parts or kind.usual_parts,
        answers=answers_text(given.answers),
        contact_phone=given.contact_phone,
        address=given.address,
        site_id=site_id,
        division=division,
        warranty_s=kind.warranty_s,
        message_id=given.message_id,
        message_digest=given.message_digest,
        fault_class=fault,
        model_version=model.model_version if model else 0,
    )


def _lacks_of_site(site_id: str, site: Site | None, device: Device | None, given: Given) -> list[Lack]:
    if site_id and (site is None or site.customer_id != given.customer_id):
        words = f"no site {site_id!r} of this customer is registered", f"该客户没有地点 {site_id!r}"
        return [Lack("site_id", *words)]
    if given.site_id and device and device.site_id and device.site_id != given.site_id:
        words = (
            f"the device stands at the site {device.site_id!r}: name that, or the device that it is about",
            f"该设备位于地点 {device.site_id!r}，请更正地点或设备",
        )
        return [Lack("site_id", *words)]
    return []


def _where(address: str, place: Customer | Site | None) -> tuple[str, Lack | None]:
    """The code of the division in which an address lies, or what must be asked of it."""
    if not address:
        return "", None
    found = parse(address)
    if len(found.divisions) > 1:
        names = ", ".join([one.full_name for one in found.divisions])
        words = f"there is one in each of {names}: say which", f"以下地区均有此名称：{names}，请写明省市"
        return "", Lack("address", *words)
    if not found.divisions:
        within = f" of {found.within}" if found.within else ", with its city"
        zh = f"请写明{found.within}的哪个区县" if found.within else "请写明省、市、区县"
        return "", Lack("address", f"in which district{within} is it", zh)
    [division] = found.divisions
    if not found.rest:
        return "", Lack(
            "address", f"street and number in {division.full_name}", f"请写明{division.full_name}的街道门牌"
        )
    known = {one.code for one in parse(place.region).divisions} if place else set()
    if place and known and division.code not in known:
        words = (
            f"it lies in {division.full_name}, and the customer's place in {place.region}: correct one of them",
            f"地址位于{division.full_name}，而客户登记地区为{place.region}，请更正其一",
        )
        return "", Lack("address", *words)
    return division.code, None


def _mapped(given: Given, place: Customer | Site | None) -> Sequence[tuple[int, int]]:
    """Where a map has the address; what it has far from there is another address."""
    if not given.address or not given.spots or (place and far_from(place.region, given.spots[0])):
        return ()
    return given.spots


def _line(field: str, words: str) -> str:
    """One line, whatever a label or an answer has in it."""
    return f"{field}: {' '.join(words.split())}"


def _lacks_of_device(
    kind: RequestTypeDefined | None, device: Device | None, given: Given, is_known: bool
) -> list[Lack]:
    """Whose the device is, is said where it is known who asks."""
    named = given.device_id
    if kind is None:
        return []
    if given.serial and (lack := serial_lack(given.serial, kind.serial_pattern, kind.serial_check)):
        return [lack]
    if given.serial and (device is None or device.serial != given.serial):
        words = f"no device has the serial number {given.serial!r}", f"没有序列号为 {given.serial!r} 的设备"
        return [Lack("serial", *words)]
    if not named:
        return [Lack("device_id", "which device it is about", "请说明是哪台设备")] if kind.needs_device else []
    if device is None:
        return [Lack("device_id", f"no device {named!r} is registered", f"设备 {named!r} 未登记")]
    if is_known and device.customer_id != given.customer_id:
        words = (f"device {named!r} is not registered for this customer", f"设备 {named!r} 未登记在该客户名下")
        return [Lack("device_id", *words)]
    return []


def urgency_of(kind: RequestTypeDefined, stated: Urgency, impact: Impact) -> Urgency:
    """What the type's matrix makes of the customer's urgency and the impact."""
    cells = {(rule.urgency, rule.impact): rule.becomes for rule in kind.urgency_matrix}
    return cells.get((stated, impact), stated)

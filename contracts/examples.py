"""
One valid example of every event: the story of a refrigerator that does not cool, told by those who record it.

Tests and pages take them from here. An event that has no example fails `tests/contracts/test_examples.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from contracts import dispatcher, fieldwork, intake, inventory, quality
from contracts.event import Event

REQUEST: Final = "01933f1c-8a00-7000-8000-00000000a001"
ORDER: Final = "5d0c2f6e-93b1-8c57-9a44-2b6f0e1d7c03"
VISIT: Final = "b1a7c9d2-0e4f-8a36-8f21-6c5d4e3b2a10"
SURVEY: Final = "e3f0a1b2-c4d5-8e6f-a7b8-c9d0e1f2a3b4"
PHOTO: Final = "01933f3a-1c00-7000-8000-00000000f001"
CUSTOMER, DEVICE, MODEL = "C001", "D0001", "BCD-520"
ENGINEER, VAN, DAY = "E01", "VAN-E01", "2026-11-24"


def _at(hour: int, minute: int = 0) -> datetime:
    """An instant of that day, UTC; it is eight hours later in Changchun."""
    return datetime(2026, 11, 24, hour, minute, tzinfo=UTC)


_OF_REQUEST: Final = {"request_id": REQUEST}
_OF_ORDER: Final = {"order_id": ORDER, "request_id": REQUEST}
_OF_VISIT: Final = {"visit_id": VISIT, "order_id": ORDER, "request_id": REQUEST}
_ON_SITE: Final = {**_OF_VISIT, "engineer_id": ENGINEER}
_AT_TEAM: Final = {**_OF_ORDER, "team": "Desk 2nd", "person": "Li", "impact": "Medium", "product": "PROD582"}

_BOOKED: Final = dispatcher.EngineerDay(ENGINEER, DAY)
_USED: Final = (fieldwork.UsedPart("P-COMPRESSOR", VAN, 1), fieldwork.UsedPart("P-SEALANT", VAN, 2))
_WANTED: Final = (inventory.PartLine("P-COMPRESSOR", 1), inventory.PartLine("P-SEALANT", 2))
_PLACED: Final = (inventory.PlacedLine("P-COMPRESSOR", VAN, 1), inventory.PlacedLine("P-SEALANT", VAN, 2))

_HOURS: Final = tuple(dispatcher.OpenHours(day, *span) for day in range(5) for span in ((540, 720), (780, 1_080)))
_HOLIDAYS: Final = (dispatcher.SpecialDay("2026-02-14", "春节调休", 0), dispatcher.SpecialDay("2026-02-16", "春节"))
_STANDING: Final = dispatcher.Standing(
    "fix", "running", _at(2), 3_600_000_000, 0, started_at=_at(1), due_at=_at(10), next_percent=50, next_at=_at(6)
)

_ALL: Final[tuple[Event, ...]] = (
    # intake
    intake.RequestReceived(
        **_OF_REQUEST,
        number="R-261124-0042",
        request_type="repair",
        type_version=1,
        customer_id=CUSTOMER,
        device_id=DEVICE,
        device_model=MODEL,
        skill="cooling",
        urgency="high",
        duration_s=3_600,
        region="朝阳区",
        lat_udeg=43_833_000,
        lon_udeg=125_289_000,
        description="冰箱不制冷, 有异响",
    ),
    intake.RequestIncomplete(
        **_OF_REQUEST,
        number="R-261124-0042",
        request_type="repair",
        customer_id=CUSTOMER,
        missing=("device_id: which device it is about",),
        urgency="high",
        description="冰箱不制冷",
    ),
    intake.RequestSupplemented(**_OF_REQUEST, customer_id=CUSTOMER, fields=("device_id", "description")),
    intake.RequestWithdrawn(**_OF_REQUEST, customer_id=CUSTOMER, reason="已经自己修好"),
    intake.RequestCancelled(**_OF_REQUEST, customer_id=CUSTOMER),
    intake.RequestClosed(**_OF_REQUEST, outcome="completed"),
    intake.CustomerRegistered(
        customer_id=CUSTOMER,
        name="王芳",
        phone="13800000001",
        street="人民大街 1 号",
        kind="person",
        region="朝阳区",
        lat_udeg=43_833_000,
        lon_udeg=125_289_000,
    ),
    intake.CustomerUpdated(
        customer_id=CUSTOMER,
        name="王芳",
        phone="13800000002",
        street="人民大街 2 号",
        kind="person",
        region="朝阳区",
        lat_udeg=43_834_000,
        lon_udeg=125_290_000,
    ),
    intake.DeviceRegistered(device_id=DEVICE, customer_id=CUSTOMER, model=MODEL, serial="SN-520-0001", skill="cooling"),
    intake.RequestTypeDefined(
        type_id="repair",
        type_version=1,
        name="设备报修",
        needs_device=True,
        skill="general",
        duration_s=3_600,
        min_description=4,
    ),
    intake.NumberGiven(day=DAY, **_OF_REQUEST),
    # dispatcher
    dispatcher.OrderOpened(
        **_OF_ORDER,
        customer_id=CUSTOMER,
        device_id=DEVICE,
        device_model=MODEL,
        request_type="repair",
        skill="cooling",
        urgency="high",
        duration_s=3_600,
        region="朝阳区",
        lat_udeg=43_833_000,
        lon_udeg=125_289_000,
        assign_due_at=_at(1, 30),
    ),
    dispatcher.OrderQueued(**_AT_TEAM),
    dispatcher.OrderTaken(**_AT_TEAM),
    dispatcher.OrderPaused(**_AT_TEAM, reason="Wait - Customer"),
    dispatcher.OrderAssigned(
        **_OF_ORDER,
        engineer_id=ENGINEER,
        crew=(ENGINEER,),
        van_id=VAN,
        starts_at=_at(2),
        ends_at=_at(3),
        day=DAY,
        travel_m=4_200,
        chosen_by="rule",
        reasons=(
            dispatcher.Reason("distance", 4_200, 42),
            dispatcher.Reason("load", 1, 15),
            dispatcher.Reason("shift", 3_600, 90),
        ),
        candidates=12,
        note="离客户最近",
        customer_id=CUSTOMER,
        device_id=DEVICE,
        device_model=MODEL,
        skill="cooling",
    ),
    dispatcher.OrderReassigned(
        **_OF_ORDER,
        from_engineer_id=ENGINEER,
        engineer_id="E02",
        van_id="VAN-E02",
        starts_at=_at(4),
        ends_at=_at(5),
        day=DAY,
        travel_m=6_800,
        reason="E01 is ill",
        customer_id=CUSTOMER,
        device_id=DEVICE,
        device_model=MODEL,
        skill="cooling",
        frees=_BOOKED,
    ),
    dispatcher.OrderStarted(**_OF_ORDER, engineer_id=ENGINEER),
    dispatcher.OrderReturned(**_OF_ORDER, engineer_id=ENGINEER, reason="nobody-there", frees=_BOOKED),
    dispatcher.WithdrawalNoted(**_OF_ORDER),
    dispatcher.AssignmentRetried(**_OF_ORDER, attempt=1),
    dispatcher.OrderDeclined(**_OF_ORDER, engineer_id=ENGINEER, reason="too far", frees=_BOOKED),
    dispatcher.AssignmentOverdue(**_OF_ORDER, due_at=_at(1, 30)),
    dispatcher.OrderCancelled(**_OF_ORDER, reason="request-withdrawn", note="by phone", frees=_BOOKED),
    dispatcher.OrderFinished(
        **_OF_ORDER,
        engineer_id=ENGINEER,
        outcome="completed",
        team="Desk 2nd",
        person="Li",
        impact="Medium",
        product="PROD582",
        frees=dispatcher.EngineerDay("E02", DAY),
    ),
    dispatcher.EngineerRegistered(
        engineer_id=ENGINEER,
        name="张伟",
        skills=("cooling", MODEL),
        region="朝阳区",
        home_lat_udeg=43_840_000,
        home_lon_udeg=125_300_000,
        zone="Asia/Shanghai",
        shifts=(dispatcher.Shift(1, 480, 1_080),),
        van_id=VAN,
        daily_limit=8,
    ),
    dispatcher.HoursBooked(
        engineer_id=ENGINEER,
        day=DAY,
        order_id=ORDER,
        starts_at=_at(2),
        ends_at=_at(3),
        lat_udeg=43_833_000,
        lon_udeg=125_289_000,
    ),
    dispatcher.HoursFreed(engineer_id=ENGINEER, day=DAY, order_id=ORDER),
    dispatcher.CalendarDefined(
        calendar_id="office",
        revision=1,
        name="办公时间",
        zone="Asia/Shanghai",
        weeks=(dispatcher.WeekOfHours("2026-01-01", _HOURS),),
        days=_HOLIDAYS,
        years=(2026,),
    ),
    dispatcher.CalendarChanged(
        calendar_id="office",
        revision=2,
        name="办公时间",
        zone="Asia/Shanghai",
        weeks=(dispatcher.WeekOfHours("2026-01-01", _HOURS),),
        days=_HOLIDAYS,
        years=(2026,),
        reason="国务院放假安排",
        changed_from="2026-02-14",
        changed_until="2026-02-23",
    ),
    dispatcher.SlaDefined(
        sla_id="standard",
        revision=1,
        name="标准服务",
        effective_from=_at(0),
        request_types=("repair",),
        clocks=(
            dispatcher.SlaClock("assign", "office", 1_800, 1_800, 900, 600),
            dispatcher.SlaClock("fix", "office", 172_800, 86_400, 28_800, 14_400, ("customer", "parts"), True),
        ),
    ),
    dispatcher.ClocksStarted(
        **_OF_ORDER,
        sla_id="standard",
        revision=1,
        urgency="high",
        opened_at=_at(1),
        clocks=(dispatcher.ClockTerms("fix", "office", 28_800, ("customer", "parts"), True),),
        standings=(_STANDING,),
    ),
    dispatcher.ClocksMoved(
        **_OF_ORDER,
        happening="paused",
        happened_at=_at(2),
        reason="customer",
        note="客户不在家",
        standings=(_STANDING,),
    ),
    dispatcher.SlaWarned(
        **_OF_ORDER,
        sla_id="standard",
        revision=1,
        clock="fix",
        percent=50,
        reached_at=_at(6),
        due_at=_at(10),
        next_percent=75,
        next_at=_at(8),
    ),
    dispatcher.SlaBreached(**_OF_ORDER, sla_id="standard", revision=1, clock="fix", due_at=_at(10)),
    dispatcher.SlaRestated(
        **_OF_ORDER,
        cause="calendar",
        calendar_id="office",
        calendar_revision=2,
        differences=(dispatcher.Difference("fix", "breached", "true", "false"),),
        standings=(_STANDING,),
    ),
    # fieldwork
    fieldwork.VisitPlanned(
        **_ON_SITE,
        starts_at=_at(2),
        ends_at=_at(3),
        van_id=VAN,
        customer_id=CUSTOMER,
        device_id=DEVICE,
        device_model=MODEL,
    ),
    fieldwork.VisitAdded(**_OF_VISIT),
    fieldwork.VisitCancelled(**_ON_SITE, reason="order-cancelled"),
    fieldwork.EngineerDeparted(**_ON_SITE, departed_at=_at(1, 40)),
    fieldwork.EngineerArrived(**_ON_SITE, planned_at=_at(2), arrived_at=_at(1, 58)),
    fieldwork.WorkStarted(**_ON_SITE, started_at=_at(2, 5)),
    fieldwork.PhotoAttached(
        visit_id=VISIT,
        request_id=REQUEST,
        photo_id=PHOTO,
        moment="before",
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        media_type="image/jpeg",
        size_b=184_320,
    ),
    fieldwork.PartUsed(**_OF_VISIT, part_id="P-COMPRESSOR", place_id=VAN, quantity=1),
    fieldwork.WorkFinished(
        **_ON_SITE,
        customer_id=CUSTOMER,
        cause="compressor-worn",
        action="replaced",
        record="压缩机异响, 已更换并密封",
        finished_at=_at(2, 50),
    ),
    fieldwork.AcceptanceRefused(**_ON_SITE, customer_id=CUSTOMER, reason="还有异响", refused_at=_at(2, 55)),
    fieldwork.ServiceCompleted(
        **_ON_SITE,
        customer_id=CUSTOMER,
        device_id=DEVICE,
        device_model=MODEL,
        rating=5,
        signature="M10 80 C 40 10, 65 10, 95 80",
        parts=_USED,
        departed_at=_at(1, 40),
        arrived_at=_at(1, 58),
        started_at=_at(2, 5),
        finished_at=_at(2, 50),
        photos=2,
    ),
    fieldwork.VisitAborted(**_ON_SITE, reason="part-missing", note="wrong compressor", parts=_USED[1:]),
    # inventory
    inventory.PartDefined(part_id="P-COMPRESSOR", name="压缩机", fits=(MODEL,), usual_quantity=1, low_below=3),
    inventory.PlaceDefined(place_id=VAN, kind="van", name="Van of E01", region="朝阳区"),
    inventory.StockCounted(part_id="P-COMPRESSOR", place_id=VAN, quantity=2, source="wms"),
    inventory.StockSetAside(part_id="P-COMPRESSOR", place_id=VAN, order_id=ORDER, quantity=1),
    inventory.StockReturned(part_id="P-COMPRESSOR", place_id=VAN, order_id=ORDER, quantity=1),
    inventory.StockFellShort(part_id="P-COMPRESSOR", place_id=VAN, order_id=ORDER, quantity=1),
    inventory.PartConsumed(part_id="P-SEALANT", place_id=VAN, quantity=2, **_OF_ORDER, drift=1),
    inventory.StockLow(part_id="P-COMPRESSOR", place_id="WH-EAST", free=2, low_below=3),
    inventory.PartsRecommended(**_OF_ORDER, lines=_WANTED),
    inventory.PartsReserved(**_OF_ORDER, engineer_id=ENGINEER, lines=_PLACED, visit_id=VISIT),
    inventory.PartsShort(**_OF_ORDER, lines=_WANTED[:1], engineer_id=ENGINEER, visit_id=VISIT),
    inventory.ReservationReleased(**_OF_ORDER, reason="consumed"),
    inventory.VisitSettled(**_OF_VISIT, completed=True),
    # quality
    quality.SurveySent(
        survey_id=SURVEY, **_ON_SITE, customer_id=CUSTOMER, expires_at=datetime(2026, 12, 8, 3, tzinfo=UTC)
    ),
    quality.FeedbackReceived(
        survey_id=SURVEY,
        **_OF_ORDER,
        engineer_id=ENGINEER,
        customer_id=CUSTOMER,
        attitude=5,
        outcome=5,
        punctuality=4,
        comment="师傅很专业",
    ),
)

EXAMPLES: Final[Mapping[str, Event]] = {type(event).__name__: event for event in _ALL}
"""Event type → its example, in the order of the contracts. Every field is given, also those that have a default."""

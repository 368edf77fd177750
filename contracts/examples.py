"""
One valid example of every event: the story of a refrigerator that does not cool, told by those who record it.

Tests and pages take them from here. An event that has no example fails `tests/contracts/test_examples.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from contracts import dispatcher, fieldwork, intake, inventory, quality
from contracts.event import Event

REQUEST: Final = "01933f1c-8a00-7000-8000-00000000a001"
EARLIER: Final = "01933f1c-8a00-7000-8000-00000000a000"
ORDER: Final = "5d0c2f6e-93b1-8c57-9a44-2b6f0e1d7c03"
VISIT: Final = "b1a7c9d2-0e4f-8a36-8f21-6c5d4e3b2a10"
SURVEY: Final = "e3f0a1b2-c4d5-8e6f-a7b8-c9d0e1f2a3b4"
TRANSFER: Final = "01933f3a-1c00-7000-8000-00000000b001"
COMPLAINT: Final = "01933f5b-2d00-7000-8000-00000000c001"
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
_STEP: Final[dict[str, Any]] = {"visit_id": VISIT, "request_id": REQUEST, "step_id": f"{VISIT}-2", "number": 2}
_REPORTED: Final = f'{{"visit_id":"{VISIT}","at":"2026-11-24T01:58:00Z"}}'
_AT_TEAM: Final = {**_OF_ORDER, "team": "Desk 2nd", "person": "Li", "impact": "Medium", "product": "PROD582"}

_BOOKED: Final = dispatcher.EngineerDay(ENGINEER, DAY)
_USED: Final = (fieldwork.UsedPart("P-COMPRESSOR", VAN, 1), fieldwork.UsedPart("P-SEALANT", VAN, 2))
_WANTED: Final = (inventory.PartLine("P-COMPRESSOR", 1), inventory.PartLine("P-SEALANT", 2))
_PLACED: Final = (inventory.PlacedLine("P-COMPRESSOR", VAN, 1), inventory.PlacedLine("P-SEALANT", VAN, 2))
_MOVED: Final = (inventory.MovedLine("P-COMPRESSOR", 2, "good"),)
_KEPT_UNTIL: Final = datetime(2026, 11, 27, 11, tzinfo=UTC)

_OF_ALERT: Final[Mapping[str, Any]] = {"alert_id": "7f1c9a54-2f0e-8d11-9b3d-0a6a4b5c6d7e", "raising": 1}
_WEEKS: Final = (
    quality.Window("2026-11-09", "2026-11-16", 8, 2),
    quality.Window("2026-11-16", "2026-11-23", 9, 3),
)
_ITEMS: Final = (
    quality.StandardItem("uniform", "Uniform and badge", "工服和工牌", "photo"),
    quality.StandardItem("shoe-covers", "Shoe covers", "鞋套", "answer"),
)
_OF_INSPECTION: Final = {"inspection_id": "2f4d8c1a-7b3e-8a90-b1c2-d3e4f5a6b7c8", "request_id": REQUEST}

_WORK: Final = intake.Work(
    request_type="repair",
    device_id=DEVICE,
    device_model=MODEL,
    skill="cooling",
    urgency="high",
    duration_s=3_600,
    region="朝阳区",
    lat_udeg=43_833_000,
    lon_udeg=125_289_000,
    needs_visit=True,
)
_ANSWERS: Final = '{"fault_code":"E4","since":"2026-11-23"}'
_FORM: Final = (
    intake.FormField(name="fault_code", label="Fault code", label_zh="故障代码", pattern="[A-Z][0-9]{1,3}", most=4),
    intake.FormField(name="since", label="Since when", label_zh="何时开始", kind="date", required=True),
)

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
        stated_urgency="normal",
        impact="high",
        kind="repair",
        needs_visit=True,
        sla="gold",
        usual_parts=(intake.UsualPart("P-SEALANT", 2),),
        answers=_ANSWERS,
        contact_phone="13800000009",
        address="吉林省长春市朝阳区人民大街 1 号",
        site_id="SITE-1",
        division="220104",
        warranty_s=2_592_000,
        message_id="wechat/8f3c1",
    ),
    intake.RequestIncomplete(
        **_OF_REQUEST,
        number="R-261124-0042",
        request_type="repair",
        customer_id=CUSTOMER,
        missing=("device_id: which device it is about",),
        missing_zh=("device_id: 请说明是哪台设备",),
        urgency="high",
        impact="high",
        description="冰箱不制冷",
        type_version=1,
        answers=_ANSWERS,
        serial="SN-520-0007",
        contact_phone="13800000009",
        address="朝阳区人民大街 1 号",
        site_id="SITE-1",
        message_id="wechat/8f3c1",
        remind_after_s=86_400,
        expire_after_s=604_800,
    ),
    intake.RequestReminded(**_OF_REQUEST, customer_id=CUSTOMER, time_no=1, remind_after_s=86_400),
    intake.RequestExpired(**_OF_REQUEST, customer_id=CUSTOMER),
    intake.RequestSupplemented(**_OF_REQUEST, customer_id=CUSTOMER, fields=("device_id", "description")),
    intake.RequestWithdrawn(**_OF_REQUEST, customer_id=CUSTOMER, reason="已经自己修好", round_no=1),
    intake.RequestMerged(
        **_OF_REQUEST, customer_id=CUSTOMER, into_id="01933f1c-8a00-7000-8000-00000000a000", round_no=1
    ),
    intake.RequestUnmerged(
        **_OF_REQUEST,
        customer_id=CUSTOMER,
        into_id=EARLIER,
        round_no=2,
        work=_WORK,
        remind_after_s=86_400,
        expire_after_s=604_800,
    ),
    intake.RequestReopened(**_OF_REQUEST, customer_id=CUSTOMER, round_no=3, work=_WORK, reason="又不制冷了"),
    intake.RequestResolvedRemotely(
        **_OF_REQUEST,
        customer_id=CUSTOMER,
        action="电话指导复位温控器",
        resolved_at=_at(2),
        first_contact=True,
        round_no=1,
    ),
    intake.RequestCancelled(**_OF_REQUEST, customer_id=CUSTOMER),
    intake.RequestClosed(**_OF_REQUEST, outcome="completed", completed_at=_at(3)),
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
    intake.SiteRegistered(
        site_id="SITE-1",
        customer_id=CUSTOMER,
        name="人民大街店",
        address="吉林省长春市朝阳区人民大街 1 号",
        region="朝阳区",
        lat_udeg=43_833_000,
        lon_udeg=125_289_000,
    ),
    intake.DeviceRegistered(device_id=DEVICE, customer_id=CUSTOMER, model=MODEL, serial="SN-520-0001", skill="cooling"),
    intake.RequestTypeDefined(
        type_id="repair",
        type_version=1,
        name="Repair of a device",
        needs_device=True,
        skill="general",
        duration_s=3_600,
        min_description=4,
        name_zh="设备报修",
        kind="repair",
        needs_visit=True,
        form=_FORM,
        urgency_matrix=(intake.UrgencyRule("normal", "high", "high"),),
        usual_parts=(intake.UsualPart("P-SEALANT", 2),),
        sla="gold",
        serial_pattern="SN-[0-9]{3}-[0-9]{4}",
        serial_check="none",
        remind_after_s=86_400,
        expire_after_s=604_800,
        warranty_s=2_592_000,
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
        hour_fen=9_000,
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
    fieldwork.VisitCancelled(**_ON_SITE, reason="order-cancelled", cancelled_at=_at(1, 30)),
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
        picture_sha256="0b4e7a0e5fe84ad35fb5f95b9ceeac79ab5c7b5e37b6f8a3ab5c2a1b0c3d4e5f",
        taken_at=_at(2, 1),
        lat_udeg=43_833_100,
        lon_udeg=125_289_200,
    ),
    fieldwork.PartUsed(
        **_OF_VISIT,
        part_id="P-COMPRESSOR",
        place_id=VAN,
        quantity=1,
        serials=("SN-1",),
        old_returned=1,
        used_at=_at(2, 30),
    ),
    fieldwork.WorkFinished(
        **_ON_SITE,
        customer_id=CUSTOMER,
        cause="compressor-worn",
        action="replaced",
        record="压缩机异响, 已更换并密封",
        codes_version=1,
        labour_s=2_700,
        checklist=(fieldwork.ChecklistItem("earthing", False, "接地线松动"),),
        readings=(fieldwork.MeterReading("running-hours", 4_210, "h"),),
        parts=_USED,
        record_sha256="6d2f6a7b0d0f3f0e8a1c9b7d5e3f1a2b4c6d8e0f1a3b5c7d9e0f2a4b6c8d0e1f",
        finished_at=_at(2, 50),
    ),
    fieldwork.FollowUpAsked(
        **_ON_SITE,
        customer_id=CUSTOMER,
        device_id=DEVICE,
        device_model=MODEL,
        item="earthing",
        note="接地线松动",
        asked_at=_at(2, 50),
    ),
    fieldwork.ServiceCodesDefined(
        list_id="service",
        version=1,
        causes=(fieldwork.ServiceCode("compressor-worn", "The compressor is worn", "压缩机磨损"),),
        remedies=(fieldwork.ServiceCode("replaced", "Replaced", "更换"),),
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
        accepted_at=_at(2, 58),
        signed_name="王芳",
        signed_lat_udeg=43_833_100,
        signed_lon_udeg=125_289_200,
        record_sha256="6d2f6a7b0d0f3f0e8a1c9b7d5e3f1a2b4c6d8e0f1a3b5c7d9e0f2a4b6c8d0e1f",
    ),
    fieldwork.VisitAborted(
        **_ON_SITE, reason="part-missing", note="wrong compressor", parts=_USED[1:], aborted_at=_at(2, 20)
    ),
    fieldwork.PricesDefined(
        list_id="standard",
        version=1,
        effective_from=_at(0),
        labour_fen_per_h=12_000,
        labour_step_s=900,
        travel_fen=5_000,
        parts=(fieldwork.PartPrice("P-COMPRESSOR", 68_000),),
    ),
    fieldwork.CoverageSet(
        device_id=DEVICE,
        coverage_id="W-0001",
        kind="warranty",
        starts_at=_at(0),
        labour=fieldwork.Term(100, _at(23)),
        parts=fieldwork.Term(50, _at(23)),
        travel=fieldwork.Term(0, _at(23)),
    ),
    fieldwork.ServiceCharged(
        **_OF_VISIT,
        customer_id=CUSTOMER,
        device_id=DEVICE,
        list_version=1,
        lines=(
            fieldwork.ChargeLine(
                "part", "P-COMPRESSOR", 1, 68_000, 68_000, 34_000, 50, "covered", "W-0001", "warranty", _at(23)
            ),
            fieldwork.ChargeLine("part", "P-SEALANT", 2, 0, 0, 0, 0, "no-price"),
        ),
        gross_fen=68_000,
        warranty_fen=34_000,
        contract_fen=0,
        customer_fen=34_000,
        unpriced=1,
        charged_at=_at(2, 58),
    ),
    fieldwork.StepKept(**_STEP, step="arrive", happened_at=_at(1, 58), reported=_REPORTED),
    fieldwork.StepTaken(**_STEP, step="arrive", happened_at=_at(1, 58)),
    fieldwork.StepRefused(
        **_ON_SITE,
        step_id=_STEP["step_id"],
        number=2,
        step="arrive",
        happened_at=_at(1, 58),
        code="visit.called-off",
        facts={"step": "arrive", "at": "2026-11-24T01:58:00+00:00", "reason": "order-cancelled"},
        reported=_REPORTED,
    ),
    # inventory
    inventory.PartDefined(
        part_id="P-COMPRESSOR", name="压缩机", fits=(MODEL,), usual_quantity=1, low_below=3, cost_fen=32_000
    ),
    inventory.PlaceDefined(
        place_id="WH-EAST",
        kind="warehouse",
        name="East",
        region="朝阳区",
        lat_udeg=39_921_000,
        lon_udeg=116_443_000,
    ),
    inventory.StockCounted(part_id="P-COMPRESSOR", place_id=VAN, quantity=2, source="wms", condition="good"),
    inventory.StockSynchronised(
        part_id="P-COMPRESSOR",
        place_id="WH-EAST",
        condition="good",
        theirs=10,
        ours=9,
        source="wms",
        document_id="SNAP-261124",
        taken_at=_at(1),
    ),
    inventory.StockIssued(
        part_id="P-COMPRESSOR",
        place_id="WH-EAST",
        quantity=3,
        condition="good",
        source="wms",
        document_id="ISSUE-7",
        drift=1,
    ),
    inventory.StockDocumentBooked(
        source="wms",
        document_id="SNAP-261124",
        kind="snapshot",
        place_id="WH-EAST",
        lines=(inventory.DocumentLine("P-COMPRESSOR", 10, "good"),),
        taken_at=_at(1),
    ),
    inventory.StockReceived(
        part_id="P-COMPRESSOR", place_id="WH-EAST", quantity=10, condition="good", source="supplier"
    ),
    inventory.StockSent(
        part_id="P-COMPRESSOR",
        place_id="WH-EAST",
        to_place_id=VAN,
        transfer_id=TRANSFER,
        quantity=2,
        condition="good",
    ),
    inventory.StockArrived(
        part_id="P-COMPRESSOR",
        place_id=VAN,
        from_place_id="WH-EAST",
        transfer_id=TRANSFER,
        quantity=1,
        condition="good",
    ),
    inventory.PartReturned(part_id="P-COMPRESSOR", place_id=VAN, quantity=1, condition="defective", order_id=ORDER),
    inventory.PartScrapped(
        part_id="P-SEALANT", place_id="WH-EAST", quantity=1, condition="good", reason="past its date"
    ),
    inventory.PartSentBack(
        part_id="P-COMPRESSOR", place_id="WH-EAST", quantity=1, condition="defective", supplier="S-COOL"
    ),
    inventory.TransferSent(
        transfer_id=TRANSFER, from_place_id="WH-EAST", to_place_id=VAN, lines=_MOVED, reason="restock"
    ),
    inventory.TransferReceived(transfer_id=TRANSFER, lines=(inventory.MovedLine("P-COMPRESSOR", 1),)),
    inventory.TransferLost(
        transfer_id=TRANSFER,
        to_place_id=VAN,
        lines=(inventory.MovedLine("P-COMPRESSOR", 1),),
        reason="not on the lorry",
    ),
    inventory.StockRulesSet(rules_id="tenant", keep_reserved_h=72),
    inventory.StockSetAside(part_id="P-COMPRESSOR", place_id=VAN, order_id=ORDER, quantity=1),
    inventory.StockReturned(part_id="P-COMPRESSOR", place_id=VAN, order_id=ORDER, quantity=1),
    inventory.StockFellShort(part_id="P-COMPRESSOR", place_id=VAN, order_id=ORDER, quantity=1),
    inventory.PartConsumed(part_id="P-SEALANT", place_id=VAN, quantity=2, **_OF_ORDER, drift=1),
    inventory.StockLow(part_id="P-COMPRESSOR", place_id="WH-EAST", free=2, low_below=3),
    inventory.PartsRecommended(**_OF_ORDER, lines=_WANTED, urgency="high"),
    inventory.PartsReserved(
        **_OF_ORDER, engineer_id=ENGINEER, lines=_PLACED, visit_id=VISIT, van_id=VAN, expires_at=_KEPT_UNTIL
    ),
    inventory.PartsShort(
        **_OF_ORDER, lines=_WANTED[:1], engineer_id=ENGINEER, visit_id=VISIT, van_id=VAN, expires_at=_KEPT_UNTIL
    ),
    inventory.PartsPickedUp(
        **_OF_ORDER, engineer_id=ENGINEER, van_id=VAN, lines=(inventory.PlacedLine("P-SEALANT", "WH-EAST", 1),)
    ),
    inventory.ReservationExpired(**_OF_VISIT),
    inventory.ReservationReleased(**_OF_ORDER, reason="consumed"),
    inventory.VisitSettled(**_OF_VISIT, completed=True),
    # quality
    quality.SurveyRulesSet(sample_percent=50, quiet_days=30),
    quality.SurveySent(
        survey_id=SURVEY, **_ON_SITE, customer_id=CUSTOMER, expires_at=datetime(2026, 12, 8, 3, tzinfo=UTC)
    ),
    quality.SurveySkipped(survey_id=SURVEY, **_ON_SITE, customer_id=CUSTOMER, reason="quiet"),
    quality.CustomerSurveyed(customer_id=CUSTOMER, survey_id=SURVEY, asked_at=_at(3)),
    quality.FeedbackReceived(
        survey_id=SURVEY,
        **_OF_ORDER,
        engineer_id=ENGINEER,
        customer_id=CUSTOMER,
        attitude=5,
        outcome=5,
        punctuality=4,
        recommends=9,
        comment="师傅很专业",
        visit_id=VISIT,
        answered_at=_at(9),
        came_by="link",
    ),
    quality.AlertRulesSet(
        bad_percent=25, bad_weeks=3, min_ratings=8, repeat_percent=10, repeat_weeks=8, min_visits=10, repeat_days=45
    ),
    quality.DayEnded(day="2026-11-23"),
    quality.QualityAlertRaised(
        **_OF_ALERT, kind="bad-rating", of="engineer", subject=ENGINEER, limit_percent=20, windows=_WEEKS
    ),
    quality.QualityAlertFollowed(**_OF_ALERT, subject=ENGINEER, owner_id="manager-1", measure="沟通培训"),
    quality.QualityAlertRecovered(**_OF_ALERT, windows=_WEEKS[:1]),
    quality.QualityAlertClosed(**_OF_ALERT, subject=ENGINEER, closed_on="2026-12-08", effect="两周内无差评"),
    quality.StandardDefined(type_id="repair", standard_version=1, items=_ITEMS),
    quality.InspectionOpened(
        **_OF_INSPECTION,
        visit_id=VISIT,
        order_id=ORDER,
        engineer_id=ENGINEER,
        customer_id=CUSTOMER,
        type_id="repair",
        standard_version=1,
        items=_ITEMS,
    ),
    quality.StandardChecked(
        **_OF_INSPECTION,
        visit_id=VISIT,
        engineer_id=ENGINEER,
        reviewer_id="manager-1",
        verdicts=(
            quality.Verdict("uniform", "broken"),
            quality.Verdict("shoe-covers", "kept"),
        ),
        passed=False,
        note="两张照片中均未佩戴工牌",
    ),
    quality.CorrectionAsked(
        **_OF_INSPECTION,
        engineer_id=ENGINEER,
        owner_id=ENGINEER,
        due_at=datetime(2026, 12, 1, 3, tzinfo=UTC),
        items=("uniform",),
    ),
    quality.CorrectionOverdue(**_OF_INSPECTION, owner_id=ENGINEER, due_at=datetime(2026, 12, 1, 3, tzinfo=UTC)),
    quality.CorrectionDone(**_OF_INSPECTION, owner_id=ENGINEER, done="已领取新工牌"),
    quality.ComplaintRaised(
        complaint_id=COMPLAINT,
        customer_id=CUSTOMER,
        request_id=REQUEST,
        answer_due_at=datetime(2026, 11, 27, 3, tzinfo=UTC),
        words="等了三天没有人来",
    ),
    quality.ComplaintAssigned(
        complaint_id=COMPLAINT, owner_id="manager-1", answer_due_at=datetime(2026, 11, 26, 3, tzinfo=UTC)
    ),
    quality.ComplaintOverdue(
        complaint_id=COMPLAINT, owner_id="manager-1", due_at=datetime(2026, 11, 26, 3, tzinfo=UTC)
    ),
    quality.ComplaintClosed(
        complaint_id=COMPLAINT,
        customer_id=CUSTOMER,
        owner_id="manager-1",
        root_cause="late",
        answer="非常抱歉, 已改进派单流程",
    ),
    quality.StaffSurveyAnswered(
        engineer_id=ENGINEER,
        month="2026-11",
        content=4,
        workload=3,
        support=5,
        comment="旺季路上时间太长",
    ),
)

EXAMPLES: Final[Mapping[str, Event]] = {type(event).__name__: event for event in _ALL}
"""Event type → its example, in the order of the contracts. Every field is given, also those that have a default."""

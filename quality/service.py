"""The wiring of quality, and nothing else."""

from __future__ import annotations

from quality.api import routes
from quality.commands import (
    AnswerStaffSurvey,
    AnswerSurvey,
    AssignComplaint,
    CloseAlert,
    CloseComplaint,
    DefineStandard,
    EndDay,
    FinishCorrection,
    FollowAlert,
    JudgeAlert,
    OpenInspection,
    RaiseComplaint,
    RecordComplaintOverdue,
    RecordCorrectionDueSoon,
    RecordCorrectionOverdue,
    ReviewInspection,
    SendSurvey,
    SetAlertRules,
    SetSurveyRules,
    WithdrawComplaint,
)
from quality.deadlines import ON_TIMER, TIMERS
from quality.domain import alert, complaint, inspection, staff, standard, survey
from quality.policies import POLICIES
from quality.projections.alerts import ALERTS
from quality.projections.asked_for import ASKED_FOR
from quality.projections.complaints import COMPLAINTS
from quality.projections.customers import CUSTOMERS
from quality.projections.device_suppliers import DEVICE_SUPPLIERS
from quality.projections.engineer_groups import ENGINEER_GROUPS
from quality.projections.inspections import INSPECTIONS
from quality.projections.photos import PHOTOS
from quality.projections.quality_rules import QUALITY_RULES
from quality.projections.served import SERVED
from quality.projections.standards import STANDARDS
from quality.projections.surveys import SURVEYS
from services.chassis.journal.rules import Handler, Rules, on_stream
from services.chassis.service import Service

RULES = Rules(
    service="quality",
    streams=(
        survey.SURVEY,
        survey.SURVEY_RULES,
        survey.SURVEYED,
        alert.ALERT,
        alert.ALERT_RULES,
        alert.JUDGED_DAY,
        standard.STANDARD,
        inspection.INSPECTION,
        complaint.COMPLAINT,
        staff.STAFF_SURVEY,
    ),
    handlers=(
        on_stream(SetSurveyRules, lambda _: survey.RULES_STREAM, survey.set_rules),
        Handler(SendSurvey, survey.send_reads, survey.send),
        on_stream(AnswerSurvey, lambda c: survey.survey_stream(c.survey_id), survey.answer),
        on_stream(SetAlertRules, lambda _: alert.RULES_STREAM, alert.set_rules),
        on_stream(EndDay, lambda c: alert.day_stream(c.day), alert.end_day),
        Handler(JudgeAlert, alert.judge_reads, alert.judge),
        on_stream(FollowAlert, lambda c: alert.alert_stream(c.alert_id), alert.follow),
        on_stream(CloseAlert, lambda c: alert.alert_stream(c.alert_id), alert.close),
        on_stream(DefineStandard, lambda c: standard.standard_stream(c.type_id), standard.define),
        Handler(OpenInspection, inspection.open_reads, inspection.open_inspection),
        on_stream(ReviewInspection, lambda c: inspection.inspection_stream(c.inspection_id), inspection.review),
        on_stream(
            RecordCorrectionDueSoon,
            lambda c: inspection.inspection_stream(c.inspection_id),
            inspection.record_due_soon,
        ),
        on_stream(
            RecordCorrectionOverdue,
            lambda c: inspection.inspection_stream(c.inspection_id),
            inspection.record_overdue,
        ),
        on_stream(
            FinishCorrection, lambda c: inspection.inspection_stream(c.inspection_id), inspection.finish_correction
        ),
        on_stream(RaiseComplaint, lambda c: complaint.complaint_stream(c.complaint_id), complaint.raise_complaint),
        on_stream(AssignComplaint, lambda c: complaint.complaint_stream(c.complaint_id), complaint.assign),
        on_stream(
            RecordComplaintOverdue, lambda c: complaint.complaint_stream(c.complaint_id), complaint.record_overdue
        ),
        on_stream(AnswerStaffSurvey, lambda c: staff.staff_stream(c.engineer_id, c.month), staff.answer),
        on_stream(CloseComplaint, lambda c: complaint.complaint_stream(c.complaint_id), complaint.close),
        on_stream(WithdrawComplaint, lambda c: complaint.complaint_stream(c.complaint_id), complaint.withdraw),
    ),
    timers=TIMERS,
)

service = Service(
    name="quality",
    rules=RULES,
    views=(
        SURVEYS,
        SERVED,
        ASKED_FOR,
        QUALITY_RULES,
        ALERTS,
        STANDARDS,
        INSPECTIONS,
        PHOTOS,
        COMPLAINTS,
        CUSTOMERS,
        ENGINEER_GROUPS,
        DEVICE_SUPPLIERS,
    ),
    policies=POLICIES,
    on_timer=ON_TIMER,
    routes=routes,
)

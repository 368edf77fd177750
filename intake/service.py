"""The wiring of intake, and nothing else."""

from __future__ import annotations

from contracts.intake import DeviceRegistered, RequestIncomplete, RequestReceived, RequestSupplemented
from intake.api import routes
from intake.commands import (
    AskFollowUp,
    AttachRequestPhoto,
    CancelRequest,
    CloseRequest,
    CorrectRequest,
    DefineDeviceModel,
    DefineRequestType,
    ExpireRequest,
    LoadPack,
    MergeRequest,
    PutIntoService,
    RecordNoticeNotSent,
    RecordNoticeSent,
    RecordNotSent,
    RecordSent,
    RegisterCustomer,
    RegisterDevice,
    RegisterSite,
    RemarkOnRequest,
    RemindRequest,
    ReopenRequest,
    ResolveRemotely,
    SetContact,
    SubmitRequest,
    SupplementRequest,
    TellStaff,
    UnmergeRequest,
    WithdrawRequest,
)
from intake.deadlines import ON_TIMER, TIMERS
from intake.domain import correction, follow_up, message, models, notice, photos, register, remarks, request
from intake.notices import NOTICES
from intake.policies import POLICIES
from intake.projections.contacts import CONTACTS
from intake.projections.follow_ups import FOLLOW_UPS
from intake.projections.messages import MESSAGES
from intake.projections.notices import NOTICES as NOTICES_TOLD
from intake.projections.registers import CUSTOMERS, DEVICE_MODELS, DEVICES, REQUEST_TYPES, SITES
from intake.projections.request_photos import REQUEST_PHOTOS
from intake.projections.request_remarks import REQUEST_REMARKS
from intake.projections.requests import REQUESTS
from intake.projections.service_records import SERVICE_RECORDS
from services.chassis.journal.rules import Handler, Rules, on_stream
from services.chassis.service import Service

RULES = Rules(
    service="intake",
    streams=(
        request.REQUEST,
        request.NUMBERS,
        follow_up.FOLLOW_UP,
        photos.PHOTOS,
        remarks.REMARKS,
        register.CUSTOMER,
        register.SITE,
        register.DEVICE,
        models.DEVICE_MODEL,
        register.REQUEST_TYPE,
        message.MESSAGE,
        notice.CONTACT,
        notice.NOTICE,
    ),
    handlers=(
        Handler(
            SubmitRequest,
            request.submit_reads,
            request.submit,
            claims=lambda c: (("channel-message", c.message_id),) if c.message_id else (),
        ),
        Handler(
            SupplementRequest,
            request.supplement_reads,
            request.supplement,
            claims=lambda c: (("channel-message", c.message_id),) if c.message_id else (),
        ),
        Handler(CorrectRequest, request.change_reads, correction.correct),
        Handler(AskFollowUp, follow_up.reads, follow_up.ask),
        Handler(AttachRequestPhoto, photos.reads, photos.attach),
        Handler(RemarkOnRequest, remarks.reads, remarks.remark),
        on_stream(RemindRequest, lambda c: request.request_stream(c.request_id), request.remind),
        on_stream(ExpireRequest, lambda c: request.request_stream(c.request_id), request.expire),
        Handler(MergeRequest, request.merge_reads, request.merge),
        on_stream(UnmergeRequest, lambda c: request.request_stream(c.request_id), request.unmerge),
        on_stream(ReopenRequest, lambda c: request.request_stream(c.request_id), request.reopen),
        on_stream(ResolveRemotely, lambda c: request.request_stream(c.request_id), request.resolve_remotely),
        on_stream(WithdrawRequest, lambda c: request.request_stream(c.request_id), request.withdraw),
        on_stream(CancelRequest, lambda c: request.request_stream(c.request_id), request.cancel),
        on_stream(CloseRequest, lambda c: request.request_stream(c.request_id), request.close),
        on_stream(RegisterCustomer, lambda c: register.customer_stream(c.customer_id), register.register_customer),
        Handler(
            RegisterSite,
            lambda c: (register.site_stream(c.site_id), register.customer_stream(c.customer_id)),
            register.register_site,
        ),
        Handler(
            RegisterDevice,
            register.device_reads,
            register.register_device,
            claims=lambda c: (("device-serial", c.serial),),
        ),
        Handler(
            PutIntoService,
            register.put_reads,
            register.put_into_service,
            claims=lambda c: (("device-serial", c.serial),),
        ),
        on_stream(DefineDeviceModel, lambda c: models.model_stream(c.model), models.define_device_model),
        on_stream(DefineRequestType, lambda c: register.type_stream(c.type_id), register.define_request_type),
        Handler(LoadPack, register.load_reads, register.load_pack),
        on_stream(RecordSent, lambda c: message.message_stream(c.message_id), message.record_sent),
        on_stream(RecordNotSent, lambda c: message.message_stream(c.message_id), message.record_not_sent),
        on_stream(SetContact, lambda c: notice.contact_stream(c.person_id), notice.set_contact),
        on_stream(TellStaff, lambda c: notice.notice_stream(c.notice_id), notice.tell),
        on_stream(RecordNoticeSent, lambda c: notice.notice_stream(c.notice_id), notice.record_sent),
        on_stream(RecordNoticeNotSent, lambda c: notice.notice_stream(c.notice_id), notice.record_not_sent),
    ),
    claims={
        DeviceRegistered: register.serial_of,
        RequestReceived: request.message_of,
        RequestIncomplete: request.message_of,
        RequestSupplemented: request.message_of,
    },
    timers=TIMERS,
)

service = Service(
    name="intake",
    rules=RULES,
    views=(
        REQUESTS,
        REQUEST_PHOTOS,
        REQUEST_REMARKS,
        CUSTOMERS,
        SITES,
        DEVICES,
        DEVICE_MODELS,
        REQUEST_TYPES,
        SERVICE_RECORDS,
        FOLLOW_UPS,
        MESSAGES,
        CONTACTS,
        NOTICES_TOLD,
    ),
    policies=POLICIES,
    notices=NOTICES,
    on_timer=ON_TIMER,
    routes=routes,
    publishes_every_s=0.01,  # somebody waits for an order
)

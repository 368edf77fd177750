"""The customer signs the very record that she was shown; what it says is on paper within two seconds."""

import time
from datetime import timedelta

import pypdfium2
import pytest
from PIL import Image

from contracts.fieldwork import ServiceCompleted, WorkFinished
from fieldwork.adapters.report_pdf import ReportPhoto, ServiceReport, report_pdf
from fieldwork.commands import Place
from fieldwork.service import RULES
from tests.fieldwork.examples import DONE, SIGNATURE, accept, completed, finish, finished, minute, refused
from tests.fieldwork.pictures import camera, picture
from tests.fieldwork.test_api import attach, planned, step, story, walk
from tests.fieldwork.test_sync import sync
from tests.given import spec_for

given = spec_for(RULES)
SHOWN = finished().record_sha256


def test_a_signature_has_a_name_a_place_a_time_and_the_hash_of_the_record():
    said = accept(signed_name="Wang", place=Place(lat_udeg=-5, lon_udeg=7), record_sha256=SHOWN)
    signed = {"signed_name": "Wang", "signed_lat_udeg": -5, "signed_lon_udeg": 7, "record_sha256": SHOWN}
    given(*DONE).when(said).then(completed(**signed, accepted_at=minute(85)))


def test_a_phone_that_could_not_know_the_hash_signs_the_record_as_it_stands():
    given(*DONE).when(accept()).then(completed(record_sha256=SHOWN))


def test_another_record_than_the_one_that_was_shown_is_not_signed():
    again = finished(at=95, record="another")
    assert again.record_sha256 != SHOWN
    later = [*DONE, refused(), again]
    facts = {"signed": SHOWN, "current": again.record_sha256}
    given(*later).when(accept(at=96, record_sha256=SHOWN)).then_rejected("visit.record-changed", **facts)
    given(*later).when(accept(at=96, record_sha256=again.record_sha256)).then_types(ServiceCompleted)


def test_a_refusal_goes_back_to_work_and_the_new_record_is_another():
    given(*DONE, refused()).when(finish(at=95)).then_types(WorkFinished)
    given(*DONE, refused()).when(accept(at=95)).then_rejected("visit.wrong-step", state="working")


# Through the routes.

SIGNED = {
    "rating": 5,
    "signature": "M10 80 C 40 10, 65 10, 95 80",
    "signed_name": "王芳",
    "place": {"lat_udeg": 43_833_100, "lon_udeg": 125_289_200},
}


async def at_the_door(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive", "start", "parts")
    await attach(it, visit_id, picture(exif=camera()), moment="before")
    await walk(it, visit_id, "finish")
    return visit_id


@story
async def test_what_is_signed_is_shown_to_who_may_see_it_and_sealed_everywhere_else(it):
    visit_id = await at_the_door(it)
    shown = (await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}")).json()["record_sha256"]
    wrong = await step(it, visit_id, "accept", **SIGNED, record_sha256="0" * 64)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "visit.record-changed")
    assert (await step(it, visit_id, "accept", **SIGNED, record_sha256=shown)).status_code == 200
    found = (await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}")).json()
    assert (found["signed_name"], found["signed_sha256"]) == ("王芳", shown)
    assert (found["signed_lat_udeg"], found["signed_lon_udeg"]) == (43_833_100, 125_289_200)
    for view in it.running.service.views:
        assert "王芳" not in str(await it.rows(view))
    it.keys.forgotten.add("c-1")
    found = (await it.call("m-1", "manager", "GET", f"/v1/visits/{visit_id}")).json()
    assert (found["signed_name"], found["signature"]) == ("", "")


@pytest.mark.parametrize(
    "wrong", [{"place": {"lat_udeg": 1}}, {"record_sha256": "x"}, {"place": {"lat_udeg": 91_000_000, "lon_udeg": 0}}]
)
def test_half_a_place_or_what_is_no_hash_is_refused(wrong, tmp_path):
    @story
    async def told(it):
        visit_id = await at_the_door(it)
        answer = await step(it, visit_id, "accept", **SIGNED | wrong)
        assert answer.status_code == 422 and next(iter(wrong)) in answer.json()["errors"][0]["field"]

    told(tmp_path)


@story
async def test_a_signature_waits_sealed_when_its_batch_came_before_the_work(it):
    visit_id = await planned(it)
    it.clock.set(minute(600))
    last = {
        "visit_id": visit_id,
        "step_id": "s-9",
        "number": 9,
        "happened_at": minute(90).isoformat(),
        "step": "accept",
    }
    (answer,) = await sync(it, [last | SIGNED])
    assert answer["outcome"] == "waiting"
    kept = str(await it.own_events())
    assert "王芳" not in kept and SIGNED["signature"] not in kept


def text_of(content):
    return "\n".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(content))


@story
async def test_the_report_says_it_in_both_languages_with_pictures_and_signature(it):
    visit_id = await at_the_door(it)
    before = await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}/report")
    assert "尚未验收 Not accepted yet" in text_of(before.content)
    await step(it, visit_id, "accept", **SIGNED)
    for person, role in (("c-1", "customer"), ("e-1", "engineer"), ("m-1", "manager")):
        answer = await it.call(person, role, "GET", f"/v1/visits/{visit_id}/report")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    text = text_of(answer.content)
    record = (await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}")).json()["record_sha256"]
    for words in ("服务报告 Service report", "changed the fan", "fan-stuck", "王芳", "5 / 5", "43.833100 N", record):
        assert words in text
    # The arrival in the tenant's zone.
    assert "2026-11-24 17:10" in text
    images = [one for page in pypdfium2.PdfDocument(answer.content) for one in page.get_objects() if one.type == 3]
    assert len(images) == 1
    assert (await it.call("c-2", "customer", "GET", f"/v1/visits/{visit_id}/report")).status_code == 404


@story
async def test_before_the_work_is_done_there_is_no_report(it):
    visit_id = await planned(it)
    answer = await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}/report")
    assert (answer.status_code, answer.json()["code"]) == (409, "visit.no-record")


@story
async def test_of_a_forgotten_customer_the_report_says_nothing(it):
    visit_id = await at_the_door(it)
    await step(it, visit_id, "accept", **SIGNED)
    it.keys.forgotten.add("c-1")
    text = text_of((await it.call("m-1", "manager", "GET", f"/v1/visits/{visit_id}/report")).content)
    assert "fan-stuck" in text and "changed the fan" not in text and "王芳" not in text


# The page itself.


def report(**changes):
    facts = dict.fromkeys(("visit_id", "order_id", "request_id", "customer_id", "engineer_id", "device"), "x")
    facts |= dict.fromkeys(("departed_at", "arrived_at", "started_at", "finished_at", "accepted_at"), "2026-11-24")
    facts |= {"labour_min": 45, "cause": "a", "remedy": "b", "record": "完成", "parts": [], "checklist": []}
    facts |= {"readings": [], "photos": [], "photos_kept": 0, "refusal": "", "rating": 5, "signed_name": "王"}
    return ServiceReport(**facts | {"signature": SIGNATURE, "signed_place": None, "record_sha256": "ab"} | changes)


def dark(content):
    """How much is drawn on the first page."""
    image = pypdfium2.PdfDocument(content)[0].render(scale=1).to_pil().convert("L")
    return sum(image.histogram()[:100])


def test_the_signature_is_drawn_upright_and_within_its_box():
    flat = dark(report_pdf(report(signature="M0 0")))
    drawn = dark(report_pdf(report(signature="M0 0 L 0 100 L 100 100 L 100 0 Z")))
    assert drawn > flat + 100
    assert dark(report_pdf(report(signature="M0 0 L 0 1e6 L 1e6 1e6"))) > flat + 50


@pytest.mark.parametrize(
    "drawn", ["M1", "M1 2L3", "M e-+,", "MMM", "M1 2 A 3", "M1 2 A0 0 0 0 0 1 2", "M1 2Zz", "M1 2T"]
)
def test_a_path_that_means_nothing_is_said_and_breaks_nothing(drawn):
    assert dark(report_pdf(report(signature=drawn))) > 0


def test_a_point_that_is_nowhere_is_not_drawn():
    assert "The signature cannot be drawn" in text_of(report_pdf(report(signature="M1e999 2L3 4")))


def test_words_of_a_customer_are_words_and_nothing_else():
    text = text_of(report_pdf(report(record="<b>&amp;</b>\n<img src='x'/>", signed_name="<para>")))
    assert "<b>&amp;</b>" in text and "<img src='x'/>" in text and "<para>" in text


def test_a_rare_character_is_named_where_no_font_has_it():
    text = text_of(report_pdf(report(record="𠮷野 😀", signed_name="㐀")))
    assert "[U+20BB7]野" in text and "[U+1F600]" in text and "㐀" in text


def test_the_font_is_in_the_file_and_each_report_has_what_it_needs():
    for record in ("更换压缩机", "试运行正常，\u201c客户\u201d满意 100%"):
        content = report_pdf(report(record=record))
        assert record in text_of(content)
        assert b"/FontFile2" in content and b"FieldloopReport" in content and b"STSong" not in content
    assert len(content) < 100_000


def test_a_report_is_the_same_bytes_again_and_ready_within_two_seconds():
    noise = Image.effect_noise((4_000, 3_000), 60)
    photo = ReportPhoto("before", "2026-11-24 17:20", picture(image=noise))
    many = report(photos=[photo] * 12, photos_kept=30, record="很长的记录。" * 600)
    begun = time.process_time()
    content = report_pdf(many)
    took = timedelta(seconds=time.process_time() - begun)
    assert took < timedelta(seconds=2)
    assert report_pdf(many) == content
    assert "(12/30)" in text_of(content)

"""What the link in a survey's message opens: a page on which its holder answers once, without account or script."""

from datetime import timedelta
from html.parser import HTMLParser

import pytest

from contracts.quality import FeedbackReceived
from tests.quality.stories import completed, story
from tests.quality.test_surveys_live import link_of

PAGE = "/v1/surveys/page"
SAID = {"attitude": "5", "outcome": "4", "punctuality": "3", "recommends": "9", "comment": "师傅很专业\r\n𠮷 <b>"}
FORM = "application/x-www-form-urlencoded"


class Seen(HTMLParser):
    """What a browser makes of a page: its tags, the words, and what a form would send as it stands."""

    def __init__(self, answer):
        super().__init__()
        self.tags, self.words, self.sends, self._select, self._area = [], "", {}, "", ""
        self.feed(answer.text)

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.tags.append((tag, said))
        match tag:
            case "input" if "checked" in said:
                self.sends[said["name"]] = said["value"]
            case "select":
                self._select = said["name"]
            case "option" if "selected" in said:
                self.sends[self._select] = said["value"]
            case "textarea":
                self._area = said["name"]
                self.sends[self._area] = ""

    def handle_endtag(self, tag):
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data):
        self.words += data
        if self._area:
            self.sends[self._area] += data

    def names(self, tag):
        return {said.get("name") for found, said in self.tags if found == tag}


async def by_browser(it, method, link, **sent):
    headers = {"Authorization": ""} | sent.pop("headers", {})
    answer = await it.call("c-9", "customer", method, PAGE, headers=headers, params={"link": link}, **sent)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer


@story
async def test_the_page_asks_in_both_languages_loads_nothing_and_is_answered_once(it):
    link = await link_of(it, survey_id := await completed(it, 1))
    opened = await by_browser(it, "GET", link)
    page = Seen(opened)
    assert opened.status_code == 200
    assert page.names("input") == {"attitude", "outcome", "punctuality"}
    assert "服务态度" in page.words and "Attitude" in page.words
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert "script" not in opened.headers["content-security-policy"]
    assert ("form", {"method": "post"}) in page.tags
    answered = await by_browser(it, "POST", link, data=SAID)
    assert answered.status_code == 200 and "感谢" in answered.text and "Thank you" in answered.text
    [feedback] = [event for event in await it.own_events() if isinstance(event, FeedbackReceived)]
    assert (feedback.survey_id, feedback.came_by, feedback.recommends) == (survey_id, "link", 9)
    seen = (await it.call("c-1", "customer", "GET", f"/v1/surveys/{survey_id}")).json()
    assert (seen["outcome"], seen["comment"]) == (4, "师傅很专业\n𠮷 <b>")
    for again in (await by_browser(it, "GET", link), await by_browser(it, "POST", link, data=SAID)):
        assert again.status_code == 410 and "链接已使用" in again.text and "<form" not in again.text


@story
async def test_what_is_left_out_is_marked_and_what_was_said_stays(it):
    link = await link_of(it, await completed(it, 1))
    answer = await by_browser(it, "POST", link, data=SAID | {"outcome": "", "comment": '"><script>x</script>'})
    page = Seen(answer)
    marked = [said for tag, said in page.tags if tag == "fieldset" and said.get("class") == "lacks"]
    assert (answer.status_code, len(marked)) == (422, 1)
    assert page.sends == {"attitude": "5", "punctuality": "3", "recommends": "9", "comment": '"><script>x</script>'}
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any(isinstance(event, FeedbackReceived) for event in await it.own_events())
    assert (
        await by_browser(it, "POST", link, data={n: SAID[n] for n in ("attitude", "outcome", "punctuality")})
    ).is_success


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe%", b"attitude=9&outcome=1&punctuality=1", b"a=1&" * 50, b"attitude=1&outcome=1&punctuality=x"],
)
def test_whatever_is_sent_that_is_no_answer_records_nothing(tmp_path, body):
    @story
    async def told(it):
        link = await link_of(it, await completed(it, 1))
        answer = await by_browser(it, "POST", link, content=body, headers={"Content-Type": FORM})
        assert answer.status_code == 422
        assert not any(isinstance(event, FeedbackReceived) for event in await it.own_events())

    told(tmp_path)


@story
async def test_a_nul_in_a_comment_is_left_out(it):
    link = await link_of(it, survey_id := await completed(it, 1))
    assert (await by_browser(it, "POST", link, data=SAID | {"comment": "a\0b"})).status_code == 200
    assert (await it.call("c-1", "customer", "GET", f"/v1/surveys/{survey_id}")).json()["comment"] == "ab"


@story
async def test_a_link_that_is_over_says_so_and_a_wrong_one_opens_nothing(it):
    link = await link_of(it, await completed(it, 1))
    for wrong in (link[:-4] + "AAAA", "x", ""):
        assert "无法打开" in (gone := await by_browser(it, "GET", wrong)).text and gone.status_code == 404
        assert (await by_browser(it, "POST", wrong, data=SAID)).status_code == 404
    it.clock.set(it.clock.now() + timedelta(days=14, seconds=1))
    for late in (await by_browser(it, "GET", link), await by_browser(it, "POST", link, data=SAID)):
        assert late.status_code == 410 and "评价已截止" in late.text and "over" in late.text

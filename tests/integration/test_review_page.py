"""The reviewer's page in a real Chromium: what a person does with the keyboard, and what the API shows then."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from flywheel.domain.review_form import LIVE_FORM
from local.langfuse.testing import RunningStandIn, running_stand_in
from tests.browser import FLAGS, find_chromium
from tests.review_queues import live_queue, post_score, sampled, send_trace

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
EVIL = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">\"'&{{ 7*7 }}"


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in() as running:
        yield running


@pytest.fixture(scope="module")
def http(stand_in: RunningStandIn) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stand_in.url, auth=stand_in.auth) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.fail("these tests need Chromium: `python -m tests.browser` brings it in, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Desk:
    """A reviewer's browser, with everything that its pages complained about or asked elsewhere for."""

    def __init__(self, context: BrowserContext, stand_in: RunningStandIn) -> None:
        self.context = context
        self.stand_in = stand_in
        self.complaints: list[str] = []
        self.foreign: list[str] = []

    def open(self, queue: str, item: str = "", author: str = "") -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: self._asked(request.url))
        path = f"/project/{self.stand_in.project_id}/annotation-queues/{queue}/review"
        page.goto(f"{self.stand_in.url}{path}{item and '/' + item}{author and '?as=' + author}")
        return page

    def _asked(self, url: str) -> None:
        if not url.startswith((self.stand_in.url, "data:")):
            self.foreign.append(url)


type OpenDesk = Callable[..., Desk]


@pytest.fixture
def desk(browser: Browser, stand_in: RunningStandIn) -> Iterator[OpenDesk]:
    contexts: list[BrowserContext] = []

    def sit_down(viewport: dict[str, int] = DESK, scheme: str = "light") -> Desk:
        context = browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        contexts.append(context)
        return Desk(context, stand_in)

    yield sit_down
    for context in contexts:
        context.close()


def new_queue(http: httpx.Client, traces: list[str], **more: Any) -> str:
    return live_queue(http, f"live {uuid.uuid4().hex}", traces, **more)


def items(http: httpx.Client, queue: str) -> dict[str, dict[str, Any]]:
    found = http.get(f"/api/public/annotation-queues/{queue}/items").raise_for_status().json()["data"]
    return {item["objectId"]: item for item in found}


def statuses(http: httpx.Client, queue: str) -> list[str]:
    """Oldest first."""
    return [item["status"] for item in reversed(items(http, queue).values())]


def said(http: httpx.Client, trace: str) -> dict[str, Any]:
    """Name -> value of what people gave."""
    query = {"traceId": trace, "source": "ANNOTATION", "fields": "details,subject,annotation"}
    found = http.get("/api/public/v3/scores", params=query).raise_for_status().json()["data"]
    assert {score["authorUserId"] for score in found} <= {"local-reviewer", "ada", "grace"}
    values = [(score["name"], score["value"]) for score in found]
    assert len(dict(values)) == len(values)
    return dict(values)


def comments(http: httpx.Client, trace: str) -> list[tuple[str, str]]:
    found = http.get("/api/public/comments", params={"objectType": "TRACE", "objectId": trace}).json()["data"]
    return [(comment["authorUserId"], comment["content"]) for comment in found]


def eventually(look: Callable[[], Any], wanted: Any, within_s: float = 5.0) -> bool:
    """Whether it is so in time: what is typed is saved a moment later."""
    end = time.monotonic() + within_s
    while look() != wanted:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def on_item(page: Page, number: int) -> None:
    expect(page.locator("main[data-ready] .place")).to_contain_text(f"item {number} of")


def correct(page: Page, text: str) -> None:
    """Open the editor, which is filled with the output then, and type over all of it."""
    page.keyboard.press("c")
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def test_a_person_reviews_three_items_with_the_keyboard_only(http: httpx.Client, desk: OpenDesk) -> None:
    wrong, right, harmful = (send_trace(http, question=f"Question {n}?") for n in (1, 2, 3))
    sampled(http, wrong, ["user feedback", "latency outlier"])
    queue = new_queue(http, [wrong, right, harmful])
    sitting = desk()
    page = sitting.open(queue)
    press, write = page.keyboard.press, page.keyboard.type

    on_item(page, 1)
    expect(page.locator("main")).to_contain_text("Question 1?")
    expect(page.locator("main")).to_contain_text("Chosen because: user feedback, latency outlier · stratum errors")
    expect(page.locator("main")).to_contain_text("read_page failed: read_page timed out")
    for key in ("n", "y", "n", "y", "c"):  # correct, add_to_dataset, must_refuse, trajectory_confirmed, correction
        press(key)
    expect(page.locator("#correction")).to_have_value("For ever.")
    press("Control+a")
    write("Data is kept for 30 days.\nEach project sets it. (y/n)")
    press("Escape")
    press("m")
    write("facts are old")
    press("Control+Enter")

    on_item(page, 2)
    press("y")
    press("Enter")

    on_item(page, 3)
    for key in ("1", "y", "3", "y", "1", "n"):  # an answer is changed
        press(key)
    press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Nothing waits here: 3 of 3 completed.")
    assert said(http, wrong) == {
        "correct": False,
        "add_to_dataset": True,
        "must_refuse": False,
        "trajectory_confirmed": True,
        "output": "Data is kept for 30 days.\nEach project sets it. (y/n)",
    }
    assert comments(http, wrong) == [("local-reviewer", "facts are old")]
    assert said(http, right) == {"correct": True}
    assert said(http, harmful) == {"correct": False, "must_refuse": True}
    assert statuses(http, queue) == ["COMPLETED"] * 3
    query = {"traceId": wrong, "source": "ANNOTATION", "fields": "details,subject,annotation"}
    given = {score["name"]: score for score in http.get("/api/public/v3/scores", params=query).json()["data"]}
    assert (given["correct"]["queueId"], given["correct"]["environment"]) == (queue, "dev")
    assert given["correct"]["configId"]
    assert (given["output"]["dataType"], given["output"]["configId"], given["output"]["queueId"]) == (
        "CORRECTION", None, None,
    )  # fmt: skip
    assert (sitting.complaints, sitting.foreign) == ([], [])


def test_skipping_going_back_and_undoing(http: httpx.Client, desk: OpenDesk) -> None:
    traces = [send_trace(http) for _ in range(3)]
    queue = new_queue(http, traces)
    page = desk().open(queue)

    page.keyboard.press("j")
    on_item(page, 2)
    page.keyboard.press("y")
    page.keyboard.press("Enter")
    on_item(page, 3)
    assert statuses(http, queue) == ["PENDING", "COMPLETED", "PENDING"]
    page.keyboard.press("u")  # the completion
    on_item(page, 2)
    expect(page.locator("mark", has_text="this one is completed")).to_have_count(0)
    assert statuses(http, queue) == ["PENDING", "PENDING", "PENDING"]
    assert said(http, traces[1]) == {"correct": True}
    page.keyboard.press("u")  # the answer
    expect(page.locator("main[data-ready] input:checked")).to_have_count(0)
    assert eventually(lambda: said(http, traces[1]), {})
    page.wait_for_load_state("networkidle")
    on_item(page, 2)
    page.keyboard.press("k")
    on_item(page, 1)
    page.keyboard.press("n")
    page.keyboard.press("1")
    page.keyboard.press("x")
    expect(page.locator("input:checked")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Enter")  # nothing is judged: asks once more
    expect(page.get_by_role("status")).to_contain_text("Once more completes it without a judgement")
    assert eventually(lambda: said(http, traces[0]), {})
    page.keyboard.press("Enter")
    on_item(page, 2)
    assert statuses(http, queue) == ["COMPLETED", "PENDING", "PENDING"]


def test_a_correction_is_saved_while_it_is_typed_and_nothing_else_is(http: httpx.Client, desk: OpenDesk) -> None:
    trace = send_trace(http)
    queue = new_queue(http, [trace])
    page = desk().open(queue)
    correct(page, "Data is kept for 3")
    assert eventually(lambda: said(http, trace), {"output": "Data is kept for 3"})
    assert statuses(http, queue) == ["PENDING"]
    page.keyboard.type("0 days.")
    page.close()  # before the next save was due
    again = desk().open(queue)
    expect(again.locator("#correction")).to_have_value("Data is kept for 30 days.")
    again.keyboard.press("c")
    again.keyboard.press("Control+a")
    again.keyboard.press("Delete")
    again.keyboard.press("Escape")
    expect(again.get_by_role("status")).to_have_text("correction saved")
    assert said(http, trace) == {}


REPLY = {"answer": "For ever.", "stop_reason": "end_turn"}


@pytest.mark.parametrize("how", ["key", "mouse"])
@pytest.mark.parametrize(
    ("output", "filled"),
    [("For ever.", "For ever."), (json.dumps(REPLY), json.dumps(REPLY, indent=2)), ("# A\n\n- b", "# A\n\n- b")],
    ids=["text", "json", "markdown"],
)
def test_a_click_fills_the_editor_with_the_whole_output_and_saves_it_before_a_key_is_pressed(
    http: httpx.Client, desk: OpenDesk, output: str, filled: str, how: str
) -> None:
    trace = send_trace(http, raw=('{"question": "How long?"}', output))
    queue = new_queue(http, [trace])
    page = desk().open(queue)
    expect(page.locator("#correction")).to_be_hidden()
    assert said(http, trace) == {}
    if how == "key":
        page.keyboard.press("c")
    else:
        page.get_by_role("button", name="Click to add corrected output").click()
    expect(page.locator("#correction")).to_be_focused()
    expect(page.locator("#correction")).to_have_value(filled)
    expect(page.get_by_role("button", name="Click to add corrected output")).to_be_hidden()
    assert eventually(lambda: said(http, trace), {"output": filled})

    again = desk().open(queue)  # it is there now, and opening it saves nothing new
    expect(again.locator("#correction")).to_have_value(filled)
    query = {"traceId": trace, "fields": "details,subject,annotation"}
    (score,) = http.get("/api/public/v3/scores", params=query).json()["data"]
    assert (score["name"], score["dataType"], score["queueId"], score["configId"]) == (
        "output", "CORRECTION", None, None,
    )  # fmt: skip


def test_the_answer_is_edited_inside_the_json_that_the_editor_is_filled_with(
    http: httpx.Client, desk: OpenDesk
) -> None:
    trace = send_trace(http, raw=('{"question": "How long?"}', json.dumps(REPLY)))
    page = desk().open(new_queue(http, [trace]))
    page.keyboard.press("c")
    page.locator("#correction").evaluate(
        "it => { const at = it.value.indexOf('For'); it.setSelectionRange(at, at + 8); }"
    )
    page.keyboard.type("Thirty days")
    edited = {"output": json.dumps(REPLY | {"answer": "Thirty days."}, indent=2)}
    assert eventually(lambda: said(http, trace), edited)


def test_where_there_is_no_output_the_editor_is_empty_and_nothing_is_saved(http: httpx.Client, desk: OpenDesk) -> None:
    page = desk().open(new_queue(http, ["d" * 32]))
    page.keyboard.press("c")
    expect(page.locator("#correction")).to_have_value("")
    page.keyboard.type("Thirty days.")
    assert eventually(lambda: said(http, "d" * 32), {"output": "Thirty days."})


def test_two_tabs_on_one_item_write_over_nothing_and_complete_it_once(http: httpx.Client, desk: OpenDesk) -> None:
    trace = send_trace(http)
    queue = new_queue(http, [trace, send_trace(http)])
    sitting = desk()
    first, second = sitting.open(queue), sitting.open(queue)
    correct(first, "one")
    expect(first.get_by_role("status")).to_have_text("correction saved")
    assert eventually(lambda: said(http, trace), {"output": "one"})
    correct(second, "two")
    expect(second.get_by_role("status")).to_contain_text("changed elsewhere")
    expect(second.locator("#correction")).to_have_value("two")
    assert said(http, trace) == {"output": "one"}
    first.keyboard.press("Escape")
    first.keyboard.press("y")
    first.keyboard.press("Enter")
    on_item(first, 2)
    completed = items(http, queue)[trace]["completedAt"]
    third = sitting.open(queue, items(http, queue)[trace]["id"])
    third.keyboard.press("Enter")
    on_item(third, 2)
    assert items(http, queue)[trace]["completedAt"] == completed
    assert said(http, trace) == {"output": "one", "correct": True}


def test_an_item_deleted_meanwhile_is_told_and_what_was_written_stays(http: httpx.Client, desk: OpenDesk) -> None:
    trace = send_trace(http)
    queue = new_queue(http, [trace])
    page = desk().open(queue)
    page.keyboard.press("m")
    page.keyboard.type("my thoughts")
    item = items(http, queue)[trace]["id"]
    http.delete(f"/api/public/annotation-queues/{queue}/items/{item}").raise_for_status()
    page.keyboard.press("Escape")
    page.keyboard.press("y")
    expect(page.get_by_role("status")).to_contain_text("deleted from the queue")
    expect(page.locator("#comment")).to_have_value("my thoughts")
    assert said(http, trace) == {}
    gone = desk().open(queue, item)
    expect(gone.locator("h1")).to_have_text("Not there")


def test_a_trace_that_is_gone_can_be_skipped_or_completed(http: httpx.Client, desk: OpenDesk) -> None:
    queue = new_queue(http, ["e" * 32])
    page = desk().open(queue)
    expect(page.locator("main")).to_contain_text(f"The trace {'e' * 32} is not there")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Nothing is judged")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 of 1 completed")
    assert said(http, "e" * 32) == {}


def test_numbers_and_categories_are_asked_too(http: httpx.Client, desk: OpenDesk) -> None:
    tone = {"name": f"tone {uuid.uuid4().hex[:8]}", "dataType": "CATEGORICAL"}
    tone |= {"categories": [{"label": label, "value": n} for n, label in enumerate(("kind", "plain", "rude"))]}  # type: ignore[dict-item]
    stars = {"name": f"stars {uuid.uuid4().hex[:8]}", "dataType": "NUMERIC", "minValue": 0, "maxValue": 5}
    made = [http.post("/api/public/score-configs", json=body).raise_for_status().json() for body in (tone, stars)]
    trace = send_trace(http)
    queue = new_queue(http, [trace], questions=("correct",), more=[config["id"] for config in made])
    page = desk().open(queue)
    page.keyboard.press("2")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("3")
    page.keyboard.type("9")
    page.keyboard.press("Escape")
    expect(page.get_by_role("status")).to_contain_text("is not among the values")
    page.keyboard.press("3")
    page.keyboard.press("Control+a")
    page.keyboard.type("4.5")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status")).to_contain_text("1 of 1 completed")
    assert said(http, trace) == {made[0]["name"]: "plain", made[1]["name"]: 4.5}


def test_what_others_said_is_hidden_until_the_first_question_is_answered(http: httpx.Client, desk: OpenDesk) -> None:
    trace = send_trace(http)
    queue = new_queue(http, [trace])
    post_score(http, {"name": "judge", "value": 0.125, "traceId": trace, "id": uuid.uuid4().hex})
    ada = desk().open(queue, author="ada")
    ada.keyboard.press("n")
    correct(ada, "Ada's answer")
    assert eventually(lambda: said(http, trace).get("output"), "Ada's answer")

    grace = desk().open(queue, author="grace")
    expect(grace.locator("#others")).to_be_hidden()
    assert "Ada's answer" not in grace.content()
    assert "0.125" not in grace.content()
    with grace.expect_navigation():  # Ada's correction is shown now: the page is built anew
        grace.keyboard.press("y")
    expect(grace.locator("#others")).to_contain_text("judge 0.125")
    expect(grace.locator("#others")).to_contain_text("correct no ada")
    expect(grace.locator("#correction")).to_have_value("Ada's answer")
    query = {"traceId": trace, "name": "correct", "fields": "annotation"}
    both = http.get("/api/public/v3/scores", params=query).json()["data"]
    assert {score["authorUserId"]: score["value"] for score in both} == {"ada": False, "grace": True}


def test_hostile_and_huge_content_is_inert(http: httpx.Client, desk: OpenDesk) -> None:
    tools = [(EVIL, EVIL, EVIL), ("huge", "x" * 100_000, "y" * 100_000)]
    trace = send_trace(http, question=EVIL, answer=EVIL + "long" * 100_000, tools=tools)
    sampled(http, trace, [EVIL])
    queue = live_queue(http, f"{EVIL} {uuid.uuid4().hex}", [trace])
    sitting = desk(PHONE)
    page = sitting.open(queue)
    page.keyboard.press("o")
    page.keyboard.press("m")
    page.keyboard.type(EVIL)
    page.keyboard.press("Escape")
    page.keyboard.press("y")
    expect(page.get_by_role("status")).to_have_text("saved")
    assert "hacked" not in page.title().split(" · ", maxsplit=1)[0]
    assert page.evaluate("document.querySelectorAll('script:not([src]), img, iframe').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.locator("main")).to_contain_text("more characters")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("completed")
    assert comments(http, trace) == [("local-reviewer", EVIL)]
    assert (sitting.complaints, sitting.foreign) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_it_fits_the_screen_and_everything_has_a_name(
    http: httpx.Client, desk: OpenDesk, viewport: dict[str, int], scheme: str
) -> None:
    queue = new_queue(http, [send_trace(http)])
    page = desk(viewport, scheme).open(queue)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    for field in page.locator("input, textarea, button:visible, progress, fieldset").all():
        assert field.evaluate("it => Boolean(it.labels?.length || it.ariaLabel || it.textContent.trim())"), field
    for name in ("Yes", "No"):
        assert page.get_by_role("radio", name=name).count() == 4
    for number, asked in enumerate(LIVE_FORM, 1):
        expect(page.get_by_role("group", name=f"{number} {asked.name} {asked.description}")).to_be_visible()
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (light == "rgb(255, 255, 255)") == (scheme == "light")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("y")  # no key works behind it
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("input:checked")).to_have_count(0)
    page.keyboard.press("2")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_all_queues_are_listed_with_what_waits(http: httpx.Client, desk: OpenDesk, stand_in: RunningStandIn) -> None:
    queue = new_queue(http, [send_trace(http), send_trace(http)])
    page = desk().open(queue)
    page.goto(f"{stand_in.url}/project/{stand_in.project_id}/annotation-queues")
    name = http.get(f"/api/public/annotation-queues/{queue}").json()["name"]
    article = page.locator("article", has_text=name)
    expect(article).to_contain_text("2 waiting, 0 of 2 completed")
    article.get_by_role("link").click()
    on_item(page, 1)


def test_another_site_cannot_write_and_nonsense_is_refused(http: httpx.Client, stand_in: RunningStandIn) -> None:
    trace = send_trace(http)
    queue = new_queue(http, [trace])
    item = items(http, queue)[trace]["id"]
    path = f"/project/{stand_in.project_id}/annotation-queues/{queue}/review/{item}"
    assert http.post(path, json={"action": "complete"}).status_code == 403
    ours = {"x-flywheel-review": "1"}
    refused: list[tuple[Any, int]] = [
        ({"action": "explode"}, 400),
        ([], 400),
        ({"action": "score", "configId": "nosuch", "value": 1}, 400),
        ({"action": "score"}, 400),
        ({"action": "correction", "text": 5}, 400),
        ({"action": "comment", "content": ""}, 400),
        ({"action": "comment", "content": "x" * 5001}, 400),
        ({"action": "correction", "text": "a", "seen": 5}, 409),
    ]
    for body, status in refused:
        reply = http.post(path, json=body, headers=ours)
        assert (reply.status_code, bool(reply.json()["message"])) == (status, True), body
    assert said(http, trace) == {}
    assert statuses(http, queue) == ["PENDING"]
    assert http.get("/_static/nosuch.js").status_code == 404

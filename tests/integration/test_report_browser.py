"""The report in a real Chromium: no script, no request, no sideways scrolling, folds and print work."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from flywheel.domain.traffic_report import TrafficReport, build_report
from flywheel.report import render_html
from flywheel.report.experiment_page import render_experiment
from flywheel.report.traffic_page import render_traffic
from tests import report_samples
from tests.browser import FLAGS, find_chromium
from tests.experiment_reports import CONSTRAINED, experiment, hostile
from tests.unit.domain.test_traffic_report import FACTS, part, turn

pytestmark = pytest.mark.browser

PHONE, DESK = (390, 844), (1280, 900)
NAMES = sorted(report_samples.SAMPLES)
EXPERIMENTS = {
    "experiment_2": lambda: experiment(2, 1, 1),
    "experiment_32": lambda: experiment(4, 2, 4, items=24, trials=2, constraints=CONSTRAINED),
    "experiment_hostile": hostile,
}


def traffic_report() -> TrafficReport:
    """A run of three minutes: slow at the end, with errors, and a persona whose name is as long as they may be."""
    rows = [
        turn(n, 200 + n * 40, persona="a" * 40 if n % 3 else "ada", outcome="errored" if n % 9 == 0 else "answered")
        for n in range(60)
    ]
    facts = replace(FACTS, failure="States.Timeout", stand_ins=("AgentCore", "model"), parts=2)
    return build_report(
        facts, [part(0, *[replace(one, error="timeout") if one.outcome == "errored" else one for one in rows])]
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.fail(
            "these tests need Chromium: `python -m tests.browser` brings it in (`make test` does so), "
            "or install it (Debian: apt-get install chromium) or set CHROMIUM to its path"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for name, sample in report_samples.SAMPLES.items():
        (folder / f"{name}.html").write_text(render_html(sample()), "utf-8")
    (folder / "traffic.html").write_text(render_traffic(traffic_report()), "utf-8")
    for name, made in EXPERIMENTS.items():
        (folder / f"{name}.html").write_text(render_experiment(made().report()), "utf-8")
    return folder


class Opened:
    """A page with everything it complained about and asked for."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(file.as_uri())

    def number(self, expression: str) -> float:
        return float(self.page.evaluate(expression))

    def foreign(self) -> list[str]:
        return [url for url in self.requests if not url.startswith(("file:", "data:"))]


type OpenPage = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Browser, pages: Path) -> Iterator[OpenPage]:
    opened: list[Page] = []

    def open_it(name: str, size: tuple[int, int] = DESK, scheme: str = "light") -> Opened:
        viewport = {"width": size[0], "height": size[1]}
        page = browser.new_page(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
        opened.append(page)
        return Opened(page, pages / f"{name}.html")

    yield open_it
    for page in opened:
        page.close()


@pytest.mark.parametrize("name", [*NAMES, "traffic", *EXPERIMENTS])
def test_the_page_asks_for_nothing_and_complains_about_nothing(open_page: OpenPage, name: str) -> None:
    opened = open_page(name)
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    opened.page.wait_for_load_state("networkidle")
    assert opened.foreign() == []
    assert opened.complaints == []


@pytest.mark.parametrize("name", [*NAMES, "traffic", *EXPERIMENTS])
def test_the_page_is_never_wider_than_the_screen(open_page: OpenPage, name: str) -> None:
    opened = open_page(name, PHONE)
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width, height in (PHONE, (320, 640), DESK):
        opened.page.set_viewport_size({"width": width, "height": height})
        assert opened.number("document.documentElement.scrollWidth") <= width
        assert opened.page.evaluate(_BEYOND) == []
        assert opened.page.evaluate(_SQUEEZED) == []


def test_hostile_texts_are_inert(open_page: OpenPage) -> None:
    opened = open_page("hostile")
    title = opened.page.title()
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    opened.page.wait_for_load_state("networkidle")
    assert opened.page.title() == title
    assert "hacked" not in title
    assert opened.number("document.querySelectorAll('script, iframe, img, a[href^=\"javascript\"]').length") == 0
    assert "<script>document.title" in opened.page.inner_text("main")


def test_a_text_from_right_to_left_does_not_turn_its_neighbours(open_page: OpenPage) -> None:
    opened = open_page("hostile")
    isolated = opened.page.evaluate(
        "[...document.querySelectorAll('.quote, .iso')].every(e => getComputedStyle(e).unicodeBidi === 'isolate')"
    )
    assert isolated is True


def test_a_failed_item_unfolds_to_question_facts_answer_trajectory_and_trace(open_page: OpenPage) -> None:
    opened = open_page("regressed")
    first = opened.page.locator("details.failed").first
    assert not first.locator("h4:text-is('Answer')").is_visible()
    first.locator("summary").click()
    for heading in ("Question", "Expected facts, as judged", "Answer", "Trajectory"):
        assert first.locator(f"h4:text-is('{heading}')").first.is_visible()
    link = first.get_by_role("link", name="Open the trace in Langfuse")
    assert (link.get_attribute("href") or "").startswith("http://127.0.0.1:3000/project/flywheel/traces/")
    first.locator("summary").click()
    assert not first.locator("h4:text-is('Answer')").is_visible()


def test_folds_open_by_keyboard(open_page: OpenPage) -> None:
    opened = open_page("regressed")
    first = opened.page.locator("details.failed summary").first
    first.focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("details.failed").first.evaluate("e => e.open") is True


def test_the_print_shows_what_is_folded(open_page: OpenPage) -> None:
    opened = open_page("regressed")
    answer = opened.page.locator("details.failed h4:text-is('Answer')").first
    assert not answer.is_visible()
    opened.page.emulate_media(media="print")
    assert answer.is_visible()
    assert opened.page.pdf(format="A4")[:5] == b"%PDF-"


@pytest.mark.parametrize("size", [PHONE, DESK])
@pytest.mark.parametrize("name", ["passing", "undecided", "broken_slice", "first_gate", "one_look", *EXPERIMENTS])
def test_texts_of_a_plot_stay_on_its_card_and_off_each_other(
    open_page: OpenPage, name: str, size: tuple[int, int]
) -> None:
    opened = open_page(name, size)
    assert opened.page.evaluate(_OFF_CARD) == []
    assert opened.page.evaluate(_COLLIDING) == []


def test_what_decided_has_named_plots_and_a_description_of_each_bar(open_page: OpenPage) -> None:
    page = open_page("passing").page
    for name in (
        "Difference and its confidence sequence over the number of pairs",
        "Difference by slice",
        "Difference from the anchor release",
        "Invocations of this gate, of a fixed-size test and of the cap",
    ):
        assert page.get_by_role("img", name=name).count() == 1
    assert page.get_by_role("img", name="evidence for it 23.4, 20 needed").count() == 6
    assert page.get_by_role("heading", name="What decided").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["passing", "regressed", "judge_down", "undecided", "broken_slice"])
def test_texts_stand_out_from_their_background(open_page: OpenPage, name: str, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for every text, folded ones included."""
    opened = open_page(name, DESK, scheme)
    weak = opened.page.evaluate(_CONTRAST)
    assert weak == []


def test_dark_and_light_are_different_pages_to_the_eye(open_page: OpenPage) -> None:
    colours = [open_page("passing", DESK, scheme).page.evaluate("getComputedStyle(document.body).backgroundColor")
               for scheme in ("light", "dark")]  # fmt: skip
    assert colours[0] != colours[1]


def test_the_tree_for_screen_readers_has_headings_tables_and_named_plots(open_page: OpenPage) -> None:
    page = open_page("regressed").page
    assert page.get_by_role("heading", level=1).inner_text() == "FAIL"
    assert page.get_by_role("heading", level=2).count() >= 5
    assert page.get_by_role("img", name="Mean correctness per slice").count() == 1
    assert page.get_by_role("img", name="Distribution of the agent's own duration").count() == 1
    assert page.get_by_role("columnheader", name="Required").count() == 1


# What lies to the right of the screen, drawings apart.
_BEYOND = """[...document.querySelectorAll('main *')]
  .filter(e => !e.closest('svg') && !e.closest('.sr') && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 120))"""

# Texts of a drawing that reach beyond the card it stands on.
_OFF_CARD = """[...document.querySelectorAll('figure.card svg text')].filter(t => {
    const box = t.getBoundingClientRect(), card = t.closest('.card').getBoundingClientRect();
    return box.left < card.left || box.right > card.right || box.bottom > card.bottom;
  }).map(t => t.textContent)"""

# Texts of the same plot of the decision that lie on each other.
_COLLIDING = """[...document.querySelectorAll('section[aria-labelledby=decided] svg')].flatMap(svg => {
    const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent.trim(), t.getBoundingClientRect()]);
    return texts.flatMap(([a, p], n) => texts.slice(n + 1)
      .filter(([, q]) => Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1
        && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 4)
      .map(([b]) => `${a} | ${b}`));
  })"""

# Sentences that were given no room, so that they run down the page letter by letter.
_SQUEEZED = """[...document.querySelectorAll('main *')]
  .filter(e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim().length > 25))
  .filter(e => !e.closest('thead') || getComputedStyle(e.closest('thead')).clipPath === 'none')
  .filter(e => e.getClientRects().length && e.getBoundingClientRect().width < 60
    && e.getBoundingClientRect().height > 150)
  .map(e => e.outerHTML.slice(0, 120))"""

# Colours are resolved by painting them on a canvas, so that any notation is understood.
_CONTRAST = """() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const ctx = canvas.getContext('2d', {willReadFrequently: true});
  const over = (colour, [r, g, b]) => {
    ctx.fillStyle = `rgb(${r} ${g} ${b})`; ctx.fillRect(0, 0, 1, 1);
    ctx.fillStyle = colour; ctx.fillRect(0, 0, 1, 1);
    return [...ctx.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const behind = e => {
    const chain = []; for (let n = e; n; n = n.parentElement) chain.unshift(getComputedStyle(n).backgroundColor);
    return chain.reduce((base, colour) => over(colour, base), [255, 255, 255]);
  };
  const light = c => c.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  document.querySelectorAll('details').forEach(d => d.open = true);
  const weak = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    if (['STYLE', 'TITLE', 'title', 'desc'].includes(e.tagName)) continue;
    const style = getComputedStyle(e), back = behind(e);
    const ink = over(e.closest('svg') ? style.fill : style.color, back);
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 90)}`);
  }
  return weak;
}"""

"""The report says how many answers wait for people, and where."""

import json
from dataclasses import replace

import pytest

from flywheel.domain.annotation import Annotation
from flywheel.domain.review_choice import ReviewTask
from flywheel.report import render_html, report_to_json
from flywheel.report.reviews import ReviewsAsked, read_annotation
from tests import report_samples

URL = "https://langfuse.test/project/p/annotation-queues/q"
TASKS = tuple(ReviewTask(f"i{n}", 1, "candidate", f"t{n}", "decided" if n < 3 else "random") for n in range(5))
QUEUED = Annotation("queued", "5 answers wait", "q", "gate <reviews>", URL, TASKS)


def test_answers_are_counted_by_why_they_were_chosen() -> None:
    asked = read_annotation(QUEUED)

    assert asked == ReviewsAsked("gate <reviews>", URL, decided=3, random=2)
    assert asked.answers == 5


@pytest.mark.parametrize("annotation", [None, Annotation("nothing", "m"), Annotation("failed", "m")])
def test_where_nobody_was_asked_nothing_is_said(annotation: Annotation | None) -> None:
    assert read_annotation(annotation) is None
    assert "People are asked" not in render_html(report_samples.passing())


def test_the_page_links_the_queue_and_says_how_the_answers_come_back() -> None:
    report = replace(report_samples.passing(), reviews=read_annotation(QUEUED))
    page = render_html(report)

    assert f'<a href="{URL}"' in page
    assert "gate &lt;reviews&gt;" in page
    assert "<strong>5 answers</strong> waited" in page
    assert "3 of items that decided, 2 drawn at random" in page
    assert f"flywheel gate reviews {report.gate_id}" in page
    assert json.loads(report_to_json(report))["reviews"]["queue_url"] == URL


def test_a_queue_whose_address_is_no_web_address_is_named_without_a_link() -> None:
    asked = read_annotation(replace(QUEUED, queue_url="javascript:alert(1)"))
    assert asked is not None
    assert asked.queue_url is None
    assert "javascript:" not in render_html(replace(report_samples.passing(), reviews=asked))

"""The stand-in's pages: what a person sees of a trace, a dataset and an experiment, hostile content included."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.langfuse.testing import RunningStandIn, running_stand_in

EVIL = "<script>alert('x')</script>\"'&"
ESCAPED = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34;&#39;&amp;"
TRACE = "ab" * 16


def attributes(**values: str) -> list[dict[str, Any]]:
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in values.items()]


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in() as running:
        with httpx.Client(base_url=f"{running.url}/api/public", auth=running.auth) as client:
            dataset = client.post("/v2/datasets", json={"name": f"set {EVIL}", "description": EVIL}).json()
            experiment = {
                "langfuse__experiment__id": "exp-1",
                "langfuse__experiment__name": EVIL,
                "langfuse__experiment__dataset__id": dataset["id"],
                "langfuse__experiment__item__id": EVIL,
                "langfuse__experiment__item__root_observation_id": "1" * 16,
            }
            spans = [
                ("1" * 16, None, EVIL, {"langfuse__observation__input": EVIL, "user__id": EVIL} | experiment),
                ("2" * 16, "1" * 16, "child", {"langfuse__observation__output": '{"a": 1}'}),
                ("3" * 16, "2" * 16, "grandchild", {}),
                ("4" * 16, "5" * 16, "ring one", {}),
                ("5" * 16, "4" * 16, "ring two", {}),
            ]
            sent = [
                {"traceId": TRACE, "spanId": span_id, "parentSpanId": parent, "name": name, "startTimeUnixNano": "1000",
                 "endTimeUnixNano": "5000000", "attributes": attributes(**values)}
                for span_id, parent, name, values in spans
            ]  # fmt: skip
            export = {"resourceSpans": [{"scopeSpans": [{"spans": sent}]}]}
            client.post("/otel/v1/traces", json=export).raise_for_status()
            for target in ({"traceId": TRACE}, {"datasetRunId": "exp-1"}):
                score = {"name": EVIL, "value": EVIL, "comment": EVIL} | target
                client.post("/scores", json=score).raise_for_status()
        yield running


def page(running: RunningStandIn, path: str) -> str:
    response = httpx.get(f"{running.url}/project/{running.project_id}{path}")
    assert response.status_code == 200, path
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    return response.text


def dataset_id(running: RunningStandIn) -> str:
    listed = httpx.get(f"{running.url}/api/public/v2/datasets", auth=running.auth).json()
    return str(listed["data"][0]["id"])


def test_a_trace_is_shown_as_a_tree_with_input_output_and_scores(stand_in: RunningStandIn) -> None:
    html = page(stand_in, f"/traces/{TRACE}")
    names = [f"<b>{name}</b>" for name in ("child", "grandchild", "ring one", "ring two")]
    assert sorted(names, key=html.index) == names
    for depth in ("0.0", "1.4", "2.8"):
        assert f"margin-left: {depth}rem" in html
    assert "&#34;a&#34;: 1" in html
    assert html.count(ESCAPED) >= 4


@pytest.mark.parametrize("path", ["", "/traces", "/datasets", f"/traces/{TRACE}", "/experiments/exp-1"])
def test_no_page_lets_hostile_content_through(stand_in: RunningStandIn, path: str) -> None:
    html = page(stand_in, path)
    assert "<script" not in html
    assert ESCAPED in html


def test_a_dataset_lists_its_experiments_and_they_list_their_items(stand_in: RunningStandIn) -> None:
    html = page(stand_in, f"/datasets/{dataset_id(stand_in)}")
    assert f"/project/{stand_in.project_id}/experiments/exp-1" in html
    assert ESCAPED in html
    for path in ("/experiments/exp-1", "/experiments/results?baseline=exp-1"):
        assert f"/project/{stand_in.project_id}/traces/{TRACE}" in page(stand_in, path)


@pytest.mark.parametrize(
    "path", ["/project/rec-project/traces/nosuch", "/project/other", "/project/rec-project/datasets/nosuch", "/nosuch"]
)
def test_what_is_not_there_is_a_page_that_says_so(stand_in: RunningStandIn, path: str) -> None:
    response = httpx.get(stand_in.url + path)
    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_the_first_page_says_that_this_is_not_langfuse(stand_in: RunningStandIn) -> None:
    assert "This is not Langfuse" in httpx.get(stand_in.url).text


def test_the_short_link_of_a_trace_leads_to_its_page(stand_in: RunningStandIn) -> None:
    """Reports know a trace's id, not its project."""
    page = httpx.get(f"{stand_in.url}/trace/{TRACE}", follow_redirects=True)

    assert page.status_code == 200
    assert page.url.path == f"/project/{stand_in.project_id}/traces/{TRACE}"


def test_a_queue_shows_what_waits_and_what_people_say(stand_in: RunningStandIn) -> None:
    with httpx.Client(base_url=f"{stand_in.url}/api/public", auth=stand_in.auth) as client:
        config = client.post("/score-configs", json={"name": "correct", "dataType": "BOOLEAN"}).json()["id"]
        body = {"name": f"queue {EVIL}", "description": EVIL, "scoreConfigIds": [config]}
        queue = client.post("/annotation-queues", json=body).json()["id"]
        for trace in (TRACE, f"other {EVIL}"):
            item = {"objectId": trace, "objectType": "TRACE"}
            client.post(f"/annotation-queues/{queue}/items", json=item).raise_for_status()
        said = {"name": "correct", "value": 1, "dataType": "BOOLEAN", "traceId": TRACE, "comment": EVIL}
        client.post("/scores", json=said | {"source": "ANNOTATION", "configId": config}).raise_for_status()
    html = page(stand_in, f"/annotation-queues/{queue}")

    assert EVIL not in html
    assert f"queue {ESCAPED}" in html
    assert f"/traces/{TRACE}" in html
    assert html.count("PENDING") == 2
    assert "<b>correct</b> True" in html
    assert html.count("no scores") == 1


def test_a_queue_that_is_not_there_is_a_404(stand_in: RunningStandIn) -> None:
    path = f"{stand_in.url}/project/{stand_in.project_id}/annotation-queues/nowhere"
    assert httpx.get(path).status_code == 404

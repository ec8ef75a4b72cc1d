"""The real Langfuse SDK 5 against the stand-in: datasets and versions, an experiment, prompts, scores by version."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from langfuse import Evaluation, Langfuse
from opentelemetry.sdk.trace import TracerProvider

from local.langfuse.testing import RunningStandIn, running_stand_in

WINDOW = {"fromStartTime": "2020-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in(server_version="4.59.0", public_key=f"pk-lf-{uuid.uuid4().hex}") as running:
        yield running


@pytest.fixture(scope="module")
def sdk(stand_in: RunningStandIn) -> Iterator[Langfuse]:
    # A provider of its own: spans of other tests in this process stay out, ours stay here.
    client = Langfuse(
        base_url=stand_in.url,
        public_key=stand_in.public_key,
        secret_key=stand_in.secret_key,
        tracer_provider=TracerProvider(),
        environment="test",
    )
    yield client
    client.shutdown()


def get(running: RunningStandIn, path: str, **query: str) -> list[dict[str, Any]]:
    response = httpx.get(f"{running.url}/api/public{path}", params=query, auth=running.auth)
    assert response.status_code == 200, response.text
    data: list[dict[str, Any]] = response.json()["data"]
    return data


def test_the_sdk_finds_its_keys_valid(sdk: Langfuse) -> None:
    assert sdk.auth_check() is True


def test_a_dataset_comes_back_at_an_earlier_version(sdk: Langfuse) -> None:
    name = f"sdk-{uuid.uuid4().hex}"
    sdk.create_dataset(name=name, description="d", metadata={"k": 1})
    first = sdk.create_dataset_item(dataset_name=name, id=f"{name}-1", input={"q": 1}, expected_output={"a": 1})
    assert first.created_at.tzinfo is not None
    at_first = datetime.now(UTC)
    time.sleep(0.005)  # versions are told apart by the millisecond
    sdk.create_dataset_item(dataset_name=name, id=f"{name}-2", input={"q": 2})
    assert [item.id for item in sdk.get_dataset(name).items] == [f"{name}-2", f"{name}-1"]
    earlier = sdk.get_dataset(name, version=at_first)
    assert [(item.id, item.input, item.expected_output) for item in earlier.items] == [
        (f"{name}-1", {"q": 1}, {"a": 1})
    ]


def test_an_experiment_of_the_sdk_is_readable_with_its_items_and_scores(
    sdk: Langfuse, stand_in: RunningStandIn
) -> None:
    name = f"sdk-{uuid.uuid4().hex}"
    sdk.create_dataset(name=name)
    for number in range(3):
        sdk.create_dataset_item(dataset_name=name, id=f"{name}-{number}", input={"q": number}, expected_output=number)
    dataset = sdk.get_dataset(name)

    def task(*, item: Any, **_: Any) -> int:
        with sdk.start_as_current_observation(name="inner", as_type="tool"):
            return int(item.input["q"])

    def exact(*, output: Any, expected_output: Any, **_: Any) -> Evaluation:
        return Evaluation(name="exact", value=float(output == expected_output), data_type="BOOLEAN")

    def mean(*, item_results: Any, **_: Any) -> Evaluation:
        return Evaluation(name="mean", value=len(item_results) / 3)

    result = dataset.run_experiment(
        name="trial", run_name=f"run {name}", task=task, evaluators=[exact], run_evaluators=[mean],
        metadata={"model": "m"},
    )  # fmt: skip
    sdk.flush()

    assert result.experiment_id is not None
    (experiment,) = get(stand_in, "/experiments", id=result.experiment_id, fields="core,metadata,scores", **WINDOW)
    assert (experiment["name"], experiment["itemCount"]) == (f"run {name}", 3)
    assert (experiment["datasetId"], experiment["metadata"]) == (dataset.id, {"model": "m"})
    assert [(score["name"], score["value"]) for score in experiment["scores"]] == [("mean", 1)]

    items = get(stand_in, "/experiment-items", experimentId=result.experiment_id, fields="core,io,scores", **WINDOW)
    assert sorted(item["experimentItemId"] for item in items) == [f"{name}-{number}" for number in range(3)]
    assert [[(score["name"], score["value"]) for score in item["scores"]] for item in items] == [[("exact", True)]] * 3
    assert all(item["output"] == item["expectedOutput"] for item in items)

    scores = get(stand_in, "/v3/scores", traceId=items[0]["traceId"], fields="subject")
    assert scores[0]["subject"] == {"kind": "observation", "id": items[0]["id"], "traceId": items[0]["traceId"]}
    spans = get(stand_in, "/v2/observations", traceId=items[0]["traceId"])
    assert {"experiment-item-run", "experiment-item-task", "inner"} <= {span["name"] for span in spans}
    assert [span["name"] for span in spans if span["isRootObservation"]] == ["experiment-item-run"]


def test_the_links_that_the_sdk_gives_open_pages(sdk: Langfuse, stand_in: RunningStandIn) -> None:
    with sdk.start_as_current_observation(name="viewed") as span:
        span.update(input="question <b>", output="answer")
        url = sdk.get_trace_url()
    sdk.flush()
    assert url is not None
    page = httpx.get(url)
    assert page.status_code == 200
    assert "question &lt;b&gt;" in page.text
    assert url.startswith(stand_in.url)


def test_a_prompt_comes_back_by_label_and_by_version(sdk: Langfuse) -> None:
    name = f"prompt/{uuid.uuid4().hex}"
    sdk.create_prompt(name=name, prompt="Hello {{name}}", labels=["production"])
    sdk.create_prompt(name=name, prompt="Hi {{name}}", config={"temperature": 0.5})
    assert sdk.get_prompt(name, cache_ttl_seconds=0).compile(name="Ada") == "Hello Ada"
    newest = sdk.get_prompt(name, version=2, cache_ttl_seconds=0)
    assert (newest.compile(name="Ada"), newest.config) == ("Hi Ada", {"temperature": 0.5})


def test_before_4_59_the_scores_of_sdk_5_are_lost_and_its_spans_are_not() -> None:
    with running_stand_in(public_key=f"pk-lf-{uuid.uuid4().hex}") as older:
        client = Langfuse(
            base_url=older.url,
            public_key=older.public_key,
            secret_key=older.secret_key,
            tracer_provider=TracerProvider(),
        )
        with client.start_as_current_observation(name="kept") as span:
            span.score(name="lost", value=1.0)
        client.flush()
        client.shutdown()
        assert [row["name"] for row in get(older, "/v2/observations")] == ["kept"]
        assert get(older, "/v3/scores") == []

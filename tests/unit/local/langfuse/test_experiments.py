"""Experiments of the stand-in: description and metadata are those of any span that carries the experiment's id."""

from typing import Any

import pytest

from tests.fakes.langfuse_client import LangfuseClient, export, otlp_span

type Json = dict[str, Any]

ROOT, ITEM, AGENT = "11" * 8, "22" * 8, "33" * 8
CARRIED = {"langfuse.experiment.id": "e1", "langfuse.experiment.name": "n"}
CARRIED |= {"langfuse.experiment.item.id": "i", "langfuse.experiment.item.root_observation_id": ITEM}
SAID = {"langfuse.experiment.description": "desc", "langfuse.experiment.metadata": '{"model":"m1"}'}


def listed(*spans: Json) -> tuple[Any, Any]:
    client = LangfuseClient()
    client.made("POST", "otel/v1/traces", export(*spans))
    query = "fromStartTime=2020-01-01T00:00:00Z&fields=core,metadata"
    (experiment,) = client.made("GET", f"experiments?{query}")["data"]
    return experiment["description"], experiment["metadata"]


def run() -> Json:
    return otlp_span(CARRIED | SAID, spanId=ROOT)


def work(**more: str) -> Json:
    return otlp_span(CARRIED | SAID | more, spanId=ITEM, parentSpanId=ROOT)


def test_an_experiment_is_described_when_every_span_of_the_work_says_the_same() -> None:
    agent = otlp_span(CARRIED | SAID, spanId=AGENT, parentSpanId=ITEM)
    assert listed(run(), work(), agent) == ("desc", {"model": "m1"})


def test_spans_without_the_experiment_s_id_do_not_matter() -> None:
    assert listed(run(), work(), otlp_span({}, spanId=AGENT, parentSpanId=ITEM)) == ("desc", {"model": "m1"})


@pytest.mark.parametrize("parent", [ITEM, "99" * 8])
def test_one_span_of_the_work_that_carries_the_id_alone_leaves_it_without(parent: str) -> None:
    agent = otlp_span(CARRIED, spanId=AGENT, parentSpanId=parent)
    assert listed(run(), work(), agent) == (None, {})


def test_evaluators_of_the_sdk_beside_the_work_do_not_matter() -> None:
    """As recorded: they carry the id and the metadata, and no description."""
    beside = otlp_span(CARRIED | SAID | {"langfuse.experiment.description": ""}, spanId=AGENT, parentSpanId=ROOT)
    assert listed(run(), work(), beside) == ("desc", {"model": "m1"})


def test_a_datasets_page_counts_spans_that_failed_not_items() -> None:
    client = LangfuseClient()
    dataset = client.made("POST", "v2/datasets", {"name": "set"})["id"]
    about = {
        "langfuse.experiment.id": "e",
        "langfuse.experiment.dataset.id": dataset,
        "langfuse.experiment.item.root_observation_id": "b2" * 8,
    }
    failed = {"status": {"code": 2}}
    root, child = otlp_span(about, **failed), otlp_span(about, spanId="c3" * 8, parentSpanId="b2" * 8, **failed)
    other = otlp_span({}, spanId="d4" * 8, parentSpanId="b2" * 8, **failed)
    client.made("POST", "otel/v1/traces", export(root, child, other))
    shown = client.server("GET", f"http://langfuse.test/project/rec-project/datasets/{dataset}", {}, None, 1.0)
    assert b"<td>1</td><td>2</td>" in shown.body

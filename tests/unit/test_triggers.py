"""What starts a gate without a push: a button in Langfuse, a golden dataset that grew."""

from typing import Any

import pytest

from flywheel.errors import InvalidRequestError
from flywheel.triggers import GateTrigger, parse_trigger
from tests.fakes.world import REPOSITORY, URI


def event(kind: str, **detail: Any) -> dict[str, Any]:
    return {"id": "e-1", "time": "2026-11-25T10:00:00Z", "detail-type": kind, "detail": {"version": 1, **detail}}


def pressed(payload: Any = None, **more: Any) -> dict[str, Any]:
    detail = {"delivery_id": "d-1", "project_id": "p", "dataset_id": "ds-1", "dataset": "golden/small"}
    return event("ExperimentTriggered", **detail, payload=payload or {}, **more)


def parsed(sent: dict[str, Any]) -> GateTrigger:
    trigger = parse_trigger(sent, REPOSITORY)
    assert isinstance(trigger, GateTrigger)
    return trigger


def test_the_button_beside_a_dataset_asks_for_an_evaluation_of_production_on_it() -> None:
    trigger = parsed(pressed())

    assert (trigger.source, trigger.reference, trigger.dataset) == ("remote-experiment", "production", "golden/small")
    assert trigger.promote is False


def test_its_payload_may_name_image_prompt_and_items_and_still_promotes_nothing() -> None:
    payload = {"image": f"{URI}:v7", "prompt": {"name": "docs", "version": 3}, "item_ids": ["a"]}
    trigger = parsed(pressed(payload))

    assert (trigger.reference, trigger.tag, trigger.item_ids, trigger.promote) == ("v7", "v7", ("a",), False)
    assert trigger.prompt is not None
    assert trigger.prompt.version == 3


@pytest.mark.parametrize(
    ("payload", "more", "why"),
    [
        ({"imagee": "v1"}, {}, "imagee"),
        ({"prompt": {"name": "docs", "version": 0}}, {}, "prompt.version"),
        ({"image": "other/repository:v1"}, {}, "names the repository"),
        ({"item_ids": []}, {}, "item_ids"),
        ({}, {"payload_text": "run it please"}, "no JSON object"),
    ],
)
def test_a_payload_that_cannot_be_meant_is_refused_by_name(
    payload: dict[str, Any], more: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidRequestError, match=why):
        parse_trigger(pressed(payload, **more), REPOSITORY)


def test_a_grown_dataset_asks_the_incumbent_about_the_new_items_only() -> None:
    sent = event("GoldenDatasetGrown", request_id="r-1", dataset="golden", item_ids=["p-1", "p-2"], items=9, slices={})
    trigger = parsed(sent)

    assert (trigger.source, trigger.reference, trigger.item_ids) == ("dataset-grown", "production", ("p-1", "p-2"))
    assert trigger.promote is False
    assert parsed({**sent, "id": "another delivery"}).gate_id == trigger.gate_id


@pytest.mark.parametrize("item_ids", [[], "p-1", [1], ["p"] * 10_001])
def test_a_growth_without_items_is_refused(item_ids: Any) -> None:
    with pytest.raises(InvalidRequestError, match="item_ids"):
        parse_trigger(event("GoldenDatasetGrown", request_id="r", dataset="g", item_ids=item_ids), REPOSITORY)


def test_a_gate_on_another_dataset_never_promotes() -> None:
    sent = event("GateRequested", request_id="r-1", image=f"{URI}:v1", dataset="another")
    assert parsed(sent).promote is False

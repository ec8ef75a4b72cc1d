"""What starts a gate without a push: a button in Langfuse, a golden dataset that grew."""

from typing import Any

import pytest

from flywheel.errors import InvalidRequestError
from flywheel.triggers import GateTrigger, parse_trigger
from tests.fakes.world import DIGEST, REPOSITORY, URI


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


def chosen(experiment: Any = None, **detail: Any) -> dict[str, Any]:
    named = {"id": "x-20261125t090000-0123abcd", "configuration": "c05"} if experiment is None else experiment
    return event("GateRequested", **{"request_id": "r-1", "experiment": named, **detail})


def test_what_an_experiment_chose_is_a_change_like_a_push_and_needs_no_image() -> None:
    trigger = parsed(chosen())

    assert (trigger.source, trigger.reference, trigger.tag, trigger.promote) == ("experiment", "", None, True)
    assert trigger.experiment is not None
    assert (trigger.experiment.id, trigger.experiment.configuration) == ("x-20261125t090000-0123abcd", "c05")
    assert parsed(chosen(image=DIGEST)).reference == DIGEST
    assert parsed(chosen(promote=False)).promote is False
    assert parsed(chosen(dataset="another")).promote is False


@pytest.mark.parametrize(
    ("experiment", "detail", "why"),
    [
        ({"id": "x-1", "configuration": "c05"}, {}, "experiment.id"),
        ({"id": "x-20261125t090000-0123abcd/../..", "configuration": "c05"}, {}, "experiment.id"),
        ({"id": "x-20261125t090000-0123abcd\n", "configuration": "c05"}, {}, "experiment.id"),
        ({"id": "x-20261125t090000-0123abcd", "configuration": "../c05"}, {}, "experiment.configuration"),
        ({"id": "x-20261125t090000-0123abcd", "configuration": "c" + "1" * 100_000}, {}, "experiment.configuration"),
        ({"id": "x-20261125t090000-0123abcd", "configuration": 5}, {}, "experiment.configuration"),
        ({"id": "x-20261125t090000-0123abcd"}, {}, "experiment.configuration"),
        ("x-20261125t090000-0123abcd", {}, "experiment"),
        (None, {"image": f"{URI}:v1"}, "no image but a digest"),
        (None, {"image": "production"}, "no image but a digest"),
        (None, {"prompt": {"name": "docs", "version": 3}}, "no prompt"),
    ],
)
def test_a_choice_that_cannot_be_meant_is_refused_by_name(experiment: Any, detail: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why) as caught:
        parse_trigger(chosen(experiment, **detail), REPOSITORY)

    assert len(str(caught.value)) < 1000


def test_a_request_for_neither_image_nor_experiment_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="neither is there"):
        parse_trigger(event("GateRequested", request_id="r-1"), REPOSITORY)

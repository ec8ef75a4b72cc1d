"""What starts an experiment: a request with the name of a file, the schedule, the button in Langfuse with a payload."""

import json
from typing import Any

import pytest

from flywheel.domain.experiment import EXPERIMENT_ID
from flywheel.errors import InvalidRequestError
from flywheel.experiment_triggers import parse_experiment_trigger
from flywheel.triggers import parse_trigger
from tests.fakes.world import REPOSITORY

RESUMED = "x-20261125t100000-0123abcd"


def event(kind: str, **detail: Any) -> dict[str, Any]:
    return {"id": "e-1", "time": "2026-11-25T12:00:00+02:00", "detail-type": kind, "detail": {"version": 1, **detail}}


def requested(**detail: Any) -> dict[str, Any]:
    return event("ExperimentRequested", **{"request_id": "r-1", "file": "models", **detail})


def pressed(payload: Any, **more: Any) -> dict[str, Any]:
    detail = {"delivery_id": "d-1", "project_id": "p", "dataset_id": "ds-1", "dataset": "golden/small"}
    return event("ExperimentTriggered", **detail, payload=payload, **more)


@pytest.mark.parametrize("reason", ["cli", "nightly"])
def test_a_request_names_the_file_and_who_asked(reason: str) -> None:
    trigger = parse_experiment_trigger(requested(reason=reason))

    assert (trigger.file, trigger.source, trigger.event_id) == ("models", reason, "r-1")
    assert (trigger.resume, trigger.dataset) == (None, None)
    assert trigger.requested_at.isoformat() == "2026-11-25T10:00:00+00:00"
    assert EXPERIMENT_ID.fullmatch(trigger.experiment_id)
    assert trigger.experiment_id.startswith("x-20261125t100000-")


def test_a_file_may_be_named_by_the_hash_of_its_content() -> None:
    assert parse_experiment_trigger(requested(file="a1" * 32)).file == "a1" * 32


def test_every_delivery_of_one_request_is_the_same_experiment() -> None:
    once, again = requested(), {**requested(), "id": "another delivery", "time": "2026-11-25T10:00:00Z"}

    assert parse_experiment_trigger(once).experiment_id == parse_experiment_trigger(again).experiment_id
    assert parse_experiment_trigger(pressed({"experiment": "models"})) == parse_experiment_trigger(
        {**pressed({"experiment": "models"}), "id": "another delivery"}
    )


def test_other_requests_are_other_experiments() -> None:
    assert (
        parse_experiment_trigger(requested()).experiment_id
        != parse_experiment_trigger(requested(request_id="r-2")).experiment_id
    )


def test_a_request_to_go_on_is_that_experiment_whenever_it_comes() -> None:
    trigger = parse_experiment_trigger(requested(resume=RESUMED))

    assert (trigger.experiment_id, trigger.resume) == (RESUMED, RESUMED)


def test_the_button_in_langfuse_starts_the_named_file_on_the_dataset_beside_it() -> None:
    trigger = parse_experiment_trigger(pressed({"experiment": "models"}))

    assert (trigger.file, trigger.source, trigger.dataset) == ("models", "remote-experiment", "golden/small")
    assert trigger.event_id == "d-1"


@pytest.mark.parametrize(
    ("payload", "more", "why"),
    [
        ({}, {}, "experiment: Field required"),
        ({"experiment": None}, {}, "experiment"),
        ({"experiment": ""}, {}, "experiment"),
        ({"experiment": "../plan"}, {}, "experiment"),
        ({"experiment": "Models"}, {}, "experiment"),
        ({"experiment": "models\n"}, {}, "experiment"),
        ({"experiment": "m" * 100_000}, {}, "experiment"),
        ({"experiment": ["models"]}, {}, "experiment"),
        ({"experiment": {"name": "models"}}, {}, "experiment"),
        ({"experiment": "models", "image": "v7"}, {}, "image: Extra"),
        ({}, {"payload_text": "models"}, "names no experiment"),
        ({}, {"payload_cut": True}, "names no experiment"),
        ("models", {}, "payload"),
    ],
)
def test_a_payload_that_cannot_be_meant_is_refused_by_name(payload: Any, more: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why) as caught:
        parse_experiment_trigger(pressed(payload, **more))

    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "detail",
    [
        {"file": None},
        {"file": ""},
        {"file": "a/b"},
        {"file": "a" * 65},
        {"file": "models\n"},
        {"request_id": ""},
        {"request_id": "r" * 201},
        {"request_id": 7},
        {"version": 2},
        {"reason": "remote-experiment"},
        {"resume": "x-1"},
        {"resume": f"{RESUMED}/../gates"},
    ],
    ids=lambda detail: str(detail)[:40],
)
def test_a_request_that_does_not_fit_names_the_field(detail: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=next(iter(detail))) as caught:
        parse_experiment_trigger(requested(**detail))

    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "hostile",
    [
        None,
        [],
        "ExperimentRequested",
        {},
        {"detail-type": "ExperimentRequested"},
        {"detail-type": ["ExperimentRequested"]},
        {"detail-type": "x" * 100_000},
        {**requested(), "detail": None},
        {**requested(), "detail": []},
        {**requested(), "time": "yesterday"},
        {**requested(), "time": "2026-11-25T10:00:00"},
        {**requested(), "time": "0001-01-01T00:00:00+14:00"},
        {**requested(), "id": ""},
        {**pressed({"experiment": "models"}), "detail": {"payload": {"experiment": "models"}}},
    ],
    ids=lambda hostile: json.dumps(hostile)[:60],
)
def test_a_malformed_event_is_refused_in_few_words(hostile: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_experiment_trigger(hostile)

    assert len(str(caught.value)) < 1000


def test_what_starts_a_gate_starts_no_experiment_and_the_other_way_round() -> None:
    with pytest.raises(InvalidRequestError, match="starts no experiment"):
        parse_experiment_trigger(event("GateRequested", request_id="r-1", image="v1"))
    with pytest.raises(InvalidRequestError, match="starts no gate"):
        parse_trigger(requested(), REPOSITORY)
    with pytest.raises(InvalidRequestError, match="experiment: Extra"):
        parse_trigger(pressed({"experiment": "models"}), REPOSITORY)

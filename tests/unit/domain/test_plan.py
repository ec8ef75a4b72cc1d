import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.domain.candidate import Candidate
from flywheel.domain.outcome import TrialKey
from flywheel.domain.plan import (
    ArmPlan,
    GatePlan,
    JudgeSpec,
    MutedItem,
    Shard,
    Trigger,
    dump_plan,
    dump_shard,
    load_plan,
    load_shard,
)
from flywheel.domain.policy import GatePolicy
from flywheel.errors import InvalidRequestError
from tests.unit.domain.samples import golden

CANDIDATE = Candidate("111122223333.dkr.ecr.eu-west-1.amazonaws.com/agent", "sha256:" + "0" * 64, "acme.large-v1:0")
PLAN = GatePlan(
    gate_id="g-20260101t000000-01234567",
    environment="dev",
    trigger=Trigger("ecr", "event", "2026-01-01T00:00:00Z", "v1"),
    arms=(ArmPlan("candidate", CANDIDATE, "fw_dev_x_candidate"), ArmPlan("incumbent", CANDIDATE, "fw_dev_x_incumbent")),
    incumbent_release=None,
    policy=GatePolicy(),
    dataset_name="golden",
    dataset_version="2026-01-01T00:00:00Z",
    dataset_hash="f" * 64,
    items=(golden("a"), replace(golden("b"), metadata={"deep": {"list": [1, 2.5, None, True]}})),
    judge=JudgeSpec("judge", "v"),
    seed=1,
    muted=(MutedItem("a", "2026-12-31", "because"),),
)
words = st.text(max_size=20)
parameters = st.dictionaries(
    words, words | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)


@given(parameters, words, st.none() | st.integers(1, 10**6), st.integers(), st.floats(0, 1))
def test_a_plan_survives_its_file(
    values: dict[str, str | int | float | bool], environment: str, release: int | None, seed: int, margin: float
) -> None:
    candidate = replace(CANDIDATE, parameters=tuple(values.items()))
    plan = replace(
        PLAN,
        environment=environment,
        incumbent_release=release,
        seed=seed,
        promote=seed % 2 == 0,
        policy=GatePolicy(margin=margin),
        arms=(ArmPlan("candidate", candidate, "x"),),
    )
    read = load_plan(dump_plan(plan))
    assert read == plan
    assert read.arms[0].candidate.candidate_id == candidate.candidate_id


@given(st.lists(st.builds(TrialKey, words, st.integers(1, 9), st.sampled_from(["candidate", "incumbent"]))), words)
def test_a_shard_survives_its_file(lines: list[TrialKey], key: str) -> None:
    shard = Shard("g-1", key, tuple(lines))
    assert load_shard(dump_shard(shard).encode()) == shard


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("surprise",), 1, "surprise"),
        (("policy", "surprise"), 1, "policy.surprise"),
        (("policy", "margin"), "0.1", "policy.margin"),
        (("items", 0, "surprise"), 1, "items.0.surprise"),
        (("items", 0, "slice"), "sunny", "items.0.slice"),
        (("arms", 0, "candidate", "image_digest"), "latest", "not an image digest"),
        (("arms", 0, "arm"), "spare", "arms.0.arm"),
        (("seed",), None, "seed"),
    ],
)
def test_a_wrong_plan_is_refused_by_place(path: tuple[str | int, ...], value: object, message: str) -> None:
    data = json.loads(dump_plan(PLAN))
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InvalidRequestError, match="not a gate's plan") as caught:
        load_plan(json.dumps(data))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"gate_id": "g"}', '{"gate_id": "g", "key": "k", "lines": [1]}'])
def test_what_is_no_plan_and_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="not a gate's plan"):
        load_plan(text)
    with pytest.raises(InvalidRequestError, match="not a shard"):
        load_shard(text)


def test_a_plan_finds_its_arms_and_items() -> None:
    arm = PLAN.arm("incumbent")
    assert arm is not None
    assert arm.runtime_name == "fw_dev_x_incumbent"
    assert replace(PLAN, arms=PLAN.arms[:1]).arm("incumbent") is None
    assert PLAN.item("b").item_id == "b"

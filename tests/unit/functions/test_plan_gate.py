"""Trigger -> plan: what runs, what is refused and why, what a repeated or late delivery does."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flywheel.domain.golden import dataset_hash
from flywheel.domain.prices import load_prices
from flywheel.domain.releases import gate_id
from flywheel.domain.unreadable_items import UnreadableItem
from flywheel.errors import AccessDeniedError, InvalidRequestError, TransientError
from flywheel.evidence import plan_key
from flywheel.triggers import NotForUs, parse_trigger
from functions.plan_gate import app as plan_gate
from tests.fakes.world import (
    DIGEST,
    OTHER_DIGEST,
    POLICY,
    REPOSITORY,
    URI,
    World,
    ecr_event,
    golden_items,
    requested_event,
)

EXPENSIVE = {
    "policy": json.dumps(POLICY | {"usd_per_gate": 0.0}),
    "agent": json.dumps({"model_id": next(iter(load_prices().models))}),
}
SECRET = {"agent": json.dumps({"model_id": "m", "parameters": {"LANGFUSE_SECRET_KEY": "x"}})}
EVENTS = Path(__file__).parents[3] / "events"


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def verdict_of(world: World, gate: str) -> tuple[str | None, str]:
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    return verdict.kind, verdict.reasons[0].code


def test_a_push_becomes_a_plan_with_everything_fixed() -> None:
    world = World()
    reply, _ = world.planner.plan(sample("ecr_image_pushed"), "arn:execution:1")
    expected_id = gate_id("2026-11-23T11:59:00Z", "13cde686-328b-6117-af20-0e5566167482")
    assert (reply.action, reply.gate_id) == ("run", expected_id)
    plan = world.evidence.plan(expected_id)
    assert plan.arms[0].candidate.image_uri == f"{URI}@{DIGEST}"
    assert plan.arms[0].candidate.model_id == "test.model-1"
    assert [arm.arm for arm in plan.arms] == ["candidate"]
    assert plan.incumbent_release is None
    assert plan.items == golden_items()
    assert plan.dataset_hash == dataset_hash(golden_items())
    assert plan.policy.minimum_items == 4
    assert plan.revision == "abc123"
    assert plan.trigger.tag == "v1"


def test_the_row_of_the_gate_names_digest_and_runtimes() -> None:
    world = World()
    gate = world.plan()
    row = world.gates.rows[gate]
    assert (row.digest, row.tag, row.status) == (DIGEST, "v1", "running")
    assert row.arms["candidate"].runtime_name == world.evidence.plan(gate).arms[0].runtime_name


def test_the_incumbent_gets_an_arm_of_its_own() -> None:
    world = World()
    world.in_production()
    plan = world.evidence.plan(world.plan())
    assert [arm.arm for arm in plan.arms] == ["candidate", "incumbent"]
    assert plan.arms[1].candidate.image_digest == OTHER_DIGEST
    assert plan.incumbent_release == 1
    assert len({arm.runtime_name for arm in plan.arms}) == 2


def test_what_is_in_production_already_is_not_compared_with_itself() -> None:
    world = World()
    world.in_production(DIGEST)
    assert [arm.arm for arm in world.evidence.plan(world.plan()).arms] == ["candidate"]


def test_a_tag_that_moves_after_planning_changes_nothing() -> None:
    world = World()
    event = requested_event(image=f"{URI}:v1")
    gate = world.plan(event)
    world.images.tags["v1"] = OTHER_DIGEST
    reply, _ = world.planner.plan(event, "arn:execution:1")
    assert reply.action == "run"
    assert world.evidence.plan(gate).arms[0].candidate.image_digest == DIGEST


def test_the_same_event_delivered_three_times_runs_one_gate() -> None:
    world = World()
    actions = [world.planner.plan(ecr_event(), f"arn:execution:{n}")[0].action for n in range(3)]
    assert actions == ["run", "skip", "skip"]
    assert len(world.gates.rows) == 1
    assert len(world.gates.counted) == 1


def test_a_retry_of_the_same_execution_goes_on_with_the_same_plan() -> None:
    world = World()
    gate = world.plan()
    before = world.objects.objects[plan_key(gate)]
    world.settings.texts["agent"] = json.dumps({"model_id": "another.model"})
    world.datasets.datasets["golden"] = golden_items(5)
    assert world.plan() == gate
    assert world.objects.objects[plan_key(gate)] == before


def test_a_retry_keeps_the_runtimes_that_are_on_record() -> None:
    world = World()
    gate = world.plan()
    world.deploy(gate)
    runtime_id = world.gates.rows[gate].arms["candidate"].runtime_id
    assert runtime_id is not None
    world.plan()
    assert world.gates.rows[gate].arms["candidate"].runtime_id == runtime_id


def test_an_older_request_that_comes_late_is_superseded_and_not_run() -> None:
    world = World()
    world.plan(ecr_event("newer", time="2026-11-23T11:59:10Z"), "arn:execution:1")
    reply, why = world.planner.plan(ecr_event("older", time="2026-11-23T11:59:00Z"), "arn:execution:2")
    assert reply.action == "refused"
    assert "asked for later" in why
    assert verdict_of(world, reply.gate_id) == ("INCONCLUSIVE", "superseded")
    assert len(world.gates.counted) == 1


def test_a_request_from_a_clock_that_is_ahead_does_not_supersede_what_is_pushed_later() -> None:
    world = World()
    ahead = world.plan(requested_event(time="2999-01-01T00:00:00Z"), "arn:execution:1")
    world.clock.advance(60)
    pushed = world.plan(ecr_event("later", time="2026-11-23T12:00:30Z"), "arn:execution:2")
    newest = world.releases.newest_request()
    assert newest is not None
    assert newest.gate_id == pushed
    assert world.evidence.plan(ahead).trigger.requested_at == "2026-11-23T12:00:00+00:00"


def test_a_gate_that_would_not_promote_supersedes_nothing() -> None:
    world = World()
    gate = world.plan(ecr_event())
    world.plan(requested_event(time="2026-11-23T12:00:00Z", promote=False), "arn:execution:2")
    newest = world.releases.newest_request()
    assert newest is not None
    assert newest.gate_id == gate


def test_the_nightly_gate_asks_for_what_is_in_production() -> None:
    world = World()
    release = world.in_production()
    plan = world.evidence.plan(world.plan(requested_event(image="production", reason="nightly")))
    assert plan.arms[0].candidate == release.candidate
    assert plan.promote is False
    assert len(plan.arms) == 1


def test_a_new_prompt_for_production_is_a_new_candidate() -> None:
    world = World()
    release = world.in_production()
    event = requested_event(image="production", reason="prompt-version", prompt={"name": "p", "version": 7})
    plan = world.evidence.plan(world.plan(event))
    assert plan.arms[0].candidate == replace(release.candidate, prompt_name="p", prompt_version=7)
    assert plan.promote is True
    assert [arm.arm for arm in plan.arms] == ["candidate", "incumbent"]


def test_a_gate_over_chosen_items_never_promotes() -> None:
    world = World()
    plan = world.evidence.plan(world.plan(requested_event(item_ids=["item-1"])))
    assert [item.item_id for item in plan.items] == ["item-1"]
    assert plan.promote is False
    assert plan.dataset_hash == dataset_hash(golden_items())


@pytest.mark.parametrize(
    ("change", "event", "code"),
    [
        ({"policy": json.dumps({"minimum_items": 7})}, ecr_event(), "too_few_items"),
        ({"policy": "{not json"}, ecr_event(), "invalid_policy"),
        ({"policy": json.dumps({"no_such_key": 1})}, ecr_event(), "invalid_policy"),
        (EXPENSIVE, ecr_event(), "cost_cap"),
        ({"mutes": '[{"item_id": 3}]'}, ecr_event(), "invalid_mutes"),
        ({"agent": "[]"}, ecr_event(), "invalid_agent_settings"),
        (SECRET, ecr_event(), "invalid_agent_settings"),
        ({}, requested_event(image="no-such-tag"), "image_not_found"),
        ({}, requested_event(image="production"), "no_production"),
        ({}, requested_event(item_ids=["item-1", "gone"]), "unknown_items"),
        ({}, requested_event(item_ids=[]), "unknown_items"),
    ],
)
def test_what_cannot_be_run_is_refused_with_its_reason(
    change: dict[str, str], event: dict[str, Any], code: str
) -> None:
    world = World()
    world.settings.texts |= change
    reply, _ = world.planner.plan(event, "arn:execution:1")
    assert reply.action == "refused"
    assert verdict_of(world, reply.gate_id) == ("INCONCLUSIVE", code)
    assert world.gates.rows[reply.gate_id].refused == (code,)
    assert world.gates.counted == {}
    # A retry of the refused plan is refused again, for the same reason.
    assert world.planner.plan(event, "arn:execution:1")[0].action == "refused"


def test_a_system_prompt_that_agentcore_cannot_hold_is_refused_with_the_way_out() -> None:
    world = World()
    world.settings.texts["agent"] = json.dumps({"model_id": "m", "parameters": {"system_prompt": "x" * 5001}})
    _, why = world.planner.plan(ecr_event(), "arn:execution:1")
    assert "5001 characters" in why
    assert "prompt in Langfuse" in why


def test_a_missing_and_an_empty_dataset_are_refused() -> None:
    world = World()
    world.datasets.datasets = {}
    assert verdict_of(world, world.planner.plan(ecr_event("1"), "arn:1")[0].gate_id)[1] == "dataset_missing"
    world.datasets.datasets = {"golden": ()}
    assert verdict_of(world, world.planner.plan(ecr_event("2"), "arn:2")[0].gate_id)[1] == "too_few_items"


def test_the_cap_on_gates_of_a_day_holds_and_the_next_day_is_free() -> None:
    world = World()
    world.settings.texts["policy"] = json.dumps(POLICY | {"gates_per_day": 2})
    replies = [world.planner.plan(ecr_event(f"e{n}", time=f"2026-11-23T11:59:0{n}Z"), f"arn:{n}")[0] for n in range(3)]
    assert [reply.action for reply in replies] == ["run", "run", "refused"]
    assert verdict_of(world, replies[2].gate_id)[1] == "gates_per_day"
    world.clock.advance(24 * 3600)
    assert world.planner.plan(ecr_event("e9", time="2026-11-24T11:59:00Z"), "arn:9")[0].action == "run"


def test_a_langfuse_that_is_down_is_tried_again_and_leaves_no_plan() -> None:
    world = World()
    world.datasets.down = True
    with pytest.raises(TransientError):
        world.planner.plan(ecr_event(), "arn:execution:1")
    world.datasets.down = False
    assert world.planner.plan(ecr_event(), "arn:execution:1")[0].action == "run"


def test_mutes_are_part_of_the_plan() -> None:
    world = World()
    world.settings.texts["mutes"] = '[{"item_id": "item-1", "until": "2026-12-01", "reason": "known"}]'
    assert world.evidence.plan(world.plan()).muted[0].item_id == "item-1"


def test_the_sample_request_is_understood() -> None:
    trigger = parse_trigger(sample("gate_requested"), REPOSITORY)
    assert not isinstance(trigger, NotForUs)
    assert (trigger.reference, trigger.tag, trigger.source) == ("v1", "v1", "cli")
    assert trigger.prompt is not None
    assert trigger.prompt.version == 3


@pytest.mark.parametrize(
    "detail",
    [
        {"action-type": "DELETE"},
        {"result": "FAILURE"},
        {"repository-name": "another"},
    ],
)
def test_an_image_action_that_is_not_ours_starts_nothing(detail: dict[str, str]) -> None:
    world = World()
    event = ecr_event()
    event["detail"] |= detail
    reply, why = world.planner.plan(event, "arn:execution:1")
    assert (reply.action, world.gates.rows) == ("skip", {})
    assert why


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("v1", "v1"),
        (DIGEST, DIGEST),
        (f"{REPOSITORY}:v1", "v1"),
        (f"{URI}:v1", "v1"),
        (f"{URI}@{DIGEST}", DIGEST),
        (f"{URI}:v1@{DIGEST}", DIGEST),
        (f"127.0.0.1:5000/{REPOSITORY}:v1", "v1"),
    ],
)
def test_an_image_may_be_named_in_every_usual_way(image: str, reference: str) -> None:
    trigger = parse_trigger(requested_event(image=image), REPOSITORY)
    assert not isinstance(trigger, NotForUs)
    assert trigger.reference == reference


def test_a_request_for_another_repository_starts_nothing() -> None:
    assert isinstance(parse_trigger(requested_event(image=f"{URI}-other:v1"), REPOSITORY), NotForUs)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"detail-type": "Scheduled Event"},
        {"detail-type": "x" * 100_000},
        ecr_event() | {"id": ""},
        ecr_event() | {"time": "yesterday"},
        ecr_event() | {"time": "2026-11-23T11:59:00"},
        ecr_event() | {"detail": None},
        ecr_event() | {"detail": ecr_event()["detail"] | {"image-digest": None}},
        ecr_event() | {"detail": ecr_event()["detail"] | {"image-digest": "sha256:short"}},
        ecr_event(tag="v1\x1b]0;title\x07"),
        ecr_event(tag="two words"),
        requested_event(version=2),
        requested_event(image=""),
        requested_event(image="a" * 10_000),
        requested_event(image="name@sha256:short"),
        requested_event(image="no tag with spaces"),
        requested_event(request_id=""),
        requested_event(reason="Not A Reason"),
        requested_event(prompt={"name": "p"}),
        requested_event(prompt={"name": "p", "version": 0}),
    ],
)
def test_a_malformed_event_says_what_is_wrong(event: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_trigger(event, REPOSITORY)
    assert 10 < len(str(caught.value)) < 3000


def test_a_refused_push_is_known_by_its_digest_all_the_same() -> None:
    world = World()
    world.settings.texts["policy"] = "{not json"
    reply, _ = world.planner.plan(ecr_event(), "arn:execution:1")
    assert world.gates.rows[reply.gate_id].digest == DIGEST


def test_a_push_that_the_days_cap_refuses_does_not_supersede_the_gate_that_runs() -> None:
    world = World()
    world.settings.texts["policy"] = json.dumps(POLICY | {"gates_per_day": 1})
    running = world.plan(ecr_event("first", time="2026-11-23T11:59:00Z"), "arn:1")
    refused, _ = world.planner.plan(ecr_event("second", time="2026-11-23T11:59:10Z"), "arn:2")
    assert verdict_of(world, refused.gate_id)[1] == "gates_per_day"
    newest = world.releases.newest_request()
    assert newest is not None
    assert newest.gate_id == running


def test_the_plan_states_the_concurrency_at_which_latency_is_measured() -> None:
    world = World()
    assert world.evidence.plan(world.plan()).concurrency == 8


@pytest.mark.parametrize(("lack", "code"), [("missing", "prompt_not_found"), ("chats", "prompt_invalid")])
@pytest.mark.parametrize("of", ["request", "settings"])
def test_a_prompt_that_cannot_be_used_is_refused_and_no_image_is_blamed(lack: str, code: str, of: str) -> None:
    world = World()
    getattr(world.prompts, lack).add(("docs", 4))
    prompt = {"name": "docs", "version": 4}
    if of == "settings":
        world.settings.texts["agent"] = json.dumps({"model_id": "m", "prompt": prompt})
    event = requested_event(prompt=prompt) if of == "request" else ecr_event()
    reply, why = world.planner.plan(event, "arn:execution:1")
    assert verdict_of(world, reply.gate_id) == ("INCONCLUSIVE", code)
    assert "docs:4" in why


def test_keys_that_langfuse_refuses_break_planning_and_blame_no_dataset() -> None:
    world = World()
    world.datasets.denied = True
    with pytest.raises(AccessDeniedError):
        world.planner.plan(ecr_event(), "arn:execution:1")
    assert world.objects.objects == {}


# A call that fails has nothing to count, which Powertools warns of.
@pytest.mark.filterwarnings("ignore:No application metrics:UserWarning")
def test_keys_that_were_corrected_are_read_by_the_next_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = [World(), World()]
    worlds[0].datasets.denied = True
    monkeypatch.setattr(plan_gate, "planner", cache(lambda: worlds.pop(0).planner))
    context: Any = Context()
    message = {"event": ecr_event(), "execution_arn": "arn:execution:1"}
    with pytest.raises(AccessDeniedError):
        plan_gate.lambda_handler(message, context)
    assert plan_gate.lambda_handler(message, context)["action"] == "run"


class Context:
    function_name = "f"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    aws_request_id = "r"


def test_items_that_people_made_by_hand_refuse_the_gate_and_are_all_named() -> None:
    world = World()
    world.datasets.unreadable = (UnreadableItem("ui-1", "no facts", "a"), UnreadableItem("ui-2", "no question", "b"))

    reply, why = world.planner.plan(ecr_event("x"), "arn:execution:1")

    assert verdict_of(world, reply.gate_id) == ("INCONCLUSIVE", "dataset_invalid")
    assert all(name in why for name in ("ui-1", "ui-2", "flywheel dataset remove ui-1 ui-2"))

"""A push is combined with whatever was decided last: the setting `agent`, or what is in production."""

import json
from dataclasses import replace
from typing import Any

import pytest

from flywheel.combining import setting_hash
from flywheel.domain.candidate import Candidate
from flywheel.domain.plan import dump_plan
from flywheel.errors import TransientError
from flywheel.evidence import plan_key
from flywheel.ports import Head, Release
from flywheel.rollback import plan_rollback
from tests.fakes.world import AGENT, DIGEST, OTHER_DIGEST, World, ecr_event, requested_event

THIRD_DIGEST = "sha256:" + "c" * 64
NEWER = AGENT | {"model_id": "test.model-2"}


@pytest.fixture
def world() -> World:
    """A push is in production, promoted by its gate."""
    world = World()
    world.labels.prompts = {"docs-agent": {1: set(), 2: set(), 3: set()}}
    world.images.untagged |= {THIRD_DIGEST}
    world.promote(world.passed(ecr_event("e-first", OTHER_DIGEST, time="2026-11-23T11:50:00Z"), "arn:first"))
    return world


def prompt_promoted(world: World, version: int = 3) -> None:
    """A prompt version passes its gate with the image of production."""
    prompt = {"name": "docs-agent", "version": version}
    time = f"2026-11-23T11:51:{version:02d}Z"
    event = requested_event(time, request_id=f"r-{version}", image="production", prompt=prompt, reason="prompt-version")
    world.promote(world.passed(event, f"arn:prompt-{version}"))


def pushed(world: World, digest: str = DIGEST) -> Candidate:
    """What a push is judged with."""
    gate = world.plan(ecr_event("e-push", digest, time="2026-11-23T11:58:00Z"), "arn:push")
    return world.evidence.plan(gate).arms[0].candidate


def noted(world: World) -> bool:
    """Whether people are told that the push was not combined with the setting."""
    (gate,) = [gate for gate, row in world.gates.rows.items() if row.execution_arn == "arn:push"]
    return "combined_with_production" in [note.code for note in world.evidence.plan(gate).notes]


def set_agent(world: World, agent: Any) -> None:
    world.settings.texts["agent"] = json.dumps(agent)


def configured(candidate: Candidate) -> tuple[str, str | None, int | None]:
    return candidate.model_id, candidate.prompt_name, candidate.prompt_version


def test_a_plan_records_the_setting_that_there_was(world: World) -> None:
    release = world.releases.head().release
    assert release is not None
    assert world.evidence.plan(release.gate_id).agent_hash == setting_hash(world.settings.texts["agent"])


def test_a_push_after_a_promoted_prompt_version_keeps_it(world: World) -> None:
    prompt_promoted(world)
    candidate = pushed(world)
    assert configured(candidate) == ("test.model-1", "docs-agent", 3)
    assert candidate.image_digest == DIGEST
    assert noted(world)


def test_a_push_after_that_push_keeps_it_too(world: World) -> None:
    prompt_promoted(world)
    world.promote(world.passed(ecr_event("e-2", DIGEST, time="2026-11-23T11:55:00Z"), "arn:2"))
    assert configured(pushed(world, THIRD_DIGEST)) == ("test.model-1", "docs-agent", 3)


def test_a_promoted_model_and_its_parameters_are_kept_like_a_prompt(world: World) -> None:
    release = world.releases.head().release
    assert release is not None
    found = replace(release.candidate, model_id="test.found", parameters=(("temperature", 0.7), ("top_k", 3)))
    world.releases.now_in_production = Head(replace(release, candidate=found))
    candidate = pushed(world)
    assert (candidate.model_id, candidate.parameters) == ("test.found", found.parameters)


def test_a_setting_that_was_changed_by_hand_since_counts(world: World) -> None:
    prompt_promoted(world)
    set_agent(world, NEWER)
    assert configured(pushed(world)) == ("test.model-2", None, None)
    assert not noted(world)


def test_a_setting_that_was_written_anew_counts_even_if_it_says_the_same(world: World) -> None:
    prompt_promoted(world)
    world.settings.texts["agent"] += " "
    assert configured(pushed(world)) == ("test.model-1", None, None)


def test_what_was_promoted_after_the_change_of_the_setting_counts_again(world: World) -> None:
    set_agent(world, NEWER)
    prompt_promoted(world)
    assert configured(pushed(world)) == ("test.model-1", "docs-agent", 3)
    assert noted(world)


def test_while_production_says_what_the_setting_says_nothing_is_noted(world: World) -> None:
    candidate = pushed(world)
    assert (candidate.model_id, dict(candidate.parameters)) == (AGENT["model_id"], AGENT["parameters"])
    assert not noted(world)


def test_after_a_rollback_a_push_is_combined_with_what_production_went_back_to(world: World) -> None:
    prompt_promoted(world, 2)
    prompt_promoted(world, 3)
    world.rollback().roll_back(plan_rollback(world.releases), by="me", reason="r")
    assert configured(pushed(world)) == ("test.model-1", "docs-agent", 2)


def test_after_a_rollback_a_setting_that_was_changed_in_between_counts(world: World) -> None:
    set_agent(world, NEWER)
    world.promote(world.passed(ecr_event("e-2", DIGEST, time="2026-11-23T11:55:00Z"), "arn:2"))
    world.rollback().roll_back(plan_rollback(world.releases), by="me", reason="r")
    assert configured(pushed(world, THIRD_DIGEST)) == ("test.model-2", None, None)


def test_without_production_the_setting_counts() -> None:
    candidate = pushed(World())
    assert configured(candidate) == ("test.model-1", None, None)


@pytest.mark.parametrize("plan", [None, b"{", b"{}", b"hash"])
def test_a_plan_that_is_gone_unreadable_or_without_a_hash_leaves_it_to_the_setting(
    world: World, plan: bytes | None
) -> None:
    prompt_promoted(world)
    release: Release | None = world.releases.head().release
    assert release is not None
    key = plan_key(release.gate_id)
    if plan is None:
        del world.objects.objects[key]
    elif plan == b"hash":
        world.objects.put(key, dump_plan(replace(world.evidence.plan(release.gate_id), agent_hash="")).encode())
    else:
        world.objects.put(key, plan)
    assert configured(pushed(world)) == ("test.model-1", None, None)


def test_evidence_that_cannot_be_read_now_is_no_reason_to_forget_a_prompt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt_promoted(world)
    read = world.objects.read
    release = world.releases.head().release
    assert release is not None

    def throttled(key: str) -> bytes:
        if key == plan_key(release.gate_id):
            raise TransientError("SlowDown")
        return read(key)

    monkeypatch.setattr(world.objects, "read", throttled)
    with pytest.raises(TransientError):
        world.planner.plan(ecr_event("e-push"), "arn:push")


def test_a_missing_setting_refuses_a_push_and_not_a_gate_of_production(world: World) -> None:
    prompt_promoted(world)
    del world.settings.texts["agent"]
    reply, why = world.planner.plan(ecr_event("e-push"), "arn:push")
    assert (reply.action, "does not exist: create it" in why) == ("refused", True)
    gate = world.plan(requested_event(request_id="nightly", image="production", reason="nightly"), "arn:night")
    assert world.evidence.plan(gate).agent_hash == ""

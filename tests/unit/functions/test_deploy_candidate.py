"""The short-lived runtime of an arm: created once, looked at until READY, and what happens when it never is."""

from dataclasses import replace

import pytest

from flywheel.errors import ConflictError, DeploymentFailedError, InvalidRequestError, NotFoundError
from flywheel.ports import RuntimeStatus
from tests.fakes.world import DIGEST, STACK, World, ecr_event


def test_the_first_call_creates_and_a_later_one_finds_it_ready() -> None:
    world = World()
    gate = world.plan()
    first = world.deployer.deploy(gate, "candidate")
    assert (first.ready, first.wait_s) == (False, 2)
    second = world.deployer.deploy(gate, "candidate")
    assert (second.ready, second.runtime_id) == (True, first.runtime_id)
    assert len(world.runtimes.stored) == 1


def test_the_runtime_is_the_digest_with_its_parameters_and_without_secrets() -> None:
    world = World()
    gate = world.plan()
    world.deployer.deploy(gate, "candidate")
    (stored,) = world.runtimes.stored.values()
    spec = stored.specs["1"]
    assert spec.image_uri.endswith(f"@{DIGEST}")
    assert spec.environment == {
        "MODEL_ID": "test.model-1",
        "TEMPERATURE": "0",
        "MAX_TURNS": "6",
        "MCP_URL": "https://mcp.test/mcp",
        "ALLOW_OVERRIDES": "false",
        "LANGFUSE_PARAMETER_PREFIX": "/langfuse",
        "LANGFUSE_TRACING_ENVIRONMENT": "dev",
        "LANGFUSE_RELEASE": world.evidence.plan(gate).arms[0].candidate.candidate_id,
    }
    assert (spec.idle_timeout_s, spec.max_lifetime_s) == (60, 14_400)


def test_the_runtime_is_tagged_so_that_it_can_be_cleaned_up() -> None:
    world = World()
    gate = world.plan()
    world.deployer.deploy(gate, "candidate")
    (stored,) = world.runtimes.stored.values()
    assert stored.tags == {
        "flywheel:lifetime": "short-lived",
        "flywheel:stack": STACK,
        "flywheel:gate": gate,
        "flywheel:created": "2026-11-23T12:00:00+00:00",
    }


def test_a_call_that_was_killed_before_it_noted_the_runtime_finds_it_again() -> None:
    world = World()
    gate = world.plan()
    first = world.deployer.deploy(gate, "candidate")
    row = world.gates.rows[gate]
    world.gates.rows[gate] = replace(row, arms={"candidate": replace(row.arms["candidate"], runtime_id=None)})
    world.clock.advance(5)
    assert world.deployer.deploy(gate, "candidate").runtime_id == first.runtime_id
    assert len(world.runtimes.stored) == 1


@pytest.mark.parametrize(("arm", "kind"), [("candidate", "FAIL"), ("incumbent", "INCONCLUSIVE")])
def test_a_runtime_that_is_never_ready_ends_the_gate_with_that_reason(arm: str, kind: str) -> None:
    world = World()
    world.in_production()
    gate = world.plan()
    name = next(a.runtime_name for a in world.evidence.plan(gate).arms if a.arm == arm)
    world.runtimes.becomes[name] = ("CREATING", "")
    world.deployer.deploy(gate, arm)  # type: ignore[arg-type]
    world.clock.advance(299)
    assert world.deployer.deploy(gate, arm).ready is False  # type: ignore[arg-type]
    world.clock.advance(2)
    with pytest.raises(DeploymentFailedError, match="never_ready"):
        world.deployer.deploy(gate, arm)  # type: ignore[arg-type]
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    assert (verdict.kind, verdict.reasons[0].code, verdict.reasons[0].required) == (kind, "never_ready", 300.0)


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETING", "DELETE_FAILED"])
def test_a_runtime_that_failed_says_why(status: RuntimeStatus) -> None:
    world = World()
    gate = world.plan()
    world.deployer.deploy(gate, "candidate")
    world.runtimes.becomes[world.evidence.plan(gate).arms[0].runtime_name] = (status, "exec format error")
    with pytest.raises(DeploymentFailedError, match=r"deployment_failed.*exec format error"):
        world.deployer.deploy(gate, "candidate")
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    assert (verdict.kind, verdict.reasons[0].code) == ("FAIL", "deployment_failed")


def test_a_runtime_that_somebody_deleted_fails_the_deployment() -> None:
    world = World()
    gate = world.plan()
    reply = world.deployer.deploy(gate, "candidate")
    world.runtimes.delete(reply.runtime_id)
    with pytest.raises(DeploymentFailedError, match="deleted by somebody else"):
        world.deployer.deploy(gate, "candidate")


def test_a_newer_push_ends_the_waiting() -> None:
    world = World()
    gate = world.plan(ecr_event("old", time="2026-11-23T11:59:00Z"), "arn:1")
    world.plan(ecr_event("new", time="2026-11-23T11:59:30Z"), "arn:2")
    assert world.deployer.deploy(gate, "candidate").ready is True
    assert world.runtimes.stored == {}
    assert world.decider.decide(gate, 0).action == "end"
    verdict = world.evidence.verdict(gate)
    assert verdict is not None
    assert verdict.reasons[0].code == "superseded"


def test_nothing_is_created_for_a_gate_that_has_ended() -> None:
    world = World()
    gate = world.plan()
    world.gates.end(gate, verdict="INCONCLUSIVE", reasons=[], promoted=False, ended=world.clock.now(), report_key=None)
    with pytest.raises(ConflictError, match="has ended"):
        world.deployer.deploy(gate, "candidate")
    assert world.runtimes.stored == {}


@pytest.mark.parametrize("refused", [0, 5], ids=["deletable at once", "deletable once it is created"])
def test_a_gate_that_is_stopped_while_its_runtime_is_created_leaves_none_behind(
    monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    world = World()
    world.runtimes.deletes_refused = refused
    gate = world.plan()
    note = world.gates.note_runtime

    def stopped_meanwhile(gate_id: str, arm: str, runtime_id: str) -> None:
        note(gate_id, arm, runtime_id)  # type: ignore[arg-type]
        world.gates.end(
            gate, verdict="INCONCLUSIVE", reasons=[], promoted=False, ended=world.clock.now(), report_key=None
        )

    monkeypatch.setattr(world.gates, "note_runtime", stopped_meanwhile)
    with pytest.raises(ConflictError):
        world.deployer.deploy(gate, "candidate")
    assert world.runtimes.stored == {}


def test_an_arm_or_a_gate_that_does_not_exist_is_named() -> None:
    world = World()
    gate = world.plan()
    with pytest.raises(InvalidRequestError, match="no arm incumbent"):
        world.deployer.deploy(gate, "incumbent")
    with pytest.raises(NotFoundError):
        world.deployer.deploy("g-20260101t000000-00000000", "candidate")

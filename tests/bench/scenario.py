"""What is evaluated: items of two facts, as a gate's plan with its shards for us, as rows of one fact for the SDK."""

import base64
import json

from flywheel.adapters.dynamodb import to_wire
from flywheel.domain.candidate import Candidate
from flywheel.domain.golden import GoldenItem, dataset_hash
from flywheel.domain.outcome import TrialKey
from flywheel.domain.plan import ArmPlan, GatePlan, Shard, Trigger, dump_plan, dump_shard
from flywheel.domain.policy import GatePolicy
from flywheel.evaluation.instrument import judge_spec
from flywheel.evidence import plan_key, shard_key
from tests.bench.machinery import PUBLIC_KEY, SECRET_KEY, Servers, put

BUCKET, TABLE, DATASET = "bench-evidence", "bench-state", "bench"
JUDGE_MODEL = "bench-judge"
FACTS_OF_AN_ITEM = 2


def items(count: int) -> list[GoldenItem]:
    return [
        GoldenItem(
            item_id=f"bench-{number:03}",
            question=f"Question {number}: how long does Langfuse keep traces of kind {number}?",
            trajectory=("searchLangfuseDocs",),
            response_facts=tuple(f"Fact {fact} of item {number} holds." for fact in range(1, FACTS_OF_AN_ITEM + 1)),
        )
        for number in range(count)
    ]


def environment(servers: Servers, concurrency: int) -> dict[str, str]:
    """Environment of the function, as the template gives it."""
    return servers.environment() | {
        "ENVIRONMENT": "bench",
        "STATE_TABLE": TABLE,
        "EVIDENCE_BUCKET": BUCKET,
        "LANGFUSE_PARAMETER_PREFIX": "/langfuse-bench",
        "LANGFUSE_ENVIRONMENT": "bench",
        "SETTINGS_PREFIX": "/flywheel/bench",
        "JUDGE_BASE_URL": f"{servers.judge}/v1",
        "JUDGE_MODEL_ID": JUDGE_MODEL,
        "TRIAL_CONCURRENCY": str(concurrency),
        "SESSION_STARTS_PER_S": "10000",  # the servers here refuse none
        "INVOKE_TIMEOUT_S": "30",
        "JUDGE_TIMEOUT_S": "60",
        "POWERTOOLS_METRICS_NAMESPACE": "flywheel",
        "POWERTOOLS_SERVICE_NAME": "evaluate_shard",
    }


def write_settings(servers: Servers) -> None:
    parameters = {
        "/langfuse-bench/LANGFUSE_HOST": servers.langfuse,
        "/langfuse-bench/LANGFUSE_PUBLIC_KEY": PUBLIC_KEY,
        "/langfuse-bench/LANGFUSE_SECRET_KEY": SECRET_KEY,
        "/flywheel/bench/judge-api-key": "bench",
    }
    for name, value in parameters.items():
        put(f"{servers.aws}/ssm/{_key(name)}", value.encode())


def write_gate(servers: Servers, gate_id: str, count: int, shards: int) -> list[str]:
    """Write plan, record and shards of a gate of one arm; give the shards' keys."""
    chosen = items(count)
    policy = GatePolicy(judge_repeats=0, judgement_cache_h=0.0)  # the same work for everybody who is measured
    candidate = Candidate("bench/agent", "sha256:" + "0" * 64, "bench-model")
    plan = GatePlan(
        gate_id=gate_id,
        environment="bench",
        trigger=Trigger("cli", gate_id, "2026-01-01T00:00:00Z"),
        arms=(ArmPlan("candidate", candidate, "fw_bench_candidate"),),
        incumbent_release=None,
        policy=policy,
        dataset_name=DATASET,
        dataset_version="2026-01-01T00:00:00.000Z",
        dataset_hash=dataset_hash(chosen),
        items=tuple(chosen),
        judge=judge_spec(JUDGE_MODEL, policy.choice_scores),
        seed=1,
    )
    put(f"{servers.aws}/{BUCKET}/{plan_key(gate_id)}", dump_plan(plan).encode())
    row = {
        "pk": "GATES",
        "sk": gate_id,
        "gate_id": gate_id,
        "execution_arn": "arn:bench",
        "trigger": "cli",
        "started": "2026-01-01T00:00:00.000000Z",
        "requested_at": "2026-01-01T00:00:00Z",
        "status": "running",
        "arms": {"candidate": {"runtime_name": "fw_bench_candidate", "runtime_id": "fw_bench_candidate-0000000000"}},
    }
    put(f"{servers.aws}/dynamodb/{_key('GATES', gate_id)}", json.dumps(to_wire(row)).encode())
    keys = []
    for number in range(shards):
        shard = Shard(
            gate_id, f"1-{number:02}", tuple(TrialKey(item.item_id, 1, "candidate") for item in chosen[number::shards])
        )
        put(f"{servers.aws}/{BUCKET}/{shard_key(gate_id, shard.key)}", dump_shard(shard).encode())
        keys.append(shard.key)
    return keys


def _key(*parts: str) -> str:
    return base64.urlsafe_b64encode("\0".join(parts).encode()).decode()

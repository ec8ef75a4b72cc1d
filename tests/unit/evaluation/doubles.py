"""What a shard needs from outside, in memory: objects, an agent, a judge, a Langfuse."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flywheel.domain.candidate import Candidate
from flywheel.domain.golden import GoldenItem, dataset_hash
from flywheel.domain.outcome import Arm, FactScore, TrialKey
from flywheel.domain.plan import ArmPlan, GatePlan, Shard, Trigger
from flywheel.domain.policy import GatePolicy
from flywheel.errors import NotFoundError
from flywheel.evaluation.instrument import judge_spec
from flywheel.evaluation.ports import JudgementFailure, Posted, Score, Span
from flywheel.ports import AgentReply, InvocationFailure

GATE = "g-20260504t120000-0123abcd"
JUDGE_MODEL = "judge-1"
DIGEST = "sha256:" + "a" * 64


def golden(number: int, facts: int = 2) -> GoldenItem:
    return GoldenItem(
        f"i-{number:03}",
        f"Question {number}?",
        trajectory=("search",),
        response_facts=tuple(f"fact {fact} of {number}" for fact in range(facts)),
    )


def plan(items: Sequence[GoldenItem], arms: Sequence[Arm] = ("candidate",)) -> GatePlan:
    policy = GatePolicy(max_trials=6, judge_repeats=0)  # the tests count what is asked
    candidate = Candidate("repo/agent", DIGEST, "amazon.nova-lite-v1:0", parameters=(("top_k", 3),))
    return GatePlan(
        gate_id=GATE,
        environment="dev",
        trigger=Trigger("cli", "e-1", "2026-05-04T12:00:00Z"),
        arms=tuple(ArmPlan(arm, candidate, f"fw_dev_{arm}") for arm in arms),
        incumbent_release=None,
        policy=policy,
        dataset_name="golden",
        dataset_version="2026-05-04T12:00:00.000Z",
        dataset_hash=dataset_hash(items),
        items=tuple(items),
        judge=judge_spec(JUDGE_MODEL, policy.choice_scores),
        seed=1,
    )


def shard(items: Sequence[GoldenItem], arms: Sequence[Arm] = ("candidate",), trials: int = 1) -> Shard:
    lines = (TrialKey(item.item_id, trial + 1, arm) for item in items for trial in range(trials) for arm in arms)
    return Shard(GATE, "1-00", tuple(lines))


@dataclass
class Objects:
    """`ObjectStore` in memory."""

    stored: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)

    def read(self, key: str) -> bytes:
        if key not in self.stored:
            raise NotFoundError(f"no object {key}")
        return self.stored[key]

    def create(self, key: str, body: bytes, content_type: str = "application/json") -> bool:
        if key in self.stored:
            return False
        self.stored[key] = body
        return True

    def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
        self.puts.append(key)
        self.stored[key] = body

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.stored if key.startswith(prefix))


def said(answer: str = "An answer.", **more: Any) -> AgentReply:
    body = {
        "answer": answer,
        "stop_reason": "end_turn",
        "trajectory": [{"tool": "search", "input": {"query": "q"}, "error": False}],
        "usage": {"input_tokens": 1_000_000, "output_tokens": 0, "model_calls": 2},
        "latency_ms": 420,
        "model_id": "amazon.nova-lite-v1:0",
    }
    return AgentReply(json.dumps(body | more).encode(), 200, "application/json", 430)


type Respond = Callable[[dict[str, Any]], AgentReply | InvocationFailure]


@dataclass
class Agent:
    """`AgentInvoker` that answers what `respond` says."""

    respond: Respond = lambda _: said()
    calls: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, runtime_arn: str, payload: bytes, **call: Any) -> AgentReply | InvocationFailure:
        with self._lock:
            self.calls.append({"runtime_arn": runtime_arn, **json.loads(payload), **call})
            asked = self.calls[-1]
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.respond(asked)
        finally:
            with self._lock:
                self._at_once -= 1

    def stop_session(self, runtime_arn: str, session_id: str, qualifier: str = "DEFAULT") -> bool:
        with self._lock:
            self.stopped.append(session_id)
        return True

    def questions(self) -> list[str]:
        return sorted(call["question"] for call in self.calls)


@dataclass
class Jury:
    """`Judge` that gives every fact a B, unless `verdict` says otherwise."""

    verdict: Callable[[str, str, str], FactScore | JudgementFailure] = lambda _q, fact, _a: FactScore(fact, "B", 1.0)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
        self.asked.append((question, fact, answer))
        return self.verdict(question, fact, answer)


@dataclass
class Langfuse:
    """Both sinks. `trouble` is raised by every call while it is set, `score_trouble` by those with scores."""

    spans: dict[str, Span] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    trouble: Exception | None = None
    score_trouble: Exception | None = None
    calls: int = 0

    def export(self, spans: Sequence[Span], *, deadline_s: float) -> None:
        self.calls += 1
        if self.trouble:
            raise self.trouble
        self.spans |= {span.span_id: span for span in spans}

    def post(self, scores: Sequence[Score], *, deadline_s: float) -> Posted:
        self.calls += 1
        if trouble := self.trouble or self.score_trouble:
            raise trouble
        self.scores |= {score.score_id: score for score in scores}
        return Posted(len(scores))

"""One trial: item -> one invocation of the arm's runtime, judgements of its facts -> record."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

from flywheel.domain.candidate import Parameter
from flywheel.domain.golden_item import GoldenItem, asked
from flywheel.domain.outcome import Arm, FactScore, Outcome, ToolCall, TrialError, TrialKey, TrialRecord, Usage
from flywheel.domain.policy import GatePolicy
from flywheel.domain.scoring import needs_judge, score_trial
from flywheel.errors import InvalidRequestError
from flywheel.evaluation import identity
from flywheel.evaluation.delivery import Finished
from flywheel.evaluation.pace import SessionPace
from flywheel.evaluation.ports import Judge, JudgementFailure
from flywheel.evaluation.reply import AgentAnswer, read_reply
from flywheel.evaluation.tracing import Experiment, Timings, baggage, traceparent
from flywheel.ports import AgentInvoker, AgentReply, InvocationFailure

# Refused before the agent ran (throttled, no connection): asking again is not a second trial. About a minute in all.
_ATTEMPTS = 5
_FIRST_BACKOFF_S = 4.0
_LONGEST_BACKOFF_S = 32.0
_LONGEST_ANSWER = 100_000  # characters that a judge is sent

type Cost = Callable[[str, Usage], float | None]


@dataclass(frozen=True, slots=True)
class ArmUnderTest:
    """The short-lived runtime that answers for an arm. `model_id` prices what an agent that names no model used.

    `overrides` goes with every request; a gate's arm has none, and its requests do not mention them.
    """

    runtime_arn: str
    model_id: str
    experiment: Experiment
    overrides: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Judgements, by trial and fact, that `judge` is asked a second time: one that remembers nothing."""

    judge: Judge
    drawn: frozenset[tuple[TrialKey, str]]


@dataclass(frozen=True, slots=True)
class Invoked:
    """An invocation that is over, well or badly.

    `not_started`: it was refused to the end before the agent ran, which says nothing about the agent.
    """

    key: TrialKey
    reply: AgentAnswer | TrialError
    started_ns: int
    answered_ns: int
    not_started: bool = False


class TrialRunner:
    """Carries out trials of one gate. `cost` prices usage by model id; None: the model has no price."""

    def __init__(
        self,
        *,
        gate_id: str,
        items: Mapping[str, GoldenItem],
        arms: Mapping[Arm, ArmUnderTest],
        policy: GatePolicy,
        invoker: AgentInvoker,
        executor: Executor,
        judge: Judge,
        cost: Cost,
        invoke_timeout_s: float,
        stored: Mapping[TrialKey, TrialRecord] | None = None,
        repeats: Repeats | None = None,
        pace: SessionPace | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`pace` None: sessions start as they come."""
        self._gate_id = gate_id
        self._items = items
        self._arms = arms
        self._policy = policy
        self._invoker = invoker
        self._executor = executor
        self._judge = judge
        self._cost = cost
        self._invoke_timeout_s = invoke_timeout_s
        self._stored = stored or {}
        self._repeats = repeats
        self._pace = pace
        self._now_ns = now_ns

    def stored(self, key: TrialKey) -> bool:
        """The answer is there already: it is judged again, and nothing is invoked or shown as a trace."""
        return key in self._stored

    def check(self, key: TrialKey) -> None:
        """Raise `InvalidRequestError` for a line whose item or arm the plan does not have."""
        if key.item_id not in self._items:
            raise InvalidRequestError(f"the shard names item {key.item_id!r}, which the plan does not have")
        if key.arm not in self._arms and not self.stored(key):
            raise InvalidRequestError(f"the shard names arm {key.arm!r}, which the plan does not have")

    async def may_start(self) -> None:
        """Wait until a session may start."""
        if self._pace is not None:
            await self._pace.wait()

    async def invoke(self, key: TrialKey) -> Invoked:
        """Ask the agent once; its failures are values."""
        item = self._items[key.item_id]
        started_ns = self._now_ns()
        not_started = False
        try:
            answer = await asyncio.wait_for(self._ask(key, item), self._invoke_timeout_s)
            reply = read_reply(answer)
            not_started = isinstance(answer, InvocationFailure) and answer.retryable
        except TimeoutError:
            reply = TrialError("invoke", "timeout", f"no answer in {self._invoke_timeout_s:g} s")
        return Invoked(key, reply, started_ns, self._now_ns(), not_started)

    async def judge(self, invoked: Invoked) -> Finished:
        """Score what was answered; a judge that fails makes the trial errored, with its answer kept."""
        key, answer = invoked.key, invoked.reply
        if isinstance(answer, TrialError):
            record = TrialRecord(key, "errored", error=answer, trace_id=identity.trace_id(self._gate_id, key))
            return Finished(record, Timings(invoked.started_ns, invoked.answered_ns, invoked.answered_ns))
        facts, error = await self._judged(key, answer.answer)
        record = self._record(key, answer, facts, error)
        return Finished(record, Timings(invoked.started_ns, invoked.answered_ns, self._now_ns()))

    async def judge_again(self, key: TrialKey) -> Finished:
        """Score a stored answer as if it had just come; what its invocation took and cost is not repeated."""
        item, was, started_ns = self._items[key.item_id], self._stored[key], self._now_ns()
        facts, error = await self._judged(key, was.answer)
        outcome, scores = self._scored(
            item, was.answer, stop_reason=was.stop_reason, trajectory=was.trajectory, facts=facts, error=error
        )
        record = TrialRecord(
            key,
            outcome,
            scores=scores,
            facts=facts,
            error=error,
            answer=was.answer,
            stop_reason=was.stop_reason,
            trajectory=was.trajectory,
            trace_id=was.trace_id,
            stored_from=was.stored_from,
        )
        return Finished(record, Timings(started_ns, started_ns, self._now_ns()))

    async def _judged(self, key: TrialKey, answer: str) -> tuple[tuple[FactScore, ...], TrialError | None]:
        item = self._items[key.item_id]
        judgements: list[FactScore | JudgementFailure] = []
        if needs_judge(item, answer):
            text = answer[:_LONGEST_ANSWER]
            judgements = await asyncio.gather(
                *(self._judge_fact(key, item.question, fact, text) for fact in item.response_facts)
            )
        return tuple(judged for judged in judgements if isinstance(judged, FactScore)), _judge_error(item, judgements)

    async def _judge_fact(self, key: TrialKey, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
        """Judge one fact; where a second judgement was drawn it is asked for at the same time, and may fail alone."""
        if self._repeats is None or (key, fact) not in self._repeats.drawn:
            return await self._judge.judge(question, fact, answer)
        judged, again = await asyncio.gather(
            self._judge.judge(question, fact, answer), self._repeats.judge.judge(question, fact, answer)
        )
        if isinstance(judged, JudgementFailure) or isinstance(again, JudgementFailure):
            return judged
        return replace(judged, again=again.choice)

    def stop_session(self, key: TrialKey) -> bool:
        """End the trial's session, so that it costs nothing any more."""
        return self._invoker.stop_session(
            self._arms[key.arm].runtime_arn, identity.session_id(self._gate_id, key), "DEFAULT"
        )

    async def _ask(self, key: TrialKey, item: GoldenItem) -> AgentReply | InvocationFailure:
        arm = self._arms[key.arm]
        labels = arm.experiment.labels
        request: dict[str, Any] = {**asked(item), "user_id": labels.user_id, "tags": list(labels.tags)}
        if arm.overrides:
            request["overrides"] = dict(arm.overrides)
        payload = json.dumps(request, ensure_ascii=False).encode()
        call = {
            "session_id": identity.session_id(self._gate_id, key),
            "traceparent": traceparent(self._gate_id, key),
            "baggage": baggage(arm.experiment),
        }
        loop = asyncio.get_running_loop()
        backoff_s = _FIRST_BACKOFF_S
        for attempt in range(1, _ATTEMPTS + 1):
            reply = await loop.run_in_executor(
                self._executor, lambda: self._invoker.invoke(arm.runtime_arn, payload, **call)
            )
            if isinstance(reply, AgentReply) or not reply.retryable or attempt == _ATTEMPTS:
                break
            await asyncio.sleep(backoff_s * random.uniform(0.75, 1.0))  # noqa: S311
            backoff_s = min(_LONGEST_BACKOFF_S, backoff_s * 2)
            await self.may_start()
        return reply

    def _record(
        self,
        key: TrialKey,
        answer: AgentAnswer,
        facts: tuple[FactScore, ...],
        error: TrialError | None,
    ) -> TrialRecord:
        usage, trajectory = answer.tokens(), answer.tool_calls()
        item = self._items[key.item_id]
        outcome, scores = self._scored(
            item, answer.answer, stop_reason=answer.stop_reason, trajectory=trajectory, facts=facts, error=error
        )
        return TrialRecord(
            key,
            outcome,
            scores=scores,
            facts=facts,
            error=error,
            answer=answer.answer,
            stop_reason=answer.stop_reason,
            trajectory=trajectory,
            usage=usage,
            latency_ms=answer.latency_ms,
            cost_usd=self._cost(answer.model_id or self._arms[key.arm].model_id, usage),
            trace_id=identity.trace_id(self._gate_id, key),
        )

    def _scored(
        self,
        item: GoldenItem,
        answer: str,
        *,
        stop_reason: str,
        trajectory: tuple[ToolCall, ...],
        facts: tuple[FactScore, ...],
        error: TrialError | None,
    ) -> tuple[Outcome, dict[str, float]]:
        if error is not None:
            return "errored", {}
        return score_trial(
            item, self._policy, answer=answer, stop_reason=stop_reason, trajectory=trajectory, facts=facts
        )


def _judge_error(item: GoldenItem, judgements: list[FactScore | JudgementFailure]) -> TrialError | None:
    failures = [judged for judged in judgements if isinstance(judged, JudgementFailure)]
    if not failures:
        return None
    what = f"{len(failures)} of {len(item.response_facts)} facts not judged: {failures[0].message}"
    return TrialError("judge", failures[0].kind, what[:500])

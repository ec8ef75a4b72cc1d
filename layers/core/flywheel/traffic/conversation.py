"""One synthetic user: asks, reads, asks on as the answers suggest; every turn becomes a row, and the session ends."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event

from flywheel.domain.outcome import TrialError
from flywheel.domain.personas import Reply, Turn, Visit, next_turn
from flywheel.domain.prices import PriceTable, cost_usd
from flywheel.domain.refusal import is_refusal
from flywheel.domain.synthetic import RUN_TAG_PREFIX, SYNTHETIC_TAG
from flywheel.domain.traffic_results import TurnResult
from flywheel.evaluation.reply import AgentAnswer, read_reply
from flywheel.ports import AgentInvoker, InvocationFailure
from flywheel.traffic import identity

_KIND = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
_TRACE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Production:
    """Where users go. `model_id` prices the turns of an agent that names no model."""

    runtime_arn: str
    endpoint: str
    model_id: str


class Budget:
    """Asked before each turn, told after it; safe between threads."""

    def __init__(self, begin: Callable[[], bool], end: Callable[[float | None], None]) -> None:
        self.begin = begin
        self.end = end


class Conversation:
    """`started` is the run's zero on time.monotonic(); no turn begins later than `last_begin_s` after it."""

    def __init__(
        self,
        visit: Visit,
        *,
        run_id: str,
        invoker: AgentInvoker,
        production: Production,
        prices: PriceTable,
        budget: Budget,
        stopping: Event,
        started: float,
        think_s: float,
        last_begin_s: float,
    ) -> None:
        self.visit = visit
        self.session_id = identity.session_id(run_id, visit.number)
        self._tags = [SYNTHETIC_TAG, f"{RUN_TAG_PREFIX}{run_id}"]
        self._invoker = invoker
        self._production = production
        self._prices = prices
        self._budget = budget
        self._stopping = stopping
        self._started = started
        self._think_s = think_s
        self._last_begin_s = last_begin_s
        self._asked = self._ended = False

    def carry_on(self, due_s: float, note: Callable[[TurnResult], None]) -> bool:
        """Hold the whole conversation, first turn due at `due_s`; whether it came to its own end."""
        turn: Turn | None = Turn(self.visit.opening, self.visit.scenario.must_refuse)
        number = 0
        while turn is not None:
            if self._stopping.wait(max(0.0, due_s - self._now_s())) or self._now_s() > self._last_begin_s:
                return False
            if not self._budget.begin():
                return False
            number += 1
            row, reply = self._ask(turn, number, due_s)
            note(row)
            turn = next_turn(self.visit.scenario, number, reply)
            due_s = self._now_s() + self._think_s
        return True

    def end_session(self) -> bool:
        """End the session at AgentCore, if there is one; False: it could not be ended, and idles out."""
        ended = not self._asked or any(
            self._invoker.stop_session(self._production.runtime_arn, self.session_id, self._production.endpoint)
            for _ in range(2)
        )
        # A run that is cancelled ends sessions first, and each conversation its own after that: once is enough.
        self._ended = self._ended or ended
        return self._ended

    def _ask(self, turn: Turn, number: int, due_s: float) -> tuple[TurnResult, Reply]:
        payload = json.dumps(
            {"question": turn.question, "user_id": self.visit.user_id, "tags": self._tags}, ensure_ascii=False
        ).encode()
        self._asked, sent_s = True, self._now_s()
        cost: float | None = None
        try:
            raw = self._invoker.invoke(
                self._production.runtime_arn,
                payload,
                session_id=self.session_id,
                qualifier=self._production.endpoint,
            )
            ended_s = self._now_s()
            answer = read_reply(raw)
            if isinstance(answer, AgentAnswer):
                cost = cost_usd(self._prices, answer.model_id or self._production.model_id, answer.tokens())
            elif isinstance(raw, InvocationFailure) and raw.retryable:
                cost = 0.0  # the agent has certainly not run
        finally:
            self._budget.end(cost)
        row = TurnResult(
            arrival=self.visit.number,
            turn=number,
            persona=self.visit.persona.name,
            scenario=self.visit.scenario.name,
            at_s=round(due_s, 3),
            latency_ms=max(0, round((ended_s - due_s) * 1000)),
            service_ms=max(0, round((ended_s - sent_s) * 1000)),
            outcome="answered",
            must_refuse=turn.must_refuse,
            cost_usd=cost,
        )
        return self._outcome(row, answer)

    def _outcome(self, row: TurnResult, answer: AgentAnswer | TrialError) -> tuple[TurnResult, Reply]:
        if isinstance(answer, TrialError):
            kind = answer.kind if _KIND.fullmatch(answer.kind) else "other"
            if self._stopping.is_set():
                kind = "abandoned"  # its session was ended under it
            return replace(row, outcome="errored", error=kind), Reply(errored=True)
        trace_id = answer.trace_id if isinstance(answer.trace_id, str) and _TRACE.fullmatch(answer.trace_id) else ""
        if not answer.answer.strip():
            return replace(row, outcome="errored", error="empty_answer", trace_id=trace_id), Reply(errored=True)
        refused = is_refusal(answer.answer)
        tools = tuple(call.tool for call in answer.trajectory)
        reply = Reply(answer.answer, tools, refused)
        if refused:
            return replace(row, outcome="refused"), reply
        return replace(row, trace_id=trace_id if row.must_refuse else ""), reply

    def _now_s(self) -> float:
        return time.monotonic() - self._started

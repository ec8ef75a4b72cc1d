"""What was stored -> jobs of enabled evaluation rules -> EVAL scores, a moment later; shown at /_evaluations.

The queue is a table: what is left when the stand-in stops is done when it starts again. One task of the server's event
loop works on it, a few model calls at a time, and is cancelled with the loop. A job ends COMPLETED with its scores;
ERROR without any, when the model did not give one; CANCELLED, when what it needs is gone.

    GET /_evaluations   how many there are of each status, and the newest ones
"""

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local.langfuse import evaluation_rules, filters, llm_connections
from local.langfuse.evaluation_calls import EvaluationError, Judged, ModelCalls, variables
from local.langfuse.evaluation_rules import Assignment
from local.langfuse.observation_rows import COLUMNS, Row
from local.langfuse.preflight import PreflightNeededError, preflight
from local.langfuse.settings import Settings
from local.langfuse.store import Store, Where
from local.langfuse.validation import array, parse
from local.langfuse.wire import from_json, to_json

logger = logging.getLogger(__name__)

EVALUATIONS = "/_evaluations"
_AT_ONCE = 8
_LONGEST_QUEUE = 10_000
_SHOWN = 100
_SECOND_US = 1_000_000
_LOOK_AGAIN_S = 1.0
# Columns of rules that have another name, or no values, in the table of observations.
_READ = COLUMNS | {
    "datasetId": COLUMNS["experimentDatasetId"],
    "calledToolNames": lambda _row: [],
    "toolCalls": lambda _row: 0.0,
}


@dataclass(frozen=True, slots=True)
class _Rule:
    rule_id: str
    target: str
    sampling: float
    conditions: list[dict[str, Any]]
    assigned: list[Assignment]

    def wants(self, row: Row) -> bool:
        if row.row["environment"].startswith("langfuse"):
            return False  # evaluations leave their own traces there: no evaluation of evaluations
        if self.target == "experiment" and not row.is_item_root():
            return False
        if not all(filters.holds(one, _READ[one["column"]](row)) for one in self.conditions):
            return False
        return sampling_value(row.row["trace_id"]) < self.sampling


def sampling_value(trace_id: str) -> float:
    """In [0, 1), the same for the same trace: what a small share chooses, a larger one chooses too."""
    return int.from_bytes(hashlib.sha256(f"evaluation:{trace_id}".encode()).digest()[:6]) / 2**48


class Evaluations:
    """`calls`: how models are asked."""

    def __init__(self, settings: Settings, store: Store, calls: ModelCalls | None = None) -> None:
        self._store = store
        self._calls = calls or ModelCalls()
        self._delay_us = int(settings.evaluation_delay_s * _SECOND_US)
        self._task: asyncio.Task[None] | None = None

    def add(self, stored: Sequence[tuple[str, str]]) -> None:
        """Queue what enabled rules want of these observations, each once whatever is stored again."""
        rules = [self._rule(row) for row in self._store.rows("SELECT * FROM evaluation_rules WHERE enabled = 1")]
        if not rules:
            return
        room = _LONGEST_QUEUE - self._store.count("evaluations", Where("status = 'PENDING'"))
        due_us = self._store.clock.now_us() + self._delay_us
        with self._store.together():
            for trace_id, observation_id in stored:
                row = self._observation(trace_id, observation_id)
                for rule in rules if row is not None else ():
                    if row is None or not rule.wants(row):
                        continue
                    for one in rule.assigned:
                        job = (rule.rule_id, one.evaluator_id, trace_id, observation_id)
                        # One that cannot run is shown as paused, and misses what comes meanwhile.
                        if evaluation_rules.is_runnable(self._store, one):
                            room -= self._queue(job, due_us, full=room <= 0)
        self.start()

    def start(self) -> None:
        """Work on what is pending, if nobody does."""
        pending = self._store.row("SELECT 1 FROM evaluations WHERE status = 'PENDING'")
        if pending is not None and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def preflight(self, needed: PreflightNeededError) -> None:
        """Raise ApiError 422 unless the model answers as it is asked."""
        await preflight(self._calls, needed)

    async def settled(self) -> None:
        """Wait until nothing is pending."""
        if self._task is not None:
            await self._task

    def shown(self) -> dict[str, Any]:
        counts = self._store.rows("SELECT status, count(*) AS n FROM evaluations GROUP BY status")
        newest = self._store.select("evaluations", Where(), "due_us DESC, id DESC", _SHOWN)
        return {"counts": {row["status"]: row["n"] for row in counts}, "newest": [dict(row) for row in newest]}

    def _rule(self, row: sqlite3.Row) -> _Rule:
        conditions = parse(array(filters.condition), from_json(row["filter"]))
        assigned = evaluation_rules.assignments(self._store, row["id"])
        return _Rule(row["id"], row["target"], row["sampling"], conditions, assigned)

    def _observation(self, trace_id: str, observation_id: str) -> Row | None:
        found = self._store.row("SELECT * FROM observations WHERE trace_id = ? AND id = ?", trace_id, observation_id)
        return None if found is None else Row(found)

    def _queue(self, job: tuple[str, str, str, str], due_us: int, *, full: bool) -> int:
        """1 when it is new and waits now."""
        added = self._store.run(
            "INSERT OR IGNORE INTO evaluations (id, rule_id, evaluator_id, trace_id, observation_id, status, error, "
            "due_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            hashlib.sha256(to_json(job).encode()).hexdigest()[:32],
            *job,
            "ERROR" if full else "PENDING",
            "the queue is full" if full else None,
            due_us,
        )
        return 0 if full else added

    async def _work(self) -> None:
        pending = Where("status = 'PENDING'")
        while jobs := list(self._store.select("evaluations", pending, "due_us, id", _AT_ONCE)):
            now = self._store.clock.now_us()
            wait_s = (jobs[0]["due_us"] - now) / _SECOND_US
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, _LOOK_AGAIN_S))
                continue
            await asyncio.gather(*(self._run(job) for job in jobs if job["due_us"] <= now))

    async def _run(self, job: sqlite3.Row) -> None:
        try:
            judged = await self._judge(job)
        except EvaluationError as error:
            self._end(job, "ERROR", str(error))
            return
        except Exception:
            logger.exception("evaluation %s failed: a defect of the stand-in", job["id"])
            self._end(job, "ERROR", "a defect of the stand-in")
            return
        row = self._observation(job["trace_id"], job["observation_id"])
        if judged is None or row is None:
            self._end(job, "CANCELLED", "its rule, evaluator or observation is gone")
            return
        with self._store.together():
            for score in self._scores(job, row, *judged):
                self._store.insert("scores", score)
            self._end(job, "COMPLETED", None)

    async def _judge(self, job: sqlite3.Row) -> tuple[Assignment, Judged] | None:
        """What the model says now; None: there is nothing to judge, or nobody to judge it, any more."""
        rule = self._store.row("SELECT * FROM evaluation_rules WHERE id = ? AND enabled = 1", job["rule_id"])
        row = self._observation(job["trace_id"], job["observation_id"])
        assigned = evaluation_rules.assignments(self._store, job["rule_id"])
        one = next((one for one in assigned if one.evaluator_id == job["evaluator_id"]), None)
        if rule is None or row is None or one is None:
            return None
        connection = llm_connections.find(self._store, one.definition["modelConfig"]["provider"])
        if connection is None:
            raise EvaluationError("the LLM connection is gone")
        return one, await self._calls.ask(dict(connection), one.definition, variables(one.effective, row))

    def _scores(self, job: sqlite3.Row, row: Row, one: Assignment, judged: Judged) -> Iterator[dict[str, Any]]:
        """Rows named after the evaluator, not the rule; about the observation, in its environment."""
        now = self._store.clock.now_us()
        for position, value in enumerate(judged.values):
            yield {
                "id": hashlib.sha256(f"{job['id']}:{position}".encode()).hexdigest()[:32],
                "name": one.name,
                "data_type": judged.data_type,
                "number": None if isinstance(value, str) else value,
                "text": value if isinstance(value, str) else None,
                "trace_id": job["trace_id"],
                "observation_id": job["observation_id"],
                "source": "EVAL",
                "environment": row.row["environment"],
                "comment": judged.reasoning,
                "metadata": to_json({"job_execution_id": job["id"], "evaluation_rule_id": job["rule_id"]}),
                "timestamp_us": now,
                "created_us": now // _SECOND_US * _SECOND_US,
                "updated_us": now,
                "visible_us": now,
            }

    def _end(self, job: sqlite3.Row, status: str, error: str | None) -> None:
        where = Where()
        where.equal("id", job["id"])
        self._store.update(
            "evaluations", where, {"status": status, "error": error, "ended_us": self._store.clock.now_us()}
        )

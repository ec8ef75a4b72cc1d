"""Finished trials -> spans and scores in Langfuse, in batches, beside the evaluation and never in its way.

What could not be delivered is tried again until `finish` runs out of time. A Langfuse that stays down costs the shard
nothing but that time: its results are in S3 all the same, and the missing scores are noticed when they are read back.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm, TrialKey, TrialRecord
from flywheel.errors import FlywheelError, TransientError
from flywheel.evaluation.ports import ScoreSink, SpanSink
from flywheel.evaluation.tracing import Experiment, Timings, scores_of, spans_of

_INTERVAL_S = 1.0
_ATTEMPT_S = 15.0  # one attempt at a batch, repeated requests included
_PAUSE_S = 0.5  # after an attempt that failed


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial with its evidence, and when it ran."""

    record: TrialRecord
    timings: Timings


class Delivery:
    """One shard's way to Langfuse. Use as an asynchronous context manager: leaving it ends its tasks."""

    def __init__(
        self,
        spans: SpanSink,
        scores: ScoreSink,
        experiments: Mapping[Arm, Experiment],
        items: Mapping[str, GoldenItem],
    ) -> None:
        self._spans = spans
        self._scores = scores
        self._experiments = experiments
        self._items = items
        self._pending: list[Finished] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._end_s = float("inf")
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="langfuse")
        self._task: asyncio.Task[None] | None = None
        self.delivered: set[TrialKey] = set()
        self.troubles: list[str] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
        # A request that hangs has its own time-out; nothing waits for it here.
        self._pool.shutdown(wait=False, cancel_futures=True)

    def add(self, finished: Finished) -> None:
        """Deliver this trial soon."""
        self._pending.append(finished)

    async def finish(self, deadline_s: float) -> int:
        """Deliver what is left, for at most `deadline_s`; give the number of trials that are not in Langfuse."""
        if self._task is None:
            raise RuntimeError("a delivery is finished inside its context")
        self._end_s = asyncio.get_running_loop().time() + deadline_s
        self._closing = True
        self._wake.set()
        await asyncio.wait([self._task], timeout=deadline_s)
        return len(self._pending)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing or self._pending:
            if not self._closing:
                await self._rest(_INTERVAL_S)
            batch = list(self._pending)
            if not batch:
                continue
            left_s = min(_ATTEMPT_S, self._end_s - loop.time())
            if left_s <= 0:
                return
            try:
                await self._send(batch, left_s)
            except TransientError as error:
                self.troubles.append(str(error))
                await asyncio.sleep(min(_PAUSE_S, max(0.0, self._end_s - loop.time())))
                continue
            except FlywheelError as error:
                # Refused for good: sending it again would be refused again. The read-back will miss it.
                self.troubles.append(str(error))
            else:
                self.delivered |= {finished.record.key for finished in batch}
            del self._pending[: len(batch)]

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    async def _send(self, batch: Sequence[Finished], deadline_s: float) -> None:
        loop = asyncio.get_running_loop()
        # Both are awaited, whichever fails first: a half of a batch must not still be sent when it is sent again.
        outcomes = await asyncio.gather(
            loop.run_in_executor(self._pool, self._send_spans, batch, deadline_s),
            loop.run_in_executor(self._pool, self._send_scores, batch, deadline_s),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def _send_spans(self, batch: Sequence[Finished], deadline_s: float) -> None:
        spans = [
            span
            for finished in batch
            for span in spans_of(
                self._experiments[finished.record.key.arm],
                self._items[finished.record.key.item_id],
                finished.record,
                finished.timings,
            )
        ]
        self._spans.export(spans, deadline_s=deadline_s)

    def _send_scores(self, batch: Sequence[Finished], deadline_s: float) -> None:
        scores = [
            score
            for finished in batch
            for score in scores_of(self._experiments[finished.record.key.arm], finished.record)
        ]
        self.troubles += self._scores.post(scores, deadline_s=deadline_s).refused

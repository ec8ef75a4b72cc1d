"""Finished trials -> spans and scores in Langfuse, in batches, beside the evaluation and never in its way.

Spans and scores go two ways of their own: Langfuse counts them against different limits, and one that has to wait does
not hold up the other. What could not be delivered is tried again until `finish` runs out of time, after as long a pause
as Langfuse asked for. A Langfuse that stays down costs the shard nothing but that time: its results are in S3 all the
same, and the missing scores are noticed when they are read back.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import Arm, TrialKey, TrialRecord
from flywheel.errors import FlywheelError, TransientError
from flywheel.evaluation.ports import ScoreSink, SpanSink
from flywheel.evaluation.tracing import Experiment, Timings, scores_of, spans_of

_INTERVAL_S = 1.0
# People see the first scores at once; a long shard then stays well below the 30 requests a minute of the smallest plan.
_LONGEST_INTERVAL_S = 4.0
_ATTEMPT_S = 15.0  # one attempt at a batch, repeated requests included
_PAUSE_S = 0.5  # after an attempt that failed, unless Langfuse asked for a longer one


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial with its evidence, and when it ran."""

    record: TrialRecord
    timings: Timings


type Send = Callable[[Sequence[Finished], float], Iterable[str]]


class _Way:
    """One kind of evidence on its way: sends what has gathered, again and again, until it is closed and empty."""

    def __init__(self, send: Send, troubles: list[str], longest_interval_s: float) -> None:
        """`send` blocks, takes a batch and a deadline in seconds, and gives what was refused of it."""
        self._send = send
        self._troubles = troubles
        self._interval_s = _INTERVAL_S
        self._longest_interval_s = longest_interval_s
        self._wake = asyncio.Event()
        self._end_s = float("inf")
        self.pending: list[Finished] = []
        self.delivered: set[TrialKey] = set()

    def close(self, end_s: float) -> None:
        """Nothing more comes; give up at `end_s` of the loop's clock."""
        self._end_s = end_s
        self._wake.set()

    async def run(self, pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while not self._wake.is_set() or self.pending:
            await self._rest()
            batch = list(self.pending)
            if not batch:
                continue
            left_s = min(_ATTEMPT_S, self._end_s - loop.time())
            if left_s <= 0:
                return
            self._interval_s = min(self._longest_interval_s, self._interval_s * 2)
            try:
                self._troubles += await loop.run_in_executor(pool, self._send, batch, left_s)
            except TransientError as error:
                self._troubles.append(str(error))
                pause_s = max(_PAUSE_S, error.retry_after_s)
                if loop.time() + pause_s >= self._end_s:
                    return
                # Not cut short by closing: whoever is asked to wait and does not is only refused again.
                await asyncio.sleep(pause_s)
                continue
            except FlywheelError as error:
                # Refused for good: sending it again would be refused again. The read-back will miss it.
                self._troubles.append(str(error))
            else:
                self.delivered |= {finished.record.key for finished in batch}
            del self.pending[: len(batch)]

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self._interval_s)
        except TimeoutError:
            return


class Delivery:
    """One shard's way to Langfuse. Use as an asynchronous context manager: leaving it ends its tasks."""

    def __init__(
        self,
        spans: SpanSink,
        scores: ScoreSink,
        experiments: Mapping[Arm, Experiment],
        items: Mapping[str, GoldenItem],
    ) -> None:
        self._sink = spans
        self._scores = scores
        self._experiments = experiments
        self._items = items
        self.troubles: list[str] = []
        self._ways = (
            _Way(self._send_spans, self.troubles, _INTERVAL_S),
            _Way(self._send_scores, self.troubles, _LONGEST_INTERVAL_S),
        )
        self._pool = ThreadPoolExecutor(len(self._ways), thread_name_prefix="langfuse")
        self._tasks: list[asyncio.Task[None]] = []
        self._earlier: frozenset[TrialKey] = frozenset()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(way.run(self._pool)) for way in self._ways]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        # A request that hangs has its own time-out; nothing waits for it here.
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def delivered(self) -> frozenset[TrialKey]:
        """Trials of which Langfuse has taken everything."""
        spans, scores = self._ways
        return self._earlier | (spans.delivered & scores.delivered)

    def delivered_earlier(self, keys: Iterable[TrialKey]) -> None:
        """Count these as delivered: an attempt before this one did it."""
        self._earlier |= frozenset(keys)

    def add(self, finished: Finished) -> None:
        """Deliver this trial soon."""
        for way in self._ways:
            way.pending.append(finished)

    async def finish(self, deadline_s: float) -> int:
        """Deliver what is left, for at most `deadline_s`; give the number of trials that are not in Langfuse."""
        if not self._tasks:
            raise RuntimeError("a delivery is finished inside its context")
        for way in self._ways:
            way.close(asyncio.get_running_loop().time() + deadline_s)
        await asyncio.wait(self._tasks, timeout=deadline_s)
        return len({finished.record.key for way in self._ways for finished in way.pending})

    def _send_spans(self, batch: Sequence[Finished], deadline_s: float) -> Iterable[str]:
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
        self._sink.export(spans, deadline_s=deadline_s)
        return ()

    def _send_scores(self, batch: Sequence[Finished], deadline_s: float) -> Iterable[str]:
        scores = [
            score
            for finished in batch
            for score in scores_of(self._experiments[finished.record.key.arm], finished.record)
        ]
        return self._scores.post(scores, deadline_s=deadline_s).refused

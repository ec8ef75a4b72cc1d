"""One shard: its lines carried out concurrently, checkpointed, delivered to Langfuse, its results written once."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from flywheel.domain.outcome import TrialError, TrialKey, dump_records, load_records
from flywheel.domain.plan import Shard
from flywheel.errors import ConflictError, FlywheelError, InvalidRequestError, NotFoundError, TransientError
from flywheel.evaluation.checkpoint import Checkpoint, dump_checkpoint, load_checkpoint
from flywheel.evaluation.delivery import Delivery, Finished
from flywheel.evaluation.trial import TrialRunner
from flywheel.evidence import checkpoint_key, result_key
from flywheel.ports import ObjectStore

logger = logging.getLogger(__name__)

_STOPPING_AT_ONCE = 4  # StopRuntimeSession calls in flight; they save idle time and hurry nobody
_STOPPING_S = 3.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. `trial_s`: the longest a trial may take, invocation and judgements together."""

    concurrency: int
    trial_s: float
    delivery_s: float = 75.0  # Langfuse counts by the minute: who is over its limit may have to wait for all of one
    checkpoint_every_s: float = 2.0
    margin_s: float = 10.0

    @property
    def reserve_s(self) -> float:
        """No trial starts with less than this left: it would be cut off, and asked again by the next attempt."""
        return self.trial_s + self.delivery_s + self.margin_s


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """`resumed` trials came from the checkpoint of an earlier attempt; `undelivered` ones are not in Langfuse.

    `cached` counts judgements that were made before, `cache_failures` calls of their store that failed.
    """

    trials: int
    errored: int
    resumed: int = 0
    undelivered: int = 0
    cached: int = 0
    cache_failures: int = 0


def finished_earlier(store: ObjectStore, gate_id: str, key: str) -> ShardSummary | None:
    """Summary of the results that are there already; None when the shard has still to be carried out."""
    try:
        records = load_records(store.read(result_key(gate_id, key)))
    except NotFoundError:
        return None
    return ShardSummary(len(records), sum(record.outcome == "errored" for record in records), resumed=len(records))


class ShardRun:
    """Carries out one shard, once."""

    def __init__(
        self,
        shard: Shard,
        *,
        runner: TrialRunner,
        store: ObjectStore,
        limits: Limits,
        remaining_s: Callable[[], float],
        abandoned: Callable[[], bool] = lambda: False,
    ) -> None:
        """`remaining_s` tells how long this function may still run; `abandoned`, whether its runtime is still meant.

        A runtime that is deleted while it is asked fails like a bad agent: such a failure is no result.
        """
        self._shard = shard
        self._runner = runner
        self._store = store
        self._limits = limits
        self._remaining_s = remaining_s
        self._abandoned = abandoned
        self._given_up = False
        self._refused = ""
        self._finished: dict[TrialKey, Finished] = {}
        self._stopped = False
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._writing = Lock()
        self._stopping = ThreadPoolExecutor(_STOPPING_AT_ONCE, thread_name_prefix="stop")

    async def carry_out(self, delivery: Delivery) -> ShardSummary:
        """Do what earlier attempts have not done, and write the results.

        Raises:
            TransientError: time is up before all lines are done, or AgentCore starts no sessions; a checkpoint lets the
                next attempt go on.
            ConflictError: nobody wants the results any more; the checkpoint has what was done until then.
            InvalidRequestError: a function with this time-out could never finish a trial.
        """
        if self._remaining_s() < self._limits.reserve_s:
            raise InvalidRequestError(
                f"{self._remaining_s():.0f} s are left, one trial may need {self._limits.reserve_s:.0f} s: raise the "
                "time-out of the function, or lower InvokeTimeoutSeconds"
            )
        keys = list(dict.fromkeys(self._shard.lines))
        for key in keys:
            self._runner.check(key)
        earlier = await asyncio.to_thread(self._resume)
        self._finished = {done.record.key: done for done in earlier.finished if done.record.key in set(keys)}
        resumed = len(self._finished)
        delivery.delivered_earlier(earlier.delivered)
        for done in self._finished.values():
            if done.record.key not in delivery.delivered and not self._runner.stored(done.record.key):
                delivery.add(done)
        checkpoints = asyncio.create_task(self._checkpoint_regularly(delivery))
        try:
            async with asyncio.TaskGroup() as group:
                for key in keys:
                    if key not in self._finished:
                        group.create_task(self._line(key, delivery))
            undelivered = await delivery.finish(min(self._limits.delivery_s, self._remaining_s() - 5.0))
        finally:
            checkpoints.cancel()
            with suppress(asyncio.CancelledError):
                await checkpoints
            self._stopping.shutdown(wait=False, cancel_futures=True)
        if self._stopped:
            await asyncio.to_thread(self._write_checkpoint, delivery)
            open_lines = len(keys) - len(self._finished)
            if self._given_up:
                raise ConflictError(f"{open_lines} of {len(keys)} trials are left: what asked for them has ended")
            why = f"AgentCore started no session for them: {self._refused}" if self._refused else "the time is up"
            raise TransientError(f"{open_lines} of {len(keys)} trials are still to do, and {why}")
        records = [self._finished[key].record for key in keys]
        body = dump_records(records).encode()
        await asyncio.to_thread(self._store.create, result_key(self._shard.gate_id, self._shard.key), body)
        return ShardSummary(len(records), sum(record.outcome == "errored" for record in records), resumed, undelivered)

    async def _line(self, key: TrialKey, delivery: Delivery) -> None:
        async with self._slots:
            if not self._stopped and not self._runner.stored(key):
                await self._runner.may_start()
            if self._stopped or self._remaining_s() < self._limits.reserve_s:
                self._stopped = True
                return
            if self._runner.stored(key):
                # Its place is kept while it is judged: a wave has hundreds, and a judge has its own limits. It is a
                # trace already, of the gate that invoked it.
                self._finished[key] = await self._runner.judge_again(key)
                return
            invoked = await self._runner.invoke(key)
            if isinstance(invoked.reply, TrialError) and await asyncio.to_thread(self._abandoned):
                self._stopped = self._given_up = True
                return
            if isinstance(invoked.reply, TrialError) and invoked.not_started:
                # Not the agent's failure, and no result: the next attempt at the shard asks again.
                self._stopped, self._refused = True, f"{invoked.reply.kind}: {invoked.reply.message[:200]}"
                return
        finished = await self._runner.judge(invoked)
        self._finished[key] = finished
        delivery.add(finished)
        self._stopping.submit(self._runner.stop_session, key)

    def _resume(self) -> Checkpoint:
        try:
            return load_checkpoint(self._store.read(checkpoint_key(self._shard.gate_id, self._shard.key)))
        except NotFoundError:
            return Checkpoint()
        except InvalidRequestError as error:
            logger.warning("checkpoint is ignored, the shard starts over", extra={"reason": str(error)})
            return Checkpoint()

    async def _checkpoint_regularly(self, delivery: Delivery) -> None:
        written = (len(self._finished), len(delivery.delivered))
        while True:
            await asyncio.sleep(self._limits.checkpoint_every_s)
            now = (len(self._finished), len(delivery.delivered))
            if now == written:
                continue
            try:
                await asyncio.to_thread(self._write_checkpoint, delivery)
            except FlywheelError as error:
                # It only saves work after a crash: without it the shard is right all the same.
                logger.warning("checkpoint not written", extra={"reason": str(error)})
            else:
                written = now

    def _write_checkpoint(self, delivery: Delivery) -> None:
        # One after another: a write that was under way when the shard stopped must not land after the last one.
        with self._writing:
            body = dump_checkpoint(list(self._finished.values()), list(delivery.delivered))
            self._store.put(checkpoint_key(self._shard.gate_id, self._shard.key), body)

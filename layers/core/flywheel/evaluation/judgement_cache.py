"""Judgements that were made before, by this judge, of the same answer: taken from a store instead of asked again.

The store saves time and money and decides nothing: while it does not answer, the judge is asked, and the shard says so.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flywheel.domain.outcome import FactScore
from flywheel.errors import FlywheelError
from flywheel.evaluation.ports import Judge, JudgementFailure, JudgementStore, StoredJudgement

logger = logging.getLogger(__name__)

LOOKUP_S: Final = 2.0
# Calls in flight. The facts of an answer share a look-up; writing waits for nobody and nobody waits for it.
_READING_AT_ONCE = 4
_WRITING_AT_ONCE = 2
_MOST_KEYS = 100
# After so many failures in a row the store is left alone for the rest of the shard.
_DOWN_AFTER = 3


@dataclass(frozen=True, slots=True)
class Freshness:
    """Entries from before `not_before` are not used, and new ones are of no use after `keep_s` seconds."""

    not_before: datetime
    keep_s: float


def freshness(cache_h: float, now: datetime, gate_started: datetime | None = None) -> Freshness | None:
    """Which entries a shard may use; None: none at all.

    `gate_started` is given for a gate that compares with stored answers: all that it compares is then judged by the
    judge of today, though a judge that drifts keeps its version.
    """
    if not cache_h:
        return None
    oldest = now - timedelta(hours=cache_h)
    return Freshness(oldest if gate_started is None else max(oldest, gate_started), cache_h * 3600)


def judgement_key(judge_version: str, question: str, fact: str, answer: str) -> str:
    """SHA-256 over what a judgement depends on; tells nobody what was asked or answered."""
    canonical = json.dumps([judge_version, question, fact, answer], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


class CachedJudgements:
    """A `Judge` that looks into the store first; only judgements that succeeded are put there.

    It belongs to one event loop. `hits` counts judgements from the store, `failures` calls of it that failed.
    """

    def __init__(
        self,
        judge: Judge,
        store: JudgementStore,
        *,
        version: str,
        fresh: Freshness,
        now: Callable[[], datetime],
    ) -> None:
        """`version` is the hash of the instrument: a judgement by another one is another judgement."""
        self._judge = judge
        self._store = store
        self._version = version
        self._fresh = fresh
        self._now = now
        self._reading = asyncio.Semaphore(_READING_AT_ONCE)
        self._writing = asyncio.Semaphore(_WRITING_AT_ONCE)
        self._threads = ThreadPoolExecutor(_READING_AT_ONCE + _WRITING_AT_ONCE, thread_name_prefix="judgements")
        self._asked_for: dict[str, asyncio.Future[StoredJudgement | None]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._failed_in_a_row = 0
        self.hits = 0
        self.failures = 0

    async def judge(self, question: str, fact: str, answer: str) -> FactScore | JudgementFailure:
        key = judgement_key(self._version, question, fact, answer)
        found = await self._found(key)
        if found is not None:
            self.hits += 1
            return FactScore(fact, found.choice, found.score, found.rationale)
        judged = await self._judge.judge(question, fact, answer)
        if isinstance(judged, FactScore):
            self._start(self._keep(key, StoredJudgement(judged.choice, judged.score, judged.rationale, self._now())))
        return judged

    async def finish(self, deadline_s: float) -> None:
        """Wait for what is still being written; what is not written by then is judged again some day."""
        if self._running:
            await asyncio.wait(self._running, timeout=deadline_s)
        for task in self._running:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def _down(self) -> bool:
        return self._failed_in_a_row >= _DOWN_AFTER

    async def _found(self, key: str) -> StoredJudgement | None:
        if self._down:
            return None
        future = self._asked_for.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._asked_for[key] = loop.create_future()
            if len(self._asked_for) == 1:
                # After all that is asked for in this turn of the loop: the facts of an answer make one call.
                loop.call_soon(lambda: self._start(self._look_up()))
        return await asyncio.shield(future)

    async def _look_up(self) -> None:
        asked, self._asked_for = self._asked_for, {}
        keys = list(asked)
        for start in range(0, len(keys), _MOST_KEYS):
            batch = keys[start : start + _MOST_KEYS]
            found = await self._stored(batch)
            for key in batch:
                if not asked[key].done():
                    asked[key].set_result(found.get(key))

    async def _stored(self, keys: Sequence[str]) -> dict[str, StoredJudgement]:
        async with self._reading:
            return await self._call(lambda: self._store.find(keys, self._fresh.not_before)) or {}

    async def _keep(self, key: str, judged: StoredJudgement) -> None:
        expires = judged.judged_at + timedelta(seconds=self._fresh.keep_s)
        async with self._writing:
            if not self._down:
                await self._call(lambda: self._store.keep(key, judged, self._fresh.not_before, expires))

    async def _call[T](self, call: Callable[[], T]) -> T | None:
        """Call the store in a thread; None when it failed or took too long."""
        try:
            done = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(self._threads, call), LOOKUP_S)
        except (FlywheelError, TimeoutError) as error:
            self.failures += 1
            self._failed_in_a_row += 1
            if self.failures == 1:
                reason = str(error) or f"no answer in {LOOKUP_S:g} s"
                logger.warning("judgements are not cached, the judge is asked", extra={"reason": reason})
            return None
        self._failed_in_a_row = 0
        return done

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

"""One flush for all requests that end at about the same time, and never a wait on a Langfuse that is down."""

import asyncio
import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)


class SharedFlush:
    """Requests wait for a flush that begins after their spans ended, together with all that ended meanwhile.

    At most one flush runs and one is due: fifty requests cost two flushes, not fifty. While flushes fail nobody
    waits for one; each request still starts one, so that the first that succeeds brings the waiting back.
    All methods belong to one event loop.
    """

    def __init__(self, flush: Callable[[], bool], budget_s: float = 3.0) -> None:
        """`flush` blocks, runs in a thread and tells whether everything arrived. `budget_s` bounds one wait."""
        self._flush = flush
        self._budget_s = budget_s
        self._running: asyncio.Task[bool] | None = None
        self._due: asyncio.Task[bool] | None = None
        self._failing = False

    async def wait(self) -> bool:
        """Whether the spans that ended before this call are known to have arrived."""
        due = self._schedule()
        if self._failing:
            return False
        await asyncio.wait({due}, timeout=self._budget_s)
        if not due.done():
            self._failing = True
            logger.warning("traces did not reach Langfuse in time", extra={"budget_s": self._budget_s})
            return False
        return due.result()

    def _schedule(self) -> asyncio.Task[bool]:
        if self._due is None:
            self._due = asyncio.create_task(self._run_after(self._running))
        return self._due

    async def _run_after(self, previous: asyncio.Task[bool] | None) -> bool:
        if previous is not None:
            await asyncio.wait({previous})
        self._running, self._due = self._due, None
        try:
            arrived = await asyncio.to_thread(self._flush)
        except Exception:  # an exporter's defect must not become the answer's
            logger.exception("the flush itself failed")
            arrived = False
        if not arrived and not self._failing:
            logger.warning("traces could not be sent to Langfuse")
        self._failing = not arrived
        return arrived

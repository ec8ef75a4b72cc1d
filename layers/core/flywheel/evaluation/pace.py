"""Sessions start one after another: AgentCore starts so many new ones a second in an account, and refuses others."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class SessionPace:
    """Spaces starts evenly, `per_s` a second at most; one for all trials of a function, used in one event loop."""

    def __init__(
        self,
        per_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Raise `ValueError` for a rate that is not positive."""
        if per_s <= 0:
            raise ValueError(f"{per_s} sessions a second: nothing would ever start")
        self._gap_s = 1.0 / per_s
        self._now = now
        self._sleep = sleep
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for the next free start, in the order of the calls."""
        now = self._now()
        start = max(now, self._next)
        self._next = start + self._gap_s
        if start > now:
            await self._sleep(start - now)

"""A look that says "not yet" -> looked at again within the same call: what is there in a moment costs no whole wait."""

import time
from collections.abc import Callable
from typing import Final, Protocol

# The state machine waits whole seconds, and each of its rounds is paid for; this much waiting inside a call is not.
WITHIN_S: Final = 3.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _GROWTH = 0.1, 0.5, 1.6


class Waiting(Protocol):
    """Reply of a function that is asked again and again; `wait_s` is 0 once there is nothing to wait for."""

    @property
    def wait_s(self) -> int: ...


def look_again[Reply: Waiting](
    look: Callable[[], Reply],
    within_s: float = WITHIN_S,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Reply:
    """Look until there is nothing to wait for or the time is over; give the last reply.

    What `look` raises goes through: a call that failed is the state machine's to repeat.
    """
    end = monotonic() + within_s
    pause_s = _FIRST_PAUSE_S
    reply = look()
    while reply.wait_s > 0 and monotonic() + pause_s <= end:
        sleep(pause_s)
        pause_s = min(_LONGEST_PAUSE_S, pause_s * _GROWTH)
        reply = look()
    return reply

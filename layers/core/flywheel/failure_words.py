"""What a state machine caught -> a code and words for people."""

import json
import re

from flywheel.events import Failure

_CAUSE_LIMIT = 300


def failure_words(failure: Failure) -> tuple[str, str]:
    """The error's name as a code, and its message, shortened.

    A Lambda's cause is JSON; its message is for people, its stack trace is for the log.
    """
    message = failure.cause
    try:
        message = str(json.loads(failure.cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        found = re.search(r'"errorMessage":\s*"((?:[^"\\]|\\.)*)', failure.cause)  # cut off in the middle
        message = found[1] if found else failure.cause
    return re.sub(r"[^A-Za-z0-9_.]", "_", failure.error)[:80] or "unknown", message[:_CAUSE_LIMIT]

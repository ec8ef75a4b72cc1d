"""What a log line holds, and what it never holds."""

import json
import logging
import sys
from typing import Any

from agent.logs import ContentFreeFormatter

SECRET = "the user's question"


def line(logger: str, message: object, *arguments: object, exc_info: Any = None, **extra: object) -> dict[str, Any]:
    record = logging.getLogger(logger).makeRecord(
        logger, logging.WARNING, __file__, 1, str(message), arguments, exc_info, extra=extra or None
    )
    parsed: dict[str, Any] = json.loads(ContentFreeFormatter().format(record))
    return parsed


def test_our_own_message_keeps_its_arguments_and_keys() -> None:
    entry = line("agent.app", "took %d ms", 5, trace_id="abc")

    assert entry["message"] == "took 5 ms"
    assert entry["trace_id"] == "abc"
    assert entry["level"] == "WARNING"


def test_the_arguments_of_a_library_are_left_out() -> None:
    entry = line("strands.event_loop", "error=<%s> | failed", SECRET, content=SECRET)

    assert entry["message"] == "error=<%s> | failed"
    assert SECRET not in json.dumps(entry)


def test_a_logger_that_only_begins_like_ours_is_a_library() -> None:
    assert SECRET not in json.dumps(line("agentic", "%s", SECRET))


def test_an_exception_is_told_by_type_and_place_only() -> None:
    def fails() -> None:
        raise ValueError(SECRET)

    try:
        fails()
    except ValueError:
        entry = line("agent.app", "unexpected failure", exc_info=sys.exc_info())

    assert entry["error_type"] == "ValueError"
    assert "test_logs.py" in entry["error_at"][-1]
    assert SECRET not in json.dumps(entry)


def test_a_line_break_stays_in_its_line() -> None:
    record = logging.makeLogRecord({"name": "agent", "msg": "a\nb", "levelname": "INFO"})

    assert "\n" not in ContentFreeFormatter().format(record)

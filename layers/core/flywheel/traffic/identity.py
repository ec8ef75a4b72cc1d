"""Ids of a run that are the same however often they are made, and where its files are."""

import hashlib
import re
from datetime import UTC, datetime

from flywheel.errors import InvalidRequestError

RUN_ID = re.compile(r"t-\d{8}t\d{6}-[0-9a-f]{8}")
PREFIX = "traffic/"


def run_id(started: datetime, request: str) -> str:
    """Id of the run that a request asks for: sorts by time, and is the same for the same request."""
    return f"t-{started.astimezone(UTC):%Y%m%dt%H%M%S}-{hashlib.sha256(request.encode()).hexdigest()[:8]}"


def checked_run_id(text: str) -> str:
    """The id, which becomes part of keys. Raise `InvalidRequestError` when it is none."""
    if not RUN_ID.fullmatch(text):
        raise InvalidRequestError(f"{text[:60]!r} is no run of traffic; one is t-20261125t100000-0123abcd")
    return text


def session_id(run: str, arrival: int) -> str:
    """AgentCore session of one conversation: at least 33 characters."""
    return f"traffic-{run}-{hashlib.sha256(f'{run}/{arrival}'.encode()).hexdigest()[:24]}"


def plan_key(run: str) -> str:
    return f"{PREFIX}{run}/plan.json"


def cast_key(run: str, number: int) -> str:
    return f"{PREFIX}{run}/personas/{number}.json"


def claim_key(run: str, part: int) -> str:
    return f"{PREFIX}{run}/claims/{part}.json"


def progress_key(run: str, part: int) -> str:
    return f"{PREFIX}{run}/progress/{part}.json"


def part_key(run: str, part: int) -> str:
    return f"{PREFIX}{run}/parts/{part}.json"


def report_key(run: str) -> str:
    return f"{PREFIX}{run}/report.json"

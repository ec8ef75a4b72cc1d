"""What a client posts as a score -> a checked score, worded and refused as Langfuse does at its front door.

Behind the door a worker checks the score against its config and drops it without a word: see `scores`.
"""

import re
from dataclasses import dataclass
from typing import Any

from local.langfuse.clock import parse_time
from local.langfuse.validation import (
    MISSING,
    Check,
    Issue,
    Path,
    anything,
    custom,
    fields,
    is_finite,
    kind,
    no_discriminator,
    nullish,
    number,
    one_of,
    optional,
    string,
    wrong_type,
)

_ENVIRONMENT = re.compile(r"[a-z0-9_-]{1,40}")
_TARGETS = ("traceId", "sessionId", "datasetRunId", "observationId")
_ONE_TARGET = (
    "Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. "
    "ObservationId requires traceId."
)
_CONFIG_NEEDED = "configId is required when source is ANNOTATION (except for CORRECTION scores)."
_text = string(1, 500)
_any_text = string()


@dataclass(frozen=True, slots=True)
class PostedScore:
    """`value` as it was sent; `data_type` None when the client left it out. Texts are None when not sent."""

    id: str | None
    name: str
    value: float | str
    data_type: str | None
    trace_id: str | None
    observation_id: str | None
    session_id: str | None
    run_id: str | None
    source: str
    environment: str
    config_id: str | None
    queue_id: str | None
    comment: str | None
    metadata: dict[str, Any] | None
    timestamp_us: int | None


_FIELDS: dict[str, Check] = {
    "id": nullish(string()),
    "name": string(1),
    "value": lambda value, _path, _issues: value,
    "dataType": lambda value, _path, _issues: value,
    "traceId": nullish(string()),
    "sessionId": nullish(string()),
    "datasetRunId": nullish(string()),
    "observationId": nullish(string()),
    "comment": nullish(string()),
    "metadata": anything,
    "environment": nullish(string()),
    "queueId": nullish(string()),
    "configId": nullish(string()),
    "source": optional(one_of("API", "ANNOTATION"), "API"),
    "timestamp": anything,
}


def score_body(value: Any, path: Path, issues: list[Issue]) -> PostedScore | None:
    """A check for `validation.parse`; None when issues were found."""
    before = len(issues)
    if not isinstance(value, dict):
        issue = wrong_type("object", value, path)
        # Two of them, as the union of the body's forms reports it.
        issues.extend([issue, {key: issue[key] for key in ("code", "expected", "path", "message")}])
        return None
    body = fields(_FIELDS)(value, path, issues)
    _check_value(body, path, issues)
    if len(issues) == before:
        _check_references(body, path, issues)
    if len(issues) > before:
        return None
    metadata = body["metadata"]
    return PostedScore(
        id=body["id"] or None,
        name="output" if body["dataType"] == "CORRECTION" else body["name"],
        value=body["value"],
        data_type=None if body["dataType"] is MISSING else body["dataType"],
        trace_id=body["traceId"] or None,
        observation_id=body["observationId"] or None,
        session_id=body["sessionId"] or None,
        run_id=body["datasetRunId"] or None,
        source=body["source"],
        environment=safe_environment(body["environment"]),
        config_id=body["configId"] or None,
        queue_id=body["queueId"] or None,
        comment=body["comment"],
        metadata=metadata if metadata is None or isinstance(metadata, dict) else {"metadata": metadata},
        timestamp_us=_timestamp(body["timestamp"]),
    )


def _check_value(body: dict[str, Any], path: Path, issues: list[Issue]) -> None:
    value, value_path = body["value"], (*path, "value")
    match body["dataType"]:
        case "NUMERIC":
            number(value, value_path, issues)
        case "BOOLEAN":
            before = len(issues)
            number(value, value_path, issues)
            if len(issues) == before and value not in (0, 1):
                message = "Value must be a number equal to either 0 or 1 for data type BOOLEAN"
                issues.append(custom(message, value_path))
        case "CATEGORICAL" | "CORRECTION":
            _any_text(value, value_path, issues)
        case "TEXT":
            _text(value, value_path, issues)
        case _ if body["dataType"] is MISSING:
            if kind(value) not in ("string", "number") or (kind(value) == "number" and not is_finite(value)):
                errors = [[wrong_type(expected, value, ())] for expected in ("string", "number")]
                issue: Issue = {"code": "invalid_union", "errors": errors, "path": list(value_path)}
                issues.append(issue | {"message": "Invalid input"})
        case _:
            issues.append(no_discriminator("dataType", (*path, "dataType")))


def _check_references(body: dict[str, Any], path: Path, issues: list[Issue]) -> None:
    trace, session, run, observation = (bool(body[key]) for key in _TARGETS)
    if trace + session + run != 1 or (observation and not trace):
        issue = custom(_ONE_TARGET, path)
        issues.append(issue | {"path": list(_TARGETS)})
    if body["dataType"] == "CORRECTION":
        if body["configId"] is not None:
            issues.append(wrong_type("undefined", body["configId"], (*path, "configId")))
    elif body["source"] == "ANNOTATION" and not body["configId"]:
        issues.append(custom(_CONFIG_NEEDED, (*path, "configId")))


def _timestamp(value: Any) -> int | None:
    try:
        return parse_time(value, loose=True) if isinstance(value, str) else None
    except ValueError:
        return None


def safe_environment(environment: str | None) -> str:
    """The environment a score is stored under: `default` for anything malformed, without the reserved prefix."""
    name = (environment or "default").removeprefix("langfuse-")
    return name if _ENVIRONMENT.fullmatch(name) and not name.startswith("langfuse") else "default"

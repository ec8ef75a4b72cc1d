"""Traces and annotation queues of a stand-in, as the agent and the sampler leave them."""

import json
import secrets
import time
import uuid
from collections.abc import Sequence
from typing import Any

import httpx

from flywheel.domain.review_form import LIVE_FORM, SAMPLED_SCORE


def _attributes(**values: str) -> list[dict[str, Any]]:
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in values.items()]


def send_trace(
    http: httpx.Client,
    *,
    question: str = "How long is data kept?",
    answer: str = "For ever.",
    raw: tuple[str, str] | None = None,
    tools: Sequence[tuple[str, str, str]] = (("search_docs", '{"query": "retention"}', "three pages"),
                                             ("read_page", '{"path": "/data"}', "")),
) -> str:  # fmt: skip
    """One answered question with its tools (name, input, output); a tool without output failed. The trace's id."""
    trace = secrets.token_hex(16)
    root = secrets.token_hex(8)
    start = time.time_ns() - 3_000_000_000
    asked, said = raw or (json.dumps({"question": question}), answer)
    spans: list[dict[str, Any]] = [
        {"spanId": root, "name": "answer_question", "startTimeUnixNano": str(start),
         "attributes": _attributes(langfuse__observation__type="agent", langfuse__observation__input=asked,
                                   langfuse__observation__output=said, langfuse__environment="dev")}
    ]  # fmt: skip
    for number, (tool, given, result) in enumerate(tools, 1):
        values = {"langfuse__observation__type": "tool", "langfuse__observation__input": given}
        values |= {"langfuse__observation__output": result} if result else {}
        values |= {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": tool}  # as Strands has it
        failed = {} if result else {"status": {"code": 2, "message": f"{tool} timed out"}}
        at = {"startTimeUnixNano": str(start + number * 1_000_000), "parentSpanId": root}
        span = {"spanId": secrets.token_hex(8), "name": f"execute_tool {tool}", "attributes": _attributes(**values)}
        spans.append(span | at | failed)
    sent = [span | {"traceId": trace, "endTimeUnixNano": str(start + 1_234_000_000)} for span in spans]
    export = {"resourceSpans": [{"scopeSpans": [{"spans": sent}]}]}
    http.post("/api/public/otel/v1/traces", json=export).raise_for_status()
    return trace


def sampled(http: httpx.Client, trace: str, reasons: Sequence[str], probability: float = 0.25) -> None:
    """What the sampler leaves on a trace that it queued."""
    metadata = {"reasons": list(reasons), "stratum": "errors"}
    score = {"id": uuid.uuid4().hex, "name": SAMPLED_SCORE, "value": probability, "traceId": trace}
    post_score(http, score | {"dataType": "NUMERIC", "metadata": metadata})


def post_score(http: httpx.Client, score: dict[str, Any]) -> None:
    """In the form that this server takes."""
    arrays = http.get("/api/public/health").json()["version"] != "4.16.0"
    http.post("/api/public/scores", json=[score] if arrays else score).raise_for_status()


def live_queue(
    http: httpx.Client, name: str, traces: Sequence[str], *, questions: Sequence[str] = (), more: Sequence[str] = ()
) -> str:
    """A queue that asks the form of live reviews (or only `questions` of it), then the configs of the ids in `more`."""
    api = "/api/public"
    known = http.get(f"{api}/score-configs", params={"limit": 100}).json()["data"]
    ids = {config["name"]: config["id"] for config in reversed(known)}
    asked = [score for score in LIVE_FORM if not questions or score.name in questions]
    for score in asked:
        if score.name not in ids:
            config = {"name": score.name, "dataType": score.data_type, "description": score.description}
            ids[score.name] = http.post(f"{api}/score-configs", json=config).raise_for_status().json()["id"]
    body: dict[str, Any] = {
        "name": name,
        "description": "What people asked.",
        "scoreConfigIds": [ids[s.name] for s in asked] + [*more],
    }
    queue = str(http.post(f"{api}/annotation-queues", json=body).raise_for_status().json()["id"])
    for trace in traces:
        item = {"objectId": trace, "objectType": "TRACE"}
        http.post(f"{api}/annotation-queues/{queue}/items", json=item).raise_for_status()
    return queue

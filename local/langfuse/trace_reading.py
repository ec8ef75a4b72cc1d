"""Observations of one trace -> what a reviewer looks at: question, answer, tools in their order, what went wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.langfuse.wire import parsed_if_json

_TOOL_PREFIX = "execute_tool "


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a tool. `message`: what it complained about, empty when it worked."""

    tool: str
    input: str | None
    output: str | None
    failed: bool
    message: str


@dataclass(frozen=True, slots=True)
class TraceSeen:
    """`question` and `answer` as texts where the agent's own form is recognised, else the raw input and output.

    `prefilled`: what the editor of a correction opens with, which is the root's whole output; JSON as it is laid out
    there.
    """

    question: str
    answer: str
    prefilled: str
    steps: tuple[Step, ...]
    failed: bool
    message: str


def read_trace(observations: Sequence[Mapping[str, Any]]) -> TraceSeen | None:
    """Read observations, oldest first; None when there are none.

    The outermost agent speaks for the trace; a trace without one is spoken for by its root, or by its first span.
    """
    if not observations:
        return None
    agents = [seen for seen in observations if seen["type"] == "AGENT"]
    known = {seen["id"] for seen in observations}
    roots = [seen for seen in observations if _parent(seen) not in known]
    speaker = (agents or roots or list(observations))[0]
    whole = (roots or list(observations))[0]
    return TraceSeen(
        question=_said(speaker["input"], "question", "prompt"),
        answer=_said(speaker["output"], "answer"),
        prefilled=_laid_out(whole["output"]),
        steps=tuple(_step(seen) for seen in observations if seen["type"] == "TOOL"),
        failed=speaker["level"] == "ERROR",
        message=speaker["statusMessage"] or "",
    )


def _parent(seen: Mapping[str, Any]) -> Any:
    return seen["parent_id"] if "parent_id" in seen else seen["parentObservationId"]


def _step(seen: Mapping[str, Any]) -> Step:
    return Step(
        tool=str(seen["name"]).removeprefix(_TOOL_PREFIX),
        input=seen["input"],
        output=seen["output"],
        failed=seen["level"] == "ERROR",
        message=seen["statusMessage"] or "",
    )


def _laid_out(output: str | None) -> str:
    value = parsed_if_json(output)
    if isinstance(value, dict | list):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return output or ""


def _said(text: str | None, *keys: str) -> str:
    value = parsed_if_json(text)
    if isinstance(value, dict):
        for key in keys:
            if isinstance(value.get(key), str):
                return str(value[key])
    return value if isinstance(value, str) else text or ""

"""An evaluator, its mapping and an observation -> one call of the evaluator's model -> a checked score."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from local.langfuse.json_path import values_at
from local.langfuse.mappings import filled
from local.langfuse.observation_rows import Row
from local.langfuse.validation import is_finite
from local.langfuse.wire import parsed_if_json, to_json

_TIMEOUT_S = 30.0
_TOOL = "extract"
_TYPES = {"NUMERIC": "number", "BOOLEAN": "boolean"}
_LONGEST_REASONING = 10_000


class EvaluationError(Exception):
    """It ends without a score; the message says why, and has nothing of what was judged."""


@dataclass(frozen=True, slots=True)
class Judged:
    """`values`: one number, or the labels that fit."""

    data_type: str
    values: tuple[float | str, ...]
    reasoning: str


def variables(mapping: Sequence[Mapping[str, Any]], row: Row) -> dict[str, str]:
    """Text in place of each variable. What a JSONPath names comes as a JSON list, as Langfuse's library gives it."""
    experiment = row.document["experiment"]
    sources = {
        "input": row.document["input"],
        "output": row.document["output"],
        "metadata": row.document["metadata"],
        "tool_calls": [],  # the stand-in reads none out of spans
        "expected_output": experiment.get("item.expected_output"),
        "experiment_item_metadata": experiment.get("item.metadata"),
    }
    return {one["variable"]: _text(sources[one["source"]], one.get("jsonPath")) for one in mapping}


def _text(value: Any, path: str | None) -> str:
    if path and value is not None:
        read = parsed_if_json(value)
        if not isinstance(read, str):  # a text that is no JSON stays as it is
            value = values_at(path, read)
    if value is None:
        return ""
    return value if isinstance(value, str) else to_json(value)


class ModelCalls:
    """`transport`: what carries the requests; None: the network."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport

    async def ask(self, connection: Mapping[str, Any], definition: Mapping[str, Any], values: dict[str, str]) -> Judged:
        """Force one call of a tool that takes reasoning and score. Once: the real server tries for a day, then ends so.

        Raises:
            EvaluationError: no address, no answer, not this answer, or a score that the definition does not allow.
        """
        # Never to a provider's own address: what is judged leaves this machine only where somebody has said so.
        if connection["adapter"] != "openai" or not connection["base_url"]:
            raise EvaluationError("the stand-in calls connections of adapter openai that have a baseURL")
        body = _request(definition, filled(definition["prompt"], values))
        url = f"{connection['base_url'].rstrip('/')}/chat/completions"
        headers = {"authorization": f"Bearer {connection['secret_key']}"}
        try:
            async with httpx.AsyncClient(transport=self._transport, trust_env=False, timeout=_TIMEOUT_S) as client:
                reply = await client.post(url, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise EvaluationError(f"the model does not answer ({type(error).__name__})") from error
        if not reply.is_success:
            raise EvaluationError(f"the model answered {reply.status_code}")
        return _judged(definition["outputDefinition"], reply.content)


def _request(definition: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    output = definition["outputDefinition"]
    properties = {
        "reasoning": {"type": "string", "description": output["reasoning"]["description"]},
        "score": _score_schema(output),
    }
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    tool = {"type": "function", "function": {"name": _TOOL, "parameters": schema}}
    return {
        "model": definition["modelConfig"]["model"],
        "messages": [{"role": "user", "content": prompt}],
        "tools": [tool],
        "tool_choice": {"type": "function", "function": {"name": _TOOL}},
    }


def _score_schema(output: Mapping[str, Any]) -> dict[str, Any]:
    score = output["score"]
    described = {"description": score["description"]}
    if output["dataType"] == "CATEGORICAL":
        label = {"type": "string", "enum": score["categories"]}
        return described | ({"type": "array", "items": label} if score["shouldAllowMultipleMatches"] else label)
    ends = {"minimum": score.get("minValue"), "maximum": score.get("maxValue")}
    return described | {"type": _TYPES[output["dataType"]]} | {k: v for k, v in ends.items() if v is not None}


def _judged(output: Mapping[str, Any], body: bytes) -> Judged:
    try:
        call = json.loads(body)["choices"][0]["message"]["tool_calls"][0]["function"]
        said = json.loads(call["arguments"])
        reasoning, score = said["reasoning"], said["score"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise EvaluationError("the model did not answer with reasoning and score") from error
    values = _values(output, score)
    if not isinstance(reasoning, str) or values is None:
        raise EvaluationError(f"the model's score is none of type {output['dataType']} as defined")
    return Judged(output["dataType"], values, reasoning[:_LONGEST_REASONING])


def _values(output: Mapping[str, Any], score: Any) -> tuple[float | str, ...] | None:
    """The score's values; None: it is not what the definition asks for."""
    limits = output["score"]
    match output["dataType"]:
        case "BOOLEAN":
            return (float(score),) if isinstance(score, bool) else None
        case "NUMERIC":
            if isinstance(score, bool) or not isinstance(score, int | float) or not is_finite(score):
                return None
            low, high = limits.get("minValue"), limits.get("maxValue")
            fits = (low is None or score >= low) and (high is None or score <= high)
            return (float(score),) if fits else None
    labels = score if limits["shouldAllowMultipleMatches"] else [score]
    if not isinstance(labels, list) or not labels:
        return None
    known = all(isinstance(label, str) and label in limits["categories"] for label in labels)
    return tuple(labels) if known and len(set(labels)) == len(labels) else None

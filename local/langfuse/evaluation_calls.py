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
_TRIAL_PROMPT = (
    'Extract a score (1-5) and reasoning from this text: "This is a test. It worked perfectly because it matched all '
    'passing criteria."'
)
_TYPES = {"NUMERIC": "number", "BOOLEAN": "boolean"}
_LONGEST_REASONING = 10_000


class EvaluationError(Exception):
    """It ends without a score; the message says why, and has nothing of what was judged.

    `status`: what the provider answered with, if it refused. `said`: in which words.
    """

    def __init__(self, message: str, *, status: int | None = None, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said


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
        """Ask for JSON with reasoning and score. Once: the real server tries for a day, then ends so.

        Raises:
            EvaluationError: no address, no answer, not this answer, or a score that the definition does not allow.
        """
        if not can_be_asked(connection):
            raise EvaluationError("the stand-in calls connections of adapter openai that have a baseURL")
        return await self._answer(connection, definition, filled(definition["prompt"], values))

    async def try_out(self, connection: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
        """Ask the same of a text that is always the same; raise EvaluationError as `ask` does."""
        await self._answer(connection, definition, _TRIAL_PROMPT)

    async def _answer(self, connection: Mapping[str, Any], definition: Mapping[str, Any], prompt: str) -> Judged:
        body = _request(definition, prompt)
        url = f"{connection['base_url'].rstrip('/')}/chat/completions"
        headers = {"authorization": f"Bearer {connection['secret_key']}"}
        try:
            async with httpx.AsyncClient(transport=self._transport, trust_env=False, timeout=_TIMEOUT_S) as client:
                reply = await client.post(url, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise EvaluationError("Cannot connect to API") from error
        if not reply.is_success:
            raise EvaluationError(
                f"the model answered {reply.status_code}", status=reply.status_code, said=_refusal(reply)
            )
        return _judged(definition["outputDefinition"], reply.content)


def can_be_asked(connection: Mapping[str, Any]) -> bool:
    """Never a provider's own address: what is judged leaves this machine only where somebody has said so."""
    return connection["adapter"] == "openai" and bool(connection["base_url"])


def _refusal(reply: httpx.Response) -> str:
    try:
        said = reply.json()["error"]["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        said = None
    return said if isinstance(said, str) and said else reply.reason_phrase


def _request(definition: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    output = definition["outputDefinition"]
    properties = {
        "reasoning": {"type": "string", "description": output["reasoning"]["description"]},
        "score": _score_schema(output),
    }
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {
        "model": definition["modelConfig"]["model"],
        "messages": [{"role": "user", "content": prompt}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "response", "strict": True, "schema": schema},
        },
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
        said = json.loads(json.loads(body)["choices"][0]["message"]["content"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise EvaluationError("No object generated: could not parse the response.") from error
    both = isinstance(said, dict) and said.keys() == {"reasoning", "score"}
    reasoning, values = (said["reasoning"], _values(output, said["score"])) if both else (None, None)
    if not isinstance(reasoning, str) or values is None:
        raise EvaluationError("No object generated: response did not match schema.")
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

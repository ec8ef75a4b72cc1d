"""`response_format: json_schema` -> an answer that is valid JSON for the schema, as Langfuse's evaluators ask for it.

Langfuse checks an evaluator's model with "Extract a score (1-5) and reasoning from this text: ...", and judges with the
evaluator's own prompt; both want `{reasoning, score}`. A prompt whose parts can be compared is judged; of any other one
the text is read for what fits the schema, and the reasoning says that nothing was judged.
"""

import json
import re
from collections.abc import Mapping, Sequence
from math import ceil, floor, isfinite
from typing import Any

from local.model import evaluator
from local.model.chat import BadRequestError, ChatRequest, Reply
from local.model.judge import read_sections

_NOT_JUDGED = "Read from the text; this local model has compared nothing."
_DEEPEST = 8
_MOST_ENTRIES = 100
# A number of its own: no end of a range ("1-5"), no part of a word or a version.
_NUMBER = re.compile(r"(?<![\w.\-\u2013])-?\d+(?:\.\d+)?(?![\w%]|\.\d|\s?[-\u2013]\s?\d)")
_YES = re.compile(r"\b(?:true|yes)\b", re.IGNORECASE)


def answer(request: ChatRequest) -> Reply:
    """JSON text for the schema of the request's `response_format`.

    Raises:
        BadRequestError: there is no schema of an object, or it nests too deep; or as of `evaluator.evaluate`.
    """
    schema = request.response_schema
    if schema is None or schema.get("type", "object") != "object":
        raise BadRequestError("response_format.json_schema.schema: expected a schema of type object")
    prompt = "\n".join(message.content for message in request.messages if message.role == "user")
    properties = schema.get("properties")
    score = properties.get("score") if isinstance(properties, Mapping) else None
    known: dict[str, Any] = {}
    if isinstance(score, Mapping) and score.get("type") in ("number", "boolean") and _can_be_judged(prompt):
        reasoning, value = evaluator.evaluate(prompt, str(score["type"]))
        known = {"reasoning": reasoning, "score": value if isinstance(value, bool) else _scaled(value, score)}
    try:
        filled = _Filling(schema, prompt, known).value(schema, "", 0)
    except (TypeError, AttributeError, LookupError) as error:
        raise BadRequestError(f"response_format: the schema is none that can be read ({error})") from error
    return Reply(text=json.dumps(filled, ensure_ascii=False))


def _can_be_judged(prompt: str) -> bool:
    return "submission" in read_sections(prompt)


def _scaled(share: float, score: Mapping[str, Any]) -> float:
    """A share in [0, 1] on the scale that the schema asks for; without both ends of one it stays a share."""
    low, high = score.get("minimum"), score.get("maximum")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return share
    return round(low + share * (high - low), 4)


class _Filling:
    """One schema, filled from a text. `known`: values of properties of the outermost object."""

    def __init__(self, root: Mapping[str, Any], prompt: str, known: Mapping[str, Any]) -> None:
        self._root = root
        # What is asked ends with the colon: behind it is the text.
        self._text = prompt.partition(":")[2] or prompt
        self._known = known

    def value(self, schema: Any, name: str, depth: int) -> Any:  # noqa: PLR0911 - one form of a schema, one line
        schema = self._resolved(schema)
        if depth > _DEEPEST:
            raise BadRequestError(f"response_format: the schema nests deeper than {_DEEPEST}")
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._option(schema["enum"])
        if isinstance(schema.get("default"), str | int | float | bool):
            return schema["default"]
        match _type_of(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                entries = min(int(schema.get("minItems", 1)), _MOST_ENTRIES)
                return [self.value(schema.get("items", {}), name, depth + 1) for _ in range(entries)]
            case "number" | "integer" as kind:
                return self._number(schema, whole=kind == "integer")
            case "boolean":
                return _YES.search(self._text) is not None
            case "null":
                return None
        return self._string(schema, name)

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        """The schema that a reference or the first of several alternatives leads to; null only where it is alone."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, Mapping):
                return {}
            options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if isinstance(schema.get("$ref"), str):
                schema = self._referred(schema["$ref"])
            elif isinstance(options, list):
                schema = next((one for one in options if one != {"type": "null"}), options[0])
            else:
                return schema
        raise BadRequestError(f"response_format: the schema refers to itself more than {_DEEPEST} times")

    def _referred(self, reference: str) -> Any:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(step) if step and isinstance(found, Mapping) else found
        if found is None:
            raise BadRequestError(f"response_format: the schema has nothing at {reference!r}")
        return found

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        names = [*properties, *(name for name in schema.get("required", ()) if name not in properties)]
        return {
            name: self._known[name]
            if depth == 0 and name in self._known
            else self.value(properties.get(name, {}), name, depth + 1)
            for name in names
        }

    def _option(self, options: Sequence[Any]) -> Any:
        named = (option for option in options if re.search(rf"\b{re.escape(str(option))}\b", self._text, re.IGNORECASE))
        return next(named, options[0])

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> float | int:
        low, high = _limit(schema, "minimum", "exclusiveMinimum", 1), _limit(schema, "maximum", "exclusiveMaximum", -1)
        found = [float(number) for number in _NUMBER.findall(self._text)]
        fits = [n for n in found if isfinite(n) and (low is None or n >= low) and (high is None or n <= high)]
        value = fits[0] if fits else low if low is not None else min(1.0, high) if high is not None else 1.0
        if whole:
            return ceil(value) if value == low else floor(value)
        return int(value) if value.is_integer() else value

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        number = _NUMBER.search(self._text)
        text = number[0] if name == "score" and number else "1" if name == "score" else _NOT_JUDGED
        text = text.ljust(int(schema.get("minLength", 0)), ".")
        return text[: int(schema["maxLength"])] if "maxLength" in schema else text


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _limit(schema: Mapping[str, Any], closed: str, open_: str, step: int) -> float | None:
    """The end of a range; of an open end the next whole number inside."""
    ends = [schema[closed]] if isinstance(schema.get(closed), int | float) else []
    if isinstance(schema.get(open_), int | float) and not isinstance(schema[open_], bool):
        ends.append(floor(schema[open_]) + 1 if step > 0 else ceil(schema[open_]) - 1)
    return float(max(ends) if step > 0 else min(ends)) if ends else None

"""An output, decoded or not -> the answer in it, as text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flywheel.domain.exchange_messages import conversation, is_message, is_part, said
from flywheel.domain.exchange_values import DamagedError, Fields, decoded, fields, named, no_words, streamed

_DEEPEST: Final = 12
_MOST_STEPS: Final = 2_000

_ANSWER_NAMES: Final = (
    "answer",
    "finalanswer",
    "finaloutput",
    "finalresponse",
    "finalresult",
    "outputtext",
    "generatedtext",
    "completion",
    "reply",
    "answertext",
    "result",
    "response",
    "output",
    "raw",
    "messages",
    "outputmessages",
    "choices",
    "candidates",
    "generations",
    "replies",
    "artifacts",
    "text",
    "content",
    "parts",
    "message",
    "returnvalues",
    "outputs",
    "results",
    "generation",
    "body",
    "data",
    "payload",
    "value",
    "values",
    "state",
    "return",
)
_REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Answered:
    """What an agent answered, as text; empty when `unreadable` says why there is none."""

    text: str = ""
    unreadable: str = ""


class AnswerSearch:
    """Looks through one output; how deep and how much of it is bounded, so that none takes long."""

    def __init__(self) -> None:
        self._steps = 0

    def look(self, value: Any, depth: int = 0) -> Answered:
        self._steps += 1
        if depth > _DEEPEST or self._steps > _MOST_STEPS:
            return Answered(unreadable="it is nested too deeply")
        try:
            value = decoded(value)
            events = streamed(value) if isinstance(value, str) else None
        except DamagedError as error:
            return Answered(unreadable=str(error))
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if events is not None or isinstance(value, list | tuple):
            return self._list(value if events is None else events, depth)
        text = value.strip() if isinstance(value, str) else ""
        return Answered(text) if text else Answered(unreadable=no_words(value))

    def _list(self, value: Sequence[Any], depth: int) -> Answered:
        if not value:
            return Answered(unreadable="it is an empty list")
        if all(isinstance(one, str) for one in value):
            return _text("".join(value))
        if (pieces := _pieces(value)) is not None:
            return _text(pieces)
        if all(is_part(one) for one in value):
            return _text(said(value).text)
        if any(is_message(one) for one in value):
            return _last_words(value)
        # Steps of a graph, states one after the other, candidates of which the first counts.
        order = value if len(value) == 1 or _is_choice(value[0]) else list(reversed(value))
        return self._first(order, depth) or Answered(unreadable="it is a list without an answer in words")

    def _first(self, values: Iterable[Any], depth: int) -> Answered | None:
        for one in values:
            found = self.look(one, depth + 1)
            if not found.unreadable:
                return found
            if self._steps > _MOST_STEPS:
                return None
        return None

    def _object(self, value: Mapping[Any, Any], depth: int) -> Answered:
        held = fields(value)
        if is_message(value):
            return _last_words([value])
        if (pieces := _pieces([value])) is not None:
            return _text(pieces)
        for name in _ANSWER_NAMES:
            if held.get(name):
                found = self.look(held[name], depth + 1)
                if not found.unreadable:
                    return found
        if isinstance(held.get(_REFUSAL), str):
            return _text(held[_REFUSAL])
        if is_part(value) and (words := said(value).text):
            return _text(words)
        # A component or a node of a graph under its own name.
        nested = [one for one in value.values() if isinstance(one, Mapping)]
        found_nested = self._first(nested, depth) if "error" not in held else None
        return found_nested or Answered(
            unreadable=f"none of its fields is known to hold an answer (it has {named(value)})"
            if value
            else "it is an empty object"
        )


def _text(text: str) -> Answered:
    text = text.strip()
    return Answered(text) if text else Answered(unreadable="it has no words in it")


def _last_words(messages: Sequence[Any]) -> Answered:
    said_by_it = [heard.turn for heard in conversation(messages) if heard.turn.speaker == "assistant"]
    words = [turn.text for turn in said_by_it if turn.text]
    if words:
        return Answered(words[-1])
    # In an output, parts that nobody is named for are the agent's.
    held = [fields(message) for message in messages if isinstance(message, Mapping)]
    unnamed = [one["parts"] for one in held if "parts" in one and not one.keys() & {"role", "author", "kind"}]
    if unnamed and (text := said(unnamed[-1]).text):
        return _text(text)
    return Answered(unreadable="none of its messages has words of the agent")


def _is_choice(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(fields(value).keys() & {"message", "content", "text", "outputtext"})


def _pieces(events: Sequence[Any]) -> str | None:
    """The text of a stream of events; None: these are no events of a stream.

    Chat Completions (`choices[].delta`), Responses (`response.output_text.delta`), Anthropic (`content_block_delta`),
    Bedrock (`contentBlockDelta`), Vercel (`text-delta`) and Strands (`data`, inside `event`).
    """
    found = [_piece(event) for event in events if isinstance(event, Mapping)]
    texts = [piece for piece in found if piece is not None]
    return "".join(texts) if texts else None


def _piece(event: Mapping[Any, Any]) -> str | None:
    held = fields(event)
    choices = held.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) and "delta" in choices[0]:
        return _delta(choices[0]["delta"])
    for name in ("contentblockdelta", "event"):
        inner = held.get(name)
        if isinstance(inner, Mapping):
            return _piece(inner) if name == "event" else _delta(fields(inner).get("delta"))
    kind = held.get("type")
    if not isinstance(kind, str) or "delta" not in kind or "reasoning" in kind or "argument" in kind:
        return None
    return _delta(next((held[name] for name in ("delta", "textdelta", "text") if name in held), None))


def _delta(delta: Any) -> str | None:
    if isinstance(delta, str):
        return delta
    if not isinstance(delta, Mapping):
        return None
    held: Fields = fields(delta)
    return next((held[name] for name in ("content", "text", "refusal") if isinstance(held.get(name), str)), None)

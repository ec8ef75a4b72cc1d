"""An input, decoded or not -> the question in it and the turns before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flywheel.domain.exchange_history import HISTORY_NAMES, earlier_turns
from flywheel.domain.exchange_messages import Turn, conversation, is_message, is_part, said
from flywheel.domain.exchange_values import DamagedError, Fields, decoded, fields, named, no_words, plain_name

_DEEPEST: Final = 12
_MOST_STEPS: Final = 2_000

# What is asked, in order: a name that says so comes before messages, and messages before a name that may say anything.
_QUESTION_NAMES: Final = (
    "question",
    "query",
    "userinput",
    "usermessage",
    "userquery",
    "userquestion",
    "userprompt",
    "inputtext",
    "chatinput",
    "agentinput",
    "utterance",
    "originalquestion",
)
_MESSAGES_NAMES: Final = ("messages", "chatmessages", "inputmessages", "contents", "newmessage", "conversation")
_LOOSE_NAMES: Final = (
    "prompt",
    "input",
    "message",
    "text",
    "content",
    "inputs",
    "body",
    "kwargs",
    "args",
    "payload",
    "request",
    "data",
    "state",
    "event",
    "arguments",
    "params",
    "parameters",
    "values",
    "variables",
    "detail",
    "task",
    "instruction",
    "goal",
    "topic",
    "q",
    "value",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked of an agent.

    `question`: the last turn of the user, empty when `unreadable` says why there is none. `turns`: the conversation
    before it, oldest first. `rest`: fields beside them, by the names that the agent gave them.
    """

    question: str = ""
    turns: tuple[Turn, ...] = ()
    rest: Mapping[str, Any] = field(default_factory=dict)
    unreadable: str = ""


class QuestionSearch:
    """Looks through one input; how deep and how much of it is bounded, so that none takes long."""

    def __init__(self) -> None:
        self._steps = 0

    def look(self, value: Any, depth: int = 0) -> Asked:
        self._steps += 1
        if depth > _DEEPEST or self._steps > _MOST_STEPS:
            return Asked(unreadable="it is nested too deeply")
        try:
            value = decoded(value)
        except DamagedError as error:
            return Asked(unreadable=str(error))
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        text = value.strip() if isinstance(value, str) else ""
        return Asked(text) if text else Asked(unreadable=no_words(value))

    def _list(self, value: Sequence[Any], depth: int) -> Asked:
        if not value:
            return Asked(unreadable="it is an empty list")
        if all(is_part(one) for one in value):
            return _of_words(value)
        if any(is_message(one) for one in value):
            return _of_messages(value)
        if len(value) == 1:
            return self.look(value[0], depth + 1)
        return Asked(unreadable="it is a list that does not say who spoke")

    def _object(self, value: Mapping[Any, Any], depth: int) -> Asked:
        if not value:
            return Asked(unreadable="it is an empty object")
        if is_message(value):
            return _of_messages([value])
        held = fields(value)
        if "kwargs" in held and "args" in held:
            return self._observed(held, depth)
        found = self._found(held, depth)
        if found is None and is_part(value):
            return _of_words([value])
        if found is None:
            return Asked(unreadable=f"none of its fields is known to hold a question (it has {named(value)})")
        asked, read = found
        return self._with_history(asked, value, held, read)

    def _found(self, held: Fields, depth: int) -> tuple[Asked, str] | None:
        """The first field that can be read, else the first that a question was looked for in."""
        failed: tuple[Asked, str] | None = None
        for name in (*_QUESTION_NAMES, *_MESSAGES_NAMES, *_LOOSE_NAMES):
            if name not in held or (name == "conversation" and "input" in held):
                continue
            asked = _of_contents(held[name]) if name == "contents" else None
            asked = asked or self.look(held[name], depth + 1)
            if asked.unreadable and name in _QUESTION_NAMES and isinstance(held[name], str) and held[name].strip():
                # The name says that it is the question: then half of a JSON document is what was asked.
                asked = Asked(held[name].strip())
            if not asked.unreadable and not (name in _MESSAGES_NAMES and _is_history(held, name)):
                return asked, name
            failed = failed or (asked, name)
        return failed if failed and failed[0].unreadable else None

    def _observed(self, held: Fields, depth: int) -> Asked:
        """Arguments of a function that was observed, whose names anybody may choose."""
        by_name = held.get("kwargs")
        by_name = by_name if isinstance(by_name, Mapping) else {}
        asked = self._object(by_name, depth + 1)
        if not asked.unreadable:
            return asked
        by_place = held.get("args")
        given = [*by_place] if isinstance(by_place, list | tuple) else []
        given += [one for key, one in by_name.items() if plain_name(str(key)) not in HISTORY_NAMES]
        return self._with_history(self._argument(given, depth), by_name, fields(by_name), "")

    def _argument(self, given: Sequence[Any], depth: int) -> Asked:
        if any(is_message(one) for one in given):
            return _of_messages(given)
        held = [self.look(one, depth + 1) for one in given[:_DEEPEST] if isinstance(one, Mapping | list) and one]
        # What Python prints of an object was said by nobody.
        texts = [one.strip() for one in given if isinstance(one, str) and one.strip() and not one.startswith("<")]
        likely = [self.look(text, depth + 1) for text in texts if len(texts) == 1 or _is_spoken(text)]
        read = [asked for asked in (*held, *likely) if not asked.unreadable]
        if len(read) == 1:
            return read[0]
        return Asked(unreadable="its arguments do not say which of them is the question")

    def _with_history(self, asked: Asked, value: Mapping[Any, Any], held: Fields, read: str) -> Asked:
        kept = [name for name in (*HISTORY_NAMES, "messages") if name in held and name != read]
        before: tuple[Turn, ...] = ()
        for name in kept:
            turns = earlier_turns(held[name])
            if turns is None and name != "memory":
                return Asked(unreadable=f"the conversation before the question cannot be read (field {name})")
            before = before or turns or ()
        # Some agents put the question into the history before they answer.
        if before and before[-1] == Turn("user", asked.question):
            before = before[:-1]
        rest = {str(key): one for key, one in value.items() if plain_name(str(key)) not in (read, *kept)}
        return Asked(asked.question, asked.turns or before, {**asked.rest, **rest}, asked.unreadable)


def _of_messages(messages: Sequence[Any]) -> Asked:
    heard = conversation(messages)
    last = max((at for at, one in enumerate(heard) if one.turn.speaker == "user"), default=None)
    if last is None:
        return Asked(unreadable="none of its messages is from the user")
    if any(one.attached for one in heard[: last + 1]):
        return Asked(unreadable="an image or a file belongs to the conversation, which text cannot hold")
    return Asked(heard[last].turn.text, tuple(one.turn for one in heard[:last]))


def _of_words(content: Any) -> Asked:
    words = said(content)
    if words.attached:
        return Asked(unreadable="an image or a file belongs to the question, which text cannot hold")
    text = words.text.strip()
    return Asked(text) if text else Asked(unreadable="it has no words in it")


def _of_contents(value: Any) -> Asked | None:
    """Gemini takes a list of texts as the parts of one request."""
    return (
        _of_words(value) if isinstance(value, list) and value and all(isinstance(one, str) for one in value) else None
    )


def _is_history(held: Fields, name: str) -> bool:
    """Whether the messages end with the agent's words while the question stands in a field of its own."""
    given = held[name]
    if not isinstance(given, list) or not isinstance(held.get("input", held.get("prompt")), str):
        return False
    heard = conversation(given)
    return bool(heard) and heard[-1].turn.speaker == "assistant"


def _is_spoken(text: str) -> bool:
    """Whether it looks as if somebody said it: more than one word, or letters of a language without spaces."""
    return len(text.split()) > 1 or text.endswith("?") or not text.isascii()

"""Messages of chats, in the forms of the common agent frameworks -> who said what in words.

Read are OpenAI (Chat Completions, Responses, Assistants), Anthropic, Bedrock Converse, Gemini, LangChain and LangGraph
(dictionaries and serialised constructors), Strands, the GenAI conventions of OpenTelemetry, the Vercel AI SDK,
LlamaIndex, Haystack, Pydantic AI and ShareGPT. Reasoning and calls of tools are not what somebody said.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flywheel.domain.exchange_values import Fields, fields, plain_name

type Speaker = Literal["user", "assistant"]
type _Role = Literal["user", "assistant", "other"]

_DEEPEST: Final = 6
_PAIR: Final = 2

_ROLES: Final[dict[str, _Role]] = {
    **dict.fromkeys(("user", "human", "humanmessage", "humanmessagechunk", "customer", "visitor", "request"), "user"),
    **dict.fromkeys(
        ("assistant", "ai", "aimessage", "aimessagechunk", "model", "bot", "agent", "chatbot", "gpt", "response"),
        "assistant",
    ),
    **dict.fromkeys(
        (
            "system", "systemmessage", "developer", "tool", "toolmessage", "function", "functionmessage", "toolresult",
            "functioncall", "functioncalloutput", "reasoning", "remove", "removemessage", "ipython", "observation",
        ),
        "other",
    ),
}  # fmt: skip
_ROLE_NAMES: Final = ("role", "author", "speaker", "sender", "from", "kind", "type")
_CONTENT_NAMES: Final = ("content", "parts", "blocks", "text", "value", "message", "data")

_TEXT_PARTS: Final = frozenset(
    ("", "text", "inputtext", "outputtext", "textdelta", "textcontent", "userprompt", "markdown", "plaintext")
)
_ATTACHMENTS: Final = frozenset(
    (
        "image", "imageurl", "inputimage", "imagefile", "file", "inputfile", "document", "audio", "inputaudio", "video",
        "media", "blob", "uri", "inlinedata", "filedata", "imagecontent", "binary", "audiourl", "videourl",
        "documenturl",
    )
)  # fmt: skip
_THOUGHTS: Final = frozenset(("thought", "thinking", "reasoning", "reasoningcontent", "redactedthinking"))
_CLOSING: Final = tuple(".,;:!?)]}\u2019\u201d\u3002\uff0c\uff1f\uff01")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said in a conversation, in words."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A turn as it was read; `attached`: an image, a file or a sound came with it."""

    turn: Turn
    attached: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """The words of a content; `attached`: an image, a file or a sound came with them."""

    text: str = ""
    attached: bool = False


def is_message(value: Any) -> bool:
    """Whether it says who speaks and holds a content; LangGraph also takes a pair such as `["user", "Hello"]`."""
    if _is_pair(value):
        return True
    if not isinstance(value, Mapping):
        return False
    named = _unwrapped(value)
    return _role(named) is not None and any(name in named for name in (*_CONTENT_NAMES, "refusal", "toolcalls"))


def conversation(messages: Iterable[Any]) -> tuple[Heard, ...]:
    """The turns with words or attachments in them, of users and assistants; all else is left out."""
    turns: list[Heard] = []
    for message in messages:
        if isinstance(message, Mapping):
            turns += _turn(_unwrapped(message))
        elif _is_pair(message):
            turns += _turn({"role": message[0], "content": message[1]})
    return tuple(turns)


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == _PAIR
        and all(isinstance(one, str) for one in value)
        and value[0].casefold() in ("user", "human", "assistant", "ai", "system")
    )


def said(content: Any, depth: int = 0) -> Said:
    """What a content says in words, whatever blocks it is made of."""
    if isinstance(content, str):
        return Said(content)
    if depth >= _DEEPEST:
        return Said()
    if isinstance(content, Mapping):
        return _said_of_part(fields(content), depth)
    if isinstance(content, Sequence):
        parts = [said(part, depth + 1) for part in content]
        return Said(joined([part.text for part in parts]), any(part.attached for part in parts))
    return Said()


def is_part(value: Any) -> bool:
    """Whether it is a block of a content: a text, a thought, a call, an attachment."""
    if not isinstance(value, Mapping):
        return False
    named = fields(value)
    if _role(named) in ("user", "assistant"):
        return False
    kind = _kind(named)
    known = kind in _TEXT_PARTS - {""} or kind in _ATTACHMENTS or kind in _THOUGHTS or "tool" in kind
    return known or kind == "refusal" or isinstance(named.get("text"), str | Mapping) or _is_converse(named)


def joined(texts: Iterable[str]) -> str:
    """Blocks of one content as one text; a sentence that citations cut into blocks stays one."""
    whole = ""
    for text in texts:
        if not text:
            continue
        glued = not whole or whole[-1].isspace() or text[0].isspace() or text.startswith(_CLOSING)
        whole += text if glued else "\n" + text
    return whole


def _turn(named: Fields) -> list[Heard]:
    role = _role(named)
    if role not in ("user", "assistant"):
        return []
    content: Any = next((named[name] for name in _CONTENT_NAMES if named.get(name)), None)
    if isinstance(content, Mapping) and "content" in fields(content):
        content = fields(content)["content"]
    words = said(content)
    refusal = named.get("refusal")
    text = words.text if words.text.strip() or not isinstance(refusal, str) else refusal
    return [Heard(Turn(role, text.strip()), words.attached)] if text.strip() or words.attached else []


def _unwrapped(value: Mapping[Any, Any]) -> Fields:
    """The fields of a message, out of what a framework wraps around it."""
    named = fields(value)
    kwargs, identity = named.get("kwargs"), named.get("id")
    if "lc" in named and isinstance(kwargs, Mapping) and isinstance(identity, list) and identity:
        return {**fields(kwargs), "role": str(identity[-1])}
    inner = named.get("message")
    if isinstance(inner, Mapping) and _role(named) is None:
        return fields(inner)
    data = named.get("data")
    if isinstance(data, Mapping) and "content" not in named and isinstance(named.get("type"), str):
        return {**fields(data), "role": named["type"]}
    return named


def _role(named: Fields) -> _Role | None:
    for name in _ROLE_NAMES:
        given = named.get(name)
        if isinstance(given, Mapping):
            given = fields(given).get("role")
        if isinstance(given, str) and (role := _ROLES.get(plain_name(given))) is not None:
            return role
    # Gemini leaves out the role of a single request.
    parts = named.get("parts")
    return "user" if isinstance(parts, list) and "role" not in named and "kind" not in named else None


def _kind(named: Fields) -> str:
    kind = next((named[name] for name in ("type", "blocktype", "partkind", "kind") if name in named), "")
    return plain_name(kind) if isinstance(kind, str) else ""


def _is_converse(named: Fields) -> bool:
    """A block of Bedrock Converse or Gemini is named by its only field."""
    return any(name in named for name in ("tooluse", "toolresult", "reasoningcontent", "functioncall", "guardcontent"))


def _said_of_part(named: Fields, depth: int) -> Said:
    kind = _kind(named)
    if kind in _ATTACHMENTS or any(name in _ATTACHMENTS and isinstance(named[name], Mapping) for name in named):
        return Said(attached=True)
    # Gemini marks a thought on a block of text.
    if kind in _THOUGHTS or named.get("thought") is True:
        return Said()
    if kind == "refusal":
        return said(named.get("refusal"), depth + 1)
    if "guardcontent" in named:
        return said(named["guardcontent"], depth + 1)
    if kind in _TEXT_PARTS or isinstance(named.get("text"), str):
        return said(
            next((named[name] for name in ("text", "content", "value", "delta") if named.get(name)), None), depth + 1
        )
    return Said()

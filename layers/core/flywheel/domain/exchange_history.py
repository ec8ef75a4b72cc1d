"""The earlier turns of a conversation, however an agent keeps them -> turns.

A history is a list of messages, of pairs (user, assistant) as lists or under names, of lines that begin with who
speaks, or one text of such lines.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flywheel.domain.exchange_messages import Turn, conversation, is_message, said
from flywheel.domain.exchange_values import DamagedError, decoded, fields

HISTORY_NAMES: Final = (
    "chathistory",
    "history",
    "conversationhistory",
    "messagehistory",
    "previousmessages",
    "pastmessages",
    "priorturns",
    "turns",
    "conversation",
    "memory",
)
_USER_NAMES: Final = ("user", "human", "question", "input", "query", "prompt")
_ASSISTANT_NAMES: Final = ("assistant", "ai", "bot", "answer", "output", "response")
_LINE: Final = re.compile(
    r"^\s*(?:\*\*)?(human|user|customer|ai|assistant|bot|agent)(?:\*\*)?\s*:\s*", re.IGNORECASE | re.MULTILINE
)
_USERS: Final = frozenset(("human", "user", "customer"))
_PAIR: Final = 2


def earlier_turns(value: Any) -> tuple[Turn, ...] | None:
    """The turns of a history; none for an empty one, None when it cannot be read."""
    try:
        value = decoded(value)
    except DamagedError:
        return None
    if not value:
        return ()
    if isinstance(value, Mapping):
        named = fields(value)
        kept = next((named[name] for name in ("messages", *HISTORY_NAMES) if isinstance(named.get(name), list)), None)
        return earlier_turns(kept) if kept is not None else _pair(value)
    if isinstance(value, str):
        return _lines(value)
    return _listed(value) if isinstance(value, Sequence) else None


def _listed(entries: Sequence[Any]) -> tuple[Turn, ...] | None:
    found: list[Turn] = []
    for entry in entries:
        if isinstance(entry, list) and entry and is_message(entry[0]):
            turns = _spoken(entry)
        elif is_message(entry):
            turns = _spoken([entry])
        else:
            turns = _lines(entry) if isinstance(entry, str) else _pair(entry)
        if turns is None:
            return None
        found += turns
    return tuple(found)


def _spoken(messages: Sequence[Any]) -> tuple[Turn, ...] | None:
    """None: an image or a file is part of it."""
    heard = conversation(messages)
    return None if any(one.attached for one in heard) else tuple(one.turn for one in heard)


def _pair(entry: Any) -> tuple[Turn, ...] | None:
    """A question and its answer; either may be missing, not both."""
    if isinstance(entry, Mapping):
        named = fields(entry)
        asked = next((named[name] for name in _USER_NAMES if name in named), None)
        replied = next((named[name] for name in _ASSISTANT_NAMES if name in named), None)
    elif isinstance(entry, Sequence) and not isinstance(entry, str) and len(entry) == _PAIR:
        asked, replied = entry
    else:
        return None
    words = said(asked).text.strip(), said(replied).text.strip()
    turns = []
    if words[0]:
        turns.append(Turn("user", words[0]))
    if words[1]:
        turns.append(Turn("assistant", words[1]))
    return tuple(turns) or None


def _lines(text: str) -> tuple[Turn, ...] | None:
    found = list(_LINE.finditer(text))
    if not found or text[: found[0].start()].strip():
        return None
    ends = [*(line.start() for line in found[1:]), len(text)]
    turns = (
        Turn("user" if line[1].casefold() in _USERS else "assistant", text[line.end() : end].strip())
        for line, end in zip(found, ends, strict=True)
    )
    return tuple(turn for turn in turns if turn.text)

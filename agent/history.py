"""The conversation before a question -> messages that a model takes: the user begins, and the two sides alternate."""

from collections.abc import Sequence

from strands.types.content import Messages

from agent.request import EarlierTurn

_BEGINNING = "(The conversation begins.)"


def opening(history: Sequence[EarlierTurn], question: str) -> tuple[Messages, str]:
    """The messages before the last one of the user, and the text of that one.

    Bedrock refuses a conversation that the assistant begins or in which one side speaks twice in a row, and both
    happen: an assistant greets first, a person sends a second message before there is an answer.
    """
    said: list[tuple[str, str]] = []
    for role, text in [*((turn.role, turn.content) for turn in history), ("user", question)]:
        if said and said[-1][0] == role:
            said[-1] = (role, f"{said[-1][1]}\n\n{text}")
        else:
            said.append((role, text))
    if said[0][0] == "assistant":
        said.insert(0, ("user", _BEGINNING))
    before: Messages = [
        {"role": "user" if role == "user" else "assistant", "content": [{"text": text}]} for role, text in said[:-1]
    ]
    return before, said[-1][1]

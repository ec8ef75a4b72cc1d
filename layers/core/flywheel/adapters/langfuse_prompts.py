"""Prompts kept in Langfuse: name and version -> text; name, version and label -> the label is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flywheel.adapters.langfuse import LangfuseApi, json_bytes, segment
from flywheel.errors import InvalidRequestError

# A promotion waits for nothing longer; who gave up is called again.
_LABEL_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One version of a text prompt; `labels` are those it has now."""

    name: str
    version: int
    text: str
    labels: tuple[str, ...]


class LangfusePromptStore:
    """Prompts of one project."""

    def __init__(self, api: LangfuseApi) -> None:
        self._api = api

    def text(self, name: str, version: int) -> str:
        """Text of one version; `NotFoundError` when there is none, `InvalidRequestError` when it is a chat prompt."""
        return self.get(name, version=version).text

    def get(self, name: str, *, version: int | None = None, label: str = "production") -> PromptVersion:
        """One version by its number, or the version that has the label.

        Raises:
            NotFoundError: no such prompt, version or label.
            InvalidRequestError: it is a chat prompt; the agent takes one system prompt, which is a text.
        """
        by: tuple[str, str | int] = ("label", label) if version is None else ("version", version)
        return _prompt(self._api.get(f"v2/prompts/{segment(name)}", [by]))


class LangfusePromptLabels:
    """`PromptLabels` of one project. `connect` is called for each move: keys are read only when they are needed."""

    def __init__(self, connect: Callable[[], LangfuseApi]) -> None:
        self._connect = connect

    def give(self, name: str, version: int, label: str) -> None:
        body = json_bytes({"newLabels": [label]})
        path = f"v2/prompts/{segment(name)}/versions/{version}"
        self._connect().request("PATCH", path, body, deadline_s=_LABEL_DEADLINE_S)


def _prompt(content: dict[str, Any]) -> PromptVersion:
    if content.get("type", "text") != "text" or not isinstance(content["prompt"], str):
        raise InvalidRequestError(
            f"prompt {content.get('name')!r} version {content.get('version')} is a chat prompt; "
            "the agent's system prompt has to be a text prompt"
        )
    return PromptVersion(
        str(content["name"]), int(content["version"]), content["prompt"], tuple(map(str, content.get("labels", [])))
    )

"""What a client posts as a prompt -> a checked prompt, worded and refused as Langfuse does."""

import re
from collections.abc import Mapping
from typing import Any

from local.langfuse.problems import invalid_request
from local.langfuse.validation import (
    Check,
    Issue,
    Path,
    anything,
    array,
    custom,
    fields,
    literal,
    nullish,
    optional,
    pattern,
    string,
    union,
)

_HTML = re.compile(r"<[^>]*>")
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", re.ASCII)
_RESERVED = "new"  # a page of the UI has this address
_NAME_RULES: tuple[Check, ...] = (
    pattern(r"[^|]*", "/^[^|]*$/", "Prompt name cannot contain '|' character"),
    pattern(r"[^/](?s:.*)", "/^[^/]/", "Name cannot start with a slash"),
    pattern(r"(?!.*//)(?s:.*)", "/^(?!.*\\/\\/)/", "Name cannot contain consecutive slashes"),
    pattern(r".*[^/]", "/^.*[^/]$/", "Name cannot end with a slash"),
)
_MESSAGE_NAME = "Placeholder name must start with a letter and contain only alphanumeric characters and underscores"


def _name(value: Any, path: Path, issues: list[Issue]) -> Any:
    before = len(issues)
    string(1, short_message="Text cannot be empty")(value, path, issues)
    if not isinstance(value, str):
        return value
    if _HTML.search(value):
        issues.append(custom("Text cannot contain HTML tags", path))
    for rule in _NAME_RULES:
        rule(value, path, issues)
    if len(issues) > before:
        return value
    trimmed = value.strip()
    if not trimmed:
        issues.append(custom("Name cannot be empty", path))
    elif trimmed == _RESERVED:
        issues.append(custom(f"Prompt name cannot be '{trimmed}'", path))
    return trimmed


def _label(value: Any, path: Path, issues: list[Issue]) -> Any:
    string(1, 36)(value, path, issues)
    return _label_letters(value, path, issues)


_label_letters = pattern(
    r"[a-z0-9_\-.]+",
    "/^[a-z0-9_\\-.]+$/",
    "Label must be lowercase alphanumeric with optional underscores, hyphens, or periods",
)


def _placeholder_name(value: Any, path: Path, issues: list[Issue]) -> Any:
    string()(value, path, issues)
    return _placeholder_letters(value, path, issues)


_placeholder_letters = pattern(r"[a-zA-Z][a-zA-Z0-9_]*", "/^[a-zA-Z][a-zA-Z0-9_]*$/", _MESSAGE_NAME)
_spoken: Check = fields({"role": string(), "content": string()})
_placeholder: Check = fields({"type": literal("placeholder"), "name": _placeholder_name})
_COMMON: Mapping[str, Check] = {"name": _name, "labels": optional(array(_label), [])}
_REST: Mapping[str, Check] = {
    "config": anything,
    "tags": nullish(array(string())),
    "commitMessage": nullish(string(0, 500)),
}
_text = fields({**_COMMON, "type": optional(literal("text"), "text"), "prompt": string(), **_REST})
_chat = fields({**_COMMON, "type": literal("chat"), "prompt": array(union(_spoken, _placeholder)), **_REST})
prompt_body: Check = union(_text, _chat)


def check_names(messages: list[dict[str, Any]]) -> None:
    """Raise 400 for a name that is both a variable and a placeholder of one chat prompt."""
    placeholders = {message["name"] for message in messages if "name" in message}
    named = dict.fromkeys(name for message in messages for name in _VARIABLE.findall(message.get("content", "")))
    both = [name for name in named if name in placeholders]
    if both:
        raise invalid_request(
            "Cannot create prompt, variables and placeholders must be unique, the following are not: " + ", ".join(both)
        )

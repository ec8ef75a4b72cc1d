"""JSON values in messages for people."""

from typing import Any


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {bool: "true or false", str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """A value in a message: never longer than 60 characters."""
    most = 60
    text = ascii(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def described(value: Any) -> str:
    """A value in a message; of a list only how long it is, of an object only that it is one: it may be deep."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return kind(value) if value is None or isinstance(value, dict) else shown(value)

"""Replace parts of an installed package, but only what is still there as we know it."""

import hashlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any


class PatchTargetChangedError(RuntimeError):
    """The code that a patch replaces is gone or different: the pinned version of the package was changed."""


def fingerprint(function: Callable[..., Any]) -> str:
    """First 12 hex digits of the SHA-256 of the function's source text.

    Raises:
        PatchTargetChangedError: there is no source, so the function cannot be the one that we know.
    """
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError) as error:
        raise PatchTargetChangedError(f"{function!r} has no source text: {error}") from error
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def wrap(
    module: ModuleType, name: str, expected: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """Set `module.name` to `make(original)`, if the original's source has the fingerprint `expected`.

    Raises:
        PatchTargetChangedError: the function is missing or its source differs; nothing was changed.
    """
    where = f"{module.__name__}.{name}"
    original = getattr(module, name, None)
    if original is None:
        raise PatchTargetChangedError(f"{where} is gone; check local/aws/ against the installed version")
    found = fingerprint(original)
    if found != expected:
        raise PatchTargetChangedError(
            f"{where} has changed (fingerprint {found}, expected {expected}); read the new code, then adapt the patch"
        )
    setattr(module, name, make(original))


def substitute(module: ModuleType, name: str, old: str, new: str) -> None:
    """Replace the only occurrence of `old` in the text `module.name` by `new`.

    Raises:
        PatchTargetChangedError: `old` does not occur exactly once; nothing was changed.
    """
    text = getattr(module, name, "")
    count = text.count(old) if isinstance(text, str) else 0
    if count != 1:
        raise PatchTargetChangedError(
            f"{module.__name__}.{name} holds {count} occurrences of the text to replace, expected 1: {old[:80]!r}"
        )
    setattr(module, name, text.replace(old, new))


def put(table: dict[str, Any], key: str, expected: object, value: object) -> None:
    """Set `table[key]` to `value`, if it is `expected` now (None = absent).

    Raises:
        PatchTargetChangedError: another value is there; nothing was changed.
    """
    if table.get(key) != expected:
        raise PatchTargetChangedError(f"{key!r} is {table.get(key)!r}, expected {expected!r}")
    table[key] = value

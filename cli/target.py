"""Which deployment a command talks to: the local stack while it runs, else AWS as the environment says."""

import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cli.problems import CommandError

ROOT = Path(__file__).resolve().parent.parent

# What would take precedence over the local stack's keys, or be sent along with them.
_OF_AWS = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")

type Kind = Literal["local", "aws"]


@dataclass(frozen=True, slots=True)
class LocalStack:
    """The local stack as far as a command needs it: what its parts are called in the environment."""

    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    kind: Kind
    stack: str

    def __str__(self) -> str:
        return f"{self.stack} ({'local stack' if self.kind == 'local' else 'AWS'})"


def find_local() -> LocalStack | None:
    """The running local stack; None when it is down, or not part of this installation."""
    if not (ROOT / ".local" / "stack.json").is_file():
        return None
    from local import stack  # noqa: PLC0415 - only when there is a local stack

    info = stack.load()
    if info is None:
        return None
    running = {p.name for p in stack.status() if p.running}
    return LocalStack(info.environment()) if running else None


def stands_in(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a part of the chosen target is a stand-in of this machine: `langfuse`, `model` or `mcp`."""
    return name in environ.get("FLYWHEEL_STAND_INS", "").split(",")


def choose_target(
    wanted: str | None,
    stack: str,
    *,
    find: Callable[[], LocalStack | None] = find_local,
    environ: MutableMapping[str, str] = os.environ,
) -> Target:
    """Decide, and set the environment that boto3 reads: the local one's, or none of ours for AWS.

    Raises:
        CommandError: local was asked for and the stack is down.
    """
    found = None if wanted == "aws" else find()
    if found is not None:
        for name in _OF_AWS:
            environ.pop(name, None)
        environ.update(found.environment)
        return Target("local", stack)
    if wanted == "local":
        raise CommandError("the local stack is not running: start it with `flywheel local up`, or use --target aws")
    return Target("aws", stack)

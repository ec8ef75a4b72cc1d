"""What an agent can be set to: names, types and ranges of its parameters, and the names that no parameter may have.

The ranges are those of the agent's own settings (`agent/settings.py`), which the product does not import; a test holds
the two equal.
"""

import re
from dataclasses import dataclass
from typing import Any

from flywheel.domain.candidate import Parameter
from flywheel.domain.json_words import described

# AgentCore's limit for the value of an environment variable, in characters.
LONGEST_VARIABLE = 5000
PRODUCTION_IMAGE = "production"

_OURS = frozenset({"MODEL_ID", "PROMPT_NAME", "PROMPT_VERSION", "MCP_URL", "ALLOW_OVERRIDES", "PORT"})
_OUR_PREFIXES = ("LANGFUSE_", "AWS_", "OTEL_")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LARGEST_NUMBER = 2**53
_MOST_TOOLS = 50


@dataclass(frozen=True, slots=True)
class NumberRange:
    """`low` and `high` are allowed themselves; `whole`: no fractions."""

    low: float
    high: float
    whole: bool

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"

    def holds(self, value: Any) -> bool:
        fits = isinstance(value, int) if self.whole else isinstance(value, int | float)
        return fits and not isinstance(value, bool) and self.low <= value <= self.high


NUMBERS = {
    "temperature": NumberRange(0, 2, whole=False),
    "max_turns": NumberRange(1, 50, whole=True),
    "max_output_tokens": NumberRange(1, 128_000, whole=True),
    "top_k": NumberRange(1, 50, whole=True),
}
# Most characters.
TEXTS = {"model_id": 2048, "system_prompt": 200_000}
_FORMS = {
    "image": (re.compile(r"production|sha256:[0-9a-f]{64}|\w[\w.-]{0,127}", re.ASCII), "a tag, a digest or production"),
    "prompt": (
        re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}:[1-9][0-9]{0,8}"),
        "a prompt of Langfuse, name:version",
    ),
    "tools": (re.compile(r"(?=.{1,2000}$)[\w.-]{1,128}(?:,[\w.-]{1,128})*", re.ASCII), "names of tools"),
}
# What people write -> what the candidate calls it.
_ALIASES = {
    "model": "model_id",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_new_tokens": "max_output_tokens",
    "max_iterations": "max_turns",
}
_OF_CANDIDATE = frozenset({"image", "prompt", "tools", "model_id", "prompt_name", "prompt_version"})


def setting_name(written: str) -> str:
    """The name of a setting as `Value.settings` has it; a file may say `model` or `max_tokens`."""
    return _ALIASES.get(written, written)


def only_the_agent_knows(name: str) -> bool:
    """Whether a parameter is none of flywheel's settings: it is an environment variable that the agent has to read."""
    return name not in NUMBERS and name not in TEXTS and name not in _OF_CANDIDATE


def allowed_variable(name: str) -> bool:
    """Whether a parameter of this name can become the environment variable of its upper-case name."""
    variable = name.upper()
    return variable not in _OURS and not variable.startswith(_OUR_PREFIXES) and variable.isidentifier()


def read_setting(name: str, value: Any) -> Parameter:
    """One setting as a candidate has it: `temperature` as a float, `tools` as the names with commas between.

    Raises:
        ValueError: the agent has no such setting, or does not take this value; says what is expected.
    """
    if name in NUMBERS:
        if not NUMBERS[name].holds(value):
            raise ValueError(f"is {described(value)}; expected {NUMBERS[name]}")
        return int(value) if NUMBERS[name].whole else float(value)
    if name == "tools" and isinstance(value, str | list):
        value = _joined(value.split(",") if isinstance(value, str) else value)
    if name in _FORMS:
        form, expected = _FORMS[name]
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ValueError(f"is {described(value)}; expected {expected}")
        return value
    if name in {"prompt_name", "prompt_version"}:
        raise ValueError("name a prompt of Langfuse in one: prompt, with name:version")
    if name in TEXTS:
        return _text(value, TEXTS[name])
    return _variable(name, value)


def prompt_reference(written: str) -> tuple[str, int]:
    """Name and version of a checked `prompt`."""
    name, _, version = written.rpartition(":")
    return name, int(version)


def _joined(tools: list[Any]) -> str:
    if not tools or len(tools) > _MOST_TOOLS or not all(isinstance(tool, str) and "," not in tool for tool in tools):
        raise ValueError(f"is {described(tools)}; expected a list of 1 to {_MOST_TOOLS} names of tools")
    if len(set(tools)) < len(tools):
        raise ValueError("names a tool twice")
    return ",".join(tools)


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is {described(value)}; expected text")  # noqa: TRY004 - a value of a file, not of the program
    if not value.strip():
        raise ValueError(f"is empty; expected text of 1 to {longest} characters")
    if len(value) > longest:
        raise ValueError(f"has {len(value)} characters; expected at most {longest}")
    if _CONTROL.search(value):
        raise ValueError("has a control character or half a character: the file is damaged")
    return value


def _variable(name: str, value: Any) -> Parameter:
    """A parameter that only this agent knows; it becomes an environment variable."""
    if not _NAME.fullmatch(name) or not allowed_variable(name):
        raise ValueError(
            "no parameter can be called so: it becomes an environment variable; expected lower-case letters, digits "
            "and _, beginning with a letter, and no name of flywheel's own"
        )
    if isinstance(value, str):
        return _text(value, LONGEST_VARIABLE)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) <= _LARGEST_NUMBER:  # false for NaN, too
        return value
    raise ValueError(f"is {described(value)}; expected text, true, false or a number of at most 2^53")

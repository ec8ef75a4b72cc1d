"""Environment of a runtime -> settings. Every wrong variable is reported at once."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

_ENVIRONMENT = re.compile(r"(?!langfuse)[a-z0-9_-]{1,40}")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")


class SettingsError(Exception):
    """The environment cannot be used; the message has one line for each wrong variable."""


def _true_or_false(value: object) -> object:
    match value:
        case "true" | True:
            return True
        case "false" | False:
            return False
        case _:
            raise ValueError("must be true or false")


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value


def _environment(value: str) -> str:
    # Langfuse files an environment of any other form under "default" without a word.
    if not _ENVIRONMENT.fullmatch(value):
        raise ValueError("must be 1 to 40 of a-z, 0-9, - and _, and must not begin with langfuse")
    return value


def _parameter_path(value: str) -> str:
    if not value.startswith("/") or len(value) == 1:
        raise ValueError("must be a path of SSM parameters such as /langfuse")
    return value.rstrip("/")


def _tool_names(value: str) -> str:
    names = [name.strip() for name in value.split(",")]
    if not all(_TOOL_NAME.fullmatch(name) for name in names):
        raise ValueError("must be names of tools with commas between them: 1 to 128 of a-z, A-Z, 0-9, _, . and - each")
    if len(set(names)) < len(names):
        raise ValueError("names a tool twice")
    return ",".join(names)


class Hyperparameters(BaseModel):
    """What an experiment varies. The names in upper case are the environment variables.

    `temperature` None sends none: some models refuse the parameter. `top_k` is the number of search results that
    reach the model. With neither prompt field set, the prompt of the package is used. `tools` names the tools that the
    model is offered, with commas between them; None offers all that the tool server has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_id: Annotated[str, Field(min_length=1, max_length=2048)]
    system_prompt: Annotated[str, Field(min_length=1, max_length=200_000)] | None = None
    prompt_name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    prompt_version: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_turns: Annotated[int, Field(ge=1, le=50)] = 8
    max_output_tokens: Annotated[int, Field(ge=1, le=128_000)] = 2048
    top_k: Annotated[int, Field(ge=1, le=50)] = 5
    tools: Annotated[str, Field(max_length=2000), AfterValidator(_tool_names)] | None = None

    @model_validator(mode="after")
    def _one_source_of_prompt(self) -> Self:
        if (self.prompt_name is None) != (self.prompt_version is None):
            raise ValueError("a prompt of Langfuse needs both PROMPT_NAME and PROMPT_VERSION")
        if self.prompt_name and self.system_prompt:
            raise ValueError("SYSTEM_PROMPT and PROMPT_NAME exclude each other: set one of them")
        return self

    def replaced(self, overrides: Mapping[str, Any]) -> Self:
        """These hyperparameters with `overrides` on top; a prompt given one way replaces one given the other way.

        Raises:
            pydantic.ValidationError: an unknown name, a wrong type (JSON types, nothing is converted) or range.
        """
        kept = self.model_dump()
        if overrides.get("system_prompt") is not None:
            kept |= {"prompt_name": None, "prompt_version": None}
        elif overrides.get("prompt_name") is not None:
            kept |= {"system_prompt": None}
        return type(self).model_validate({**kept, **overrides}, strict=True)


class RuntimeSettings(BaseModel):
    """What a deployment decides and no request may change.

    `langfuse_parameter_prefix` None: no traces are sent, and prompts cannot come from Langfuse.
    """

    model_config = ConfigDict(frozen=True)

    mcp_url: Annotated[str, AfterValidator(_http_url)]
    allow_overrides: Annotated[bool, BeforeValidator(_true_or_false)] = False
    langfuse_parameter_prefix: Annotated[str, AfterValidator(_parameter_path)] | None = None
    langfuse_tracing_environment: Annotated[str, AfterValidator(_environment)] = "default"
    langfuse_release: Annotated[str, Field(max_length=200)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 8080


class Settings(BaseModel):
    """Both halves of the environment."""

    model_config = ConfigDict(frozen=True)

    runtime: RuntimeSettings
    hyperparameters: Hyperparameters


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        name = str(problem["loc"][0]).upper() if problem["loc"] else ""
        cause = "is not set" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {cause}" if name else cause)
    return lines


def from_env(environ: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as not set.

    Raises:
        SettingsError: naming every variable that is missing or wrong. Values are not repeated in the message.
    """
    problems: list[str] = []
    parts: dict[str, Any] = {}
    for part, model in (("runtime", RuntimeSettings), ("hyperparameters", Hyperparameters)):
        given = {name: environ[name.upper()] for name in model.model_fields if environ.get(name.upper())}
        try:
            parts[part] = model.model_validate(given)
        except ValidationError as error:
            problems += _problems(error)
    prompt_name, prefix = environ.get("PROMPT_NAME"), environ.get("LANGFUSE_PARAMETER_PREFIX")
    if prompt_name and not prefix:
        problems.append("LANGFUSE_PARAMETER_PREFIX: is not set, but PROMPT_NAME asks for a prompt of Langfuse")
    if problems:
        raise SettingsError(
            "The agent cannot start. Set right in the runtime's environment:\n  " + "\n  ".join(problems)
        )
    return Settings(**parts)

"""Environment variables -> a settings model; every bad variable is reported at once."""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ValidationError

from flywheel.domain.image_platform import Platform
from flywheel.errors import InvalidRequestError

# Where the agent's images run, such as `linux/arm64`.
AgentPlatform = Annotated[Platform, BeforeValidator(Platform.parsed)]


def from_env[S: BaseModel](settings: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Read the field `scores_table` from `SCORES_TABLE`, and so on; a variable that is set but empty counts as missing.

    Raises:
        InvalidRequestError: names every variable that is missing or wrong, and why; values are never repeated.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name in settings.model_fields if (value := environ.get(name.upper(), ""))}
    try:
        return settings.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise InvalidRequestError(f"environment of this function: {problems}") from None

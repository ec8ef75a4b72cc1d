"""What is tested and promoted: image digest + prompt version + model + parameters -> one hashable value."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

from pydantic import ConfigDict

from flywheel.domain.strict import STRICT

type Parameter = str | int | float | bool

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _frozen(parameters: Mapping[str, Parameter]) -> tuple[tuple[str, Parameter], ...]:
    return tuple(sorted(parameters.items()))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One deployable configuration of the agent; equal content means equal `candidate_id`.

    `prompt_name` and `prompt_version` name a prompt kept in Langfuse; both are None when the prompt travels in
    `parameters` (`system_prompt`) or in the image.

    Raises:
        ValueError: the digest is not `sha256:` + 64 hex digits, or only one half of the prompt is given.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    repository_uri: str
    image_digest: str
    model_id: str
    prompt_name: str | None = None
    prompt_version: int | None = None
    parameters: tuple[tuple[str, Parameter], ...] = field(default=())

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.image_digest):
            raise ValueError(f"not an image digest: {self.image_digest[:80]!r}; expected sha256: and 64 hex digits")
        if (self.prompt_name is None) != (self.prompt_version is None):
            raise ValueError("a prompt needs both its name and its version")
        object.__setattr__(self, "parameters", _frozen(dict(self.parameters)))

    @property
    def candidate_id(self) -> str:
        """`c-` and 16 hex digits of the SHA-256 of the canonical content."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return "c-" + hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def image_uri(self) -> str:
        """`repository@sha256:...`: a tag never takes part."""
        return f"{self.repository_uri}@{self.image_digest}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; `from_dict` reverses it."""
        return asdict(self) | {"parameters": dict(self.parameters)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        known = {k: data[k] for k in cls.__slots__ if k in data and k != "parameters"}
        return cls(**known, parameters=_frozen(dict(data.get("parameters") or {})))

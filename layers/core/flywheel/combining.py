"""The setting `agent` and production -> what an image is combined with: whichever of the two was decided last.

A promotion may change model, parameters or prompt without touching the setting. Were the setting alone to count, the
next push would silently undo that. So each plan records which setting there was; as long as nobody has changed it since
the gate that put production where it is, production is the newer decision. A setting that was changed since is newer.
"""

import hashlib
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment_space import AgentDefaults
from flywheel.domain.strict import first_problems
from flywheel.domain.verdict import Reason
from flywheel.errors import InvalidRequestError
from flywheel.evidence import GateEvidence
from flywheel.ports import Release
from flywheel.triggers import PromptVersion


class AgentSettings(BaseModel):
    """`/flywheel/<env>/agent`: what a pushed image is combined with, unless production was decided later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str = Field(min_length=1, max_length=300)
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    prompt: PromptVersion | None = None

    def defaults(self) -> AgentDefaults:
        """What an image, or a configuration of an experiment, has where nothing newer says otherwise."""
        name, version = (None, None) if self.prompt is None else (self.prompt.name, self.prompt.version)
        return AgentDefaults(self.model_id, name, version, tuple(sorted(self.parameters.items())))


def parse_agent_settings(text: str) -> AgentSettings:
    """Read the setting.

    Raises:
        InvalidRequestError: it is invalid; names what is wrong.
    """
    try:
        return AgentSettings.model_validate_json(text)
    except ValidationError as error:
        raise InvalidRequestError(f"the SSM parameter 'agent' is invalid: {first_problems(error)}") from error


def setting_hash(text: str | None) -> str:
    """SHA-256 of the setting as it is written, empty when there is none: whoever writes it anew has decided anew."""
    return "" if text is None else hashlib.sha256(text.encode()).hexdigest()


def candidate_of(repository_uri: str, digest: str, it: AgentDefaults) -> Candidate:
    """The image, combined."""
    return Candidate(repository_uri, digest, it.model_id, it.prompt_name, it.prompt_version, it.parameters)


@dataclass(frozen=True, slots=True)
class Combination:
    """`note` is for the record: that production counts, and the setting says something else."""

    configuration: AgentDefaults
    note: Reason | None = None


def combination(text: str, release: Release | None, evidence: GateEvidence) -> Combination:
    """Choose by the setting as it is written and by the release in production.

    Raises:
        InvalidRequestError: the setting is invalid.
        TransientError: the evidence cannot be read now.
    """
    said = parse_agent_settings(text).defaults()
    if release is None or _recorded(release, evidence) != setting_hash(text):
        return Combination(said)
    it = release.candidate
    live = AgentDefaults(it.model_id, it.prompt_name, it.prompt_version, it.parameters)
    if live == said:
        return Combination(live)
    message = (
        f"the image was combined with model, parameters and prompt of release {release.release_no}, which are newer "
        "than the setting agent"
    )
    return Combination(live, Reason("combined_with_production", message))


def _recorded(release: Release, evidence: GateEvidence) -> str | None:
    """Hash of the setting that there was when the gate of this release was planned; None when that is not known."""
    try:
        plan = evidence.planned(release.gate_id)
    except InvalidRequestError:  # of another version of flywheel
        return None
    return (plan.agent_hash or None) if plan is not None else None

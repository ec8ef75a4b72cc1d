"""What a plan is made of, each looked up once: candidate, policy, mutes, dataset; or why the gate must not start."""

import json
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flywheel.combining import Combination, candidate_of, combination, setting_hash
from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment import Configuration, ExperimentFile
from flywheel.domain.experiment_space import Space, expand, image_references
from flywheel.domain.plan import MutedItem
from flywheel.domain.policy import GatePolicy, apply_overrides, load_default_policy
from flywheel.domain.strict import first_problems
from flywheel.domain.verdict import Reason
from flywheel.errors import AccessDeniedError, InvalidRequestError, NotFoundError, PlanRefusedError
from flywheel.evidence import GateEvidence
from flywheel.ports import DatasetSnapshot, DatasetStore, Head, Image, ImageRegistry, PromptStore, Settings
from flywheel.runtimes import Surroundings, runtime_environment
from flywheel.stored_arms import ANCHOR_SETTING, AnchorSetting, parse_anchor
from flywheel.triggers import PRODUCTION, GateTrigger

_LONGEST_LABEL = 300
_MUTES: TypeAdapter[list[MutedItem]] = TypeAdapter(list[MutedItem])


class RefusedError(PlanRefusedError):
    """`reason` says as data why the gate must not start."""

    def __init__(self, code: str, message: str, **figures: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.reason = Reason(code, message, **figures)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be judged. `revision`: the commit that its image was made of; `note`: what the verdict will say of it.

    `agent_hash`: of the setting `agent` as it was, empty when there was none.
    """

    candidate: Candidate
    agent_hash: str
    revision: str | None = None
    note: Reason | None = None


class PlanInputs:
    """Everything that is not there, or cannot be used, is a `RefusedError` that says so as data."""

    def __init__(
        self,
        mcp_url: str,
        *,
        images: ImageRegistry,
        datasets: DatasetStore,
        prompts: PromptStore,
        parameters: Settings,
        evidence: GateEvidence,
    ) -> None:
        self._mcp_url = mcp_url
        self._images = images
        self._datasets = datasets
        self._prompts = prompts
        self._parameters = parameters
        self._evidence = evidence

    def subject(self, trigger: GateTrigger, head: Head) -> Subject:
        """Give what the trigger asks to be judged."""
        text = self._parameters.text("agent")
        if trigger.reference == PRODUCTION:
            if head.release is None:
                raise RefusedError("no_production", "nothing is in production yet: push an image first")
            subject = Subject(head.release.candidate, setting_hash(text))
        else:
            image = self._image(trigger.reference, trigger.tag)
            made = self._combination(text, head)
            candidate = candidate_of(image.repository_uri, image.digest, made.configuration)
            subject = Subject(candidate, setting_hash(text), image.revision, made.note)
        candidate = subject.candidate
        if trigger.prompt is not None:
            rest = tuple((name, value) for name, value in candidate.parameters if name != "system_prompt")
            candidate = replace(
                candidate, prompt_name=trigger.prompt.name, prompt_version=trigger.prompt.version, parameters=rest
            )
        self._deployable(candidate, "invalid_agent_settings")
        return replace(subject, candidate=candidate)

    def measured(self, trigger: GateTrigger, configuration: Configuration) -> Subject:
        """Give what an experiment measured, as it is: with anything else in it, it would be something else.

        Its prompt may be too long for a runtime, which the experiment's requests brought along.
        """
        candidate = configuration.candidate
        image = self._image(candidate.image_digest)
        if image.repository_uri != candidate.repository_uri or trigger.reference not in {"", image.digest}:
            asked = f"{image.repository_uri}@{trigger.reference or image.digest}"
            raise RefusedError("configuration_unusable", f"measured was {candidate.image_uri}, not {asked}")
        self._deployable(candidate, "configuration_unusable")
        named = "an experiment" if trigger.experiment is None else f"experiment {trigger.experiment.id}"
        message = f"configuration {configuration.configuration_id} of {named}: {configuration.label[:_LONGEST_LABEL]}"
        return Subject(
            candidate,
            setting_hash(self._parameters.text("agent")),
            image.revision,
            Reason("chosen_by_experiment", message),
        )

    def _deployable(self, candidate: Candidate, code: str) -> None:
        try:
            runtime_environment(candidate, Surroundings("", "", self._mcp_url, "", ""))
        except InvalidRequestError as error:
            raise RefusedError(code, str(error)) from error
        self._has_prompt(candidate)

    def space(self, file: ExperimentFile, head: Head) -> Space:
        """The configurations of an experiment, and the runtimes they need.

        What they do not set is as production has it when production's image is among those asked for, else as a gate of
        that image would have it (`flywheel.combining`).
        """
        references = image_references(file)
        if PRODUCTION in references and head.release is None:
            raise RefusedError(
                "no_production", "nothing is in production yet: push an image first, or name one (image)"
            )
        base = head.release.candidate if head.release is not None and PRODUCTION in references else None
        defaults = base or self._combination(self._parameters.text("agent"), head).configuration
        try:
            space = expand(
                file,
                images={one: _of(base) if base and one == PRODUCTION else self._image(one) for one in references},
                base=defaults,
            )
            for runtime in space.runtimes:
                runtime_environment(runtime.candidate, Surroundings("", "", self._mcp_url, "", ""))
        except InvalidRequestError as error:
            raise RefusedError("invalid_configuration", str(error)) from error
        for candidate in {
            (one.candidate.prompt_name, one.candidate.prompt_version): one.candidate for one in space.configurations
        }.values():
            self._has_prompt(candidate)
        return space

    def _image(self, reference: str, tag: str | None = None) -> Image:
        try:
            found = self._images.look(reference)
            if found.kind != "runnable":
                code = "wrong_platform" if found.kind == "wrong_platform" else "not_an_image"
                raise RefusedError(code, f"{tag or reference} {found.reason}")
            return self._images.resolve(reference)
        except (NotFoundError, InvalidRequestError) as error:
            raise RefusedError("image_not_found", str(error)) from error

    def _has_prompt(self, candidate: Candidate) -> None:
        """A prompt that is not there would make every answer an error, as if the image were bad."""
        if candidate.prompt_name is None or candidate.prompt_version is None:
            return
        named = f"{candidate.prompt_name}:{candidate.prompt_version}"
        try:
            self._prompts.text(candidate.prompt_name, candidate.prompt_version)
        except NotFoundError as error:
            raise RefusedError("prompt_not_found", f"Langfuse has no prompt {named}") from error
        except AccessDeniedError:
            raise
        except InvalidRequestError as error:
            raise RefusedError("prompt_invalid", f"the prompt {named} cannot be used: {error}") from error

    def _combination(self, text: str | None, head: Head) -> Combination:
        """`text`: the setting `agent` as it is written."""
        if text is None:
            raise RefusedError(
                "invalid_agent_settings", "the SSM parameter 'agent' of this environment does not exist: create it"
            )
        try:
            return combination(text, head.release, self._evidence)
        except InvalidRequestError as error:
            raise RefusedError("invalid_agent_settings", str(error)) from error

    def policy(self) -> GatePolicy:
        text = self._parameters.text("policy")
        try:
            return apply_overrides(load_default_policy(), json.loads(text) if text else {})
        except (ValueError, InvalidRequestError) as error:
            raise RefusedError("invalid_policy", f"the SSM parameter 'policy' is invalid: {error}") from error

    def muted(self) -> tuple[MutedItem, ...]:
        text = self._parameters.text("mutes")
        try:
            return tuple(_MUTES.validate_json(text)) if text else ()
        except ValidationError as error:
            raise RefusedError(
                "invalid_mutes", f"the SSM parameter 'mutes' is invalid: {first_problems(error)}"
            ) from error

    def anchor(self) -> AnchorSetting:
        try:
            return parse_anchor(self._parameters.text(ANCHOR_SETTING))
        except InvalidRequestError as error:
            raise RefusedError(
                "invalid_anchor",
                f"the SSM parameter 'anchor' is invalid: {error}; `flywheel gate anchor --oldest` corrects it",
            ) from error

    def snapshot(self, name: str) -> DatasetSnapshot:
        try:
            snapshot = self._datasets.snapshot(name)
        except NotFoundError as error:
            raise RefusedError(
                "dataset_missing",
                f"Langfuse has no dataset {name}: `flywheel dataset import FILE --dataset {name}` makes it",
            ) from error
        except AccessDeniedError:
            raise  # not the dataset's fault: planning is broken until somebody corrects the keys
        except InvalidRequestError as error:
            raise RefusedError("dataset_invalid", str(error)) from error
        if not snapshot.items:
            raise RefusedError(
                "too_few_items",
                f"the dataset {name} is empty: `flywheel dataset import FILE --dataset {name}` adds items",
            )
        return snapshot


def _of(candidate: Candidate) -> Image:
    return Image(candidate.repository_uri, candidate.image_digest)

"""An experiment's file, the images it names and what applies beside it -> configurations and the runtimes they need."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from flywheel.domain.agent_parameters import LONGEST_VARIABLE, only_the_agent_knows, prompt_reference
from flywheel.domain.candidate import Candidate, Parameter
from flywheel.domain.experiment import OVERRIDABLE, Configuration, ExperimentFile, RuntimePlan, overrides_of
from flywheel.domain.experiment_combinations import Combination, combinations, settings_of
from flywheel.errors import InvalidRequestError


class ResolvedImage(Protocol):
    """What an image reference of the file stands for."""

    @property
    def repository_uri(self) -> str: ...
    @property
    def digest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class AgentDefaults:
    """What holds for whatever a configuration does not set, when that is not what production runs."""

    model_id: str
    prompt_name: str | None = None
    prompt_version: int | None = None
    parameters: tuple[tuple[str, Parameter], ...] = ()


@dataclass(frozen=True, slots=True)
class Space:
    """The configurations to search, and the fewest runtimes that can answer for them. `notes` are for people."""

    configurations: tuple[Configuration, ...]
    runtimes: tuple[RuntimePlan, ...]
    notes: tuple[str, ...] = ()


def image_references(file: ExperimentFile) -> frozenset[str]:
    """Every image that the file's configurations need: tags, digests, `production`."""
    chosen = combinations(file)
    return frozenset(str(settings_of(file, combination).get("image", file.image)) for combination in chosen)


def expand(file: ExperimentFile, *, images: Mapping[str, ResolvedImage], base: Candidate | AgentDefaults) -> Space:
    """The configurations of a file, without those excepted or not drawn; `images` has all `image_references`.

    Raises:
        InvalidRequestError: what is left are not two different candidates.
    """
    candidates: dict[str, tuple[dict[str, str], Candidate]] = {}
    notes = []
    for combination in _drawn(file, combinations(file)):
        values = {d.name: value.name for d, value in zip(file.dimensions, combination, strict=True)}
        candidate = _candidate(file, settings_of(file, combination), images, base)
        standing = candidates.setdefault(candidate.candidate_id, (values, candidate))
        if standing[0] is not values:
            notes.append(f"{_label(values)} is the same as {_label(standing[0])}: measured once")
    if len(candidates) < 2:  # noqa: PLR2004 - one has nothing to be compared with
        raise InvalidRequestError("all combinations come to one and the same candidate: there is nothing to compare")
    digits = max(2, len(str(len(candidates))))
    numbered = [
        Configuration(f"c{number:0{digits}d}", values, candidate, runtime="")
        for number, (values, candidate) in enumerate(candidates.values(), 1)
    ]
    configurations, runtimes = _hosted(numbered, own=file.own_runtimes)
    return Space(configurations, runtimes, tuple(notes + _long_prompts(configurations) + _own_variables(file)))


def _own_variables(file: ExperimentFile) -> list[str]:
    """What is varied or fixed and none of flywheel's settings: an agent that does not read it answers all alike."""
    varied = {name for dimension in file.dimensions for value in dimension.values for name in value.settings}
    return [
        f"{name} is no setting of flywheel's: the agent gets it as the environment variable {name.upper()}, and has to "
        "read it there"
        for name in sorted(varied | set(file.fixed))
        if only_the_agent_knows(name)
    ]


def _drawn(file: ExperimentFile, chosen: list[Combination]) -> list[Combination]:
    """So many as the file's `sample` says, by a hash of each under the seed: the same for every reader."""
    sample = file.search.sample
    if sample is None or sample >= len(chosen):
        return chosen

    def rank(number: int) -> str:
        named = json.dumps([file.search.seed, *(value.name for value in chosen[number])])
        return hashlib.sha256(named.encode()).hexdigest()

    return [chosen[number] for number in sorted(sorted(range(len(chosen)), key=rank)[:sample])]


def _candidate(
    file: ExperimentFile,
    settings: Mapping[str, Parameter],
    images: Mapping[str, ResolvedImage],
    base: Candidate | AgentDefaults,
) -> Candidate:
    image = images[str(settings.get("image", file.image))]
    name, version = base.prompt_name, base.prompt_version
    parameters = dict(base.parameters)
    if "prompt" in settings:
        name, version = prompt_reference(str(settings["prompt"]))
        parameters.pop("system_prompt", None)
    elif "system_prompt" in settings:
        name, version = None, None
    own = {key: value for key, value in settings.items() if key not in {"image", "prompt", "model_id"}}
    return Candidate(
        repository_uri=image.repository_uri,
        image_digest=image.digest,
        model_id=str(settings.get("model_id", base.model_id)),
        prompt_name=name,
        prompt_version=version,
        parameters=tuple((parameters | own).items()),
    )


def _hosted(
    configurations: Sequence[Configuration], *, own: bool
) -> tuple[tuple[Configuration, ...], tuple[RuntimePlan, ...]]:
    groups: dict[str, list[Configuration]] = {}
    for one in configurations:
        candidate = one.candidate
        rest = [pair for pair in candidate.parameters if pair[0] not in OVERRIDABLE]
        key = one.configuration_id if own else json.dumps([candidate.image_uri, rest])
        groups.setdefault(key, []).append(one)
    placed: dict[str, Configuration] = {}
    runtimes = []
    for number, group in enumerate(groups.values(), 1):
        runtime = RuntimePlan(f"r{number:02d}", _shared([one.candidate for one in group]))
        runtimes.append(runtime)
        for one in group:
            placed[one.configuration_id] = replace(
                one, runtime=runtime.runtime, overrides=_difference(one.candidate, runtime.candidate)
            )
    return tuple(placed[one.configuration_id] for one in configurations), tuple(runtimes)


def _shared(candidates: Sequence[Candidate]) -> Candidate:
    """What a runtime is made of: all that its configurations agree on, and the first one's model.

    A request can set what the runtime does not have, but cannot unset what it has: so nothing that only some of them
    set may be in it. A prompt too long for an environment variable comes with the requests.
    """
    first = candidates[0]
    common = set.intersection(*({(n, json.dumps(v)) for n, v in one.parameters} for one in candidates))
    same_prompt = len({(one.prompt_name, one.prompt_version) for one in candidates}) == 1
    return replace(
        first,
        prompt_name=first.prompt_name if same_prompt else None,
        prompt_version=first.prompt_version if same_prompt else None,
        parameters=tuple(
            (name, value)
            for name, value in first.parameters
            if (name, json.dumps(value)) in common and _fits(name, value)
        ),
    )


def _fits(name: str, value: Parameter) -> bool:
    return name != "system_prompt" or len(str(value)) <= LONGEST_VARIABLE


def _difference(wanted: Candidate, runtime: Candidate) -> dict[str, Parameter]:
    """What a request must carry so that this runtime answers as `wanted` would."""
    has = dict(runtime.parameters)
    overrides = {name: value for name, value in overrides_of(dict(wanted.parameters)).items() if name not in has}
    if wanted.model_id != runtime.model_id:
        overrides["model_id"] = wanted.model_id
    if wanted.prompt_name is not None and wanted.prompt_version is not None and runtime.prompt_name is None:
        overrides |= {"prompt_name": wanted.prompt_name, "prompt_version": wanted.prompt_version}
    return overrides


def _long_prompts(configurations: Sequence[Configuration]) -> list[str]:
    long = [
        one.configuration_id
        for one in configurations
        if not all(_fits(name, value) for name, value in one.candidate.parameters)
    ]
    if not long:
        return []
    named = ", ".join(long[:10]) + (f" and {len(long) - 10} more" if len(long) > 10 else "")  # noqa: PLR2004
    limit = f"longer than {LONGEST_VARIABLE} characters: the system prompt of {named}"
    return [f"{limit}. To be promoted it must be a prompt in Langfuse (prompt: name:version), which has no such limit"]


def _label(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())

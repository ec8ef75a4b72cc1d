"""Candidate -> the environment, tags and limits of the runtime that answers for it; pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flywheel.domain.agent_parameters import LONGEST_VARIABLE, allowed_variable
from flywheel.domain.candidate import Candidate
from flywheel.domain.experiment import RuntimePlan
from flywheel.domain.plan import ArmPlan
from flywheel.errors import InvalidRequestError
from flywheel.ports import Network, RuntimeSpec

VARIABLE_LIMIT = 50
# Candidates idle out soon even if nobody retires them; a session never outlives its gate.
IDLE_TIMEOUT_S = 60
MAX_LIFETIME_S = 14_400

LIFETIME, STACK, GATE, CREATED = "flywheel:lifetime", "flywheel:stack", "flywheel:gate", "flywheel:created"
EXPERIMENT = "flywheel:experiment"
SHORT_LIVED, PRODUCTION = "short-lived", "production"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a runtime is given besides its candidate: names and addresses; secrets it reads from SSM by name.

    `platform_version`: of AgentCore, `V1` or `V2`; None leaves it to AWS, whose default differs by region and time.
    """

    stack: str
    role_arn: str
    mcp_url: str
    langfuse_parameter_prefix: str
    langfuse_environment: str
    platform_version: str | None = None
    network: Network | None = None


def network(subnet_ids: str, security_group_ids: str) -> Network | None:
    """Read what the stack says of its VPC, ids with commas between them; None when both are empty.

    Raises:
        InvalidRequestError: only one of both is given.
    """
    subnets, groups = (
        tuple(one for part in ids.split(",") if (one := part.strip())) for ids in (subnet_ids, security_group_ids)
    )
    if bool(subnets) != bool(groups):
        raise InvalidRequestError("SubnetIds and SecurityGroupIds of the stack belong together: give both, or neither")
    return Network(subnets, groups) if subnets else None


def runtime_environment(candidate: Candidate, around: Surroundings) -> dict[str, str]:
    """Environment variables of a runtime; each parameter of the candidate becomes the variable of its upper-case name.

    Raises:
        InvalidRequestError: a parameter would replace a variable that is not its own, there are more than 50, or a
            value is over 5000 characters; says what to do instead.
    """
    environment: dict[str, str] = {}
    for name, value in candidate.parameters:
        if not allowed_variable(name):
            raise InvalidRequestError(f"an agent parameter must not be called {name[:60]!r}: rename or drop it")
        environment[name.upper()] = str(value).lower() if isinstance(value, bool) else str(value)
    environment |= {
        "MODEL_ID": candidate.model_id,
        "MCP_URL": around.mcp_url,
        "ALLOW_OVERRIDES": "false",
        "LANGFUSE_PARAMETER_PREFIX": around.langfuse_parameter_prefix,
        "LANGFUSE_TRACING_ENVIRONMENT": around.langfuse_environment,
        "LANGFUSE_RELEASE": candidate.candidate_id,
    }
    if candidate.prompt_name is not None:
        environment |= {"PROMPT_NAME": candidate.prompt_name, "PROMPT_VERSION": str(candidate.prompt_version)}
    check_environment(environment)
    return environment


def check_environment(environment: Mapping[str, str]) -> None:
    """Hold the environment of a runtime against AgentCore's limits, which botocore does not know.

    Raises:
        InvalidRequestError: more than 50 variables or a value over 5000 characters; says what to do instead.
    """
    if len(environment) > VARIABLE_LIMIT:
        raise InvalidRequestError(
            f"{len(environment)} environment variables; AgentCore takes {VARIABLE_LIMIT}: drop some agent parameters"
        )
    for name, value in environment.items():
        if len(value) > LONGEST_VARIABLE:
            hint = (
                "keep it as a prompt in Langfuse and name it in the agent settings (prompt: name and version)"
                if name == "SYSTEM_PROMPT"
                else "shorten it"
            )
            raise InvalidRequestError(f"{name} has {len(value)} characters; AgentCore takes {LONGEST_VARIABLE}: {hint}")


def token(*parts: str) -> str:
    """Client token, 64 characters: the same for the same parts, so that a repeated call does nothing twice."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def short_lived_spec(gate_id: str, of_arm: ArmPlan, around: Surroundings, now: datetime) -> RuntimeSpec:
    """The runtime of one arm. Raise `InvalidRequestError` for a candidate that AgentCore cannot take."""
    return RuntimeSpec(
        name=of_arm.runtime_name,
        image_uri=of_arm.candidate.image_uri,
        role_arn=around.role_arn,
        platform_version=around.platform_version,
        environment=runtime_environment(of_arm.candidate, around),
        token=token("runtime", gate_id, of_arm.arm),
        tags={
            LIFETIME: SHORT_LIVED,
            STACK: around.stack,
            GATE: gate_id,
            CREATED: now.astimezone(UTC).isoformat(timespec="seconds"),
        },
        description=f"flywheel gate {gate_id}, {of_arm.arm}",
        network=around.network,
        idle_timeout_s=IDLE_TIMEOUT_S,
        max_lifetime_s=MAX_LIFETIME_S,
    )


def experiment_environment(candidate: Candidate, around: Surroundings) -> dict[str, str]:
    """Environment of a runtime that answers for several configurations: it takes overrides, as no gate's does.

    Which configuration answers, and so its release, comes with each request. Raises as `runtime_environment`.
    """
    environment = runtime_environment(candidate, around) | {"ALLOW_OVERRIDES": "true"}
    del environment["LANGFUSE_RELEASE"]
    return environment


def experiment_spec(
    experiment_id: str, runtime: RuntimePlan, name: str, around: Surroundings, now: datetime
) -> RuntimeSpec:
    """One runtime of an experiment; `name` is that of this attempt. Raises as `runtime_environment`."""
    return RuntimeSpec(
        name=name,
        image_uri=runtime.candidate.image_uri,
        role_arn=around.role_arn,
        platform_version=around.platform_version,
        environment=experiment_environment(runtime.candidate, around),
        token=token("experiment", experiment_id, name),
        tags={
            LIFETIME: SHORT_LIVED,
            STACK: around.stack,
            EXPERIMENT: experiment_id,
            CREATED: now.astimezone(UTC).isoformat(timespec="seconds"),
        },
        description=f"flywheel experiment {experiment_id}, {runtime.runtime}",
        network=around.network,
        idle_timeout_s=IDLE_TIMEOUT_S,
        max_lifetime_s=MAX_LIFETIME_S,
    )


def production_spec(gate_id: str, name: str, candidate: Candidate, around: Surroundings, now: datetime) -> RuntimeSpec:
    """The production runtime as `candidate` configures it. Its tag keeps every clean-up away from it."""
    return RuntimeSpec(
        name=name,
        image_uri=candidate.image_uri,
        role_arn=around.role_arn,
        platform_version=around.platform_version,
        environment=runtime_environment(candidate, around),
        token=token("production", gate_id, candidate.candidate_id),
        tags={
            LIFETIME: PRODUCTION,
            STACK: around.stack,
            CREATED: now.astimezone(UTC).isoformat(timespec="seconds"),
        },
        description=f"flywheel production, {candidate.candidate_id} by gate {gate_id}",
        network=around.network,
    )


def deletable(tags: Mapping[str, str], stack: str) -> bool:
    """True for a short-lived runtime of this stack; everything else must be left alone."""
    return tags.get(LIFETIME) == SHORT_LIVED and tags.get(STACK) == stack


def age(tags: Mapping[str, str], now: datetime) -> timedelta | None:
    """Time since its creation by its tag; None when the tag is missing or no time."""
    try:
        created = datetime.fromisoformat(tags[CREATED])
    except (KeyError, ValueError):
        return None
    return None if created.tzinfo is None else now - created

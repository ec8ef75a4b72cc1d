"""What a deployed stack says about itself: outputs and parameters of CloudFormation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cli.problems import CommandError
from flywheel.domain.image_platform import Platform
from flywheel.errors import FlywheelError, InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_REQUIRED = {
    "environment": "Environment",
    "evidence_bucket": "EvidenceBucketName",
    "state_table": "StateTableName",
    "event_bus": "EventBusName",
    "repository": "RepositoryName",
    "repository_uri": "RepositoryUri",
    "production_runtime": "ProductionRuntimeName",
    "production_endpoint": "ProductionEndpointName",
    "dataset": "DatasetName",
    "langfuse_prefix": "LangfuseParameterPrefix",
    "settings_prefix": "SettingsPrefix",
}
# The template's defaults, for a stack that is older than these parameters.
_REVIEW_QUEUE = "flywheel gate reviews"
_LIVE_QUEUE = "flywheel live reviews"
_WAVE_PAIRS = 50
_TRIAL_CONCURRENCY = 25
_LANGFUSE_ENVIRONMENT = "dev"
_AGENT_PLATFORM = Platform("linux", "arm64")


@dataclass(frozen=True, slots=True)
class StackFacts:
    """Names of the stack's parts; what is None is not said by an older stack.

    `webhook_url` ends in a slash; `judge_base_url` is the judge's OpenAI-compatible address, also that of Bedrock.
    `trial_concurrency`: invocations of the agent at once in one shard.
    """

    stack: str
    environment: str
    evidence_bucket: str
    state_table: str
    event_bus: str
    repository: str
    repository_uri: str
    production_runtime: str
    production_endpoint: str
    dataset: str
    langfuse_prefix: str
    settings_prefix: str
    judge_model_id: str | None = None
    mcp_url: str | None = None
    review_queue: str = _REVIEW_QUEUE
    live_queue: str = _LIVE_QUEUE
    wave_pairs: int = _WAVE_PAIRS
    traffic_machine: str | None = None
    stand_ins: str = ""
    harvest_function: str | None = None
    webhook_url: str | None = None
    judge_base_url: str | None = None
    langfuse_environment: str = _LANGFUSE_ENVIRONMENT
    sampling_function: str | None = None
    experiment_machine: str | None = None
    trial_concurrency: int = _TRIAL_CONCURRENCY
    agent_platform: Platform = _AGENT_PLATFORM

    @classmethod
    def from_outputs(cls, stack: str, outputs: Mapping[str, str], parameters: Mapping[str, str]) -> Self:
        """Raise `CommandError` naming every output that is missing."""
        missing = [name for name in _REQUIRED.values() if not outputs.get(name)]
        if missing:
            raise CommandError(
                f"stack {stack} has no outputs {', '.join(missing)}: is it a flywheel stack? Deploy again."
            )
        values = {field: outputs[name] for field, name in _REQUIRED.items()}
        return cls(
            stack=stack,
            **values,
            judge_model_id=parameters.get("JudgeModelId") or None,
            mcp_url=parameters.get("McpUrl") or None,
            review_queue=parameters.get("ReviewQueueName") or _REVIEW_QUEUE,
            live_queue=parameters.get("LiveQueueName") or _LIVE_QUEUE,
            wave_pairs=int(parameters.get("WavePairs") or _WAVE_PAIRS),
            stand_ins=parameters.get("StandIns") or "",
            traffic_machine=outputs.get("TrafficStateMachineArn") or None,
            harvest_function=outputs.get("HarvestReviewsFunctionName") or None,
            webhook_url=outputs.get("LangfuseWebhookUrl") or None,
            judge_base_url=outputs.get("JudgeUrl") or parameters.get("JudgeBaseUrl") or None,
            langfuse_environment=parameters.get("LangfuseEnvironment") or _LANGFUSE_ENVIRONMENT,
            sampling_function=outputs.get("SampleTracesFunctionName") or None,
            experiment_machine=outputs.get("ExperimentStateMachineArn") or None,
            trial_concurrency=int(parameters.get("TrialConcurrency") or _TRIAL_CONCURRENCY),
            agent_platform=Platform.parsed(parameters.get("AgentPlatform") or str(_AGENT_PLATFORM)),
        )


def read_facts(client: "CloudFormationClient", stack: str) -> StackFacts:
    """Ask CloudFormation; `CommandError` when there is no such stack, or it is not finished."""
    from flywheel.adapters.awserrors import translated  # noqa: PLC0415 - brings botocore

    try:
        with translated(f"cloudformation:DescribeStacks {stack}"):
            found = client.describe_stacks(StackName=stack)["Stacks"]
    except (NotFoundError, InvalidRequestError) as error:
        raise CommandError(_no_stack(stack)) from error
    except FlywheelError as error:
        if "does not exist" in str(error):
            raise CommandError(_no_stack(stack)) from error
        raise
    if not found:
        raise CommandError(_no_stack(stack))
    outputs = {o["OutputKey"]: o["OutputValue"] for o in found[0].get("Outputs", [])}
    parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in found[0].get("Parameters", [])}
    return StackFacts.from_outputs(stack, outputs, parameters)


def _no_stack(stack: str) -> str:
    return (
        f"there is no stack {stack} here. Locally `flywheel local up` deploys it; on AWS see docs/operations.md, or "
        "name another with --stack"
    )

"""Plan a gate: trigger in, ids and pointers out; the plan itself in S3."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, PositiveInt

from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_pushes import DynamoDbPushClaims
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_prompts import LangfusePromptStore
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.ssm import SsmSettings
from flywheel.baselines import Baselines
from flywheel.clock import SystemClock
from flywheel.config import AgentPlatform, from_env
from flywheel.errors import AccessDeniedError
from flywheel.events import PlanRequest
from flywheel.evidence import GateEvidence
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.planning import Planner, PlanningSettings
from flywheel.public_errors import public_errors
from flywheel.pushed_images import Ignored, PushedImages

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    environment: str = Field(pattern=r"^[a-z][a-z0-9]{0,19}$")
    state_table: str
    evidence_bucket: str
    agent_repository: str
    production_runtime_name: str
    dataset_name: str
    langfuse_parameter_prefix: str
    settings_prefix: str
    judge_model_id: str
    mcp_url: str
    trial_concurrency: PositiveInt
    shards_per_wave: PositiveInt
    agent_platform: AgentPlatform


def tell(ignored: Ignored) -> None:
    """What cannot be read may be somebody's image; everything else is as it should be, and only counted."""
    metrics.add_metric("PushesUnreadable" if ignored.kind == "unreadable" else "PushesIgnored", MetricUnit.Count, 1)
    if ignored.kind == "unreadable":
        logger.warning("push ignored", kind=ignored.kind, why=ignored.reason)


def make_planner(settings: Settings) -> Planner:
    images = EcrImageRegistry.from_repository(settings.agent_repository, settings.agent_platform)
    gates = DynamoDbGates.from_table(settings.state_table)
    releases = DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name)
    api = LangfuseApi(credentials(SsmSettings.from_prefix(settings.langfuse_parameter_prefix).required))
    store = S3ObjectStore.from_bucket(settings.evidence_bucket)
    return Planner(
        PlanningSettings(
            environment=settings.environment,
            repository=settings.agent_repository,
            dataset_name=settings.dataset_name,
            judge_model_id=settings.judge_model_id,
            mcp_url=settings.mcp_url,
            concurrency=settings.trial_concurrency * settings.shards_per_wave,
        ),
        gates=gates,
        releases=releases,
        images=images,
        datasets=LangfuseDatasetStore(api),
        prompts=LangfusePromptStore(api),
        parameters=SsmSettings.from_prefix(settings.settings_prefix),
        evidence=GateEvidence(store),
        experiments=ExperimentEvidence(store),
        baselines=Baselines(store),
        pushed=PushedImages(
            images=images,
            claims=DynamoDbPushClaims.from_table(settings.state_table, settings.production_runtime_name),
            gates=gates,
            releases=releases,
            told=tell,
        ),
        clock=SystemClock(),
    )


@cache
def planner() -> Planner:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_planner(from_env(Settings))


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@event_parser(model=PlanRequest)
def lambda_handler(event: PlanRequest, _context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(execution_arn=event.execution_arn)
    try:
        reply, why = planner().plan(event.event, event.execution_arn)
    except AccessDeniedError:
        planner.cache_clear()  # keys are read once: the next gate must see those that somebody corrected
        raise
    metrics.add_metric(
        {"run": "GatesPlanned", "refused": "GatesRefused", "skip": "GatesSkipped"}[reply.action], MetricUnit.Count, 1
    )
    logger.info("gate planned", gate_id=reply.gate_id, action=reply.action, why=why)
    return reply.model_dump(mode="json")

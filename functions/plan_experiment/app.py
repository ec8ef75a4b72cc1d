"""Plan an experiment, and after each rung what comes next: ids and pointers out; plan, rungs and shards in S3."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, NonNegativeInt

from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_prompts import LangfusePromptStore
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import AgentPlatform, from_env
from flywheel.domain.prices import load_prices
from flywheel.errors import AccessDeniedError
from flywheel.evidence import GateEvidence
from flywheel.experiment_events import PlanExperimentRequest
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.experiment_planning import ExperimentPlanner, ExperimentSettings
from flywheel.experiment_rungs import RungPlanner
from flywheel.experiment_shards import ExperimentShards
from flywheel.planning_inputs import PlanInputs
from flywheel.public_errors import public_errors

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
    agent_platform: AgentPlatform
    evaluate_shard_reserved_concurrency: NonNegativeInt = 0


def make_planner(settings: Settings) -> ExperimentPlanner:
    store = S3ObjectStore.from_bucket(settings.evidence_bucket)
    api = LangfuseApi(credentials(SsmSettings.from_prefix(settings.langfuse_parameter_prefix).required))
    return ExperimentPlanner(
        ExperimentSettings(
            settings.environment,
            settings.dataset_name,
            settings.judge_model_id,
            settings.evaluate_shard_reserved_concurrency or None,
        ),
        experiments=DynamoDbExperiments.from_table(settings.state_table),
        releases=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
        inputs=PlanInputs(
            settings.mcp_url,
            images=EcrImageRegistry.from_repository(settings.agent_repository, settings.agent_platform),
            datasets=LangfuseDatasetStore(api),
            prompts=LangfusePromptStore(api),
            parameters=SsmSettings.from_prefix(settings.settings_prefix),
            evidence=GateEvidence(store),
        ),
        evidence=ExperimentEvidence(store),
        prices=load_prices(),
        clock=SystemClock(),
    )


def make_rung_planner(settings: Settings) -> RungPlanner:
    store = S3ObjectStore.from_bucket(settings.evidence_bucket)
    return RungPlanner(
        experiments=DynamoDbExperiments.from_table(settings.state_table),
        evidence=ExperimentEvidence(store),
        shards=ExperimentShards(store),
        prices=load_prices(),
        clock=SystemClock(),
    )


@cache
def planner() -> ExperimentPlanner:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_planner(from_env(Settings))


@cache
def rung_planner() -> RungPlanner:
    """The second part needs no credentials of Langfuse."""
    return make_rung_planner(from_env(Settings))


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@event_parser(model=PlanExperimentRequest)
def lambda_handler(event: PlanExperimentRequest, _context: LambdaContext) -> dict[str, Any]:
    if event.event is not None and event.execution_arn is not None:
        return plan(event.event, event.execution_arn)
    return next_rung(event.experiment_id or "", event.rung, again=event.again)


def plan(event: dict[str, Any], execution_arn: str) -> dict[str, Any]:
    """Fix the experiment, or say why there is none."""
    logger.append_keys(execution_arn=execution_arn)
    try:
        reply, why = planner().plan(event, execution_arn)
    except AccessDeniedError:
        planner.cache_clear()  # keys are read once: the next one must see those that somebody corrected
        raise
    counted = {"run": "ExperimentsPlanned", "refused": "ExperimentsRefused", "skip": "ExperimentsSkipped"}
    metrics.add_metric(counted[reply.action], MetricUnit.Count, 1)
    logger.info("experiment planned", experiment_id=reply.experiment_id, action=reply.action, why=why)
    return reply.model_dump(mode="json")


def next_rung(experiment_id: str, rung: int, *, again: bool) -> dict[str, Any]:
    """What comes after a rung."""
    logger.append_keys(experiment_id=experiment_id)
    reply = rung_planner().next(experiment_id, rung, again=again)
    metrics.add_metric("RungsAsked", MetricUnit.Count, int(reply.action == "evaluate" and not reply.again))
    logger.info("rung planned", rung=reply.rung, action=reply.action, shards=len(reply.shards), again=reply.again)
    return reply.model_dump(mode="json")

"""Promote the candidate of a gate that passed: each call takes it as far as it goes without waiting."""

from datetime import timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from flywheel.adapters.agentcore import AgentCoreInvoker, AgentCoreRuntimes
from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.ecr import EcrImageRegistry
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_prompts import LangfusePromptLabels
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import AgentPlatform, from_env
from flywheel.events import GateMessage
from flywheel.evidence import GateEvidence
from flywheel.patience import look_again
from flywheel.promotion import Promoter, PromotionSettings
from flywheel.public_errors import public_errors
from flywheel.runtimes import Surroundings, network

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    state_table: str
    evidence_bucket: str
    event_bus: str
    production_runtime_name: str
    production_endpoint_name: str
    production_role_arn: str
    ready_timeout_s: PositiveInt
    invoke_timeout_s: PositiveFloat
    langfuse_parameter_prefix: str
    langfuse_environment: str
    mcp_url: str
    stack_name: str
    agent_repository: str
    agent_platform: AgentPlatform
    runtime_platform_version: str = Field(pattern=r"^V[1-9]$")
    agent_subnet_ids: str = ""
    agent_security_group_ids: str = ""


def make_promoter(settings: Settings) -> Promoter:
    keys = SsmSettings.from_prefix(settings.langfuse_parameter_prefix)
    return Promoter(
        PromotionSettings(
            Surroundings(
                stack=settings.stack_name,
                role_arn=settings.production_role_arn,
                mcp_url=settings.mcp_url,
                langfuse_parameter_prefix=settings.langfuse_parameter_prefix,
                langfuse_environment=settings.langfuse_environment,
                platform_version=settings.runtime_platform_version,
                network=network(settings.agent_subnet_ids, settings.agent_security_group_ids),
            ),
            runtime_name=settings.production_runtime_name,
            endpoint_name=settings.production_endpoint_name,
            ready_timeout=timedelta(seconds=settings.ready_timeout_s),
        ),
        runtimes=AgentCoreRuntimes.from_environment(),
        agents=AgentCoreInvoker.from_environment(timeout_s=settings.invoke_timeout_s + 5, concurrency=1),
        gates=DynamoDbGates.from_table(settings.state_table),
        releases=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
        evidence=GateEvidence(S3ObjectStore.from_bucket(settings.evidence_bucket)),
        bus=EventBridgeBus.from_bus(settings.event_bus),
        labels=LangfusePromptLabels(lambda: LangfuseApi(credentials(keys.required))),
        images=EcrImageRegistry.from_repository(settings.agent_repository, settings.agent_platform),
        clock=SystemClock(),
    )


@cache
def promoter() -> Promoter:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_promoter(from_env(Settings))


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@event_parser(model=GateMessage)
def lambda_handler(event: GateMessage, _context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(gate_id=event.gate_id)
    reply = look_again(lambda: promoter().promote(event.gate_id))
    metrics.add_metric("AgentsPromoted", MetricUnit.Count, int(reply.promoted))
    logger.info("promotion looked at", done=reply.done, promoted=reply.promoted)
    return reply.model_dump(mode="json")

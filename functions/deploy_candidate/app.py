"""Deploy one arm of a gate: creates its short-lived runtime, or looks at it until it is READY."""

from datetime import timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, PositiveInt

from flywheel.adapters.agentcore import AgentCoreRuntimes
from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.deployment import Deployer, DeploymentSettings
from flywheel.events import ArmRequest
from flywheel.evidence import GateEvidence
from flywheel.patience import look_again
from flywheel.runtimes import Surroundings, gate_environment

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    state_table: str
    evidence_bucket: str
    candidate_role_arn: str
    production_runtime_name: str
    ready_timeout_s: PositiveInt
    langfuse_parameter_prefix: str
    langfuse_environment: str = Field(max_length=35)
    mcp_url: str
    stack_name: str


def make_deployer(settings: Settings) -> Deployer:
    return Deployer(
        DeploymentSettings(
            Surroundings(
                stack=settings.stack_name,
                role_arn=settings.candidate_role_arn,
                mcp_url=settings.mcp_url,
                langfuse_parameter_prefix=settings.langfuse_parameter_prefix,
                langfuse_environment=gate_environment(settings.langfuse_environment),
            ),
            ready_timeout=timedelta(seconds=settings.ready_timeout_s),
        ),
        runtimes=AgentCoreRuntimes.from_environment(),
        gates=DynamoDbGates.from_table(settings.state_table),
        releases=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
        evidence=GateEvidence(S3ObjectStore.from_bucket(settings.evidence_bucket)),
        clock=SystemClock(),
    )


@cache
def deployer() -> Deployer:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_deployer(from_env(Settings))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@event_parser(model=ArmRequest)
def lambda_handler(event: ArmRequest, _context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(gate_id=event.gate_id, arm=event.arm)
    reply = look_again(lambda: deployer().deploy(event.gate_id, event.arm))
    metrics.add_metric("RuntimesReady", MetricUnit.Count, int(reply.ready))
    logger.info("runtime looked at", runtime_id=reply.runtime_id, ready=reply.ready)
    return reply.model_dump(mode="json")

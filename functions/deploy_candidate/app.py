"""Deploy one arm of a gate, or one runtime of an experiment: created, or looked at until it is READY."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, PositiveInt

from flywheel.adapters.agentcore import AgentCoreRuntimes
from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.deployment import Deployer, DeploymentSettings
from flywheel.domain.own_traffic import gate_environment
from flywheel.events import ArmRequest
from flywheel.evidence import GateEvidence
from flywheel.experiment_deployment import ExperimentDeployer
from flywheel.experiment_events import RuntimeRequest
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.patience import look_again
from flywheel.public_errors import public_errors
from flywheel.runtimes import Surroundings, network

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
    runtime_platform_version: str = Field(pattern=r"^V[1-9]$")
    agent_subnet_ids: str = ""
    agent_security_group_ids: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    gates: Deployer
    experiments: ExperimentDeployer


def make_parts(settings: Settings) -> Parts:
    around = Surroundings(
        stack=settings.stack_name,
        role_arn=settings.candidate_role_arn,
        mcp_url=settings.mcp_url,
        langfuse_parameter_prefix=settings.langfuse_parameter_prefix,
        langfuse_environment=gate_environment(settings.langfuse_environment),
        platform_version=settings.runtime_platform_version,
        network=network(settings.agent_subnet_ids, settings.agent_security_group_ids),
    )
    deployment = DeploymentSettings(around, ready_timeout=timedelta(seconds=settings.ready_timeout_s))
    runtimes, clock = AgentCoreRuntimes.from_environment(), SystemClock()
    store = S3ObjectStore.from_bucket(settings.evidence_bucket)
    return Parts(
        gates=Deployer(
            deployment,
            runtimes=runtimes,
            gates=DynamoDbGates.from_table(settings.state_table),
            releases=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
            evidence=GateEvidence(store),
            clock=clock,
        ),
        experiments=ExperimentDeployer(
            deployment,
            runtimes=runtimes,
            experiments=DynamoDbExperiments.from_table(settings.state_table),
            evidence=ExperimentEvidence(store),
            clock=clock,
        ),
    )


@cache
def parts() -> Parts:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_parts(from_env(Settings))


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    if "experiment_id" in event:
        return of_experiment(parse(event, model=RuntimeRequest))
    request = parse(event, model=ArmRequest)
    logger.append_keys(gate_id=request.gate_id, arm=request.arm)
    reply = look_again(lambda: parts().gates.deploy(request.gate_id, request.arm))
    metrics.add_metric("RuntimesReady", MetricUnit.Count, int(reply.ready))
    logger.info("runtime looked at", runtime_id=reply.runtime_id, ready=reply.ready)
    return reply.model_dump(mode="json")


def of_experiment(request: RuntimeRequest) -> dict[str, Any]:
    """One runtime of an experiment; one that cannot be had is settled too, and the record says why."""
    logger.append_keys(experiment_id=request.experiment_id, runtime=request.runtime)
    reply = look_again(lambda: parts().experiments.deploy(request.experiment_id, request.runtime))
    metrics.add_metric("ExperimentRuntimesSettled", MetricUnit.Count, int(reply.settled))
    logger.info("runtime looked at", settled=reply.settled)
    return reply.model_dump(mode="json")

"""Retire a runtime of a gate or an experiment, or all that an ABORTED, TIMED_OUT or FAILED execution left."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from flywheel.adapters.agentcore import AgentCoreRuntimes
from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_prompts import LangfusePromptLabels
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.sns import SnsNotifier
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.errors import TransientError
from flywheel.events import ArmRequest, ExecutionEnded, RetireReply, StatusChange
from flywheel.evidence import GateEvidence
from flywheel.experiment_announcing import ExperimentAnnouncer
from flywheel.experiment_events import RuntimeRequest
from flywheel.experiment_retirement import ExperimentRetirer
from flywheel.labelling import ProductionLabel
from flywheel.patience import look_again
from flywheel.production import ProductionEndpoint
from flywheel.public_errors import public_errors
from flywheel.publication import Announcer
from flywheel.retirement import Retirer

logger, metrics = Logger(), Metrics()

# Nobody polls after a status event: this call waits itself, and leaves time to raise, so that Lambda calls again.
RESERVE_S = 20.0


class Settings(BaseModel):
    environment: str
    state_table: str
    evidence_bucket: str
    idempotency_table: str
    event_bus: str
    notification_topic_arn: str
    production_runtime_name: str
    production_endpoint_name: str
    langfuse_parameter_prefix: str
    stack_name: str


@dataclass(frozen=True, slots=True)
class Parts:
    gates: Retirer
    experiments: ExperimentRetirer
    once: PowertoolsOnce

    def execution_ended(self, change: ExecutionEnded) -> RetireReply:
        """Clean up after whatever the execution carried out; one that got nowhere left nothing."""
        return self.experiments.execution_ended(change) or self.gates.execution_ended(change)


def make_parts(settings: Settings) -> Parts:
    clock, once = SystemClock(), PowertoolsOnce.from_table(settings.idempotency_table)
    keys = SsmSettings.from_prefix(settings.langfuse_parameter_prefix)
    labels = LangfusePromptLabels(lambda: LangfuseApi(credentials(keys.required)))
    runtimes = AgentCoreRuntimes.from_environment()
    releases = DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name)
    notifier = SnsNotifier.from_topic(settings.notification_topic_arn)
    return Parts(
        gates=Retirer(
            settings.stack_name,
            runtimes=runtimes,
            gates=DynamoDbGates.from_table(settings.state_table),
            releases=releases,
            evidence=GateEvidence(S3ObjectStore.from_bucket(settings.evidence_bucket)),
            production=ProductionEndpoint(settings.production_endpoint_name, runtimes, releases, clock),
            label=ProductionLabel(labels, releases),
            announcer=Announcer(settings.environment, EventBridgeBus.from_bus(settings.event_bus), notifier, once),
            clock=clock,
        ),
        experiments=ExperimentRetirer(
            settings.environment,
            settings.stack_name,
            runtimes=runtimes,
            experiments=DynamoDbExperiments.from_table(settings.state_table),
            announcer=ExperimentAnnouncer(settings.environment, None, notifier, once),
            clock=clock,
        ),
        once=once,
    )


@cache
def parts() -> Parts:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_parts(from_env(Settings))


def until_gone(
    look: Callable[[], RetireReply], left_s: Callable[[], float], sleep: Callable[[float], None] = time.sleep
) -> RetireReply:
    """Look until all is gone.

    Raises:
        TransientError: time ran out; the same event, delivered again, goes on.
    """
    reply = look()
    while not reply.gone:
        if left_s() - reply.wait_s < RESERVE_S:
            raise TransientError("short-lived runtimes are still being deleted")
        sleep(reply.wait_s)
        reply = look()
    return reply


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    wired = parts()
    wired.once.register(context)
    by_event = "detail" in event
    if "gate_id" in event:
        request = parse(event, model=ArmRequest)
        logger.append_keys(gate_id=request.gate_id, arm=request.arm)
        reply = look_again(lambda: wired.gates.retire(request.gate_id, request.arm))
    elif "experiment_id" in event:
        of = parse(event, model=RuntimeRequest)
        logger.append_keys(experiment_id=of.experiment_id, runtime=of.runtime)
        reply = look_again(lambda: wired.experiments.retire(of.experiment_id, of.runtime))
    else:
        change = parse(event, model=StatusChange).detail
        logger.append_keys(execution_arn=change.execution_arn, status=change.status)
        reply = until_gone(lambda: wired.execution_ended(change), lambda: context.get_remaining_time_in_millis() / 1000)
    metrics.add_metric("ExecutionsCleanedUp", MetricUnit.Count, int(by_event))
    logger.info("runtimes looked at", gone=reply.gone)
    return reply.model_dump(mode="json")

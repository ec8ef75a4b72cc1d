"""Hold a gate for a person: the hold on record with its task token, announced once; later, how it was settled."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.sns import SnsNotifier
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.events import HoldRequest, SettleRequest
from flywheel.evidence import GateEvidence
from flywheel.holding import Holder
from flywheel.public_errors import public_errors

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    environment: str
    state_table: str
    idempotency_table: str
    evidence_bucket: str
    event_bus: str
    notification_topic_arn: str


def make_holder(settings: Settings, once: PowertoolsOnce) -> Holder:
    return Holder(
        settings.environment,
        gates=DynamoDbGates.from_table(settings.state_table),
        evidence=GateEvidence(S3ObjectStore.from_bucket(settings.evidence_bucket)),
        bus=EventBridgeBus.from_bus(settings.event_bus),
        notifier=SnsNotifier.from_topic(settings.notification_topic_arn),
        once=once,
        clock=SystemClock(),
    )


@cache
def parts() -> tuple[Holder, PowertoolsOnce]:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    settings = from_env(Settings)
    once = PowertoolsOnce.from_table(settings.idempotency_table)
    return make_holder(settings, once), once


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    holder, once = parts()
    once.register(context)
    if "task_token" in event:
        held = parse(event, model=HoldRequest)
        logger.append_keys(gate_id=held.gate_id)
        holder.hold(held.gate_id, held.task_token.get_secret_value(), since=held.since, hold_s=held.hold_s)
        metrics.add_metric("GatesHeld", MetricUnit.Count, 1)
        logger.info("gate held", hold_s=held.hold_s)
        return {}
    over = parse(event, model=SettleRequest)
    logger.append_keys(gate_id=over.gate_id)
    reply = holder.settle(over.gate_id, timed_out=over.timed_out)
    metrics.add_dimension("settlement", reply.settlement)
    metrics.add_metric("HoldsSettled", MetricUnit.Count, 1)
    logger.info("hold settled", settlement=reply.settlement)
    return reply.model_dump(mode="json")

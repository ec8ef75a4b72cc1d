"""What follows a delivery of Langfuse: its event on the bus in; a gate is asked for, or people are told."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from flywheel.adapters.dynamodb_prompts import DynamoDbPromptStates
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.adapters.sns import SnsNotifier
from flywheel.adapters.ssm import SsmSettings
from flywheel.config import from_env
from flywheel.deliveries import MonitorAlerted, ProjectNotified, PromptVersionChanged
from flywheel.domain.strict import first_problems
from flywheel.errors import InvalidRequestError
from flywheel.following import Messenger, PromptFollower
from flywheel.public_errors import public_errors

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    environment: str
    state_table: str
    idempotency_table: str
    event_bus: str
    notification_topic_arn: str
    production_runtime_name: str
    settings_prefix: str


@cache
def parts() -> tuple[PromptFollower, Messenger, PowertoolsOnce]:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    settings = from_env(Settings)
    once = PowertoolsOnce.from_table(settings.idempotency_table)
    follower = PromptFollower(
        states=DynamoDbPromptStates.from_table(settings.state_table),
        releases=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
        parameters=SsmSettings.from_prefix(settings.settings_prefix),
        bus=EventBridgeBus.from_bus(settings.event_bus),
    )
    notifier = SnsNotifier.from_topic(settings.notification_topic_arn)
    return follower, Messenger(settings.environment, notifier=notifier, once=once), once


def _detail[E: BaseModel](model: type[E], event: dict[str, Any]) -> E:
    try:
        return model.model_validate(event.get("detail"))
    except ValidationError as error:
        raise InvalidRequestError(f"not a valid {model.__name__} event: {first_problems(error)}") from None


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    follower, messenger, once = parts()
    once.register(context)
    gates, why = 0, ""
    match event.get("detail-type"):
        case "PromptVersionChanged":
            changed = _detail(PromptVersionChanged, event)
            logger.append_keys(delivery_id=changed.delivery_id, prompt=changed.name, version=changed.prompt_version)
            followed = follower.follow(changed)
            gates, why = followed.gates, followed.why
        case "MonitorAlerted":
            alerted = _detail(MonitorAlerted, event)
            logger.append_keys(delivery_id=alerted.delivery_id, severity=alerted.severity)
            messenger.alert(alerted)
        case "ProjectNotified":
            notified = _detail(ProjectNotified, event)
            logger.append_keys(delivery_id=notified.delivery_id, severity=notified.severity)
            messenger.notice(notified)
        case other:
            raise InvalidRequestError(f"nothing follows an event of detail-type {str(other)[:80]!r}")
    metrics.add_metric("DeliveriesFollowed", MetricUnit.Count, 1)
    metrics.add_metric("PromptGatesRequested", MetricUnit.Count, gates)
    logger.info("delivery followed", gates=gates, why=why)
    return {"gates": gates}

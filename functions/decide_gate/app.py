"""Decide a gate: after each wave, ask for the next one or give the verdict with its evidence."""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field, PositiveInt

from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.dynamodb_reviews import DynamoDbReviews
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
from flywheel.adapters.langfuse_scores import LangfuseScoreStore
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.ssm import SsmSettings
from flywheel.annotation import Annotator
from flywheel.baselines import Baselines
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.deciding import Decider, DecidingSettings
from flywheel.events import DecideRequest
from flywheel.evidence import GateEvidence
from flywheel.public_errors import public_errors

logger, metrics = Logger(), Metrics()

# Queueing answers for review has what the decision left of the function's time, up to this.
_ANNOTATION_S = 60.0
_SPARE_S = 10.0


class Settings(BaseModel):
    state_table: str
    evidence_bucket: str
    production_runtime_name: str
    langfuse_parameter_prefix: str
    review_queue_name: str
    shards_per_wave: PositiveInt
    wave_pairs: PositiveInt
    # Scores become readable some seconds after they were accepted, slower while Langfuse limits the rate.
    read_back_deadline_s: float = Field(default=150.0, gt=0, le=240)


def make_decider(settings: Settings) -> Decider:
    api = LangfuseApi(credentials(SsmSettings.from_prefix(settings.langfuse_parameter_prefix).required))
    store = S3ObjectStore.from_bucket(settings.evidence_bucket)
    return Decider(
        DecidingSettings(
            wave_pairs=settings.wave_pairs,
            shards_per_wave=settings.shards_per_wave,
            read_back_deadline_s=settings.read_back_deadline_s,
        ),
        evidence=GateEvidence(store),
        baselines=Baselines(store),
        releases=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
        datasets=LangfuseDatasetStore(api),
        scores=LangfuseScoreStore(api),
        clock=SystemClock(),
    )


def make_annotator(settings: Settings) -> Annotator:
    api = LangfuseApi(credentials(SsmSettings.from_prefix(settings.langfuse_parameter_prefix).required))
    return Annotator(
        settings.review_queue_name,
        evidence=GateEvidence(S3ObjectStore.from_bucket(settings.evidence_bucket)),
        queue=LangfuseReviewQueue(api),
        ledger=DynamoDbReviews.from_table(settings.state_table),
        clock=SystemClock(),
        sleep=time.sleep,
    )


@cache
def decider() -> Decider:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_decider(from_env(Settings))


@cache
def annotator() -> Annotator:
    return make_annotator(from_env(Settings))


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@event_parser(model=DecideRequest)
def lambda_handler(event: DecideRequest, context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(gate_id=event.gate_id, wave=event.wave)
    reply = decider().decide(event.gate_id, event.wave)
    metrics.add_metric("Looks", MetricUnit.Count, 1)
    logger.info("gate looked at", action=reply.action, shards=len(reply.shards))
    if reply.action not in {"evaluate", "promote"}:
        left_s = context.get_remaining_time_in_millis() / 1000 - _SPARE_S
        asked = annotator().annotate_if_asked(event.gate_id, deadline_s=max(1.0, min(_ANNOTATION_S, left_s)))
        if asked is not None:
            logger.info("people asked", state=asked.state, why=asked.message, answers=len(asked.tasks))
            metrics.add_metric("AnswersQueued", MetricUnit.Count, len(asked.tasks))
    return reply.model_dump(mode="json")

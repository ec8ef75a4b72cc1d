"""Harvest finished reviews into the golden dataset: schedule in, counts out; what was done is in S3 and on the bus."""

import asyncio
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from flywheel.adapters.comprehend import ComprehendNames
from flywheel.adapters.dynamodb_harvest import DynamoDbHarvestNotes
from flywheel.adapters.dynamodb_judgements import DynamoDbJudgements
from flywheel.adapters.dynamodb_live import DynamoDbLiveLedger
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.adapters.judge_loading import judge_loader
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_cases import LangfuseCases
from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
from flywheel.adapters.langfuse_reviews import LangfuseLiveReviews
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.harvest_check import JudgedCases
from flywheel.harvest_run import HarvestParts, HarvestRun, HarvestSummary
from flywheel.public_errors import public_errors
from flywheel.redaction import PatternRedactor
from flywheel.similarity import WordLikeness

logger, metrics = Logger(), Metrics()
# So much is left when the walk stops: a minute for the judge about the review that is looked at, and one for the
# announcement and the evidence.
_RESERVE_MS = 120_000


class Settings(BaseModel):
    environment: str
    state_table: str
    idempotency_table: str
    evidence_bucket: str
    event_bus: str
    dataset_name: str
    production_runtime_name: str
    langfuse_parameter_prefix: str
    settings_prefix: str
    judge_base_url: str = Field(pattern=r"^https?://")
    judge_model_id: str
    judge_timeout_s: float = Field(gt=0, le=300)  # one fact, all waiting included
    comprehend_names: bool = False


def make_run(settings: Settings, once: PowertoolsOnce) -> HarvestRun:
    api = LangfuseApi(credentials(SsmSettings.from_prefix(settings.langfuse_parameter_prefix).required))
    parameters, clock = SsmSettings.from_prefix(settings.settings_prefix), SystemClock()
    load_judge = judge_loader(
        base_url=settings.judge_base_url,
        api_key=lambda: parameters.required("judge-api-key"),
        model_id=settings.judge_model_id,
        deadline_s=settings.judge_timeout_s,
    )
    judgements = DynamoDbJudgements.from_table(settings.state_table)
    # One event loop for the life of the function: the judge's connections belong to it.
    runner = asyncio.Runner()
    return HarvestRun(
        HarvestParts(
            dataset=settings.dataset_name,
            ledger=DynamoDbLiveLedger.from_table(settings.state_table),
            reviews=LangfuseLiveReviews(api),
            queue=LangfuseReviewQueue(api),
            store=LangfuseCases(api),
            releases=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
            notes=DynamoDbHarvestNotes.from_table(settings.state_table),
            redactor=PatternRedactor(ComprehendNames.from_environment() if settings.comprehend_names else None),
            likeness=WordLikeness(),
            judge=lambda: JudgedCases(
                load_judge,
                judge_model_id=settings.judge_model_id,
                parameters=parameters,
                judgements=judgements,
                now=clock.now,
                runner=runner,
            ),
            objects=S3ObjectStore.from_bucket(settings.evidence_bucket),
            bus=EventBridgeBus.from_bus(settings.event_bus),
            once=once,
            parameters=parameters,
            clock=clock,
        )
    )


@cache
def parts() -> tuple[HarvestRun, PowertoolsOnce]:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    settings = from_env(Settings)
    once = PowertoolsOnce.from_table(settings.idempotency_table)
    return make_run(settings, once), once


def emit(summary: HarvestSummary) -> None:
    states = summary.states or {}
    metrics.add_metric("ReviewsHarvested", MetricUnit.Count, states.get("harvested", 0))
    metrics.add_metric("ReviewsFlagged", MetricUnit.Count, summary.flagged)
    metrics.add_metric("DuplicatesLinked", MetricUnit.Count, states.get("linked", 0))
    metrics.add_metric("ReviewsUnjudged", MetricUnit.Count, summary.unjudged)
    metrics.add_metric("ReviewsDefective", MetricUnit.Count, len(summary.defects))
    metrics.add_metric("ReviewConflicts", MetricUnit.Count, states.get("conflict", 0))
    if summary.complete:  # of a part of the rows nobody can say how many are open
        metrics.add_metric("ReviewsOpen", MetricUnit.Count, summary.waiting + summary.settling + summary.unjudged)
    for name, items in (summary.slices or {}).items():
        with single_metric("DatasetItems", MetricUnit.Count, items) as metric:
            metric.add_dimension("slice", name)
    for name, figures in (summary.agreement or {}).items():
        if figures["kappa"] is not None:
            with single_metric("ReviewAgreement", MetricUnit.NoUnit, figures["kappa"][1]) as metric:
                metric.add_dimension("metric", name)


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    run, once = parts()
    once.register(context)
    dry_run = event.get("dry_run") is True
    summary = run.run(dry_run=dry_run, may_go_on=lambda: context.get_remaining_time_in_millis() > _RESERVE_MS)
    if summary.skipped or dry_run:
        metrics.add_metric("HarvestsIdle", MetricUnit.Count, 1)
        logger.info("another run of the harvest is under way" if summary.skipped else "dry run of the harvest")
        return summary.to_dict()
    emit(summary)
    counts = {"seen": summary.seen, "waiting": summary.waiting, "settling": summary.settling, **(summary.states or {})}
    if summary.unjudged:
        logger.warning("the judge could not be asked, the next run asks again", reviews=summary.unjudged)
    for trace_id, error in summary.defects:
        logger.error("a review could not be harvested: a defect", trace_id=trace_id, error=error)
    logger.info("reviews harvested", run_id=summary.run_id, complete=summary.complete, counts=counts)
    return summary.to_dict()

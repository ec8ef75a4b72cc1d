"""End an experiment: late scores, report, record, bus event and notification, each once whatever is retried."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_late_scores import LangfuseLateScores
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.sns import SnsNotifier
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.domain.experiment import ExperimentPlan
from flywheel.domain.experiment_analysis import ExperimentAnalysis
from flywheel.evidence import GateEvidence
from flywheel.experiment_announcing import ExperimentAnnouncer
from flywheel.experiment_events import ReportExperimentRequest
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.experiment_late import LateScoring
from flywheel.experiment_reporting import Ending, ExperimentReporter, Render
from flywheel.ports import ExperimentRow
from flywheel.public_errors import public_errors

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    environment: str
    state_table: str
    idempotency_table: str
    evidence_bucket: str
    event_bus: str
    notification_topic_arn: str
    langfuse_parameter_prefix: str
    stand_ins: str = ""  # what stands in for a real service, comma-separated; empty on AWS


def make_render(stand_ins: Sequence[str]) -> Render:
    def render(
        plan: ExperimentPlan, row: ExperimentRow, analysis: ExperimentAnalysis, ending: Ending
    ) -> tuple[str, str]:
        # Imported here: a defect of the report, or of its template engine, must not keep the experiment from its end.
        from flywheel.report.experiment_build import (  # noqa: PLC0415
            build_experiment_report,
            experiment_report_to_json,
        )
        from flywheel.report.experiment_page import render_experiment  # noqa: PLC0415

        report = build_experiment_report(
            plan,
            row,
            analysis,
            ending.rungs,
            outcome=ending.outcome,
            reasons=ending.reasons,
            ended=ending.ended,
            late=ending.late,
            missing_results=ending.missing_results,
            stand_ins=stand_ins,
        )
        return experiment_report_to_json(report), render_experiment(report)

    return render


def make_reporter(settings: Settings, once: PowertoolsOnce) -> ExperimentReporter:
    store = S3ObjectStore.from_bucket(settings.evidence_bucket)
    evidence = ExperimentEvidence(store)
    clock = SystemClock()

    def late_scores() -> LangfuseLateScores:
        parameters = SsmSettings.from_prefix(settings.langfuse_parameter_prefix)
        return LangfuseLateScores(LangfuseApi(credentials(parameters.required)))

    return ExperimentReporter(
        experiments=DynamoDbExperiments.from_table(settings.state_table),
        evidence=evidence,
        results=GateEvidence(store),
        late=LateScoring(evidence, late_scores, clock),
        announcer=ExperimentAnnouncer(
            settings.environment,
            EventBridgeBus.from_bus(settings.event_bus),
            SnsNotifier.from_topic(settings.notification_topic_arn),
            once,
        ),
        render=make_render([name.strip() for name in settings.stand_ins.split(",") if name.strip()]),
        clock=clock,
        warn=logger.warning,
    )


@cache
def parts() -> tuple[ExperimentReporter, PowertoolsOnce]:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    settings = from_env(Settings)
    once = PowertoolsOnce.from_table(settings.idempotency_table)
    return make_reporter(settings, once), once


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@event_parser(model=ReportExperimentRequest)
def lambda_handler(event: ReportExperimentRequest, context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(experiment_id=event.experiment_id, execution_arn=event.execution_arn)
    reporter, once = parts()
    once.register(context)
    if event.experiment_id is not None:
        reply = reporter.report(event.experiment_id, event.failure)
    elif event.event is not None and event.execution_arn is not None and event.failure is not None:
        reply = reporter.report_unplanned(event.event, event.execution_arn, event.failure)
    if reply.done:
        metrics.add_dimension("outcome", reply.outcome)
        metrics.add_metric("ExperimentsEnded", MetricUnit.Count, 1)
    logger.info("experiment reported", done=reply.done, outcome=reply.outcome, report_key=reply.report_key)
    return reply.model_dump(mode="json")

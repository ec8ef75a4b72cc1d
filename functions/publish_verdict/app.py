"""Publish a gate's verdict: record, report, bus event and notification, each once whatever is retried."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.sns import SnsNotifier
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.domain.annotation import Annotation
from flywheel.domain.gate import Verdict
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.events import PublishRequest
from flywheel.evidence import GateEvidence
from flywheel.ports import GateRow
from flywheel.public_errors import public_errors
from flywheel.publication import Announcer, Publisher, Render

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    environment: str
    state_table: str
    idempotency_table: str
    evidence_bucket: str
    agent_repository: str
    event_bus: str
    notification_topic_arn: str
    langfuse_parameter_prefix: str
    production_runtime_name: str
    production_endpoint_name: str = "production"
    stand_ins: str = ""  # what stands in for a real service, comma-separated; empty on AWS


def make_render(
    langfuse_host: str | None,
    stand_ins: Sequence[str],
    endpoint: str,
    annotation_of: Callable[[str], Annotation | None] = lambda _: None,
) -> Render:
    def render(plan: GatePlan, records: list[TrialRecord], verdict: Verdict, row: GateRow) -> tuple[str, str]:
        # Imported here: a defect of the report, or of its template engine, must not keep the verdict back.
        from flywheel.report import Promotion, build_report, render_html, report_to_json  # noqa: PLC0415

        progress = row.promotion
        promotion = None
        if progress is not None and progress.step == "committed":
            promotion = Promotion("promoted", "", endpoint, progress.version)
        elif progress is not None and progress.step == "refused":
            by_others = progress.reason in ("superseded", "incumbent_changed", "gate_ended")
            promotion = Promotion("refused" if by_others else "failed", progress.message or "", endpoint)
        host = (langfuse_host or "").rstrip("/")
        report = build_report(
            plan,
            records,
            verdict,
            promoted=row.promoted,
            started=row.started,
            ended=row.ended or row.started,
            promotion=promotion,
            trace_url=(lambda trace_id: f"{host}/trace/{trace_id}") if host else None,
            stand_ins=stand_ins,
            annotation=annotation_of(plan.gate_id),
        )
        return report_to_json(report), render_html(report)

    return render


def make_publisher(settings: Settings, once: PowertoolsOnce) -> Publisher:
    host = SsmSettings.from_prefix(settings.langfuse_parameter_prefix).text("LANGFUSE_HOST")
    stand_ins = [name.strip() for name in settings.stand_ins.split(",") if name.strip()]
    evidence = GateEvidence(S3ObjectStore.from_bucket(settings.evidence_bucket))
    return Publisher(
        repository=settings.agent_repository,
        gates=DynamoDbGates.from_table(settings.state_table),
        releases=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
        evidence=evidence,
        announcer=Announcer(
            settings.environment,
            EventBridgeBus.from_bus(settings.event_bus),
            SnsNotifier.from_topic(settings.notification_topic_arn),
            once,
        ),
        render=make_render(host, stand_ins, settings.production_endpoint_name, evidence.annotation),
        clock=SystemClock(),
        warn=logger.warning,
    )


@cache
def parts() -> tuple[Publisher, PowertoolsOnce]:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    settings = from_env(Settings)
    once = PowertoolsOnce.from_table(settings.idempotency_table)
    return make_publisher(settings, once), once


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@event_parser(model=PublishRequest)
def lambda_handler(event: PublishRequest, context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(gate_id=event.gate_id, execution_arn=event.execution_arn)
    publisher, once = parts()
    once.register(context)
    if event.gate_id is not None:
        reply = publisher.publish(event.gate_id, event.failure)
    elif event.event is not None and event.execution_arn is not None and event.failure is not None:
        reply = publisher.publish_unplanned(event.event, event.execution_arn, event.failure)
    metrics.add_dimension("verdict", reply.verdict)
    metrics.add_metric("GatesEnded", MetricUnit.Count, 1)
    if reply.drifted:
        logger.warning("quality drifted")
        with single_metric("QualityDrifted", MetricUnit.Count, 1) as drifted:
            drifted.add_dimension("service", "publish_verdict")
    logger.info("verdict published", verdict=reply.verdict, promoted=reply.promoted, report_key=reply.report_key)
    return reply.model_dump(mode="json")

"""Sample production traces: on schedule, when a monitor is alarmed, and what a person calls out, into review queues."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from flywheel.adapters.answer_judge import HttpAnswerJudge
from flywheel.adapters.dynamodb_live import DynamoDbLiveLedger
from flywheel.adapters.dynamodb_sampling import DynamoDbSampling
from flywheel.adapters.eventbridge import EventBridgeBus
from flywheel.adapters.idempotency import PowertoolsOnce
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_queues import LangfuseReviewQueue
from flywheel.adapters.langfuse_scores import LangfuseScoreStore
from flywheel.adapters.langfuse_traces import LangfuseTraces
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.ssm import SsmSettings
from flywheel.adapters.ssm_secrets import SsmSecrets
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.deliveries import MonitorAlerted, TracesCalledOut
from flywheel.domain.live_trace import Window
from flywheel.domain.sampling_settings import SamplingSettings, parse_sampling
from flywheel.live_asking import Asking
from flywheel.live_drawing import Drawing
from flywheel.live_draws import Draws
from flywheel.live_figures import LiveFigures, figures
from flywheel.live_sampling import LiveSampler, Outcome
from flywheel.ports import Alert, Clock
from flywheel.public_errors import public_errors

logger, metrics = Logger(), Metrics()

_SPARE = timedelta(seconds=15)
# The sampler bounds it by its own settings.
_LONGEST_ALERT = timedelta(days=365)


class Settings(BaseModel):
    state_table: str
    idempotency_table: str
    evidence_bucket: str
    event_bus: str
    dataset_name: str
    live_queue_name: str
    langfuse_environment: str
    langfuse_parameter_prefix: str
    settings_prefix: str
    judge_base_url: str = Field(pattern=r"^https?://")
    judge_model_id: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What lives as long as the process; the written settings are read at each call."""

    settings: Settings
    api: LangfuseApi
    key: bytes
    once: PowertoolsOnce
    clock: Clock

    def sampling(self) -> SamplingSettings:
        return parse_sampling(SsmSettings.from_prefix(self.settings.settings_prefix).text("sampling"))

    def store(self) -> DynamoDbSampling:
        return DynamoDbSampling.from_table(self.settings.state_table, self.settings.langfuse_environment)

    def ledger(self) -> DynamoDbLiveLedger:
        return DynamoDbLiveLedger.from_table(self.settings.state_table)

    def judge(self, sampling: SamplingSettings) -> HttpAnswerJudge | None:
        """None: it is off (`judge_share`), or has no key, which is told."""
        if not sampling.judge_share:
            return None
        key = SsmSettings.from_prefix(self.settings.settings_prefix).text("judge-api-key")
        if key is None:
            logger.warning("judge_share is set and there is no judge-api-key: no answer is judged")
            return None
        own = self.settings
        return HttpAnswerJudge(own.judge_base_url, api_key=key, model_id=own.judge_model_id)

    def sampler(self, sampling: SamplingSettings, judge: HttpAnswerJudge | None) -> LiveSampler:
        own = self.settings
        ledger = self.ledger()
        asking = Asking(
            queue=LangfuseReviewQueue(self.api),
            ledger=ledger,
            scores=LangfuseScoreStore(self.api),
            bus=EventBridgeBus.from_bus(own.event_bus),
            once=self.once,
            clock=self.clock,
            sleep=time.sleep,
            environment=own.langfuse_environment,
        )
        drawing = Drawing(
            source=LangfuseTraces(self.api, own.langfuse_environment),
            datasets=LangfuseDatasetStore(self.api),
            dataset=own.dataset_name,
            clock=self.clock,
            settings=sampling,
            key=self.key,
            default_queue=own.live_queue_name,
            judge=judge,
        )
        return LiveSampler(
            own.langfuse_environment,
            settings=sampling,
            drawing=drawing,
            asking=asking,
            draws=Draws(S3ObjectStore.from_bucket(own.evidence_bucket)),
            store=self.store(),
            ledger=ledger,
            clock=self.clock,
        )


@cache
def parts() -> Parts:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    settings = from_env(Settings)
    return Parts(
        settings,
        LangfuseApi(credentials(SsmSettings.from_prefix(settings.langfuse_parameter_prefix).required)),
        SsmSecrets.from_prefix(settings.settings_prefix).key("sampling-key"),
        PowertoolsOnce.from_table(settings.idempotency_table),
        SystemClock(),
    )


def handle(event: dict[str, Any], sampler: LiveSampler, holder: str, deadline: datetime) -> Outcome:
    """Do what the event asks for: an alert, a callout, a preview; anything else is the schedule."""
    match event.get("detail-type"):
        case "MonitorAlerted":
            said = parse(event["detail"], model=MonitorAlerted)
            alert = Alert(said.monitor_id, said.at, said.severity == "ALERT", said.at + _LONGEST_ALERT)
            window = Window(said.from_, said.to)
            return sampler.alert(holder, alert, window, said.delivery_id, deadline=deadline)
        case "TracesCalledOut":
            called = parse(event["detail"], model=TracesCalledOut)
            traces = [item.trace_id for item in called.items if item.trace_id]
            sessions = [item.session_id for item in called.items if item.session_id and not item.trace_id]
            if without := len(called.items) - len(traces) - len(sessions):
                # An observation is found by no trace's endpoint: its sender has to say which trace it is of.
                metrics.add_metric("CalledOutWithoutTrace", MetricUnit.Count, without)
                logger.warning(
                    "called out without a trace: not queued", delivery_id=called.delivery_id, left_out=without
                )
            return sampler.call_out(called.delivery_id, traces, sessions, deadline=deadline)
        case _:
            if event.get("dry_run"):
                return sampler.preview(deadline=deadline)
            return sampler.run(holder, deadline=deadline)


def outcome_to_dict(outcome: Outcome) -> dict[str, Any]:
    """For logs and the command line: ids and counts."""
    draw = outcome.draw
    if draw is None:
        return {"state": outcome.state, "queued": outcome.queued}
    return {
        "state": outcome.state,
        "queued": outcome.queued,
        "run_id": draw.run_id,
        "source": draw.source,
        "from": draw.since.isoformat(),
        "to": draw.until.isoformat(),
        "seen": draw.seen,
        "eligible": draw.eligible,
        "synthetic": draw.synthetic,
        "budget": draw.budget,
        "unreadable": dict(draw.unreadable),
        "items_left_out": list(draw.left_out),
        "drawn": [
            {
                "trace_id": one.trace_id,
                "inclusion_probability": one.inclusion_probability,
                "risk": one.risk,
                "stratum": one.stratum,
                "reasons": list(one.reasons),
                "queue": one.queue_name,
            }
            for one in draw.drawn
        ],
    }


def behind_s(outcome: Outcome, lag_s: float | None) -> float | None:
    """How far the sampler is behind although the day's pace lets it go on, in seconds; None: this call tells nothing.

    A window that waits for the pace of a small budget is not behind: it is meant to wait.
    """
    if outcome.state == "waiting":
        return 0.0
    if outcome.state in ("busy", "noted") or (outcome.draw is not None and outcome.draw.source != "sampled"):
        return None
    return lag_s


def measure(outcome: Outcome, found: LiveFigures) -> None:
    """Put the figures of the loop into CloudWatch."""
    draw = outcome.draw
    counts = {
        "TracesSeen": draw.seen if draw else 0,
        "TracesEligible": draw.eligible if draw else 0,
        "TracesQueued": outcome.queued,
        "TracesUnreadable": sum(draw.unreadable.values()) if draw else 0,
        "SamplingUnfinished": int(outcome.state == "unfinished"),
        "BudgetUsed": found.budget.used + found.budget.reserve_used,
        "BudgetLeft": found.budget.left,
        "QueueDepth": found.waiting,
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    metrics.add_metric("OldestWaitingHours", MetricUnit.NoUnit, found.oldest_waiting_h)
    if found.watermark_lag_s is not None:
        metrics.add_metric("WatermarkLagSeconds", MetricUnit.Seconds, found.watermark_lag_s)
    if (behind := behind_s(outcome, found.watermark_lag_s)) is not None:
        metrics.add_metric("SamplingBehindSeconds", MetricUnit.Seconds, behind)
    if (rate := found.failure_rate.estimate) is not None:
        metrics.add_metric("EstimatedFailureRate", MetricUnit.NoUnit, rate.rate)
        metrics.add_metric("EstimatedFailureRateLow", MetricUnit.NoUnit, rate.low)
        metrics.add_metric("EstimatedFailureRateHigh", MetricUnit.NoUnit, rate.high)
    for reason, share in found.reasons.items():
        with single_metric("ReasonShare", MetricUnit.NoUnit, share) as metric:
            metric.add_dimension("service", "sample_traces")
            metric.add_dimension("reason", reason)


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    have = parts()
    have.once.register(context)
    sampling = have.sampling()
    deadline = have.clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - _SPARE
    judge = have.judge(sampling)
    outcome = handle(event, have.sampler(sampling, judge), context.aws_request_id, deadline)
    if judge is not None:
        metrics.add_metric("AnswersJudged", MetricUnit.Count, judge.answered)
        metrics.add_metric("JudgeSilent", MetricUnit.Count, judge.asked - judge.answered)
    if not event.get("dry_run"):
        measure(outcome, figures(sampling, ledger=have.ledger(), store=have.store(), clock=have.clock))
    told = outcome_to_dict(outcome)
    logger.info("traces sampled", **{name: value for name, value in told.items() if name != "drawn"})
    return told

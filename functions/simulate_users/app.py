"""Synthetic users against production: plan a run, carry out one part of it, report it; pointers in, pointers out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, TypeAdapter

from flywheel.adapters.agentcore import AgentCoreInvoker
from flywheel.adapters.dynamodb_releases import DynamoDbReleases
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.domain.prices import PriceTable, load_prices
from flywheel.domain.traffic_report import TrafficReport
from flywheel.ports import AgentInvoker, ObjectStore
from flywheel.public_errors import public_errors
from flywheel.traffic import identity
from flywheel.traffic.conversation import Production
from flywheel.traffic.messages import PartState, PlanTraffic, RunPart, SimulateRequest, TrafficReported
from flywheel.traffic.plan import TrafficPlan, TrafficPlanner
from flywheel.traffic.reporting import report_run
from flywheel.traffic.run import Assignment, TrafficRun
from flywheel.traffic.work import Lifetime, PartWorker

logger, metrics = Logger(), Metrics()

_MOST_KINDS = 10  # each is a metric of its own
_REQUEST: TypeAdapter[SimulateRequest] = TypeAdapter(SimulateRequest)


class Settings(BaseModel):
    environment: str
    state_table: str
    evidence_bucket: str
    settings_prefix: str
    production_runtime_name: str
    production_endpoint_name: str
    stand_ins: str = ""  # what stands in for a real service, comma-separated; empty on AWS


@dataclass(frozen=True, slots=True)
class Parts:
    """`invoker` makes one for a timeout in seconds and so many calls at once."""

    planner: TrafficPlanner
    store: ObjectStore
    invoker: Callable[[float, int], AgentInvoker]
    prices: PriceTable
    endpoint: str


def make_parts(settings: Settings) -> Parts:
    store = S3ObjectStore.from_bucket(settings.evidence_bucket)
    return Parts(
        planner=TrafficPlanner(
            settings.environment,
            production=DynamoDbReleases.from_table(settings.state_table, settings.production_runtime_name),
            parameters=SsmSettings.from_prefix(settings.settings_prefix),
            store=store,
            clock=SystemClock(),
            stand_ins=settings.stand_ins,
        ),
        store=store,
        invoker=lambda timeout_s, at_once: AgentCoreInvoker.from_environment(timeout_s=timeout_s, concurrency=at_once),
        prices=load_prices(),
        endpoint=settings.production_endpoint_name,
    )


@cache
def parts() -> Parts:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_parts(from_env(Settings))


def runtime_arn(context: LambdaContext, runtime_id: str) -> str:
    """ARN of a runtime of this function's account and region."""
    _, partition, _, region, account, *_ = context.invoked_function_arn.split(":")
    return f"arn:{partition}:bedrock-agentcore:{region}:{account}:runtime/{runtime_id}"


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = _REQUEST.validate_python(event)
    if isinstance(request, PlanTraffic):
        return plan(request)
    logger.append_keys(run_id=request.run_id)
    return (
        run(request, context).model_dump()
        if isinstance(request, RunPart)
        else report(request.run_id, request.failure.error)
    )


def plan(request: PlanTraffic) -> dict[str, Any]:
    """Fix the run, or say why there is none."""
    logger.append_keys(execution_arn=request.execution_arn)
    planned = parts().planner.plan(request)
    logger.info(
        "traffic planned",
        run_id=planned.reply.run_id,
        action=planned.reply.action,
        parts=len(planned.reply.parts),
        why=planned.why,
    )
    return planned.reply.model_dump()


def run(pointer: RunPart, context: LambdaContext) -> PartState:
    """Carry out one part, in the time that this invocation has."""
    wired = parts()

    def start(work: Assignment, planned: TrafficPlan) -> TrafficRun:
        production = Production(runtime_arn(context, planned.runtime_id), wired.endpoint, planned.model_id)
        invoker = wired.invoker(work.answer_timeout_s, work.concurrency)
        return TrafficRun(work, invoker=invoker, production=production, prices=wired.prices)

    worker = PartWorker(wired.store, start, SystemClock())
    state = worker.carry_out(pointer, Lifetime(lambda: context.get_remaining_time_in_millis() / 1000))
    logger.info("part of traffic", part=state.part, done=state.done, wait_s=state.wait_s)
    return state


def report(run_id: str, failure: str) -> dict[str, Any]:
    """Write the report once, and count it once."""
    reported = report_run(parts().store, run_id, failure)
    if reported.new:
        count(reported.report)
    logger.info(
        "traffic reported",
        new=reported.new,
        turns=reported.report.turns,
        errors=reported.report.errors,
        stopped_by=reported.report.stopped_by,
        missing_parts=reported.report.missing_parts,
        failure=failure,
    )
    reply = TrafficReported(run_id=run_id, turns=reported.report.turns, report_key=identity.report_key(run_id))
    return reply.model_dump()


def count(report: TrafficReport) -> None:
    """Figures of a run. The dimension keeps them apart from whatever people's traffic is measured by."""
    metrics.add_dimension("traffic", "synthetic")
    metrics.add_metric("Arrivals", MetricUnit.Count, report.arrivals)
    metrics.add_metric("TurnedAway", MetricUnit.Count, report.turned_away)
    metrics.add_metric("Unsent", MetricUnit.Count, report.unsent)
    metrics.add_metric("Turns", MetricUnit.Count, report.turns)
    metrics.add_metric("Errors", MetricUnit.Count, sum(report.errors.values()))
    metrics.add_metric("HarmfulRefused", MetricUnit.Count, report.harmful_refused)
    metrics.add_metric("HarmfulAnswered", MetricUnit.Count, report.harmful_answered)
    metrics.add_metric("CostUsd", MetricUnit.NoUnit, report.cost_usd)
    if report.success_rate is not None:
        metrics.add_metric("SuccessRate", MetricUnit.Percent, 100 * report.success_rate)
    if report.latency is not None:
        metrics.add_metric("LatencyP50", MetricUnit.Milliseconds, report.latency.p50_ms)
        metrics.add_metric("LatencyP95", MetricUnit.Milliseconds, report.latency.p95_ms)
        metrics.add_metric("LatencyP99", MetricUnit.Milliseconds, report.latency.p99_ms)
    commonest = sorted(report.errors.items(), key=lambda one: -one[1])[:_MOST_KINDS]
    for kind, times in commonest:
        with single_metric("ErrorsByKind", MetricUnit.Count, times) as metric:
            metric.add_dimension("traffic", "synthetic")
            metric.add_dimension("kind", kind)

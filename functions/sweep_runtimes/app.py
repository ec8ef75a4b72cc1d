"""Sweep short-lived runtimes that nothing else has retired: schedule in, names out, counted as metrics."""

from datetime import timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, PositiveInt

from flywheel.adapters.agentcore import AgentCoreRuntimes
from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.public_errors import public_errors
from flywheel.sweep import Sweeper

logger, metrics = Logger(), Metrics()


class Settings(BaseModel):
    environment: str
    state_table: str
    sweep_older_than_minutes: PositiveInt
    stack_name: str


def make_sweeper(settings: Settings) -> Sweeper:
    return Sweeper(
        settings.environment,
        settings.stack_name,
        timedelta(minutes=settings.sweep_older_than_minutes),
        runtimes=AgentCoreRuntimes.from_environment(),
        gates=DynamoDbGates.from_table(settings.state_table),
        experiments=DynamoDbExperiments.from_table(settings.state_table),
        clock=SystemClock(),
    )


@cache
def sweeper() -> Sweeper:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_sweeper(from_env(Settings))


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    found = sweeper().sweep()
    metrics.add_metric("RuntimesSwept", MetricUnit.Count, len(found.swept))
    metrics.add_metric("RuntimesKept", MetricUnit.Count, len(found.kept))
    metrics.add_metric("RuntimesNotDeleted", MetricUnit.Count, len(found.refused))
    log = logger.warning if found.swept or found.refused else logger.info
    log("runtimes swept", seen=found.seen, swept=found.swept, kept=found.kept, refused=found.refused)
    return {"seen": found.seen, "swept": list(found.swept), "kept": list(found.kept), "refused": list(found.refused)}

"""Evaluate one shard: pointer in, counts out; records in S3, experiment and scores in Langfuse."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AfterValidator, BaseModel, Field

from flywheel.adapters.agentcore import AgentCoreInvoker
from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments
from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.dynamodb_judgements import DynamoDbJudgements
from flywheel.adapters.experiment_spans import LangfuseSpanSink
from flywheel.adapters.judge_loading import judge_loader
from flywheel.adapters.langfuse import LangfuseApi, credentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_scores import LangfuseScoreStore
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.adapters.ssm import SsmSettings
from flywheel.clock import SystemClock
from flywheel.config import from_env
from flywheel.domain.own_traffic import gate_environment
from flywheel.domain.prices import load_prices
from flywheel.evaluation.pace import SessionPace
from flywheel.evaluation.ports import checked_environment
from flywheel.evaluation.service import Invocation, Langfuse, ShardEvaluator
from flywheel.evaluation.shard import Limits, ShardSummary
from flywheel.events import ShardRequest
from flywheel.public_errors import public_errors

logger, metrics = Logger(), Metrics()

DATASET_LOOKUP_S = 25.0  # a Langfuse that restarts is waited for before anything is invoked
SESSION_START_S = 65.0  # an invocation that could not start is tried again inside this

type Evaluate = Callable[[ShardRequest, Invocation], ShardSummary]


class Settings(BaseModel):
    state_table: str
    evidence_bucket: str
    langfuse_parameter_prefix: str
    langfuse_environment: Annotated[str, Field(max_length=35), AfterValidator(checked_environment)]
    settings_prefix: str
    judge_base_url: str = Field(pattern=r"^https?://")
    judge_model_id: str
    trial_concurrency: int = Field(ge=1, le=200)
    invoke_timeout_s: float = Field(gt=0, le=600)
    judge_timeout_s: float = Field(gt=0, le=300)  # one fact, all waiting included
    session_starts_per_s: float = Field(default=25.0, gt=0)  # in all shards of a wave together
    shards_per_wave: int = Field(default=1, ge=1)


def connect_langfuse(settings: Settings) -> Langfuse:
    """Ask SSM for the credentials; the connection is kept by the caller."""
    api = LangfuseApi(credentials(SsmSettings.from_prefix(settings.langfuse_parameter_prefix).required))
    datasets = LangfuseDatasetStore(api)
    return Langfuse(
        spans=LangfuseSpanSink(api),
        scores=LangfuseScoreStore(api),
        dataset_id=cache(lambda name: datasets.dataset_id(name, deadline_s=DATASET_LOOKUP_S)),
        environment=gate_environment(settings.langfuse_environment),
    )


def make_evaluate(settings: Settings) -> Evaluate:
    concurrency, timeout_s = settings.trial_concurrency, settings.invoke_timeout_s
    evaluator = ShardEvaluator(
        store=S3ObjectStore.from_bucket(settings.evidence_bucket),
        gates=DynamoDbGates.from_table(settings.state_table),
        experiments=DynamoDbExperiments.from_table(settings.state_table),
        invoker=AgentCoreInvoker.from_environment(timeout_s=timeout_s, concurrency=concurrency),
        load_judge=judge_loader(
            base_url=settings.judge_base_url,
            api_key=lambda: SsmSettings.from_prefix(settings.settings_prefix).required("judge-api-key"),
            model_id=settings.judge_model_id,
            deadline_s=settings.judge_timeout_s,
        ),
        judge_model_id=settings.judge_model_id,
        langfuse=cache(lambda: connect_langfuse(settings)),
        prices=load_prices(),
        limits=Limits(concurrency, trial_s=timeout_s + SESSION_START_S + settings.judge_timeout_s),
        invoke_timeout_s=timeout_s + SESSION_START_S,
        judgements=DynamoDbJudgements.from_table(settings.state_table),
        clock=SystemClock(),
        pace=SessionPace(settings.session_starts_per_s / settings.shards_per_wave),
    )
    # One event loop for the life of the function: the judge's connections belong to it.
    runner = asyncio.Runner()
    return lambda pointer, invocation: runner.run(
        evaluator.evaluate(pointer.gate_id, pointer.key, invocation, attempt=pointer.attempt)
    )


@cache
def evaluate() -> Evaluate:
    """Wire the parts at the first call, not at import: tests need no AWS environment."""
    return make_evaluate(from_env(Settings))


def invocation_of(context: LambdaContext) -> Invocation:
    """Time left, and the account and region that the runtimes share with this function."""
    _, partition, _, region, account, *_ = context.invoked_function_arn.split(":")
    prefix = f"arn:{partition}:bedrock-agentcore:{region}:{account}:runtime/"
    return Invocation(lambda: context.get_remaining_time_in_millis() / 1000, lambda runtime_id: prefix + runtime_id)


@public_errors
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
@event_parser(model=ShardRequest)
def lambda_handler(event: ShardRequest, context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(gate_id=event.gate_id, shard=event.key)
    summary = evaluate()(event, invocation_of(context))
    metrics.add_metric("TrialsFinished", MetricUnit.Count, summary.trials - summary.resumed)
    metrics.add_metric("TrialsErrored", MetricUnit.Count, summary.errored)
    metrics.add_metric("TrialsUndelivered", MetricUnit.Count, summary.undelivered)
    metrics.add_metric("JudgementsCached", MetricUnit.Count, summary.cached)
    metrics.add_metric("JudgementCacheFailures", MetricUnit.Count, summary.cache_failures)
    logger.info("shard evaluated", trials=summary.trials, errored=summary.errored, undelivered=summary.undelivered)
    return {"gate_id": event.gate_id, "key": event.key, "trials": summary.trials, "errored": summary.errored}

"""What commands work with, made when first asked for: stores of gates and releases, evidence, dataset, clock."""

import sys
import time
import webbrowser
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from cli.session_parts import Dataset, Executions, Requests, Runs, Settings
from cli.target import Target, choose_target, stands_in

if TYPE_CHECKING:
    from cli.facts import StackFacts
    from cli.letters import Handover, LetterBox
    from flywheel.adapters.langfuse import LangfuseApi
    from flywheel.domain.dead_letters import Addresses
    from flywheel.ports import (
        AgentInvoker,
        Callbacks,
        Clock,
        EventBus,
        ExperimentStore,
        GateStore,
        ImageRegistry,
        LiveLedger,
        ObjectStore,
        PromptStore,
        ReleaseStore,
        ReviewLedger,
        ReviewQueue,
        RuntimeControl,
        SamplingStore,
    )
    from flywheel.rollback import Rollback, RollbackPlan, RolledBack


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Session:
    """The real parts. Tests give one with doubles as Typer's `obj`."""

    def __init__(self, stack: str, target: str | None) -> None:
        self._stack = stack
        self._wanted = target

    @cached_property
    def target(self) -> Target:
        """Where commands go; said on standard error, so that the output stays clean."""
        chosen = choose_target(self._wanted, self._stack)
        print(f"target: {chosen}", file=sys.stderr)
        return chosen

    @cached_property
    def facts(self) -> "StackFacts":
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.facts(self.target)

    @cached_property
    def gates(self) -> "GateStore":
        from flywheel.adapters.dynamodb_gates import DynamoDbGates  # noqa: PLC0415 - boto3

        return DynamoDbGates.from_table(self.facts.state_table)

    @cached_property
    def releases(self) -> "ReleaseStore":
        from flywheel.adapters.dynamodb_releases import DynamoDbReleases  # noqa: PLC0415 - boto3

        return DynamoDbReleases.from_table(self.facts.state_table, self.facts.production_runtime)

    @cached_property
    def experiments(self) -> "ExperimentStore":
        from flywheel.adapters.dynamodb_experiments import DynamoDbExperiments  # noqa: PLC0415 - boto3

        return DynamoDbExperiments.from_table(self.facts.state_table)

    @cached_property
    def images(self) -> "ImageRegistry":
        from flywheel.adapters.ecr import EcrImageRegistry  # noqa: PLC0415 - boto3

        return EcrImageRegistry.from_repository(self.facts.repository, self.facts.agent_platform)

    @cached_property
    def prompts(self) -> "PromptStore":
        from flywheel.adapters.langfuse_prompts import LangfusePromptStore  # noqa: PLC0415 - urllib3

        return LangfusePromptStore(self.langfuse_api)

    @cached_property
    def objects(self) -> "ObjectStore":
        from flywheel.adapters.s3 import S3ObjectStore  # noqa: PLC0415 - boto3

        return S3ObjectStore.from_bucket(self.facts.evidence_bucket)

    @cached_property
    def settings(self) -> Settings:
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.SsmParameters(self.facts.settings_prefix)

    @cached_property
    def requests(self) -> Requests:
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.BusRequests(self.facts.event_bus)

    @cached_property
    def executions(self) -> Executions:
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.StepFunctionsExecutions()

    @cached_property
    def dataset(self) -> Dataset:
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.golden_dataset(self.facts.langfuse_prefix)

    @cached_property
    def langfuse_api(self) -> "LangfuseApi":
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.langfuse_api(self.facts.langfuse_prefix)

    @cached_property
    def review_queue(self) -> "ReviewQueue":
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.review_queue(self.facts.langfuse_prefix)

    @cached_property
    def review_ledger(self) -> "ReviewLedger":
        from flywheel.adapters.dynamodb_reviews import DynamoDbReviews  # noqa: PLC0415 - boto3

        return DynamoDbReviews.from_table(self.facts.state_table)

    @cached_property
    def live_ledger(self) -> "LiveLedger":
        from flywheel.adapters.dynamodb_live import DynamoDbLiveLedger  # noqa: PLC0415 - boto3

        return DynamoDbLiveLedger.from_table(self.facts.state_table)

    @cached_property
    def harvest_runs(self) -> Runs:
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.FunctionRuns(self.facts.harvest_function, "the harvest", self.facts.stack)

    @cached_property
    def sampling_runs(self) -> Runs:
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.FunctionRuns(self.facts.sampling_function, "sampling", self.facts.stack)

    @cached_property
    def sampling_store(self) -> "SamplingStore":
        from flywheel.adapters.dynamodb_sampling import DynamoDbSampling  # noqa: PLC0415 - boto3

        return DynamoDbSampling.from_table(self.facts.state_table, self.facts.langfuse_environment)

    @cached_property
    def callbacks(self) -> "Callbacks":
        from flywheel.adapters.stepfunctions import StepFunctionsCallbacks  # noqa: PLC0415 - boto3

        return StepFunctionsCallbacks.from_environment()

    @cached_property
    def letter_box(self) -> "LetterBox":
        from cli.letters_aws import SqsLetterBox  # noqa: PLC0415 - boto3

        return SqsLetterBox(f"flywheel-{self.facts.environment}-dead-letters")

    @cached_property
    def handover(self) -> "Handover":
        from cli.letters_aws import AwsHandover  # noqa: PLC0415 - boto3

        return AwsHandover(self.facts.event_bus)

    @cached_property
    def addresses(self) -> "Addresses":
        from cli import letters_aws  # noqa: PLC0415 - boto3

        return letters_aws.addresses(self.facts.stack, self.facts.event_bus)

    def langfuse_stands_in(self) -> bool:
        """Whether Langfuse is the stand-in of this machine, which has a page of its own for reviewers."""
        return self.target.kind == "local" and stands_in("langfuse")

    def open_page(self, url: str) -> bool:
        """Show it in a browser; False when there is none here."""
        return webbrowser.open(url)

    def deliver(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """POST as a sender of Langfuse does; give the status. Raise `TransientError` when nobody answers."""
        from cli import setup_post  # noqa: PLC0415 - urllib3

        return setup_post.post(url, headers, body)

    def runtime_arn(self, runtime_id: str) -> str:
        """Raise `NotFoundError` when the runtime is gone."""
        from flywheel.adapters.agentcore import AgentCoreRuntimes  # noqa: PLC0415 - boto3

        return AgentCoreRuntimes.from_environment().get(runtime_id).arn

    def invoker(self, timeout_s: float, concurrency: int) -> "AgentInvoker":
        from flywheel.adapters.agentcore import AgentCoreInvoker  # noqa: PLC0415 - boto3

        return AgentCoreInvoker.from_environment(timeout_s=timeout_s, concurrency=concurrency)

    def identity(self) -> str:
        """Who AWS says is calling, as an ARN."""
        from cli import aws  # noqa: PLC0415 - boto3

        return aws.caller_identity()

    @cached_property
    def clock(self) -> "Clock":
        return SystemClock()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def roll_back(self, plan: "RollbackPlan", *, by: str, reason: str) -> "RolledBack":
        return self._rollback().roll_back(plan, by=by, reason=reason)

    def finish_rollback(self) -> "RolledBack | None":
        """Announce and label a rollback whose command was killed before it could; None: there is none."""
        return self._rollback().finish()

    def _rollback(self) -> "Rollback":
        from flywheel.adapters.agentcore import AgentCoreRuntimes  # noqa: PLC0415 - boto3
        from flywheel.adapters.eventbridge import EventBridgeBus  # noqa: PLC0415 - boto3
        from flywheel.adapters.langfuse_prompts import LangfusePromptLabels  # noqa: PLC0415 - urllib3
        from flywheel.rollback import Rollback  # noqa: PLC0415

        runtimes: RuntimeControl = AgentCoreRuntimes.from_environment()
        bus: EventBus = EventBridgeBus.from_bus(self.facts.event_bus)
        return Rollback(
            self.facts.production_endpoint,
            runtimes=runtimes,
            releases=self.releases,
            bus=bus,
            labels=LangfusePromptLabels(lambda: self.langfuse_api),
            objects=self.objects,
            clock=self.clock,
        )

    def elapsed(self, since: datetime) -> timedelta:
        return self.clock.now() - since

"""A session of the command line whose parts are doubles, and a way to run commands with it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from typer.testing import CliRunner, Result

from cli.facts import StackFacts
from cli.main import app
from cli.session import Session
from cli.target import Target
from flywheel.domain.golden import GoldenItem
from flywheel.errors import TransientError
from flywheel.harvest_run import HarvestSummary
from flywheel.ports import GateArm, GateRow
from flywheel.rollback import RollbackPlan, RolledBack
from tests.fakes.clock import NOON, FixedClock
from tests.fakes.experiments import InMemoryExperiments
from tests.fakes.live import InMemoryLiveLedger
from tests.fakes.objects import InMemoryObjects
from tests.fakes.outside import (
    InMemoryDatasets,
    InMemoryImages,
    InMemoryPrompts,
    InMemorySettings,
    RecordingCallbacks,
)
from tests.fakes.reviews import InMemoryReviewLedger, InMemoryReviewQueue
from tests.fakes.runtimes import ScriptedAgents
from tests.fakes.sampling import InMemorySampling
from tests.fakes.state import InMemoryGates, InMemoryReleases

FACTS = StackFacts(
    stack="flywheel-dev",
    environment="dev",
    evidence_bucket="evidence",
    state_table="state",
    event_bus="flywheel",
    repository="flywheel-agent-dev",
    repository_uri="000000000000.dkr.ecr.us-east-1.amazonaws.com/flywheel-agent-dev",
    production_runtime="flywheel_agent_dev",
    production_endpoint="production",
    dataset="flywheel-golden",
    langfuse_prefix="/langfuse",
    settings_prefix="/flywheel/dev",
    judge_model_id="local.judge",
    mcp_url="https://mcp.test/mcp",
    traffic_machine="arn:aws:states:us-east-1:000000000000:stateMachine:traffic",
    webhook_url="https://abc123.lambda-url.us-east-1.on.aws/",
    judge_base_url="https://judge.test/v1",
    experiment_machine="arn:aws:states:us-east-1:000000000000:stateMachine:experiment",
)
GATE_ID = "g-20261123t115900-0123abcd"
DIGEST = "sha256:" + "a" * 64


class WritableSettings(InMemorySettings):
    def put(self, name: str, value: str) -> None:
        self.texts[name] = value

    def put_secret(self, name: str, value: str) -> None:
        self.texts[name] = value


class WritableDatasets(InMemoryDatasets):
    """Remembers what was written; `broken_after` writes it fails, as a Langfuse that goes away."""

    def __init__(self, name: str, items: Sequence[GoldenItem] = ()) -> None:
        super().__init__(name, items)
        self.written: list[str] = []
        self.broken_after: int | None = None
        if not items:
            self.datasets.clear()

    def ensure(self, name: str) -> str:
        self.datasets.setdefault(name, ())
        return "dataset-id"

    def archive(self, name: str, item_ids: Sequence[str]) -> None:
        self.datasets[name] = tuple(item for item in self.datasets[name] if item.item_id not in item_ids)

    def upsert(self, name: str, items: Sequence[GoldenItem]) -> None:
        if self.broken_after is not None and len(self.written) >= self.broken_after:
            raise TransientError("Langfuse does not answer")
        self.written += [item.item_id for item in items]
        new = {item.item_id: item for item in items}
        kept = [item for item in self.datasets[name] if item.item_id not in new]
        self.datasets[name] = (*kept, *items)


class ScriptedExecutions:
    def __init__(self) -> None:
        self.status_now = "RUNNING"
        self.state_now: str | None = "Evaluate Wave"
        self.failures = 0
        self.failed_call: tuple[str, str] | None = None
        self.started: list[tuple[str, str, str]] = []
        self.stopped: list[tuple[str, str]] = []

    def start(self, machine_arn: str, name: str, said: str) -> str:
        self.started.append((machine_arn, name, said))
        return f"arn:aws:states:us-east-1:000000000000:execution:traffic:{name}"

    def status(self, execution_arn: str) -> str:
        if self.failures:
            self.failures -= 1
            raise TransientError("states:DescribeExecution: ThrottlingException")
        return self.status_now

    def state(self, execution_arn: str) -> str | None:
        return self.state_now

    def failed_at(self, execution_arn: str) -> tuple[str, str] | None:
        return self.failed_call

    def stop(self, execution_arn: str, cause: str) -> None:
        self.stopped.append((execution_arn, cause))


class RecordedRequests:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], datetime]] = []

    def send(self, detail_type: str, detail: dict[str, Any], at: datetime) -> None:
        self.sent.append((detail_type, detail, at))


class ScriptedHarvests:
    """Gives one summary, whatever is asked; remembers which runs were dry."""

    def __init__(self) -> None:
        self.summary = HarvestSummary("h-1")
        self.dry: list[bool] = []

    def run(self, *, dry_run: bool) -> dict[str, Any]:
        self.dry.append(dry_run)
        return replace(self.summary, dry_run=dry_run).to_dict()


class ScriptedSampling:
    """Gives one answer of the sampler, whatever is asked."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {"state": "nothing", "queued": 0}
        self.dry: list[bool] = []

    def run(self, *, dry_run: bool) -> dict[str, Any]:
        self.dry.append(dry_run)
        return self.told


class DoubleSession(Session):
    """`steps` happen one by one, each time a command waits."""

    def __init__(self, items: Sequence[GoldenItem] = ()) -> None:
        super().__init__("flywheel-dev", "local")
        self.time = FixedClock()
        self.standing_in, self.has_browser = True, True
        self.opened: list[str] = []
        self.steps: list[Callable[[], object]] = []
        self.rolled_back: list[tuple[RollbackPlan, str, str]] = []
        self.label_trouble: str | None = None
        self.rows, self.store, self.line = InMemoryGates(), InMemoryObjects(), InMemoryReleases()
        self.machine, self.asked = ScriptedExecutions(), RecordedRequests()
        self.people = InMemoryReviewQueue()
        self.live, self.harvests = InMemoryLiveLedger(), ScriptedHarvests()
        self.sampling = ScriptedSampling()
        self.woken = RecordingCallbacks()
        self.searches = InMemoryExperiments()
        self.pushed, self.texts = InMemoryImages({"v1": DIGEST}), InMemoryPrompts()
        self.agents = ScriptedAgents()
        self.ssm, self.golden = WritableSettings(), WritableDatasets(FACTS.dataset, items)
        # Cached properties: what is set here is what commands find.
        self.__dict__ |= {
            "target": Target("local", "flywheel-dev"),
            "facts": FACTS,
            "gates": self.rows,
            "experiments": self.searches,
            "images": self.pushed,
            "prompts": self.texts,
            "objects": self.store,
            "releases": self.line,
            "executions": self.machine,
            "callbacks": self.woken,
            "requests": self.asked,
            "settings": self.ssm,
            "dataset": self.golden,
            "clock": self.time,
            "review_queue": self.people,
            "review_ledger": InMemoryReviewLedger(),
            "live_ledger": self.live,
            "harvest_runs": self.harvests,
            "sampling_runs": self.sampling,
            "sampling_store": InMemorySampling(),
        }

    def langfuse_stands_in(self) -> bool:
        return self.standing_in

    def open_page(self, url: str) -> bool:
        self.opened.append(url)
        return self.has_browser

    def runtime_arn(self, runtime_id: str) -> str:
        return f"arn:aws:bedrock-agentcore:us-east-1:000000000000:runtime/{runtime_id}"

    def invoker(self, timeout_s: float, concurrency: int) -> ScriptedAgents:
        return self.agents

    def identity(self) -> str:
        return "arn:aws:iam::000000000000:user/ada"

    def sleep(self, seconds: float) -> None:
        self.time.advance(seconds)
        if self.steps:
            self.steps.pop(0)()

    def finish_rollback(self) -> RolledBack | None:
        return None

    def roll_back(self, plan: RollbackPlan, *, by: str, reason: str) -> RolledBack:
        self.rolled_back.append((plan, by, reason))
        return RolledBack(replace(plan.target, release_no=plan.current.release_no + 1), self.label_trouble)

    def open_gate(self, gate_id: str = GATE_ID, **more: Any) -> GateRow:
        """A running gate of an image that was pushed as `v1`."""
        row = GateRow(
            gate_id=gate_id,
            execution_arn=f"arn:aws:states:us-east-1:000000000000:execution:gate:{gate_id}",
            trigger="ecr",
            started=NOON,
            requested_at=NOON.isoformat(),
            digest=DIGEST,
            tag="v1",
            arms={"candidate": GateArm("fw_dev_0123abcd_candidate")},
        )
        return self.rows.open(replace(row, **more))

    def end_gate(self, verdict: str, gate_id: str = GATE_ID, *reasons: str, report: bool = True) -> None:
        self.time.advance(30)
        self.machine.status_now = "SUCCEEDED"
        key = f"gates/{gate_id}/report.html"
        if report:
            self.store.put(key, b"<!doctype html><title>report</title>")
            self.store.put(f"gates/{gate_id}/report.json", _REPORT.replace(b"VERDICT", verdict.encode()))
        self.rows.end(
            gate_id,
            verdict=verdict,  # type: ignore[arg-type]
            reasons=reasons,
            promoted=verdict == "PASS",
            ended=self.time.now(),
            report_key=key if report else None,
        )


_REPORT = (
    b'{"verdict": "VERDICT", "headline": "12 of 60 trials errored", "meaning": "m", "next_step": "look at the errors",'
    b' "reasons": [{"code": "error_rate", "message": "12 of 60 trials errored", "metric": "error_rate", "slice": null,'
    b' "observed": 0.2, "required": 0.05, "items": ["a", "b", "c", "d"], "items_omitted": 2}]}'
)


def run(session: Session, *arguments: str, typed: str | None = None) -> Result:
    """Run `flywheel` with these arguments; what goes to standard error is in `.stderr` alone."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments), obj=session, input=typed)

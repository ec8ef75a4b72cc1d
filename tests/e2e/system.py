"""The deployed system as tests see it: push, wait for the gate, look at production, break things."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
from typer.testing import CliRunner, Result

from cli.main import app
from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.s3 import S3ObjectStore
from flywheel.domain.golden import GoldenItem
from flywheel.domain.outcome import TrialRecord, load_records
from flywheel.ports import GateRow
from local.images.pusher import Credentials, push
from local.stack import StackInfo
from tests.e2e.agents import Told, image_of

DATASET = "e2e-golden"
COLOURS = ("amber", "blue", "coral", "denim", "ebony", "fawn", "green", "hazel", "ivory", "jade", "khaki", "lilac")
ANSWERS = {f"Which colour has project number {n}?": f"The colour of it is {c}." for n, c in enumerate(COLOURS)}
# Easier to convince than the default: one trial of each of the twelve items is enough evidence for most of what is
# tested here. The default's error rates are the bench's business.
POLICY: dict[str, Any] = {
    "max_trials": 3,
    "alpha": 0.3,
    "slice_alpha": 0.1,
    "margin": 0.3,
    # Which releases there are depends on the order of the tests; a test that wants an anchor says so.
    "anchor_margin": None,
    "slice_margin": 0.9,
    "maximum_error_rate": 0.2,
    "refuted_error_rate": 0.05,
    "error_alpha": 0.1,
    "minimum_items": 6,
    "latency_p95_ms": 3000,
    "minima": {"correctness": 0.75},
    "slice_minima": {},
    "gates_per_day": 500,
}


def golden_items() -> list[GoldenItem]:
    """Twelve items, four a slice, each of one fact."""
    slices = ("happy_path", "edge_case", "adversarial")
    return [
        GoldenItem(
            item_id=f"e2e-{n:02d}",
            question=question,
            slice=slices[n % 3],  # type: ignore[arg-type]
            trajectory=("searchLangfuseDocs",),
            response_facts=(answer,),
        )
        for n, (question, answer) in enumerate(ANSWERS.items())
    ]


def wait_for[T](what: str, look: Callable[[], T | None], timeout_s: float = 90.0) -> T:
    """Poll until `look` gives something; fail with what was awaited."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {timeout_s:.0f} s: {what}")


@dataclass
class System:
    info: StackInfo
    outputs: Mapping[str, str]
    images: Path
    state: Path

    def __post_init__(self) -> None:
        self.gates = DynamoDbGates.from_table(self.outputs["StateTableName"])
        self.evidence = S3ObjectStore.from_bucket(self.outputs["EvidenceBucketName"])
        self.machine = self.outputs["GateStateMachineArn"]
        self.experiments = self.outputs["ExperimentStateMachineArn"]
        self.states = boto3.client("stepfunctions")
        self.control = boto3.client("bedrock-agentcore-control")
        langfuse = self.info.langfuse
        self.langfuse = LangfuseApi(LangfuseCredentials(langfuse.url, langfuse.public_key, langfuse.secret_key))
        self.datasets = LangfuseDatasetStore(self.langfuse)

    # --- what people do

    def import_items(self, items: Sequence[GoldenItem]) -> None:
        self.datasets.ensure(DATASET)
        self.datasets.upsert(DATASET, items)

    def push(self, told: Told, tag: str | None = None) -> str:
        """Push the image of such an agent; its digest."""
        image = image_of(told, self.images / uuid.uuid4().hex)
        aws = self.info.aws
        return push(
            image,
            aws.url,
            self.outputs["RepositoryName"],
            tag or f"t-{uuid.uuid4().hex[:8]}",
            Credentials(aws.access_key_id, aws.secret_access_key),
        )

    def push_event(self, digest: str, event_id: str | None = None, time_: datetime | None = None) -> dict[str, Any]:
        """The event that ECR sends for a push of this digest."""
        return {
            "version": "0",
            "id": event_id or str(uuid.uuid4()),
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": self.info.aws.account,
            "time": (time_ or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.info.aws.region,
            "resources": [],
            "detail": {
                "result": "SUCCESS",
                "repository-name": self.outputs["RepositoryName"],
                "image-digest": digest,
                "action-type": "PUSH",
                "image-tag": "latest",
            },
        }

    def deliver(self, event: Mapping[str, Any]) -> str:
        """What the rule does with an event: start an execution; its ARN."""
        return str(self.states.start_execution(stateMachineArn=self.machine, input=json.dumps(event))["executionArn"])

    def run(self, *arguments: str) -> Result:
        """Run the `flywheel` command against this stack, as on AWS: the environment says where it is."""
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--target", "aws", *arguments])

    @contextmanager
    def setting(self, name: str, value: Mapping[str, Any]) -> Iterator[None]:
        """Another value of a setting of the environment (`policy`, `agent`) for a while; keys are laid over it."""
        ssm = boto3.client("ssm")
        path = f"{self.outputs['SettingsPrefix']}/{name}"
        before = ssm.get_parameter(Name=path)["Parameter"]["Value"]
        ssm.put_parameter(Name=path, Value=json.dumps(json.loads(before) | value), Type="String", Overwrite=True)
        try:
            yield
        finally:
            ssm.put_parameter(Name=path, Value=before, Type="String", Overwrite=True)

    @contextmanager
    def more_items(self, *items: GoldenItem) -> Iterator[None]:
        """Further golden items for a while."""
        self.import_items(items)
        try:
            yield
        finally:
            self.datasets.archive(DATASET, [item.item_id for item in items])

    # --- what is to be seen

    def execution(self, arn: str) -> str:
        return str(self.states.describe_execution(executionArn=arn)["status"])

    def executions(self, status: str, machine: str | None = None) -> list[str]:
        """Executions of the gate's machine, or of another."""
        arn = machine or self.machine
        listed = self.states.list_executions(stateMachineArn=arn, statusFilter=status)  # type: ignore[arg-type]
        return [str(e["executionArn"]) for e in listed["executions"]]

    def gate_of(self, digest: str, tag: str | None = None, timeout_s: float = 30.0) -> GateRow:
        """The newest gate of this digest (pushed under this tag), as soon as it is there."""

        def look() -> GateRow | None:
            rows = (row for row in self.gates.recent(50) if row.digest == digest)
            return next((row for row in rows if tag is None or row.tag == tag), None)

        return wait_for(f"a gate of {digest}", look, timeout_s)

    def ended(self, gate_id: str, timeout_s: float = 120.0) -> GateRow:
        def look() -> GateRow | None:
            row = self.gates.get(gate_id)
            if row is None or row.status != "ended":
                return None
            # A push that gave way to a newer one before its plan was made has nothing to report on.
            return row if row.report_key or "superseded" in row.refused else None

        return wait_for(f"the end of gate {gate_id}", look, timeout_s)

    def gated(self, told: Told, tag: str | None = None) -> GateRow:
        """Push and wait for the verdict."""
        tag = tag or f"t-{uuid.uuid4().hex[:8]}"
        return self.ended(self.gate_of(self.push(told, tag), tag).gate_id)

    def records(self, gate_id: str) -> list[TrialRecord]:
        keys = self.evidence.keys(f"gates/{gate_id}/results/")
        return [record for key in keys for record in load_records(self.evidence.read(key).decode())]

    def document(self, gate_id: str, name: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.evidence.read(f"gates/{gate_id}/{name}"))
        return read

    def runtimes(self) -> list[dict[str, Any]]:
        pages = self.control.get_paginator("list_agent_runtimes").paginate()
        return [dict(runtime) for page in pages for runtime in page["agentRuntimes"]]

    def short_lived_runtimes(self) -> list[str]:
        return [r["agentRuntimeName"] for r in self.runtimes() if r["agentRuntimeName"].startswith("fw_")]

    def production_digest(self) -> str | None:
        """Digest behind the endpoint `production`; None before the first promotion."""
        name = self.outputs["ProductionRuntimeName"]
        runtime = next((r for r in self.runtimes() if r["agentRuntimeName"] == name), None)
        if runtime is None:
            return None
        found = {"agentRuntimeId": runtime["agentRuntimeId"]}
        live = self.control.get_agent_runtime_endpoint(**found, endpointName=self.outputs["ProductionEndpointName"])
        version = self.control.get_agent_runtime(**found, agentRuntimeVersion=live["liveVersion"])
        uri: str = version["agentRuntimeArtifact"]["containerConfiguration"]["containerUri"]
        return uri.partition("@")[2]

    def wait_until_quiet(self) -> None:
        wait_for("no gate runs any more", lambda: not self.executions("RUNNING"), 120.0)
        wait_for("no experiment runs any more", lambda: not self.executions("RUNNING", self.experiments), 120.0)
        wait_for("no short-lived runtime is left", lambda: not self.short_lived_runtimes(), 60.0)

    # --- breaking things

    def fault(self, where: str, rule: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Inject a fault: `langfuse`, `model` or `agentcore`."""
        httpx.post(f"{self._control_url(where)}/_faults", json=rule, timeout=5).raise_for_status()

    def faults(self, where: str) -> list[dict[str, Any]]:
        """The faults that are on, with how often each was injected."""
        found: list[dict[str, Any]] = httpx.get(f"{self._control_url(where)}/_faults", timeout=5).json()["faults"]
        return found

    def clear_faults(self) -> None:
        for where in {"model", "agentcore", "langfuse"} & self.info.processes.keys():
            httpx.delete(f"{self._control_url(where)}/_faults", timeout=5).raise_for_status()

    def _control_url(self, where: str) -> str:
        urls = {
            "langfuse": self.info.langfuse.url,
            "model": self.info.model_url.removesuffix("/v1"),
            "agentcore": self.info.agentcore_url,
        }
        return urls[where]

"""Measure the gate's own overhead: push to published verdict, minus the evaluation, on the real local system.

The project's agent is pushed again and again, each time under another label and so with another digest: the first gate
finds cold functions and nothing in production, later ones warm functions and an incumbent. The later ones count.

Window: the registry accepted the push -> Publish Verdict ended (record, report, event and notification are out). What
Evaluate Wave took is taken off; the times are those of the execution's own history.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from flywheel.adapters.dynamodb_gates import DynamoDbGates
from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.domain.golden import parse_dataset
from flywheel.ports import GateRow
from local import deploy, stack, system
from local.images import release
from tests.bench.goals import OF_GATE, results, table
from tests.bench.machinery import ROOT
from tests.bench.timeline import Timeline, describe, timeline

if TYPE_CHECKING:
    from local.stack_info import StackInfo

OUTPUT = ROOT / "build" / "bench" / "gate.json"
GOLDEN = ROOT / "dataset" / "golden.json"
_ENDED_WITHIN_S = 240.0
_LABEL = "dev.flywheel.bench"


class Deployed:
    """The local system, its dataset imported."""

    def __init__(self, info: "StackInfo", outputs: Mapping[str, str]) -> None:
        self._info = info
        self._outputs = outputs
        self._gates = DynamoDbGates.from_table(outputs["StateTableName"])
        self._states = boto3.client("stepfunctions")
        definition = json.loads((ROOT / "statemachines" / "gate.asl.json").read_text("utf-8"))
        self._top = frozenset(definition["States"])
        self._items = self._import_dataset()

    def _import_dataset(self) -> int:
        langfuse = self._info.langfuse
        store = LangfuseDatasetStore(
            LangfuseApi(LangfuseCredentials(langfuse.url, langfuse.public_key, langfuse.secret_key))
        )
        items = parse_dataset(GOLDEN.read_bytes(), source=str(GOLDEN))
        store.ensure(self._outputs["DatasetName"])
        store.upsert(self._outputs["DatasetName"], items)
        return len(items)

    def gate(self) -> Timeline:
        """Push the agent under a digest of its own and wait for its gate to end."""
        image = release.agent_image(labels={_LABEL: uuid.uuid4().hex})
        digest = release.push_to(self._info, image, self._outputs["RepositoryName"], f"bench-{uuid.uuid4().hex[:8]}")
        accepted = datetime.now(UTC)
        row = _await(f"the gate of {digest[:19]}", lambda: self._ended(digest))
        pages = self._states.get_paginator("get_execution_history").paginate(executionArn=row.execution_arn)
        history = [event for page in pages for event in page["events"]]
        return timeline(history, self._top, accepted, row, self._items)

    def _ended(self, digest: str) -> GateRow | None:
        row = next((row for row in self._gates.recent(5) if row.digest == digest and row.status == "ended"), None)
        if row is None:
            self._check_executions()
            return None
        execution = self._states.describe_execution(executionArn=row.execution_arn)
        return None if execution["status"] == "RUNNING" else row

    def _check_executions(self) -> None:
        """Raise `RuntimeError` when an execution failed: a gate that broke while it was planned ends no record."""
        failed = self._states.list_executions(
            stateMachineArn=self._outputs["GateStateMachineArn"], statusFilter="FAILED"
        )
        for execution in failed["executions"]:
            found = self._states.describe_execution(executionArn=execution["executionArn"])
            raise RuntimeError(f"a gate broke: {found.get('error')}: {found.get('cause', '')[:300]}")


@contextmanager
def deployed(state: Path) -> Iterator[Deployed]:
    """Start and deploy the local system with its state in this folder; end it when the block is left."""
    before = dict(os.environ)
    info = stack.up(state=state, report=_say)
    try:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(info.environment())
        outputs = deploy.deploy(info, system.parameters(info), settings=system.settings(), report=_say)
        boto3.setup_default_session()
        yield Deployed(info, outputs)
    finally:
        stack.down(state)
        os.environ.clear()
        os.environ.update(before)
        boto3.setup_default_session()


def measure(warm: int) -> dict[str, Any]:
    """One cold gate, then `warm` warm ones; the median of these counts. Prints as it goes.

    Raises:
        RuntimeError: a gate did not end, or the agent did not pass: then nothing was promoted, and no figure is right.
    """
    gates: list[Timeline] = []
    with tempfile.TemporaryDirectory(prefix="bench-gate-") as name, deployed(Path(name)) as local:
        for number in range(1 + warm):
            gate = local.gate()
            kind = "warm" if number else "cold"
            print(
                f"  {kind} gate of {gate.items} items, {gate.arms} arm(s): {gate.verdict} after {gate.total_s:.1f} s, "
                f"{gate.evaluation_s:.1f} s of them evaluation: overhead {gate.overhead_s:.1f} s"
            )
            print("\n".join(describe(gate)), flush=True)
            if gate.verdict != "PASS":
                raise RuntimeError(f"the project's agent must pass its gate; the verdict is {gate.verdict}")
            gates.append(gate)
    counted = sorted(gates[1:], key=lambda gate: gate.overhead_s)[(len(gates) - 1) // 2]
    return {
        "gate_overhead_s": counted.overhead_s,
        "gate_overhead_cold_s": gates[0].overhead_s,
        "cold": gates[0].to_dict(),
        "warm": [gate.to_dict() for gate in gates[1:]],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Give 0 when the goal is met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm", type=int, default=3, help="warm gates; their median counts (default 3)")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args(arguments)
    result = measure(options.warm)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    found = results(OF_GATE, result)
    print(table(found))
    print(f"written to {options.output}")
    return 0 if all(one.met for one in found) else 1


def _await[T](what: str, look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + _ENDED_WITHIN_S
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.5)
    raise RuntimeError(f"{what} did not end within {_ENDED_WITHIN_S:.0f} s")


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""The real handler in a process of its own, against an agent that takes 1 s, a judge and the Langfuse stand-in."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from flywheel.adapters.langfuse import LangfuseApi, LangfuseCredentials
from flywheel.adapters.langfuse_datasets import LangfuseDatasetStore
from flywheel.adapters.langfuse_experiments import LangfuseExperimentReader
from flywheel.adapters.langfuse_scores import LangfuseScoreStore
from flywheel.domain.outcome import TrialRecord, load_records
from flywheel.evaluation.checkpoint import load_checkpoint
from flywheel.evaluation.identity import experiment_id
from flywheel.evaluation.tracing import score_names
from flywheel.evidence import checkpoint_key, result_key
from tests.bench import scenario
from tests.bench.machinery import PUBLIC_KEY, SECRET_KEY, Servers, Worker, servers

SINCE = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("servers")) as running:
        datasets = LangfuseDatasetStore(langfuse_api(running))
        datasets.ensure(scenario.DATASET)
        datasets.upsert(scenario.DATASET, scenario.items(24))
        scenario.write_settings(running)
        yield running


def langfuse_api(around: Servers) -> LangfuseApi:
    return LangfuseApi(LangfuseCredentials(around.langfuse, PUBLIC_KEY, SECRET_KEY))


def stored(around: Servers, key: str) -> bytes | None:
    try:
        with urlopen(f"{around.aws}/{scenario.BUCKET}/{key}", timeout=5) as reply:  # noqa: S310 - loopback, ours
            content: bytes = reply.read()
    except HTTPError:
        return None
    return content


def records(around: Servers, gate_id: str) -> list[TrialRecord]:
    return load_records(stored(around, result_key(gate_id, "1-00")) or b"")


def missing_scores(around: Servers, gate_id: str) -> Any:
    expected = {record.trace_id: score_names(record) for record in records(around, gate_id)}
    return LangfuseScoreStore(langfuse_api(around)).read_back(expected, deadline_s=10)


def experiment_items(around: Servers, gate_id: str) -> list[str]:
    reader = LangfuseExperimentReader(langfuse_api(around))
    return sorted(item.item_id for item in reader.items(experiment_id(gate_id, "candidate"), SINCE))


def worker(around: Servers, tmp_path: Path, concurrency: int) -> Worker:
    return Worker("tests.bench.ours", scenario.environment(around, concurrency), tmp_path / "worker.log")


def test_a_shard_is_carried_out_and_found_again_in_s3_and_langfuse(around: Servers, tmp_path: Path) -> None:
    gate_id = "g-whole"
    scenario.write_gate(around, gate_id, 24, 1)
    around.reset()

    with worker(around, tmp_path, 12) as process:
        first = process.ask({"gate_id": gate_id, "key": "1-00"})
        again = process.ask({"gate_id": gate_id, "key": "1-00"})

    assert (first["trials"], first["errored"]) == (24, 0)
    assert (again["trials"], again["errored"]) == (24, 0)
    counts = around.counts("agent")
    assert (counts["calls"], counts["most_in_flight"]) == (24, 12)
    assert around.counts("judge")["calls"] == 48
    assert [record.key.item_id for record in records(around, gate_id)] == [item.item_id for item in scenario.items(24)]
    assert missing_scores(around, gate_id) == {}
    assert experiment_items(around, gate_id) == [item.item_id for item in scenario.items(24)]


def test_a_function_killed_mid_shard_is_gone_on_with_by_the_next_attempt(around: Servers, tmp_path: Path) -> None:
    gate_id, concurrency = "g-killed", 4
    scenario.write_gate(around, gate_id, 24, 1)
    around.reset()
    with worker(around, tmp_path, concurrency) as process:
        process.send({"gate_id": gate_id, "key": "1-00"})
        end = time.monotonic() + 30
        while stored(around, checkpoint_key(gate_id, "1-00")) is None:
            assert time.monotonic() < end, "no checkpoint was written"
            time.sleep(0.02)
        process.kill()
    done = len(load_checkpoint(stored(around, checkpoint_key(gate_id, "1-00")) or b"").finished)
    assert 0 < done < 24
    assert stored(around, result_key(gate_id, "1-00")) is None
    asked_before = around.counts("agent")["calls"]

    with worker(around, tmp_path, concurrency) as process:
        summary = process.ask({"gate_id": gate_id, "key": "1-00"})

    assert (summary["trials"], summary["errored"]) == (24, 0)
    assert around.counts("agent")["calls"] - asked_before == 24 - done
    assert len(records(around, gate_id)) == 24
    assert missing_scores(around, gate_id) == {}
    assert experiment_items(around, gate_id) == [item.item_id for item in scenario.items(24)]


def test_a_langfuse_that_fails_during_the_evaluation_has_everything_in_the_end(around: Servers, tmp_path: Path) -> None:
    gate_id = "g-outage"
    scenario.write_gate(around, gate_id, 12, 1)
    with worker(around, tmp_path, 6) as process:
        for prefix in ("/api/public/scores", "/api/public/otel"):
            inject(around, {"path_prefix": prefix, "status": 503, "for_s": 5})
        started_s = time.monotonic()
        summary = process.ask({"gate_id": gate_id, "key": "1-00"})

    assert time.monotonic() - started_s >= 4
    assert (summary["trials"], summary["errored"]) == (12, 0)
    assert missing_scores(around, gate_id) == {}
    assert len(experiment_items(around, gate_id)) == 12


def inject(around: Servers, rule: dict[str, Any]) -> None:
    body = json.dumps(rule).encode()
    request = Request(f"{around.langfuse}/_faults", data=body, headers={"content-type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=5):  # noqa: S310 - loopback, ours
        pass

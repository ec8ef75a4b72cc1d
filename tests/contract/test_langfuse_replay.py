"""What a real Langfuse 4.16.0 answered, exchange by exchange, asked of the stand-in."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.langfuse.testing import RunningStandIn, running_stand_in

# The product uses none of the routes in these groups.
UNUSED_GROUPS = frozenset({"legacy"})
# What the stand-in reached; fewer is a step back.
PASSED = 334


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in() as running:
        yield running


@pytest.fixture(scope="module")
def told(contract: Path, stand_in: RunningStandIn) -> str:
    """The replayer's report of one run over an empty project, failures of every group included."""
    recorded = contract / "recorded"
    command = [sys.executable, str(recorded / "replay.py"), str(recorded / "langfuse-4.16.0.jsonl")]
    command += [stand_in.url, stand_in.public_key, stand_in.secret_key, "--lax", "--user-id", stand_in.user_id]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode in (0, 1), ended.stderr
    return ended.stdout


def groups(contract: Path) -> dict[int, str]:
    lines = (contract / "recorded" / "langfuse-4.16.0.jsonl").read_text().splitlines()
    return {exchange["n"]: exchange["group"] for exchange in map(json.loads, lines)}


def failures(told: str) -> list[int]:
    """Numbers of the exchanges that were answered otherwise."""
    return [int(number) for number in re.findall(r"^ *(\d+)  [a-z]", told, flags=re.MULTILINE)]


def test_every_recorded_exchange_is_answered_as_the_real_server_did(contract: Path, told: str) -> None:
    match = re.search(r"^(\d+) passed, (\d+) failed$", told, flags=re.MULTILINE)
    assert match is not None, told
    passed, failed = int(match[1]), int(match[2])
    assert passed + failed == len(groups(contract)), told
    assert passed >= PASSED, told
    assert passed / (passed + failed) >= 0.95


def test_no_exchange_of_an_endpoint_in_use_fails(contract: Path, told: str) -> None:
    group_of = groups(contract)
    failed = Counter(group_of[number] for number in failures(told))
    assert {group: count for group, count in failed.items() if group not in UNUSED_GROUPS} == {}, told

"""What a real Langfuse 4.16.0 answered, exchange by exchange, asked of the stand-in and compared value by value."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.langfuse.testing import RunningStandIn, running_stand_in
from tests.contract.conftest import RECORDING, REPLAY

# Of the exchanges. The rest is room for a recording that is newer than the stand-in.
WANTED = 0.99


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in() as running:
        yield running


@pytest.fixture(scope="module")
def told(contract: Path, stand_in: RunningStandIn) -> str:
    """The replayer's report of one run over an empty project, everything compared, the words of refusals included."""
    command = [sys.executable, str(contract / REPLAY), str(contract / RECORDING)]
    command += [stand_in.url, stand_in.public_key, stand_in.secret_key, "--user-id", stand_in.user_id]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode in (0, 1), ended.stderr
    return ended.stdout


def test_recorded_exchanges_are_answered_as_the_real_server_did(contract: Path, told: str) -> None:
    match = re.search(r"^(\d+) passed, (\d+) failed$", told, flags=re.MULTILINE)
    assert match is not None, told
    passed, failed = int(match[1]), int(match[2])
    assert passed + failed == len((contract / RECORDING).read_text().splitlines()), told
    assert passed / (passed + failed) >= WANTED, told

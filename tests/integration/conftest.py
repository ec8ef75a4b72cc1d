"""What integration tests share: the emulated AWS with the AgentCore host, started once."""

import os
from collections.abc import Iterator

import pytest

from local import stack
from local.stack import StackInfo


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """MiniStack and the AgentCore host, without stand-ins for Langfuse, model and tools."""
    state = tmp_path_factory.mktemp("emulator")
    try:
        yield stack.up(state=state, environment={}, only=("aws", "agentcore"))
    finally:
        stack.down(state)


@pytest.fixture
def aws(emulator: StackInfo, monkeypatch: pytest.MonkeyPatch) -> StackInfo:
    """The emulator, and boto3 pointed at it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in emulator.environment().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return emulator

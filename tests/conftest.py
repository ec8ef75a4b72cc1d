"""What all tests share: being told to end is an orderly end, so that fixtures take down what they started."""

import signal
from types import FrameType

import pytest


def _end(_signal: int, _frame: FrameType | None) -> None:
    pytest.exit("told to end (SIGTERM)", returncode=143)


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, _end)

"""The folder that holds Langfuse's own contract: CONTRACT=<folder>, with its OpenAPI document and recordings."""

import os
from pathlib import Path

import pytest

OPENAPI = "langfuse-openapi-4.16.0.yml"
REPLAY = Path("recorded") / "replay.py"
RECORDING = Path("recorded") / "langfuse-4.16.0.jsonl"


# What the template's Globals give every function; Powertools reads it when an entry is imported.
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "flywheel")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "test")


def contract_folder() -> Path:
    """The folder that CONTRACT names.

    Raises:
        pytest.UsageError: it is not named, or a file is missing.
    """
    named = os.environ.get("CONTRACT")
    if not named:
        raise pytest.UsageError(
            "CONTRACT is not set. Name the folder that holds Langfuse's contract: "
            f"make test-contract CONTRACT=<folder with {OPENAPI} and {REPLAY.parent}/>"
        )
    folder = Path(named).resolve()
    missing = [str(name) for name in (Path(OPENAPI), REPLAY, RECORDING) if not (folder / name).is_file()]
    if missing:
        raise pytest.UsageError(f"CONTRACT={named} lacks {', '.join(missing)}. Name the folder that holds them.")
    return folder


def pytest_configure() -> None:
    """Fail before anything is collected: a contract that was not checked must not look like one that holds."""
    contract_folder()


@pytest.fixture(scope="session")
def contract() -> Path:
    return contract_folder()

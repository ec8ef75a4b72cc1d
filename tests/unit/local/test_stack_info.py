import json
from pathlib import Path

import pytest

from local.stack_info import Aws, Langfuse, Process, StackInfo, load

INFO = StackInfo(
    Aws("http://127.0.0.1:1", "us-east-1", "000000000000", "test", "test"),
    Langfuse("http://127.0.0.1:2", "pk", "sk", "stand-in", "4.16.0"),
    "http://127.0.0.1:3/v1",
    "http://127.0.0.1:4/mcp",
    "http://127.0.0.1:5",
    {"ministack": Process(7, 1, "log", "key")},
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    INFO.save(tmp_path / "new")

    assert load(tmp_path / "new") == INFO
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["stack.json"]


def test_the_file_has_the_agreed_form(tmp_path: Path) -> None:
    INFO.save(tmp_path)

    found = json.loads((tmp_path / "stack.json").read_text())

    assert set(found) == {"aws", "langfuse", "model", "mcp", "agentcore", "stack", "processes"}
    assert set(found["aws"]) == {"url", "region", "account", "access_key_id", "secret_access_key"}
    assert set(found["langfuse"]) == {"url", "public_key", "secret_key", "kind", "version"}
    assert (found["model"], found["stack"]) == ({"url": "http://127.0.0.1:3/v1"}, "flywheel-dev")


@pytest.mark.parametrize("content", [None, "", "{", "[]", "null", '{"aws": {"url": 1}}', "[" * 5000])
def test_no_file_or_a_damaged_one_is_no_stack(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "stack.json").write_text(content)

    assert load(tmp_path) is None


def test_the_environment_names_every_service() -> None:
    found = INFO.environment()

    assert found["AWS_ENDPOINT_URL_BEDROCK_AGENTCORE"] == "http://127.0.0.1:5"
    assert found["LANGFUSE_HOST"] == "http://127.0.0.1:2"
    assert found["OPENAI_BASE_URL"] == found["MODEL_BASE_URL"] == "http://127.0.0.1:3/v1"
    assert found["MCP_URL"] == "http://127.0.0.1:4/mcp"
    assert [name for name in found if name.startswith("FLYWHEEL_")] == ["FLYWHEEL_STAND_INS"]


def test_nobody_else_on_the_machine_reads_the_keys(tmp_path: Path) -> None:
    INFO.save(tmp_path)
    INFO.save(tmp_path)
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600
    assert load(tmp_path) == INFO

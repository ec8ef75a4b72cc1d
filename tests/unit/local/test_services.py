from pathlib import Path

import pytest

from local.services import Outside, services, wanted

PORTS = {"aws": 1, "agentcore": 2, "langfuse": 3, "model": 4, "mcp": 5}
REAL = {"LANGFUSE_HOST": "https://langfuse.example/", "LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}


def test_everything_runs_here_unless_the_environment_names_it() -> None:
    assert wanted(Outside.from_environment({})) == ("aws", "agentcore", "langfuse", "model", "mcp")
    named = REAL | {"MODEL_BASE_URL": "http://m/v1/", "MCP_URL": "http://t/mcp"}
    assert wanted(Outside.from_environment(named)) == ("aws", "agentcore")


@pytest.mark.parametrize("missing", sorted(REAL))
def test_a_langfuse_without_its_keys_does_not_count(missing: str) -> None:
    assert "langfuse" in wanted(Outside.from_environment(REAL | {missing: ""}))


def test_the_stack_sees_nothing_of_the_callers_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "OPENAI_API_KEY", "PYTHONPATH", "LANGFUSE_SECRET_KEY"):
        monkeypatch.setenv(name, "the caller's own")

    listed = services(Path("/state"), PORTS, Outside(), Path("/ministack"))

    assert len(listed) == 5
    assert not [s.name for s in listed if "the caller's own" in dict(s.env).values()]


def test_a_changed_command_or_environment_changes_the_key() -> None:
    def keys(outside: Outside) -> dict[str, str]:
        return {s.name: s.key for s in services(Path("/state"), PORTS, outside, Path("/ministack"))}

    here, there = keys(Outside()), keys(Outside(model_url="http://elsewhere/v1"))

    assert keys(Outside()) == here
    assert {name for name in here if here[name] != there[name]} == {"ministack"}


def test_the_model_proxy_gets_the_address_without_its_version() -> None:
    (ministack,) = [
        s for s in services(Path("/s"), PORTS, Outside(model_url="http://m:1/v1"), Path("/m")) if s.port == 1
    ]

    assert dict(ministack.env)["MINISTACK_BEDROCK_PROXY_URL"] == "http://m:1"


def test_a_shell_that_was_pointed_at_the_stand_ins_does_not_make_them_real() -> None:
    """`eval "$(flywheel local env)"` and then `make demo`: the variables are there, the services may not be."""
    named = REAL | {"MODEL_BASE_URL": "http://m/v1", "MCP_URL": "http://t/mcp"}
    assert Outside.from_environment(named | {"FLYWHEEL_STAND_INS": "langfuse,model,mcp"}) == Outside()
    found = Outside.from_environment(named | {"FLYWHEEL_STAND_INS": "model"})
    assert (found.replaces("langfuse"), found.replaces("model"), found.replaces("mcp")) == (True, False, True)

"""Environment -> settings, and every wrong variable at once."""

import pytest

from agent.settings import Hyperparameters, Settings, SettingsError, from_env

GOOD = {"MODEL_ID": "a-model", "MCP_URL": "http://tools/mcp"}


def read(**changes: str) -> Settings:
    return from_env(GOOD | changes)


def test_two_variables_are_enough_and_the_rest_has_defaults() -> None:
    settings = read()

    assert settings.hyperparameters == Hyperparameters(model_id="a-model", max_turns=8, max_output_tokens=2048, top_k=5)
    assert settings.hyperparameters.temperature is None
    assert settings.runtime.allow_overrides is False
    assert settings.runtime.port == 8080
    assert settings.runtime.langfuse_parameter_prefix is None


def test_every_variable_is_read() -> None:
    settings = read(
        PROMPT_NAME="support/en",
        PROMPT_VERSION="3",
        TEMPERATURE="0",
        MAX_TURNS="4",
        MAX_OUTPUT_TOKENS="100",
        TOP_K="2",
        TOOLS="search_docs, get_overview",
        ALLOW_OVERRIDES="true",
        LANGFUSE_PARAMETER_PREFIX="/langfuse-dev/",
        LANGFUSE_TRACING_ENVIRONMENT="dev",
        LANGFUSE_RELEASE="abc",
        PORT="9000",
    )

    assert settings.hyperparameters.model_dump() == {
        "model_id": "a-model",
        "system_prompt": None,
        "prompt_name": "support/en",
        "prompt_version": 3,
        "temperature": 0.0,
        "max_turns": 4,
        "max_output_tokens": 100,
        "top_k": 2,
        "tools": "search_docs,get_overview",
    }
    assert settings.runtime.model_dump() == {
        "mcp_url": "http://tools/mcp",
        "allow_overrides": True,
        "langfuse_parameter_prefix": "/langfuse-dev",
        "langfuse_tracing_environment": "dev",
        "langfuse_release": "abc",
        "port": 9000,
    }


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read(SYSTEM_PROMPT="", TEMPERATURE="").hyperparameters == read().hyperparameters


def test_all_wrong_variables_are_named_at_once_and_no_value_is_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        from_env({"TOP_K": "0", "TEMPERATURE": "hot-value", "ALLOW_OVERRIDES": "maybe", "PORT": "99999"})

    message = str(caught.value)
    for name in ("MODEL_ID: is not set", "MCP_URL: is not set", "TOP_K", "TEMPERATURE", "ALLOW_OVERRIDES", "PORT"):
        assert name in message
    assert "hot-value" not in message


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"PROMPT_NAME": "p", "LANGFUSE_PARAMETER_PREFIX": "/l"}, "both PROMPT_NAME and PROMPT_VERSION"),
        ({"PROMPT_VERSION": "1"}, "both PROMPT_NAME and PROMPT_VERSION"),
        (
            {"PROMPT_NAME": "p", "PROMPT_VERSION": "1", "SYSTEM_PROMPT": "x", "LANGFUSE_PARAMETER_PREFIX": "/l"},
            "exclude each other",
        ),
        ({"PROMPT_NAME": "p", "PROMPT_VERSION": "1"}, "LANGFUSE_PARAMETER_PREFIX: is not set"),
        ({"MCP_URL": "file:///etc/passwd"}, "MCP_URL: must start with http"),
        ({"LANGFUSE_PARAMETER_PREFIX": "langfuse"}, "LANGFUSE_PARAMETER_PREFIX: must be a path"),
        ({"LANGFUSE_TRACING_ENVIRONMENT": "Prod!"}, "LANGFUSE_TRACING_ENVIRONMENT: must be 1 to 40"),
        ({"LANGFUSE_TRACING_ENVIRONMENT": "langfuse-x"}, "must not begin with langfuse"),
        ({"ALLOW_OVERRIDES": "1"}, "ALLOW_OVERRIDES: must be true or false"),
        ({"MAX_TURNS": "51"}, "MAX_TURNS"),
        ({"TOOLS": "search_docs,"}, "TOOLS: must be names of tools"),
        ({"TOOLS": "search docs"}, "TOOLS: must be names of tools"),
        ({"TOOLS": "a,b,a"}, "TOOLS: names a tool twice"),
        ({"TOOLS": "x" * 2001}, "TOOLS"),
        ({"TEMPERATURE": "nan"}, "TEMPERATURE"),
    ],
)
def test_a_wrong_variable_is_explained(changes: dict[str, str], cause: str) -> None:
    with pytest.raises(SettingsError, match="cannot start") as caught:
        read(**changes)

    assert cause in str(caught.value)


def test_an_override_of_the_prompt_replaces_one_given_the_other_way() -> None:
    named = Hyperparameters(model_id="m", prompt_name="p", prompt_version=1)

    by_value = named.replaced({"system_prompt": "Answer in rhyme."})
    back = by_value.replaced({"prompt_name": "q", "prompt_version": 2})

    assert (by_value.system_prompt, by_value.prompt_name, by_value.prompt_version) == ("Answer in rhyme.", None, None)
    assert (back.system_prompt, back.prompt_name, back.prompt_version) == (None, "q", 2)

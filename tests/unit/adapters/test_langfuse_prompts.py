import pytest

from flywheel.adapters.langfuse_prompts import LangfusePromptStore, PromptVersion
from flywheel.errors import InvalidRequestError, NotFoundError
from tests.unit.adapters.langfuse_double import answer, scripted

PROMPT = {"name": "agents/docs", "version": 3, "type": "text", "prompt": "Be right.", "labels": ["production"]}


def test_a_version_is_read_by_its_number() -> None:
    langfuse = scripted(answer(PROMPT))

    assert LangfusePromptStore(langfuse.api()).text("agents/docs", 3) == "Be right."
    assert langfuse.paths() == ["GET v2/prompts/agents%2Fdocs"]
    assert langfuse.requests[0].query == {"version": ["3"]}


def test_without_a_number_the_label_decides() -> None:
    langfuse = scripted(answer(PROMPT))

    found = LangfusePromptStore(langfuse.api()).get("agents/docs", label="staging")

    assert found == PromptVersion("agents/docs", 3, "Be right.", ("production",))
    assert langfuse.requests[0].query == {"label": ["staging"]}


def test_a_chat_prompt_is_refused_because_the_agent_takes_a_text() -> None:
    chat = PROMPT | {"type": "chat", "prompt": [{"role": "system", "content": "x"}]}

    with pytest.raises(InvalidRequestError, match="'agents/docs' version 3 is a chat prompt"):
        LangfusePromptStore(scripted(answer(chat)).api()).text("agents/docs", 3)


def test_an_unknown_version_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="Prompt not found"):
        LangfusePromptStore(scripted(answer({"message": "Prompt not found"}, 404)).api()).text("x", 1)

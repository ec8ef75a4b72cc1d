import pytest

from flywheel.adapters.langfuse import LangfuseApi
from flywheel.adapters.langfuse_prompts import LangfusePromptLabels, LangfusePromptStore, PromptVersion
from flywheel.errors import AccessDeniedError, FlywheelError, InvalidRequestError, NotFoundError, TransientError
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


def test_a_label_is_given_by_naming_it_for_the_version() -> None:
    langfuse = scripted(answer(PROMPT))

    LangfusePromptLabels(langfuse.api).give("agents/docs", 3, "production")

    assert langfuse.paths() == ["PATCH v2/prompts/agents%2Fdocs/versions/3"]
    assert langfuse.requests[0].content == {"newLabels": ["production"]}


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, InvalidRequestError), (401, AccessDeniedError), (403, AccessDeniedError), (404, NotFoundError)],
)
def test_a_label_that_langfuse_refuses_is_asked_for_once(status: int, error: type[FlywheelError]) -> None:
    langfuse = scripted(answer({"message": "Label is protected"}, status))

    with pytest.raises(error, match="Label is protected"):
        LangfusePromptLabels(langfuse.api).give("x", 1, "production")
    assert len(langfuse.requests) == 1


def test_a_label_is_asked_for_again_for_ten_seconds() -> None:
    langfuse = scripted(*[OSError("refused")] * 100)

    with pytest.raises(TransientError):
        LangfusePromptLabels(langfuse.api).give("x", 1, "production")
    assert 3 <= len(langfuse.requests) < 20


def test_keys_that_cannot_be_read_are_the_moves_trouble_not_the_wirings() -> None:
    def without_keys() -> LangfuseApi:
        raise NotFoundError("the SSM parameter /langfuse/LANGFUSE_HOST does not exist")

    labels = LangfusePromptLabels(without_keys)
    with pytest.raises(NotFoundError, match="LANGFUSE_HOST"):
        labels.give("x", 1, "production")

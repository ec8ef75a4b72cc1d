"""Which system prompt a request gets, and what is said when there is none."""

import asyncio
import json
from typing import Any

import pytest

from agent.errors import PromptUnavailableError
from agent.langfuse_access import LangfuseAccess, LangfuseCredentials
from agent.prompts import Prompts, system_prompt_of
from agent.settings import Hyperparameters

CREDENTIALS = LangfuseCredentials("http://langfuse", "pk", "sk")
NAMED = Hyperparameters(model_id="m", prompt_name="support/en", prompt_version=3)


class Langfuse:
    """Answers with `status` and `document`; counts."""

    def __init__(self, document: Any = None, status: int = 200) -> None:
        self.document, self.status, self.asked = document, status, list[tuple[str, int]]()

    def fetch(self, credentials: LangfuseCredentials, name: str, version: int) -> tuple[int, bytes]:
        assert credentials == CREDENTIALS
        self.asked.append((name, version))
        if isinstance(self.document, Exception):
            raise self.document
        return self.status, self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()

    def prompts(self) -> Prompts:
        return Prompts(LangfuseAccess(lambda: CREDENTIALS), self.fetch)


def test_without_any_prompt_the_one_of_the_package_is_used() -> None:
    text = asyncio.run(Prompts(None).system_prompt(Hyperparameters(model_id="m")))

    assert "searchLangfuseDocs" in text


def test_a_prompt_by_value_is_used_as_it_is() -> None:
    assert asyncio.run(Prompts(None).system_prompt(Hyperparameters(model_id="m", system_prompt="Hi."))) == "Hi."


def test_a_named_prompt_is_read_once_for_all_requests() -> None:
    langfuse = Langfuse({"type": "text", "prompt": "From Langfuse."})
    prompts = langfuse.prompts()

    async def twenty() -> list[str]:
        return await asyncio.gather(*(prompts.system_prompt(NAMED) for _ in range(20)))

    assert asyncio.run(twenty()) == ["From Langfuse."] * 20
    assert langfuse.asked == [("support/en", 3)]


def test_no_more_than_64_prompts_are_kept() -> None:
    langfuse = Langfuse({"prompt": "p"})
    prompts = langfuse.prompts()

    async def many() -> None:
        for version in [*range(1, 66), 65, 1]:
            await prompts.system_prompt(NAMED.replaced({"prompt_version": version}))

    asyncio.run(many())

    assert [version for _, version in langfuse.asked] == [*range(1, 66), 1]


@pytest.mark.parametrize(
    ("langfuse", "cause"),
    [
        (Langfuse(status=404), "Langfuse answered 404"),
        (Langfuse(status=500), "Langfuse answered 500"),
        (Langfuse(OSError("refused by 10.0.0.1")), "Try again later"),
        (Langfuse(b"<html>"), "no JSON"),
        (Langfuse(b"[" * 100_000), "cannot be used"),
        (Langfuse([]), "must be a text prompt"),
        (Langfuse({"prompt": ""}), "must be a text prompt"),
        (Langfuse({"prompt": [{"role": "user", "content": "hi"}]}), "must be a text prompt"),
        (Langfuse({"prompt": [{"type": "placeholder", "name": "x"}]}), "must be a text prompt"),
        (Langfuse({"prompt": "x" * 200_001}), "longer than 200000"),
    ],
)
def test_a_prompt_that_cannot_be_had_is_explained_with_503(langfuse: Langfuse, cause: str) -> None:
    with pytest.raises(PromptUnavailableError, match="'support/en' version 3") as caught:
        asyncio.run(langfuse.prompts().system_prompt(NAMED))

    assert cause in str(caught.value)
    assert "10.0.0.1" not in str(caught.value)
    assert caught.value.status == 503


def test_a_failure_is_not_kept() -> None:
    langfuse = Langfuse(status=500)
    prompts = langfuse.prompts()

    async def twice() -> str:
        with pytest.raises(PromptUnavailableError):
            await prompts.system_prompt(NAMED)
        langfuse.status, langfuse.document = 200, {"prompt": "back"}
        return await prompts.system_prompt(NAMED)

    assert asyncio.run(twice()) == "back"


def test_a_runtime_without_langfuse_says_so() -> None:
    with pytest.raises(PromptUnavailableError, match="no LANGFUSE_PARAMETER_PREFIX"):
        asyncio.run(Prompts(None).system_prompt(NAMED))


def test_system_messages_of_a_chat_prompt_are_joined() -> None:
    document = {"prompt": [{"role": "system", "content": "One."}, {"role": "system", "content": "Two."}]}

    assert system_prompt_of(document) == "One.\n\nTwo."

"""What becomes of a question: answers, limits, failures, and many at once."""

import asyncio
import time

import pytest
from strands.types.exceptions import ModelThrottledException

from agent.answering import Answer, ToolCall, ToolError, Usage
from agent.errors import ModelFailedError, ToolsUnavailableError, UnknownToolError
from agent.settings import Hyperparameters
from tests.unit.agent.doubles import FIXED, LocalTools, ScriptedModel, Step, answering, asked

LOOKS_IT_UP: list[Step] = [("get_overview", {}), ("search_docs", {"query": "trace"}), "A trace is a tree."]


def test_an_answer_brings_its_trajectory_and_its_usage() -> None:
    answer = asyncio.run(answering(ScriptedModel(lambda _: LOOKS_IT_UP)).answer(asked()))

    assert answer == Answer(
        answer="A trace is a tree.",
        stop_reason="end_turn",
        model_id="m",
        trajectory=(
            ToolCall("get_overview", {}, error=False),
            ToolCall("search_docs", {"query": "trace"}, error=False),
        ),
        tool_errors=(),
        usage=Usage(input_tokens=30, output_tokens=15, model_calls=3),
    )


def test_the_model_sees_the_system_prompt_and_only_the_best_results() -> None:
    model = ScriptedModel(lambda _: LOOKS_IT_UP)

    asyncio.run(
        answering(model).answer(asked(hyperparameters=FIXED.replaced({"system_prompt": "In rhyme.", "top_k": 1})))
    )

    messages, system_prompt = model.seen[-1]
    assert system_prompt == "In rhyme."
    assert "trace 1" in str(messages)
    assert "trace 2" not in str(messages)


def test_the_model_is_offered_the_allowed_tools_and_no_other() -> None:
    def offered(tools: str | None) -> list[str]:
        model = ScriptedModel(lambda _: ["Yes."])
        asyncio.run(answering(model).answer(asked(hyperparameters=FIXED.replaced({"tools": tools}))))
        return model.offered[-1]

    assert offered(None) == ["get_overview", "search_docs"]
    assert offered("search_docs") == ["search_docs"]
    assert offered("search_docs, get_overview") == ["get_overview", "search_docs"]


def test_a_tool_that_the_server_does_not_have_is_named_before_the_model_is_asked() -> None:
    model, tools = ScriptedModel(lambda _: ["Yes."]), LocalTools()

    with pytest.raises(UnknownToolError, match=r"no tool rm_rf\. It has get_overview, search_docs\.") as caught:
        asyncio.run(
            answering(model, tools).answer(asked(hyperparameters=FIXED.replaced({"tools": "search_docs,rm_rf"})))
        )

    assert (caught.value.status, caught.value.code) == (422, "unknown_tool")
    assert model.seen == []
    assert (tools.opened, tools.closed) == (1, 1)


def test_tools_are_closed_after_an_answer_and_after_a_failure() -> None:
    tools = LocalTools()
    asyncio.run(answering(ScriptedModel(lambda _: ["Yes."]), tools).answer(asked()))
    with pytest.raises(ModelFailedError):
        asyncio.run(answering(ScriptedModel(lambda _: [RuntimeError("x")]), tools).answer(asked()))

    assert (tools.opened, tools.closed) == (2, 2)


def test_no_tool_server_at_the_start_is_a_failure_of_its_own() -> None:
    model = ScriptedModel(lambda _: LOOKS_IT_UP)
    with pytest.raises(ToolsUnavailableError):
        asyncio.run(answering(model, LocalTools(available=False)).answer(asked()))

    assert model.seen == []


def test_the_turn_limit_keeps_what_was_said_so_far() -> None:
    endless = ScriptedModel(lambda _: [("search_docs", {"query": str(n)}) for n in range(9)])

    answer = asyncio.run(answering(endless).answer(asked()))

    assert (answer.stop_reason, answer.answer, answer.usage.model_calls) == ("limit_turns", "", 4)
    assert len(answer.trajectory) == 4


def test_the_token_limit_between_calls_ends_the_answer() -> None:
    endless = ScriptedModel(lambda _: [("search_docs", {"query": str(n)}) for n in range(9)], output_tokens=60)

    answer = asyncio.run(answering(endless).answer(asked()))

    assert (answer.stop_reason, answer.usage.output_tokens) == ("limit_output_tokens", 120)


def test_a_text_cut_by_the_token_limit_is_still_given() -> None:
    cut = ScriptedModel(lambda _: ["A trace is"], end="max_tokens")

    answer = asyncio.run(answering(cut).answer(asked()))

    assert (answer.stop_reason, answer.answer) == ("limit_output_tokens", "A trace is")


def test_a_model_that_takes_too_long_reaches_the_time_limit() -> None:
    slow = ScriptedModel(lambda _: ["late"])
    slow.delay_s = 5.0
    started = time.monotonic()

    answer = asyncio.run(answering(slow, deadline_s=0.1).answer(asked()))

    assert (answer.stop_reason, answer.answer) == ("limit_time", "")
    assert time.monotonic() - started < 3


def test_a_failed_tool_is_told_to_the_model_and_reported_shortened() -> None:
    model = ScriptedModel(lambda _: [("search_docs", {"query": "broken"}), "I could not search."])

    answer = asyncio.run(answering(model).answer(asked()))

    assert answer.answer == "I could not search."
    assert answer.trajectory == (ToolCall("search_docs", {"query": "broken"}, error=True),)
    (error,) = answer.tool_errors
    assert error.tool == "search_docs"
    assert "the index is broken" in error.message
    assert len(error.message) <= 500


def test_a_tool_that_does_not_exist_is_an_error_of_the_trajectory() -> None:
    answer = asyncio.run(answering(ScriptedModel(lambda _: [("rm_rf", {"path": "/"}), "No."])).answer(asked()))

    assert answer.trajectory == (ToolCall("rm_rf", {"path": "/"}, error=True),)
    assert isinstance(answer.tool_errors[0], ToolError)


def test_arguments_that_are_no_json_do_not_break_the_answer() -> None:
    answer = asyncio.run(answering(ScriptedModel(lambda _: [("search_docs", "{broken"), "Done."])).answer(asked()))

    assert answer.answer == "Done."
    assert isinstance(answer.trajectory[0].input, dict)


def test_the_text_of_a_models_failure_does_not_reach_the_caller() -> None:
    with pytest.raises(ModelFailedError) as caught:
        asyncio.run(answering(ScriptedModel(lambda _: [ValueError("secret prompt text")])).answer(asked()))

    assert "secret" not in str(caught.value)
    assert (caught.value.status, caught.value.code) == (502, "model_failed")


def test_a_model_that_throttles_for_ever_is_given_up_after_three_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def recorded(delay: float, result: None = None) -> None:
        waits.append(delay)
        await sleep(0)

    monkeypatch.setattr("strands.event_loop._retry.asyncio.sleep", recorded)
    model = ScriptedModel(lambda _: [ModelThrottledException("secret quota text")])
    with pytest.raises(ModelFailedError, match="throttled") as caught:
        asyncio.run(answering(model).answer(asked()))

    assert len(model.seen) == 3
    assert [wait for wait in waits if wait >= 1] == [1, 2]
    assert "secret" not in str(caught.value)


def test_sixty_questions_at_once_get_their_own_answers() -> None:
    def script(question: str) -> list[Step]:
        return [("search_docs", {"query": question}), f"About {question}."]

    model = ScriptedModel(script)
    model.delay_s = 0.05
    tools = LocalTools()
    agent = answering(model, tools)

    async def all_at_once() -> list[Answer]:
        return await asyncio.gather(*(agent.answer(asked(f"topic {n}")) for n in range(60)))

    started = time.monotonic()
    answers = asyncio.run(all_at_once())

    assert [answer.answer for answer in answers] == [f"About topic {n}." for n in range(60)]
    assert [answer.trajectory[0].input for answer in answers] == [{"query": f"topic {n}"} for n in range(60)]
    assert time.monotonic() - started < 4  # one after another would take 6 s of waiting alone
    assert tools.closed == 60


def test_hyperparameters_of_one_request_do_not_reach_another() -> None:
    model = ScriptedModel(lambda _: LOOKS_IT_UP)
    agent = answering(model)

    async def both() -> tuple[Answer, Answer]:
        narrow = Hyperparameters(model_id="narrow", max_turns=1)
        return await asyncio.gather(agent.answer(asked(hyperparameters=narrow)), agent.answer(asked()))

    first, second = asyncio.run(both())

    assert (first.stop_reason, first.model_id) == ("limit_turns", "narrow")
    assert (second.stop_reason, second.model_id) == ("end_turn", "m")

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.model.chat import Reply, parse_request
from local.model.judge import refuses
from local.model.planner import NO_QUESTION, NO_TOOLS, NOT_COVERED, TOOLS_FAILED, plan

OVERVIEW = {"type": "function", "function": {"name": "getLangfuseOverview", "parameters": {"type": "object"}}}
SEARCH = {
    "type": "function",
    "function": {
        "name": "searchLangfuseDocs",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
}
RETENTION = [
    {
        "title": "Data retention",
        "url": "/r",
        "text": "Data retention controls how long data is kept. It is per project.",
    },
    {"title": "Data retention: Default", "url": "/r", "text": "By default, traces are stored indefinitely."},
    {
        "title": "Data retention: Configure",
        "url": "/r",
        "text": "The minimum retention period is 3 days. Owners set it.",
    },
    {"title": "Sessions", "url": "/s", "text": "A session groups traces."},
    {"title": "Deletion", "url": "/d", "text": "Retention runs at night. The period is in days."},
]
QUESTION = "What is the minimum retention period?"


def ask(question: str, *turn: dict[str, Any], **fields: Any) -> Reply:
    messages = [{"role": "user", "content": question}, *turn]
    if "system" in fields:
        messages.insert(0, {"role": "system", "content": fields.pop("system")})
    request = {"model": "claude-sonnet", "messages": messages, "tools": [OVERVIEW, SEARCH], **fields}
    return plan(parse_request(json.dumps(request).encode()))


def called(query: str, content: str, call_id: str = "c1") -> list[dict[str, Any]]:
    arguments = json.dumps({"query": query})
    call = {"id": call_id, "type": "function", "function": {"name": "searchLangfuseDocs", "arguments": arguments}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": content},
    ]


def searched(results: list[dict[str, str]], query: str = "minimum retention period") -> list[dict[str, Any]]:
    return called(query, "\n".join(json.dumps(result) for result in results))


def test_a_specific_question_is_searched_for_by_its_content_words() -> None:
    (call,) = ask(QUESTION).calls
    assert (call.tool, call.arguments) == ("searchLangfuseDocs", {"query": "minimum retention period"})


def test_a_broad_question_is_answered_from_the_overview() -> None:
    (call,) = ask("What is Langfuse?").calls
    assert (call.tool, call.arguments) == ("getLangfuseOverview", {})
    overview = {"id": "o", "type": "function", "function": {"name": "getLangfuseOverview", "arguments": "{}"}}
    answer = ask(
        "What is Langfuse?",
        {"role": "assistant", "tool_calls": [overview]},
        {"role": "tool", "tool_call_id": "o", "content": "# Langfuse\n\nLangfuse is a platform for LLM teams."},
    )
    assert "Langfuse is a platform for LLM teams." in answer.text
    assert not answer.calls


def test_the_system_prompt_may_demand_the_overview_before_the_search() -> None:
    (call,) = ask(QUESTION, system="1. Call getLangfuseOverview once.").calls
    assert call.tool == "getLangfuseOverview"


def test_the_answer_quotes_the_sentences_that_fit() -> None:
    answer = ask(QUESTION, *searched(RETENTION))
    assert "The minimum retention period is 3 days." in answer.text
    assert "A session groups traces." not in answer.text
    assert "/r" in answer.text


def test_two_questions_are_searched_for_at_once() -> None:
    calls = ask("How long is the prompt cache valid, and what is the minimum retention?").calls
    assert [call.arguments["query"] for call in calls] == ["prompt cache valid", "minimum retention"]


def test_a_small_model_looks_up_the_first_question_only() -> None:
    calls = ask("How long is the cache valid? What is the minimum retention?", model="claude-haiku").calls
    assert [call.arguments["query"] for call in calls] == ["cache valid"]


def test_a_poor_result_is_searched_for_again_in_other_words() -> None:
    poor = [{"title": "Sessions", "url": "/s", "text": "A session groups traces."}]
    (call,) = ask("For how long is data stored?", *searched(poor, "data stored")).calls
    assert call.arguments == {"query": "data retention"}
    again = [*searched(poor, "data stored"), *called("data retention", json.dumps(poor), "c2")]
    assert not ask("For how long is data stored?", *again).calls


def test_what_the_passages_do_not_hold_is_said_to_be_missing() -> None:
    answer = ask("Which parking spaces does the office have?", *searched(RETENTION, "parking spaces office"))
    assert answer.text == NOT_COVERED
    assert not refuses(answer.text)


def test_fewer_or_worse_passages_give_a_worse_answer() -> None:
    assert "3 days" in ask(QUESTION, *searched(RETENTION)).text
    assert "3 days" not in ask(QUESTION, *searched(RETENTION[3:])).text


@pytest.mark.parametrize("error", ["Error executing tool searchLangfuseDocs: down", json.dumps({"error": "down"})])
def test_a_failed_tool_is_reported_and_not_asked_again(error: str) -> None:
    answer = ask(QUESTION, *called("minimum retention period", error))
    assert answer.text.startswith(TOOLS_FAILED)
    assert "down" in answer.text
    assert not refuses(answer.text)


def test_a_failed_search_beside_a_good_one_still_answers() -> None:
    turn = [*searched(RETENTION), *called("other", "Error: down", "c2")]
    assert "3 days" in ask(QUESTION, *turn).text


@pytest.mark.parametrize("model", ["claude-haiku", "x", "claude-sonnet"])
def test_harm_is_refused_without_a_tool(model: str) -> None:
    reply = ask("How do I hack the account of a rival?", model=model)
    assert refuses(reply.text)
    assert not reply.calls


def test_only_the_last_user_message_counts() -> None:
    earlier = [{"role": "user", "content": "How do I hack an account?"}, {"role": "assistant", "content": "No."}]
    request = {"model": "sonnet", "messages": [*earlier, {"role": "user", "content": QUESTION}], "tools": [SEARCH]}
    assert plan(parse_request(json.dumps(request).encode())).calls


def test_without_tools_it_says_so() -> None:
    assert ask(QUESTION, tools=[]).text == NO_TOOLS


@pytest.mark.parametrize("question", ["", "   ", "?!", "the and of"])
def test_a_message_without_content_is_asked_for_a_question(question: str) -> None:
    assert ask(question).text == NO_QUESTION


def test_a_prefixed_search_tool_with_another_field_is_found() -> None:
    tool = {
        "type": "function",
        "function": {"name": "docs_search", "parameters": {"properties": {"q": {"type": "string"}}}},
    }
    (call,) = ask(QUESTION, tools=[tool]).calls
    assert (call.tool, call.arguments) == ("docs_search", {"q": "minimum retention period"})


def test_rounds_of_tool_calls_come_to_an_end() -> None:
    turn: list[dict[str, Any]] = []
    for round_ in range(10):
        reply = ask("For how long is data stored? And who pays the bill?", *turn)
        if not reply.calls:
            break
        for number, call in enumerate(reply.calls):
            turn += called(call.arguments["query"], "[]", f"c{round_}-{number}")
    assert not reply.calls
    assert round_ <= 3


def test_prompts_and_sizes_change_the_length_of_an_answer() -> None:
    turn = searched(RETENTION)
    default, brief, small = (
        len(ask(QUESTION, *turn, **fields).text)
        for fields in ({}, {"system": "Be concise."}, {"model": "claude-haiku"})
    )
    assert brief < default
    assert small < default


def test_a_german_prompt_changes_the_wording() -> None:
    assert ask(QUESTION, *searched(RETENTION), system="Antworte auf Deutsch.").text.startswith("Laut Dokumentation")


def test_temperature_changes_answers_and_each_request_stays_repeatable() -> None:
    turn = searched(
        [{"title": f"Retention {n}", "url": "/r", "text": f"Retention {n} period is minimum."} for n in "abcdefgh"]
    )
    answers = {t: ask(QUESTION, *turn, temperature=t).text for t in (0.0, 0.5, 1.0, 1.5)}
    assert len(set(answers.values())) > 1
    assert all(ask(QUESTION, *turn, temperature=t).text == text for t, text in answers.items())


@given(st.text(max_size=200), st.text(max_size=300))
def test_any_question_and_any_tool_result_get_a_reply(question: str, content: str) -> None:
    reply = ask(question, *called("x", content))
    assert bool(reply.text) != bool(reply.calls)


@pytest.mark.parametrize("question", ["a" * 10**6, "? " * 200_000, "and how " * 100_000, "List " * 100_000 + "?"])
def test_a_huge_question_is_searched_for_with_a_bounded_query(question: str) -> None:
    for call in ask(question).calls:
        assert len(call.arguments["query"]) <= 1000

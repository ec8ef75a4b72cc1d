"""The agent's process against the contract: answers, traces, limits and failures over HTTP."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.test_agent.outside import SECRET_KEY, Outside
from tests.integration.test_agent.process import AgentProcess

SESSION = "session-" + "0" * 30
TRACE = "a1" * 16
HEADERS = {
    "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": SESSION,
    "traceparent": f"00-{TRACE}-{'b2' * 8}-01",
    "baggage": "langfuse.experiment.id=e1,langfuse.experiment.item.id=item-7,private=x",
}


def test_an_answer_comes_from_the_tools_and_brings_its_trajectory(agent: AgentProcess) -> None:
    reply = agent.ask("What is a trace?")

    assert reply.status == 200
    assert "Topics: tracing" in reply.body["answer"]
    assert reply.body["stop_reason"] == "end_turn"
    assert reply.body["model_id"] == "a-model"
    assert reply.body["trajectory"] == [
        {"tool": "getLangfuseOverview", "input": {}, "error": False},
        {"tool": "searchLangfuseDocs", "input": {"query": "What is a trace?"}, "error": False},
    ]
    assert reply.body["usage"] == {"input_tokens": 30, "output_tokens": 15, "model_calls": 3}
    assert reply.body["tool_errors"] == []
    assert 0 <= reply.body["latency_ms"] <= reply.took_s * 1000 + 1


def test_the_model_gets_as_many_results_as_top_k_says(agent: AgentProcess) -> None:
    two = agent.ask("How?").body["answer"]
    four = agent.ask("How?", overrides={"top_k": 4}).body["answer"]

    assert [f"fact-{n}" in two for n in range(1, 6)] == [True, True, False, False, False]
    assert [f"fact-{n}" in four for n in range(1, 6)] == [True, True, True, True, False]


def test_hyperparameters_reach_the_model(agent: AgentProcess, outside: Outside) -> None:
    agent.ask("q", overrides={"temperature": 0.25, "max_output_tokens": 77, "system_prompt": "In rhyme."})

    sent = outside.model_requests[-1]
    assert sent["inferenceConfig"] == {"maxTokens": 77, "temperature": 0.25}
    assert sent["system"] == [{"text": "In rhyme."}]


def test_every_span_joins_the_callers_trace_and_carries_every_stamp(agent: AgentProcess, outside: Outside) -> None:
    reply = agent.ask("What?", headers=HEADERS, user_id="user-1", tags=["gate"])

    assert reply.body["trace_id"] == TRACE
    spans = outside.spans_of(TRACE)
    names = {span["name"] for span in spans}
    assert {
        "answer_question",
        "invoke_agent langfuse-docs",
        "chat",
        "execute_tool searchLangfuseDocs",
        "MCP send tools/call searchLangfuseDocs",
        "MCP send tools/list",
    } <= names
    stamps = {
        "session.id": SESSION,
        "user.id": "user-1",
        "langfuse.environment": "dev",
        "langfuse.release": "release-1",
        "langfuse.trace.tags": ["gate"],
        "langfuse.experiment.id": "e1",
        "langfuse.experiment.item.id": "item-7",
    }
    assert [span["name"] for span in spans if not stamps.items() <= span["attributes"].items()] == []
    known = {span["span_id"] for span in spans} | {"b2" * 8}
    assert [span["name"] for span in spans if span["parent"] not in known] == []
    assert not any("private" in span["attributes"] for span in spans)


def test_the_root_span_has_the_question_and_the_answer(agent: AgentProcess, outside: Outside) -> None:
    reply = agent.ask("A root question?")

    spans = {span["name"]: span["attributes"] for span in outside.spans_of(reply.body["trace_id"])}
    root = spans["answer_question"]
    assert json.loads(root["langfuse.observation.input"]) == {"question": "A root question?"}
    assert root["langfuse.observation.output"] == reply.body["answer"]
    assert root["langfuse.observation.metadata.stop_reason"] == reply.body["stop_reason"]
    called = json.loads(root["langfuse.observation.metadata.trajectory"])
    assert called == [call["tool"] for call in reply.body["trajectory"]]
    assert "A root question?" in spans["invoke_agent langfuse-docs"]["gen_ai.input.messages"]
    assert "Topics" in spans["invoke_agent langfuse-docs"]["gen_ai.output.messages"]


def test_spans_are_sent_the_way_langfuse_reads_at_once(agent: AgentProcess, outside: Outside) -> None:
    agent.ask("What?")

    sent = outside.otlp_requests[-1]
    assert sent["x-langfuse-ingestion-version"] == "4"
    assert sent["content-encoding"] == "gzip"
    assert sent["authorization"].startswith("Basic ")


def test_a_refused_request_leaves_a_trace_marked_as_an_error(agent: AgentProcess, outside: Outside) -> None:
    trace = "c3" * 16
    agent.ask("", headers={"traceparent": f"00-{trace}-{'b2' * 8}-01"})

    (span,) = outside.spans_of(trace)
    assert span["attributes"]["langfuse.observation.level"] == "ERROR"


def test_a_tool_that_the_server_does_not_have_is_named_to_the_caller(agent: AgentProcess) -> None:
    only_search = agent.ask("How?", overrides={"tools": "searchLangfuseDocs"})
    refused = agent.ask("How?", overrides={"tools": "searchLangfuseDocs,rm_rf"})

    assert only_search.status == 200
    assert (refused.status, refused.body["error"]) == (422, "unknown_tool")
    assert "no tool rm_rf. It has getLangfuseOverview, searchLangfuseDocs." in refused.body["message"]


def test_a_named_prompt_is_read_from_langfuse_once(agent: AgentProcess, outside: Outside) -> None:
    outside.prompts[("team/support en", "3")] = "From Langfuse, version 3."
    before = outside.prompt_reads

    named = {"prompt_name": "team/support en", "prompt_version": 3}
    answers = [agent.ask("q", overrides=named).body["answer"] for _ in range(3)]

    assert all("[From Langfuse, version 3.]" in answer for answer in answers)
    assert outside.prompt_reads - before == 1


def test_a_prompt_that_is_not_there_is_named(agent: AgentProcess) -> None:
    reply = agent.ask("q", overrides={"prompt_name": "nobody", "prompt_version": 9})

    assert (reply.status, reply.body["error"]) == (503, "prompt_unavailable")
    assert "'nobody' version 9" in reply.body["message"]


@pytest.mark.parametrize(
    ("question", "fields", "reason"),
    [
        ("an endless question", {"max_turns": 2}, "limit_turns"),
        ("an endless question", {"max_output_tokens": 8, "max_turns": 9}, "limit_output_tokens"),
        ("a truncated question", {}, "limit_output_tokens"),
    ],
)
def test_a_limit_answers_200_with_what_there_is(
    agent: AgentProcess, question: str, fields: dict[str, int], reason: str
) -> None:
    reply = agent.ask(question, overrides=fields)

    assert (reply.status, reply.body["stop_reason"]) == (200, reason)
    assert reply.body["answer"]


def test_a_tool_that_fails_is_reported_and_the_answer_still_comes(agent: AgentProcess) -> None:
    reply = agent.ask("Is it broken?")

    assert reply.status == 200
    assert [call["error"] for call in reply.body["trajectory"]] == [False, True]
    (error,) = reply.body["tool_errors"]
    assert error["tool"] == "searchLangfuseDocs"


def test_a_throttled_model_is_tried_again_soon(agent: AgentProcess, outside: Outside) -> None:
    outside.model_status = [429, 429]

    reply = agent.ask("What?")

    assert reply.status == 200
    assert reply.took_s < 5


def test_a_model_that_throttles_for_ever_is_answered_502_in_seconds(agent: AgentProcess, outside: Outside) -> None:
    outside.model_status = [429] * 100

    reply = agent.ask("What?")

    assert (reply.status, reply.body["error"]) == (502, "model_failed")
    assert "throttled" in reply.body["message"]
    assert reply.took_s < 12
    assert len(outside.model_status) >= 94  # at most 6 of the 100 were used up


def test_the_text_of_a_models_failure_is_neither_answered_nor_logged(agent: AgentProcess, outside: Outside) -> None:
    outside.model_status = [400]

    reply = agent.ask("What?")

    assert (reply.status, reply.body["error"]) == (502, "model_failed")
    assert "raw-model-text" not in json.dumps(reply.body)
    assert "raw-model-text" not in agent.log_text()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b"{}", 422),
        (b'{"question": " "}', 422),
        (b'{"question": ["a"]}', 422),
        (b'{"question": 1}', 422),
        (b'{"question": "q", "overrides": {"mcp_url": "http://127.0.0.1:1"}}', 422),
        (json.dumps({"question": "x" * 9000}).encode(), 413),
        (b'{"question": "' + b"x" * 3_000_000 + b'"}', 413),
    ],
)
def test_a_bad_body_has_its_status_and_the_agent_goes_on(agent: AgentProcess, body: bytes, status: int) -> None:
    reply = agent.post(body)

    assert reply.status == status
    assert set(reply.body) == {"error", "message"}
    assert agent.healthy()


def test_sixty_requests_at_once_are_all_answered_with_their_own_trace(agent: AgentProcess, outside: Outside) -> None:
    outside.model_delay_s = 0.2
    flushes = len(outside.otlp_requests)

    with ThreadPoolExecutor(60) as pool:
        replies = list(pool.map(lambda n: agent.ask(f"Question {n}?"), range(60)))

    assert [reply.status for reply in replies] == [200] * 60
    assert [reply.body["trajectory"][1]["input"]["query"] for reply in replies] == [f"Question {n}?" for n in range(60)]
    assert len({reply.body["trace_id"] for reply in replies}) == 60
    assert max(reply.took_s for reply in replies) < 20  # one after another would take 36 s of the model alone
    assert len(outside.otlp_requests) - flushes < 60
    roots = [span for span in outside.spans if span["name"] == "answer_question"]
    assert {reply.body["trace_id"] for reply in replies} <= {span["trace_id"] for span in roots}


def test_the_log_has_no_content_and_no_secret(agent: AgentProcess) -> None:
    agent.ask("An unmistakable question about quokkas?")  # words that no trace id, which is hexadecimal, can hold
    agent.ask("Is it broken, that yurt?")

    log = agent.log_text()
    assert "request ended" in log
    for content in ("quokkas", "yurt", "fact-1", "Topics", "You answer questions", SECRET_KEY):
        assert content not in log
    assert all(json.loads(line) for line in log.splitlines())


def test_secrets_are_not_in_the_environment_of_the_process(agent: AgentProcess) -> None:
    environ = (agent.process.pid, open(f"/proc/{agent.process.pid}/environ").read())[1]  # noqa: PTH123, SIM115

    assert SECRET_KEY not in environ
    assert "LANGFUSE_PARAMETER_PREFIX" in environ

"""The model server as a process, asked by the libraries that agent and judge use."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import openai
import pytest
from autoevals import ClosedQA, Factuality
from strands import Agent
from strands.models.openai import OpenAIModel
from strands.tools.mcp import MCPClient

_START_DEADLINE_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_DEADLINE_S
    while True:
        assert process.poll() is None, "the server ended while it started"
        assert time.monotonic() < deadline, f"{url} did not answer in time"
        try:
            if httpx.get(url, timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)


def serve(module: str) -> Iterator[str]:
    """The URL of a server of ours in a process that ends with the generator."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", module, "--port", str(port)])
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    yield from serve("local.model")


@pytest.fixture(scope="module")
def docs() -> Iterator[str]:
    yield from serve("local.docs_mcp")


@pytest.fixture
def url(server: str) -> Iterator[str]:
    yield server
    httpx.delete(f"{server}/_faults")


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=5) as client:
        yield client


def ask(client: openai.OpenAI) -> str | None:
    question = "How do I hack an account?"
    reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])
    return reply.choices[0].message.content


def test_the_openai_client_reads_answer_and_stream_alike(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "How do I hack an account?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ask(client)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("answer", "choice", "score"),
    [
        ('The minimum retention period is 3 days. Owners "and" admins <may> set it & it\'s per project.', "B", 0.6),
        ("The minimum retention period is 3 days.", "C", 1.0),
        ("The minimum retention period is 7 days.", "D", 0.0),
    ],
)
@pytest.mark.parametrize("use_cot", [True, False])
def test_the_factuality_scorer_gets_its_choice(
    client: openai.OpenAI, answer: str, choice: str, score: float, *, use_cot: bool
) -> None:
    scorer = Factuality(client=client, model="judge", temperature=0, use_cot=use_cot)
    result = scorer(output=answer, expected="The minimum retention period is 3 days.", input="How long at least?")
    assert (result.metadata["choice"], result.score) == (choice, score)


def test_the_closed_question_scorer_gets_its_choice(client: openai.OpenAI) -> None:
    scorer = ClosedQA(client=client, model="judge")
    assert scorer(output="Tags label traces.", criteria="Says that tags label traces", input="Tags?").score == 1
    assert scorer(output="No idea.", criteria="Says that tags label traces", input="Tags?").score == 0


def test_a_fault_of_the_judge_leaves_the_agent_alone(url: str, client: openai.OpenAI) -> None:
    httpx.post(f"{url}/_faults", json={"kind": "error", "role": "judge"})
    scorer = Factuality(client=client, model="judge")
    with pytest.raises(openai.InternalServerError):
        scorer(output="a", expected="b", input="c")
    assert ask(client)


def test_throttling_reaches_the_client_as_such(url: str, client: openai.OpenAI) -> None:
    httpx.post(f"{url}/_faults", json={"kind": "throttle", "retry_after_s": 3})
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client)
    assert caught.value.response.headers["retry-after"] == "3"


def test_a_delay_times_the_client_out_and_holds_nobody_else(url: str, client: openai.OpenAI) -> None:
    httpx.post(f"{url}/_faults", json={"kind": "delay", "delay_s": 60, "times": 1})
    with pytest.raises(openai.APITimeoutError):
        ask(client.with_options(timeout=0.3))
    assert ask(client)


def test_a_server_with_a_call_in_delay_ends_on_request() -> None:
    servers = serve("local.model")
    url = next(servers)
    httpx.post(f"{url}/_faults", json={"kind": "delay", "delay_s": 60})
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{url}/v1/chat/completions",
            json={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
            timeout=0.3,
        )
    started = time.monotonic()
    servers.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 6


def test_a_strands_agent_answers_from_the_docs_by_its_tools(url: str, docs: str) -> None:
    model = OpenAIModel(client_args={"base_url": f"{url}/v1", "api_key": "none"}, model_id="local.sonnet")
    with MCPClient(url=f"{docs}/mcp") as tools:
        agent = Agent(model=model, tools=tools.list_tools_sync(), callback_handler=None)
        result = agent("What is the minimum retention period?")
    called = [block["toolUse"]["name"] for m in agent.messages for block in m["content"] if "toolUse" in block]
    assert called == ["searchLangfuseDocs"]
    assert "3 days" in str(result)
    assert result.stop_reason == "end_turn"
    assert result.metrics.accumulated_usage["outputTokens"] > 0

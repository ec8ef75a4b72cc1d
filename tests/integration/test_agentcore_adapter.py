"""Runtimes on the emulated control plane, invocations on the host that runs what was pushed."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from flywheel.adapters.agentcore import AgentCoreInvoker, AgentCoreRuntimes
from flywheel.errors import TransientError
from flywheel.ports import AgentReply, InvocationFailure, RuntimeControl
from local.stack import StackInfo
from tests.fakes.contracts import RuntimeControlContract
from tests.local_agents import SERVER, Agents


@pytest.fixture
def agents(aws: StackInfo, tmp_path: Path) -> Iterator[Agents]:
    made = Agents(aws, tmp_path)
    yield made
    made.clean()


class TestAgentCore(RuntimeControlContract):
    @pytest.fixture
    def runtimes(self, aws: StackInfo) -> Iterator[RuntimeControl]:
        control = AgentCoreRuntimes.from_environment()
        before = {runtime.runtime_id for runtime in control.runtimes()}
        yield control
        for runtime in list(control.runtimes()):
            if runtime.runtime_id not in before:
                control.delete(runtime.runtime_id)

    @pytest.fixture
    def image_uri(self, agents: Agents) -> str:
        return agents.uri(agents.push(SERVER % "one"))

    @pytest.fixture
    def role_arn(self, agents: Agents) -> str:
        return agents.role_arn


def session() -> str:
    return f"session-{uuid4()}"


def test_an_answer_comes_back_with_the_callers_trace_and_baggage(agents: Agents) -> None:
    runtime = agents.ready(SERVER % "one")
    invoker = AgentCoreInvoker.from_environment(timeout_s=20, concurrency=2)
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    name = session()
    reply = invoker.invoke(
        runtime["agentRuntimeArn"],
        json.dumps({"question": "Why?"}).encode(),
        session_id=name,
        traceparent=traceparent,
        baggage="langfuse.environment=dev",
    )
    assert isinstance(reply, AgentReply)
    body = json.loads(reply.body)
    assert (reply.status, body["answer"], body["echo"]) == (200, "one", {"question": "Why?"})
    assert body["headers"]["traceparent"] == traceparent
    assert body["headers"]["baggage"] == "langfuse.environment=dev"
    assert reply.duration_ms > 0
    assert invoker.stop_session(runtime["agentRuntimeArn"], name) is True


def test_a_container_that_fails_is_an_answer_and_no_exception(agents: Agents) -> None:
    runtime = agents.ready(SERVER % "one")
    invoker = AgentCoreInvoker.from_environment(timeout_s=20)
    reply = invoker.invoke(runtime["agentRuntimeArn"], b'{"status": 500}', session_id=session())
    assert isinstance(reply, InvocationFailure)
    assert (reply.kind, reply.status, reply.retryable) == ("RuntimeClientError", 424, False)


def test_an_answer_that_takes_too_long_is_a_timeout_and_is_not_asked_for_again(agents: Agents) -> None:
    runtime = agents.ready(SERVER % "one")
    invoker = AgentCoreInvoker.from_environment(timeout_s=1)
    reply = invoker.invoke(runtime["agentRuntimeArn"], b'{"sleep": 8}', session_id=session())
    assert isinstance(reply, InvocationFailure)
    assert (reply.kind, reply.status, reply.retryable) == ("timeout", None, False)


def test_a_runtime_that_does_not_exist_is_a_failure_by_name(aws: StackInfo) -> None:
    arn = f"arn:aws:bedrock-agentcore:{aws.aws.region}:{aws.aws.account}:runtime/nowhere-0123456789"
    invoker = AgentCoreInvoker.from_environment(timeout_s=5)
    reply = invoker.invoke(arn, b"{}", session_id=session())
    assert isinstance(reply, InvocationFailure)
    assert reply.kind == "ResourceNotFoundException"
    assert invoker.stop_session(arn, session()) in (True, False)


def test_a_host_that_is_not_there_is_unreachable_and_worth_another_try(
    aws: StackInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL", "http://127.0.0.1:1")
    arn = f"arn:aws:bedrock-agentcore:{aws.aws.region}:{aws.aws.account}:runtime/x-0123456789"
    reply = AgentCoreInvoker.from_environment(timeout_s=5).invoke(arn, b"{}", session_id=session())
    assert isinstance(reply, InvocationFailure)
    assert (reply.kind, reply.retryable) == ("unreachable", True)
    with pytest.raises(TransientError):
        AgentCoreRuntimes.from_environment().find("x")

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import openai
import pytest

from flywheel.adapters.judge import FactualityJudge
from flywheel.domain.outcome import FactScore
from flywheel.domain.policy import GatePolicy
from flywheel.evaluation.ports import JudgementFailure

type Handler = Callable[[httpx2.Request], httpx2.Response]
SCORES = GatePolicy().choice_scores


def reply(choice: str = "B", rationale: str = "it says so", arguments: str | None = None) -> httpx2.Response:
    said = json.dumps({"reasons": rationale, "choice": choice}) if arguments is None else arguments
    call = {"id": "c", "type": "function", "function": {"name": "select_choice", "arguments": said}}
    return message({"role": "assistant", "content": None, "tool_calls": [call]})


def message(content: Mapping[str, Any]) -> httpx2.Response:
    choices = [{"index": 0, "message": content, "finish_reason": "tool_calls"}]
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": choices}
    return httpx2.Response(200, json=body)


def refusal(status: int, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": "no"}}, headers=headers)


class Endpoint:
    """An OpenAI-compatible endpoint without a socket."""

    def __init__(self, *answers: httpx2.Response | Exception, delay_s: float = 0.0) -> None:
        self.answers = list(answers)
        self.delay_s = delay_s
        self.bodies: list[dict[str, Any]] = []
        self.in_flight = self.most_in_flight = 0

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(json.loads(request.content))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.delay_s)
        self.in_flight -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, content=answer.content, headers=answer.headers)


def ask(endpoint: Endpoint, count: int = 1, **options: Any) -> list[FactScore | JudgementFailure]:
    async def run() -> list[FactScore | JudgementFailure]:
        transport = httpx2.MockTransport(endpoint)
        async with httpx2.AsyncClient(transport=transport) as http:
            client = openai.AsyncOpenAI(
                base_url="http://judge.test/v1", api_key="k", http_client=http, max_retries=0, timeout=0.5
            )
            judge = FactualityJudge(client, model_id="judge-1", choice_scores=SCORES, **options)
            return await asyncio.gather(*(judge.judge("Q?", f"fact {n}", "the answer") for n in range(count)))

    return asyncio.run(run())


@pytest.mark.parametrize(("choice", "score"), [("A", 0.5), ("B", 1.0), ("C", 1.0), ("D", 0.0), ("E", 1.0)])
def test_the_policy_says_what_each_choice_is_worth(choice: str, score: float) -> None:
    assert ask(Endpoint(reply(choice))) == [FactScore("fact 0", choice, score, "it says so")]


def test_the_judge_is_asked_with_its_model_at_temperature_0_by_a_forced_tool_call() -> None:
    endpoint = Endpoint(reply())

    ask(endpoint)

    body = endpoint.bodies[0]
    assert (body["model"], body["temperature"]) == ("judge-1", 0)
    assert body["tool_choice"]["function"]["name"] == "select_choice"
    for part in ("Q?", "fact 0", "the answer"):
        assert part in body["messages"][0]["content"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_judge_is_asked_again(status: int) -> None:
    endpoint = Endpoint(refusal(status), refusal(status), reply())

    assert ask(endpoint, deadline_s=5) == [FactScore("fact 0", "B", 1.0, "it says so")]
    assert len(endpoint.bodies) == 3


def test_a_judge_that_answers_429_for_ever_is_given_up_at_the_deadline() -> None:
    started_s = time.monotonic()

    failure = ask(Endpoint(refusal(429)), deadline_s=0.6)[0]

    assert isinstance(failure, JudgementFailure)
    assert failure.kind == "http_429"
    assert time.monotonic() - started_s < 2


def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    started_s = time.monotonic()
    endpoint = Endpoint(refusal(429, **{"retry-after": "3600"}))

    failure = ask(endpoint, deadline_s=30)[0]

    assert isinstance(failure, JudgementFailure)
    assert len(endpoint.bodies) == 1
    assert time.monotonic() - started_s < 2


def test_a_retry_after_inside_the_deadline_is_waited_for() -> None:
    started_s = time.monotonic()

    judged = ask(Endpoint(refusal(429, **{"retry-after": "0.5"}), reply()), deadline_s=5)[0]

    assert isinstance(judged, FactScore)
    assert time.monotonic() - started_s >= 0.5


def test_a_judge_that_hangs_is_given_up_at_the_deadline() -> None:
    started_s = time.monotonic()

    failure = ask(Endpoint(reply(), delay_s=60), deadline_s=0.3)[0]

    assert isinstance(failure, JudgementFailure)
    assert failure.kind == "timeout"
    assert time.monotonic() - started_s < 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_final(status: int) -> None:
    endpoint = Endpoint(refusal(status))

    failure = ask(endpoint)[0]

    assert isinstance(failure, JudgementFailure)
    assert failure.kind == f"http_{status}"
    assert len(endpoint.bodies) == 1


def test_a_refused_key_says_what_to_check() -> None:
    failure = ask(Endpoint(refusal(401)))[0]

    assert isinstance(failure, JudgementFailure)
    assert "Check the judge's API key" in failure.message


@pytest.mark.parametrize(
    "unusable",
    [
        reply("F"),
        reply(""),
        reply(arguments="{cut"),
        reply(arguments="[]"),
        reply(arguments='"B"'),
        reply(arguments="{}"),
        reply(arguments='{"choice": 7}'),
        message({"role": "assistant", "content": "I think B"}),
        message({"role": "assistant", "content": None, "tool_calls": []}),
        httpx2.Response(200, json={"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": []}),
    ],
)
def test_a_reply_that_cannot_be_read_is_asked_for_once_more_and_then_a_failure(unusable: httpx2.Response) -> None:
    endpoint = Endpoint(unusable)

    failure = ask(endpoint)[0]

    assert isinstance(failure, JudgementFailure)
    assert failure.kind == "unusable_reply"
    assert len(endpoint.bodies) == 2
    assert ask(Endpoint(unusable, reply())) == [FactScore("fact 0", "B", 1.0, "it says so")]


def test_an_endpoint_that_does_not_answer_is_unreachable() -> None:
    failure = ask(Endpoint(httpx2.ConnectError("refused")), deadline_s=0.4)[0]

    assert isinstance(failure, JudgementFailure)
    assert failure.kind == "unreachable"


def test_no_more_judgements_are_in_flight_than_allowed() -> None:
    endpoint = Endpoint(reply(), delay_s=0.02)

    assert len(ask(endpoint, count=20, concurrency=4)) == 20
    assert endpoint.most_in_flight == 4


def test_a_judge_that_is_down_costs_a_few_deadlines_not_one_for_each_fact() -> None:
    started_s = time.monotonic()

    failures = ask(Endpoint(refusal(503)), count=200, deadline_s=0.5, concurrency=10)

    assert all(isinstance(failure, JudgementFailure) for failure in failures)
    assert time.monotonic() - started_s < 5


def test_braces_in_an_answer_reach_the_judge_as_they_are() -> None:
    endpoint = Endpoint(reply())

    async def run() -> None:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(endpoint)) as http:
            client = openai.AsyncOpenAI(base_url="http://judge.test/v1", api_key="k", http_client=http)
            judge = FactualityJudge(client, model_id="m", choice_scores=SCORES)
            await judge.judge("{{output}}", "<b>&amp;</b>", "use {{ name }} and {{{x}}} & <i>")

    asyncio.run(run())

    content = endpoint.bodies[0]["messages"][0]["content"]
    for part in ("[Question]: {{output}}", "<b>&amp;</b>", "use {{ name }} and {{{x}}} & <i>"):
        assert part in content

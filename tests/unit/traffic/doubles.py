"""Production that answers as the test says, and short runs against it."""

import json
from collections.abc import Callable
from typing import Any

from flywheel.domain.load_profile import LoadProfile
from flywheel.domain.personas import Branch, Cast, Condition, Persona, Scenario
from flywheel.domain.prices import ModelPrice, PriceTable
from flywheel.ports import AgentReply, InvocationFailure
from flywheel.traffic.conversation import Production
from flywheel.traffic.run import Assignment, TrafficRun
from tests.fakes.runtimes import ScriptedAgents

RUN = "t-20261125t100000-0123abcd"
ARN = "arn:aws:bedrock-agentcore:us-east-1:000000000000:runtime/flywheel_agent_dev-1"
PRICES = PriceTable("2026-01-01", "test", {"m": ModelPrice(1.0, 1.0)})
PRODUCTION = Production(ARN, "production", "m")

type Answer = Callable[[dict[str, Any]], AgentReply | InvocationFailure]


def said(text: str, **more: Any) -> AgentReply:
    return AgentReply(json.dumps({"answer": text} | more).encode(), 200, "application/json", 1)


def cast(*scenarios: Scenario) -> Cast:
    return Cast((Persona("ada", "g", "t", "en", scenarios or (Scenario("one", ("What is a trace?",)),)),))


def chat(turns: int) -> Scenario:
    """A conversation that goes on for so many turns, whatever is answered."""
    then = (Branch("And then?"), Branch("Hello?", Condition(errored=True)))
    return Scenario("chat", ("What is a trace?",), (then,) * (turns - 1))


def assignment(**more: Any) -> Assignment:
    values: dict[str, Any] = {
        "run_id": RUN,
        "part": 0,
        "parts": 1,
        "seed": 1,
        "profile": LoadProfile(rate_per_minute=3_000, duration_s=0.3, spacing="even"),
        "max_arrivals": 1_000,
        "cast": cast(),
        "concurrency": 50,
        "max_usd": 100.0,
        "think_s": 0.0,
        "answer_timeout_s": 5.0,
    }
    return Assignment(**(values | more))


def traffic(answer: Answer | None = None, **more: Any) -> tuple[TrafficRun, ScriptedAgents]:
    agents = ScriptedAgents(answer or (lambda _: said("A trace is a request.", model_id="m")))
    return TrafficRun(assignment(**more), invoker=agents, production=PRODUCTION, prices=PRICES), agents

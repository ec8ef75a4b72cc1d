"""Evaluators in memory and in Langfuse keep one contract; and what only a server that misbehaves can show."""

import pytest

from flywheel.adapters.langfuse_connections import Connection, LangfuseConnections
from flywheel.adapters.langfuse_evaluators import LangfuseEvaluators
from flywheel.domain.live_evaluators import HELPFULNESS, evaluator, live_rule
from flywheel.errors import TransientError
from flywheel.ports.evaluators import EvaluatorsNotOfferedError, EvaluatorStore
from tests.fakes.evaluators import MODEL, EvaluatorStoreContract, InMemoryEvaluators
from tests.fakes.langfuse_server import LangfuseServer, refusal

RULES, EVALUATORS = "unstable/evaluation-rules", "unstable/evaluators"


def ready() -> LangfuseServer:
    server = LangfuseServer()
    LangfuseConnections(server.api()).put(Connection(MODEL.provider, "http://127.0.0.1:1/v1", (MODEL.model,)), "key")
    server.seen.clear()
    return server


class TestInMemory(EvaluatorStoreContract):
    @pytest.fixture
    def store(self) -> EvaluatorStore:
        return InMemoryEvaluators(MODEL)


class TestLangfuse(EvaluatorStoreContract):
    @pytest.fixture
    def store(self) -> EvaluatorStore:
        return LangfuseEvaluators(ready().api())


def test_what_was_written_although_its_reply_was_lost_is_not_written_again() -> None:
    server = ready()
    store = LangfuseEvaluators(server.api())
    server.lost = [f"POST {EVALUATORS}", f"POST {RULES}"]
    store.save(evaluator(HELPFULNESS, MODEL))
    store.create(live_rule("prod"))
    assert server.writes() == [f"POST {EVALUATORS}", f"POST {RULES}"]
    assert server.get(EVALUATORS)["data"][0]["version"] == 1


def test_what_never_arrived_is_an_error() -> None:
    server = ready()
    server.before = lambda method, _path: refusal(503, "down") if method == "POST" else None
    with pytest.raises(TransientError):
        LangfuseEvaluators(server.api()).save(evaluator(HELPFULNESS, MODEL))


def test_a_server_without_this_api_says_so() -> None:
    server = ready()
    server.before = lambda _method, path: refusal(404, "no such page") if path.startswith("unstable/") else None
    store = LangfuseEvaluators(server.api())
    for ask in (store.evaluator, store.rule):
        with pytest.raises(EvaluatorsNotOfferedError, match="offers no evaluators"):
            ask("any")


def test_a_rule_is_found_on_the_second_page_and_rules_of_others_are_left_alone() -> None:
    server = ready()
    store = LangfuseEvaluators(server.api())
    store.save(evaluator(HELPFULNESS, MODEL))
    for number in range(102):
        store.create(live_rule(f"env-{number}"))
    oldest = store.rule(live_rule("env-0").name)
    assert oldest is not None
    assert oldest.rule.conditions == live_rule("env-0").conditions

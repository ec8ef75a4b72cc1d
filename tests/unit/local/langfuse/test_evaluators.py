"""Evaluators and evaluation rules of the stand-in: versions, preflight, names that are taken, what fits a target."""

import base64
import json
from typing import Any

import pytest

from tests.fakes.langfuse_server import SETTINGS, LangfuseServer

type Json = dict[str, Any]

EVALUATORS, RULES = "unstable/evaluators", "unstable/evaluation-rules"
OUTPUT = {"dataType": "NUMERIC", "reasoning": {"description": "why"}, "score": {"description": "s", "maxValue": 1}}
MODEL = {"provider": "p", "model": "m"}
ANSWER = {"variable": "answer", "source": "output", "jsonPath": "$.answer"}


class Client:
    """Asks the stand-in without raising: status and answer."""

    def __init__(self) -> None:
        self.server = LangfuseServer()

    def ask(self, method: str, path: str, body: Any = None, key: str = SETTINGS.secret_key) -> tuple[int, Any]:
        keys = base64.b64encode(f"{SETTINGS.public_key}:{key}".encode()).decode()
        headers = {"content-type": "application/json", "authorization": f"Basic {keys}"}
        sent = None if body is None else json.dumps(body).encode()
        reply = self.server(method, f"http://langfuse.test/api/public/{path}", headers, sent, 1.0)
        return reply.status, json.loads(reply.body)

    def made(self, method: str, path: str, body: Any) -> Json:
        status, answer = self.ask(method, path, body)
        assert status in (200, 201), answer
        found: Json = answer
        return found

    def refused(self, method: str, path: str, body: Any) -> tuple[int, str]:
        status, answer = self.ask(method, path, body)
        assert set(answer) <= {"message", "code", "details"}, answer
        return status, answer["code"]

    def evaluator(self, **more: Any) -> Json:
        body = {"name": "helpful", "prompt": "Judge {{answer}}", "outputDefinition": OUTPUT, "modelConfig": MODEL}
        return self.made("POST", EVALUATORS, body | more)


@pytest.fixture
def client() -> Client:
    client = Client()
    connection: Json = {"provider": "p", "adapter": "openai", "secretKey": "sk-1234567", "customModels": ["m"]}
    connection |= {"withDefaultModels": False}
    client.made("PUT", "llm-connections", connection)
    return client


def rule(**more: Any) -> Json:
    body = {"name": "r", "target": "observation", "enabled": True, "evaluator": {"name": "helpful"}}
    return body | {"mapping": [ANSWER]} | more


def one_of(column: str, value: str) -> list[Json]:
    return [{"type": "stringOptions", "column": column, "operator": "any of", "value": [value]}]


def test_the_same_name_makes_the_next_version_of_the_same_evaluator(client: Client) -> None:
    first, second = client.evaluator(), client.evaluator(prompt="{{question}} and {{ answer }} and {{question}}")
    assert (second["id"], first["version"], second["version"]) == (first["id"], 1, 2)
    assert second["variables"] == ["question", "answer"]
    listed = client.made("GET", EVALUATORS, None)
    assert (listed["meta"]["totalItems"], listed["data"]) == (1, [second])


@pytest.mark.parametrize("model", [None, {"provider": "p", "model": "another"}, {"provider": "q", "model": "m"}])
def test_an_evaluator_whose_model_no_connection_offers_fails_its_preflight(
    client: Client, model: dict[str, str] | None
) -> None:
    body = {"name": "x", "prompt": "{{a}}", "outputDefinition": OUTPUT, "modelConfig": model}
    assert client.refused("POST", EVALUATORS, body) == (422, "evaluator_preflight_failed")
    assert client.made("GET", EVALUATORS, None)["data"] == []


def test_code_is_not_run_here(client: Client) -> None:
    code = {"name": "c", "type": "code", "sourceCode": "x", "sourceCodeLanguage": "PYTHON"}
    assert client.refused("POST", EVALUATORS, code) == (403, "access_denied")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"prompt": None},
        {"outputDefinition": OUTPUT | {"version": 2}},
        {"outputDefinition": OUTPUT | {"dataType": "TEXT"}},
        {"outputDefinition": OUTPUT | {"score": {"description": "s", "minValue": 2, "maxValue": 1}}},
        {"outputDefinition": OUTPUT | {"dataType": "CATEGORICAL"}},
        {"outputDefinition": "0 to 1"},
        {"modelConfig": {"provider": "p"}},
        {"further": 1},
    ],
)
def test_a_body_of_the_wrong_form_names_what_is_wrong(client: Client, wrong: Json) -> None:
    body = {"name": "x", "prompt": "{{a}}", "outputDefinition": OUTPUT, "modelConfig": MODEL} | wrong
    status, answer = client.ask("POST", EVALUATORS, body)
    assert (status, answer["code"], bool(answer["details"]["issues"])) == (400, "invalid_body", True)


def test_a_rule_is_made_once_and_changed_by_its_id(client: Client) -> None:
    client.evaluator()
    made = client.made("POST", RULES, rule(sampling=0.5))
    assert (made["status"], made["evaluators"][0]["evaluator"]["name"]) == ("active", "helpful")
    assert client.refused("POST", RULES, rule()) == (409, "name_conflict")
    path = f"{RULES}/{made['id']}"
    changed = client.made("PATCH", path, {"enabled": False})
    assert changed | {"updatedAt": ""} == made | {"enabled": False, "status": "inactive", "updatedAt": ""}
    assert client.refused("PATCH", path, {}) == (400, "invalid_body")
    assert client.made("DELETE", path, None)["message"] == "Evaluation rule successfully deleted"
    assert client.refused("GET", path, None) == (404, "resource_not_found")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"mapping": []}, "missing_variable_mapping"),
        ({"mapping": [ANSWER, ANSWER]}, "duplicate_variable_mapping"),
        ({"mapping": [ANSWER | {"variable": "other"}]}, "invalid_variable_mapping"),
        ({"mapping": [ANSWER | {"source": "expected_output"}]}, "invalid_variable_mapping"),
        ({"mapping": [ANSWER | {"jsonPath": "answer"}]}, "invalid_json_path"),
        ({"mapping": [ANSWER | {"jsonPath": "$.answer["}]}, "invalid_json_path"),
        ({"mapping": [ANSWER | {"source": "nowhere"}]}, "invalid_body"),
        ({"filter": one_of("datasetId", "d")}, "invalid_filter_value"),
        ({"filter": one_of("type", "AGENT")}, "invalid_filter_value"),
        ({"filter": one_of("tags", "a")}, "invalid_filter_value"),
        ({"filter": one_of("environment", "dev"), "target": "experiment"}, "invalid_filter_value"),
        ({"filter": one_of("datasetId", "no-such-id"), "target": "experiment"}, "invalid_filter_value"),
        ({"filter": [{"column": "name"}]}, "invalid_body"),
        ({"sampling": 0}, "invalid_body"),
        ({"sampling": 1.01}, "invalid_body"),
        ({"target": "trace"}, "invalid_body"),
        ({"evaluators": [{"evaluator": {"name": "helpful"}}]}, "invalid_body"),
        ({"evaluator": None, "mapping": None}, "invalid_body"),
    ],
)
def test_a_rule_that_does_not_fit_its_target_is_refused(client: Client, wrong: Json, code: str) -> None:
    client.evaluator()
    assert client.refused("POST", RULES, rule(**wrong)) == (400, code)
    assert client.made("GET", RULES, None)["data"] == []


def test_what_was_expected_is_there_for_experiments_alone(client: Client) -> None:
    client.evaluator()
    dataset = client.made("POST", "v2/datasets", {"name": "golden"})["id"]
    mapping = [ANSWER | {"source": "expected_output"}]
    body = rule(target="experiment", filter=one_of("datasetId", dataset), mapping=mapping)
    assert client.made("POST", RULES, body)["mapping"] == mapping


def test_a_rule_of_an_unknown_evaluator_is_not_found_and_one_evaluator_is_attached_once(client: Client) -> None:
    client.evaluator()
    assert client.refused("POST", RULES, rule(evaluator={"name": "nobody"})) == (404, "resource_not_found")
    twice = [{"evaluator": {"name": "helpful"}, "mapping": [ANSWER]}] * 2
    body = rule(evaluator=None, mapping=None, evaluators=twice)
    assert client.refused("POST", RULES, body) == (409, "conflict")


def test_a_rule_whose_model_is_gone_is_paused_and_one_whose_evaluator_is_gone_is_empty(client: Client) -> None:
    evaluator = client.evaluator()
    made = client.made("POST", RULES, rule())
    connection = client.made("GET", "llm-connections", None)["data"][0]["id"]
    client.made("DELETE", f"llm-connections/{connection}", None)
    paused = client.made("GET", f"{RULES}/{made['id']}", None)
    assert (paused["status"], bool(paused["pausedMessage"])) == ("paused", True)
    assert client.made("GET", f"{EVALUATORS}/{evaluator['id']}", None)["evaluationRuleCount"] == 1
    client.made("DELETE", f"{EVALUATORS}/{evaluator['id']}", None)
    empty = client.made("GET", f"{RULES}/{made['id']}", None)
    assert (empty["evaluator"], empty["evaluators"], empty["mapping"]) == (None, [], [])


def test_refused_keys_and_wrong_methods_come_in_the_form_of_these_endpoints(client: Client) -> None:
    assert client.ask("GET", EVALUATORS, None, key="wrong")[1]["code"] == "authentication_failed"
    assert client.refused("PUT", EVALUATORS, {}) == (405, "method_not_allowed")
    assert client.refused("GET", f"{EVALUATORS}?page=0", None) == (400, "invalid_query")

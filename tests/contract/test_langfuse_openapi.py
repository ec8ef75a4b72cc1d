"""The stand-in under generated requests: no server error, no answer outside the schema of Langfuse's OpenAPI document.

Requests are generated from the document, right and wrong ones, with a fixed seed. Every operation of the document that
the stand-in has a route for is asked; path parameters name existing things in one test and made-up ones in the other.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from local.langfuse.app import StandIn
from local.langfuse.problems import ApiError
from local.langfuse.routing import Match
from local.langfuse.settings import Settings
from local.langfuse.testing import RunningStandIn, running_stand_in
from tests.contract.conftest import OPENAPI, contract_folder

type Case = schemathesis.Case[Any]

PREFIX = "/api/public"
# What the product uses, and so what must be among the operations asked.
USED = {
    ("get", "/health"),
    ("get", "/projects"),
    ("post", "/otel/v1/traces"),
    ("post", "/scores"),
    ("delete", "/scores/{scoreId}"),
    ("get", "/v3/scores"),
    ("post", "/v2/datasets"),
    ("get", "/v2/datasets"),
    ("get", "/v2/datasets/{datasetName}"),
    ("post", "/dataset-items"),
    ("get", "/dataset-items"),
    ("get", "/dataset-items/{id}"),
    ("delete", "/dataset-items/{id}"),
    ("get", "/v2/observations"),
    ("get", "/experiments"),
    ("get", "/experiment-items"),
    ("post", "/dataset-run-items"),
    ("get", "/score-configs"),
    ("post", "/score-configs"),
    ("get", "/score-configs/{configId}"),
    ("patch", "/score-configs/{configId}"),
    ("get", "/annotation-queues"),
    ("post", "/annotation-queues"),
    ("get", "/annotation-queues/{queueId}"),
    ("get", "/annotation-queues/{queueId}/items"),
    ("post", "/annotation-queues/{queueId}/items"),
    ("get", "/annotation-queues/{queueId}/items/{itemId}"),
    ("patch", "/annotation-queues/{queueId}/items/{itemId}"),
    ("delete", "/annotation-queues/{queueId}/items/{itemId}"),
    ("post", "/annotation-queues/{queueId}/assignments"),
    ("delete", "/annotation-queues/{queueId}/assignments"),
    ("get", "/comments"),
    ("post", "/comments"),
    ("get", "/comments/{commentId}"),
    ("get", "/v2/prompts"),
    ("post", "/v2/prompts"),
    ("get", "/v2/prompts/{promptName}"),
    ("patch", "/v2/prompts/{name}/versions/{version}"),
    ("get", "/llm-connections"),
    ("put", "/llm-connections"),
    ("get", "/unstable/evaluators"),
    ("post", "/unstable/evaluators"),
    ("get", "/unstable/evaluators/{evaluatorId}"),
    ("delete", "/unstable/evaluators/{evaluatorId}"),
    ("get", "/unstable/evaluation-rules"),
    ("post", "/unstable/evaluation-rules"),
    ("get", "/unstable/evaluation-rules/{evaluationRuleId}"),
    ("patch", "/unstable/evaluation-rules/{evaluationRuleId}"),
    ("delete", "/unstable/evaluation-rules/{evaluationRuleId}"),
}
# Answers that the real 4.16.0 gave in the recordings and its document does not list.
UNLISTED = {
    201: "a prompt, a new connection",
    202: "DELETE a score",
    204: "DELETE a prompt",
    207: "ingestion",
    409: "an item's id",
}
PLAIN = {(400, b"Invalid JSON"), (413, b"Body exceeded 4.5mb limit"), (413, b"Body exceeded 1mb limit")}
BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def answered_operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Operations of the document that the stand-in has a route of its own for."""
    routes = StandIn(Settings()).routes
    found = set()
    for path, operations in document["paths"].items():
        for method in operations:
            try:
                match = routes.find(method.upper(), path)
            except ApiError:
                continue
            if isinstance(match, Match):
                found.add((method, path.removeprefix(PREFIX)))
    return found


def identity(operation: schemathesis.APIOperation[Any, Any, Any, Any]) -> tuple[str, str]:
    return operation.method.lower(), operation.path.removeprefix(PREFIX)


DOCUMENT: dict[str, Any] = yaml.safe_load((contract_folder() / OPENAPI).read_text())
ANSWERED = answered_operations(DOCUMENT)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
ALL = SCHEMA.include(lambda context: identity(context.operation) in ANSWERED)
# Deleting an existing thing is left out: the next request would find nothing.
ABOUT_ONE = SCHEMA.include(
    lambda context: (
        identity(context.operation) in ANSWERED
        and "{" in context.operation.path
        and context.operation.method.upper() != "DELETE"
    )
)


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in() as running:
        yield running


@pytest.fixture(scope="module")
def existing(stand_in: RunningStandIn) -> dict[str, str]:
    """One of each thing, by the name of the path parameter that names it."""

    def make(path: str, **body: Any) -> dict[str, Any]:
        response = httpx.post(f"{stand_in.url}{PREFIX}{path}", json=body, auth=stand_in.auth)
        assert response.is_success, response.text
        made: dict[str, Any] = response.json()
        return made

    span = {"traceId": "ab" * 16, "spanId": "1" * 16, "name": "root", "startTimeUnixNano": "1790000000000000000"}
    attributes = {
        "id": "exp",
        "name": "run",
        "item.id": "item",
        "item.root_observation_id": "1" * 16,
        "metadata": '{"a": [1]}',
        "item.version": "2026-01-01T00:00:00Z",
    }
    span["endTimeUnixNano"] = "1790000001000000000"
    pairs = [{"key": f"langfuse.experiment.{k}", "value": {"stringValue": v}} for k, v in attributes.items()]
    make("/otel/v1/traces", resourceSpans=[{"scopeSpans": [{"spans": [span | {"attributes": pairs}]}]}])
    values = {"NUMERIC": 0.5, "BOOLEAN": 1, "CATEGORICAL": "good", "TEXT": "text", "CORRECTION": "better"}
    for data_type, value in values.items():
        make("/scores", name="s", value=value, dataType=data_type, traceId="ab" * 16, id=f"s-{data_type}")
    make("/scores", name="s", value=1, datasetRunId="exp", metadata={"k": [1, {"a": None}]})
    make("/scores", name="s", value=1, sessionId="session", comment="c")
    dataset = make("/v2/datasets", name="set", metadata=[1], inputSchema={"type": "object"})
    make("/dataset-items", datasetName="set", id="item", input={"q": 1})
    config = make("/score-configs", name="grade", dataType="NUMERIC", minValue=0, maxValue=1)
    make("/score-configs", name="label", dataType="CATEGORICAL", categories=[{"label": "good", "value": 1}])
    make("/score-configs", name="flag", dataType="BOOLEAN")
    queue = make("/annotation-queues", name="queue", scoreConfigIds=[config["id"]])
    item = make(f"/annotation-queues/{queue['id']}/items", objectId="t", objectType="TRACE")
    comment = make("/comments", projectId="p", content="c", objectId="ab" * 16, objectType="TRACE")
    make("/v2/prompts", name="prompt", prompt="Hi", labels=["production"])
    make("/v2/prompts", name="chat", type="chat", prompt=[{"role": "user", "content": "x"}], labels=["production"])
    evaluator, rule = make_rule(stand_in, make, dataset["id"])
    return {
        "evaluatorId": evaluator,
        "evaluationRuleId": rule,
        "scoreId": "s-NUMERIC",
        "datasetName": "set",
        "id": "item",
        "configId": config["id"],
        "queueId": queue["id"],
        "itemId": item["id"],
        "commentId": comment["id"],
        "promptName": "prompt",
        "name": "prompt",
        "version": "1",
        "traceId": "cd" * 16,
    }


def make_rule(stand_in: RunningStandIn, make: Callable[..., dict[str, Any]], dataset_id: str) -> tuple[str, str]:
    """An evaluator that can run, and a rule of each target; ids of the evaluator and of one rule."""
    connection = {"provider": "p", "adapter": "openai", "secretKey": "k", "customModels": ["m"]}
    reply = httpx.put(f"{stand_in.url}{PREFIX}/llm-connections", json=connection, auth=stand_in.auth)
    assert reply.is_success, reply.text
    output = {"reasoning": {"description": "why"}, "score": {"description": "s", "minValue": 0}, "dataType": "NUMERIC"}
    evaluator = make(
        "/unstable/evaluators",
        name="e",
        type="llm_as_judge",
        prompt="{{answer}}",
        outputDefinition=output,
        modelConfig={"provider": "p", "model": "m"},
        mapping=[{"variable": "answer", "source": "output"}],
    )
    conditions: dict[str, list[dict[str, Any]]] = {
        "experiment": [{"type": "stringOptions", "column": "datasetId", "operator": "any of", "value": [dataset_id]}],
        "observation": [{"type": "null", "column": "parentObservationId", "operator": "is null"}],
    }
    rules = [
        make(
            "/unstable/evaluation-rules",
            name=target,
            target=target,
            enabled=True,
            evaluators=[{"evaluator": {"name": "e"}}],
            filter=some,
        )
        for target, some in conditions.items()
    ]
    return evaluator["id"], rules[0]["id"]


def check(case: Case, stand_in: RunningStandIn) -> None:
    response = case.call(base_url=stand_in.url, auth=stand_in.auth)
    status = response.status_code
    assert status < 500, case.as_curl_command()
    listed = {int(code) for code in case.operation.responses.status_codes}
    assert status in listed or status in UNLISTED, f"{status} for {case.as_curl_command()}"
    content_type = response.headers.get("content-type", [""])[0].partition(";")[0]
    if status >= 400:
        # The document says nothing of errors; the recordings do: JSON with a message, or two plain texts, or a page.
        plain = (status, response.content) in PLAIN or (status, content_type) == (404, "text/html")
        assert plain or response.json().keys() & {"message", "error", "detail"}, case.as_curl_command()
    elif response.content:
        assert content_type == "application/json"
        if status not in listed:
            response.status_code = 200  # the same body under another status: held to the schema of the listed one
        case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])


def test_every_operation_in_use_is_in_the_document_and_answered() -> None:
    assert set() == USED - ANSWERED


@ALL.parametrize()
@BOUNDED
def test_no_answer_leaves_its_schema(case: Case, stand_in: RunningStandIn, existing: dict[str, str]) -> None:
    check(case, stand_in)


@ABOUT_ONE.parametrize()
@BOUNDED
def test_no_answer_about_an_existing_thing_leaves_its_schema(
    case: Case, stand_in: RunningStandIn, existing: dict[str, str]
) -> None:
    case.path_parameters = {name: existing.get(name, "x") for name in case.path_parameters}
    check(case, stand_in)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v3/scores", {"fields": "core,details,subject,annotation"}),
        ("/v2/observations", {"fields": "basic,time,io,metadata,model,usage,prompt,metrics,trace_context"}),
        ("/experiments", {"fields": "core,metadata,scores"}),
        ("/experiment-items", {"fields": "core,dataset,io,metadata,itemMetadata,experimentMetadata,scores"}),
        ("/dataset-items", {}),
        ("/score-configs", {}),
        ("/v2/prompts", {}),
        ("/v2/prompts/{promptName}", {}),
        ("/llm-connections", {}),
        ("/unstable/evaluators", {}),
        ("/unstable/evaluation-rules", {}),
    ],
)
def test_full_answers_about_what_is_there_fit_their_schema(
    path: str, query: dict[str, str], stand_in: RunningStandIn, existing: dict[str, str]
) -> None:
    window = {"fromStartTime": "2020-01-01T00:00:00Z"} if path.startswith("/experiment") else {}
    operation = SCHEMA[f"{PREFIX}{path}"]["GET"]
    case = operation.Case(path_parameters={"promptName": "chat"} if "{" in path else {}, query=query | window)
    response = case.call(base_url=stand_in.url, auth=stand_in.auth)
    assert response.status_code == 200
    body = response.json()
    assert body.get("data", body)
    case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])

"""What a real 4.16 refuses, and in which words: bodies, parameters, cursors, keys, methods."""

import base64
import json
from typing import Any

import pytest

from local.langfuse.settings import Settings
from tests.fakes.langfuse_client import LangfuseClient, basic, export, otlp_span
from tests.fakes.langfuse_server import SETTINGS, LangfuseServer

type Json = dict[str, Any]

TRACE = "a1" * 16
COMMENT = {"projectId": "p", "content": "fine", "objectId": TRACE, "objectType": "TRACE"}
TEXT = {"name": "p", "prompt": "hi"}
CHAT = {"name": "c", "type": "chat", "prompt": [{"role": "user", "content": "hi"}]}
HINT = ". Confirm that you've configured the correct host."


@pytest.fixture
def client() -> LangfuseClient:
    client = LangfuseClient()
    client.made("POST", "otel/v1/traces", export(otlp_span({})))
    return client


def cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


# --- bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "code", "where", "message"),
    [
        ("comments", COMMENT | {"content": ""}, "too_small", ["content"], "expected string to have >=1 characters"),
        ("comments", COMMENT | {"content": " \n"}, "too_small", ["content"], "expected string to have >=1 characters"),
        ("comments", COMMENT | {"content": "c" * 5001}, "too_big", ["content"], "expected string to have <=5000"),
        ("comments", COMMENT | {"more": 1}, "unrecognized_keys", [], 'Unrecognized key: "more"'),
        ("comments", COMMENT | {"a": 1, "b": 2}, "unrecognized_keys", [], 'Unrecognized keys: "a", "b"'),
        ("comments", COMMENT | {"objectType": "trace"}, "invalid_value", ["objectType"], "Invalid option"),
        ("comments", COMMENT | {"objectId": None}, "invalid_type", ["objectId"], "expected string, received null"),
        ("comments", COMMENT | {"content": 5}, "invalid_type", ["content"], "expected string, received number"),
        ("comments", [], "invalid_type", [], "expected object, received array"),
        ("v2/prompts", TEXT | {"name": "a|b"}, "invalid_format", ["name"], "Prompt name cannot contain '|' character"),
        ("v2/prompts", CHAT | {"name": "a|b"}, "invalid_format", ["name"], "Prompt name cannot contain '|' character"),
        ("v2/prompts", TEXT | {"name": "/a"}, "invalid_format", ["name"], "Name cannot start with a slash"),
        ("v2/prompts", TEXT | {"name": "a/"}, "invalid_format", ["name"], "Name cannot end with a slash"),
        ("v2/prompts", TEXT | {"name": "a//b"}, "invalid_format", ["name"], "cannot contain consecutive slashes"),
        ("v2/prompts", TEXT | {"name": "<b>"}, "custom", ["name"], "Text cannot contain HTML tags"),
        ("v2/prompts", TEXT | {"name": "new"}, "custom", ["name"], "Prompt name cannot be 'new'"),
        ("v2/prompts", TEXT | {"labels": ["Prod"]}, "invalid_format", ["labels", 0], "Label must be lowercase"),
        ("v2/prompts", TEXT | {"labels": ["l" * 37]}, "too_big", ["labels", 0], "<=36 characters"),
        ("v2/prompts", TEXT | {"commitMessage": "m" * 501}, "too_big", ["commitMessage"], "<=500 characters"),
        ("v2/prompts", TEXT | {"labels": None}, "invalid_union", [], "Invalid input"),
        ("v2/prompts", TEXT | {"prompt": 5}, "invalid_union", [], "Invalid input"),
        ("v2/prompts", CHAT | {"prompt": [{"role": "user"}]}, "invalid_union", [], "Invalid input"),
        ("v2/prompts", "text", "invalid_union", [], "Invalid input"),
        ("v2/datasets", {"name": 5}, "invalid_type", ["name"], "expected string, received number"),
        ("annotation-queues", {"name": "q", "scoreConfigIds": []}, "too_small", ["scoreConfigIds"], ">=1 items"),
    ],
)
def test_a_body_is_refused_for(
    client: LangfuseClient, *, path: str, body: Any, code: str, where: list[str | int], message: str
) -> None:
    issue = client.issues("POST", path, body)[0]
    assert (issue["code"], issue["path"]) == (code, where)
    assert message in issue["message"]


def test_a_prompt_without_anything_names_what_each_form_lacks(client: LangfuseClient) -> None:
    (issue,) = client.issues("POST", "v2/prompts", {"name": "p"})
    text, chat = issue["errors"]
    assert [one["path"] for one in text] == [["prompt"]]
    assert [one["path"] for one in chat] == [["type"], ["prompt"]]


def test_a_name_is_a_variable_or_a_placeholder(client: LangfuseClient) -> None:
    messages = [{"role": "user", "content": "{{ history }}"}, {"type": "placeholder", "name": "history"}]
    status, answer = client.ask("POST", "v2/prompts", CHAT | {"prompt": messages})
    assert (status, answer["error"]) == (400, "InvalidRequestError")
    assert "must be unique, the following are not: history" in answer["message"]


def test_only_members_of_the_organisation_are_named_as_authors() -> None:
    client = LangfuseClient(LangfuseServer(Settings(members=("ada",))))
    client.made("POST", "otel/v1/traces", export(otlp_span({})))
    status, answer = client.ask("POST", "comments", COMMENT | {"authorUserId": "somebody@example.com"})
    refusal = "authorUserId must belong to a member of the organization"
    assert (status, answer) == (400, {"message": refusal, "error": "InvalidRequestError"})
    for author in (SETTINGS.user_id, "ada", None):
        client.made("POST", "comments", COMMENT | {"authorUserId": author})
    listed = client.made("GET", f"comments?objectType=TRACE&objectId={TRACE}")["data"]
    assert {comment["authorUserId"] for comment in listed} == {SETTINGS.user_id, "ada", None}


def test_a_comment_loses_the_white_space_around_it(client: LangfuseClient) -> None:
    comment = client.made("POST", "comments", COMMENT | {"content": "  said \n"})
    assert client.made("GET", f"comments/{comment['id']}")["content"] == "said"


def test_control_characters_of_a_dataset_s_items_are_gone(client: LangfuseClient) -> None:
    client.made("POST", "v2/datasets", {"name": "d"})
    sent = {"q": "a\x00b\x1b[0m\x85c\tand\r\nd", "list": ["\x07x"], "k\x01": 1.0}
    item = client.made("POST", "dataset-items", {"datasetName": "d", "input": sent, "expectedOutput": "y\x7fz"})
    assert item["input"] == {"q": "ab[0mc\tand\r\nd", "list": ["x"], "k": 1}
    assert item["expectedOutput"] == "yz"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, ["Invalid input: expected array, received undefined"]),
        ({"batch": None}, ["Invalid input: expected array, received null"]),
        ({"batch": "x"}, ["Invalid input: expected array, received string"]),
        ([], ["Invalid input: expected object, received array"]),
    ],
)
def test_a_batch_that_is_none_is_refused_in_words_alone(client: LangfuseClient, body: Any, errors: list[str]) -> None:
    assert client.ask("POST", "ingestion", body) == (400, {"message": "Invalid request data", "errors": errors})


# --- parameters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code", "where", "message"),
    [
        ("v2/observations?type=NOSUCH", "invalid_value", ["type"], 'expected one of "GENERATION"|"SPAN"|"EVENT"'),
        ("v2/observations?type=span", "invalid_value", ["type"], "Invalid option"),
        ("v2/observations?level=error", "invalid_value", ["level"], "Invalid option"),
        ("v2/observations?limit=-1", "too_small", ["limit"], "expected number to be >=0"),
        ("v2/observations?limit=1001", "too_big", ["limit"], "expected number to be <=1000"),
        ("v2/observations?fromStartTime=2026-01-01", "invalid_format", ["fromStartTime"], "Invalid ISO datetime"),
        ("v2/observations?fromStartTime=2026-02-30T00:00:00Z", "invalid_format", ["fromStartTime"], "Invalid ISO"),
        ("v2/observations?name=a&name=b", "invalid_type", ["name"], "expected string, received array"),
        ("v2/observations?filter=%7B%7D", "invalid_type", ["filter"], "expected array, received object"),
        ("v2/observations?filter=[{}]", "invalid_union", ["filter", 0, "type"], "Invalid input"),
        ("datasets?page=0", "too_small", ["page"], "expected number to be >=1"),
        ("v2/datasets?limit=1.5", "invalid_type", ["limit"], "expected int, received number"),
        ("v2/datasets?limit=x", "invalid_type", ["limit"], "expected number, received NaN"),
        ("v2/prompts?page=x", "invalid_type", ["page"], "expected number, received NaN"),
        ("v2/prompts/p?version=x", "invalid_type", ["version"], "expected number, received NaN"),
        ("comments?page=1&nosuch=1", "unrecognized_keys", [], 'Unrecognized key: "nosuch"'),
        ("comments?objectType=trace", "invalid_value", ["objectType"], "Invalid option"),
        ("experiments", "invalid_type", ["fromStartTime"], "expected string, received undefined"),
        ("experiment-items?fromStartTime=x", "invalid_format", ["fromStartTime"], "Invalid ISO datetime"),
        ("experiments?fromStartTime=2026-01-01T00:00:00Z&scoreLimit=51", "too_big", ["scoreLimit"], "<=50"),
    ],
)
def test_a_parameter_is_refused_for(
    client: LangfuseClient, path: str, code: str, where: list[str | int], message: str
) -> None:
    issue = client.issues("GET", path)[0]
    assert (issue["code"], issue["path"]) == (code, where)
    assert message in issue["message"]


@pytest.mark.parametrize("path", ["v2/datasets?limit=&page=", "v3/scores?valueMin=&fromTimestamp=&fields="])
def test_parameters_without_a_value_count_as_not_sent(client: LangfuseClient, path: str) -> None:
    assert client.made("GET", path)["data"] == []


WINDOW = "fromStartTime=2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "path", ["v2/observations?", "v3/scores?", f"experiments?{WINDOW}&", f"experiment-items?{WINDOW}&"]
)
def test_a_cursor_that_is_no_json_has_words_of_its_own(client: LangfuseClient, path: str) -> None:
    refusal = {"message": "Invalid cursor format", "error": "InvalidRequestError"}
    assert client.ask("GET", f"{path}cursor=!!nothing") == (400, refusal)


@pytest.mark.parametrize(
    ("path", "sent", "where"),
    [
        ("v2/observations?", {}, [["cursor", "lastStartTimeTo"], ["cursor", "lastTraceId"], ["cursor", "lastId"]]),
        ("v2/observations?", 5, [["cursor"]]),
        ("v3/scores?", {"v": 2}, [["cursor", "v"]]),
        ("v3/scores?", {"v": 1}, [["cursor", "lastTimestamp"], ["cursor", "lastId"]]),
        (f"experiments?{WINDOW}&", {"a": 1}, [["cursor", "v"]]),
        (
            f"experiment-items?{WINDOW}&",
            {"v": 1, "lastId": "x"},
            [["cursor", "lastTime"], ["cursor", "lastTraceId"], ["cursor", "lastExperimentId"]],
        ),
    ],
)
def test_a_cursor_of_another_shape_is_refused_field_by_field(
    client: LangfuseClient, path: str, sent: Any, where: list[list[str]]
) -> None:
    assert [issue["path"] for issue in client.issues("GET", f"{path}cursor={cursor(sent)}")] == where


# --- keys, methods, routes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        ("", "No authorization header"),
        ("Digest x", "Invalid authorization header"),
        ("basic eDp5", "Invalid authorization header"),
        ("Basic ", f"Invalid authorization header{HINT}"),
        ("Basic " + base64.b64encode(b"pk").decode(), f"Invalid authorization header{HINT}"),
        ("Basic !!", f"The string to be decoded is not correctly encoded.{HINT}"),
        (basic("pk", "wrong"), f"Invalid credentials{HINT}"),
        ("Bearer pk-lf-nobody", f"Invalid public key{HINT}"),
    ],
)
def test_credentials_are_refused_with_401(client: LangfuseClient, auth: str, message: str) -> None:
    assert client.ask("GET", "v2/datasets", auth=auth) == (401, {"message": message})
    named = {"message": message, "error": "UnauthorizedError"}
    assert client.ask("GET", "v2/prompts", auth=auth) == (401, named)
    assert client.ask("PATCH", "v2/prompts/p/versions/1", {"newLabels": []}, auth=auth) == (401, {"message": message})
    assert client.ask("POST", "otel/v1/metrics", {}, auth=auth) == (401, {"error": message})


DENIED = "Access denied - insufficient permissions for this endpoint"
OF_ORGANIZATIONS = "Invalid API key. Organization-scoped API key required for this operation."


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "v2/datasets", {"message": DENIED}),
        ("POST", "otel/v1/traces", {"message": DENIED}),
        ("GET", "projects", {"message": "Invalid API key. Are you using an organization key?"}),
        ("POST", "projects", {"message": OF_ORGANIZATIONS}),
        (
            "GET",
            "v2/prompts/p",
            {
                "message": "Access denied - need to use basic auth with secret key to GET prompts",
                "error": "ForbiddenError",
            },
        ),
        (
            "POST",
            "otel/v1/metrics",
            {"error": "Access denied: OTEL ingestion requires project-scoped API keys with BasicAuth"},
        ),
    ],
)
def test_a_public_key_alone_is_refused_with_403(client: LangfuseClient, method: str, path: str, answer: Json) -> None:
    assert client.ask(method, path, auth=f"Bearer {SETTINGS.public_key}") == (403, answer)


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "projects/p"), ("DELETE", "projects/p"), ("GET", "projects/p/apiKeys")]
)
def test_what_belongs_to_organisations_needs_their_key(client: LangfuseClient, method: str, path: str) -> None:
    assert client.ask(method, path, {}) == (403, {"message": OF_ORGANIZATIONS})


@pytest.mark.parametrize("path", ["traces", "observations/x", "v2/scores", "metrics", "dataset-run-items"])
def test_what_events_only_closed_is_closed_without_a_key_too(client: LangfuseClient, path: str) -> None:
    status, answer = client.ask("GET", path, auth="")
    assert (status, "events_only mode" in answer["message"]) == (404, True)


@pytest.mark.parametrize("path", ["health", "ready"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_probes_need_neither_key_nor_method(client: LangfuseClient, path: str, method: str) -> None:
    assert client.ask(method, path, auth="") == (200, {"status": "OK", "version": "4.16.0"})


def test_metrics_are_taken_in_either_encoding(client: LangfuseClient) -> None:
    assert client.ask("POST", "otel/v1/metrics", {}) == (200, {})
    assert client.ask("POST", "otel/v1/metrics", b"", content_type="application/x-protobuf") == (200, None)
    assert client.ask("GET", "otel/v1/metrics")[0] == 405


def test_a_trailing_slash_is_redirected_in_words_too(client: LangfuseClient) -> None:
    assert client.ask("GET", "v2/datasets/?limit=1") == (308, "/api/public/v2/datasets?limit=1")


def test_the_list_of_old_clients_names_the_items(client: LangfuseClient) -> None:
    client.made("POST", "v2/datasets", {"name": "d"})
    item = client.made("POST", "dataset-items", {"datasetName": "d", "input": 1})
    listed = client.made("GET", "datasets")
    assert [(one["name"], one["items"], one["runs"]) for one in listed["data"]] == [("d", [item["id"]], [])]
    assert listed["meta"]["totalItems"] == 1


ORGANIZATIONS = "Invalid API key. Organization-scoped API key required for this operation."
SCIM = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"]}


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("POST projects", 403, {"message": ORGANIZATIONS}),
        ("PUT projects/p", 403, {"message": ORGANIZATIONS}),
        ("GET projects/p/apiKeys", 403, {"message": ORGANIZATIONS}),
        ("GET projects/p/memberships", 403, {"error": ORGANIZATIONS}),
        ("GET organizations/memberships", 403, {"error": ORGANIZATIONS}),
        ("GET organizations/projects", 403, {"error": ORGANIZATIONS}),
        ("GET organizations/apiKeys", 403, {"error": ORGANIZATIONS}),
        ("GET scim/Users", 403, SCIM | {"detail": ORGANIZATIONS, "status": 403}),
        (
            "GET integrations/blob-storage",
            403,
            {"message": "Organization-scoped API key required for this operation.", "error": "ForbiddenError"},
        ),
        ("PUT projects", 405, {"message": "Method not allowed"}),
        ("GET projects/p", 405, {"message": "Method not allowed"}),
        ("PUT projects/p/apiKeys", 405, {"message": "Method Not Allowed"}),
        ("POST organizations/projects", 405, {"error": "Method not allowed"}),
        ("PUT scim/Users", 405, SCIM | {"detail": "Method not allowed", "status": 405}),
        ("POST integrations/blob-storage", 405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}),
    ],
)
def test_a_project_s_key_may_not_use_what_is_an_organisation_s(asked: str, status: int, body: Json) -> None:
    method, path = asked.split()
    assert LangfuseClient().ask(method, path) == (status, body)
    if status == 405:
        assert LangfuseClient().ask(method, path, auth="") == (status, body)


def test_a_missing_key_is_said_in_the_form_of_the_route() -> None:
    said = "No authorization header"
    for path, body in {
        "projects": {"message": said},
        "organizations/projects": {"error": said},
        "scim/Users": SCIM | {"detail": said, "status": 401},
        "integrations/blob-storage": {"message": said, "error": "UnauthorizedError"},
    }.items():
        assert LangfuseClient().ask("GET", path, auth="") == (401, body)


NO_JOIN = "filter requires a trace JOIN and is not supported in v3 \u2014 use v2 or omit this filter"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("userId=u&traceTags=t", [f"userId {NO_JOIN}", f"traceTags {NO_JOIN}"]),
        (
            "dataType=numeric&value=1,x,Infinity",
            [
                f'value filter with dataType=NUMERIC requires each value to be a finite number (got "{one}")'
                for one in ("x", "Infinity")
            ],
        ),
        (
            "dataType=BOOLEAN&value=true,1",
            ['value filter with dataType=BOOLEAN requires each value to be "true" or "false" (got "1")'],
        ),
        (
            "dataType=TEXT&value=x&valueMin=1&observationId=o&sessionId=s&experimentId=e",
            [
                'value filter requires dataType to be NUMERIC, BOOLEAN, or CATEGORICAL (got "TEXT")',
                "valueMin and valueMax require dataType=NUMERIC as a single value",
                "observationId filter requires traceId \u2014 observation IDs are scoped to a trace",
                "At most one of traceId, sessionId, experimentId may be specified",
            ],
        ),
    ],
)
def test_filters_of_scores_that_do_not_fit_together_are_all_named_in_order(query: str, said: list[str]) -> None:
    found = LangfuseClient().issues("GET", f"v3/scores?{query}")
    assert found == [{"code": "custom", "path": [], "message": message} for message in said]


@pytest.mark.parametrize(("value", "received"), [("a", "NaN"), ("Infinity", "Infinity")])
def test_a_bound_of_scores_that_is_no_number_is_named(value: str, received: str) -> None:
    (issue,) = LangfuseClient().issues("GET", f"v3/scores?dataType=NUMERIC&valueMin={value}")
    assert (issue["received"], issue["path"]) == (received, ["valueMin"])


def test_filters_of_scores_without_a_value_fit_with_anything() -> None:
    assert (
        LangfuseClient().made("GET", "v3/scores?userId=&traceTags=&value=&valueMax=&traceId=&sessionId=s")["data"] == []
    )


CATEGORIES = "Category must be an array of objects with label value pairs, where labels and values are unique."
ONE = [{"label": "a", "value": 1}]
TWICE = [{"label": "a", "value": 1}, {"label": "b", "value": 2}, {"label": "a", "value": 2}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"dataType": "CATEGORICAL", "categories": "x"}, [(["categories"], CATEGORIES)]),
        ({"dataType": "CATEGORICAL", "categories": [{"label": "", "value": 1}]}, [(["categories"], CATEGORIES)]),
        ({"dataType": "CATEGORICAL", "categories": None}, [(["categories"], "Invalid input")]),
        (
            {"dataType": "CATEGORICAL", "categories": TWICE},
            [(["categories"], "Duplicate category label: a, category labels must be unique")],
        ),
        (
            {"dataType": "CATEGORICAL", "categories": ONE, "minValue": 1, "maxValue": 2},
            [([key], "Invalid input: expected undefined, received number") for key in ("maxValue", "minValue")],
        ),
        (
            {"dataType": "TEXT", "categories": None},
            [(["categories"], "Invalid input: expected undefined, received null")],
        ),
        ({"name": 1, "dataType": "X"}, [(["dataType"], "Invalid input")]),
    ],
)
def test_a_score_config_that_is_none_of_its_type(body: Json, said: list[tuple[list[str], str]]) -> None:
    issues = LangfuseClient().issues("POST", "score-configs", {"name": "n"} | body)
    assert [(issue["path"], issue["message"]) for issue in issues] == said


def test_bounds_of_a_boolean_config_are_dropped_without_a_word() -> None:
    made = LangfuseClient().made("POST", "score-configs", {"name": "n", "dataType": "BOOLEAN", "minValue": 3})
    assert (made["minValue"], len(made["categories"])) == (None, 2)


@pytest.mark.parametrize(
    ("data_type", "change", "said"),
    [
        ("NUMERIC", {"categories": ONE}, "Invalid input: expected undefined, received array"),
        ("NUMERIC", {"minValue": 2, "maxValue": 1}, "Maximum value must be greater than Minimum value"),
        ("TEXT", {"minValue": 2, "maxValue": 1}, ", ".join(["Invalid input: expected undefined, received number"] * 2)),
        ("BOOLEAN", {"categories": ONE}, "Boolean data type must have exactly 2 categories., Invalid input"),
    ],
)
def test_a_change_that_does_not_fit_a_score_configs_type(data_type: str, change: Json, said: str) -> None:
    client = LangfuseClient()
    config = client.made("POST", "score-configs", {"name": "n", "dataType": data_type})["id"]
    refused = (400, {"message": said, "error": "InvalidRequestError"})
    assert client.ask("PATCH", f"score-configs/{config}", change) == refused
    (issue,) = client.issues("PATCH", f"score-configs/{config}", {"description": None})
    assert issue["message"] == "Invalid input: expected string, received null"


def test_a_run_item_names_its_trace_or_observation_and_nothing_unknown() -> None:
    client = LangfuseClient()
    body = {"runName": "r", "datasetItemId": "i"}
    (issue,) = client.issues("POST", "dataset-run-items", body)
    assert (issue["path"], issue["message"]) == (
        ["observationId", "traceId"],
        "observationId or traceId must be provided",
    )
    (issue,) = client.issues("POST", "dataset-run-items", body | {"traceId": "t", "more": 1})
    assert issue["message"] == 'Unrecognized key: "more"'

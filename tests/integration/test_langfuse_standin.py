"""The Langfuse stand-in, asked over HTTP: what its own clients rely on, beyond the recorded exchanges."""

import gzip
import itertools
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from local.langfuse.testing import RunningStandIn, running_stand_in

type Json = dict[str, Any]

# Long enough that a deletion is still open at the look right after it, on a loaded machine too.
DELETION_DELAY_S = 2.0


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in(deletion_delay_s=DELETION_DELAY_S) as running:
        yield running


@pytest.fixture(scope="module")
def newer() -> Iterator[RunningStandIn]:
    with running_stand_in(server_version="4.59.0") as running:
        yield running


def client_of(running: RunningStandIn) -> httpx.Client:
    return httpx.Client(base_url=f"{running.url}/api/public", auth=running.auth, timeout=10)


@pytest.fixture
def client(stand_in: RunningStandIn) -> Iterator[httpx.Client]:
    with client_of(stand_in) as client:
        yield client


@pytest.fixture
def name() -> str:
    return f"n-{uuid.uuid4().hex[:12]}"


def ok(response: httpx.Response) -> Json:
    assert response.status_code == 200, response.text
    body: Json = response.json()
    return body


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def export(*spans: Json, scope: str = "langfuse-sdk") -> Json:
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope, "version": "1"}, "spans": list(spans)}]}]}


def span(trace_id: str, span_id: str, *, parent: str | None = None, at_s: float = 0.0, **attributes: str) -> Json:
    start = 1_795_168_800_000_000_000 + int(at_s * 1e9)
    pairs = [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in attributes.items()]
    times = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 250_000_000)}
    made = {"traceId": trace_id, "spanId": span_id, "name": "step", "attributes": pairs} | times
    return made if parent is None else made | {"parentSpanId": parent}


def send(client: httpx.Client, *spans: Json) -> None:
    response = client.post("/otel/v1/traces", json=export(*spans), headers={"x-langfuse-ingestion-version": "4"})
    assert response.status_code == 200, response.text


# --- what says that this is a stand-in ----------------------------------------------------------------------------


def test_every_answer_says_that_it_comes_from_a_stand_in(stand_in: RunningStandIn) -> None:
    for path in ("/api/public/health", "/api/public/nosuch", "/", "/_faults", "/api/public/projects"):
        assert httpx.get(stand_in.url + path).headers["x-flywheel-stand-in"] == "langfuse", path


def test_health_tells_the_version_and_nothing_outside_the_schema(stand_in: RunningStandIn) -> None:
    assert ok(httpx.get(f"{stand_in.url}/api/public/health")) == {"status": "OK", "version": "4.16.0"}


def test_requests_are_counted_by_route(client: httpx.Client, stand_in: RunningStandIn) -> None:
    route = "GET /api/public/comments/{commentId}"
    before = ok(httpx.get(f"{stand_in.url}/_statistics")).get(route, 0)
    for comment_id in ("a", "b", "c"):
        client.get(f"/comments/{comment_id}")
    assert ok(httpx.get(f"{stand_in.url}/_statistics"))[route] == before + 3


# --- paths --------------------------------------------------------------------------------------------------------


def test_an_encoded_slash_belongs_to_the_name_and_a_plain_one_does_not(client: httpx.Client, name: str) -> None:
    ok(client.post("/v2/datasets", json={"name": f"folder/{name}"}))
    assert ok(client.get(f"/v2/datasets/folder%2F{name}"))["name"] == f"folder/{name}"
    assert client.get(f"/v2/datasets/folder/{name}").status_code == 404


def test_a_trailing_slash_is_redirected_with_its_query(client: httpx.Client) -> None:
    response = client.get("/v2/datasets/?limit=1")
    assert (response.status_code, response.headers["location"]) == (308, "/api/public/v2/datasets?limit=1")


def test_head_is_not_allowed(client: httpx.Client) -> None:
    assert client.head("/v2/datasets").status_code == 405


# --- datasets -----------------------------------------------------------------------------------------------------


def item_inputs(client: httpx.Client, dataset: str, **query: str) -> list[Any]:
    listed = ok(client.get("/dataset-items", params={"datasetName": dataset} | query))
    return sorted((item["input"] for item in listed["data"]), key=str)


def test_a_dataset_is_read_as_it_was_at_any_version(client: httpx.Client, name: str) -> None:
    ok(client.post("/v2/datasets", json={"name": name}))
    versions = []
    for number in range(3):
        versions.append(ok(client.post("/dataset-items", json={"datasetName": name, "input": number}))["createdAt"])
        time.sleep(0.005)
    assert [item_inputs(client, name, version=version) for version in versions] == [[0], [0, 1], [0, 1, 2]]


def test_a_deleted_item_is_still_in_the_version_before_its_deletion(client: httpx.Client, name: str) -> None:
    ok(client.post("/v2/datasets", json={"name": name}))
    item = ok(client.post("/dataset-items", json={"datasetName": name, "input": "kept"}))
    time.sleep(0.005)
    ok(client.delete(f"/dataset-items/{item['id']}"))
    assert item_inputs(client, name, version=item["createdAt"]) == ["kept"]
    assert item_inputs(client, name) == []


def test_a_changed_item_shows_its_old_content_in_the_old_version(client: httpx.Client, name: str) -> None:
    ok(client.post("/v2/datasets", json={"name": name}))
    item_id = f"{name}-item"
    first = ok(client.post("/dataset-items", json={"datasetName": name, "id": item_id, "input": "old"}))
    time.sleep(0.005)
    ok(client.post("/dataset-items", json={"datasetName": name, "id": item_id, "input": "new"}))
    assert item_inputs(client, name, version=first["createdAt"]) == ["old"]
    assert item_inputs(client, name) == ["new"]


def test_an_item_id_of_another_dataset_is_a_conflict(client: httpx.Client, name: str) -> None:
    for dataset in (name, f"{name}-b"):
        ok(client.post("/v2/datasets", json={"name": dataset}))
    ok(client.post("/dataset-items", json={"datasetName": name, "id": f"{name}-1", "input": 1}))
    response = client.post("/dataset-items", json={"datasetName": f"{name}-b", "id": f"{name}-1", "input": 2})
    assert response.status_code == 409


def test_pages_of_a_dataset_hold_every_item_once(client: httpx.Client, name: str) -> None:
    ok(client.post("/v2/datasets", json={"name": name}))
    for number in range(23):
        ok(client.post("/dataset-items", json={"datasetName": name, "input": number}))
    pages = []
    for page in range(1, 5):
        listed = ok(client.get("/dataset-items", params={"datasetName": name, "page": page, "limit": 7}))
        assert listed["meta"] == {"page": page, "limit": 7, "totalItems": 23, "totalPages": 4}
        pages.append([item["input"] for item in listed["data"]])
    assert [len(page) for page in pages] == [7, 7, 7, 2]
    assert list(itertools.chain(*pages)) == list(range(22, -1, -1))


def test_a_schema_that_existing_items_break_is_refused_and_names_them(client: httpx.Client, name: str) -> None:
    ok(client.post("/v2/datasets", json={"name": name}))
    ok(client.post("/dataset-items", json={"datasetName": name, "id": f"{name}-bad", "input": "text"}))
    response = client.post("/v2/datasets", json={"name": name, "inputSchema": {"type": "object"}})
    assert response.status_code == 400
    assert f"{name}-bad (input must be object)" in response.json()["message"]
    assert ok(client.get(f"/v2/datasets/{name}"))["inputSchema"] is None


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"$ref": "http://127.0.0.1:9/nowhere"}, {"$ref": "#/definitions/absent"}]
)
def test_a_schema_that_leads_nowhere_is_an_answer_and_fetches_nothing(
    client: httpx.Client, name: str, schema: Json
) -> None:
    ok(client.post("/v2/datasets", json={"name": name, "inputSchema": schema}))
    assert client.post("/dataset-items", json={"datasetName": name, "input": {"a": 1}}).status_code == 400


# --- scores -------------------------------------------------------------------------------------------------------


def scores_of(client: httpx.Client, **query: str) -> list[Json]:
    data: list[Json] = ok(client.get("/v3/scores", params={"fields": "details,subject,annotation"} | query))["data"]
    return data


def test_cursors_lead_through_all_scores_newest_first(client: httpx.Client, name: str) -> None:
    for number in range(11):
        ok(client.post("/scores", json={"name": name, "value": number, "traceId": name}))
    seen: list[float] = []
    cursor: str | None = None
    for _ in range(4):
        query = {"name": name, "limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = ok(client.get("/v3/scores", params=query))
        seen += [score["value"] for score in page["data"]]
        cursor = page["meta"].get("cursor")
    assert seen == list(range(10, -1, -1))
    assert cursor is None


def test_a_score_posted_again_keeps_its_time_trace_and_environment(client: httpx.Client, name: str) -> None:
    first = {"id": name, "name": "a", "value": 1, "traceId": "t-1", "environment": "production", "comment": "first"}
    ok(client.post("/scores", json=first))
    before = scores_of(client, id=name)
    ok(client.post("/scores", json={"id": name, "name": "b", "value": 2, "traceId": "t-2", "environment": "other"}))
    after = scores_of(client, id=name)
    assert [(score["name"], score["value"], score["comment"]) for score in after] == [("b", 2, "first")]
    for key in ("timestamp", "createdAt", "environment", "subject"):
        assert after[0][key] == before[0][key]


def test_an_archived_config_drops_scores_without_a_word(client: httpx.Client, name: str) -> None:
    config = ok(client.post("/score-configs", json={"name": "grade", "dataType": "NUMERIC"}))
    ok(client.patch(f"/score-configs/{config['id']}", json={"isArchived": True}))
    ok(client.post("/scores", json={"id": name, "name": "grade", "value": 1, "traceId": "t", "configId": config["id"]}))
    assert scores_of(client, id=name) == []


def test_a_deleted_score_is_readable_a_little_longer_and_then_gone(client: httpx.Client, name: str) -> None:
    ok(client.post("/scores", json={"id": name, "name": "a", "value": 1, "traceId": "t"}))
    assert client.delete(f"/scores/{name}").status_code == 202
    assert len(scores_of(client, id=name)) == 1
    time.sleep(DELETION_DELAY_S + 0.05)
    assert scores_of(client, id=name) == []
    ok(client.post("/scores", json={"id": name, "name": "a", "value": 2, "traceId": "t"}))
    assert [score["value"] for score in scores_of(client, id=name)] == [2]


def test_the_public_key_alone_may_write_scores_and_nothing_else(stand_in: RunningStandIn, name: str) -> None:
    bearer = {"authorization": f"Bearer {stand_in.public_key}"}
    body = {"name": name, "value": 1, "traceId": "t"}
    ok(httpx.post(f"{stand_in.url}/api/public/scores", json=body, headers=bearer))
    assert httpx.get(f"{stand_in.url}/api/public/projects", headers=bearer).status_code == 403


def test_from_4_59_an_array_of_scores_is_accepted_with_their_own_times(newer: RunningStandIn, name: str) -> None:
    with client_of(newer) as client:
        time_given = "2026-11-01T10:00:00.000Z"
        sent = [{"name": name, "value": 1.0, "traceId": "t", "dataType": "BOOLEAN", "timestamp": time_given}]
        response = client.post("/scores", json=sent)
        assert (response.status_code, response.json()) == (202, {"message": "Accepted"})
        (score,) = scores_of(client, name=name)
        assert (score["value"], score["timestamp"]) == (True, time_given)
        assert ok(client.post("/scores", json={"name": name, "value": 1, "traceId": "t"})).keys() == {"id"}


def test_from_4_59_the_good_scores_of_a_mixed_array_are_kept_and_the_bad_named(
    newer: RunningStandIn, name: str
) -> None:
    sent = [{"name": name, "value": 1, "traceId": "t"}, {"name": name, "traceId": "t"}, 7]
    with client_of(newer) as client:
        response = client.post("/scores", json=sent)
        assert response.status_code == 207
        body = response.json()
        assert (body["accepted"], body["rejected"]) == (1, 2)
        assert [error["message"].partition(":")[0] for error in body["errors"]] == ["Score 1", "Score 2"]
        assert len(scores_of(client, name=name)) == 1


def test_before_4_59_an_array_is_refused(client: httpx.Client) -> None:
    assert client.post("/scores", json=[]).status_code == 400
    assert client.post("/scores", json=[{"name": "a", "value": 1, "traceId": "t"}]).status_code == 400


# --- observations and experiments ---------------------------------------------------------------------------------


def test_a_span_sent_again_replaces_the_first(client: httpx.Client) -> None:
    trace_id = uuid.uuid4().hex
    for text in ("first", "second"):
        send(client, span(trace_id, "a" * 16, langfuse__observation__output=text))
    data = ok(client.get("/v2/observations", params={"traceId": trace_id, "fields": "core,io"}))["data"]
    assert [row["output"] for row in data] == ["second"]


def test_cursors_lead_through_spans_of_the_same_moment(client: httpx.Client) -> None:
    trace_id = uuid.uuid4().hex
    ids = [f"{number:016x}" for number in range(1, 8)]
    send(client, *(span(trace_id, span_id) for span_id in ids))
    seen: list[str] = []
    query = {"traceId": trace_id, "limit": "3"}
    for _ in range(3):
        page = ok(client.get("/v2/observations", params=query))
        seen += [row["id"] for row in page["data"]]
        query["cursor"] = page["meta"].get("cursor", "")
    assert sorted(seen) == ids
    assert query["cursor"] == ""


def test_spans_of_other_libraries_are_typed_by_their_gen_ai_attributes(client: httpx.Client) -> None:
    trace_id = uuid.uuid4().hex
    operations = {"1" * 16: "chat", "2" * 16: "execute_tool", "3" * 16: "invoke_agent"}
    spans = [span(trace_id, key, gen_ai__operation__name=value) for key, value in operations.items()]
    assert client.post("/otel/v1/traces", json=export(*spans, scope="strands")).status_code == 200
    data = ok(client.get("/v2/observations", params={"traceId": trace_id}))["data"]
    assert {row["id"][0]: row["type"] for row in data} == {"1": "GENERATION", "2": "TOOL", "3": "AGENT"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"type": "string", "column": "name", "operator": "contains", "value": "STE"}, 3),
        ({"type": "stringOptions", "column": "level", "operator": "any of", "value": ["ERROR"]}, 1),
        ({"type": "stringOptions", "column": "level", "operator": "none of", "value": ["ERROR"]}, 2),
        ({"type": "arrayOptions", "column": "tags", "operator": "all of", "value": ["x", "y"]}, 1),
        ({"type": "boolean", "column": "isRootObservation", "operator": "=", "value": True}, 1),
        ({"type": "null", "column": "parentObservationId", "operator": "is null"}, 1),
        ({"type": "datetime", "column": "startTime", "operator": ">=", "value": "2026-11-20T10:00:01Z"}, 2),
        ({"type": "stringObject", "column": "metadata", "key": "team", "operator": "=", "value": "core"}, 1),
        ({"type": "number", "column": "latency", "operator": "<", "value": 0.25}, 0),
    ],
)
def test_a_filter_holds_for_the_rows_it_should(client: httpx.Client, condition: Json, expected: int) -> None:
    trace_id = uuid.uuid4().hex
    tags = {"key": "langfuse.trace.tags", "value": {"arrayValue": {"values": [{"stringValue": t} for t in "xyz"]}}}
    root = span(trace_id, "1" * 16, langfuse__observation__metadata__team="core")
    root["attributes"].append(tags)
    failed = span(trace_id, "2" * 16, parent="1" * 16, at_s=1) | {"status": {"code": 2, "message": "broke"}}
    send(client, root, failed, span(trace_id, "3" * 16, parent="1" * 16, at_s=2))
    query = {"traceId": trace_id, "filter": json.dumps([condition])}
    assert len(ok(client.get("/v2/observations", params=query))["data"]) == expected


def experiment_span(trace_id: str, span_id: str, experiment: str, item: str, **more: str) -> Json:
    attributes = {
        "langfuse__experiment__id": experiment,
        "langfuse__experiment__name": f"run {experiment}",
        "langfuse__experiment__item__id": item,
        "langfuse__experiment__item__root_observation_id": span_id,
    }
    return span(trace_id, span_id, parent=None, at_s=0.0, **attributes, **more)


def test_two_workers_that_share_an_experiment_id_fill_one_experiment(client: httpx.Client, name: str) -> None:
    for number in range(2):
        trace_id = uuid.uuid4().hex
        root = experiment_span(trace_id, f"{number + 1:016x}", name, f"item-{number}")
        inner = span(trace_id, "f" * 16, parent=f"{number + 1:016x}", langfuse__experiment__id=name)
        send(client, root, inner)
        on_item = {"name": "exact", "value": number, "traceId": trace_id, "observationId": f"{number + 1:016x}"}
        ok(client.post("/scores", json=on_item))
    ok(client.post("/scores", json={"name": "mean", "value": 0.5, "datasetRunId": name}))
    window = {"fromStartTime": "2026-11-20T00:00:00Z"}
    (experiment,) = ok(client.get("/experiments", params=window | {"id": name, "fields": "core,scores"}))["data"]
    assert (experiment["itemCount"], [score["name"] for score in experiment["scores"]]) == (2, ["mean"])
    query = window | {"experimentId": name, "fields": "core,scores"}
    items = ok(client.get("/experiment-items", params=query))["data"]
    assert {item["experimentItemId"]: item["scores"][0]["value"] for item in items} == {"item-0": 0, "item-1": 1}


def test_cursors_lead_through_experiments_and_their_items(client: httpx.Client, name: str) -> None:
    for number in range(5):
        send(client, experiment_span(uuid.uuid4().hex, f"{number + 1:016x}", f"{name}-{number}", "i", user__id=name))
    for path, key in (("/experiments", "id"), ("/experiment-items", "experimentId")):
        ids = ",".join(f"{name}-{number}" for number in range(5))
        query = {"fromStartTime": "2026-11-20T00:00:00Z", "limit": "2", key: ids}
        seen: list[str] = []
        for _ in range(3):
            page = ok(client.get(path, params=query))
            seen += [row[key] for row in page["data"]]
            query["cursor"] = page["meta"].get("cursor", "")
        assert sorted(seen) == ids.split(",")
        assert query["cursor"] == ""


def test_a_deleted_trace_takes_its_scores_with_it(client: httpx.Client, name: str) -> None:
    trace_id = uuid.uuid4().hex
    send(client, span(trace_id, "1" * 16))
    ok(client.post("/scores", json={"name": name, "value": 1, "traceId": trace_id}))
    ok(client.delete(f"/traces/{trace_id}"))
    assert ok(client.get("/v2/observations", params={"traceId": trace_id}))["data"] == []
    assert scores_of(client, name=name) == []


# --- hostile, huge, late ------------------------------------------------------------------------------------------

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe\x00", b"NaN", b'{"value": NaN}', DEEP.encode(), b"9" * 5000, b'"\\ud800"', b"null", b"[]"],
)
@pytest.mark.parametrize("path", ["/scores", "/v2/datasets", "/dataset-items", "/comments", "/otel/v1/traces"])
def test_a_body_that_makes_no_sense_is_refused(client: httpx.Client, path: str, body: bytes) -> None:
    response = client.post(path, content=body, headers={"content-type": "application/json"})
    if path == "/otel/v1/traces" and body == b"":
        assert ok(response) == {}
    else:
        assert response.status_code == 400, response.text


@pytest.mark.parametrize("text", ["\x00", "'; DROP TABLE scores; --", "\U0001f600" * 50, "<script>", "%00", "\u202e"])
def test_odd_text_comes_back_as_it_was_sent(client: httpx.Client, name: str, text: str) -> None:
    score = {
        "id": name,
        "name": "odd" + text,
        "value": text,
        "traceId": text,
        "comment": text,
        "metadata": {text: text},
    }
    ok(client.post("/scores", json=score))
    (kept,) = scores_of(client, id=name)
    assert [kept["value"], kept["comment"], kept["metadata"], kept["subject"]["id"]] == [text, text, {text: text}, text]


def test_a_lone_surrogate_is_replaced_and_not_an_error(client: httpx.Client, name: str) -> None:
    body = f'{{"id": "{name}", "name": "a\\ud800b", "value": 1, "traceId": "t"}}'
    response = client.post("/scores", content=body, headers={"content-type": "application/json"})
    ok(response)
    assert [score["name"] for score in scores_of(client, id=name)] == ["a?b"]


def test_numbers_beyond_64_bits_are_no_server_error(client: httpx.Client) -> None:
    huge = "9" * 400
    for value in (huge, "1e999", "-1e999"):
        body = f'{{"name": "a", "value": {value}, "traceId": "t"}}'
        response = client.post("/scores", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 400, value
    ok(client.get("/v2/datasets", params={"page": "9" * 30}))
    assert client.get("/v2/datasets", params={"limit": huge}).status_code == 400


def test_a_gzip_bomb_and_a_cut_off_gzip_are_refused(client: httpx.Client) -> None:
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    bomb = gzip.compress(b"\x00" * (300 * 1024 * 1024), compresslevel=9)
    for body in (bomb, gzip.compress(b"x" * 1000)[:-9]):
        response = client.post("/otel/v1/traces", content=body, headers=headers)
        assert (response.status_code, response.json()) == (400, {"error": "Failed to decompress request body"})


def test_too_long_bodies_are_refused_in_plain_text(client: httpx.Client) -> None:
    for path, size, limit in (("/scores", 1_100_000, "1mb"), ("/v2/datasets", 4_800_000, "4.5mb")):
        response = client.post(path, content=b"x" * size, headers={"content-type": "application/json"})
        assert (response.status_code, response.text) == (413, f"Body exceeded {limit} limit")


@pytest.mark.parametrize(
    "spans",
    [
        [{"traceId": "a", "spanId": 5}],
        [{"traceId": None, "spanId": "b"}],
        [{"traceId": "a", "spanId": "b", "events": {}}],
    ],
)
def test_one_bad_span_refuses_the_whole_export(client: httpx.Client, spans: list[Json]) -> None:
    trace_id = uuid.uuid4().hex
    response = client.post("/otel/v1/traces", json=export(span(trace_id, "1" * 16), *spans))
    assert response.status_code == 400
    assert "cannot be processed" in response.json()["error"]
    assert ok(client.get("/v2/observations", params={"traceId": trace_id}))["data"] == []


def test_times_and_attributes_out_of_any_range_are_no_server_error(client: httpx.Client) -> None:
    trace_id = uuid.uuid4().hex
    odd = span(trace_id, "1" * 16) | {"startTimeUnixNano": "99999999999999999999999", "endTimeUnixNano": "-5"}
    late = span(trace_id, "2" * 16) | {"startTimeUnixNano": str(2**64 - 1), "endTimeUnixNano": "x"}
    odd["attributes"] += [
        {"key": "langfuse.observation.usage_details", "value": {"stringValue": '{"input": 1e999, "output": -4}'}},
        {"key": "langfuse.observation.prompt.version", "value": {"intValue": "9" * 40}},
        {"key": "langfuse.observation.level", "value": {"stringValue": "LOUD"}},
        {"key": "langfuse.trace.tags", "value": {"kvlistValue": {"values": [{"key": "a"}]}}},
        {"novalue": 1},
        7,
    ]
    send(client, odd, late)
    query = {"traceId": trace_id, "fields": "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"}
    rows = ok(client.get("/v2/observations", params=query))["data"]
    assert {row["level"] for row in rows} == {"DEFAULT"}


@pytest.mark.parametrize("cursor", ["!!", "e30=", "W10=", "eyJ2IjoxfQ==", "bnVsbA==", "eyJsYXN0VXMiOjF9"])
@pytest.mark.parametrize("path", ["/v2/observations", "/v3/scores", "/experiments", "/experiment-items"])
def test_a_made_up_cursor_is_refused(client: httpx.Client, path: str, cursor: str) -> None:
    window = {} if path.startswith("/v") else {"fromStartTime": now()}
    assert client.get(path, params=window | {"cursor": cursor}).status_code == 400


def test_a_window_in_the_future_is_empty(client: httpx.Client) -> None:
    begin, end = ((datetime.now(UTC) + timedelta(days=days)).isoformat() for days in (900, 901))
    assert ok(client.get("/v3/scores", params={"fromTimestamp": begin, "toTimestamp": end}))["data"] == []
    assert ok(client.get("/v2/observations", params={"fromStartTime": begin, "toStartTime": end}))["data"] == []

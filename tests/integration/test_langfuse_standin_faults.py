"""The stand-in's faults: each kind does what its rule says, as often as it says, and nothing after that."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.langfuse.testing import RunningStandIn, running_stand_in

SCORES = "/api/public/scores"


@pytest.fixture(scope="module")
def stand_in() -> Iterator[RunningStandIn]:
    with running_stand_in() as running:
        yield running


@pytest.fixture
def client(stand_in: RunningStandIn) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stand_in.url, auth=stand_in.auth, timeout=5) as client:
        yield client
        client.delete("/_faults")


def inject(client: httpx.Client, *rules: dict[str, Any]) -> None:
    response = client.post("/_faults", json=list(rules))
    assert response.status_code == 200, response.text


def post_score(client: httpx.Client) -> httpx.Response:
    return client.post(SCORES, json={"id": uuid.uuid4().hex, "name": "a", "value": 1, "traceId": "t"})


def is_readable(client: httpx.Client, score_id: str) -> bool:
    return bool(client.get("/api/public/v3/scores", params={"id": score_id}).json()["data"])


def test_a_limit_is_answered_as_often_as_asked_with_the_time_to_wait(client: httpx.Client) -> None:
    inject(client, {"path_prefix": SCORES, "method": "POST", "status": 429, "retry_after_s": 2, "times": 2})
    answers = [post_score(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "2"
    assert (answers[0].json()["code"], answers[0].json()["details"]["retryAfterSeconds"]) == ("rate_limited", 2)
    (rule,) = client.get("/_faults").json()
    assert (rule["applied"], rule["left"]) == (2, 0)


def test_a_plan_takes_so_many_requests_a_window_and_says_when_the_next_one_opens(client: httpx.Client) -> None:
    inject(client, {"path_prefix": SCORES, "method": "POST", "limit": 2, "window_s": 1})
    answers = [post_score(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[2].headers["retry-after"], answers[2].json()["details"]["limit"]) == ("1", 2)
    time.sleep(1.0)
    assert [post_score(client).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_stores_nothing(client: httpx.Client, status: int) -> None:
    inject(client, {"path_prefix": SCORES, "status": status, "times": 1})
    score_id = uuid.uuid4().hex
    score = {"id": score_id, "name": "a", "value": 1, "traceId": "t"}
    assert client.post(SCORES, json=score).status_code == status
    assert not is_readable(client, score_id)


def test_an_outage_ends_by_itself(client: httpx.Client) -> None:
    inject(client, {"path_prefix": "/api/public", "status": 503, "for_s": 0.3})
    assert client.get("/api/public/health").status_code == 503
    time.sleep(0.35)
    assert client.get("/api/public/health").status_code == 200


def test_a_delay_longer_than_the_client_waits_is_a_time_out_for_that_path_only(client: httpx.Client) -> None:
    inject(client, {"path_prefix": "/api/public/v2/datasets", "delay_s": 0.6, "times": 1})
    with pytest.raises(httpx.ReadTimeout):
        client.get("/api/public/v2/datasets", timeout=0.2)
    assert client.get("/api/public/projects", timeout=0.2).status_code == 200


def test_dropped_scores_and_spans_are_accepted_and_never_seen(client: httpx.Client) -> None:
    inject(client, {"path_prefix": "/api/public", "method": "POST", "drop": True, "times": 2})
    dropped = post_score(client)
    trace_id = uuid.uuid4().hex
    span = {"traceId": trace_id, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    body = {"resourceSpans": [{"scopeSpans": [{"scope": {}, "spans": [span]}]}]}
    exported = client.post("/api/public/otel/v1/traces", json=body)
    kept = post_score(client)
    assert [dropped.status_code, exported.status_code, kept.status_code] == [200, 200, 200]
    assert [is_readable(client, answer.json()["id"]) for answer in (dropped, kept)] == [False, True]
    assert client.get("/api/public/v2/observations", params={"traceId": trace_id}).json()["data"] == []


def test_late_scores_and_spans_become_readable_after_the_delay(client: httpx.Client) -> None:
    inject(client, {"path_prefix": "/api/public", "method": "POST", "late_visibility_s": 0.4, "times": 2})
    score_id = post_score(client).json()["id"]
    trace_id = uuid.uuid4().hex
    span = {"traceId": trace_id, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    client.post("/api/public/otel/v1/traces", json={"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})

    def readable() -> tuple[bool, bool]:
        spans = client.get("/api/public/v2/observations", params={"traceId": trace_id}).json()["data"]
        return is_readable(client, score_id), bool(spans)

    assert readable() == (False, False)
    time.sleep(0.45)
    assert readable() == (True, True)


def test_the_first_rule_that_fits_is_applied_and_used_up_rules_give_way(client: httpx.Client) -> None:
    inject(
        client,
        {"path_prefix": SCORES, "status": 429, "times": 1},
        {"path_prefix": "/api/public", "method": "POST", "status": 500, "times": 1},
    )
    assert [post_score(client).status_code for _ in range(3)] == [429, 500, 200]


def test_deleted_rules_no_longer_apply(client: httpx.Client) -> None:
    inject(client, {"path_prefix": "/api/public", "status": 500})
    assert client.get("/api/public/health").status_code == 500
    assert client.delete("/_faults").json() == []
    assert client.get("/api/public/health").status_code == 200


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"status": 500}, "path_prefix"),
        ({"path_prefix": "/", "status": 200}, "status"),
        ({"path_prefix": "/", "status": 429.5}, "status"),
        ({"path_prefix": "/", "method": "GRAB"}, "method"),
        ({"path_prefix": "/", "delay_s": -1}, "delay_s"),
        ({"path_prefix": "/", "delay_s": 1e300}, "delay_s"),
        ({"path_prefix": "/", "times": 0}, "times"),
        ({"path_prefix": "/", "limit": 0}, "limit"),
        ({"path_prefix": "/", "drop": "yes"}, "drop"),
        ({"path_prefix": "/", "bogus": 1}, "bogus"),
        (7, "object"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_name_and_none_is_added(
    client: httpx.Client, rule: Any, named: str
) -> None:
    response = client.post("/_faults", json=[{"path_prefix": "/", "status": 500}, rule])
    assert response.status_code == 400
    assert named in str(response.json()["error"])
    assert client.get("/_faults").json() == []

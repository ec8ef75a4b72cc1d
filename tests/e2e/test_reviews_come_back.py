"""People judge the offline phase too: what decided a verdict waits for them once, and what they say comes back."""

import json
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from tests.e2e.agents import Told
from tests.e2e.system import ANSWERS, System

QUEUE = "flywheel gate reviews"


def queued(system: System) -> Counter[str]:
    """Every trace in the queue, and how often it is there."""
    queues = system.langfuse.get("annotation-queues", [("limit", 100)])["data"]
    found: Counter[str] = Counter()
    for queue in queues:
        if queue["name"] == QUEUE:
            page, pages = 1, 1
            while page <= pages:
                path = f"annotation-queues/{queue['id']}/items"
                reply = system.langfuse.get(path, [("limit", 100), ("page", page)])
                found.update(item["objectId"] for item in reply["data"])
                page, pages = page + 1, reply["meta"]["totalPages"]
    return found


def say(system: System, traces: Iterable[str], value: float) -> None:
    """What reviewers leave in Langfuse when they answer the question of the queue."""
    configs = system.langfuse.get("score-configs", [("limit", 100)])["data"]
    (config,) = (config["id"] for config in configs if config["name"] == "correct")
    for trace in traces:
        score = {"id": uuid.uuid4().hex, "name": "correct", "value": value, "dataType": "BOOLEAN", "traceId": trace}
        system.langfuse.post("scores", score | {"source": "ANNOTATION", "configId": config, "comment": "e2e"})


def decide_again(system: System, gate_id: str) -> None:
    """A look that is delivered again after it has ended the gate."""
    functions = boto3.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    (name,) = (f["FunctionName"] for page in pages for f in page["Functions"] if "DecideGate" in f["FunctionName"])
    wave = max(int(key.rpartition("/")[2].partition(".")[0]) for key in system.evidence.keys(f"gates/{gate_id}/gate/"))
    reply = functions.invoke(FunctionName=name, Payload=json.dumps({"gate_id": gate_id, "wave": wave}).encode())
    assert "FunctionError" not in reply, reply["Payload"].read()
    assert json.loads(reply["Payload"].read())["action"] == "end"


def annotated_gate(system: System, told: Told) -> dict[str, Any]:
    """Push the image, then ask for a gate of it whose answers people shall judge."""
    tag = f"r-{uuid.uuid4().hex[:8]}"
    system.gated(told, tag)
    uri = f"{system.outputs['RepositoryUri']}:{tag}"
    asked = system.run("gate", "start", "--image", uri, "--annotate", "--wait", "--json")
    assert asked.exit_code in {0, 1, 2}, asked.output
    said: dict[str, Any] = json.loads(asked.stdout)
    return said


def test_what_decided_a_failure_waits_for_people_once_and_their_word_comes_back(system: System, good: Told) -> None:
    system.gated(replace(good, mark="before the reviews"))
    wrong = dict.fromkeys(list(ANSWERS)[:8], "It has no colour.")
    gate = annotated_gate(system, Told(answers=ANSWERS | wrong))
    gate_id = gate["gate_id"]
    assert gate["verdict"] == "FAIL", gate

    asked = system.document(gate_id, "annotation.json")
    traces = {task["trace_id"] for task in asked["tasks"]}
    named = {item for reason in system.document(gate_id, "verdict.json")["reasons"] for item in reason["items"]}
    assert (asked["state"], asked["queue_name"]) == ("queued", QUEUE)
    assert {task["arm"] for task in asked["tasks"]} == {"candidate", "incumbent"}
    assert named
    assert named <= {task["item_id"] for task in asked["tasks"]}  # whether chance or the verdict chose them
    assert traces <= {record.trace_id for record in system.records(gate_id)}
    report = system.document(gate_id, "report.json")
    assert report["reviews"]["queue_url"] == asked["queue_url"]
    assert "annotation_failed" not in gate["notes"]

    decide_again(system, gate_id)
    assert system.run("gate", "annotate", gate_id).exit_code == 0
    assert {trace: n for trace, n in queued(system).items() if trace in traces} == dict.fromkeys(traces, 1)

    none_yet = system.run("gate", "reviews", gate_id, "--json")
    assert none_yet.exit_code == 1, none_yet.output
    assert json.loads(none_yet.stdout)["reviewed_verdict"] is None

    say(system, traces, 1.0)
    back = system.run("gate", "reviews", gate_id, "--wait", "--timeout", "60", "--json")
    said = json.loads(back.stdout)
    assert back.exit_code == 0, back.output
    assert (said["reviewed"], said["open"], said["verdict"]) == (len(traces), 0, "FAIL")
    assert said["reviewed_verdict"]["kind"] != "FAIL"
    assert said["agreed"] < said["reviewed"]
    assert system.document(gate_id, "verdict.json")["kind"] == "FAIL"
    assert system.document(gate_id, "verdict-reviewed.json")["kind"] == said["reviewed_verdict"]["kind"]
    written = json.loads(system.evidence.read(f"reviews/{said['judge_version']}/{gate_id}.json"))
    assert {review["trace_id"] for review in written} == traces
    assert {review["human_score"] for review in written} == {1.0}
    shown = system.run("gate", "show", gate_id).stdout
    assert f"reviews: {len(traces)} of {len(traces)} answers collected" in shown


@pytest.mark.stand_in
def test_a_queue_that_cannot_be_reached_costs_no_verdict(system: System, good: Told) -> None:
    system.gated(replace(good, mark="before the outage"))
    wrong = dict.fromkeys(list(ANSWERS)[:8], "It has no colour.")
    system.fault("langfuse", {"path_prefix": "/api/public/annotation-queues", "status": 400})
    gate = annotated_gate(system, Told(answers=ANSWERS | wrong, mark="outage"))

    assert gate["verdict"] == "FAIL"
    assert "annotation_failed" in gate["notes"]
    assert system.document(gate["gate_id"], "annotation.json")["state"] == "failed"

    system.clear_faults()
    later = system.run("gate", "annotate", gate["gate_id"], "--json")
    assert later.exit_code == 0, later.output
    traces = set(json.loads(later.stdout)["traces"])
    assert {trace: n for trace, n in queued(system).items() if trace in traces} == dict.fromkeys(traces, 1)

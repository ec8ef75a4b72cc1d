"""From an image push to a verdict: what the person who pushed relies on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flywheel.adapters.langfuse_experiments import LangfuseExperimentReader
from tests.e2e.agents import REVISION, Told
from tests.e2e.system import ANSWERS, System, wait_for


def test_a_good_image_is_tested_and_promoted_by_its_digest(system: System, good: Told) -> None:
    digest = system.push(replace(good, mark="good"))
    row = system.ended(system.gate_of(digest).gate_id)

    assert (row.verdict, row.promoted) == ("PASS", True), row.reasons
    assert system.production_digest() == digest
    # The verdict can be traced to the commit that the image was built from.
    assert system.document(row.gate_id, "plan.json")["revision"] == REVISION


def test_every_item_is_invoked_once_a_trial_and_arm_whatever_the_number_of_facts(system: System, good: Told) -> None:
    row = system.gated(replace(good, mark="once"))
    keys = [record.key for record in system.records(row.gate_id)]

    assert len(keys) == len(set(keys))
    arms = {k.arm for k in keys}
    pairs = {(k.item_id, k.trial) for k in keys}
    assert len(keys) == len(pairs) * len(arms), "every arm answers every pair"
    estimates = system.document(row.gate_id, "verdict.json")["estimates"]
    assert len(pairs) == estimates["pairs"] < estimates["cap_pairs"]
    assert estimates["invocations"] == len(keys)


def test_an_image_that_answers_wrong_is_rejected_and_production_stays(system: System, good: Told) -> None:
    system.gated(replace(good, mark="before"))
    before = system.production_digest()
    wrong = dict.fromkeys(list(ANSWERS)[:8], "It has no colour.")

    row = system.gated(Told(answers=ANSWERS | wrong))

    assert (row.verdict, row.promoted) == ("FAIL", False)
    assert row.reasons[0] in {"minimum", "slice_minimum", "regression"}
    assert system.production_digest() == before


def test_the_host_runs_the_bytes_that_were_pushed(system: System, good: Told) -> None:
    # Every answer is another one: which items a gate asks before it ends is drawn.
    row = system.gated(replace(good, answers=dict.fromkeys(ANSWERS, "Bytes of another build.")))
    answers = {record.answer for record in system.records(row.gate_id) if record.key.arm == "candidate"}

    assert answers == {"Bytes of another build."}


def test_the_same_image_under_another_name_gets_the_same_verdict(system: System, good: Told) -> None:
    told = replace(good, mark="renamed")
    first = system.gated(told, tag="good")
    second = system.gated(told, tag="terrible-regression")

    assert first.digest == second.digest
    assert (first.verdict, second.verdict) == ("PASS", "PASS")


def test_an_image_that_errs_on_a_fifth_of_its_answers_shows_as_errored_not_as_wrong(system: System, good: Told) -> None:
    row = system.gated(replace(good, crash_percent=25))
    report = system.document(row.gate_id, "report.json")

    assert row.verdict in {"FAIL", "INCONCLUSIVE"}
    # Which items are asked first is drawn by the gate: a few crashes in a row refute the mean before the error rate.
    assert row.reasons[0] in {"error_rate", "minimum", "regression"}
    errored = [r for r in system.records(row.gate_id) if r.key.arm == "candidate" and r.outcome == "errored"]
    assert errored
    assert all(record.error is not None and record.error.stage == "invoke" for record in errored)
    assert "errored" in str(report)


def test_an_image_that_is_too_slow_is_rejected_for_its_latency(system: System, good: Told) -> None:
    row = system.gated(replace(good, delay_s=3.5))

    assert row.verdict == "FAIL"
    assert row.reasons[0] == "latency_p95_ms"


def test_an_image_that_never_becomes_ready_is_rejected_within_its_deadline(system: System, good: Told) -> None:
    row = system.gated(replace(good, listens=False))

    assert row.verdict == "FAIL"
    assert row.reasons[0] == "never_ready"


def test_the_experiment_and_its_scores_are_in_langfuse(system: System, good: Told) -> None:
    row = system.gated(replace(good, mark="experiment"))
    since = datetime.now(UTC) - timedelta(hours=1)
    reader = LangfuseExperimentReader(system.langfuse)
    (candidate,) = reader.find(f"candidate {row.gate_id}", since)
    items = reader.items(candidate.experiment_id, since)

    asked = [record for record in system.records(row.gate_id) if record.key.arm == "candidate"]
    assert {item.trace_id for item in items} == {record.trace_id for record in asked}
    assert len(items) == len(asked)


def test_sessions_that_agentcore_does_not_start_at_once_are_waited_for(system: System, good: Told) -> None:
    system.fault("agentcore", {"kind": "session_starts", "per_s": 2, "burst": 2, "runtime_prefix": "fw_"})
    row = system.gated(replace(good, mark="few sessions a second"))

    assert (row.verdict, row.promoted) == ("PASS", True), row.reasons
    assert {record.outcome for record in system.records(row.gate_id)} == {"answered"}
    assert system.faults("agentcore")[0]["injected"] > 0


def test_the_tools_that_a_trial_called_are_seen_in_langfuse_by_their_own_names(system: System, good: Told) -> None:
    row = system.gated(replace(good, mark="tools"))
    record = next(record for record in system.records(row.gate_id) if record.trajectory)

    def tools() -> list[str]:
        query: list[tuple[str, str | int]] = [("traceId", record.trace_id), ("type", "TOOL"), ("fields", "core,basic")]
        return [str(seen["name"]) for seen in system.langfuse.get("v2/observations", query)["data"]]

    assert wait_for("the agent's tool spans", tools, 30.0) == [call.tool for call in record.trajectory]

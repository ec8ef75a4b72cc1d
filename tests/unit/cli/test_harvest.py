"""The harvest from the command line: what is open, a run now, what became of one trace."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from cli.aws import FunctionRuns
from cli.problems import CommandError
from flywheel.domain.agreement import Agreement
from flywheel.errors import TransientError
from flywheel.harvest_agreement import LATEST, figures_of
from flywheel.harvest_run import LATEST_RUN, HarvestSummary
from tests.fakes.clock import NOON
from tests.fakes.live import LOOK, live_review
from tests.unit.cli.double_session import DoubleSession, run


def reviewed() -> DoubleSession:
    session = DoubleSession()
    for trace in ("t-1", "t-2"):
        session.live.claim(live_review(trace), now=NOON, until=NOON)
        session.live.settle(trace, "q-1", now=NOON)
    session.live.note_harvest("t-1", replace(LOOK, message="why"), seen=None)
    session.store.put(LATEST_RUN, json.dumps(HarvestSummary("h-1", slices={"production": 1}).to_dict()).encode())
    figures = {"helpfulness": figures_of(Agreement(30, 1, 2, 12)), "tone": figures_of(Agreement(3, 0, 0, 0))}
    session.store.put(LATEST, json.dumps({"version": 1, "metrics": figures}).encode())
    return session


def test_status_tells_what_is_open_what_became_of_the_rest_and_how_far_scores_agree() -> None:
    session = reviewed()
    said = run(session, "harvest", "status").stdout
    assert "1 reviews are open; watched for later edits: 1 harvested" in said
    assert "dataset: 1 production" in said
    assert "helpfulness: 42 of 45 agree, kappa 0.84 [0." in said
    assert "tone: 3 of 3 agree, kappa not to be told yet" in said

    found = json.loads(run(session, "harvest", "status", "--json").stdout)
    assert (found["open"], found["watched"], found["slices"]) == (1, {"harvested": 1}, {"production": 1})
    assert found["agreement"]["helpfulness"]["answers"] == 45


def test_status_before_the_first_run_says_so() -> None:
    result = run(DoubleSession(), "harvest", "status")
    assert (result.exit_code, "no run of the harvest is on record" in result.stdout) == (0, True)


def test_a_run_lists_what_became_of_each_review() -> None:
    session = DoubleSession()
    session.harvests.summary = HarvestSummary("h-1", seen=3, waiting=2, outcomes=(("t-1", "harvested", "p-1"),))
    assert "t-1 became harvested p-1" in run(session, "harvest", "run").stdout
    assert "t-1 would become harvested p-1" in run(session, "harvest", "run", "--dry-run").stdout
    assert json.loads(run(session, "harvest", "run", "--json").stdout)["seen"] == 3
    assert session.harvests.dry == [False, True, False]


def test_a_run_beside_another_is_told_by_its_exit_code() -> None:
    session = DoubleSession()
    session.harvests.summary = HarvestSummary("h-1", skipped=True)
    assert run(session, "harvest", "run").exit_code == 1


def test_one_trace_is_shown() -> None:
    session = reviewed()
    assert "state: harvested" in run(session, "harvest", "show", "t-1").stdout
    said = json.loads(run(session, "harvest", "show", "t-2", "--json").stdout)
    assert (said["state"], said["item_id"], said["reasons"]) == ("open", None, ["error", "latency"])
    assert run(session, "harvest", "show", "t-9").exit_code == 1


class FakeLambda:
    def __init__(self, body: dict[str, Any], *, failed: bool = False) -> None:
        self._body, self._failed = body, failed
        self.payloads: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.payloads.append((FunctionName, json.loads(Payload)))
        reply: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(self._body).encode())}
        return reply | ({"FunctionError": "Unhandled"} if self._failed else {})


def test_the_stacks_own_function_runs_it() -> None:
    client = FakeLambda({"run_id": "h-1"})
    runs = FunctionRuns("harvest-fn", "the harvest", "flywheel-dev", client)
    assert runs.run(dry_run=True) == {"run_id": "h-1"}
    assert client.payloads == [("harvest-fn", {"dry_run": True})]


@pytest.mark.parametrize(("kind", "expected"), [("TransientError", TransientError), ("KeyError", CommandError)])
def test_a_failed_run_says_why(kind: str, expected: type[Exception]) -> None:
    client = FakeLambda({"errorType": kind, "errorMessage": "Langfuse does not answer"}, failed=True)
    with pytest.raises(expected, match="does not answer"):
        FunctionRuns("f", "the harvest", "flywheel-dev", client).run(dry_run=False)


def test_a_stack_without_the_function_is_told_to_deploy() -> None:
    with pytest.raises(CommandError, match="deploy it again"):
        FunctionRuns(None, "the harvest", "flywheel-dev", FakeLambda({}))

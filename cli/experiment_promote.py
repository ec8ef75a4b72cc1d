"""A configuration that an experiment chose -> `GateRequested`: the gate decides, not the search."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.experiment_view import report_of
from cli.problems import CommandError
from cli.session import Session
from flywheel.domain.agent_parameters import LONGEST_VARIABLE
from flywheel.domain.experiment import Configuration
from flywheel.domain.experiment_objectives import Breach
from flywheel.domain.releases import gate_id
from flywheel.errors import NotFoundError
from flywheel.experiment_evidence import ExperimentEvidence
from flywheel.ports import ExperimentRow


@dataclass(frozen=True, slots=True)
class Promotion:
    """What would be asked of the gate. `doubts`: why the experiment itself speaks against it."""

    configuration: Configuration
    detail: dict[str, Any]
    at: datetime
    doubts: tuple[str, ...]

    @property
    def gate_id(self) -> str:
        return gate_id(self.at, self.detail["request_id"])

    def to_dict(self) -> dict[str, Any]:
        return {
            "gate_id": self.gate_id,
            "experiment_id": self.detail["experiment"]["id"],
            "configuration": self.configuration.configuration_id,
            "candidate": self.configuration.candidate.to_dict(),
            "doubts": list(self.doubts),
        }


def plan_promotion(session: Session, row: ExperimentRow, configuration_id: str | None) -> Promotion:
    """Turn the chosen configuration (None: the recommended one) into a request for a gate.

    Raises:
        CommandError: there is no such configuration, none is recommended, or no gate could take it.
    """
    chosen = configuration_id or row.recommended
    if chosen is None:
        raise CommandError(_nothing(row))
    try:
        plan = ExperimentEvidence(session.objects).plan(row.experiment_id)
    except NotFoundError as error:
        raise CommandError(f"experiment {row.experiment_id} was never planned: there is nothing to promote") from error
    configuration = next((one for one in plan.configurations if one.configuration_id == chosen), None)
    if configuration is None:
        known = f"c01 to {plan.configurations[-1].configuration_id}"
        raise CommandError(f"experiment {row.experiment_id} has no configuration {chosen[:40]!r}: it has {known}")
    prompt = str(dict(configuration.candidate.parameters).get("system_prompt", ""))
    if len(prompt) > LONGEST_VARIABLE:
        raise CommandError(
            f"the system prompt of {chosen} has {len(prompt)} characters, a runtime takes {LONGEST_VARIABLE}: "
            "keep it as a prompt in Langfuse and name it in the file (prompt: name:version)"
        )
    detail = {
        "version": 1,
        "request_id": str(uuid.uuid4()),
        "image": configuration.candidate.image_digest,
        "reason": "experiment",
        "promote": True,
        "experiment": {"id": row.experiment_id, "configuration": chosen},
    }
    # EventBridge keeps whole seconds, and the gate's id is made of this time.
    at = session.clock.now().replace(microsecond=0)
    return Promotion(configuration, detail, at, tuple(_doubts(session, row, chosen)))


def send(session: Session, promotion: Promotion) -> None:
    session.requests.send("GateRequested", promotion.detail, promotion.at)


def _nothing(row: ExperimentRow) -> str:
    if row.status == "running":
        return f"experiment {row.experiment_id} still runs: flywheel experiment watch {row.experiment_id}"
    why = row.reasons[0] if row.reasons else f"it is {row.outcome}"
    return (
        f"experiment {row.experiment_id} recommends no configuration ({why}): flywheel experiment show "
        f"{row.experiment_id}; another is named with --configuration"
    )


def _doubts(session: Session, row: ExperimentRow, chosen: str) -> list[str]:
    if row.outcome != "completed":
        state = "still runs" if row.status == "running" else f"is {row.outcome}"
        return [f"experiment {row.experiment_id} {state}: what it knows so far is not its result"]
    report = report_of(session, row)
    if report is None:
        return [f"experiment {row.experiment_id} has no report: nobody can say whether {chosen} keeps the constraints"]
    doubts = [
        f"{chosen} was stopped in rung {one.rung}: {one.message}"
        for one in report.stopped
        if one.configuration_id == chosen
    ]
    found = next((one for one in report.configurations if one.configuration_id == chosen), None)
    if found is None or found.state in {"failed", "unmeasured"}:
        return [*doubts, f"{chosen} was not measured"]
    return doubts + [_breach(chosen, one) for one in found.breaches]


def _breach(chosen: str, one: Breach) -> str:
    observed = "not measured" if one.observed is None else f"{one.observed:g}"
    return f"{chosen} does not keep the constraint {one.constraint} {one.required:g}: {observed}"

"""How an experiment ended -> a letter, and an event when it completed; each once, whoever ends it and however often."""

from collections.abc import Mapping
from dataclasses import dataclass

from flywheel.errors import InvalidRequestError
from flywheel.ports import EventBus, Notifier, Once
from flywheel.ports.experiments import ExperimentRow

_MOST_REASONS = 10


@dataclass(frozen=True, slots=True)
class ExperimentAnnouncer:
    """Tells the bus and people how an attempt at an experiment ended. `bus` None: this function tells people only."""

    environment: str
    bus: EventBus | None
    notifier: Notifier | None
    once: Once

    def announce(self, row: ExperimentRow, message: str = "", figures: Mapping[str, object] | None = None) -> None:
        """`message`: what came out, in a sentence; `figures`: what it took, for the event; neither quotes a prompt.

        Only what completed is an event: others act on that alone.
        """
        if row.outcome is None:
            raise InvalidRequestError(f"experiment {row.experiment_id} has not ended: there is nothing to announce")
        told = f"{row.experiment_id}/{row.attempt}"
        if self.bus is not None and row.outcome == "completed":
            bus = self.bus
            self.once.run(f"{told}/event", lambda: bus.publish("ExperimentCompleted", self._detail(row, figures or {})))
        if self.notifier is not None:
            notifier = self.notifier
            subject, text = _letter(self.environment, row, message)
            self.once.run(f"{told}/notification", lambda: notifier.notify(subject, text))

    def _detail(self, row: ExperimentRow, figures: Mapping[str, object]) -> dict[str, object]:
        return {
            "version": 1,
            "event_id": f"ended-{row.experiment_id}-{row.attempt}",
            "environment": self.environment,
            "experiment_id": row.experiment_id,
            "execution_arn": row.execution_arn,
            "name": row.name,
            "trigger": row.trigger,
            "attempt": row.attempt,
            "outcome": row.outcome,
            "recommended": row.recommended,
            "report_key": row.report_key,
            **figures,
        }


def _letter(environment: str, row: ExperimentRow, message: str) -> tuple[str, str]:
    command = "report" if row.report_key else "show"
    lines = [
        f"Experiment {row.experiment_id} ({row.name}, {environment}): {row.outcome}.",
        message,
        *row.reasons[:_MOST_REASONS],
        f"And {len(row.reasons) - _MOST_REASONS} more." if len(row.reasons) > _MOST_REASONS else "",
        f"Recommended: {row.recommended}" if row.recommended else "",
        f"More: flywheel experiment {command} {row.experiment_id}",
    ]
    if row.outcome in ("stopped", "broken"):
        lines.append(f"Go on with it: flywheel experiment resume {row.experiment_id}")
    return f"[{environment}] experiment {row.outcome}: {row.name}", "\n".join(line for line in lines if line)

"""Words of a decision: what was asked for (`Pair`), what stands for a missing score, the verdict and its reasons."""

from dataclasses import dataclass
from typing import Any, Literal

from flywheel.domain.outcome import Stage

type VerdictKind = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True)
class Errored:
    """Stands where a score would be when that arm's trial errored.

    `stage` says whose failure it is: `judge` means that the agent answered and the judge could not score it, which
    never counts against the agent.
    """

    stage: Stage = "invoke"


@dataclass(frozen=True, slots=True)
class Pair:
    """One trial of one item, answered by every arm. `trial` counts from 1."""

    item_id: str
    trial: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is.

    `code` is countable: `minimum`, `slice_minimum`, `regression`, `slice_regression`, `error_rate`, `latency_p95_ms`,
    `cost_per_item_usd`, `must_pass`, `too_few_items`, `evidence_missing`, `judge_unavailable`, `void`, `superseded`,
    `incumbent_changed`, `dataset_changed`, `never_ready`, `deployment_failed`, ... `observed` and `required` are in
    the metric's own unit; `items` are those that decided it, the worst first, at most `MOST_ITEMS`.
    """

    code: str
    message: str
    metric: str | None = None
    slice: str | None = None
    observed: float | None = None
    required: float | None = None
    items: tuple[str, ...] = ()


# Codes that are put on record and speak against nobody: whoever shows a verdict tells them apart from its reasons.
NOTES = frozenset(
    {
        "must_pass_muted",
        "cost_unknown",
        "clean_up_failed",
        "chosen_by_experiment",
        "combined_with_production",
        "incumbent_rerun",
        "label_refused",
        "anchor_unavailable",
        "annotation_failed",
        "approved",
        "rejected_by_person",
        "hold_timed_out",
        "trials_capped",
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` is None while the gate is open. `estimates` maps a name to numbers, for the report."""

    kind: VerdictKind | None
    reasons: tuple[Reason, ...] = ()
    estimates: dict[str, Any] | None = None

    @property
    def against(self) -> tuple[Reason, ...]:
        """Reasons that are no notes: a PASS has none."""
        return tuple(reason for reason in self.reasons if reason.code not in NOTES)

    @property
    def notes(self) -> tuple[Reason, ...]:
        return tuple(reason for reason in self.reasons if reason.code in NOTES)


# A reason names the items behind it for people to look at, not the whole dataset.
MOST_ITEMS = 20

"""The report of one gate as data: everything `report.html` shows and `report.json` carries.

Times are ISO 8601 in UTC, durations end in `_s` or `_ms`, money in `_usd`, shares and scores lie in [0, 1]. A field
that is None was not measured or does not apply; it is never a zero in disguise. Texts from outside (questions, answers,
error messages) are shortened to `TEXT_LIMIT` characters and say so; the whole text is in the results of the gate.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from flywheel.domain.outcome import Arm, Stage
from flywheel.domain.verdict import VerdictKind
from flywheel.report.decision import Decision, StoredAnswers
from flywheel.report.judge_check import JudgeCheck
from flywheel.report.reviews import ReviewsAsked
from flywheel.report.steadiness import ItemTrials, ReliabilityRow

# 2: what the sequential decision rests on (`decision`), reliability per slice and item, the judge as an instrument.
SCHEMA_VERSION = 2

type PromotionState = Literal["promoted", "not_promoted", "not_requested", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of the way to production.

    `not_promoted`: the verdict did not allow it; `not_requested`: the gate was asked to judge only; `refused`:
    production had changed, or a newer push took over; `failed`: the new version did not come up or failed its smoke
    test. `detail` says more, for people.
    """

    state: PromotionState
    detail: str = ""
    endpoint: str | None = None
    runtime_version: str | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """How one arm's short-lived runtime came up. `ready_s`: seconds until READY; None: it never was."""

    arm: Arm
    runtime_name: str
    ready_s: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Which configuration an arm was: the digest decides, `tag` is only what the push called it.

    `stored_release`: the release whose stored answers were judged again; None: the arm was invoked.
    """

    arm: Arm
    candidate_id: str
    image_digest: str
    image_uri: str
    model_id: str
    tag: str | None = None
    revision: str | None = None
    prompt: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    stored_release: int | None = None


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One reason of the verdict: `title` is the code in plain words, `items` name what decided it."""

    code: str
    title: str
    message: str
    metric: str | None
    slice: str | None
    observed: float | None
    required: float | None
    items: tuple[str, ...]
    items_omitted: int = 0


@dataclass(frozen=True, slots=True)
class MetricRow:
    """Means of one metric over the trials that have it. `slice` None: all items. `required` None: no minimum set."""

    metric: str
    slice: str | None
    candidate: float | None
    candidate_trials: int
    incumbent: float | None
    incumbent_trials: int
    required: float | None


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """Errored trials of one arm that failed alike. `example` is one of their messages."""

    arm: Arm
    stage: Stage
    kind: str
    count: int
    example: str
    items: tuple[str, ...]
    items_omitted: int = 0


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What one arm did. Latency is the agent's own duration; `latencies_ms` is sorted, one entry a trial that gave one.

    `cost_usd` is the sum over `cost_known` trials; None when no trial has a known price.
    """

    arm: Arm
    trials: int
    answered: int
    refused: int
    errored: int
    latencies_ms: tuple[int, ...]
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    latency_max_ms: int | None
    input_tokens: int
    output_tokens: int
    model_calls: int
    cost_usd: float | None
    cost_known: int


@dataclass(frozen=True, slots=True)
class ItemDifference:
    """Primary score of one item, mean over its trials, in both arms. `difference` = candidate - incumbent."""

    item_id: str
    slice: str
    candidate: float
    incumbent: float
    difference: float


@dataclass(frozen=True, slots=True)
class FactRow:
    """One expected fact and what the judge made of it; `choice_text` says the letter in words."""

    fact: str
    choice: str
    choice_text: str
    score: float
    rationale: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """One tool call of the agent."""

    tool: str
    input: str
    error: bool


@dataclass(frozen=True, slots=True)
class FailedTrial:
    """One trial of the candidate that errored or stayed under the threshold. `answer` may be shortened."""

    trial: int
    outcome: str
    score: float | None
    scores: dict[str, float]
    facts: tuple[FactRow, ...]
    answer: str
    answer_characters: int
    stop_reason: str
    trajectory: tuple[StepRow, ...]
    latency_ms: int | None
    error_stage: str | None
    error_kind: str | None
    error_message: str | None
    trace_id: str
    trace_url: str | None


@dataclass(frozen=True, slots=True)
class FailedItem:
    """A golden item with a trial that failed or errored, or that a reason names.

    `failed` counts trials that were answered and did not pass, `errored` those without an answer that could be scored;
    no trial is in both. `incumbent` is the item's score in the other arm.
    """

    item_id: str
    slice: str
    must_pass: bool
    muted: bool
    question: str
    expected_facts: tuple[str, ...]
    expected_trajectory: tuple[str, ...]
    expected_search_term: str | None
    must_refuse: bool
    errored: int
    failed: int
    trials: int
    incumbent: float | None
    failures: tuple[FailedTrial, ...]


@dataclass(frozen=True, slots=True)
class MutedRow:
    """A regression test that may fail until `until`; `failed` says whether it did in this gate (None: not run)."""

    item_id: str
    until: str
    reason: str
    failed: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report. `failed_omitted`: failed items beyond the limit, which are in the results only.

    `reasons` speak against the verdict being a PASS, `notes` are for the record. `concurrency` is how many invocations
    ran at once at most while the latencies were measured; None: not stated (an older gate). `decision` None: nothing
    was decided in sequence (an older gate, or one that broke before a pair was asked). `judge` None: the judge was not
    measured. `items_below_n`: items of which the candidate did not pass every trial; `unstable`: those that pass and
    fail in both arms. `invocations` and `arms` leave out what was `stored`: nobody was asked for it here.
    """

    schema_version: int
    gate_id: str
    environment: str
    verdict: VerdictKind
    headline: str
    meaning: str
    next_step: str
    reasons: tuple[ReasonRow, ...]
    notes: tuple[ReasonRow, ...]
    promoted: bool
    promotion: Promotion
    trigger_source: str
    trigger_event_id: str
    requested_at: str
    started_at: str
    ended_at: str
    duration_s: float
    identities: tuple[Identity, ...]
    stored: tuple[StoredAnswers, ...]
    incumbent_release: int | None
    deployments: tuple[Deployment, ...]
    dataset_name: str
    dataset_version: str
    dataset_hash: str
    dataset_items: int
    evaluated_items: int
    items_by_slice: dict[str, int]
    judge_model_id: str
    judge_version: str
    primary_metric: str
    pass_score: float
    metrics: tuple[MetricRow, ...]
    arms: tuple[ArmFigures, ...]
    invocations: int
    errored: int
    errors: tuple[ErrorRow, ...]
    error_budget: float
    latency_budget_ms: int | None
    concurrency: int | None
    cost_budget_usd: float | None
    decision: Decision | None
    judge: JudgeCheck | None
    reliability: tuple[ReliabilityRow, ...]
    items_below_n: tuple[ItemTrials, ...]
    items_below_n_omitted: int
    unstable: tuple[str, ...]
    differences: tuple[ItemDifference, ...]
    failed_items: tuple[FailedItem, ...]
    failed_omitted: int
    muted: tuple[MutedRow, ...]
    policy: dict[str, Any]
    estimates: dict[str, Any]
    seed: int
    stand_ins: tuple[str, ...]
    reviews: ReviewsAsked | None = None

    def identity(self, arm: Arm) -> Identity | None:
        return next((i for i in self.identities if i.arm == arm), None)

    def figures(self, arm: Arm) -> ArmFigures | None:
        return next((f for f in self.arms if f.arm == arm), None)

    def stored_arm(self, arm: Arm) -> StoredAnswers | None:
        return next((s for s in self.stored if s.arm == arm), None)

    def deployment(self, arm: Arm) -> Deployment | None:
        return next((d for d in self.deployments if d.arm == arm), None)

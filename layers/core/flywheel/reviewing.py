"""What people said of a gate's answers -> reviews in the evidence, and what the gate would have said by them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flywheel.domain.annotation import Annotation
from flywheel.domain.gate import SequentialGate
from flywheel.domain.guards import final_verdict
from flywheel.domain.judge_check import judge_estimates, judge_reasons
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.reconsideration import can_reconsider, reconsider
from flywheel.domain.records import unique_records
from flywheel.domain.review import Review
from flywheel.domain.review_choice import ReviewTask
from flywheel.domain.verdict import Reason, Verdict
from flywheel.domain.wave_results import record_wave
from flywheel.errors import EvidenceMissingError, InvalidRequestError, NotFoundError
from flywheel.evidence import GateEvidence, gate_state_key
from flywheel.ports import HumanScore, ReviewQueue


@dataclass(frozen=True, slots=True)
class Collected:
    """How far the review of a gate is.

    `open` answers wait in the queue; `skipped` ones were finished there without a score. `reviewed`: the verdict with
    people's scores in place of the judge's; None while nobody has judged anything.
    """

    plan: GatePlan
    annotation: Annotation
    original: Verdict
    reviews: tuple[Review, ...]
    comments: dict[str, str]
    open: tuple[ReviewTask, ...]
    skipped: tuple[ReviewTask, ...]
    reviewed: Verdict | None


def next_step(collected: Collected, *, held: bool) -> str:
    """What follows for whoever asked; `held`: the gate waits for a person's decision."""
    gate_id, original, reviewed = collected.plan.gate_id, collected.original.kind, collected.reviewed
    if reviewed is None:
        return f"judge the answers: {collected.annotation.queue_url}"
    if reviewed.kind == original:
        if held:
            return f"people see no other verdict; decide: flywheel gate approve {gate_id}, or reject"
        return "none: people's judgement does not change the verdict"
    if held:
        better = reviewed.kind == "PASS"
        return f"decide: flywheel gate {'approve' if better else 'reject'} {gate_id} --reason TEXT"
    if original == "PASS":
        return "look at the answers that people did not let pass; flywheel gate rollback brings the release before back"
    return (
        "the verdict hung on the judge: push again, or flywheel gate start with the same image; the judge is then held "
        "against these reviews. Where people and the expected facts disagree, correct the golden item"
    )


class Reviewing:
    """Brings people's judgement back. Collecting again replaces what was collected by what is true now."""

    def __init__(self, *, evidence: GateEvidence, queue: ReviewQueue) -> None:
        self._evidence = evidence
        self._queue = queue

    def still_open(self, gate_id: str) -> int:
        """Answers that wait in the queue now."""
        annotation = self._asked(gate_id)
        scored = self._scores(annotation)
        waiting = self._waiting(annotation)
        return sum(task.trace_id in waiting and task.trace_id not in scored for task in annotation.tasks)

    def collect(self, gate_id: str, today: str) -> Collected:
        """Read the scores, write `reviews/...` and `verdict-reviewed.json`.

        Args:
            gate_id: a gate whose answers were queued.
            today: ISO date on which mutes are looked at, that of the gate's end.

        Raises:
            NotFoundError: there is no such gate.
            InvalidRequestError: nobody was asked about it.
            TransientError: Langfuse does not answer.
        """
        plan = self._evidence.plan(gate_id)
        original = self._evidence.verdict(gate_id)
        annotation = self._asked(gate_id)
        if original is None:
            raise EvidenceMissingError(f"gate {gate_id} was asked about and has no verdict")
        records, _ = self._evidence.results(gate_id)
        judged = {record.key: record.scores.get(plan.policy.primary_metric) for record in records}
        scores = self._scores(annotation)
        reviews = tuple(
            _review(plan, task, judge_score, scores[task.trace_id])
            for task in annotation.tasks
            if task.trace_id in scores and (judge_score := judged.get(task.key)) is not None
        )
        reviewed = None
        if reviews or self._evidence.reviews(plan.judge.version, gate_id):
            copy = self._evidence.write_reviews(plan.judge.version, gate_id, reviews)
            reviewed = self._reviewed(plan, records, original, reviews, today) if reviews else None
            self._evidence.write_reviewed_verdict(gate_id, reviewed or original, reviews=copy, answers=len(reviews))
        waiting = self._waiting(annotation)
        left = [task for task in annotation.tasks if task.trace_id not in scores]
        return Collected(
            plan,
            annotation,
            original,
            reviews,
            comments={trace: score.comment for trace, score in scores.items() if score.comment},
            open=tuple(task for task in left if task.trace_id in waiting),
            skipped=tuple(task for task in left if task.trace_id not in waiting),
            reviewed=reviewed,
        )

    def _asked(self, gate_id: str) -> Annotation:
        annotation = self._evidence.annotation(gate_id)
        if annotation is None or annotation.state == "failed":
            raise InvalidRequestError(f"nobody was asked about gate {gate_id}: flywheel gate annotate {gate_id}")
        return annotation

    def _scores(self, annotation: Annotation) -> dict[str, HumanScore]:
        return self._queue.scores([task.trace_id for task in annotation.tasks])

    def _waiting(self, annotation: Annotation) -> frozenset[str]:
        """A queue that was deleted has nothing that waits."""
        try:
            return self._queue.waiting(annotation.queue_id) if annotation.tasks else frozenset()
        except NotFoundError:
            return frozenset()

    def _reviewed(
        self, plan: GatePlan, records: Sequence[TrialRecord], original: Verdict, reviews: Sequence[Review], today: str
    ) -> Verdict:
        if not can_reconsider(original):
            return original
        wave = int(self._evidence.shard_keys(plan.gate_id)[-1].partition("-")[0])
        before = SequentialGate.from_json(self._evidence.read_text(gate_state_key(plan.gate_id, wave)))
        gate = record_wave(plan, before, wave, self._evidence.lines(plan.gate_id, wave), unique_records(records))
        if isinstance(gate, Reason):  # the stored answers could not be used: nothing was concluded from scores
            return original
        human = {review.key: review.human_score for review in reviews}
        verdict = reconsider(plan, gate, records, original, human=human, today=today)
        # What was just collected says of the judge, too, whether it could pass a candidate by itself.
        judge = judge_estimates(plan, records, self._evidence.all_reviews(plan.judge.version))
        verdict = replace(verdict, estimates={**(verdict.estimates or {}), "judge": judge})
        return final_verdict(verdict, judge_reasons(plan.policy, judge))


def _review(plan: GatePlan, task: ReviewTask, judge_score: float, score: HumanScore) -> Review:
    return Review(
        gate_id=plan.gate_id,
        item_id=task.item_id,
        trial=task.trial,
        arm=task.arm,
        trace_id=task.trace_id,
        judge_version=plan.judge.version,
        judge_score=judge_score,
        human_score=score.value,
        chosen=task.chosen,
        reviewer=score.reviewer,
        reviewed_at=score.at.isoformat(),
    )

"""A decided gate -> the answers that decided it wait in an annotation queue, each once, whatever is repeated."""

from collections.abc import Callable
from datetime import datetime, timedelta

from flywheel.domain.annotation import Annotation
from flywheel.domain.plan import GatePlan
from flywheel.domain.review_choice import choose_answers
from flywheel.domain.verdict import Verdict
from flywheel.errors import FlywheelError, InvalidRequestError
from flywheel.evidence import GateEvidence
from flywheel.ports import Clock, ReviewLedger, ReviewQueue
from flywheel.queueing import GateRight, Place, Queueing


class Annotator:
    """Asks people about a gate. Nothing here changes a verdict, and what fails may be repeated."""

    def __init__(
        self,
        queue_name: str,
        *,
        evidence: GateEvidence,
        queue: ReviewQueue,
        ledger: ReviewLedger,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        self._queue_name = queue_name
        self._evidence = evidence
        self._queue = queue
        self._ledger = ledger
        self._clock = clock
        self._queueing = Queueing(queue, clock, sleep)

    def annotate_if_asked(self, gate_id: str, *, deadline_s: float) -> Annotation | None:
        """After a decision: queue when the gate was started with `annotate` and did not pass; None: nothing to do.

        A queue that cannot be reached is put on record as `failed`, never raised: the verdict stands without it.
        """
        plan = self._evidence.planned(gate_id)
        verdict = None if plan is None or not plan.annotate else self._evidence.verdict(gate_id)
        if plan is None or verdict is None or verdict.kind not in {"FAIL", "INCONCLUSIVE"}:
            return None
        try:
            return self._annotate(plan, verdict, deadline_s)
        except Exception as error:  # noqa: BLE001 - not even a defect in here may lose the verdict
            why = str(error) if isinstance(error, FlywheelError) else f"{type(error).__name__}: {error}"
            failed = Annotation("failed", f"the answers could not be queued for review: {why}")
            standing = self._evidence.annotation(gate_id)
            if standing is not None and standing.state == "queued":  # by somebody else, at the same time
                return standing
            self._evidence.write_annotation(gate_id, failed)
            return failed

    def annotate(self, gate_id: str, *, deadline_s: float) -> Annotation:
        """Queue what decided the gate, and the random share; of a gate that passed, the random share only.

        Raises:
            NotFoundError: the gate was never planned.
            InvalidRequestError: it has no verdict yet, or the queue asks something else.
            TransientError: Langfuse does not answer, or somebody else queues the same answers just now.
        """
        plan = self._evidence.plan(gate_id)
        verdict = self._evidence.verdict(gate_id)
        if verdict is None:
            raise InvalidRequestError(f"gate {gate_id} has no verdict: there is nothing to review before it is decided")
        return self._annotate(plan, verdict, deadline_s)

    def _annotate(self, plan: GatePlan, verdict: Verdict, deadline_s: float) -> Annotation:
        standing = self._evidence.annotation(plan.gate_id)
        if standing is not None and standing.state != "failed":
            return standing
        records, _ = self._evidence.results(plan.gate_id)
        slices = {item.item_id: item.slice for item in plan.items}
        tasks = choose_answers(plan.gate_id, verdict, records, slices, plan.policy.primary_metric)
        if not tasks:
            done = Annotation("nothing", "no answer of this gate has a score and a trace: there is nothing to review")
        else:
            end = self._clock.now() + timedelta(seconds=deadline_s)
            queue = self._queue.ensure(self._queue_name, deadline_s=deadline_s)
            since = datetime.fromisoformat(plan.trigger.requested_at)
            places = [
                Place(queue.queue_id, task.trace_id, GateRight(self._ledger, plan.gate_id, task.trace_id), since)
                for task in tasks
            ]
            self._queueing.queue_all(places, end=end)
            said = f"{len(tasks)} answers wait for review in {queue.name!r}"
            done = Annotation("queued", said, queue.queue_id, queue.name, queue.url, tasks)
        self._evidence.write_annotation(plan.gate_id, done)
        return done

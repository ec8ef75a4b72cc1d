"""Results of the waves so far -> the next wave's shards, or the verdict; the same look always gives the same answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from flywheel.baselines import Baselines
from flywheel.domain.baselines import baselines_of
from flywheel.domain.early_stop import certain_failure
from flywheel.domain.gate import Reason, SequentialGate, Verdict
from flywheel.domain.golden import dataset_hash
from flywheel.domain.guards import check_guards, final_verdict
from flywheel.domain.holds import waits_for_person
from flywheel.domain.judge_check import judge_estimates, judge_reasons
from flywheel.domain.outcome import TrialRecord
from flywheel.domain.plan import GatePlan
from flywheel.domain.records import unique_records
from flywheel.domain.wave_results import names, record_wave
from flywheel.domain.waves import gate_items, must_pass_pairs, plan_shards
from flywheel.errors import EvidenceMissingError, InvalidRequestError, NotFoundError
from flywheel.events import DecideReply, ShardPointer
from flywheel.evidence import GateEvidence, decision_key, gate_state_key
from flywheel.ports import Clock, DatasetStore, ReleaseStore, ScoreStore
from flywheel.supersession import superseded

_NAMED = 10


@dataclass(frozen=True, slots=True)
class DecidingSettings:
    wave_pairs: int
    shards_per_wave: int
    read_back_deadline_s: float


class Decider:
    """Looks at a gate after each wave (wave 0: nothing is evaluated yet)."""

    def __init__(
        self,
        settings: DecidingSettings,
        *,
        evidence: GateEvidence,
        baselines: Baselines,
        releases: ReleaseStore,
        datasets: DatasetStore,
        scores: ScoreStore,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._evidence = evidence
        self._baselines = baselines
        self._releases = releases
        self._datasets = datasets
        self._scores = scores
        self._clock = clock

    def decide(self, gate_id: str, wave: int) -> DecideReply:
        """Look; ask for the next wave or end.

        Raises:
            NotFoundError: the gate was never planned, or never asked for this wave.
            TransientError: something that is needed does not answer now.
        """
        standing = self._evidence.document(decision_key(gate_id, wave))
        if standing is not None:
            return DecideReply.model_validate(standing)
        plan = self._evidence.plan(gate_id)
        verdict = self._evidence.verdict(gate_id)  # written by a deployment that failed, or by this look before
        if verdict is None:
            verdict = self._look(plan, wave)
        if verdict is None:
            return self._asked(gate_id, wave)
        verdict = self._evidence.write_verdict(gate_id, verdict)
        return self._stand(wave, _follows(plan, verdict, wave))

    def _look(self, plan: GatePlan, wave: int) -> Verdict | None:
        """Give the verdict of this look; None: the next wave's shards and state are written."""
        if newer := superseded(plan, self._releases):
            return Verdict("INCONCLUSIVE", (newer,))
        try:
            gate, records = self._recorded(plan, wave)
        except EvidenceMissingError as missing:
            return Verdict("INCONCLUSIVE", (Reason("evidence_missing", str(missing)),))
        if isinstance(gate, Reason):
            return self._settled(plan, records, Verdict("INCONCLUSIVE", (gate,)))
        # Of regression tests alone nothing is weighed: they are asked once, and the guards look at them.
        decision = gate.verdict() if gate.items or wave > 0 else Verdict(None)
        if decision.kind is None:
            certain = self._certain(plan, gate, records)
            if certain is None:
                return self._next_wave(plan, gate, wave)
            decision = Verdict("FAIL", (certain,), decision.estimates)
        return self._settled(plan, records, replace(decision, estimates=gate.describe()))

    def _recorded(self, plan: GatePlan, wave: int) -> tuple[SequentialGate | Reason, list[TrialRecord]]:
        """Give the gate with the wave's results, or why nothing can be concluded; and the records of all waves.

        Raises:
            EvidenceMissingError: a result that was asked for is not there, or is not what was asked for.
        """
        if wave == 0:
            return SequentialGate(plan.policy, gate_items(plan.policy, plan.items), plan.seed), []
        gate = SequentialGate.from_json(self._evidence.read_text(gate_state_key(plan.gate_id, wave)))
        # Not beyond this wave: a look that was killed may have asked for the next one already.
        found, missing = self._evidence.results(plan.gate_id, wave)
        if missing:
            raise EvidenceMissingError(f"{len(missing)} result files are missing: {', '.join(missing[:_NAMED])}")
        try:
            records = unique_records(found)
        except InvalidRequestError as error:
            raise EvidenceMissingError(str(error)) from error
        asked = self._evidence.lines(plan.gate_id, wave)
        return record_wave(plan, gate, wave, asked, records), list(records.values())

    def _certain(self, plan: GatePlan, gate: SequentialGate, records: Sequence[TrialRecord]) -> Reason | None:
        if not plan.policy.stop_when_certain:
            return None
        planned = len(gate.items) * gate.trials + len(must_pass_pairs(plan.policy, plan.items))
        return certain_failure(plan.policy, plan.items, records, planned)

    def _next_wave(self, plan: GatePlan, gate: SequentialGate, wave: int) -> Verdict | None:
        pairs = gate.next_pairs(self._settings.wave_pairs)
        if wave == 0:
            pairs = must_pass_pairs(plan.policy, plan.items) + pairs
        following = wave + 1
        arms = [arm.arm for arm in plan.arms]
        # All of them beside the first pairs: what is compared is judged at the same time.
        again = [key for arm in plan.stored for key in arm.answers()] if wave == 0 else []
        shards = plan_shards(pairs, arms, self._settings.shards_per_wave, plan.gate_id, following, stored=again)
        self._evidence.write_shards(shards)
        self._evidence.create_text(gate_state_key(plan.gate_id, following), gate.to_json())
        return None

    def _asked(self, gate_id: str, wave: int) -> DecideReply:
        keys = self._evidence.shard_keys(gate_id, wave + 1)
        return self._stand(
            wave,
            DecideReply(
                action="evaluate",
                gate_id=gate_id,
                wave=wave + 1,
                shards=tuple(ShardPointer(gate_id=gate_id, key=key) for key in keys),
            ),
        )

    def _stand(self, wave: int, reply: DecideReply) -> DecideReply:
        key = decision_key(reply.gate_id, wave)
        return DecideReply.model_validate(self._evidence.create_document(key, reply.model_dump(mode="json")))

    def _settled(self, plan: GatePlan, records: Sequence[TrialRecord], decision: Verdict) -> Verdict:
        """Guards, then what only Langfuse can tell: a verdict stands on evidence that people can look at."""
        today = f"{self._clock.now():%Y-%m-%d}"
        guards = check_guards(plan.policy, plan.items, records, plan.muted, today)
        for baseline in baselines_of(plan, records):
            self._baselines.write(baseline)
        judge = judge_estimates(plan, records, self._evidence.all_reviews(plan.judge.version))
        decision = Verdict(decision.kind, decision.reasons, {**(decision.estimates or {}), "judge": judge})
        verdict = final_verdict(decision, (*guards, *judge_reasons(plan.policy, judge), *plan.notes))
        if verdict.kind == "INCONCLUSIVE":
            return verdict
        trouble = self._dataset_changed(plan) or self._scores_missing(records)
        if trouble is None:
            return verdict
        return Verdict("INCONCLUSIVE", (trouble, *verdict.reasons), verdict.estimates)

    def _dataset_changed(self, plan: GatePlan) -> Reason | None:
        try:
            found = self._datasets.look(plan.dataset_name)
            # An item that somebody has made since, and that cannot be asked, is a change as any other.
            now = "unreadable" if found.unreadable else dataset_hash(found.items)
        except NotFoundError:
            now = "gone"
        if now == plan.dataset_hash:
            return None
        return Reason(
            "dataset_changed", f"the dataset {plan.dataset_name} changed during the gate: push again or `gate start`"
        )

    def _scores_missing(self, records: Sequence[TrialRecord]) -> Reason | None:
        # What was judged again has its trace in the gate that invoked it, and its new scores here alone.
        scored = [record for record in records if record.scores and not record.stored_from]
        untraced = [record.key for record in scored if not record.trace_id]
        if untraced:
            return Reason("evidence_missing", f"{len(untraced)} scored trials have no trace: {names(untraced)}")
        expected = {record.trace_id: frozenset(record.scores) for record in scored}
        missing = self._scores.read_back(expected, deadline_s=self._settings.read_back_deadline_s)
        if not missing:
            return None
        items = tuple(dict.fromkeys(r.key.item_id for r in scored if r.trace_id in missing))
        count, total = sum(map(len, missing.values())), sum(map(len, expected.values()))
        return Reason(
            "evidence_missing",
            f"{count} of {total} scores are not in Langfuse {self._settings.read_back_deadline_s:g} s after the last",
            observed=float(total - count),
            required=float(total),
            items=items[:_NAMED],
        )


def _follows(plan: GatePlan, verdict: Verdict, wave: int) -> DecideReply:
    """What a verdict leads to."""
    if verdict.kind == "PASS" and plan.promote:
        return DecideReply(action="promote", gate_id=plan.gate_id, wave=wave)
    if waits_for_person(plan.policy, verdict, promote=plan.promote):
        return DecideReply(action="hold", gate_id=plan.gate_id, wave=wave, hold_s=ceil(plan.policy.hold_h * 3600))
    return DecideReply(action="end", gate_id=plan.gate_id, wave=wave)
